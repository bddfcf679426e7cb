"""A 1-D DCT across channels with masks, after the abstract of DCT-CM."""

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
    narrowed,
    widened,
)
from wccsim.codecs.dct import (
    DCT4,
    DCT8,
    LEVEL_SCALE,
    MAX_QP,
    QUANTISE_SCALE,
    forward_channels,
    inverse_channels,
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

DIRECT = 1 << 15  # the header's mode bit, beside qp
MATRICES = {8: DCT8, 4: DCT4}
QP_OFFSET = {8: 3, 4: 0}  # the matrix of 8 has a gain of sqrt(2) over that of 4, half an octave of QP
INVERSE_SHIFT = {8: 14, 4: 13}


@dataclass(frozen=True, slots=True)
class DctCm(Codec):
    """The HEVC core transform over groups of 8 (or 4) channels at each position, then masks.

    mode "dct": coefficients quantised with step 2^((qp - 4) / 6) input LSBs, a map over the
    frequencies that occur and their non-zeros, whose widths are in a table (coding "width-table") or
    all `width` ("fixed", saturating). mode "direct": the map and non-zeros of the words themselves,
    without loss. "auto" takes the shorter. Zeros fill the last group and count. `relu_mask` adds one
    bit a value that restores every zero exactly.
    """

    NAME: ClassVar[str] = "dct-cm-style"
    ABOUT: ClassVar[str] = "1-D DCT across channels with masks"
    SOURCE: ClassVar[str] = (
        "after the abstract of Shi et al., arXiv 2106.12850; transform, masks and format are ours"
    )

    qp: int = 22
    group: int = 8
    mode: str = "auto"
    coding: str = "width-table"
    width: int = 10
    relu_mask: bool = False

    def __post_init__(self) -> None:
        check_integer(self.NAME, "qp", self.qp, 0, MAX_QP + 48)
        if self.group not in MATRICES:
            raise WccsimError(f"{self.NAME}: group is {self.group!r}; allowed: 4, 8")
        check_choice(self.NAME, "mode", self.mode, ("auto", "dct", "direct"))
        check_choice(self.NAME, "coding", self.coding, ("width-table", "fixed"))
        check_integer(self.NAME, "width", self.width, 2, 20)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        n = self.group
        # Even/odd butterflies: 20 constant multiplies and 28 adds for 8 points, 6 and 8 for 4; one more
        # multiply a value for the quantiser, 15 bits by the 10 + b bits of a coefficient.
        multiplies, adds = (Fraction(20, 8), Fraction(28, 8)) if n == 8 else (Fraction(6, 4), Fraction(2))
        bops = multiplies * value_bits * 8 + adds * value_bits
        scaling = Fraction(15 * (value_bits + 10))
        return CodecCost(
            encode_adds=adds,
            encode_multiplies=multiplies + 1,
            encode_bops=bops,
            encode_side_bops=scaling,
            decode_adds=adds,
            decode_multiplies=multiplies + 1,
            decode_bops=bops,
            decode_side_bops=scaling,
            buffer_bits=n * value_bits,
        )

    def _qp(self, dtype: np.dtype[Any]) -> int:
        most = MAX_QP + 6 * (8 * dtype.itemsize - 8)
        if self.qp > most:
            raise WccsimError(f"{self.NAME}: qp is {self.qp}; for {dtype} allowed: 0 to {most}")
        return self.qp + QP_OFFSET[self.group]

    def _widest(self, dtype: np.dtype[Any]) -> int:
        return self.width if self.coding == "fixed" else (1 << (3 + dtype.itemsize)) - 1

    def _coefficients(self, x: Map) -> Words:
        qp, channels = self._qp(x.dtype), x.shape[0]
        vectors = -(-channels // self.group) * (x.size // channels)
        out = np.empty(vectors * self.group, np.int32)
        top = (1 << (self._widest(x.dtype) - 1)) - 1
        scale = int(QUANTISE_SCALE[qp % 6])
        forward_channels(widened(x), MATRICES[self.group], channels, scale, 21 + qp // 6, top, out)
        return out

    def _table(self, dtype: np.dtype[Any], most: list[int]) -> tuple[Bytes, int, Widths]:
        """The table or mask as sent, its bits, and the width of each frequency."""
        if self.coding == "width-table":
            widths, entry = width_table(most), 3 + dtype.itemsize
            return pack(widths, entry), entry * self.group, widths
        occurs = np.array([m > 0 for m in most], dtype=np.int64)
        return pack(occurs, 1), self.group, occurs * self.width

    def _dct(self, x: Map) -> tuple[Words, Bytes, Widths, dict[str, int]]:
        coefficients = self._coefficients(x)
        most, nonzeros = statistics(coefficients, self.group)
        table, table_bits, widths = self._table(x.dtype, most)
        map_bits, payload_bits = masked_bits(widths, nonzeros, coefficients.size // self.group)
        sizes = {"table": table_bits, "map": map_bits, "payload": payload_bits}
        return coefficients, table, widths, sizes | ({"relu_mask": x.size} if self.relu_mask else {})

    def _direct_bits(self, x: Map) -> dict[str, int]:
        vectors = -(-x.shape[0] // self.group) * (x.size // x.shape[0])
        words = 8 * x.dtype.itemsize * int(np.count_nonzero(x))
        return {"map": vectors * self.group, "payload": words}

    def _direct(self, x: Map, sizes: dict[str, int]) -> Body:
        channels = x.shape[0]
        filled = np.zeros((-(-channels // self.group) * self.group, x.size // channels), np.int32)
        filled[:channels] = x.reshape(channels, -1)
        vectors = filled.reshape(-1, self.group, filled.shape[1]).transpose(0, 2, 1).ravel()
        out = buffer_for(sum(sizes.values()))
        write_masked(vectors, np.full(self.group, 8 * x.dtype.itemsize, np.int64), out, 0)
        return Body(out, sum(sizes.values()), sizes, self.qp | DIRECT)

    def _write(self, x: Map) -> Body:
        direct = self._direct_bits(x)
        self._qp(x.dtype)
        if self.mode == "direct":
            return self._direct(x, direct)
        coefficients, table, widths, sizes = self._dct(x)
        bits = sum(sizes.values())
        if self.mode == "auto" and sum(direct.values()) <= bits:
            return self._direct(x, direct)
        out = buffer_for(bits + 7)
        out[: table.size] = table
        at = write_masked(coefficients, widths, out, sizes["table"])
        if self.relu_mask:
            _write_flags(x.ravel() != 0, out, at)
        return Body(out, bits, sizes, self.qp)

    def _body_bits(self, x: Map) -> int:
        direct = sum(self._direct_bits(x).values())
        if self.mode == "direct":
            return direct
        bits = sum(self._dct(x)[3].values())
        return min(bits, direct) if self.mode == "auto" else bits

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        direct = bool(header.parameter & DIRECT)
        if header.parameter & ~DIRECT != self.qp or (direct and self.mode == "dct"):
            damaged(f"its parameter {header.parameter} is not that of qp {self.qp}, mode {self.mode}")
        channels, width = header.shape[0], 8 * header.dtype.itemsize
        vectors = -(-channels // self.group) * (header.values // channels)
        if direct:
            start, widths, signed = 0, np.full(self.group, width, np.int64), header.signed
        else:
            start, widths = self._table_read(header, data)
            signed = True
        mask_bits = header.values if self.relu_mask and not direct else 0
        if start + int(np.count_nonzero(widths)) * vectors + mask_bits > limit_bits:
            damaged("it ends before the last map")
        if not widths.any():
            check_end(data, start + mask_bits, limit_bits)
            return np.zeros(header.shape, header.dtype)
        coefficients = np.empty(vectors * self.group, np.int32)
        end = read_masked(data, start, limit_bits, widths, signed, coefficients)
        if end == -2:
            damaged("a zero among the non-zero words")
        check_end(data, end + mask_bits if end >= 0 else end, limit_bits)
        if direct:
            return self._from_vectors(coefficients, header)
        y = self._reconstructed(coefficients, header)
        if self.relu_mask:
            y[unpack(data, end, header.values, 1, signed=False).reshape(header.shape) == 0] = 0
        return y

    def _table_read(self, header: Header, data: Bytes) -> tuple[int, Widths]:
        entry = 3 + header.dtype.itemsize if self.coding == "width-table" else 1
        table = unpack(data, 0, self.group, entry, signed=False).astype(np.int64)
        return entry * self.group, table if self.coding == "width-table" else table * self.width

    def _from_vectors(self, vectors: Words, header: Header) -> Map:
        channels = header.shape[0]
        grouped = vectors.reshape(-1, header.values // channels, self.group).transpose(0, 2, 1)
        flat = grouped.reshape(-1, header.values // channels)
        if np.any(flat[channels:]):
            damaged("a word in a channel that the map has not")
        return narrowed(flat[:channels], header)

    def _reconstructed(self, coefficients: Words, header: Header) -> Map:
        qp = self._qp(header.dtype)
        out = np.empty(header.values, np.int32)
        scale, shift = int(LEVEL_SCALE[qp % 6]), INVERSE_SHIFT[self.group]
        matrix, limits = MATRICES[self.group], bounds(header.dtype)
        inverse_channels(coefficients, matrix, header.shape[0], scale, qp // 6, shift, *limits, out)
        return narrowed(out, header)

    def _least_bits(self, header: Header) -> int:
        return 0 if not self.relu_mask or header.parameter & DIRECT else header.values


def _write_flags(flags: np.ndarray[Any, np.dtype[np.bool_]], out: Bytes, position: int) -> None:
    """One bit per flag at `position`; the byte there may be partly used."""
    spare = position & 7
    padded = np.concatenate([np.zeros(spare, np.bool_), flags])
    packed = np.packbits(padded)
    out[position >> 3 : (position >> 3) + packed.size] |= packed
