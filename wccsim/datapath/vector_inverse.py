# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The last part of the vector path: zero-fill, inverse transform, bias and R3, in AVX-512 registers.

Words are 32 bits, already shifted to the last level's grid by R2. vpexpandd puts the kept ones to their
places under the strip's mask, zeros elsewhere. Approximations of all levels follow one another as in
`portable`. At level 1 a block is 32 words of each band: 64 pixels of two rows, which leave their registers as
bytes.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit

from wccsim.datapath.lanes import Code, Vector, kernel
from wccsim.datapath.portable_forward import U
from wccsim.datapath.vector_forward import PIXELS, _first_pixel, _is_whole, _pair_of_rows
from wccsim.datapath.vector_product import LANES, NUMBERS, number, scaled

COLUMNS = 2 * LANES  # words of each band in a block of level 1
_EVEN_ODD = [lane // 2 + lane % 2 * LANES for lane in range(2 * LANES)]


def _expand_block(code, y, at, mask, words, to):
    """Zero-fill of LANES positions: words[to:] from y[at:] on, where `mask` has its bit set."""
    bits = code.builder.trunc(mask, ir.IntType(LANES))
    code.store(code.expanded(code.load(y, at, 32), bits), words, to)


def _butterflies(code: Code, a: Vector, words: Any, size: Any, i: Any) -> tuple[Vector, ...]:
    """Even and odd words of the top row, then of the bottom row, of 16 approximations `a`."""
    bands = []
    for _ in range(3):
        i = code.builder.add(i, size)
        bands.append(code.load(words, i, 32))
    b, c, d = bands
    return (a + b) + (c + d), (a + b) - (c + d), (a - b) + (c - d), (a - b) - (c - d)


def _inverse_next(partial: bool) -> Any:
    """A block of a level above 1: approximations lows[start + i:] to the next ones at lows[begin:]."""

    def write(code, lows, start, words, size, i, left, begin):
        builder = code.builder
        quad = _butterflies(code, code.load(lows, builder.add(start, i), 32), words, size, i)
        to, left = builder.add(begin, builder.add(i, i)), builder.add(left, left)
        for even, odd in (quad[:2], quad[2:]):
            for half in (0, 1):
                row, place = (
                    even.picked(odd, _EVEN_ODD[LANES * half : LANES * half + LANES]),
                    code.plus(to, LANES * half),
                )
                if partial:
                    mask = code.first(builder.sub(left, left.type(LANES * half)), LANES)
                    code.store_where(mask, row, lows, place)
                else:
                    code.store(row, lows, place)
            to = builder.add(to, builder.add(size, size))

    return kernel(write)


def _last_order() -> list[int]:
    """Where, in what vpackssdw and vpacksswb leave of even and odd pixels, pixel i of 64 lies."""
    places = []
    for pixel in range(PIXELS):
        column, odd = divmod(pixel, 2)
        half, lane = divmod(column, LANES)
        places.append(lane // 4 * 16 + odd * 8 + half * 4 + lane % 4)
    return places


def _inverse_last(partial: bool, unsigned: bool) -> Any:
    """Level 1 and R3 of a block: pixels of two rows to out[top:], out[bottom:], of each the first `left`."""

    def write(code, lows, words, size, i, table, entry, low, out, top, top_left, bottom, bottom_left):
        both, high, half, shift = (
            code.spread(number(code, table, code.plus(entry, n)), 32) for n in range(4)
        )
        quads = []
        for part in range(2):
            at = code.plus(i, part * LANES)
            quad = _butterflies(code, code.load(lows, at, 32), words, size, at)
            quads.append([(scaled(code, v, both, high) + half) >> shift for v in quad])
        for row, (to, left) in enumerate(((top, top_left), (bottom, bottom_left))):
            halves = [code.packed_words(quads[0][2 * row + n], quads[1][2 * row + n]) for n in (0, 1)]
            pixels = code.packed_bytes(halves[0], halves[1], unsigned)
            if not unsigned:
                pixels = pixels.at_least(code.spread(low, 8))
            pixels = code.bytes_in_order(pixels, _last_order())
            if partial:
                code.store_where(code.first(left, PIXELS), pixels, out, to)
            else:
                code.store(pixels, out, to)

    return kernel(write)


def _add_bias(code, words, i, bias, lows, to):
    """LANES words of the last LL band and the bias, to lows[to:]."""
    code.store(code.load(words, i, 32) + code.spread(bias, 32), lows, to)


expand_block = kernel(_expand_block)
add_bias = kernel(_add_bias)
inverse_next_whole, inverse_next_part = _inverse_next(False), _inverse_next(True)
last_whole, last_whole_unsigned = _inverse_last(False, False), _inverse_last(False, True)
last_part, last_part_unsigned = _inverse_last(True, False), _inverse_last(True, True)


@njit(cache=True)
def _expand_strip(y, at, parts, count, words):
    """The kept words to their places; parts of LANES positions. Where a strip keeps none, `words` stays 0."""
    for i in range(count):
        expand_block(y, at + parts[U(i), 2], parts[U(i), 1], words, parts[U(i), 0])


@njit(cache=True)
def _inverse_to_first(words, levels, bias, lows, count):
    """The approximations of level 1, to lows[0:], from the int32 words of a strip of `count`."""
    size, start = count >> (2 * levels), 0
    for level in range(1, levels):
        start += count >> (2 * level)
    for i in range(0, size, LANES):
        add_bias(words, i, bias, lows, start + i)
    for _ in range(1, levels):
        begin = start - 4 * size
        for i in range(0, size - LANES + 1, LANES):
            inverse_next_whole(lows, start, words, size, i, 0, begin)
        if size % LANES:
            i = size // LANES * LANES
            inverse_next_part(lows, start, words, size, i, size - i, begin)
        size <<= 2
        start = begin


@njit(cache=True)
def _last_strip(lows, words, table, entry, numbers, tops, out, top):
    """Level 1 of a whole strip, whose first pixel is out[top]."""
    width, low, size = numbers.width, numbers.low, tops.size * COLUMNS
    if numbers.unsigned:
        for block in range(tops.size):
            to, i = top + tops[U(block)], block * COLUMNS
            last_whole_unsigned(lows, words, size, i, table, entry, low, out, to, 0, to + width, 0)
    else:
        for block in range(tops.size):
            to, i = top + tops[U(block)], block * COLUMNS
            last_whole(lows, words, size, i, table, entry, low, out, to, 0, to + width, 0)


@njit(cache=True)
def _last_rows(lows, words, table, channel, strip, numbers, rows, out):
    """Level 1 of a strip row by row, in blocks that may be cut."""
    width, columns, low = numbers.width, numbers.columns, numbers.low
    size, entry = rows.size * columns, NUMBERS * channel
    for r in range(rows.size):
        first, tl, bl, _ = _pair_of_rows(strip, rows[U(r)], numbers)
        i, top = r * columns, channel * numbers.height * width + first
        for j in range(0, columns, COLUMNS):
            to, n, m = top + 2 * j, tl - 2 * j, bl - 2 * j
            if numbers.unsigned:
                last_part_unsigned(lows, words, size, i + j, table, entry, low, out, to, n, to + width, m)
            else:
                last_part(lows, words, size, i + j, table, entry, low, out, to, n, to + width, m)


@njit(cache=True)
def _last_level(words, table, channel, strip, numbers, rows, tops, lows, out):
    """Level 1 and R3 of one strip of one channel, into out int8 [Cout, H, W], flat."""
    if _is_whole(strip, tops, numbers):
        top = _first_pixel(channel, strip, numbers)
        _last_strip(lows, words, table, NUMBERS * channel, numbers, tops, out, top)
    else:
        _last_rows(lows, words, table, channel, strip, numbers, rows, out)


@njit(cache=True)
def _inverse_strip(words, bias, table, channel, strip, numbers, rows, tops, lows, out):
    """Inverse, bias and R3 of one strip of one channel."""
    _inverse_to_first(words, numbers.levels, bias, lows, 4 * rows.size * numbers.columns)
    _last_level(words, table, channel, strip, numbers, rows, tops, lows, out)


@njit(cache=True)
def _begin(y, at, parts, count, words, levels, bias, lows, size):
    """Zero-fill of one strip of one channel, and its inverse down to level 1."""
    _expand_strip(y, at, parts, count, words)
    _inverse_to_first(words, levels, bias, lows, size)


@njit(cache=True)
def _invert_channels(
    y, slots, parts, count, channels, bias, table, strip, numbers, rows, tops, even, odd, out
):
    """Zero-fill, inverse, bias and R3 of one strip of the channels first..stop-1, whose words are in y from 0
    on.

    A channel is begun before the last level of the one before it: the steps down to level 1 are short and
    wait for each other, the last level is long and waits for nothing. even, odd: (words, lows) of every other
    channel.
    """
    first, stop = channels
    levels, size = numbers.levels, 4 * rows.size * numbers.columns
    words, lows = even
    next_words, next_lows = odd
    _begin(y, 0, parts, count, words, levels, bias[first], lows, size)
    for o in range(first, stop, 2):
        at = (o - first) * slots
        if o + 1 < stop:
            _begin(y, at + slots, parts, count, next_words, levels, bias[o + 1], next_lows, size)
        _last_level(words, table, o, strip, numbers, rows, tops, lows, out)
        if o + 2 < stop:
            _begin(y, at + 2 * slots, parts, count, words, levels, bias[o + 2], lows, size)
        if o + 1 < stop:
            _last_level(next_words, table, o + 1, strip, numbers, rows, tops, next_lows, out)
