# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The portable path's strips, stage by stage, as `vector_loops` has them for the vector path.

Claims, `step` and names as there; `places` int32 [strips, slots] and `counts` int64 [strips] are what
`places_of` leaves.
"""

from __future__ import annotations

import numpy as np
from numba import njit

from wccsim.datapath.portable import (
    _crop,
    _expand_strip,
    _gather,
    _gather_strip,
    _inverse_strip,
    _keep_strip,
    _multiply_strip,
    _pack,
    _requantise_sums,
)
from wccsim.datapath.portable_forward import _add_squares, _flush, _forward_strip, _score_strip
from wccsim.datapath.product import PANEL, ROWS, mac_tile
from wccsim.datapath.strips import _count_strip
from wccsim.datapath.workers import claim


@njit(cache=True, nogil=True)
def score(
    counter, claims, strips, step, image, levels, flip, offset, rows, batch, words, lows, squares,
    scores, bins,
):  # fmt: skip
    """Haar, joint score and histogram; scores int64 [strips, words], or [1, words] with step 0."""
    s = claim(counter)
    while s < claims:
        strip = s % strips * step
        _score_strip(
            image, strip, levels, flip, offset, rows, batch, words[0], words[1], lows, squares, scores
        )
        _count_strip(scores, strip, bins)
        s = claim(counter)


@njit(cache=True, nogil=True)
def squares_of_pairs(counter, claims, image, channels, levels, flip, offset, rows, words, lows, squares):
    """Haar and squares of the map's first channel, `channels` times."""
    while claim(counter) < claims:
        for _ in range(0, channels, 2):
            _forward_strip(image, 0, 0, levels, flip, offset, rows, words[0], lows)
            _forward_strip(image, 0, 0, levels, flip, offset, rows, words[1], lows)
            _add_squares(words[0], words[1], squares)


@njit(cache=True, nogil=True)
def flushes(counter, claims, channels, levels, batch, squares, scores):
    """The sums of squares to 64-bit scores [1, words], as often as a score over `channels` does it."""
    while claim(counter) < claims:
        for i in range(squares.size):
            scores[0, i] = 0
            squares[i] = 0
        for c in range(0, channels, 2):
            for level in range(1, levels + 1):
                if (c + 2) % batch[level] == 0 or c + 2 >= channels:
                    size = squares.size >> (2 * level)
                    start = 0 if level == levels else size
                    _flush(squares, scores, 0, start, 4 * size, 2 * (levels - level))


@njit(cache=True, nogil=True)
def histogram(counter, claims, strips, scores, bins):
    """The histogram of int64 scores [strips, words]."""
    s = claim(counter)
    while s < claims:
        _count_strip(scores, s % strips, bins)
        s = claim(counter)


@njit(cache=True, nogil=True)
def marks(counter, claims, strips, step, scores, base, strides, threshold, energy, kept, places):
    """Scores and flags in flat order, and the kept positions of a strip."""
    s = claim(counter)
    while s < claims:
        _keep_strip(scores, s % strips * step, base, strides, threshold, energy, kept, places)
        s = claim(counter)


@njit(cache=True)
def places_of(scores, base, strides, threshold, energy, kept, places, counts):
    """Kept positions of every strip and how many, with harmless ones to a whole panel."""
    for s in range(counts.size):
        counts[s] = _keep_strip(scores, s, base, strides, threshold, energy, kept, places[s])
        full = (counts[s] + PANEL - 1) // PANEL * PANEL
        for j in range(counts[s], full):
            places[s, j] = 0


@njit(cache=True, nogil=True)
def gather(
    counter, claims, step, image, levels, flip, offset, rows, places, counts, r1, table, shifts, words, lows,
    pair, panels,
):  # fmt: skip
    """Haar, gather and R1. table: R1's shift of all positions of a strip, gathered first."""
    s = claim(counter)
    while s < claims:
        which = s % counts.size
        own, full = places[which], (counts[which] + PANEL - 1) // PANEL * PANEL
        for j in range(full):
            shifts[j] = table[own[j]]
        _gather_strip(
            image, which * step, levels, flip, offset, rows, own, full, shifts, r1[0], r1[1], words[0], lows,
            pair, panels,
        )  # fmt: skip
        s = claim(counter)


