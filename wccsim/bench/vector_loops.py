# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The vector path's strips, stage by stage: a loop is one stage, or a part of one, over the strips claimed.

Claims run from 0 to `claims`; claim s is strip s modulo their number. With `step` 0 the map (or the output)
is one strip only, taken again and again, so that it stays in the second-level cache, and `layout` is that
strip's. The other arguments are named as in `wccsim.datapath.vector`; halves, quarters and counts hold every
strip's own, as `parts_of` leaves them.
"""

from __future__ import annotations

from numba import njit

from wccsim.datapath.portable_forward import I64
from wccsim.datapath.vector import _mark, _multiply
from wccsim.datapath.vector_forward import _forward_strip
from wccsim.datapath.vector_gather import (
    GROUP,
    _compress_strip,
    _gather_strip,
    _write_marks,
    requantise_four,
)
from wccsim.datapath.vector_inverse import _expand_strip, _inverse_strip, _invert_channels
from wccsim.datapath.vector_matrix import _multiply_matrix, configure, release
from wccsim.datapath.vector_product import _multiply_tile
from wccsim.datapath.vector_score import _add_pair, _flush, _score_strip
from wccsim.datapath.vector_select import _collect, _count_strip
from wccsim.datapath.workers import claim


@njit(cache=True, nogil=True)
def score(
    counter, claims, strips, step, image, layout, numbers, batch, lows, squares, binned, scores, bins
):  # fmt: skip
    """Haar, joint score and histogram; scores int64 [strips, words], or [1, words] with step 0."""
    flat, words = scores.reshape(-1), scores.shape[1]
    s = claim(counter)
    while s < claims:
        strip = s % strips * step
        _score_strip(image, strip, numbers, layout.rows, layout.tops, batch, lows, squares, flat)
        _count_strip(flat, strip * words, words, binned, bins)
        s = claim(counter)


@njit(cache=True, nogil=True)
def squares_of_pairs(counter, claims, image, layout, numbers, lows, squares):
    """Haar and squares of the first two channels of a map of one strip, as often as it has pairs."""
    rows, tops = layout.rows, layout.tops
    while claim(counter) < claims:
        for c in range(0, numbers.channels, 2):
            both = I64(c + 1 < numbers.channels)
            _add_pair(image, 0, both, 0, numbers, rows, tops, lows, squares)


@njit(cache=True, nogil=True)
def flushes(counter, claims, layout, numbers, batch, squares, scores):
    """The sums of squares to 64-bit scores, as often as a score does it."""
    rows, columns, levels = layout.rows.size, numbers.columns, numbers.levels
    while claim(counter) < claims:
        for i in range(4 * rows * columns):
            scores[i] = 0
        squares[:] = 0
        for c in range(0, numbers.channels, 2):
            for level in range(1, levels + 1):
                if (c + 2) % batch[level] == 0 or c + 2 >= numbers.channels:
                    _flush(squares, scores, 0, levels, level, rows, columns)


@njit(cache=True, nogil=True)
def histogram(counter, claims, strips, scores, binned, bins):
    """The histogram of int64 scores [strips, words]."""
    flat, words = scores.reshape(-1), scores.shape[1]
    s = claim(counter)
    while s < claims:
        _count_strip(flat, s % strips * words, words, binned, bins)
        s = claim(counter)


@njit(cache=True, nogil=True)
def collect(counter, claims, scores, chosen, found):
    """The scores of a bin among int64 scores [1, words]."""
    while claim(counter) < claims:
        _collect(scores, chosen, found)


@njit(cache=True, nogil=True)
def marks(counter, claims, strips, step, scores, layout, numbers, threshold, own, energy, kept):
    """Masks, lists, the tables' kept entries, and scores and flags in flat order."""
    s = claim(counter)
    while s < claims:
        _mark(s % strips * step, scores, layout, numbers, threshold, own, (energy, kept))
        s = claim(counter)


@njit(cache=True, nogil=True)
def flat_order(counter, claims, scores, layout, numbers, own, energy, kept):
    """Scores and flags in flat order, always of the first strip."""
    words = 4 * layout.rows.size * numbers.columns
    while claim(counter) < claims:
        _write_marks(scores, 0, words, layout.pieces, own.masks, own.flags, energy, kept)


@njit(cache=True)
def parts_of(scores, layout, numbers, threshold, own, energy, kept, halves, quarters, counts):
    """Of every strip its marks and lists; counts int64 [strips, 3]: kept words, lengths of both lists."""
    for s in range(counts.shape[0]):
        counts[s, 0], counts[s, 1], counts[s, 2] = _mark(
            s, scores, layout, numbers, threshold, own, (energy, kept)
        )
        halves[s] = own.halves
        quarters[s] = own.quarters


@njit(cache=True, nogil=True)
def gather(counter, claims, step, image, layout, numbers, halves, counts, own):
    """Haar, gather and R1."""
    s = claim(counter)
    while s < claims:
        which = s % counts.shape[0]
        own.halves[:] = halves[which]
        full = (counts[which, 0] + GROUP - 1) // GROUP * GROUP
        _gather_strip(image, which * step, layout, numbers, counts[which, 1], full, own)
        s = claim(counter)


