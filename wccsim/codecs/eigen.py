"""Eigenvectors of a covariance, the same bits on every machine up to 512 dimensions.

Cyclic Jacobi rotations use nothing but additions, multiplications, divisions and square roots in a fixed
order, which IEEE 754 defines to the last bit; LAPACK, used beyond, does not promise that.
Source: Golub and Van Loan, Matrix Computations, section 8.5.
"""

from __future__ import annotations

from functools import lru_cache
from math import sqrt

import numpy as np
import numpy.typing as npt
from numba import njit

Float = npt.NDArray[np.float64]

MOST_BY_JACOBI = 512
SWEEPS = 40
NEGLIGIBLE = 1e-28  # of the squared norm: off-diagonal entries around the rounding of the diagonal


@njit(cache=True)
def _rotate(a: Float, axes: Float, p: int, q: int) -> None:
    """Make a[p, q] zero; `axes` holds the eigenvectors so far, one a row."""
    theta = (a[q, q] - a[p, p]) / (2.0 * a[p, q])
    t = 1.0 / (abs(theta) + sqrt(theta * theta + 1.0))
    if theta < 0.0:
        t = -t
    c = 1.0 / sqrt(t * t + 1.0)
    s = t * c
    for k in range(a.shape[0]):
        left, right = a[k, p], a[k, q]
        a[k, p], a[k, q] = c * left - s * right, s * left + c * right
    for k in range(a.shape[0]):
        left, right = a[p, k], a[q, k]
        a[p, k], a[q, k] = c * left - s * right, s * left + c * right
    for k in range(a.shape[0]):
        left, right = axes[p, k], axes[q, k]
        axes[p, k], axes[q, k] = c * left - s * right, s * left + c * right


@njit(cache=True)
def _jacobi(a: Float, axes: Float) -> None:
    """Diagonalise `a` in place by cyclic sweeps."""
    size = a.shape[0]
    norm = 0.0
    for p in range(size):
        for q in range(size):
            norm += a[p, q] * a[p, q]
    for _ in range(SWEEPS):
        outside = 0.0
        for p in range(size):
            for q in range(p + 1, size):
                outside += a[p, q] * a[p, q]
        if outside <= NEGLIGIBLE * norm:
            return
        for p in range(size):
            for q in range(p + 1, size):
                if a[p, q] * a[p, q] > NEGLIGIBLE * NEGLIGIBLE * norm:
                    _rotate(a, axes, p, q)


def principal_axes(covariance: Float) -> Float:
    """Orthonormal eigenvectors of a symmetric matrix, one a row, greatest eigenvalue first.

    Each is signed so that its entry of greatest magnitude (the first of several) is positive. Read-only: the
    last few are kept, since a map is coded at many rates.
    """
    wide = np.ascontiguousarray(covariance, np.float64)
    return _principal_axes(wide.tobytes(), len(wide))


@lru_cache(maxsize=4)
def _principal_axes(matrix: bytes, size: int) -> Float:
    covariance = np.frombuffer(matrix, np.float64).reshape(size, size)
    if size <= MOST_BY_JACOBI:
        diagonal, axes = covariance.copy(), np.eye(size)
        _jacobi(diagonal, axes)
        axes = axes[np.argsort(-np.diag(diagonal), kind="stable")]
    else:
        axes = np.linalg.eigh(covariance)[1].T[::-1]
    leading = axes[np.arange(len(axes)), np.argmax(np.abs(axes), axis=1)]
    found = np.ascontiguousarray(axes * np.sign(leading)[:, None])
    found.setflags(write=False)
    return found