@njit(cache=True, nogil=True)
def transforms(counter, claims, image, channels, levels, flip, offset, rows, words, lows):
    """The Haar transform of the map's first channel, `channels` times."""
    while claim(counter) < claims:
        for _ in range(channels):
            _forward_strip(image, 0, 0, levels, flip, offset, rows, words[0], lows)


@njit(cache=True, nogil=True)
def gathered(counter, claims, channels, places, counts, words, pair):
    """The gather of a strip's kept words, for `channels`, always to the same place."""
    s = claim(counter)
    while s < claims:
        which = s % counts.size
        for _ in range(channels):
            _gather(words[0], places[which], counts[which], pair, 0)
        s = claim(counter)


@njit(cache=True, nogil=True)
def requantised(counter, claims, channels, counts, pair, slots, shifts, r1, panels):
    """R1 of a strip's kept words, two channels at a time, always to the same panels."""
    s = claim(counter)
    while s < claims:
        full = (counts[s % counts.size] + PANEL - 1) // PANEL * PANEL
        for _ in range(0, channels, 2):
            _pack(pair, slots, full, shifts, r1[0], r1[1], panels, 0, PANEL)
        s = claim(counter)


@njit(cache=True, nogil=True)
def products(counter, claims, counts, panels, pairs, weights, relief, r2, limit, sums, y, slots):
    """MAC array and R2 of all outputs."""
    s = claim(counter)
    while s < claims:
        full = (counts[s % counts.size] + PANEL - 1) // PANEL * PANEL
        _multiply_strip(panels, pairs, full, weights, relief, r2, limit, sums, y, slots)
        s = claim(counter)


@njit(cache=True, nogil=True)
def sums_of_tiles(counter, claims, counts, outs, panels, pairs, weights, sums):
    """The MAC array alone, always on the first tile and panel."""
    s = claim(counter)
    while s < claims:
        for _ in range(0, counts[s % counts.size], PANEL):
            for _ in range(0, outs, ROWS):
                mac_tile(panels, 0, weights, 0, sums, pairs)
        s = claim(counter)


@njit(cache=True, nogil=True)
def words_of_sums(counter, claims, counts, relief, r2, limit, sums, y):
    """R2 alone, always of the first tile."""
    s = claim(counter)
    while s < claims:
        for _ in range(0, counts[s % counts.size], PANEL):
            for o in range(r2.shape[0]):
                _requantise_sums(sums, o % ROWS, relief, 0, r2[o, 0], r2[o, 1], limit, y, 0)
        s = claim(counter)


@njit(cache=True, nogil=True)
def pixels(
    counter, claims, step, y, slots, places, counts, words, levels, bias, r3, low, high, lows, halves,
    rows, width, out,
):  # fmt: skip
    """Zero-fill, inverse and R3 of all outputs."""
    pairs, as_bytes = lows.view(np.int64), halves.view(np.int8)
    s = claim(counter)
    while s < claims:
        which = s % counts.size
        for o in range(r3.shape[0]):
            _expand_strip(y, o * slots, places[which], counts[which], words[0])
            _inverse_strip(words[0], levels, bias[o], r3[o, 0], r3[o, 1], low, high, lows, pairs, halves)
            _crop(as_bytes, which * step, rows, width, out, o)
        s = claim(counter)


@njit(cache=True, nogil=True)
def expanded(counter, claims, y, slots, places, counts, outs, words):
    """Zero-fill for all outputs."""
    s = claim(counter)
    while s < claims:
        which = s % counts.size
        for o in range(outs):
            _expand_strip(y, o * slots, places[which], counts[which], words[0])
        s = claim(counter)


@njit(cache=True, nogil=True)
def inverted(counter, claims, words, levels, bias, r3, low, high, lows, halves):
    """Inverse and R3 of one strip of all outputs, to the same pixels."""
    pairs = lows.view(np.int64)
    while claim(counter) < claims:
        for o in range(r3.shape[0]):
            _inverse_strip(words[0], levels, bias[o], r3[o, 0], r3[o, 1], low, high, lows, pairs, halves)


@njit(cache=True, nogil=True)
def cropped(counter, claims, outs, halves, rows, width, out):
    """The pixels of a strip to the rows of the map, always those of the first output."""
    as_bytes = halves.view(np.int8)
    while claim(counter) < claims:
        for _ in range(outs):
            _crop(as_bytes, 0, rows, width, out, 0)
