"""The step of WCC's quantiser: its 16-bit multiplier and shift, found by least squared error.

Coefficients are compared on the grid 2^-L of the joint score: e = coefficient << (L - level), an
integer that is 2^L times the orthonormal coefficient. A step T in these units is 2^s / M, M normalised
to 16 bits, so that R1 (docs/datapath.md, section 5) is q = (e M + 2^(s-1)) >> s. The search runs over 64
steps an octave that do not depend on the data; per-level shifts reuse the errors of the coarser octaves.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Ints = npt.NDArray[np.int64]
Groups = npt.NDArray[np.uint8]
Errors = npt.NDArray[np.float64]

PER_OCTAVE = 64
MULTIPLIERS: Ints = np.array([round(65536 * 2 ** (-(p + 1) / PER_OCTAVE)) for p in range(PER_OCTAVE)])
FIRST_SHIFT = 15  # step 0 is just above half a unit of e
HISTOGRAM_BITS = 15
MAX_EXTRA_SHIFT = 7
OCTAVES_BELOW_CLIP = 5  # the search starts 2^5 below the step that just reaches the greatest value


@dataclass(frozen=True, slots=True)
class QuantiserStep:
    """T = 2^shift / multiplier in units of e, times 2^extra[level - 1] at each level."""

    multiplier: int
    shift: int
    extra: tuple[int, ...]


@njit(cache=True)
def _histograms(
    coefficients: npt.NDArray[np.int32], places: Ints, group: Groups, shift: Ints, coarse: int, out: Ints
) -> None:
    """out[g, |e| >> coarse] counts the coefficients int32[C, N] of group g at `places`."""
    for c in range(coefficients.shape[0]):
        for i in range(places.size):
            g = group[places[i]]
            out[g, abs(np.int64(coefficients[c, places[i]])) << shift[g] >> coarse] += 1


@njit(cache=True)
def _greatest(
    coefficients: npt.NDArray[np.int32], places: Ints, group: Groups, shift: Ints, out: Ints
) -> None:
    """out[g]: the greatest |e| of each group."""
    for c in range(coefficients.shape[0]):
        for i in range(places.size):
            g = group[places[i]]
            out[g] = max(out[g], abs(np.int64(coefficients[c, places[i]])) << shift[g])


@njit(cache=True)
def _first_bin(least: int, coarse: int) -> Any:
    """The first bin whose middle value is at least `least`."""
    return (least - ((1 << coarse) >> 1) + (1 << coarse) - 1) >> coarse


@njit(cache=True)
def _squared_errors(
    histogram: Ints, coarse: int, limit: int, first: int, multipliers: Ints, out: Errors
) -> None:
    """out[j]: squared error of one group at step first + j; sequential sums, the same on every machine.

    A code q stands for one interval of values, so sums of counts and of values up to each bin suffice:
    sum (e - q T)^2 = sum e^2 + sum over q of q T (q T n_q - 2 s_q).
    """
    bins = histogram.size
    counts, values, energy = np.zeros(bins + 1, np.int64), np.zeros(bins + 1, np.int64), 0.0
    for b in range(bins):
        e = (b << coarse) + ((1 << coarse) >> 1)
        counts[b + 1] = counts[b] + histogram[b]
        values[b + 1] = values[b] + histogram[b] * e
        energy += float(histogram[b]) * e * e
    for j in range(out.size):
        multiplier = multipliers[(first + j) % multipliers.size]
        shift = FIRST_SHIFT + (first + j) // multipliers.size
        whole, rest = (1 << shift) // multiplier, (1 << shift) % multiplier
        # The least e with code q is ceil((q 2^s - 2^(s-1)) / M): from q to q + 1 by 2^s / M.
        least, carry = (1 << (shift - 1)) // multiplier, (1 << (shift - 1)) % multiplier
        width, total = 2.0**shift / multiplier, energy
        start = _first_bin(least + (carry > 0), coarse)
        for q in range(1, limit + 1):
            if start >= bins:
                break
            least, carry = least + whole, carry + rest
            if carry >= multiplier:
                least, carry = least + 1, carry - multiplier
            stop = _first_bin(least + (carry > 0), coarse) if q < limit else bins
            stop = min(stop, bins)
            level = q * width
            count, value = counts[stop] - counts[start], values[stop] - values[start]
            total += level * (level * count - 2.0 * value)
            start = stop
        out[j] = total


def find_step(
    coefficients: npt.NDArray[np.int32],
    places: Ints,
    group: Groups,
    limits: list[tuple[int, int]],
    levels: int,
    per_level: bool,
    most_shift: int,
) -> QuantiserStep:
    """The step (and per-level shifts) of least squared error over the kept coefficients.

    coefficients: int32 [C, N]; places: kept flat indices [k]; group: uint8 [N]. limits: (level, greatest
    code) of each group. most_shift bounds the step's shift. Smallest step on ties.
    """
    shift = np.array([levels - level for level, _ in limits], dtype=np.int64)
    peaks = np.zeros(len(limits), np.int64)
    _greatest(coefficients, places, group, shift, peaks)
    greatest = [int(peak) for peak in peaks]
    if not any(greatest):
        return QuantiserStep(int(MULTIPLIERS[-1]), FIRST_SHIFT, (0,) * levels)
    coarse = max(0, max(greatest).bit_length() - HISTOGRAM_BITS)
    histograms = np.zeros((len(limits), (max(greatest) >> coarse) + 1), np.int64)
    _histograms(coefficients, places, group, shift, coarse, histograms)
    used = [(g, limit) for g, (_, limit) in zip(greatest, limits, strict=True) if g]
    lowest = min(g // limit for g, limit in used).bit_length() - 1 - OCTAVES_BELOW_CLIP
    first = PER_OCTAVE * max(0, lowest)
    last = PER_OCTAVE * min(max(greatest).bit_length() + 1, most_shift - FIRST_SHIFT)
    last = max(last, first + PER_OCTAVE)
    extra_steps = PER_OCTAVE * MAX_EXTRA_SHIFT if per_level else 0
    errors = np.zeros((levels, last - first + extra_steps), np.float64)
    for histogram, (level, limit) in zip(histograms, limits, strict=True):
        one = np.empty(errors.shape[1], np.float64)
        _squared_errors(histogram, coarse, limit, first, MULTIPLIERS, one)
        errors[level - 1] += one
    return _best(errors, last - first, first, per_level)


def _best(errors: Errors, count: int, first: int, per_level: bool) -> QuantiserStep:
    """The base step of least total, each level at its best power of two of it."""
    options = np.stack(
        [
            errors[:, PER_OCTAVE * extra : PER_OCTAVE * extra + count]
            for extra in range(MAX_EXTRA_SHIFT + 1 if per_level else 1)
        ]
    )
    total = options.min(axis=0)
    summed = total[0].copy()
    for level in range(1, len(total)):
        summed += total[level]
    base = int(np.argmin(summed))
    extra = tuple(int(n) for n in np.argmin(options[:, :, base], axis=0))
    step = first + base
    return QuantiserStep(int(MULTIPLIERS[step % PER_OCTAVE]), FIRST_SHIFT + step // PER_OCTAVE, extra)
