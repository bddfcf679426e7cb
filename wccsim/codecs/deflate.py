"""DEFLATE of the packed words: no hardware codec, but the lossless yardstick everyone has."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from wccsim.bitstream import TAIL_BYTES, Bytes, bytes_for, pack, readable, unpack
from wccsim.codecs.base import (
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    check_integer,
    damaged,
    narrowed,
)

MOST_EXPANSION = 1032  # a DEFLATE stream never inflates further: 258 bytes from 2 bits


@dataclass(frozen=True, slots=True)
class Deflate(Codec):
    """A raw DEFLATE stream (RFC 1951, no zlib frame) of the words, most significant byte first."""

    NAME: ClassVar[str] = "deflate"
    ABOUT: ClassVar[str] = "DEFLATE of the packed words: a yardstick, not hardware"
    SOURCE: ClassVar[str] = "RFC 1951; Python's zlib"
    LOSSLESS: ClassVar[bool] = True

    level: int = 9
    word_bits: int | None = None

    def __post_init__(self) -> None:
        check_integer(self.NAME, "level", self.level, 1, 9)
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 1, 16)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        return CodecCost(buffer_bits=8 << 15)

    def _write(self, x: Map) -> Body:
        packed = pack(x, self._word_bits(x.dtype)).tobytes()
        squeezed = zlib.compressobj(self.level, zlib.DEFLATED, -zlib.MAX_WBITS)
        data = squeezed.compress(packed) + squeezed.flush()
        return Body(np.frombuffer(data, np.uint8), 8 * len(data), {"payload": 8 * len(data)})

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        width = self._word_bits(header.dtype)
        expected = bytes_for(header.values * width)
        inflater = zlib.decompressobj(-zlib.MAX_WBITS)
        try:
            packed = inflater.decompress(data[:-TAIL_BYTES].tobytes(), expected + 1)
        except zlib.error as problem:
            damaged(str(problem))
        if len(packed) != expected or not inflater.eof or inflater.unused_data:
            damaged(f"{len(packed)} bytes of words, not {expected}")
        words = unpack(readable(packed), 0, header.values, width, header.signed)
        return narrowed(words, header)

    def _least_bits(self, header: Header) -> int:
        return 8 * -(-bytes_for(header.values * self._word_bits(header.dtype)) // MOST_EXPANSION)
