"""A layer that has been checked: what every path of the simulator needs, and nothing it has to doubt.

`make_plan` refuses what could overflow (docs/datapath.md, sections 3, 5, 6, 7); after it the execution
has no error branches.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.arith import MAX_Q31_SHIFT, MAX_SHIFT, MULTIPLIER_BITS
from wccsim.datapath.subbands import Subband, subbands
from wccsim.errors import WccsimError
from wccsim.parameters import MAX_IN_CHANNELS, MAX_SCORE_BITS, WccParameters, padded

Int64 = npt.NDArray[np.int64]
MAX_PIXELS = 1 << 28  # of a padded channel
ACCUMULATOR_BITS = 32


@dataclass(frozen=True, slots=True)
class Requantiser:
    """y = clamp(round(v * multiplier * 2**-shift)); int64 arrays of one element or one per output channel."""

    multiplier: Int64
    shift: Int64


@dataclass(frozen=True, slots=True)
class Plan:
    """One layer on one shape of map, validated. Arrays are read-only and C-contiguous.

    weights: int8 [Cout, C]. bias: int32 [Cout], added to every LL_L word, or None. r1_shift[n] and r2_shift
    (int64 [subbands] and [Cout, subbands] or [1, subbands]) are the total shifts in the n-th sub-band of
    `subbands`: the requantiser's own, the sub-band's gain and the per-level shift together.
    """

    parameters: WccParameters
    channels: int
    out_channels: int
    height: int
    width: int
    padded_height: int
    padded_width: int
    kept: int
    weights: npt.NDArray[np.int8]
    bias: npt.NDArray[np.int32] | None
    r1: Requantiser
    r2: Requantiser
    r3: Requantiser
    r1_shift: Int64
    r2_shift: Int64

    @property
    def positions(self) -> int:
        """N."""
        return self.padded_height * self.padded_width

    @property
    def out_range(self) -> tuple[int, int]:
        """The clamp of R3: ReLU is its lower end (section 5)."""
        return out_range(self.parameters)


def out_range(parameters: WccParameters) -> tuple[int, int]:
    """Lowest and highest output of R3."""
    return 0 if parameters.relu else -128, parameters.out_format().max


def make_plan(
    parameters: WccParameters,
    weights: Any,
    shape: tuple[int, int, int],
    r1: Any,
    r2: Any,
    r3: Any,
    bias: Any = None,
) -> Plan:
    """The checked plan of a layer on maps of `shape` [C, H, W]; WccsimError where anything could overflow.

    r1 is (M, s); r2 and r3 are (M, s) with integers or arrays of one per output channel; bias is None, an
    integer or one per output channel.
    """
    channels, height, width = shape
    high, wide = padded(height, parameters.levels), padded(width, parameters.levels)
    if parameters.bias != (bias is not None):
        raise WccsimError(
            f"parameters.bias is {parameters.bias}, but bias is {'' if bias is None else 'not '}None"
        )
    if high * wide > MAX_PIXELS:
        raise WccsimError(f"a map of {height} x {width} is too large; at most {MAX_PIXELS} padded positions")
    matrix = _checked_weights(weights, channels, parameters)
    _check_widths(parameters, channels)
    outputs = len(matrix)
    scalers = _requantiser("r1", r1, 1), _requantiser("r2", r2, outputs), _requantiser("r3", r3, outputs)
    r1_shift, r2_shift = _total_shifts(parameters, subbands(high, wide, parameters.levels), *scalers[:2])
    _check_scaler("r1", parameters, scalers[0].multiplier, r1_shift, parameters.coefficient_bits())
    accumulator = min(parameters.accumulator_bits(channels), ACCUMULATOR_BITS)
    _check_scaler("r2", parameters, scalers[1].multiplier, r2_shift, accumulator)
    _check_scaler("r3", parameters, scalers[2].multiplier, scalers[2].shift, parameters.inverse_bits())
    return Plan(
        parameters=parameters,
        channels=channels,
        out_channels=outputs,
        height=height,
        width=width,
        padded_height=high,
        padded_width=wide,
        kept=parameters.kept(height, width),
        weights=matrix,
        bias=_checked_bias(bias, outputs, parameters),
        r1=scalers[0],
        r2=scalers[1],
        r3=scalers[2],
        r1_shift=_frozen(r1_shift),
        r2_shift=_frozen(r2_shift),
    )


def _total_shifts(
    parameters: WccParameters, bands: tuple[Subband, ...], r1: Requantiser, r2: Requantiser
) -> tuple[Int64, Int64]:
    """R1's and R2's shifts in each sub-band, gain and per-level shift included (section 5)."""
    gains = np.array([parameters.gain(band.level, band.band) for band in bands])
    levels = np.array([parameters.level_shift(band.level) for band in bands])
    # Lifting words go back to the gain of their own sub-band; the others stay on one grid (section 7).
    own = gains if parameters.haar == "lifting" else np.zeros_like(gains)
    return r1.shift[0] + gains + levels, r2.shift[:, None] - levels - own


def _frozen(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """A contiguous read-only copy."""
    copy = np.array(array, order="C")
    copy.setflags(write=False)
    return copy


def _array(what: str, given: Any) -> npt.NDArray[Any]:
    try:
        return np.asarray(given)
    except (ValueError, TypeError, OverflowError):
        raise WccsimError(f"{what} is {given!r:.60}, which makes no array") from None


def _checked_weights(given: Any, channels: int, parameters: WccParameters) -> npt.NDArray[np.int8]:
    weights = _array("weights", given)
    if weights.dtype.kind not in "iu" or weights.ndim != 2:
        raise WccsimError(f"weights are {weights.dtype} {weights.shape}; allowed: integers [Cout, C]")
    if weights.shape[1] != channels or weights.shape[0] < 1:
        raise WccsimError(f"weights are {weights.shape} for a map of {channels} channels: [Cout, {channels}]")
    limit = (1 << (parameters.weight_bits - 1)) - 1
    if int(weights.max()) > limit or int(weights.min()) < -limit:
        raise WccsimError(
            f"weights reach {int(weights.min())}..{int(weights.max())}; "
            f"{parameters.weight_bits}-bit weights on the symmetric grid are {-limit}..{limit}"
        )
    matrix: npt.NDArray[np.int8] = _frozen(weights.astype(np.int8))
    return matrix


def _check_widths(parameters: WccParameters, channels: int) -> None:
    if not 1 <= channels <= MAX_IN_CHANNELS:
        raise WccsimError(
            f"{channels} input channels; int32 sums are exact for 1 to {MAX_IN_CHANNELS} of them"
        )
    if not parameters.plain and parameters.score_bits(channels) > MAX_SCORE_BITS:
        raise WccsimError(
            f"the {parameters.score} score of {channels} channels of {parameters.in_bits} bits at "
            f"{parameters.levels} levels needs {parameters.score_bits(channels)} bits; "
            f"at most {MAX_SCORE_BITS}"
        )


def _integers(what: str, given: Any, outputs: int) -> Int64:
    """int64 of one element or one per output channel."""
    array = _array(what, given)
    if array.dtype.kind not in "iu" or array.ndim > 1 or array.size not in (1, outputs):
        raise WccsimError(
            f"{what} is {array.dtype} of shape {array.shape}; allowed: an integer"
            + (f" or {outputs} of them, one per output channel" if outputs > 1 else "")
        )
    if array.dtype.kind == "u" and int(array.max()) >= 1 << 63:
        raise WccsimError(f"{what} holds {int(array.max())}, which leaves 64 bits")
    return array.astype(np.int64).reshape(-1)


def _requantiser(name: str, given: Any, outputs: int) -> Requantiser:
    try:
        multiplier, shift = given
    except (TypeError, ValueError):
        raise WccsimError(f"{name} is {given!r:.60}; allowed: a pair (M, s)") from None
    found = [
        _integers(f"{name}'s {which}", value, outputs)
        for which, value in zip("Ms", (multiplier, shift), strict=True)
    ]
    size = max(len(value) for value in found)
    return Requantiser(*(_frozen(np.broadcast_to(value, size)) for value in found))


def _check_scaler(name: str, parameters: WccParameters, multiplier: Int64, shift: Int64, word: int) -> None:
    """The multiplier is normalised, every total shift allowed, and no product leaves its register."""
    double = parameters.requantise_mode == "tflite_double"
    bits = 31 if double else MULTIPLIER_BITS
    low, high = 1 << (bits - 1), (1 << bits) - 1
    if int(multiplier.min()) < low or int(multiplier.max()) > high:
        raise WccsimError(
            f"{name}'s multiplier reaches {int(multiplier.min())}..{int(multiplier.max())}; "
            f"a normalised {bits}-bit one is {low}..{high}"
        )
    # A left shift of tflite_double must leave the word inside int32.
    least, most = (word - 32, MAX_Q31_SHIFT) if double else (1, MAX_SHIFT)
    if int(shift.min()) < least or int(shift.max()) > most:
        raise WccsimError(
            f"{name} shifts by {int(shift.min())}..{int(shift.max())} over the sub-bands, gain and "
            f"per_level_shift included; allowed: {least} to {most}"
        )


def _checked_bias(given: Any, outputs: int, parameters: WccParameters) -> npt.NDArray[np.int32] | None:
    if given is None:
        return None
    words = _integers("bias", given, outputs)
    allowed = parameters.bias_format()
    if int(words.min()) < allowed.min or int(words.max()) > allowed.max:
        raise WccsimError(
            f"bias reaches {int(words.min())}..{int(words.max())}; "
            f"a bias word is {allowed} here: {allowed.min}..{allowed.max}"
        )
    bias: npt.NDArray[np.int32] = _frozen(np.broadcast_to(words, outputs).astype(np.int32))
    return bias