@njit(cache=True, nogil=True)
def transforms(counter, claims, image, layout, numbers, own):
    """The Haar transform of the first channel of a map of one strip, as often as it has channels."""
    rows, tops, words, lows = layout.rows, layout.tops, own.words, own.lows
    while claim(counter) < claims:
        for _ in range(numbers.channels):
            _forward_strip(image, 0, 0, numbers, rows, tops, words, lows)


@njit(cache=True, nogil=True)
def gathered(counter, claims, numbers, halves, counts, own):
    """The gather of a strip's kept words, for all channels, always to the same place."""
    s = claim(counter)
    while s < claims:
        which = s % counts.shape[0]
        for _ in range(numbers.channels):
            _compress_strip(own.words, halves[which], counts[which, 1], own.four, 0)
        s = claim(counter)


@njit(cache=True, nogil=True)
def requantised(counter, claims, numbers, counts, own):
    """R1 of a strip's kept words, four channels at a time, always to the same panels."""
    slots = own.four.size // 4
    s = claim(counter)
    while s < claims:
        count = counts[s % counts.shape[0], 0]
        for _ in range(0, numbers.channels, 4):
            for j in range(0, count, GROUP):
                requantise_four(
                    own.four, slots, j, own.shifts, numbers.multiplier, numbers.q_limit, numbers.signs,
                    own.panels, j,
                )  # fmt: skip
        s = claim(counter)


@njit(cache=True, nogil=True)
def products(counter, claims, tile_shapes, counts, weights, scalers, numbers, own):
    """MAC array and R2 of all outputs."""
    if numbers.matrix:
        configure(tile_shapes)
    s = claim(counter)
    while s < claims:
        full = (counts[s % counts.shape[0], 0] + GROUP - 1) // GROUP * GROUP
        for row in range(0, scalers.bias.size, numbers.tile_rows):
            _multiply(row, full, weights, scalers, numbers, own)
        s = claim(counter)
    if numbers.matrix:
        release()


@njit(cache=True, nogil=True)
def first_tile(counter, claims, tile_shapes, times, fours, weights, r2, numbers, own):
    """The first tile, `times` a claim, a claim for each group of the map; fours 0: R2 without products."""
    panels, ups, reliefs, sums, y, slots = (
        own.panels,
        own.ups,
        own.reliefs,
        own.sums,
        own.y,
        own.four.size // 4,
    )
    raised, limit = numbers.sum_raise, numbers.y_limit
    if numbers.matrix:
        configure(tile_shapes)
    while claim(counter) < claims:
        if numbers.matrix:
            for _ in range(times):
                _multiply_matrix(
                    panels, fours, GROUP, weights, r2, 0, raised, limit, ups, reliefs, sums, y, slots
                )
        else:
            for _ in range(times):
                _multiply_tile(panels, fours, GROUP, weights, r2, 0, raised, limit, ups, reliefs, y, slots)
    if numbers.matrix:
        release()


@njit(cache=True, nogil=True)
def pixels(counter, claims, step, quarters, counts, scalers, layout, numbers, own, out):
    """Zero-fill, inverse and R3 of all outputs."""
    slots, rows, tops, y, bias = own.four.size // 4, layout.rows, layout.tops, own.y, scalers.bias
    even, odd = (own.wide, own.low_bands), (own.next_wide, own.next_low_bands)
    s = claim(counter)
    while s < claims:
        which = s % counts.shape[0]
        parts, count, strip = quarters[which], counts[which, 2], which * step
        own.wide[:] = 0
        own.next_wide[:] = 0
        for row in range(0, bias.size, numbers.tile_rows):
            channels = row, min(row + numbers.tile_rows, bias.size)
            _invert_channels(
                y, slots, parts, count, channels, bias, scalers.r3, strip, numbers, rows, tops, even, odd, out
            )
        s = claim(counter)


@njit(cache=True, nogil=True)
def expanded(counter, claims, quarters, counts, scalers, numbers, own):
    """Zero-fill for all outputs."""
    slots = own.four.size // 4
    s = claim(counter)
    while s < claims:
        which = s % counts.shape[0]
        for o in range(scalers.bias.size):
            at = o % numbers.tile_rows * slots
            _expand_strip(own.y, at, quarters[which], counts[which, 2], own.wide)
        s = claim(counter)


@njit(cache=True, nogil=True)
def inverted(counter, claims, scalers, layout, numbers, own, out):
    """Inverse and R3 of all outputs, always to the first one of a map of one strip."""
    rows, tops, wide, low_bands = layout.rows, layout.tops, own.wide, own.low_bands
    bias, table = scalers.bias, scalers.r3
    while claim(counter) < claims:
        for o in range(bias.size):
            _inverse_strip(wide, bias[o], table, 0, 0, numbers, rows, tops, low_bands, out)
