# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The Haar transform of the vector path, in AVX-512 registers.

The order of words is that of `strips.py`. A block is 32 words of 16 bits, one register; a block that
reaches behind the end of a row or a band is loaded and stored under a mask, so that no size is special.

Level 1 takes 64 pixels of two rows. A pixel becomes u = x + 2**(b-1), an unsigned byte (a map that is
unsigned already stays as it is); vpmaddubsw then adds, or subtracts, neighbours in one instruction.
Differences do not see the offset; the last LL band gets it back, 2**(b-1) * 4**L. Nothing saturates: u <
2**b, and the sum of two approximations of level L-1 is below 2**(b+2L-1) <= 2**15 (b + 2L <= 16, checked by
`vector_plan.obstacle`; b counts u's bits). The vertical sum after it may wrap; the offset taken off, it is
right again.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from wccsim.datapath.lanes import Array, Code, Vector, kernel
from wccsim.datapath.portable_forward import U
from wccsim.datapath.workers import prefetch

BLOCK = 32  # words of 16 bits in a register
PIXELS = 64  # of one row, in a register
LINE_BYTES = 64

Quad = tuple[Vector, Vector, Vector, Vector]


def _bands(top: tuple[Vector, Vector], bottom: tuple[Vector, Vector]) -> Quad:
    """LL, LH, HL, HH from the sums and differences along the two rows."""
    return top[0] + bottom[0], top[0] - bottom[0], top[1] + bottom[1], top[1] - bottom[1]


def _along_pixels(code: Code, pixels: Vector, offset: Vector) -> tuple[Vector, Vector]:
    """Sums and differences of neighbouring pixels, 32 of each."""
    u = pixels + offset
    sums = code.pairs_of_bytes(u, code.constant(8, [1, 1]))
    return sums, code.pairs_of_bytes(u, code.constant(8, [1, -1]))


def _along_words(code: Code, left: Vector, right: Vector) -> tuple[Vector, Vector]:
    """Sums and differences of neighbouring words of two registers, 32 of each, in order."""
    found = []
    for signs in ([1, 1], [1, -1]):
        pairs = [code.pairs_of_words(words, code.constant(16, signs)) for words in (left, right)]
        packed = code.packed_words(*pairs).seen_as(64)
        found.append(packed.picked(packed, [0, 2, 4, 6, 1, 3, 5, 7]).seen_as(16))
    return found[0], found[1]


def _first_level(code: Code, image: Array, top: Any, bottom: Any, offset: Vector, counts: Any) -> Quad:
    """Level 1 of 64 pixels of the rows at image[top], image[bottom]; of each the first counts[i]."""
    rows = []
    for i, at in enumerate((top, bottom)):
        if counts is None:
            pixels = code.load(image, at, 8)
        else:
            pixels = code.load_where(code.first(counts[i], PIXELS), image, at, 8)
        rows.append(_along_pixels(code, pixels, offset))
    return _bands(rows[0], rows[1])


def _next_level(code: Code, lows: Array, start: Any, size: Any, i: Any) -> Quad:
    """A block of a further level: words 2i.. of the even rows at lows[start] and of the odd rows behind."""
    add, double = code.builder.add, code.builder.add(i, i)
    top = add(start, double)
    bottom = add(top, add(size, size))
    rows = [
        _along_words(code, code.load(lows, at, 16), code.load(lows, code.plus(at, BLOCK), 16))
        for at in (top, bottom)
    ]
    return _bands(rows[0], rows[1])


def _store(code: Code, block: Vector, array: Array, at: Any, left: Any) -> None:
    """A block to array[at:], or only its first `left` words."""
    if left is None:
        code.store(block, array, at)
    else:
        code.store_where(code.first(left, BLOCK), block, array, at)


def _store_bands(
    code: Code, bands: Quad, lows: Array, low_at: Any, words: Array, size: Any, at: Any, left: Any
) -> None:
    """LL to lows[low_at], the others to words[size + at], [2 size + at], [3 size + at]; `left` words.

    LL is stored whole: what lies behind it is written later, and a masked store is not handed on to a load.
    """
    code.store(bands[0], lows, low_at)
    for band in bands[1:]:
        at = code.builder.add(at, size)
        _store(code, band, words, at, left)


def _haar_first(partial: bool) -> Any:
    """Level 1 of a block of two rows; partial: the first `top_left`, `bottom_left` pixels, `left` words."""

    def write(code, image, top, top_left, bottom, bottom_left, offset, lows, words, size, at, left):
        counts = (top_left, bottom_left) if partial else None
        bands = _first_level(code, image, top, bottom, code.spread(offset, 8), counts)
        _store_bands(code, bands, lows, at, words, size, at, left if partial else None)

    return kernel(write)


def _haar_next(partial: bool) -> Any:
    def write(code, lows, start, size, i, words, left):
        bands = _next_level(code, lows, start, size, i)
        below = code.builder.add(start, code.builder.mul(size, size.type(4)))
        _store_bands(code, bands, lows, code.builder.add(below, i), words, size, i, left if partial else None)

    return kernel(write)


def _haar_last(code, lows, start, i, left, offset, words):
    """The first `left` words of a block of the last LL band, the pixels' offset taken off, to words[i:]."""
    block = code.load(lows, code.builder.add(start, i), 16) - code.spread(offset, 16)
    _store(code, block, words, i, left)


haar_first_whole, haar_first_part = _haar_first(False), _haar_first(True)
haar_next_whole, haar_next_part = _haar_next(False), _haar_next(True)
haar_last = kernel(_haar_last)


@njit(cache=True)
def _pair_of_rows(strip, row, numbers):
    """Where a pair of rows begins in its channel, their pixels in the map, and words in whole blocks."""
    y = strip * numbers.strip_rows + 2 * row
    top_left = numbers.width if y < numbers.height else 0
    bottom_left = numbers.width if y + 1 < numbers.height else 0
    return y * numbers.width, top_left, bottom_left, min(top_left, bottom_left) // PIXELS * BLOCK


@njit(cache=True)
def _is_whole(strip, tops, numbers):
    """All rows of the strip lie inside the map and consist of whole blocks: `tops` says where they begin."""
    return tops.size > 0 and (strip + 1) * numbers.strip_rows <= numbers.height


@njit(cache=True)
def _first_pixel(channel, strip, numbers):
    """Of a strip of a channel."""
    return (channel * numbers.height + strip * numbers.strip_rows) * numbers.width


@njit(cache=True)
def _prefetch_strip(image, channel, strip, numbers):
    """Ask for a channel's strip: it lies far from the one before, where no processor looks ahead."""
    start = _first_pixel(channel, strip, numbers)
    for i in range(start, min(start + numbers.strip_rows * numbers.width, image.size), LINE_BYTES):
        prefetch(image, i)


@njit(cache=True)
def _forward_rows(image, channel, strip, numbers, rows, words, lows):
    """Level 1 of one strip of one channel, row by row, parts of blocks too."""
    width, columns, offset = numbers.width, numbers.columns, numbers.offset
    size = rows.size * columns
    for r in range(rows.size):
        first, tl, bl, whole = _pair_of_rows(strip, rows[U(r)], numbers)
        at, top = r * columns, channel * numbers.height * width + first
        for i in range(0, whole, BLOCK):
            here = top + 2 * i
            haar_first_whole(image, here, 0, here + width, 0, offset, lows, words, size, at + i, 0)
        for i in range(whole, columns, BLOCK):
            here, n, m = top + 2 * i, tl - 2 * i, bl - 2 * i
            haar_first_part(image, here, n, here + width, m, offset, lows, words, size, at + i, columns - i)


@njit(cache=True)
def _forward_strip(image, channel, strip, numbers, rows, tops, words, lows):
    """All coefficients of one strip of one channel of image int8, flat, in strip order, into `words` int16.

    lows: room for LL_1, LL_2, ..., one after the other.
    """
    _prefetch_strip(image, channel + 1, strip, numbers)
    start, size = 0, rows.size * numbers.columns
    if _is_whole(strip, tops, numbers):
        width, top = numbers.width, _first_pixel(channel, strip, numbers)
        for block in range(tops.size):
            here, at = top + tops[U(block)], block * BLOCK
            haar_first_whole(image, here, 0, here + width, 0, numbers.offset, lows, words, size, at, 0)
    else:
        _forward_rows(image, channel, strip, numbers, rows, words, lows)
    for _ in range(1, numbers.levels):
        size >>= 2
        for i in range(0, size - BLOCK + 1, BLOCK):
            haar_next_whole(lows, start, size, i, words, 0)
        if size % BLOCK:
            i = size // BLOCK * BLOCK
            haar_next_part(lows, start, size, i, words, size - i)
        start += 4 * size
    for i in range(0, size, BLOCK):
        haar_last(lows, start, i, size - i, numbers.offset << (2 * numbers.levels), words)
