"""WCC as a storage codec: the datapath's own stages up to R1, then the real index memory and words."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from wccsim.arith import bit_length_of_count, multiplier_and_shift
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
from wccsim.codecs.bitstream import Bytes, Words, buffer_for, get_bits, put_bits
from wccsim.codecs.wcc_step import QuantiserStep, find_step
from wccsim.codecs.wcc_words import read_words, word_bits, write_words
from wccsim.datapath.bitmap import IndexMemory, rice_prefix
from wccsim.datapath.bitmap import decode as decode_index
from wccsim.datapath.bitmap import encode as encode_index
from wccsim.datapath.haar import forward, inverse
from wccsim.datapath.pad import pad
from wccsim.datapath.requant import requantise
from wccsim.datapath.score import score
from wccsim.datapath.select import select
from wccsim.datapath.subbands import subband_map, subbands
from wccsim.errors import WccsimError
from wccsim.parameters import INDEX_FORMATS, MAX_LEVELS, padded, parse_keep

Ints = npt.NDArray[np.int64]
SHIFT_BITS = 6
MOST_SHIFT = 30  # of R1, plus levels: beyond it R3's shift would be below 1
EXTRA_BITS = 3


@dataclass(frozen=True, slots=True)
class _Layout:
    """What keep, levels and a shape fix: sizes, and per flat index the level and the word's width."""

    height: int
    width: int
    positions: int
    kept: int
    level: Ints
    width_bits: Ints
    group: Ints
    limits: list[tuple[int, int]]


@dataclass(frozen=True, slots=True)
class _Quantised:
    """The kept positions of a map and their words, int32[C, k]."""

    layout: _Layout
    flags: npt.NDArray[np.bool_]
    step: QuantiserStep
    widths: Ints
    words: Words


