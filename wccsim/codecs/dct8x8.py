"""The 8x8 spatial DCT with a presence map per block."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np

from wccsim.bitstream import Bytes, Words, buffer_for, pack, unpack
from wccsim.codecs.base import (
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    bounds,
    check_choice,
    check_end,
    check_integer,
    damaged,
)
from wccsim.codecs.dct import (
    DCT8,
    LEVEL_SCALE,
    MAX_QP,
    QUANTISE_SCALE,
    forward_blocks,
    inverse_blocks,
)
from wccsim.codecs.masked import (
    Widths,
    masked_bits,
    read_masked,
    statistics,
    width_table,
    write_masked,
)
from wccsim.errors import WccsimError

COEFFICIENTS = 64
FIXED_WIDTH_SPARE = 4  # coefficient bits above the word's in the fixed-width form: 12 for 8-bit words


@dataclass(frozen=True, slots=True)
class Dct8x8(Codec):
    """The HEVC 8x8 core transform of every channel, one quantiser step 2^((qp - 4) / 6) input LSBs.

    Edges are replicated to multiples of 8; the added blocks count. coding "width-table": 64 widths
    (4 bits each; 5 for 16-bit words), then per block a map over the frequencies that occur and their
    non-zeros; "fixed": a 64-bit map per block and non-zeros of 12 bits (20). `qp` is 0 to 51 for 8-bit
    words and to 99 for 16-bit words, whose datapath is 8 bits wider.
    """

    NAME: ClassVar[str] = "dct8x8"
    ABOUT: ClassVar[str] = "8x8 spatial DCT, presence map and packed non-zeros"
    SOURCE: ClassVar[str] = (
        "ITU-T H.265 core transform; coder after Evans et al., JPEG-ACT, ISCA 2020 and Shao et al. 2021"
    )

    qp: int = 22
    coding: str = "width-table"

    def __post_init__(self) -> None:
        check_integer(self.NAME, "qp", self.qp, 0, MAX_QP + 48)
        check_choice(self.NAME, "coding", self.coding, ("width-table", "fixed"))

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        # Two passes of the even/odd butterfly: 20 constant multiplies and 28 adds per 8 values; the
        # quantiser's multiply is 15 bits by the coefficient's, 16 at 8-bit words.
        quantiser = Fraction(15 * (value_bits + 8))
        transform = 2 * (Fraction(20, 8) * value_bits * 8 + Fraction(28, 8) * value_bits)
        return CodecCost(
            encode_adds=Fraction(7),
            encode_multiplies=Fraction(6),
            encode_bops=transform,
            encode_side_bops=quantiser,
            decode_adds=Fraction(7),
            decode_multiplies=Fraction(6),
            decode_bops=transform,
            decode_side_bops=quantiser,
            buffer_bits=8 * shape[2] * value_bits + COEFFICIENTS * (value_bits + 8),
        )

    def _check_qp(self, dtype: np.dtype[Any]) -> None:
        most = MAX_QP + 6 * (8 * dtype.itemsize - 8)
        if self.qp > most:
            raise WccsimError(f"{self.NAME}: qp is {self.qp}; for {dtype} allowed: 0 to {most}")

    def _coefficients(self, x: Map) -> Words:
        self._check_qp(x.dtype)
        channels, height, width = x.shape
        out = np.empty((channels, _blocks(height) * _blocks(width) * COEFFICIENTS), np.int32)
        scale, shift = int(QUANTISE_SCALE[self.qp % 6]), 18 + self.qp // 6
        top = (1 << (self._widest(x.dtype) - 1)) - 1
        for channel in range(channels):
            forward_blocks(x[channel].astype(np.int32), DCT8, scale, shift, top, out[channel])
        return out.ravel()

    def _widths(self, x: Map, most: list[int]) -> Widths:
        if self.coding == "width-table":
            return width_table(most)
        return np.full(COEFFICIENTS, self._widest(x.dtype), np.int64)

    def _widest(self, dtype: np.dtype[Any]) -> int:
        """Bits of a coefficient at most: the table's greatest entry, or the fixed width."""
        if self.coding == "width-table":
            return (1 << (3 + dtype.itemsize)) - 1
        return 8 * dtype.itemsize + FIXED_WIDTH_SPARE

    def _table_bits(self, dtype: np.dtype[Any]) -> int:
        return COEFFICIENTS * (3 + dtype.itemsize) if self.coding == "width-table" else 0

    def _write(self, x: Map) -> Body:
        coefficients = self._coefficients(x)
        most, nonzeros = statistics(coefficients, COEFFICIENTS)
        widths, table_bits = self._widths(x, most), self._table_bits(x.dtype)
        map_bits, payload_bits = masked_bits(widths, nonzeros, coefficients.size // COEFFICIENTS)
        out = buffer_for(table_bits + map_bits + payload_bits)
        if table_bits:
            table = pack(widths, 3 + x.dtype.itemsize)
            out[: table.size] = table
        write_masked(coefficients, widths, out, table_bits)
        breakdown = {"table": table_bits, "map": map_bits, "payload": payload_bits}
        return Body(out, table_bits + map_bits + payload_bits, breakdown, self.qp)

    def _body_bits(self, x: Map) -> int:
        coefficients = self._coefficients(x)
        most, nonzeros = statistics(coefficients, COEFFICIENTS)
        blocks = coefficients.size // COEFFICIENTS
        return self._table_bits(x.dtype) + sum(masked_bits(self._widths(x, most), nonzeros, blocks))

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        self._check_qp(header.dtype)
        if header.parameter != self.qp:
            damaged(f"it was coded with qp {header.parameter}, this codec has {self.qp}")
        channels, height, width = header.shape
        blocks = _blocks(height) * _blocks(width)
        table_bits, widths = self._table_bits(header.dtype), self._widths_read(header, data)
        # Every block needs its map; without one (all widths 0) the map is zero throughout.
        if table_bits + int(np.count_nonzero(widths)) * channels * blocks > limit_bits:
            damaged("it ends before the last block's map")
        if not widths.any():
            check_end(data, table_bits, limit_bits)
            return np.zeros(header.shape, header.dtype)
        coefficients = np.empty(channels * blocks * COEFFICIENTS, np.int32)
        end = read_masked(data, table_bits, limit_bits, widths, True, coefficients)
        if end == -2:
            damaged("a zero among the non-zero coefficients")
        check_end(data, end, limit_bits)
        return self._reconstructed(coefficients.reshape(channels, -1), header)

    def _widths_read(self, header: Header, data: Bytes) -> Widths:
        if self.coding == "fixed":
            return np.full(COEFFICIENTS, self._widest(header.dtype), np.int64)
        table = unpack(data, 0, COEFFICIENTS, 3 + header.dtype.itemsize, signed=False)
        return table.astype(np.int64)

    def _reconstructed(self, coefficients: Words, header: Header) -> Map:
        channels, height, width = header.shape
        out = np.empty((channels, height, width), header.dtype)
        plane = np.empty((height, width), np.int32)
        edge = 1 << (7 + 8 * header.dtype.itemsize)
        limits = np.array([edge, *bounds(header.dtype)], dtype=np.int64)
        scale, shift = int(LEVEL_SCALE[self.qp % 6]), self.qp // 6
        for channel in range(channels):
            inverse_blocks(coefficients[channel], DCT8, scale, shift, limits, plane)
            out[channel] = plane
        return out

    def _least_bits(self, header: Header) -> int:
        if self.coding == "width-table":
            return self._table_bits(header.dtype)
        channels, height, width = header.shape
        return COEFFICIENTS * channels * _blocks(height) * _blocks(width)


def _blocks(side: int) -> int:
    """Blocks of 8 along a side."""
    return (side + 7) >> 3
