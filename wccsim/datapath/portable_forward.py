"""The forward half of the portable path: the Haar transform of a strip and the joint score.

Plain loops; the compiler vectorises them. Coefficients are int16 (b + 2L <= 16, checked by `fused.why_not`);
where an intermediate of an unsigned map leaves int16 it wraps, and the final value, which fits, is right
because every step is an addition modulo 2**16.
"""

from __future__ import annotations

import numpy as np
from numba import njit, prange

I16, I32, I64 = np.int16, np.int32, np.int64


@njit(cache=True)
def _forward_first(top, bottom, flip, ll, lh, hl, hh):
    """One row of level-1 butterflies; a word of `top` holds two pixels, the even one low."""
    for i in range(ll.size):
        v = I16(top[i] ^ flip)
        w = I16(bottom[i] ^ flip)
        a = I16(I16(v << I16(8)) >> I16(8))
        b = I16(v >> I16(8))
        c = I16(I16(w << I16(8)) >> I16(8))
        d = I16(w >> I16(8))
        sum_top, sum_bottom = I16(a + b), I16(c + d)
        difference_top, difference_bottom = I16(a - b), I16(c - d)
        ll[i] = I16(sum_top + sum_bottom)
        lh[i] = I16(sum_top - sum_bottom)
        hl[i] = I16(difference_top + difference_bottom)
        hh[i] = I16(difference_top - difference_bottom)


@njit(cache=True)
def _forward_next(top, bottom, ll, lh, hl, hh):
    """One row of butterflies on the LL band of the level before."""
    for i in range(ll.size):
        a, b, c, d = top[2 * i], top[2 * i + 1], bottom[2 * i], bottom[2 * i + 1]
        sum_top, sum_bottom = I16(a + b), I16(c + d)
        difference_top, difference_bottom = I16(a - b), I16(c - d)
        ll[i] = I16(sum_top + sum_bottom)
        lh[i] = I16(sum_top - sum_bottom)
        hl[i] = I16(difference_top + difference_bottom)
        hh[i] = I16(difference_top - difference_bottom)


@njit(cache=True)
def _forward_strip(image, strip, levels, flip, offset, words, here, there):
    """All coefficients of one strip of one channel, in strip order, into `words`.

    An unsigned map is read as x - 128 (`flip` changes the top bit of each byte); what that takes from
    the last LL band, 128 * 4**L, is given back as `offset`.
    """
    first = strip << levels
    columns = image.shape[1]
    for level in range(1, levels + 1):
        rows = 1 << (levels - level)
        size = rows * columns
        for r in range(rows):
            at = r * columns
            ll = words[at : at + columns] if level == levels else there[at : at + columns]
            lh = words[size + at : size + at + columns]
            hl = words[2 * size + at : 2 * size + at + columns]
            hh = words[3 * size + at : 3 * size + at + columns]
            if level == 1:
                _forward_first(image[first + 2 * r], image[first + 2 * r + 1], flip, ll, lh, hl, hh)
            else:
                wide = 2 * columns
                top = here[2 * r * wide : (2 * r + 1) * wide]
                bottom = here[(2 * r + 1) * wide : (2 * r + 2) * wide]
                _forward_next(top, bottom, ll, lh, hl, hh)
        here, there = there, here
        columns >>= 1
    if offset != 0:
        for i in range(image.shape[1] >> (levels - 1)):
            words[i] = I16(words[i] + offset)


@njit(cache=True)
def _add_squares(words, squares):
    for i in range(words.size):
        value = I32(words[i])
        squares[i] = I32(squares[i] + I32(value * value))


@njit(cache=True)
def _flush(squares, scores, shift):
    """Move sums of squares to the 64-bit scores, on the grid of the last level."""
    for i in range(squares.size):
        scores[i] += I64(squares[i]) << shift
        squares[i] = 0


@njit(cache=True)
def _score_strip(image, strip, levels, flip, offset, batch, words, here, there, squares, scores):
    """Joint l2 score of one strip. Level l keeps batch[l] channels in 32 bits before it flushes."""
    scores[:] = 0
    squares[:] = 0
    channels, width = image.shape[0], 2 * image.shape[2]
    for c in range(channels):
        _forward_strip(image[c], strip, levels, flip, offset, words, here, there)
        _add_squares(words, squares)
        for level in range(1, levels + 1):
            if (c + 1) % batch[level] == 0 or c + 1 == channels:
                size = width >> level << (levels - level)
                start = 0 if level == levels else size
                _flush(squares[start : 4 * size], scores[start : 4 * size], 2 * (levels - level))


@njit(cache=True, parallel=True)
def _score_strips(image, levels, flip, offset, batch, words, here, there, squares, scores):
    """Joint l2 scores, int64 [strips, words]. image: int16 words of two pixels, [C, HP, WP/2]."""
    threads = words.shape[0]
    for t in prange(threads):
        for s in range(t, scores.shape[0], threads):
            _score_strip(
                image, s, levels, flip, offset, batch, words[t], here[t], there[t], squares[t], scores[s]
            )
