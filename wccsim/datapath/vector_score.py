# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The joint score of the vector path: squares of two channels at a time, straight from the butterflies.

No coefficient is written. A block of a band of two channels is interleaved word by word (vpunpck), and
vpdpwssd adds both squares to the sums of 32 bits, in the order that vpunpck leaves; `flush_block` undoes it
when it moves them to the 64-bit scores.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from wccsim.datapath.lanes import Array, Code, Vector, kernel
from wccsim.datapath.portable_forward import I64, U
from wccsim.datapath.vector_forward import (
    BLOCK,
    PIXELS,
    _first_level,
    _next_level,
    _prefetch_strip,
    _rows_of,
    _store,
)
from wccsim.datapath.vector_select import _count_strip
from wccsim.datapath.workers import claim


def _add_squares(code: Code, first: Vector, second: Vector, squares: Array, at: Any) -> None:
    """To each sum of a block at squares[at], the squares of both words, in the order of vpunpck."""
    for part, pairs in enumerate(first.interleaved(second)):
        place = code.plus(at, part * BLOCK // 2)
        code.store(code.dot_words(code.load(squares, place, 32), pairs, pairs), squares, place)


def _square_bands(code, first, second, squares, at, pitch):
    """LH, HL and HH of a block of two channels: to squares[at], [at + pitch], [at + 2 pitch]."""
    for band in (1, 2, 3):
        _add_squares(code, first[band], second[band], squares, at)
        at = code.builder.add(at, pitch)


def _score_first(partial: bool, alone: bool) -> Any:
    """Level 1 of a block of two channels `apart` pixels from each other, or of one channel alone."""

    def write(
        code, image, top, top_left, bottom, bottom_left, apart, offset, lows, room, low_at, squares, at, pitch
    ):
        add, shift = code.builder.add, code.spread(offset, 8)
        counts = (top_left, bottom_left) if partial else None
        first = _first_level(code, image, top, bottom, shift, counts)
        code.store(first[0], lows, low_at)
        second = tuple(code.constant(16, 0) for _ in range(4))
        if not alone:
            second = _first_level(code, image, add(top, apart), add(bottom, apart), shift, counts)
            code.store(second[0], lows, add(low_at, room))
        _square_bands(code, first, second, squares, at, pitch)

    return kernel(write)


def _score_next(partial: bool, alone: bool) -> Any:
    """A block of a further level of two channels, or of one alone."""

    def write(code, lows, room, start, size, i, left, squares, at, pitch):
        below = code.builder.add(code.builder.add(start, code.builder.mul(size, size.type(4))), i)
        first = _next_level(code, lows, start, size, i)
        _store(code, first[0], lows, below, left if partial else None)
        second = tuple(code.constant(16, 0) for _ in range(4))
        if not alone:
            second = _next_level(code, lows, code.builder.add(start, room), size, i)
            _store(code, second[0], lows, code.builder.add(below, room), left if partial else None)
        _square_bands(code, first, second, squares, at, pitch)

    return kernel(write)


def _score_last(code, lows, room, at, both, offset, squares, to):
    """A block of the last LL band of two channels; `both` is 0 where the second is not there."""
    off = code.spread(offset, 16)
    first = code.load(lows, at, 16) - off
    second = (code.load(lows, code.builder.add(at, room), 16) - off) & code.spread(both, 16)
    _add_squares(code, first, second, squares, to)


def _flush_block(code, squares, at, scores, to, left, shift):
    """Add a block of sums, 32 bits without a sign, times 2**shift, to scores[to:]; the sums become 0."""
    low, high = code.load(squares, at, 32), code.load(squares, code.plus(at, BLOCK // 2), 32)
    for half in (0, 1):
        # Four words of `low`, four of `high`, and so on: the order before vpunpck.
        places = [
            group * 4 + i + which * 16
            for group in (2 * half, 2 * half + 1)
            for which in (0, 1)
            for i in range(4)
        ]
        ordered = low.picked(high, places)
        for part, sums in enumerate(ordered.widened_unsigned(64)):
            before = half * 16 + part * 8
            mask = code.first(code.builder.sub(left, left.type(before)), 8)
            place = code.plus(to, before)
            held = code.load_where(mask, scores, place, 64)
            code.store_where(mask, held + (sums << code.spread(shift, 64)), scores, place)
    none = code.constant(32, 0)
    code.store(none, squares, at)
    code.store(none, squares, code.plus(at, BLOCK // 2))


score_first_whole, score_first_whole_alone = _score_first(False, False), _score_first(False, True)
score_first_part, score_first_part_alone = _score_first(True, False), _score_first(True, True)
score_next_whole, score_next_part = _score_next(False, False), _score_next(True, False)
score_next_alone = _score_next(True, True)
score_last = kernel(_score_last)
flush_block = kernel(_flush_block)


@njit(cache=True)
def _add_pair(image, shape, channel, alone, strip, levels, offset, rows, columns, lows, squares):
    """The squares of all coefficients of one strip of two channels, or of one alone, added to `squares`.

    The sums of a row of level 1, and of a band of another level, begin at a multiple of BLOCK, in the order
    LH_1 HL_1 HH_1 LH_2 ... HH_L LL_L.
    """
    height, width = shape
    apart, room = height * width, lows.size // 2
    start_of = channel * apart
    _prefetch_strip(image, start_of + 2 * apart + (strip << levels) * width, width << levels)
    if not alone:
        _prefetch_strip(image, start_of + 3 * apart + (strip << levels) * width, width << levels)
    pitch = -(-columns // BLOCK) * BLOCK
    base = 3 * rows.size * pitch
    for r in range(rows.size):
        first, top_left, bottom_left = _rows_of(strip, levels, rows[r], shape)
        top, whole = start_of + first, min(top_left, bottom_left) // PIXELS * BLOCK
        for i in range(0, columns, BLOCK):
            at, low_at, to = top + 2 * i, r * columns + i, r * pitch + i
            tl, bl = top_left - 2 * i, bottom_left - 2 * i
            if i < whole and not alone:
                score_first_whole(
                    image,
                    at,
                    tl,
                    at + width,
                    bl,
                    apart,
                    offset,
                    lows,
                    room,
                    low_at,
                    squares,
                    to,
                    rows.size * pitch,
                )
            elif i < whole:
                score_first_whole_alone(
                    image,
                    at,
                    tl,
                    at + width,
                    bl,
                    apart,
                    offset,
                    lows,
                    room,
                    low_at,
                    squares,
                    to,
                    rows.size * pitch,
                )
            elif not alone:
                score_first_part(
                    image,
                    at,
                    tl,
                    at + width,
                    bl,
                    apart,
                    offset,
                    lows,
                    room,
                    low_at,
                    squares,
                    to,
                    rows.size * pitch,
                )
            else:
                score_first_part_alone(
                    image,
                    at,
                    tl,
                    at + width,
                    bl,
                    apart,
                    offset,
                    lows,
                    room,
                    low_at,
                    squares,
                    to,
                    rows.size * pitch,
                )
    start, size = 0, rows.size * columns
    for _ in range(1, levels):
        size >>= 2
        pitch = -(-size // BLOCK) * BLOCK
        for i in range(0, size, BLOCK):
            if alone:
                score_next_alone(lows, room, start, size, i, size - i, squares, base + i, pitch)
            elif size - i >= BLOCK:
                score_next_whole(lows, room, start, size, i, size - i, squares, base + i, pitch)
            else:
                score_next_part(lows, room, start, size, i, size - i, squares, base + i, pitch)
        base += 3 * pitch
        start += 4 * size
    for i in range(0, size, BLOCK):
        score_last(
            lows, room, start + i, I64(0) if alone else I64(-1), offset << (2 * levels), squares, base + i
        )


@njit(cache=True)
def _flush_piece(squares, at, scores, to, count, shift):
    for i in range(0, count, BLOCK):
        flush_block(squares, at + i, scores, to + i, count - i, shift)


@njit(cache=True)
def _flush(squares, scores, strip_at, levels, level, rows, columns):
    """Move a level's sums to the 64-bit scores at scores[strip_at:], on the grid of the last level."""
    shift = 2 * (levels - level)
    pitch, size, base = -(-columns // BLOCK) * BLOCK, rows.size * columns, 0
    if level == 1:
        for piece in range(3 * rows.size):
            _flush_piece(squares, piece * pitch, scores, strip_at + size + piece * columns, columns, shift)
    base = 3 * rows.size * pitch
    for below in range(2, level + 1):
        size >>= 2
        pitch = -(-size // BLOCK) * BLOCK
        if below == level:
            for band in range(3):
                _flush_piece(squares, base + band * pitch, scores, strip_at + (band + 1) * size, size, shift)
        base += 3 * pitch
    if level == levels:
        _flush_piece(squares, base, scores, strip_at, size, shift)


@njit(cache=True)
def _score_strip(image, channels, shape, strip, levels, offset, rows, columns, batch, lows, squares, scores):
    """Joint l2 score of one strip. Level l keeps batch[l] channels in 32 bits before it flushes."""
    words = 4 * rows.size * columns
    strip_at = strip * words
    for i in range(words):
        scores[U(strip_at + i)] = 0
    squares[:] = 0
    for c in range(0, channels, 2):
        _add_pair(image, shape, c, c + 1 == channels, strip, levels, offset, rows, columns, lows, squares)
        for level in range(1, levels + 1):
            if (c + 2) % batch[level] == 0 or c + 2 >= channels:
                _flush(squares, scores, strip_at, levels, level, rows, columns)


@njit(cache=True, nogil=True)
def _score_strips(
    counter, image, shape, levels, offset, rows, columns, batch, lows, squares, found, scores, bins
):
    """Joint l2 scores of the strips claimed, int64 [strips, words], and their histogram.

    image: int8, flat; shape: (C, H, W).
    """
    bins[:] = 0
    flat = scores.reshape(-1)
    s = claim(counter)
    while s < scores.shape[0]:
        _score_strip(image, shape[0], shape[1:], s, levels, offset, rows, columns, batch, lows, squares, flat)
        _count_strip(flat, s * scores.shape[1], scores.shape[1], found, bins)
        s = claim(counter)
