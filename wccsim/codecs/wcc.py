"""WCC as a storage codec: the datapath's own stages up to R1, then the real index memory and words."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from math import floor
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from wccsim.arith import bit_length_of_count, multiplier_and_shift
from wccsim.bitstream import Bytes, Words, buffer_for, get_bits, put_bits
from wccsim.codecs.base import (
    HEADER_BITS,
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    check_choice,
    check_end,
    check_integer,
    checked_map,
    damaged,
)
from wccsim.codecs.wcc_index import index_bits
from wccsim.codecs.wcc_step import QuantiserStep, find_step
from wccsim.codecs.wcc_transform import (
    Flags,
    Plane,
    Transformed,
    plane_of,
    quantise,
    reconstruct,
    transformed,
)
from wccsim.datapath.bitmap import IndexMemory, rice_prefix
from wccsim.datapath.bitmap import decode as decode_index
from wccsim.datapath.bitmap import encode as encode_index
from wccsim.datapath.select import select
from wccsim.datapath.words import read_words, word_bits, write_words
from wccsim.errors import WccsimError
from wccsim.parameters import INDEX_FORMATS, MAX_LEVELS, WORD_FORMATS, padded, parse_keep

Ints = npt.NDArray[np.int64]
SHIFT_BITS = 6  # of the stream's field for R1's shift
EXTRA_BITS = 3  # of its field for each level's own shift
MOST_SHIFT = 30  # of R1, plus levels: beyond it R3's shift would be below 1


@dataclass(frozen=True, slots=True, eq=False)
class Quantised:
    """The kept positions of a map, bool [N] and as flat indices [k], and their words int32 [C, k]."""

    source: Transformed
    flags: Flags
    places: Ints
    step: QuantiserStep
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
        check_choice(self.NAME, "words", self.words, WORD_FORMATS)
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

    def _kept_of(self, plane: Plane) -> int:
        kept = floor(Fraction(self.keep) * plane.positions)
        if kept < 1:
            raise WccsimError(
                f"wcc: keep {self.keep} of {plane.positions} positions keeps none; at least one"
            )
        return kept

    def _word_bits_of(self, plane: Plane) -> Ints:
        """Width of a word in each group."""
        return np.array([self.bits, *[self.detail_bits or self.bits] * plane.levels], dtype=np.int64)

    def _select(self, source: Transformed) -> Flags:
        """bool[N]: the kept positions, exact selection by the l2 score on the common grid."""
        kept = self._kept_of(source.plane)
        if kept == source.plane.positions:
            return np.ones(kept, np.bool_)
        return select(source.energy(), kept, None)

    def _step(self, source: Transformed, places: Ints, limits: Ints) -> QuantiserStep:
        if self.alpha is not None:
            # q = orthonormal coefficient * limit / alpha, and e is 2^levels times that coefficient.
            multiplier, shift = multiplier_and_shift(int(limits[0]) / self.alpha)
            if shift > MOST_SHIFT + self.levels:
                most = int(limits[0]) << (MOST_SHIFT - 15 + self.levels)
                raise WccsimError(f"wcc: alpha is {self.alpha}; with {self.bits} bits allowed: to {most}")
            return QuantiserStep(multiplier, shift + self.levels, (0,) * self.levels)
        return find_step(
            source.coefficients,
            places,
            source.plane.group,
            [(int(level), int(limit)) for level, limit in zip(source.plane.level, limits, strict=True)],
            self.levels,
            self.per_level_shift,
            MOST_SHIFT + 2 * self.levels,
        )

    def _check_width(self, x: Map) -> None:
        word = 8 * x.dtype.itemsize + (x.dtype.kind == "u") + 2 * self.levels
        if 2 * (word - 1) + bit_length_of_count(x.shape[0]) + 1 > 63:
            raise WccsimError(f"wcc: the score of {x.shape[0]} channels of {x.dtype} needs more than 63 bits")

    def transformed(self, x: Map) -> Transformed:
        """The coefficients of a map: what does not depend on keep, widths, index or words."""
        x = checked_map(x)
        self._check_width(x)
        return transformed(x, self.levels, self.padding)

    def quantised(self, source: Transformed, flags: Flags | None = None) -> Quantised:
        """The words of a map's coefficients; `flags` where the selection of `keep` is known already."""
        flags = self._select(source) if flags is None else flags
        places = np.flatnonzero(flags)
        limits = (np.int64(1) << (self._word_bits_of(source.plane) - 1)) - 1
        step = self._step(source, places, limits)
        shift = step.shift - (self.levels - source.plane.level) + _extra_of(step)
        words = quantise(source.coefficients, places, source.plane.group, step.multiplier, shift, limits)
        return Quantised(source, flags, places, step, words)

    def bits_of(self, made: Quantised) -> int:
        """Bits of the stream of these words, unless the map goes raw."""
        index = index_bits(made.flags, made.places.size, self.index, made.source.plane)
        return HEADER_BITS + sum(self._sizes(index, self._sizes_of_words(made)).values())

    def restored(self, made: Quantised) -> Map:
        """The map that a decoder makes of these words."""
        source = made.source
        out = np.empty(source.shape, source.dtype)
        self._pixels(made.words, made.places, made.step, source.plane, out)
        return out

    def _sizes_of_words(self, made: Quantised) -> dict[str, int]:
        widths = self._word_bits_of(made.source.plane)[made.source.plane.group[made.places]]
        return word_bits(made.words, widths, self.words)

    def _write(self, x: Map) -> Body:
        made = self.quantised(self.transformed(x))
        plane = made.source.plane
        memory = encode_index(made.flags, self.index, plane.height, plane.width, self.levels)
        sizes = self._sizes(memory.bits, self._sizes_of_words(made))
        out = buffer_for(sum(sizes.values()))
        position = self._write_side(made.step, memory, out)
        widths = self._word_bits_of(plane)[plane.group[made.places]]
        write_words(made.words, widths, self.words, out, position)
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
        plane = plane_of(x.shape[1], x.shape[2], self.levels)
        detail = self.detail_bits not in (None, self.bits)
        if self.words == "rice" or self.index == "rice" or detail:
            return self.bits_of(self.quantised(self.transformed(x))) - HEADER_BITS
        words = {"payload": x.shape[0] * self._kept_of(plane) * self.bits}
        return sum(self._sizes(self._index_bits(plane), words).values())

    def _index_bits(self, plane: Plane) -> int:
        """Bits of an index of fixed size."""
        if self.index == "bitmap":
            return plane.positions
        return self._kept_of(plane) * bit_length_of_count(plane.positions)

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        plane = plane_of(header.shape[1], header.shape[2], self.levels)
        step, at = self._read_side(header, data)
        flags, at = self._read_index(plane, data, at, limit_bits)
        places = np.flatnonzero(flags)
        widths = self._word_bits_of(plane)[plane.group[places]]
        words, end = read_words(data, at, limit_bits, widths, header.shape[0], self.words)
        if words is None:
            damaged("it ends early, or a coefficient is outside the symmetric grid")
        check_end(data, end, limit_bits)
        out = np.empty(header.shape, header.dtype)
        self._pixels(words, places, step, plane, out)
        return out

    def _pixels(self, words: Words, places: Ints, step: QuantiserStep, plane: Plane, out: Map) -> None:
        """Zero-fill, inverse, R3: the inverse gives pixel * 2^L in units of the orthonormal step."""
        multiplier = ((1 << 32) // step.multiplier + 1) >> 1
        shift = 31 - step.shift + 2 * self.levels
        if not 1 <= shift <= 63:
            damaged(f"a quantiser shift of {step.shift - self.levels}")
        reconstruct(words, places, plane, _extra_of(step), (multiplier, shift), out)

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

    def _read_index(self, plane: Plane, data: Bytes, at: int, limit_bits: int) -> tuple[Flags, int]:
        """The kept positions and the bit after the index memory."""
        kept = self._kept_of(plane)
        if self.index == "rice":
            # With parameter 0 a sub-band costs at most a bit a position, one more, and its header.
            most = plane.positions + 5 * (3 * self.levels + 1)
            stream = _bits_of(data, at, min(limit_bits, at + most))
            flags, used = rice_prefix(stream, plane.height, plane.width, self.levels)
            if np.count_nonzero(flags) != kept:
                damaged(f"its index marks {np.count_nonzero(flags)} positions, not {kept}")
            return flags, at + used
        bits = self._index_bits(plane)
        if at + bits > limit_bits:
            damaged("it ends in the index memory")
        payload = np.packbits(_bits_of(data, at, at + bits), bitorder="little").tobytes()
        size = plane.height, plane.width, self.levels, kept
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


def _extra_of(step: QuantiserStep) -> Ints:
    """The shift of each group's step: LL has that of the last level."""
    return np.array([step.extra[-1], *step.extra], dtype=np.int64)
