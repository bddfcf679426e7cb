"""How far each stage of a run lies from the float layer, beside the derived bound (docs/datapath.md).

Output channels are taken a few at a time, so that the float arrays never grow with the layer.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.error_bound import FLOAT_SLACK, error_bound, transform_error
from wccsim.datapath.float_reference import (
    Scales,
    coefficients_of,
    dense,
    float_out,
    float_q,
    float_y,
    q_limits,
    q_steps,
    y_steps,
)
from wccsim.datapath.layer import LayerResult
from wccsim.datapath.plain import CHUNK_WORDS
from wccsim.datapath.plan import Plan
from wccsim.datapath.subbands import subband_map, subbands

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class StageError:
    """Integer against float at one stage, real units. `snr_db` is None where either has no energy.

    bound: the greatest |error| the derivation allows anywhere; within: every word keeps its own bound.
    at_clamp: words that stand at an end of their range.
    """

    stage: str
    words: int
    rms_error: float
    max_error: float
    bound: float
    within: bool
    snr_db: float | None
    at_clamp: int


@dataclass(frozen=True, slots=True)
class _Sums:
    """What is added up over the parts of one stage."""

    words: int
    error_energy: float
    signal_energy: float
    max_error: float
    bound: float
    within: bool
    at_clamp: int

    def __add__(self, other: _Sums) -> _Sums:
        return _Sums(
            self.words + other.words,
            self.error_energy + other.error_energy,
            self.signal_energy + other.signal_energy,
            max(self.max_error, other.max_error),
            max(self.bound, other.bound),
            self.within and other.within,
            self.at_clamp + other.at_clamp,
        )

    def row(self, stage: str) -> StageError:
        """The row of the table."""
        snr = snr_db(self.signal_energy, self.error_energy)
        rms = math.sqrt(self.error_energy / self.words)
        return StageError(stage, self.words, rms, self.max_error, self.bound, self.within, snr, self.at_clamp)


def snr_db(signal_energy: float, error_energy: float) -> float | None:
    """10 log10 of the two energies' ratio; None where either is zero."""
    if min(signal_energy, error_energy) <= 0:
        return None
    return 10 * math.log10(signal_energy / error_energy)


def channel_parts(plan: Plan) -> Iterator[slice]:
    """Slices of the output channels, CHUNK_WORDS positions each or one channel."""
    chunk = max(1, CHUNK_WORDS // plan.positions)
    for start in range(0, plan.out_channels, chunk):
        yield slice(start, start + chunk)


def stage_errors(
    plan: Plan, x: npt.NDArray[Any], result: LayerResult, scales: Scales, real_bias: Float | None
) -> tuple[StageError, ...]:
    """One row each for the coefficients, q, y and out of a run on one image x that kept all its arrays."""
    p = plan.parameters
    assert result.coefficients is not None and result.q is not None and result.y is not None
    bands = subbands(plan.padded_height, plan.padded_width, p.levels)
    every = subband_map(plan.padded_height, plan.padded_width, p.levels)
    numbers = every[result.indices]
    bound = error_bound(plan, scales)
    real = coefficients_of(x, p.levels) * scales.x
    own = np.exp2(-np.array([p.gain(band.level, band.band) for band in bands], np.float64)) * scales.x
    first = _sums(result.coefficients * own[every], real, (transform_error(p) * scales.x)[every], 0)
    q = float_q(plan, real, result.indices, scales)
    q_step, y_step = q_steps(p, bands, scales)[numbers], y_steps(p, bands, scales)[:, numbers]
    kept = _sums(result.q * q_step, q, bound.q[numbers], _at(result.q, q_limits(p, bands)[numbers]))
    words, outputs = [], []
    for part in channel_parts(plan):
        y = float_y(plan, q, result.indices, scales, part)
        integer = result.y[part]
        clamped = _at(integer, (1 << (p.wavelet_bits - 1)) - 1)
        words.append(_sums(integer * y_step[part], y, bound.y[part][:, numbers], clamped))
        out = float_out(plan, y, result.indices, scales, real_bias, part)
        codes = result.out[part]
        clamped = sum(int(np.count_nonzero(codes == end)) for end in plan.out_range)
        step, limit = scales.out[part, None, None], bound.out[part, None, None]
        outputs.append(_sums(codes * step, out, limit, clamped))
    return (
        first.row("coefficients"),
        kept.row("R1: q"),
        sum(words[1:], words[0]).row("R2: y"),
        sum(outputs[1:], outputs[0]).row("R3: out"),
    )


def against_dense(
    plan: Plan,
    x: npt.NDArray[Any],
    result: LayerResult,
    scales: Scales,
    out_scale: float,
    real_bias: Float | None,
    act: str,
) -> tuple[float | None, float]:
    """(SNR in dB, greatest error) of the outputs against the ordinary convolution of the real map."""
    real = x * scales.x
    signal, error, greatest = 0.0, 0.0, 0.0
    for part in channel_parts(plan):
        weights = plan.weights[part] * scales.weight[part, None]
        bias = None if real_bias is None else real_bias[part]
        ordinary = dense(real, weights, bias, act)
        off = result.out[part] * out_scale - ordinary
        signal, error = signal + float(np.vdot(ordinary, ordinary)), error + float(np.vdot(off, off))
        greatest = max(greatest, float(np.abs(off).max()))
    return snr_db(signal, error), greatest


def _at(codes: npt.NDArray[Any], limit: Any) -> int:
    return int(np.count_nonzero(codes == limit)) + int(np.count_nonzero(codes == -limit))


def _sums(integer: Float, real: Float, bound: Float, at_clamp: int) -> _Sums:
    signal = float(np.vdot(real, real))
    error = np.abs(integer - real)
    # float64 itself is off by some units of its last place.
    slack = FLOAT_SLACK * float(np.abs(real).max())
    return _Sums(
        words=error.size,
        error_energy=float(np.vdot(error, error)),
        signal_energy=signal,
        max_error=float(error.max()),
        bound=float(bound.max()),
        within=bool((error <= bound + slack).all()),
        at_clamp=at_clamp,
    )
