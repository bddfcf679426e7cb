"""Clips and widths of MWQ-style sub-bands: least squared error, and bits dealt greedily."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import numpy.typing as npt
from numba import njit

CANDIDATES = 32
HISTOGRAM_BITS = 14


@njit(cache=True)
def _magnitudes(coefficients: npt.NDArray[np.int32], coarse: int, out: npt.NDArray[np.int64]) -> None:
    for i in range(coefficients.size):
        out[abs(np.int64(coefficients[i])) >> coarse] += 1


@njit(cache=True)
def _squared_errors(
    histogram: npt.NDArray[np.int64],
    coarse: int,
    clips: npt.NDArray[np.int64],
    limit: int,
    out: npt.NDArray[np.float64],
) -> None:
    """out[i]: squared error at clips[i]; sequential sums, the same on every machine."""
    for i in range(clips.size):
        alpha, total = clips[i], 0.0
        for b in range(histogram.size):
            if histogram[b]:
                c = (b << coarse) + ((1 << coarse) >> 1)
                q = min(limit, (2 * c * limit + alpha) // (2 * alpha))
                error = c - (2 * q * alpha + limit) // (2 * limit)
                total += histogram[b] * (float(error) * float(error))
        out[i] = total


def candidate_errors(coefficients: npt.NDArray[np.int32], widths: list[int]) -> dict[int, tuple[int, float]]:
    """For each width: (clip of least squared error among greatest * i / 32, that error)."""
    flat = np.ascontiguousarray(coefficients).ravel()
    greatest = max(1, int(np.abs(flat).max()))
    coarse = max(0, greatest.bit_length() - HISTOGRAM_BITS)
    histogram = np.zeros((greatest >> coarse) + 1, np.int64)
    _magnitudes(flat, coarse, histogram)
    return _candidate_errors(histogram.tobytes(), coarse, greatest, tuple(widths))


@lru_cache(maxsize=64)
def _candidate_errors(
    counts: bytes, coarse: int, greatest: int, widths: tuple[int, ...]
) -> dict[int, tuple[int, float]]:
    """`candidate_errors` of a histogram; the last are kept, since a map is coded at many rates."""
    histogram = np.frombuffer(counts, np.int64)
    tried = sorted({max(1, -(-greatest * i // CANDIDATES)) for i in range(1, CANDIDATES + 1)})
    clips, errors = np.array(tried, dtype=np.int64), np.empty(len(tried), np.float64)
    found = {}
    for width in widths:
        _squared_errors(histogram, coarse, clips, (1 << (width - 1)) - 1, errors)
        best = int(np.argmin(errors))  # the smallest clip of several
        found[width] = tried[best], float(errors[best])
    return found


def allocate(sizes: list[int], zero: list[float], errors: list[dict[int, float]], budget: int) -> list[int]:
    """Widths of least total error, dealt greedily within `budget` bits.

    zero: error of leaving a sub-band out. The next step (0 to 2 bits, then one by one) is the one that
    takes most error off per bit; the first of equals. Widths stop at the greatest one tried.
    """
    widths = [0] * len(sizes)
    now = list(zero)
    while True:
        steps = []
        for s, width in enumerate(widths):
            wider = max(2, width + 1)
            cost = (wider - width) * sizes[s]
            if wider in errors[s] and cost <= budget and errors[s][wider] < now[s]:
                steps.append(((now[s] - errors[s][wider]) / cost, -s, wider, cost))
        if not steps:
            return widths
        _, minus, wider, cost = max(steps)
        widths[-minus], now[-minus] = wider, errors[-minus][wider]
        budget -= cost
