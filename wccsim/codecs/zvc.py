"""Zero-value compression: a presence map and the non-zero words."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np
from numba import njit

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


@njit(cache=True)
def _write_zvc(x: Words, block: int, width: int, out: Bytes) -> None:
    position = 0
    for start in range(0, x.size, block):
        stop = min(start + block, x.size)
        for i in range(start, stop):
            position = put_bits(out, position, 1 if x[i] else 0, 1)
        for i in range(start, stop):
            if x[i]:
                position = put_bits(out, position, np.int64(x[i]), width)


@njit(cache=True)
def _read_zvc(data: Bytes, limit: int, block: int, width: int, signed: bool, out: Words) -> int:
    """Bits read, or -1 where the stream ends early, -2 at a zero among the non-zero words."""
    position = 0
    for start in range(0, out.size, block):
        stop = min(start + block, out.size)
        presence = position
        position += stop - start
        for i in range(start, stop):
            out[i] = 0
            if position > limit:
                return -1
            if get_bits(data, presence + i - start, 1):
                value = get_bits(data, position, width)
                if value == 0:
                    return -2
                out[i] = sign_extended(value, width) if signed else value
                position += width
    return position


@dataclass(frozen=True, slots=True)
class Zvc(Codec):
    """V + w * nnz bits: per 32 values a 32-bit map, then the non-zero words of w bits.

    layout "interleaved" puts each presence bit before its word instead (same length; the form of the
    ETH reference). `word_bits` w defaults to the dtype's width; the last block's map is as long as
    the block.
    """

    NAME: ClassVar[str] = "zvc"
    ABOUT: ClassVar[str] = "zero-value compression: presence map and non-zero words"
    SOURCE: ClassVar[str] = (
        "Rhu et al., Compressing DMA Engine, HPCA 2018; order within a block as usually described"
    )
    LOSSLESS: ClassVar[bool] = True

    layout: str = "blocks"
    word_bits: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.NAME, "layout", self.layout, ("blocks", "interleaved"))
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 1, 16)

    @property
    def _block(self) -> int:
        return 32 if self.layout == "blocks" else 1

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        return CodecCost(buffer_bits=self._block * (value_bits + 1))

    def _write(self, x: Map) -> Body:
        width = self._word_bits(x.dtype)
        nonzero_bits = width * int(np.count_nonzero(x))
        bits = x.size + nonzero_bits
        out = buffer_for(bits)
        _write_zvc(widened(x), self._block, width, out)
        return Body(out, bits, {"map": x.size, "payload": nonzero_bits})

    def _body_bits(self, x: Map) -> int:
        return x.size + self._word_bits(x.dtype) * int(np.count_nonzero(x))

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        out = np.empty(header.values, np.int32)
        width = self._word_bits(header.dtype)
        end = _read_zvc(data, limit_bits, self._block, width, header.signed, out)
        if end == -2:
            damaged("a zero among the non-zero words")
        check_end(data, end, limit_bits)
        return narrowed(out, header)

    def _least_bits(self, header: Header) -> int:
        return header.values
