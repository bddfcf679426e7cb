"""Run-length coding of zeros: the words of Eyeriss, or a plain stream of runs and values."""

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

WORD_BITS = 64
RUN_BITS = 5
ZERO_RUN = 16


@njit(cache=True)
def _count_pairs(x: Words, longest: int) -> int:
    """(run, level) pairs of Eyeriss's coding, runs of up to `longest` zeros before a level."""
    pairs = run = 0
    for i in range(x.size):
        if x[i] or run == longest:
            pairs += 1
            run = 0
        else:
            run += 1
    return pairs + (run > 0)


@njit(cache=True)
def _write_pairs(x: Words, per_word: int, width: int, out: Bytes) -> None:
    """Pairs fill 64-bit words from the left; the last word of the map ends in a one."""
    pairs = run = 0
    for i in range(x.size):
        tail = i == x.size - 1
        if x[i] or run == 31 or tail:
            position = pairs // per_word * WORD_BITS + pairs % per_word * (RUN_BITS + width)
            position = put_bits(out, position, run, RUN_BITS)
            put_bits(out, position, np.int64(x[i]), width)
            pairs += 1
            run = 0
        else:
            run += 1
    words = (pairs + per_word - 1) // per_word
    put_bits(out, words * WORD_BITS - 1, 1, 1)


@njit(cache=True)
def _read_pairs(data: Bytes, limit: int, per_word: int, width: int, signed: bool, out: Words) -> int:
    """Bits read; -1 at an early end, -2 at a pair or a word that no encoder writes."""
    filled = pairs = 0
    while filled < out.size:
        word = pairs // per_word * WORD_BITS
        if word + WORD_BITS > limit:
            return -1
        position = word + pairs % per_word * (RUN_BITS + width)
        run = get_bits(data, position, RUN_BITS)
        level = get_bits(data, position + RUN_BITS, width)
        if filled + run >= out.size or (level == 0 and run < 31 and filled + run != out.size - 1):
            return -2
        out[filled : filled + run] = 0
        out[filled + run] = sign_extended(level, width) if signed else level
        filled += run + 1
        pairs += 1
        if pairs % per_word == 0 or filled == out.size:
            used = word + ((pairs - 1) % per_word + 1) * (RUN_BITS + width)
            while used < word + WORD_BITS - 1:
                if get_bits(data, used, 1):
                    return -2
                used += 1
            if get_bits(data, word + WORD_BITS - 1, 1) != (filled == out.size):
                return -2
    return (pairs + per_word - 1) // per_word * WORD_BITS


@njit(cache=True)
def _zero_run_bits(x: Words, width: int) -> int:
    bits = run = 0
    for i in range(x.size):
        if x[i]:
            bits += 1 + width
            run = 0
        else:
            bits += 5 if run == 0 else 0
            run = (run + 1) % ZERO_RUN
    return bits


@njit(cache=True)
def _write_zero_runs(x: Words, width: int, out: Bytes) -> None:
    position = run = 0
    for i in range(x.size):
        if x[i] == 0:
            run += 1
        if run and (x[i] or run == ZERO_RUN or i == x.size - 1):
            position = put_bits(out, position, run - 1, 5)
            run = 0
        if x[i]:
            position = put_bits(out, position, 1, 1)
            position = put_bits(out, position, np.int64(x[i]), width)


@njit(cache=True)
def _read_zero_runs(data: Bytes, limit: int, width: int, signed: bool, out: Words) -> int:
    position = filled = 0
    while filled < out.size:
        if position >= limit:
            return -1
        if get_bits(data, position, 1):
            value = get_bits(data, position + 1, width)
            if value == 0:
                return -2
            out[filled] = sign_extended(value, width) if signed else value
            filled += 1
            position += 1 + width
        else:
            run = get_bits(data, position, 5) + 1
            if filled + run > out.size:
                return -2
            out[filled : filled + run] = 0
            filled += run
            position += 5
    return position


@dataclass(frozen=True, slots=True)
class Rlc(Codec):
    """Runs of zeros and the levels between them.

    layout "eyeriss": (run 5 bits, level w bits) pairs in 64-bit words: four pairs and 11 zeros for w
    up to 8, three pairs for w = 16, then a bit that marks the last word. A level is zero only after a
    run of 31, or as the map's last value. layout "zero-run": `0` and run - 1 in 4 bits for 1 to 16
    zeros, `1` and the value otherwise. `word_bits` (zero-run only) defaults to the dtype's width.
    """

    NAME: ClassVar[str] = "rlc"
    ABOUT: ClassVar[str] = "run-length coding of zeros"
    SOURCE: ClassVar[str] = (
        "Chen et al., Eyeriss, JSSC 2017, the tail is our choice; "
        "zero-run: lukasc-ch/ExtendedBitPlaneCompression"
    )
    LOSSLESS: ClassVar[bool] = True

    layout: str = "eyeriss"
    word_bits: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.NAME, "layout", self.layout, ("eyeriss", "zero-run"))
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 1, 16)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        return CodecCost(buffer_bits=WORD_BITS if self.layout == "eyeriss" else value_bits + 5)

    def _write(self, x: Map) -> Body:
        flat, bits = widened(x), self._body_bits(x)
        out = buffer_for(bits)
        if self.layout == "eyeriss":
            _write_pairs(flat, *_word_layout(x.dtype.itemsize), out)
        else:
            _write_zero_runs(flat, self._word_bits(x.dtype), out)
        return Body(out, bits, {"payload": bits})

    def _body_bits(self, x: Map) -> int:
        if self.layout == "zero-run":
            return int(_zero_run_bits(widened(x), self._word_bits(x.dtype)))
        per_word, _ = _word_layout(x.dtype.itemsize)
        return WORD_BITS * -(-int(_count_pairs(widened(x), 31)) // per_word)

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        out = np.empty(header.values, np.int32)
        if self.layout == "eyeriss":
            layout = _word_layout(header.dtype.itemsize)
            end = _read_pairs(data, limit_bits, *layout, header.signed, out)
        else:
            width = self._word_bits(header.dtype)
            end = _read_zero_runs(data, limit_bits, width, header.signed, out)
        if end == -2:
            damaged("a run or level that no encoder writes")
        check_end(data, end, limit_bits)
        return narrowed(out, header)

    def _least_bits(self, header: Header) -> int:
        if self.layout == "zero-run":
            return 5 * -(-header.values // ZERO_RUN)
        per_word, _ = _word_layout(header.dtype.itemsize)
        return WORD_BITS * -(-header.values // (32 * per_word))


def _word_layout(itemsize: int) -> tuple[int, int]:
    """Pairs in a 64-bit word and bits of a level."""
    return (4, 8) if itemsize == 1 else (3, 16)
