"""How far the integer layer may lie from the float one, per output channel (docs/datapath.md, "Error bound").

Clamps never push two numbers apart, so only roundings count: each stage adds its own and scales what
it is given.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wccsim.datapath.float_reference import Scales, q_steps, y_steps
from wccsim.datapath.plan import Plan
from wccsim.datapath.subbands import subbands
from wccsim.parameters import WccParameters

Float = npt.NDArray[np.float64]
FLOAT_SLACK = 1e-9  # of the greatest value: what float64 itself may be off


@dataclass(frozen=True, slots=True)
class ErrorBound:
    """Greatest possible |integer - float|, real values: q [subbands], y [Cout, subbands], out [Cout]."""

    q: Float
    y: Float
    out: Float


def error_bound(plan: Plan, scales: Scales) -> ErrorBound:
    """The bound for every input; `scales` as `scales_of` gives them."""
    p = plan.parameters
    bands = subbands(plan.padded_height, plan.padded_width, p.levels)
    # tflite_double rounds twice: half a step of the high product, which a shift of s makes 2**-(s + 1).
    double = p.requantise_mode == "tflite_double"
    r1_step = _rounding(plan.r1_shift, double)
    r2_step = _rounding(plan.r2_shift, double)
    r3_step = _rounding(plan.r3.shift, double)
    q = transform_error(p) * scales.x + r1_step * q_steps(p, bands, scales)
    magnitudes = np.abs(plan.weights.astype(np.float64)).sum(axis=1) * scales.weight
    y = magnitudes[:, None] * q + r2_step * y_steps(p, bands, scales)
    pixels = _inverse_error(p, y, scales)
    if p.bias:
        pixels = pixels + scales.y * 2.0 ** -(p.bias_gain() + 1)
    out = pixels + r3_step * scales.out
    return ErrorBound(q, y, out)


def transform_error(p: WccParameters) -> Float:
    """[subbands]: what the rounding of the forward transform may add, steps of x, orthonormal grid."""
    errors = np.zeros(3 * p.levels + 1)
    approximation = 0.0  # of the level before, in its own gain
    for level in range(1, p.levels + 1):
        if p.haar == "lifting":
            # Floors err one way only, so two approximations differ by at most one's greatest error.
            four = approximation + 1, approximation + 0.5, approximation + 0.5, 2 * approximation
        elif p.haar != "exact":
            four = (2 * approximation + 0.5,) * 4
        else:
            four = (0.0,) * 4
        approximation = four[0]
        start = 1 + 3 * (p.levels - level)
        for offset, band in enumerate(("LH", "HL", "HH")):
            gain = p.gain(level, band) if p.haar == "lifting" else 0
            errors[start + offset] = four[1 + offset] * 2.0**-gain
    errors[0] = approximation * (2.0**p.levels if p.haar == "lifting" else 1.0)
    return errors


def _rounding(shift: npt.NDArray[np.int64], double: bool) -> Float:
    """Greatest rounding error in output steps."""
    extra = np.where(double & (shift > 0), np.exp2(-(shift.astype(np.float64) + 1)), 0.0)
    return 0.5 + extra


def _inverse_error(p: WccParameters, y: Float, scales: Scales) -> Float:
    """[Cout]: error of a pixel from the errors of the words, all signs adding up, and the inverse's own."""
    error = y[:, 0]
    unit = scales.y
    for level in range(p.levels, 0, -1):
        start = 1 + 3 * (p.levels - level)
        error = (error + y[:, start : start + 3].sum(axis=1)) / 2
        if p.haar.startswith("orthonormal"):
            error = error + unit / 2
        elif p.haar == "lifting":
            # Two floors in series, 1/2 and 1/2 + 1/4 of a step, on LL words of gain 2**-(level - 1).
            error = error + 1.25 * unit * 2.0 ** (level - 1)
    return error
