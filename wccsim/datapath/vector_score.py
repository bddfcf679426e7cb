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
    _first_level,
    _first_pixel,
    _is_whole,
    _next_level,
    _pair_of_rows,
    _prefetch_strip,
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


def _score_first(partial: bool) -> Any:
    """Level 1 of a block of two channels, the second `apart` pixels behind the first.

    partial: the first `top_left`, `bottom_left` pixels; `both` is 0 where there is no second channel.
    """

    def write(
        code,
        image,
        top,
        top_left,
        bottom,
        bottom_left,
        apart,
        both,
        offset,
        lows,
        room,
        low_at,
        squares,
        at,
        pitch,
    ):
        builder, shift = code.builder, code.spread(offset, 8)
        found = []
        for channel in range(2):
            counts = (top_left, bottom_left) if partial else None
            if channel and partial:
                counts = (builder.mul(top_left, both), builder.mul(bottom_left, both))
            found.append(_first_level(code, image, top, bottom, shift, counts))
            code.store(found[-1][0], lows, low_at)
            top, bottom = builder.add(top, apart), builder.add(bottom, apart)
            low_at = builder.add(low_at, room)
        _square_bands(code, found[0], found[1], squares, at, pitch)

    return kernel(write)


def _score_next(code, lows, room, start, size, i, squares, at, pitch):
    """A block of a further level of two channels; what is behind its end is never looked at."""
    found = []
    for _ in range(2):
        found.append(_next_level(code, lows, start, size, i))
        below = code.builder.add(code.builder.add(start, code.times(size, 4)), i)
        code.store(found[-1][0], lows, below)
        start = code.builder.add(start, room)
    _square_bands(code, found[0], found[1], squares, at, pitch)


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


score_first_whole, score_first_part = _score_first(False), _score_first(True)
score_next = kernel(_score_next)
score_last = kernel(_score_last)
flush_block = kernel(_flush_block)


@njit(cache=True)
def _pitch(count):
    """Sums that a run of `count` words takes: whole blocks."""
    return -(-count // BLOCK) * BLOCK


@njit(cache=True)
def _first_rows(image, channel, both, strip, numbers, rows, lows, squares):
    """Level 1 of two channels, or of one where both is 0, row by row, parts of blocks too."""
    width, columns = numbers.width, numbers.columns
    apart, room, offset = numbers.height * width, lows.size // 2, numbers.offset
    pitch = _pitch(columns)
    for r in range(rows.size):
        first, tl, bl, whole = _pair_of_rows(strip, rows[U(r)], numbers)
        top, at, to = channel * apart + first, r * columns, r * pitch
        whole *= both
        for i in range(0, whole, BLOCK):
            here = top + 2 * i
            score_first_whole(
                image, here, 0, here + width, 0, apart, both, offset, lows, room, at + i, squares, to + i,
                rows.size * pitch,
            )  # fmt: skip
        for i in range(whole, columns, BLOCK):
            here, n, m = top + 2 * i, tl - 2 * i, bl - 2 * i
            score_first_part(
                image, here, n, here + width, m, apart, both, offset, lows, room, at + i, squares, to + i,
                rows.size * pitch,
            )  # fmt: skip


@njit(cache=True)
def _first_strip(image, channel, strip, numbers, tops, lows, squares):
    """Level 1 of a whole strip of two channels."""
    width, room, offset = numbers.width, lows.size // 2, numbers.offset
    apart, top = numbers.height * width, _first_pixel(channel, strip, numbers)
    size = tops.size * BLOCK
    for block in range(tops.size):
        here, at = top + tops[U(block)], block * BLOCK
        score_first_whole(
            image, here, 0, here + width, 0, apart, 1, offset, lows, room, at, squares, at, size
        )


@njit(cache=True)
def _add_pair(image, channel, both, strip, numbers, rows, tops, lows, squares):
    """The squares of all coefficients of one strip of two channels, or of one where both is 0, to `squares`.

    The sums of a row of level 1, and of a band of another level, begin at a multiple of BLOCK, in the order
    LH_1 HL_1 HH_1 LH_2 ... HH_L LL_L.
    """
    _prefetch_strip(image, channel + 2, strip, numbers)
    _prefetch_strip(image, channel + 3, strip, numbers)
    if both and _is_whole(strip, tops, numbers):
        _first_strip(image, channel, strip, numbers, tops, lows, squares)
    else:
        _first_rows(image, channel, both, strip, numbers, rows, lows, squares)
    room, start, size = lows.size // 2, 0, rows.size * numbers.columns
    base = 3 * rows.size * _pitch(numbers.columns)
    for _ in range(1, numbers.levels):
        size >>= 2
        pitch = _pitch(size)
        for i in range(0, size, BLOCK):
            score_next(lows, room, start, size, i, squares, base + i, pitch)
        base += 3 * pitch
        start += 4 * size
    offset = numbers.offset << (2 * numbers.levels)
    for i in range(0, size, BLOCK):
        score_last(lows, room, start + i, -both, offset, squares, base + i)


@njit(cache=True)
def _flush_piece(squares, at, scores, to, count, shift):
    for i in range(0, count, BLOCK):
        flush_block(squares, at + i, scores, to + i, count - i, shift)


@njit(cache=True)
def _flush(squares, scores, strip_at, levels, level, rows, columns):
    """Move a level's sums to the 64-bit scores at scores[strip_at:], on the grid of the last level."""
    shift, size = 2 * (levels - level), rows * columns
    if level == 1:
        for piece in range(3 * rows):
            to = strip_at + size + piece * columns
            _flush_piece(squares, piece * _pitch(columns), scores, to, columns, shift)
    base = 3 * rows * _pitch(columns)
    for below in range(2, level + 1):
        size >>= 2
        if below == level:
            for band in range(3):
                to = strip_at + (band + 1) * size
                _flush_piece(squares, base + band * _pitch(size), scores, to, size, shift)
        base += 3 * _pitch(size)
    if level == levels:
        _flush_piece(squares, base, scores, strip_at, size, shift)


@njit(cache=True)
def _score_strip(image, strip, numbers, rows, tops, batch, lows, squares, scores):
    """Joint l2 score of one strip. Level l keeps batch[l] channels in 32 bits before it flushes."""
    words = 4 * rows.size * numbers.columns
    strip_at = strip * words
    for i in range(words):
        scores[U(strip_at + i)] = 0
    squares[:] = 0
    for c in range(0, numbers.channels, 2):
        both = I64(c + 1 < numbers.channels)
        _add_pair(image, c, both, strip, numbers, rows, tops, lows, squares)
        for level in range(1, numbers.levels + 1):
            if (c + 2) % batch[level] == 0 or c + 2 >= numbers.channels:
                _flush(squares, scores, strip_at, numbers.levels, level, rows.size, numbers.columns)


@njit(cache=True, nogil=True)
def _score_strips(counter, image, layout, numbers, batch, lows, squares, found, scores, bins):
    """Joint l2 scores of the strips claimed, int64 [strips, words], and their histogram."""
    bins[:] = 0
    flat, words = scores.reshape(-1), scores.shape[1]
    rows, tops = layout.rows, layout.tops
    s = claim(counter)
    while s < scores.shape[0]:
        _score_strip(image, s, numbers, rows, tops, batch, lows, squares, flat)
        _count_strip(flat, s * words, words, found, bins)
        s = claim(counter)
