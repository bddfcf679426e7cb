"""The HEVC core transforms of 8 and 4 points and the quantiser that belongs to them.

The matrices are 64 * sqrt(N) / N times orthonormal up to their rounding to integers. Step of a
quantisation parameter QP: 2^((QP - 4) / 6) in units of the orthonormal coefficient.
Source: ITU-T H.265, 8.6.4.2 and 8.6.3; the forward quantiser's factors are those of its test model.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import Words

Matrix = npt.NDArray[np.int64]

DCT8: Matrix = np.array(
    [
        [64, 64, 64, 64, 64, 64, 64, 64],
        [89, 75, 50, 18, -18, -50, -75, -89],
        [83, 36, -36, -83, -83, -36, 36, 83],
        [75, -18, -89, -50, 50, 89, 18, -75],
        [64, -64, -64, 64, 64, -64, -64, 64],
        [50, -89, 18, 75, -75, -18, 89, -50],
        [36, -83, 83, -36, -36, 83, -83, 36],
        [18, -50, 75, -89, 89, -75, 50, -18],
    ],
    dtype=np.int64,
)
DCT4: Matrix = np.array(
    [[64, 64, 64, 64], [83, 36, -36, -83], [64, -64, -64, 64], [36, -83, 83, -36]], dtype=np.int64
)
QUANTISE_SCALE: Matrix = np.array([26214, 23302, 20560, 18396, 16384, 14564], dtype=np.int64)
LEVEL_SCALE: Matrix = np.array([40, 45, 51, 57, 64, 72], dtype=np.int64)
MAX_QP = 51


@njit(cache=True)
def rounded_shift(value: int, shift: int) -> Any:
    """value / 2^shift, ties towards plus infinity."""
    return (np.int64(value) + (np.int64(1) << (shift - 1))) >> shift


@njit(cache=True)
def quantised(value: int, scale: int, shift: int) -> Any:
    """value * scale / 2^shift, ties away from zero."""
    magnitude = (abs(np.int64(value)) * scale + (np.int64(1) << (shift - 1))) >> shift
    return magnitude if value >= 0 else -magnitude


@njit(cache=True)
def forward_channels(
    x: Words, matrix: Matrix, channels: int, scale: int, shift: int, top: int, out: Words
) -> None:
    """Quantised 1-D transform over groups of channels; zeros fill the last group.

    x: int32[channels * positions], channel first. out: int32[groups * positions * N], scan group,
    position, frequency; coefficients limited to +-top.
    """
    n = matrix.shape[0]
    positions = x.size // channels
    for group in range((channels + n - 1) // n):
        for p in range(positions):
            base = (group * positions + p) * n
            for k in range(n):
                total = np.int64(0)
                for i in range(min(n, channels - group * n)):
                    total += matrix[k, i] * np.int64(x[(group * n + i) * positions + p])
                c = quantised(total, scale, shift)
                out[base + k] = np.int32(min(max(c, -top), top))


@njit(cache=True)
def inverse_channels(
    c: Words,
    matrix: Matrix,
    channels: int,
    scale: int,
    qp_shift: int,
    shift: int,
    low: int,
    high: int,
    out: Words,
) -> None:
    """The inverse of `forward_channels`, limited to low..high: out int32[channels * positions]."""
    n = matrix.shape[0]
    positions = out.size // channels
    for group in range((channels + n - 1) // n):
        for p in range(positions):
            base = (group * positions + p) * n
            for i in range(min(n, channels - group * n)):
                total = np.int64(0)
                for k in range(n):
                    total += matrix[k, i] * ((np.int64(c[base + k]) * scale) << qp_shift)
                value = rounded_shift(total, shift)
                out[(group * n + i) * positions + p] = np.int32(min(max(value, low), high))


@njit(cache=True)
def forward_blocks(x: npt.NDArray[Any], matrix: Matrix, scale: int, shift: int, top: int, out: Words) -> None:
    """Quantised 8x8 transform of one plane [H, W], edges replicated: rows (>> 2), then columns (>> 9).

    out: int32[blocks * 64], blocks in raster order, coefficient 8 * row frequency + column frequency,
    limited to +-top.
    """
    height, width = x.shape
    across = (width + 7) // 8
    rows = np.empty((8, 8), np.int64)
    for by in range((height + 7) // 8):
        for bx in range(across):
            base = (by * across + bx) * 64
            for y in range(8):
                sy = min(by * 8 + y, height - 1)
                for k in range(8):
                    total = np.int64(0)
                    for i in range(8):
                        total += matrix[k, i] * np.int64(x[sy, min(bx * 8 + i, width - 1)])
                    rows[y, k] = rounded_shift(total, 2)
            for v in range(8):
                for k in range(8):
                    total = np.int64(0)
                    for y in range(8):
                        total += matrix[v, y] * rows[y, k]
                    coefficient = quantised(rounded_shift(total, 9), scale, shift)
                    out[base + 8 * v + k] = np.int32(min(max(coefficient, -top), top))


@njit(cache=True)
def inverse_blocks(
    c: Words, matrix: Matrix, scale: int, qp_shift: int, limits: Matrix, out: npt.NDArray[Any]
) -> None:
    """The inverse: dequantise, columns (>> 7), rows (>> 12).

    limits: greatest magnitude + 1 of a coefficient, then the least and the greatest word of `out` [H, W].
    """
    height, width = out.shape
    across = (width + 7) // 8
    edge, low, high = limits[0], limits[1], limits[2]
    t = np.empty((8, 8), np.int64)
    columns = np.empty((8, 8), np.int64)
    for by in range((height + 7) // 8):
        for bx in range(across):
            base = (by * across + bx) * 64
            for v in range(8):
                for k in range(8):
                    scaled = (np.int64(c[base + 8 * v + k]) * 16 * scale) << qp_shift
                    t[v, k] = min(max((scaled + 32) >> 6, -edge), edge - 1)
            for y in range(8):
                for k in range(8):
                    total = np.int64(0)
                    for v in range(8):
                        total += matrix[v, y] * t[v, k]
                    columns[y, k] = min(max(rounded_shift(total, 7), -edge), edge - 1)
            for y in range(min(8, height - by * 8)):
                for i in range(min(8, width - bx * 8)):
                    total = np.int64(0)
                    for k in range(8):
                        total += matrix[k, i] * columns[y, k]
                    out[by * 8 + y, bx * 8 + i] = np.int32(min(max(rounded_shift(total, 12), low), high))
