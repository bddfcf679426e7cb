"""The layer in float64, as the paper defines it (eqs. (6) to (9)): the ranges of the integers, no rounding.

It works on the positions that the integer run kept. Real values are x * x_scale and w * weight_scale;
the other scales follow from the multipliers, so that a rounded multiplier is no error. How far the
integer layer may lie from it: docs/datapath.md, "Error bound".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.arith import Q31_ONE
from wccsim.datapath.plan import Plan, Requantiser
from wccsim.datapath.subbands import Subband, subband_map, subbands
from wccsim.parameters import WccParameters, padded

Float = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Scales:
    """Real value of one step of x, w [Cout], q (without the per-level shift), y [Cout] and out [Cout]."""

    x: float
    weight: Float
    q: float
    y: Float
    out: Float


@dataclass(frozen=True, slots=True)
class FloatArrays:
    """The stages in real values: coefficients [C, N], q [C, k], y [Cout, k], out [Cout, H, W].

    The first three are on the orthonormal grid. q, y and out are clipped to the ranges that R1, R2 and R3
    can hold; nothing is rounded.
    """

    coefficients: Float
    q: Float
    y: Float
    out: Float


def real_multiplier(scaler: Requantiser, mode: str) -> Float:
    """The factor that a requantiser stands for."""
    unit = Q31_ONE if mode == "tflite_double" else 1
    return scaler.multiplier.astype(np.float64) / unit * np.exp2(-scaler.shift.astype(np.float64))


def scales_of(plan: Plan, x_scale: float, weight_scale: Any) -> Scales:
    """The scales that the plan's multipliers imply."""
    p = plan.parameters
    weight = np.broadcast_to(np.asarray(weight_scale, np.float64), plan.out_channels)
    q = float(x_scale / real_multiplier(plan.r1, p.requantise_mode)[0])
    y = q * weight / real_multiplier(plan.r2, p.requantise_mode)
    out = y / (real_multiplier(plan.r3, p.requantise_mode) * 2.0 ** p.output_gain())
    return Scales(float(x_scale), weight, q, y, out)


def forward(x: Float, levels: int) -> Float:
    """Orthonormal Haar of x [C, HP, WP], eq. (3), in the Mallat layout."""
    result = np.array(x, np.float64)
    height, width = x.shape[1:]
    for _ in range(levels):
        source = result[:, :height, :width].copy()
        a, b, c, d = source[:, ::2, ::2], source[:, ::2, 1::2], source[:, 1::2, ::2], source[:, 1::2, 1::2]
        height, width = height // 2, width // 2
        result[:, :height, :width] = (a + b + c + d) / 2
        result[:, :height, width : 2 * width] = (a + b - c - d) / 2
        result[:, height : 2 * height, :width] = (a - b + c - d) / 2
        result[:, height : 2 * height, width : 2 * width] = (a - b - c + d) / 2
    return result


def inverse(words: Float, levels: int) -> Float:
    """The inverse of `forward`."""
    result = np.array(words, np.float64)
    height, width = result.shape[1] >> levels, result.shape[2] >> levels
    for _ in range(levels):
        source = result[:, : 2 * height, : 2 * width].copy()
        ll, lh = source[:, :height, :width], source[:, :height, width:]
        hl, hh = source[:, height:, :width], source[:, height:, width:]
        height, width = 2 * height, 2 * width
        result[:, :height:2, :width:2] = (ll + lh + hl + hh) / 2
        result[:, :height:2, 1:width:2] = (ll + lh - hl - hh) / 2
        result[:, 1:height:2, :width:2] = (ll - lh + hl - hh) / 2
        result[:, 1:height:2, 1:width:2] = (ll - lh - hl + hh) / 2
    return result


def coefficients_of(x: npt.NDArray[Any], levels: int) -> Float:
    """Orthonormal coefficients of x [C, H, W], padded, flat: float64 [C, N]."""
    channels, height, width = x.shape
    image = np.zeros((channels, padded(height, levels), padded(width, levels)))
    image[:, :height, :width] = x
    return forward(image, levels).reshape(channels, -1)


def run_float(
    plan: Plan, x: npt.NDArray[Any], indices: npt.NDArray[np.int64], scales: Scales, real_bias: Float | None
) -> FloatArrays:
    """The float layer on x, integer [C, H, W], with the kept `indices`; real_bias float64 [Cout]."""
    p = plan.parameters
    bands = subbands(plan.padded_height, plan.padded_width, p.levels)
    numbers = subband_map(plan.padded_height, plan.padded_width, p.levels)[indices]
    coefficients = coefficients_of(x, p.levels) * scales.x
    q_limit = ((1 << (p.act_bits - 1)) - 1) * q_steps(p, bands, scales)[numbers]
    q = np.clip(coefficients[:, indices], -q_limit, q_limit)
    y_limit = ((1 << (p.wavelet_bits - 1)) - 1) * y_steps(p, bands, scales)[:, numbers]
    y = np.clip((plan.weights.astype(np.float64) * scales.weight[:, None]) @ q, -y_limit, y_limit)
    words = np.zeros((plan.out_channels, plan.positions))
    words[:, indices] = y
    pixels = inverse(words.reshape(-1, plan.padded_height, plan.padded_width), p.levels)
    if real_bias is not None:
        pixels += real_bias[:, None, None]
    low, high = (limit * scales.out[:, None, None] for limit in plan.out_range)
    out: Float = np.clip(pixels[:, : plan.height, : plan.width], low, high)
    return FloatArrays(coefficients, q, y, out)


def dense(x: npt.NDArray[Any], weights: Float, bias: Float | None, act: str) -> Float:
    """The ordinary 1x1 convolution of real x [C, H, W] and weights [Cout, C], then `act`."""
    out: Float = (weights @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:])
    if bias is not None:
        out = out + bias[:, None, None]
    if act != "none":
        np.clip(out, 0, 6 if act == "relu6" else None, out=out)
    return out


def q_steps(p: WccParameters, bands: tuple[Subband, ...], scales: Scales) -> Float:
    """Real step of q in each sub-band."""
    return np.array([scales.q * 2.0 ** p.level_shift(band.level) for band in bands])


def y_steps(p: WccParameters, bands: tuple[Subband, ...], scales: Scales) -> Float:
    """Real step of y, on the orthonormal grid, [Cout, subbands]: lifting words keep their sub-band's gain."""
    own = [p.gain(band.level, band.band) if p.haar == "lifting" else 0 for band in bands]
    return scales.y[:, None] * np.exp2(-np.array(own, np.float64))
