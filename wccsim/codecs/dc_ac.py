"""Residuals between maps of a layer, after the abstract of the DC-AC codec."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
from numba import njit

from wccsim.bitstream import Bytes, Words, buffer_for, get_bits, put_bits
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
    widened,
)
from wccsim.rice_code import (
    BLOCK,
    PARAMETER_BITS,
    left_residuals,
    read_rice,
    rice_bits,
    undo_residuals,
    write_rice,
)

REFERENCE_BITS = 3
MAX_CANDIDATES = 7


@njit(cache=True)
def _choose(
    x: Words, maps: int, row: int, candidates: int, width: int, references: Words, out: Words
) -> None:
    """references[c]: how many maps before c its reference lies, 0 for none; out: x minus it, wrapped.

    The measure is the sum of absolute differences to the left neighbour of what would be coded, since
    that is what the Rice code sees. The nearest of several, none before any.
    """
    half, mask = 1 << (width - 1), (1 << width) - 1
    size = x.size // maps
    for c in range(maps):
        best, least = 0, np.int64(-1)
        for back in range(min(candidates, c) + 1):
            total, left = np.int64(0), np.int64(0)
            for i in range(c * size, (c + 1) * size):
                value = np.int64(x[i])
                if back:
                    value = ((value - np.int64(x[i - back * size]) + half) & mask) - half
                total += abs(value - left) if i % row else abs(value)
                left = value
            if least < 0 or total < least:
                best, least = back, total
        references[c] = best
        for i in range(c * size, (c + 1) * size):
            value = np.int64(x[i])
            if best:
                value = ((value - np.int64(x[i - best * size]) + half) & mask) - half
            out[i] = np.int32(value)


@njit(cache=True)
def _restore(residuals: Words, maps: int, references: Words, width: int, signed: bool, out: Words) -> bool:
    """The words; False where a map without a reference leaves the range of its dtype."""
    mask, half = (1 << width) - 1, 1 << (width - 1)
    size = residuals.size // maps
    for c in range(maps):
        for i in range(c * size, (c + 1) * size):
            value = np.int64(residuals[i])
            if references[c]:
                value = (value + np.int64(out[i - references[c] * size])) & mask
                value = (value ^ half) - half if signed else value
            elif not (-half <= value < half if signed else 0 <= value <= mask):
                return False
            out[i] = np.int32(value)
    return True


@dataclass(frozen=True, slots=True)
class DcAc(Codec):
    """Each map minus the most similar of the `candidates` maps before it, or minus none; then `rice`.

    Per map a 3-bit index, 0 for none. Similar: least sum of absolute left differences of the residual,
    which wraps to w bits. The residual goes through the left prediction and Rice code of `rice`.
    """

    NAME: ClassVar[str] = "dc-ac-style"
    ABOUT: ClassVar[str] = "residual to the most similar map of the layer, Rice coded"
    SOURCE: ClassVar[str] = (
        "after the abstract of Bae et al., DC-AC, ISCAS 2021; candidates and coder are ours"
    )
    LOSSLESS: ClassVar[bool] = True

    candidates: int = 4
    word_bits: int | None = None

    def __post_init__(self) -> None:
        check_integer(self.NAME, "candidates", self.candidates, 0, MAX_CANDIDATES)
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 1, 16)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        # Per candidate and for none: the difference, the left difference and the sum; then the coder's.
        adds = Fraction(3 * self.candidates + 2 + 2)
        return CodecCost(
            encode_adds=adds,
            encode_bops=adds * value_bits,
            decode_adds=Fraction(2),
            decode_bops=Fraction(2 * value_bits),
            buffer_bits=max(1, self.candidates) * shape[1] * shape[2] * value_bits,
        )

    def _residuals(self, x: Map) -> tuple[Words, Words]:
        """(references per map, mapped residuals)."""
        references, residuals = np.zeros(x.shape[0], np.int32), np.empty(x.size, np.int32)
        width = self._word_bits(x.dtype)
        _choose(widened(x), x.shape[0], x.shape[2], self.candidates, width, references, residuals)
        mapped = np.empty_like(residuals)
        left_residuals(residuals, x.shape[2], mapped)
        return references, mapped

    def _write(self, x: Map) -> Body:
        references, mapped = self._residuals(x)
        raw = self._raw(x.dtype)
        index_bits = REFERENCE_BITS * x.shape[0]
        bits = index_bits + int(rice_bits(mapped, raw))
        out = buffer_for(bits)
        for number, reference in enumerate(references.tolist()):
            put_bits(out, REFERENCE_BITS * number, reference, REFERENCE_BITS)
        write_rice(mapped, raw, out, index_bits)
        parameters = PARAMETER_BITS * -(-x.size // BLOCK)
        payload = bits - index_bits - parameters
        return Body(out, bits, {"index": index_bits, "parameters": parameters, "payload": payload})

    def _raw(self, dtype: np.dtype[Any]) -> int:
        """Bits of any mapped residual: the residuals of one map span 2^w, their differences twice that."""
        return self._word_bits(dtype) + 1

    def _body_bits(self, x: Map) -> int:
        _, mapped = self._residuals(x)
        return int(REFERENCE_BITS * x.shape[0] + rice_bits(mapped, self._raw(x.dtype)))

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        maps, width = header.shape[0], self._word_bits(header.dtype)
        index_bits = REFERENCE_BITS * maps
        references = np.array([get_bits(data, REFERENCE_BITS * c, REFERENCE_BITS) for c in range(maps)])
        if np.any(references > np.minimum(np.arange(maps), self.candidates)):
            damaged("a reference to a map that is not there")
        mapped = np.empty(header.values, np.int32)
        check_end(data, read_rice(data, index_bits, limit_bits, self._raw(header.dtype), mapped), limit_bits)
        span = 1 << width
        out = np.empty(header.values, np.int32)
        if not undo_residuals(mapped, header.shape[2], True, -span, span - 1, mapped) or not _restore(
            mapped, maps, references.astype(np.int32), width, header.signed, out
        ):
            damaged("a residual leaves the range of the words")
        return out.astype(header.dtype).reshape(header.shape)

    def _least_bits(self, header: Header) -> int:
        blocks = -(-header.values // BLOCK)
        return REFERENCE_BITS * header.shape[0] + header.values + PARAMETER_BITS * blocks
