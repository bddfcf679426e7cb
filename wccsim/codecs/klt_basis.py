"""The Karhunen-Loeve basis of a map, and the products with it.

Vectors are C channels of `block` x `block` pixels (channel, row, column), edges replicated. The basis
comes from the float64 eigenvectors of an exactly accumulated covariance, each axis signed so that its
greatest entry is positive, then rounded to 1/128. It is data, sent or stored: no decoder computes it.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.codecs.eigen import principal_axes

Matrix = npt.NDArray[np.int8]
Float = npt.NDArray[np.float64]

BASIS_SHIFT = 7
TILE = 1024


def vectors_of(x: npt.NDArray[Any], block: int) -> npt.NDArray[np.int32]:
    """int32[C block^2, positions] of a map [C, H, W]."""
    channels, height, width = x.shape
    down, right = -height % block, -width % block
    if down or right:
        x = np.pad(x, ((0, 0), (0, down), (0, right)), mode="edge")
    rows, columns = x.shape[1] // block, x.shape[2] // block
    parts = x.reshape(channels, rows, block, columns, block).transpose(0, 2, 4, 1, 3)
    return parts.reshape(channels * block * block, rows * columns).astype(np.int32)


def map_of(vectors: npt.NDArray[Any], shape: tuple[int, int, int], block: int) -> npt.NDArray[Any]:
    """The inverse of `vectors_of`, cropped to `shape`."""
    channels, height, width = shape
    rows, columns = -(-height // block), -(-width // block)
    parts = vectors.reshape(channels, block, block, rows, columns).transpose(0, 3, 1, 4, 2)
    return parts.reshape(channels, rows * block, columns * block)[:, :height, :width]


def karhunen_loeve(vectors: npt.NDArray[Any]) -> Float:
    """Orthonormal axes, one a row, greatest variance first, of mean-free vectors [D, n]."""
    wide = np.asarray(vectors, np.float64)
    # Sums of whole numbers below 2^53 are exact in any order (words of 16 bits: to 2^19 positions).
    return principal_axes(wide @ wide.T / wide.shape[1])


def integer_basis(axes: Float) -> Matrix:
    """Axes in 1/128, limited to int8."""
    return np.clip(np.rint(axes * (1 << BASIS_SHIFT)), -128, 127).astype(np.int8)


@njit(cache=True)
def _project(
    basis: Matrix, vectors: npt.NDArray[np.int32], mean: npt.NDArray[np.int32], sums: Any, out: Any
) -> None:
    """out[k, j] = (sum over c of basis[k, c] (vectors[c, j] - mean[c]) + 64) >> 7, tile by tile."""
    size = vectors.shape[1]
    for start in range(0, size, sums.size):
        stop = min(start + sums.size, size)
        for k in range(basis.shape[0]):
            sums[:] = 64
            for c in range(basis.shape[1]):
                u = sums.dtype.type(basis[k, c])
                m = sums.dtype.type(mean[c])
                if u:
                    for j in range(stop - start):
                        sums[j] += u * (vectors[c, start + j] - m)
            for j in range(stop - start):
                out[k, start + j] = sums[j] >> 7


@njit(cache=True)
def _expand(
    basis: Matrix,
    codes: npt.NDArray[np.int32],
    step: int,
    shift: int,
    mean: Any,
    limits: Any,
    sums: Any,
    out: Any,
) -> None:
    """out[c, j] = mean[c] + (step * sum over k of basis[k, c] codes[k, j] + half) >> shift, limited."""
    half = np.int64(1) << (shift - 1)
    size = codes.shape[1]
    for start in range(0, size, sums.size):
        stop = min(start + sums.size, size)
        for c in range(basis.shape[1]):
            sums[:] = 0
            for k in range(basis.shape[0]):
                u = sums.dtype.type(basis[k, c])
                if u:
                    for j in range(stop - start):
                        sums[j] += u * codes[k, start + j]
            for j in range(stop - start):
                value = mean[c] + ((np.int64(sums[j]) * step + half) >> shift)
                out[c, start + j] = min(max(value, limits[0]), limits[1])


def project(
    basis: Matrix, vectors: npt.NDArray[np.int32], mean: npt.NDArray[np.int32]
) -> npt.NDArray[np.int32]:
    """Components int32[K, n]. A sum is below 128 * 2^17 * K: 32 bits hold it for bytes, else 64 are used."""
    narrow = int(np.abs(vectors).max(initial=0)) < 512 and basis.shape[1] <= 1 << 14
    out = np.empty((basis.shape[0], vectors.shape[1]), np.int32)
    _project(basis, vectors, mean, np.empty(TILE, np.int32 if narrow else np.int64), out)
    return out


def expand(
    basis: Matrix,
    codes: npt.NDArray[np.int32],
    step: int,
    fraction: int,
    mean: npt.NDArray[np.int32],
    low: int,
    high: int,
) -> npt.NDArray[np.int32]:
    """Words int32[D, n] of components codes * step / 2^fraction.

    Sums of 128 |code|, |code| < 2^15: 32 bits hold 512 of them, 64 bits are used beyond.
    """
    narrow = basis.shape[0] <= 512
    out = np.empty((basis.shape[1], codes.shape[1]), np.int32)
    limits = np.array([low, high], np.int64)
    sums = np.empty(TILE, np.int32 if narrow else np.int64)
    _expand(basis, codes, step, BASIS_SHIFT + fraction, mean.astype(np.int64), limits, sums, out)
    return out
