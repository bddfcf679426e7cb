"""How far each stage of a run lies from the float layer, beside the derived bound (docs/datapath.md)."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.error_bound import FLOAT_SLACK, error_bound, transform_error
from wccsim.datapath.float_reference import FloatArrays, Scales, q_steps, y_steps
from wccsim.datapath.layer import LayerResult
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


def snr_db(signal: Float, error: Float) -> float | None:
    """10 log10 of the energy of the signal over that of the error; None where either is zero."""
    energies = float(np.square(signal).sum()), float(np.square(error).sum())
    return 10 * math.log10(energies[0] / energies[1]) if min(energies) > 0 else None


def stage_errors(
    plan: Plan, result: LayerResult, floats: FloatArrays, scales: Scales
) -> tuple[StageError, ...]:
    """One row each for the coefficients, q, y and out of a run on one image with all its arrays."""
    p = plan.parameters
    assert result.coefficients is not None and result.q is not None and result.y is not None
    bands = subbands(plan.padded_height, plan.padded_width, p.levels)
    every = subband_map(plan.padded_height, plan.padded_width, p.levels)
    numbers = every[result.indices]
    bound = error_bound(plan, scales)
    gains = np.exp2(-np.array([p.gain(band.level, band.band) for band in bands], np.float64))
    q_limit, y_limit = (1 << (p.act_bits - 1)) - 1, (1 << (p.wavelet_bits - 1)) - 1
    low, high = plan.out_range
    return (
        _row(
            "coefficients",
            result.coefficients * (gains[every] * scales.x),
            floats.coefficients,
            (transform_error(p) * scales.x)[every],
            0,
        ),
        _row(
            "R1: q",
            result.q * q_steps(p, bands, scales)[numbers],
            floats.q,
            bound.q[numbers],
            int(np.count_nonzero(np.abs(result.q) == q_limit)),
        ),
        _row(
            "R2: y",
            result.y * y_steps(p, bands, scales)[:, numbers],
            floats.y,
            bound.y[:, numbers],
            int(np.count_nonzero(np.abs(result.y) == y_limit)),
        ),
        _row(
            "R3: out",
            result.out * scales.out[:, None, None],
            floats.out,
            bound.out[:, None, None],
            int(np.count_nonzero((result.out == low) | (result.out == high))),
        ),
    )


def _row(stage: str, integer: Float, real: Float, bound: Any, at_clamp: int) -> StageError:
    error = np.abs(integer - real)
    # float64 itself is off by some units of its last place.
    slack = FLOAT_SLACK * float(np.abs(real).max())
    return StageError(
        stage=stage,
        words=error.size,
        rms_error=float(np.sqrt(np.square(error).mean())),
        max_error=float(error.max()),
        bound=float(np.max(bound)),
        within=bool((error <= bound + slack).all()),
        snr_db=snr_db(real, error),
        at_clamp=at_clamp,
    )
