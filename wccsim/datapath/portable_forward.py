"""The forward half of the portable path: the Haar transform of a strip and the joint score.

Plain loops; the compiler vectorises them. Coefficients are int16 (b + 2L <= 16, checked by `fused.why_not`);
where an intermediate of an unsigned map leaves int16 it wraps, and the final value, which fits, is right
because every step is an addition modulo 2**16.

Kernels take whole arrays and offsets: a slice made in a loop costs two atomic reference counts, which two
threads fight over. An index is cast to U: an unsigned one needs no test for negative indices, and
without that test the loop becomes vector code.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

from __future__ import annotations

import numpy as np
from numba import njit

from wccsim.datapath.strips import _count_strip
from wccsim.datapath.workers import claim, prefetch

I16, I32, I64, U = np.int16, np.int32, np.int64, np.uintp
LOW_WORD = I64(0xFFFFFFFF)
LINE = 32  # words of a cache line


@njit(cache=True, nogil=True)
def _pad_channels(counter, x, padded):
    """The channels claimed of x int8 [C, H, W], zeros right and below, into `padded` [C, HP, WP]."""
    height, width = x.shape[1], x.shape[2]
    c = claim(counter)
    while c < x.shape[0]:
        for row in range(height):
            for column in range(width):
                padded[U(c), U(row), U(column)] = x[U(c), U(row), U(column)]
            for column in range(width, padded.shape[2]):
                padded[U(c), U(row), U(column)] = 0
        for row in range(height, padded.shape[1]):
            for column in range(padded.shape[2]):
                padded[U(c), U(row), U(column)] = 0
        c = claim(counter)


@njit(cache=True)
def _forward_first(image, channel, row, flip, lows, words, at, size):
    """One row of level-1 butterflies; a word of the image holds two pixels, the even one low."""
    for i in range(image.shape[2]):
        v = I16(image[U(channel), U(row), U(i)] ^ flip)
        w = I16(image[U(channel), U(row + 1), U(i)] ^ flip)
        a = I16(I16(v << I16(8)) >> I16(8))
        b = I16(v >> I16(8))
        c = I16(I16(w << I16(8)) >> I16(8))
        d = I16(w >> I16(8))
        sum_top, sum_bottom = I16(a + b), I16(c + d)
        difference_top, difference_bottom = I16(a - b), I16(c - d)
        lows[U(at + i)] = I16(sum_top + sum_bottom)
        words[U(size + at + i)] = I16(sum_top - sum_bottom)
        words[U(2 * size + at + i)] = I16(difference_top + difference_bottom)
        words[U(3 * size + at + i)] = I16(difference_top - difference_bottom)


@njit(cache=True)
def _forward_next(lows, start, words, size):
    """Butterflies on the LL band of the level before: its even rows at `start`, the odd ones behind."""
    for i in range(size):
        a, b = lows[U(start + 2 * i)], lows[U(start + 2 * i + 1)]
        c, d = lows[U(start + 2 * size + 2 * i)], lows[U(start + 2 * size + 2 * i + 1)]
        sum_top, sum_bottom = I16(a + b), I16(c + d)
        difference_top, difference_bottom = I16(a - b), I16(c - d)
        lows[U(start + 4 * size + i)] = I16(sum_top + sum_bottom)
        words[U(size + i)] = I16(sum_top - sum_bottom)
        words[U(2 * size + i)] = I16(difference_top + difference_bottom)
        words[U(3 * size + i)] = I16(difference_top - difference_bottom)


@njit(cache=True)
def _prefetch_strip(image, channel, strip, rows):
    """Ask for a channel's strip: it lies far from the one before, where no processor looks ahead."""
    words = 2 * rows.size * image.shape[2]
    start = channel * image.shape[1] * image.shape[2] + strip * words
    for i in range(0, words, LINE):
        prefetch(image, start + i)


@njit(cache=True)
def _forward_strip(image, channel, strip, levels, flip, offset, rows, words, lows):
    """All coefficients of one strip of one channel, in strip order, into `words`.

    rows: the order of the rows of level 1. lows: room for LL_1, LL_2, ..., one after the
    other. An unsigned map is read as x - 128 (`flip` changes the top bit of each byte); what that takes
    from the last LL band, 128 * 4**L, is given back as `offset`.
    """
    if channel + 1 < image.shape[0]:
        _prefetch_strip(image, channel + 1, strip, rows)
    columns = image.shape[2]
    size = rows.size * columns
    for r in range(rows.size):
        row = 2 * (strip * rows.size + rows[r])
        _forward_first(image, channel, row, flip, lows, words, r * columns, size)
    start = 0
    for _ in range(1, levels):
        size >>= 2
        _forward_next(lows, start, words, size)
        start += 4 * size
    for i in range(size):
        words[U(i)] = I16(lows[U(start + i)] + offset)


@njit(cache=True)
def _add_squares(first, second, squares):
    for i in range(first.size):
        value, other = I32(first[i]), I32(second[i])
        squares[i] = I32(squares[i] + I32(I32(value * value) + I32(other * other)))


@njit(cache=True)
def _flush(squares, scores, strip, start, end, shift):
    """Move sums of squares, 32 bits without a sign, to the 64-bit scores, on the grid of the last level."""
    for i in range(start, end):
        scores[U(strip), U(i)] += (I64(squares[U(i)]) & LOW_WORD) << (shift & 63)
        squares[U(i)] = 0


@njit(cache=True)
def _score_strip(image, strip, levels, flip, offset, rows, batch, first, second, lows, squares, scores):
    """Joint l2 score of one strip. Level l keeps batch[l] channels in 32 bits before it flushes."""
    channels, words = image.shape[0], first.size
    for i in range(words):
        scores[U(strip), U(i)] = 0
        squares[i] = 0
    for c in range(0, channels, 2):
        _forward_strip(image, c, strip, levels, flip, offset, rows, first, lows)
        if c + 1 < channels:
            _forward_strip(image, c + 1, strip, levels, flip, offset, rows, second, lows)
        else:
            second[:] = 0
        _add_squares(first, second, squares)
        for level in range(1, levels + 1):
            if (c + 2) % batch[level] == 0 or c + 2 >= channels:
                size = words >> (2 * level)
                start = 0 if level == levels else size
                _flush(squares, scores, strip, start, 4 * size, 2 * (levels - level))


@njit(cache=True, nogil=True)
def _score_strips(counter, image, levels, flip, offset, rows, batch, words, lows, squares, scores, bins):
    """Joint l2 scores of the strips claimed, int64 [strips, words], and their histogram.

    image: int16 words of two pixels, [C, HP, WP/2].
    """
    first, second = words[0], words[1]
    bins[:] = 0
    s = claim(counter)
    while s < scores.shape[0]:
        _score_strip(image, s, levels, flip, offset, rows, batch, first, second, lows, squares, scores)
        _count_strip(scores, s, bins)
        s = claim(counter)
