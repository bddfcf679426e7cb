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


def float_q(plan: Plan, coefficients: Float, indices: npt.NDArray[np.int64], scales: Scales) -> Float:
    """Kept coefficients [C, k] of the real `coefficients` [C, N], clipped to R1's range, not rounded."""
    p = plan.parameters
    limits = q_limits(p, _bands(plan)) * q_steps(p, _bands(plan), scales)
    limit = limits[_numbers(plan)[indices]]
    clipped: Float = np.clip(coefficients[:, indices], -limit, limit)
    return clipped


def float_y(plan: Plan, q: Float, indices: npt.NDArray[np.int64], scales: Scales, part: slice) -> Float:
    """Wavelet words of the output channels `part`, [.., k], orthonormal grid, clipped to R2's range."""
    p = plan.parameters
    limit = ((1 << (p.wavelet_bits - 1)) - 1) * y_steps(p, _bands(plan), scales)[part]
    limit = limit[:, _numbers(plan)[indices]]
    weights = plan.weights[part].astype(np.float64) * scales.weight[part, None]
    clipped: Float = np.clip(weights @ q, -limit, limit)
    return clipped


def float_out(
    plan: Plan,
    y: Float,
    indices: npt.NDArray[np.int64],
    scales: Scales,
    real_bias: Float | None,
    part: slice,
) -> Float:
    """Outputs of the words y of the output channels `part`, [.., H, W], clipped to R3's range."""
    words = np.zeros((len(y), plan.positions))
    words[:, indices] = y
    pixels = inverse(words.reshape(-1, plan.padded_height, plan.padded_width), plan.parameters.levels)
    if real_bias is not None:
        pixels += real_bias[part, None, None]
    low, high = (limit * scales.out[part, None, None] for limit in plan.out_range)
    clipped: Float = np.clip(pixels[:, : plan.height, : plan.width], low, high)
    return clipped


def _bands(plan: Plan) -> tuple[Subband, ...]:
    return subbands(plan.padded_height, plan.padded_width, plan.parameters.levels)


def _numbers(plan: Plan) -> npt.NDArray[np.uint8]:
    return subband_map(plan.padded_height, plan.padded_width, plan.parameters.levels)


def dense(x: npt.NDArray[Any], weights: Float, bias: Float | None, act: str) -> Float:
    """The ordinary 1x1 convolution of real x [C, H, W] and weights [Cout, C], then `act`."""
    out: Float = (weights @ x.reshape(len(x), -1)).reshape(-1, *x.shape[1:])
    if bias is not None:
        out = out + bias[:, None, None]
    if act != "none":
        np.clip(out, 0, 6 if act == "relu6" else None, out=out)
    return out


def q_limits(p: WccParameters, bands: tuple[Subband, ...]) -> npt.NDArray[np.int64]:
    """Greatest code of q in each sub-band."""
    return np.array([(1 << (p.kept_bits(band.band) - 1)) - 1 for band in bands], np.int64)


def q_steps(p: WccParameters, bands: tuple[Subband, ...], scales: Scales) -> Float:
    """Real step of q in each sub-band."""
    return np.array([scales.q * 2.0 ** p.level_shift(band.level) for band in bands])


def y_steps(p: WccParameters, bands: tuple[Subband, ...], scales: Scales) -> Float:
    """Real step of y, on the orthonormal grid, [Cout, subbands]: lifting words keep their sub-band's gain."""
    own = [p.gain(band.level, band.band) if p.haar == "lifting" else 0 for band in bands]
    return scales.y[:, None] * np.exp2(-np.array(own, np.float64))
