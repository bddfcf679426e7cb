"""From real scales to multipliers and shifts: the clip of the kept coefficients and the ranges of R2 and R3.

The clip alpha of eq. (2) is found per layer over the kept coefficients of all calibration maps, by the
greatest magnitude, a percentile of the magnitudes, or the least mean squared error over a search.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.arith import multiplier_and_shift, q31_multiplier_and_shift
from wccsim.datapath.float_reference import coefficients_of, inverse
from wccsim.datapath.haar import forward
from wccsim.datapath.pad import pad
from wccsim.datapath.plain import alignment_shift_table
from wccsim.datapath.score import score
from wccsim.datapath.select import select
from wccsim.datapath.subbands import subband_map, subbands
from wccsim.errors import WccsimError
from wccsim.parameters import MAX_LEVEL_SHIFT, WccParameters, padded

Float = npt.NDArray[np.float64]
IntArray = npt.NDArray[np.int64]
SEARCH_POINTS = 60
SEARCH_LOWEST = 0.05  # of the greatest magnitude
SAMPLE_VALUES = 1 << 18  # at most this many coefficients enter the search, evenly spaced


@dataclass(frozen=True, slots=True)
class KeptValues:
    """The kept coefficients of one map, real values on the orthonormal grid, and where they stand."""

    values: Float  # [C, k]
    numbers: npt.NDArray[np.uint8]  # [k], sub-band numbers
    indices: npt.NDArray[np.int64]  # [k]


def kept_values(p: WccParameters, x: npt.NDArray[Any], x_scale: float) -> KeptValues:
    """The positions that the layer keeps of x, integer [C, H, W], and their real coefficients."""
    channels, height, width = x.shape
    size = padded(height, p.levels), padded(width, p.levels), p.levels
    numbers = subband_map(*size)
    if p.plain:  # every position, and the words themselves
        return KeptValues(coefficients_of(x, 0) * x_scale, numbers, np.arange(height * width))
    integers = forward(pad(x, p.levels), p.levels, p.haar).reshape(channels, -1)
    energy = score(integers, alignment_shift_table(p, *size[:2])[numbers], p.score)
    indices = np.flatnonzero(select(energy, p.kept(height, width), p.mantissa_bits))
    return KeptValues(coefficients_of(x, p.levels)[:, indices] * x_scale, numbers[indices], indices)


def squared_error(magnitudes: Float, step: float, limit: Any) -> float:
    """Sum over the values of the squared error of quantising to `step`; limit: greatest code, or one each."""
    codes = np.minimum(np.rint(magnitudes / step), limit)
    return float(np.square(codes * step - magnitudes).sum())


def find_alpha(magnitudes: Float, method: str, limit: int, limits: IntArray | None = None) -> float:
    """The clip of a quantiser with codes -limit..limit. method: max, percentile:P or mse.

    `limits` gives each value a greatest code of its own (detail_bits); the step stays alpha / limit.
    """
    codes = np.full(len(magnitudes), limit) if limits is None else limits
    reach = magnitudes * (limit / codes)  # the clip at which the value's own greatest code still holds it
    greatest = float(reach.max(initial=0.0))
    if greatest == 0:
        return 1.0  # nothing but zeros: any clip will do
    if method == "max":
        return greatest
    if method == "mse":
        narrowest = int(codes.min())
        space = np.linspace if narrowest == limit else np.geomspace
        candidates = greatest * space(SEARCH_LOWEST * narrowest / limit, 1, SEARCH_POINTS)
        return float(min(candidates, key=lambda a: squared_error(magnitudes, float(a) / limit, codes)))
    found = float(np.percentile(reach, percentile_of(method)))
    return found if found > 0 else greatest


def percentile_of(method: str) -> float:
    """P of "percentile:P"; refuses what is no calibration method."""
    given = re.fullmatch(r"percentile:(\d{1,3}(?:\.\d{1,6})?)", method)
    if not given or not 0 < float(given[1]) <= 100:
        raise WccsimError(
            f"calibration {method!r} is not known; allowed: max, mse, percentile:P (0 < P <= 100)"
        )
    return float(given[1])


def check_method(method: str) -> str:
    """`method`, refused where it names no calibration."""
    if method not in ("max", "mse"):
        percentile_of(method)
    return method


def find_clip(
    p: WccParameters, kept: list[KeptValues], height: int, width: int, method: str, per_level: bool
) -> tuple[float, tuple[int, ...]]:
    """(step of q, per-level shifts) for the kept values: one clip, or one power of two more per level."""
    limit = (1 << (p.act_bits - 1)) - 1
    bands = subbands(height, width, p.levels)
    level_of = np.array([band.level for band in bands])
    limit_of = np.array([(1 << (p.kept_bits(band.band) - 1)) - 1 for band in bands])
    levels = [_of_level(kept, level_of == level, limit_of) for level in range(min(1, p.levels), p.levels + 1)]
    everything = _sample(*(np.concatenate(parts) for parts in zip(*levels, strict=True)))
    common = find_alpha(everything[0], method, limit, everything[1]) / limit
    if not per_level:
        return common, ()
    steps = [
        find_alpha(values, method, limit, own) / limit if values.any() else 0.0 for values, own in levels
    ]
    finest = min([step for step in steps if step], default=1.0 / limit)
    # The base step is sought over one octave, and at the common one, so that shifts never err more than none;
    # each level then takes the power of two that errs least.
    bases = np.append(finest * np.exp2(np.arange(16) / 16), common * np.exp2(-np.arange(4.0)))
    return min((_shifts(levels, float(base)) for base in bases), key=lambda found: found[0])[1:]


def _of_level(
    kept: list[KeptValues], chosen: npt.NDArray[np.bool_], limit_of: IntArray
) -> tuple[Float, IntArray]:
    """(magnitudes, greatest codes) of the kept values in the sub-bands `chosen`, or a sample of them."""
    values, limits = [], []
    for one in kept:
        here = chosen[one.numbers]
        found = np.abs(one.values[:, here])
        values.append(found.ravel())
        limits.append(np.broadcast_to(limit_of[one.numbers[here]], found.shape).ravel())
    return _sample(np.concatenate(values), np.concatenate(limits))


def _shifts(levels: list[tuple[Float, IntArray]], base: float) -> tuple[float, float, tuple[int, ...]]:
    """(squared error, base, shifts): the best power of two of `base` for each level."""
    error, shifts = 0.0, []
    for values, own in levels:
        tried = [squared_error(values, base * 2.0**shift, own) for shift in range(MAX_LEVEL_SHIFT + 1)]
        shifts.append(int(np.argmin(tried)))
        error += min(tried)
    return error, base, tuple(shifts)


def _sample(values: Float, limits: IntArray) -> tuple[Float, IntArray]:
    """At most SAMPLE_VALUES of the pairs, evenly spaced, and always the one with the greatest value."""
    if len(values) <= SAMPLE_VALUES:
        return values, limits
    chosen = np.append(np.arange(0, len(values), -(-len(values) // SAMPLE_VALUES)), np.argmax(values))
    return values[chosen], limits[chosen]


def word_scale(
    p: WccParameters, weights: Float, kept: list[KeptValues], height: int, width: int, bias: Float | None
) -> Float:
    """Step of y per output channel: the greatest word of R2, and the bias word, just fit."""
    bands = subbands(height, width, p.levels)
    own = np.array([p.gain(b.level, b.band) if p.haar == "lifting" else 0 for b in bands], np.float64)
    greatest = np.max(
        [np.abs((weights @ k.values) * np.exp2(own[k.numbers])).max(axis=1) for k in kept], axis=0
    )
    steps: Float = greatest / ((1 << (p.wavelet_bits - 1)) - 1)
    if bias is not None:
        steps = np.maximum(steps, np.abs(bias) * 2.0 ** p.bias_gain() / p.bias_format().max)
    return steps


def out_range_of(
    weights: Float, kept: list[KeptValues], sizes: list[tuple[int, int]], p: WccParameters, bias: Float | None
) -> tuple[float, float]:
    """(least, greatest) real output before the activation over the maps, padded positions too."""
    low, high = 0.0, 0.0
    for one, (height, width) in zip(kept, sizes, strict=True):
        for o, row in enumerate(weights):
            words = np.zeros(height * width)
            words[one.indices] = row @ one.values
            pixels = inverse(words.reshape(1, height, width), p.levels)
            offset = 0.0 if bias is None else float(bias[o])
            low, high = min(low, float(pixels.min()) + offset), max(high, float(pixels.max()) + offset)
    return low, high


def scalers(
    p: WccParameters, real: Float, where: str = "requantiser"
) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
    """(M, s) arrays for an array of real multipliers, in the mode of `p`; errors begin with `where`."""
    convert = q31_multiplier_and_shift if p.requantise_mode == "tflite_double" else multiplier_and_shift
    try:
        pairs = [convert(float(value)) for value in np.atleast_1d(real)]
    except WccsimError as problem:
        raise WccsimError(f"{where}: {problem}") from None
    return np.array([m for m, _ in pairs], np.int64), np.array([s for _, s in pairs], np.int64)
