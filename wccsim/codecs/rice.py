"""Rice coding of the words or of their differences along a row."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from wccsim.bitstream import Bytes, Words, buffer_for
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
from wccsim.rice_code import (
    BLOCK,
    PARAMETER_BITS,
    left_residuals,
    plain_residuals,
    read_rice,
    rice_bits,
    undo_residuals,
    write_rice,
)


@dataclass(frozen=True, slots=True)
class Rice(Codec):
    """Left prediction per row (or none), zig-zag, blocks of 16 with their own 3-bit parameter.

    A quotient of 8 or more is sent as eight ones and the mapped residual in w + 1 bits.
    """

    NAME: ClassVar[str] = "rice"
    ABOUT: ClassVar[str] = "Rice code of residuals, a parameter per 16 values"
    SOURCE: ClassVar[str] = (
        "Rice and Plaunt 1971; Rice, JPL 79-22 (block-adaptive); escape and block are ours"
    )
    LOSSLESS: ClassVar[bool] = True

    predictor: str = "left"
    word_bits: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.NAME, "predictor", self.predictor, ("left", "none"))
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 1, 16)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        adds = Fraction(self.predictor == "left")
        return CodecCost(
            encode_adds=adds,
            encode_bops=adds * value_bits,
            decode_adds=adds,
            decode_bops=adds * value_bits,
            buffer_bits=BLOCK * (value_bits + 1),
        )

    def _mapped(self, x: Map) -> Words:
        flat = widened(x)
        out = np.empty_like(flat)
        if self.predictor == "left":
            left_residuals(flat, x.shape[2], out)
        else:
            plain_residuals(flat, out)
        return out

    def _raw(self, dtype: np.dtype[np.generic]) -> int:
        return self._word_bits(dtype) + 1

    def _write(self, x: Map) -> Body:
        mapped = self._mapped(x)
        bits = int(rice_bits(mapped, self._raw(x.dtype)))
        out = buffer_for(bits)
        write_rice(mapped, self._raw(x.dtype), out, 0)
        parameters = PARAMETER_BITS * -(-x.size // BLOCK)
        return Body(out, bits, {"parameters": parameters, "payload": bits - parameters})

    def _body_bits(self, x: Map) -> int:
        return int(rice_bits(self._mapped(x), self._raw(x.dtype)))

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        out = np.empty(header.values, np.int32)
        check_end(data, read_rice(data, 0, limit_bits, self._raw(header.dtype), out), limit_bits)
        low, high = bounds(header.dtype, self._word_bits(header.dtype))
        if not undo_residuals(out, header.shape[2], self.predictor == "left", low, high, out):
            damaged("a residual leaves the range of the words")
        return narrowed(out, header)

    def _least_bits(self, header: Header) -> int:
        return header.values + PARAMETER_BITS * -(-header.values // BLOCK)
