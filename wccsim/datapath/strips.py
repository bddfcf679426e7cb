"""Strips: the order in which the fast paths keep a map, and the exact selection in that order.

A strip is 2**L rows of the padded map, full width, or G times as many where rows are short: every butterfly
of all L levels lies inside one. Its words are ordered by level and band, LL_L LH_L HL_L HH_L LH_(L-1)
HL_(L-1) HH_(L-1) ... HH_1, each band row by row; nothing is interleaved. The rows of a band are ordered so
that the even rows of LL_l, then the odd ones, lie in one piece, and a level is one long loop (`row_order`). A
band of level l has u_l = G 2**(L-l) * (WP >> l) words; LL_L starts at 0, and LH, HL, HH of level l start at
u_l, 2 u_l, 3 u_l: what lies before u_l is exactly the room of LL_l, split further. Only ties and the bitmap
need the flat index.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

STRIP_WORDS = 4096  # a strip takes more rows as long as it has no more words
BINS_BITS = 7  # mantissa bits of a histogram bin: 128 bins an octave
BINS = 64 << BINS_BITS
ROOM = 8  # places behind the last score of a bin that `collect` may write


@dataclass(frozen=True, slots=True)
class Strips:
    """A padded map of `height` x `width` cut into strips of `groups` times 2**levels rows.

    base, step: the flat (Mallat) index of word i of strip s is base[i] + s * step[i].
    subband: the number of the sub-band of word i (`subbands.py`).
    """

    levels: int
    height: int
    width: int
    groups: int
    base: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    subband: npt.NDArray[np.int64]

    @property
    def count(self) -> int:
        """Number of strips."""
        return self.height // self.rows

    @property
    def rows(self) -> int:
        """Rows of the map in one strip."""
        return self.groups << self.levels

    @property
    def words(self) -> int:
        """Words of one strip."""
        return self.width * self.rows


def row_order(groups: int, levels: int) -> npt.NDArray[np.int64]:
    """The order of the groups * 2**levels rows of a band: those of the band `levels` higher are 0, 1, 2, ...,
    and each level down the even rows of all pairs come first. Of one group: bit-reversed, 0 2 1 3."""
    order = np.arange(groups)
    for _ in range(levels):
        order = np.concatenate([2 * order, 2 * order + 1])
    return order


def groups_of(levels: int, height: int, width: int, threads: int) -> int:
    """Groups of 2**levels rows that a strip should take: the most that divide the map and fit STRIP_WORDS.

    Short loops lose time at their ends and wait for their own results. A thread that gets more rows than it
    would of strips of one group would lose more.
    """
    count = height >> levels
    most = max(1, min(count, STRIP_WORDS // (width << levels)))
    return next(
        groups
        for groups in range(most, 0, -1)
        if count % groups == 0 and groups * _shares(count // groups, threads) <= _shares(count, threads)
    )


def _shares(strips: int, threads: int) -> int:
    """Strips of the thread that takes most of them."""
    return -(-strips // threads)


def strips_of(levels: int, height: int, width: int, groups: int = 1) -> Strips:
    """The strip order of a padded map; `groups` * 2**levels divides its height."""
    words = groups * width << levels
    base, step = np.empty(words, np.int64), np.empty(words, np.int64)
    subband = np.empty(words, np.int64)
    for level in range(levels, 0, -1):
        columns, rows = width >> level, groups << (levels - level)
        size = rows * columns
        raster = (row_order(groups, levels - level)[:, None] * width + np.arange(columns)).reshape(-1)
        for band in range(0 if level == levels else 1, 4):
            below, right = divmod(band, 2)
            start = below * (height >> level) * width + right * columns
            base[band * size : (band + 1) * size] = raster + start
            step[band * size : (band + 1) * size] = rows * width
            subband[band * size : (band + 1) * size] = 3 * (levels - level) + band
    return Strips(levels, height, width, groups, base, step, subband)


@njit(cache=True)
def _bin_of(score, real, bits):
    """Histogram bin of a score: leading-one exponent and BINS_BITS mantissa bits, 0 for 0.

    Read off the float64 of the score, whose rounding is monotone: a greater score never falls into
    a lower bin. `real` and `bits` are one float64 and the same memory as an int64.
    """
    real[0] = score
    return max(np.int64(0), (bits[0] >> (52 - BINS_BITS)) - (1022 << BINS_BITS))


@njit(cache=True)
def _count_strip(scores, strip, bins):
    """Add the scores of one strip to the histogram."""
    real = np.empty(1, np.float64)
    bits = real.view(np.int64)
    for i in range(scores.shape[1]):
        bins[_bin_of(scores[strip, i], real, bits)] += 1


@njit(cache=True)
def _members(scores, chosen, found):
    """Scores of one bin, into `found`."""
    real = np.empty(1, np.float64)
    bits = real.view(np.int64)
    count = 0
    for s in range(scores.shape[0]):
        for i in range(scores.shape[1]):
            if _bin_of(scores[s, i], real, bits) == chosen:
                found[count] = scores[s, i]
                count += 1


@njit(cache=True)
def _boundary(bins, kept):
    """The bin in which the `kept`-th greatest score lies, and how many scores lie above that bin."""
    chosen, above = bins.size - 1, 0
    while above + bins[chosen] < kept:
        above += bins[chosen]
        chosen -= 1
    return chosen, above


@njit(cache=True)
def _tied(scores, low, high, base, step, found):
    """Flat indices of the scores in low..high-1, into `found`; returns how many."""
    count = 0
    for s in range(scores.shape[0]):
        for i in range(scores.shape[1]):
            if low <= scores[s, i] < high:
                found[count] = base[i] + s * step[i]
                count += 1
    return count


@dataclass(frozen=True, slots=True)
class Threshold:
    """Kept: score >= high, or score >= low and flat index <= last."""

    low: int
    high: int
    last: int


@dataclass(frozen=True, slots=True)
class Scans:
    """Passes over all scores, int64 [strips, words].

    collect(scores, bin, found): the scores of a bin, by the rule that filled the histogram. tied(scores, low,
    high, base, step, found): the flat indices of the scores in low..high-1. `found` has ROOM behind them.
    """

    collect: Callable[[npt.NDArray[np.int64], int, npt.NDArray[np.int64]], object]
    tied: Callable[..., object]


PLAIN_SCANS = Scans(_members, _tied)


def select(
    scores: npt.NDArray[np.int64],
    bins: npt.NDArray[np.int64],
    kept: int,
    mantissa_bits: int | None,
    strips: Strips,
    scans: Scans = PLAIN_SCANS,
) -> Threshold:
    """The `kept` greatest scores, int64 [strips, words]; ties to the lowest flat index (section 3).

    bins: their histogram; a greater score is in no lower bin. mantissa_bits None: exact. Otherwise
    `binned:m`: a whole bin of that many mantissa bits is one tie.
    """
    chosen, above = _boundary(bins, kept)
    members = np.empty(int(bins[chosen]) + ROOM, np.int64)
    scans.collect(scores, chosen, members)
    members = members[: int(bins[chosen])]
    members.partition(members.size - (kept - above))
    low = int(members[members.size - (kept - above)])  # the kept-th greatest score
    if mantissa_bits is None:
        high = low + 1  # all ties are in this bin
        certain = above + int(np.count_nonzero(members >= high))
        ties = above + int(np.count_nonzero(members >= low)) - certain
    else:
        low, high = _bin_bounds(low, mantissa_bits)
        certain = int(np.count_nonzero(scores >= high))
        ties = int(np.count_nonzero(scores >= low)) - certain
    if certain + ties == kept:
        return Threshold(low, low, strips.height * strips.width)
    tied = np.empty(ties + ROOM, np.int64)
    scans.tied(scores, low, high, strips.base, strips.step, tied)
    tied = tied[:ties]
    tied.partition(kept - certain - 1)
    return Threshold(low, high, int(tied[kept - certain - 1]))


def _bin_bounds(score: int, mantissa_bits: int) -> tuple[int, int]:
    """(low, high): the scores low..high-1 share `score`'s bin of `binned:m`."""
    if score == 0:
        return 0, 1
    exponent = score.bit_length() - 1
    mantissa = (score << mantissa_bits) >> exponent  # with its leading one
    # The least score whose mantissa, cut to m bits, is at least `mantissa`: a ceiling division.
    edges = [-((-edge << exponent) >> mantissa_bits) for edge in (mantissa, mantissa + 1)]
    return edges[0], edges[1]
