"""Extended bit-plane compression, bit for bit as its hardware does it."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from wccsim.bitstream import Bytes, Words, buffer_for, get_bits, place, put_bits
from wccsim.codecs.base import (
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    check_end,
    check_integer,
    damaged,
    narrowed,
    widened,
)
from wccsim.codecs.bit_planes import (
    read_planes,
    read_zero_map,
    write_planes,
    write_zero_map,
)
from wccsim.errors import WccsimError

COUNT_BITS = 24
ZERO_RUN = 16


@dataclass(frozen=True, slots=True)
class Ebpc(Codec):
    """A zero/non-zero stream and a bit-plane stream of the non-zero words.

    Zero/non-zero: 1 for a non-zero word, 0 and run - 1 in 4 bits for 1 to 16 zeros. Bit planes:
    blocks of `block` non-zero words (the last filled up with zeros); the first word as it is, then
    the planes of the differences, least significant first, each as the difference to the plane
    before. Both streams are padded to whole words of w bits; 24 bits hold the element count modulo
    2^24. `block` is 8, or 16 for words of 16 bits; `word_bits` w defaults to the dtype's width.
    """

    NAME: ClassVar[str] = "ebpc"
    ABOUT: ClassVar[str] = "extended bit-plane compression"
    SOURCE: ClassVar[str] = "Cavigelli, Rutishauser, Benini, JETCAS 2019; pulp-platform/stream-ebpc b1dc45b"
    LOSSLESS: ClassVar[bool] = True

    block: int = 8
    word_bits: int | None = None

    def __post_init__(self) -> None:
        if self.block not in (8, 16):
            raise WccsimError(f"ebpc: block is {self.block!r}; allowed: 8, 16")
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 2, 16)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        # One subtraction a word in w + 1 bits; the planes' exclusive ors, (w + 1)(n - 1) per block of
        # n, are gates that BOPs do not count.
        bops = Fraction(value_bits + 1)
        return CodecCost(
            encode_adds=Fraction(1),
            encode_bops=bops,
            decode_adds=Fraction(1),
            decode_bops=bops,
            buffer_bits=2 * self.block * (value_bits + 1),
        )

    def _width(self, dtype: np.dtype[np.generic]) -> int:
        width = self._word_bits(dtype)
        if self.block == 16 and width < 16:
            raise WccsimError(f"ebpc: block 16 needs words of 16 bits, not {width}")
        return width

    def _streams(self, x: Map, write: bool) -> tuple[Bytes, int, Bytes, int]:
        """Both streams and their bits; the buffers stay empty when not writing."""
        flat, width = widened(x), self._width(x.dtype)
        words = flat[flat != 0]
        blocks = -(-words.size // self.block)
        filled = np.zeros(blocks * self.block, np.int32)
        filled[: words.size] = words
        # A lone zero costs 5 bits, so two values cost at most 6; a plane at most `block` bits.
        zeros = buffer_for(3 * x.size + 8 if write else 0)
        planes = buffer_for(blocks * (width + (width + 1) * self.block) if write else 0)
        zero_bits = write_zero_map(flat, zeros, write)
        return zeros, zero_bits, planes, write_planes(filled, self.block, width, planes, write)

    def _write(self, x: Map) -> Body:
        zeros, zero_bits, planes, plane_bits = self._streams(x, write=True)
        width = self._width(x.dtype)
        zero_words, plane_words = -(-zero_bits // width), -(-plane_bits // width)
        bits = COUNT_BITS + width * (zero_words + plane_words)
        out = buffer_for(bits + 64)
        put_bits(out, 0, x.size & 0xFFFFFF, COUNT_BITS)
        place(zeros, zero_bits, out, COUNT_BITS)
        place(planes, plane_bits, out, COUNT_BITS + width * zero_words)
        breakdown = {
            "count": COUNT_BITS,
            "zero_map": zero_bits,
            "payload": plane_bits,
            "padding": bits - COUNT_BITS - zero_bits - plane_bits,
        }
        return Body(out, bits, breakdown)

    def _body_bits(self, x: Map) -> int:
        _, zero_bits, _, plane_bits = self._streams(x, write=False)
        width = self._width(x.dtype)
        return COUNT_BITS + width * (-(-zero_bits // width) - (-plane_bits // width))

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        width = self._width(header.dtype)
        if get_bits(data, 0, COUNT_BITS) != header.values & 0xFFFFFF:
            damaged("the element count is not the header's")
        present = np.empty(header.values, np.bool_)
        end = read_zero_map(data, COUNT_BITS, limit_bits, present)
        at = COUNT_BITS + -(-(end - COUNT_BITS) // width) * width
        if end < 0 or at > limit_bits:
            damaged("the zero map ends early or is longer than the map")
        _check_padding(data, end, at)
        count = int(np.count_nonzero(present))
        words = np.empty(-(-count // self.block) * self.block, np.int32)
        end = read_planes(data, at, limit_bits, self.block, width, header.signed, words)
        if end == -2 or (end >= 0 and (np.any(words[:count] == 0) or np.any(words[count:]))):
            damaged("a bit plane that no encoder writes")
        if end < 0:
            damaged("it ends before the last value")
        last = at + -(-(end - at) // width) * width
        check_end(data, last, limit_bits)
        _check_padding(data, end, last)
        out: Words = np.zeros(header.values, np.int32)
        out[present] = words[:count]
        return narrowed(out, header)

    def _least_bits(self, header: Header) -> int:
        return COUNT_BITS + 5 * -(-header.values // ZERO_RUN)


def _check_padding(data: Bytes, start: int, stop: int) -> None:
    """Refuse ones in the fewer than 16 bits from start to stop."""
    if get_bits(data, start, stop - start):
        damaged("the padding of a stream is not zero")
