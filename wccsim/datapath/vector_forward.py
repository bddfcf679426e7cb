# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The Haar transform of the vector path, in AVX-512 registers.

The order of words is that of `strips.py`. A block is 32 words of 16 bits, one register; a block that
reaches behind the end of a row or a band is loaded and stored under a mask, so that no size is special.

Level 1 takes 64 pixels of two rows. A pixel becomes u = x + 2**(b-1), an unsigned byte (a map that is
unsigned already stays as it is); vpmaddubsw then adds, or subtracts, neighbours in one instruction.
Differences do not see the offset; the last LL band gets it back, 2**(b-1) * 4**L. Nothing saturates: u <
2**b, and the sum of two approximations of level L-1 is below 2**(b+2L-1) <= 2**15 (b + 2L <= 16, checked by
`vector_plan.covers`; b counts u's bits). The vertical sum after it may wrap; the offset taken off, it is
right again.
"""

from __future__ import annotations

from typing import Any

from numba import njit

from wccsim.datapath.lanes import Array, Code, Vector, kernel
from wccsim.datapath.workers import prefetch

BLOCK = 32  # words of 16 bits in a register
PIXELS = 64  # of one row, in a register

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
    """LL to lows[low_at], the others to words[size + at], [2 size + at], [3 size + at]; `left` words."""
    _store(code, bands[0], lows, low_at, left)
    for band in bands[1:]:
        at = code.builder.add(at, size)
        _store(code, band, words, at, left)


def _first_whole(code, image, top, bottom, offset, lows, words, size, at):
    bands = _first_level(code, image, top, bottom, code.spread(offset, 8), None)
    _store_bands(code, bands, lows, at, words, size, at, None)


def _first_part(code, image, top, top_left, bottom, bottom_left, offset, lows, words, size, at, left):
    bands = _first_level(code, image, top, bottom, code.spread(offset, 8), (top_left, bottom_left))
    _store_bands(code, bands, lows, at, words, size, at, left)


def _haar_next(partial: bool) -> Any:
    def write(code, lows, start, size, i, words, left):
        bands = _next_level(code, lows, start, size, i)
        below = code.builder.add(start, code.builder.mul(size, size.type(4)))
        _store_bands(code, bands, lows, code.builder.add(below, i), words, size, i, left if partial else None)

    return kernel(write)


haar_first_whole = kernel(_first_whole)
haar_first_part = kernel(_first_part)
haar_next_whole, haar_next_part = _haar_next(False), _haar_next(True)


@njit(cache=True)
def _rows_of(strip, levels, row, shape):
    """Where a pair of rows begins in its channel, and how many pixels of each lie inside the map."""
    y = (strip << levels) + 2 * row
    height, width = shape[0], shape[1]
    return y * width, width if y < height else 0, width if y + 1 < height else 0


@njit(cache=True)
def _prefetch_strip(image, start, count):
    """Ask for a channel's strip: it lies far from the one before, where no processor looks ahead."""
    for i in range(start, min(start + count, image.size), 64):
        prefetch(image, i)


@njit(cache=True)
def _forward_strip(image, shape, channel, strip, levels, offset, rows, columns, words, lows):
    """All coefficients of one strip of one channel, in strip order, into `words` int16.

    image: int8, flat, its channels of `shape` (H, W). rows: the bit-reversed order of the pairs of rows;
    columns: words of a row of level 1. lows: room for LL_1, LL_2, ..., one after the other.
    """
    height, width = shape
    start_of = channel * height * width
    _prefetch_strip(image, start_of + height * width + (strip << levels) * width, width << levels)
    size = rows.size * columns
    for r in range(rows.size):
        first, top_left, bottom_left = _rows_of(strip, levels, rows[r], shape)
        top, whole = start_of + first, min(top_left, bottom_left) // PIXELS * BLOCK
        for i in range(0, whole, BLOCK):
            at = top + 2 * i
            haar_first_whole(image, at, at + width, offset, lows, words, size, r * columns + i)
        for i in range(whole, columns, BLOCK):
            at, used = top + 2 * i, 2 * i
            haar_first_part(
                image, at, top_left - used, at + width, bottom_left - used, offset, lows, words, size,
                r * columns + i, columns - i,
            )  # fmt: skip
    start = 0
    for _ in range(1, levels):
        size >>= 2
        for i in range(0, size, BLOCK):
            if size - i >= BLOCK:
                haar_next_whole(lows, start, size, i, words, size - i)
            else:
                haar_next_part(lows, start, size, i, words, size - i)
        start += 4 * size
    return start