@dataclass(frozen=True, slots=True)
class Wcc(Codec):
    """Integer Haar, joint selection of floor(keep N) positions, one signed quantiser, index memory.

    levels 1 to 5; `bits` a kept coefficient; `detail_bits` those of the LH, HL, HH bands where they
    are to be narrower. `alpha` is the clip in input LSBs on the orthonormal grid; without it the step of
    least squared error is searched. `per_level_shift` doubles the step by 2^0..2^7 per level, searched
    with it. index: bitmap, list or rice. padding to multiples of 2^levels with zeros, or "edge", which a
    decoder cannot tell. words: fixed widths, or "rice", a Rice code with a parameter per 16 words.
    Every kept position counts, padded ones too: the stream is [s 6][shifts 3 L][index][words], M in
    the header.
    """

    NAME: ClassVar[str] = "wcc"
    ABOUT: ClassVar[str] = "wavelet shrinkage: joint top-k of Haar coefficients, one clip"
    SOURCE: ClassVar[str] = "Finder et al., Wavelet Feature Maps Compression, NeurIPS 2022; docs/datapath.md"

    keep: Fraction | str | float = Fraction(1, 4)
    levels: int = 3
    bits: int = 8
    detail_bits: int | None = None
    alpha: int | None = None
    per_level_shift: bool = False
    index: str = "bitmap"
    padding: str = "zeros"
    words: str = "fixed"

    def __post_init__(self) -> None:
        object.__setattr__(self, "keep", parse_keep(self.keep))
        check_integer(self.NAME, "levels", self.levels, 1, MAX_LEVELS)
        check_integer(self.NAME, "bits", self.bits, 2, 16)
        check_choice(self.NAME, "index", self.index, INDEX_FORMATS)
        check_choice(self.NAME, "padding", self.padding, ("zeros", "edge"))
        check_choice(self.NAME, "words", self.words, ("fixed", "rice"))
        if self.detail_bits is not None:
            check_integer(self.NAME, "detail_bits", self.detail_bits, 2, self.bits)
        if self.alpha is not None:
            check_integer(self.NAME, "alpha", self.alpha, 1, 1 << 20)
        if not isinstance(self.per_level_shift, bool):
            raise WccsimError(f"wcc: per_level_shift is {self.per_level_shift!r}; allowed: True, False")
        if self.alpha is not None and self.per_level_shift:
            raise WccsimError("wcc: alpha fixes the one step; per_level_shift searches several: give one")

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        channels, height, width = shape
        positions = padded(height, self.levels) * padded(width, self.levels)
        grown = Fraction(positions, height * width)  # padded positions are work too
        # A butterfly of 4 values is 8 adds; the paper's figure for a direction, 4 b (1 + 1/4 + ...) a
        # value, counts 16. `adds` holds the former, `bops` the latter.
        haar = 4 * grown * sum(Fraction(1, 4**level) for level in range(self.levels))
        word = value_bits + 2 * self.levels
        kept = Fraction(self.keep) * grown
        score_bits = 2 * (word - 1) + bit_length_of_count(channels) + 1
        return CodecCost(
            encode_adds=haar / 2 + grown,
            encode_multiplies=grown + kept,
            encode_bops=haar * value_bits,
            encode_side_bops=grown * (word * word + score_bits) + kept * 16 * word,
            decode_adds=haar / 2,
            decode_multiplies=Fraction(1),
            decode_bops=haar * value_bits,
            decode_side_bops=Fraction(16 * (self.bits + self.levels + 2)),
            buffer_bits=positions * (channels * word + score_bits),
        )

    def _layout(self, shape: Shape) -> _Layout:
        height, width = padded(shape[1], self.levels), padded(shape[2], self.levels)
        kept = floor(Fraction(self.keep) * height * width)
        if kept < 1:
            raise WccsimError(f"wcc: keep {self.keep} of {height * width} positions keeps none; at least one")
        bands = subbands(height, width, self.levels)
        numbers = subband_map(height, width, self.levels)
        detail = self.detail_bits or self.bits
        widths = np.array([self.bits if b.band == "LL" else detail for b in bands], dtype=np.int64)
        groups = np.array([0 if b.band == "LL" else b.level for b in bands], dtype=np.int64)
        limits = [(self.levels, (1 << (self.bits - 1)) - 1)]
        limits += [(level, (1 << (detail - 1)) - 1) for level in range(1, self.levels + 1)]
        levels = np.array([b.level for b in bands], dtype=np.int64)
        return _Layout(
            height, width, height * width, kept, levels[numbers], widths[numbers], groups[numbers], limits
        )

    def _transformed(self, x: Map, layout: _Layout) -> npt.NDArray[np.int32]:
        """Coefficients int32[C, N] of the padded map."""
        extra = layout.height - x.shape[1], layout.width - x.shape[2]
        if self.padding == "edge":
            x = np.pad(x, ((0, 0), (0, extra[0]), (0, extra[1])), mode="edge")
        return forward(pad(x, self.levels), self.levels).reshape(x.shape[0], -1)

    def _kept(self, coefficients: npt.NDArray[np.int32], layout: _Layout) -> npt.NDArray[np.bool_]:
        """bool[N] with `layout.kept` true: exact selection by the l2 score on the common grid."""
        if layout.kept == layout.positions:
            return np.ones(layout.positions, np.bool_)
        return select(score(coefficients, self.levels - layout.level), layout.kept, None)

    def _step(self, coefficients: npt.NDArray[np.int32], places: Ints, layout: _Layout) -> QuantiserStep:
        if self.alpha is not None:
            # q = orthonormal coefficient * limit / alpha, and e is 2^levels times that coefficient.
            multiplier, shift = multiplier_and_shift(layout.limits[0][1] / self.alpha)
            if shift > MOST_SHIFT + self.levels:
                most = layout.limits[0][1] << (MOST_SHIFT - 15 + self.levels)
                raise WccsimError(f"wcc: alpha is {self.alpha}; with {self.bits} bits allowed: to {most}")
            return QuantiserStep(multiplier, shift + self.levels, (0,) * self.levels)
        return find_step(
            coefficients,
            places,
            (self.levels - layout.level)[places],
            layout.group[places],
            layout.limits,
            self.levels,
            self.per_level_shift,
            MOST_SHIFT + 2 * self.levels,
        )

    def _check_width(self, x: Map) -> None:
        word = 8 * x.dtype.itemsize + (x.dtype.kind == "u") + 2 * self.levels
        if 2 * (word - 1) + bit_length_of_count(x.shape[0]) + 1 > 63:
            raise WccsimError(f"wcc: the score of {x.shape[0]} channels of {x.dtype} needs more than 63 bits")

    def _quantised(self, x: Map) -> _Quantised:
        """Everything up to R1: the step, the kept positions and their words."""
        self._check_width(x)
        layout = self._layout((x.shape[0], x.shape[1], x.shape[2]))
        coefficients = self._transformed(x, layout)
        flags = self._kept(coefficients, layout)
        places = np.flatnonzero(flags)
        step = self._step(coefficients, places, layout)
        widths, level = layout.width_bits[places], layout.level[places]
        extra = np.array([0, *step.extra], dtype=np.int64)[level]
        shifts = step.shift - (self.levels - level) + extra
        limits = (np.int64(1) << (widths - 1)) - 1
        words = np.empty((x.shape[0], places.size), np.int32)
        for channel, one in enumerate(coefficients):
            scaled = requantise(one[places], step.multiplier, shifts, -(1 << 30), 1 << 30)
            words[channel] = np.clip(scaled, -limits, limits)
        return _Quantised(layout, flags, step, widths, words)

    def _write(self, x: Map) -> Body:
        made = self._quantised(x)
        size = made.layout.height, made.layout.width, self.levels
        memory = encode_index(made.flags, self.index, *size)
        sizes = self._sizes(memory.bits, word_bits(made.words, made.widths, self.words))
        out = buffer_for(sum(sizes.values()))
        at = self._write_side(made.step, memory, out)
        write_words(made.words, made.widths, self.words, out, at)
        return Body(out, sum(sizes.values()), sizes, made.step.multiplier)

    def _sizes(self, index_bits: int, words: dict[str, int]) -> dict[str, int]:
        side = {"scale": SHIFT_BITS}
        if self.per_level_shift:
            side["level_shifts"] = EXTRA_BITS * self.levels
        return {**side, "index": index_bits, **words}

    def _write_side(self, step: QuantiserStep, memory: IndexMemory, out: Bytes) -> int:
        """Shift, per-level shifts and index memory; the position after them."""
        at = put_bits(out, 0, step.shift - self.levels, SHIFT_BITS)
        for extra in step.extra if self.per_level_shift else ():
            at = put_bits(out, at, extra, EXTRA_BITS)
        stream = np.unpackbits(np.frombuffer(memory.payload, np.uint8), bitorder="little")[: memory.bits]
        # The index starts inside a byte: zeros stand for the bits before it.
        packed = np.packbits(np.concatenate([np.zeros(at & 7, np.uint8), stream]))
        out[at >> 3 : (at >> 3) + packed.size] |= packed
        return int(at + memory.bits)

    def _body_bits(self, x: Map) -> int:
        shape = (x.shape[0], x.shape[1], x.shape[2])
        if self.words == "rice":
            made = self._quantised(x)
            layout, flags = made.layout, made.flags
            words = word_bits(made.words, made.widths, self.words)
        elif self.index == "rice" or self.detail_bits not in (None, self.bits):
            self._check_width(x)
            layout = self._layout(shape)
            flags = self._kept(self._transformed(x, layout), layout)
            words = {"payload": shape[0] * int(layout.width_bits[flags].sum())}
        else:
            layout = self._layout(shape)
            words = {"payload": shape[0] * layout.kept * self.bits}
            return sum(self._sizes(self._index_bits(layout), words).values())
        index = encode_index(flags, self.index, layout.height, layout.width, self.levels).bits
        return sum(self._sizes(index, words).values())

    def _index_bits(self, layout: _Layout) -> int:
        if self.index == "bitmap":
            return layout.positions
        return layout.kept * bit_length_of_count(layout.positions)

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        layout = self._layout(header.shape)
        step, at = self._read_side(header, data)
        flags, at = self._read_index(layout, data, at, limit_bits)
        places = np.flatnonzero(flags)
        widths = layout.width_bits[places]
        words, end = read_words(data, at, limit_bits, widths, header.shape[0], self.words)
        if words is None:
            damaged("it ends early, or a coefficient is outside the symmetric grid")
        check_end(data, end, limit_bits)
        extra = np.array([0, *step.extra], dtype=np.int64)[layout.level[places]]
        return self._pixels(words << extra.astype(np.int32), places, step, layout, header)

    def _pixels(
        self, words: Words, places: Ints, step: QuantiserStep, layout: _Layout, header: Header
    ) -> Map:
        """Zero-fill, inverse, R3: the inverse gives pixel * 2^L in units of the orthonormal step."""
        multiplier = ((1 << 32) // step.multiplier + 1) >> 1
        shift = 31 - step.shift + 2 * self.levels
        if not 1 <= shift <= 63:
            damaged(f"a quantiser shift of {step.shift - self.levels}")
        out = np.empty(header.shape, header.dtype)
        plane = np.zeros((1, layout.height, layout.width), np.int32)
        for channel in range(header.shape[0]):
            plane.reshape(-1)[places] = words[channel]
            pixels = inverse(plane, self.levels)[0, : header.shape[1], : header.shape[2]]
            out[channel] = requantise(pixels, multiplier, shift, *bounds(header.dtype))
        return out

    def _read_side(self, header: Header, data: Bytes) -> tuple[QuantiserStep, int]:
        if header.parameter < 1 << 15:
            damaged(f"multiplier {header.parameter} is not normalised")
        shift, at = int(get_bits(data, 0, SHIFT_BITS)) + self.levels, SHIFT_BITS
        extra = [0] * self.levels
        if self.per_level_shift:
            for level in range(self.levels):
                extra[level] = int(get_bits(data, at, EXTRA_BITS))
                at += EXTRA_BITS
        return QuantiserStep(header.parameter, shift, tuple(extra)), at

    def _read_index(
        self, layout: _Layout, data: Bytes, at: int, limit_bits: int
    ) -> tuple[npt.NDArray[np.bool_], int]:
        """The kept positions and the bit after the index memory."""
        if self.index == "rice":
            # With parameter 0 a sub-band costs at most a bit a position, one more, and its header.
            most = layout.positions + 5 * len(subbands(layout.height, layout.width, self.levels))
            stream = _bits_of(data, at, min(limit_bits, at + most))
            flags, used = rice_prefix(stream, layout.height, layout.width, self.levels)
            if np.count_nonzero(flags) != layout.kept:
                damaged(f"its index marks {np.count_nonzero(flags)} positions, not {layout.kept}")
            return flags, at + used
        bits = self._index_bits(layout)
        if at + bits > limit_bits:
            damaged("it ends in the index memory")
        payload = np.packbits(_bits_of(data, at, at + bits), bitorder="little").tobytes()
        size = layout.height, layout.width, self.levels, layout.kept
        return decode_index(IndexMemory(self.index, *size, bits, payload)), at + bits

    def _least_bits(self, header: Header) -> int:
        positions = padded(header.shape[1], self.levels) * padded(header.shape[2], self.levels)
        kept = floor(Fraction(self.keep) * positions)
        least = 1 if self.words == "rice" else min(self.bits, self.detail_bits or self.bits)
        return max(1, kept) * header.shape[0] * least + (positions if self.index == "bitmap" else 0)


def _bits_of(data: Bytes, start: int, stop: int) -> npt.NDArray[np.uint8]:
    """The bits start..stop-1, one an element."""
    whole = np.unpackbits(data[start >> 3 : (stop + 7) >> 3])
    return whole[start & 7 : (start & 7) + stop - start]
