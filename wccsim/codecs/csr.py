"""Compressed sparse rows, and the relative-distance form of the ETH reference."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit

from wccsim.arith import bit_length_of_count
from wccsim.bitstream import Bytes, Words, buffer_for, get_bits, put_bits, sign_extended
from wccsim.codecs.base import (
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    check_choice,
    check_end,
    check_integer,
    damaged,
    narrowed,
    widened,
)

DISTANCE_BITS = 4
FARTHEST = 1 << DISTANCE_BITS


@njit(cache=True)
def _write_rows(x: Words, columns: int, pointer: int, column: int, width: int, out: Bytes) -> None:
    """All row pointers (counts before each row, then the total), then (column, value) of each non-zero."""
    count = position = 0
    for row in range(x.size // columns):
        position = put_bits(out, position, count, pointer)
        for i in range(row * columns, (row + 1) * columns):
            count += x[i] != 0
    position = put_bits(out, position, count, pointer)
    for i in range(x.size):
        if x[i]:
            position = put_bits(out, position, i % columns, column)
            position = put_bits(out, position, np.int64(x[i]), width)


@njit(cache=True)
def _read_rows(
    data: Bytes, limit: int, columns: int, pointer: int, column: int, width: int, signed: bool, out: Words
) -> int:
    """Bits read; -1 at an early end, -2 where pointers, columns or values are out of order."""
    rows = out.size // columns
    position = (rows + 1) * pointer
    if position > limit or get_bits(data, 0, pointer) != 0:
        return -2
    done = 0
    out[:] = 0
    for row in range(rows):
        until = get_bits(data, (row + 1) * pointer, pointer)
        if until < done or until - done > columns:
            return -2
        previous = -1
        while done < until:
            if position + column + width > limit:
                return -1
            at = get_bits(data, position, column)
            value = get_bits(data, position + column, width)
            if at <= previous or at >= columns or value == 0:
                return -2
            out[row * columns + at] = sign_extended(value, width) if signed else value
            previous = at
            position += column + width
            done += 1
    return position


@njit(cache=True)
def _relative_symbols(x: Words) -> int:
    symbols = 0
    previous = -1
    for i in range(x.size):
        if x[i]:
            symbols += 1 + (i - previous - 1) // FARTHEST
            previous = i
    return symbols + (x.size - 1 - previous) // FARTHEST


@njit(cache=True)
def _write_relative(x: Words, width: int, out: Bytes) -> None:
    """Skips and symbols; the skips after the last non-zero are zeros, which `out` holds already."""
    position = 0
    previous = -1
    for i in range(x.size):
        if x[i]:
            distance = i - previous
            while distance > FARTHEST:
                position = put_bits(out, position, 0, DISTANCE_BITS + width)
                distance -= FARTHEST
            position = put_bits(out, position, distance - 1, DISTANCE_BITS)
            position = put_bits(out, position, np.int64(x[i]), width)
            previous = i


@njit(cache=True)
def _read_relative(data: Bytes, symbols: int, width: int, signed: bool, out: Words) -> int:
    """Zero, or -2 where a symbol is none of an encoder's: past the end, or 16 zeros left uncoded."""
    position = 0
    previous = -1
    out[:] = 0
    for _ in range(symbols):
        distance = get_bits(data, position, DISTANCE_BITS) + 1
        value = get_bits(data, position + DISTANCE_BITS, width)
        position += DISTANCE_BITS + width
        if value == 0:
            if distance != 1:
                return -2
            previous += FARTHEST
        else:
            previous += distance
            if previous >= out.size:
                return -2
            out[previous] = sign_extended(value, width) if signed else value
    return 0 if 0 <= out.size - 1 - previous < FARTHEST else -2


@dataclass(frozen=True, slots=True)
class Csr(Codec):
    """Positions and values of the non-zero words.

    layout "rows": C H + 1 pointers of bitlength(V) bits, then a column of ceil(log2 W) bits and a
    word of w bits per non-zero. layout "relative" (the ETH reference's "CSC"): 4 bits distance - 1
    and the word; a zero word with distance field 0 skips 16; a count of symbols, 32 bits, stands in
    front. The reference codes no trailing zeros; here whole sixteens of them are skips too, so that a
    stream's length bounds the map it declares.
    """

    NAME: ClassVar[str] = "csr"
    ABOUT: ClassVar[str] = "compressed sparse rows"
    SOURCE: ClassVar[str] = "textbook CSR; relative: lukasc-ch/ExtendedBitPlaneCompression referenceImpl.CSC"
    LOSSLESS: ClassVar[bool] = True

    layout: str = "rows"
    word_bits: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.NAME, "layout", self.layout, ("rows", "relative"))
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 1, 16)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        return CodecCost(buffer_bits=shape[2] * value_bits if self.layout == "rows" else value_bits)

    def _write(self, x: Map) -> Body:
        flat, width = widened(x), self._word_bits(x.dtype)
        if self.layout == "rows":
            pointer, column = _row_fields((x.shape[0], x.shape[1], x.shape[2]))
            index_bits = (x.size // x.shape[2] + 1) * pointer + column * int(np.count_nonzero(x))
            bits = self._body_bits(x)
            out = buffer_for(bits)
            _write_rows(flat, x.shape[2], pointer, column, width, out)
            return Body(out, bits, {"index": index_bits, "payload": bits - index_bits})
        symbols = int(_relative_symbols(flat))
        bits = 32 + symbols * (DISTANCE_BITS + width)
        out = buffer_for(bits)
        _write_relative(flat, width, out[4:])
        put_bits(out, 0, symbols, 32)
        return Body(out, bits, {"count": 32, "index": 4 * symbols, "payload": width * symbols})

    def _body_bits(self, x: Map) -> int:
        width = self._word_bits(x.dtype)
        if self.layout == "relative":
            return 32 + int(_relative_symbols(widened(x))) * (DISTANCE_BITS + width)
        pointer, column = _row_fields((x.shape[0], x.shape[1], x.shape[2]))
        nonzeros = int(np.count_nonzero(x))
        return int((x.size // x.shape[2] + 1) * pointer + (column + width) * nonzeros)

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        out = np.empty(header.values, np.int32)
        width = self._word_bits(header.dtype)
        if self.layout == "rows":
            pointer, column = _row_fields(header.shape)
            columns = header.shape[2]
            end = _read_rows(data, limit_bits, columns, pointer, column, width, header.signed, out)
        else:
            symbols = int(get_bits(data, 0, 32))
            check_end(data, 32 + symbols * (DISTANCE_BITS + width), limit_bits)
            fault = _read_relative(data[4:], symbols, width, header.signed, out)
            end = fault or 32 + symbols * (DISTANCE_BITS + width)
        if end == -2:
            damaged("positions or words that no encoder writes")
        check_end(data, end, limit_bits)
        return narrowed(out, header)

    def _least_bits(self, header: Header) -> int:
        if self.layout == "relative":
            width = self._word_bits(header.dtype)
            return 32 + header.values // FARTHEST * (DISTANCE_BITS + width)
        channels, height, _ = header.shape
        return (channels * height + 1) * _row_fields(header.shape)[0]


def _row_fields(shape: Shape) -> tuple[int, int]:
    """Bits of a row pointer and of a column."""
    return (shape[0] * shape[1] * shape[2]).bit_length(), bit_length_of_count(shape[2])
