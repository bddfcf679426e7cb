"""The codec `wcc` as a knob: at one setting, how many positions are kept for a wanted number of bits.

With words of fixed width the size is a closed form, and of the Rice-coded index alone the runs are counted.
Rice-coded words depend on the data: there the words are made and counted, and on a large map the search
begins where that of a sample ends. No stream is written before the setting is chosen.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.codecs.base import HEADER_BITS
from wccsim.codecs.distortion import squared_error
from wccsim.codecs.registry import codec
from wccsim.codecs.wcc import EXTRA_BITS, SHIFT_BITS, Wcc
from wccsim.codecs.wcc_index import index_bits
from wccsim.compare.knob import Knob, Settled, parts
from wccsim.compare.point import Point
from wccsim.compare.search import TOLERANCE
from wccsim.compare.study import Study
from wccsim.parameters import MAX_LEVELS

Map = npt.NDArray[Any]
_INDEX_SLACK_BITS = 8  # of a sub-band: a Rice-coded index is never longer than the bitmap by more
_SAMPLE_VALUES = 1 << 18
_SAMPLE_ROWS = 1 << MAX_LEVELS
STOP = 0.0005  # the size is cheap to know, so the switches are compared at nearly the same bits
SAMPLE_STOP = 0.002  # also with Rice-coded words, whose size costs a quantisation
_MISSED = 1000.0  # a setting that is 2 % off the tolerance counts as if its error were 21 times itself


@dataclass(frozen=True, slots=True)
class WccSetting:
    """One configuration; keep follows from the rate.

    bits, detail_bits: widths of the words, which the convolution reads however they are coded. index: coding
    of the kept positions. words: "fixed" widths in the stream, or "rice".
    """

    levels: int = 3
    bits: int = 8
    detail_bits: int = 8
    per_level_shift: bool = False
    index: str = "bitmap"
    words: str = "fixed"

    def arguments(self, keep: Fraction) -> dict[str, Any]:
        """Arguments of the codec `wcc`."""
        return {
            "keep": keep,
            "levels": self.levels,
            "bits": self.bits,
            "detail_bits": None if self.detail_bits == self.bits else self.detail_bits,
            "per_level_shift": self.per_level_shift,
            "index": self.index,
            "words": self.words,
        }

    def codec(self, keep: Fraction = Fraction(1)) -> Wcc:
        """The codec of this configuration."""
        made = codec("wcc", **self.arguments(keep))
        assert isinstance(made, Wcc)
        return made


class Ranking:
    """A map's coefficients, and its positions in the order in which WCC keeps them."""

    __slots__ = ("approximation_kept", "order", "positions", "source")

    def __init__(self, x: Map, levels: int) -> None:
        self.source = Wcc(levels=levels).transformed(x)
        self.order = np.argsort(-self.source.energy(), kind="stable")
        self.positions = self.source.plane.positions
        self.approximation_kept = np.cumsum(self.source.plane.group[self.order] == 0)

    def flags(self, kept: int) -> npt.NDArray[np.bool_]:
        """bool [N]: the `kept` first positions."""
        flags = np.zeros(self.positions, np.bool_)
        flags[self.order[:kept]] = True
        return flags


class WccKnob(Knob):
    """The codec `wcc` at one setting: the knob is the number of positions dropped."""

    __slots__ = ("_codec", "_setting", "_study", "stop")

    def __init__(self, setting: WccSetting, study: Study, stop: float = STOP) -> None:
        self._setting, self._study, self._codec = setting, study, setting.codec()
        self.stop = stop if setting.words == "fixed" else max(stop, SAMPLE_STOP)

    def span(self, x: Map) -> tuple[int, int]:
        """From the most positions that cost no more than the raw map (above, it would be sent raw) to one."""
        ranking = self._ranked(x)
        return ranking.positions - self._most_kept(x, ranking), ranking.positions - 1

    def bits(self, x: Map, knob: int) -> int:
        ranking = self._ranked(x)
        kept = self._kept(x, ranking, knob)
        if self._setting.words == "fixed":
            return wcc_bits(self._setting, ranking, x.shape[0], kept)
        if x is not self._study.x:
            return self._coded_bits(x, ranking, kept)
        key = ("bits", self._setting, kept)
        return self._study.once(key, lambda: self._coded_bits(x, ranking, kept))

    def squared_error(self, x: Map, settled: Settled) -> int:
        """What decoding loses at a setting, exactly, without a stream."""
        if settled.other is None:
            return self._squared_error(x, settled.knob)
        first, second = parts(x, settled)
        return self._squared_error(first, settled.knob) + self._squared_error(second, settled.other)

    def expected_error(self, target_bits: float, spare: bool) -> float:
        """Squared error at exactly `target_bits`, on a straight line between the settings on both sides.

        Bits left over with every position kept go, where `spare` bits can be spent, to channels without
        error. Where no setting comes near, many times itself. What to compare settings by, no measurement.
        """
        x = self._study.x
        bits = self.sizes(x)
        found = self.nearest(x, target_bits, bits)
        error = float(self._squared_error(x, found.knob))
        sides = [knob for knob in (found.over, found.under) if knob not in (None, found.knob)]
        if abs(found.bits - target_bits) <= self.stop * target_bits:
            return error
        if found.over is not None and found.under is not None and sides:
            other = sides[0]
            share = (target_bits - found.bits) / (bits(other) - found.bits)
            return error + share * (self._squared_error(x, other) - error)
        if spare and found.over is None:
            left = HEADER_BITS + 8 * x.nbytes - found.bits
            return error * max(0.0, 1 - (target_bits - found.bits) / max(1, left))
        off = max(0.0, abs(found.bits - target_bits) / target_bits - TOLERANCE)
        return error * (1 + _MISSED * off)

    def point(self, x: Map, knob: int) -> Point:
        ranking = self._ranked(x)
        kept = self._kept(x, ranking, knob)
        arguments = self._setting.arguments(Fraction(kept, ranking.positions))
        made = codec("wcc", **arguments)
        encoded = made.encode(x)
        cost = made.cost((x.shape[0], x.shape[1], x.shape[2]), 8 * x.dtype.itemsize)
        words = _word_bits(self._setting, ranking, kept)
        return Point(
            setting={**arguments, "keep": f"{kept}/{ranking.positions}"},
            bits=encoded.bits,
            breakdown=encoded.breakdown,
            decoded=made.decode(encoded),
            products=x.shape[0] * kept,
            product_bits=x.shape[0] * words,
            codec_bops=cost.encode_bops * x.size,
            out_channel_bops=cost.decode_bops * (x.shape[1] * x.shape[2]),
        )

    def _ranked(self, x: Map) -> Ranking:
        levels = self._setting.levels
        if x is not self._study.x:
            return Ranking(x, levels)
        return self._study.once(("ranking", levels), lambda: Ranking(x, levels))

    def _kept(self, x: Map, ranking: Ranking, knob: int) -> int:
        return min(max(1, ranking.positions - knob), self._most_kept(x, ranking))

    def _most_kept(self, x: Map, ranking: Ranking) -> int:
        """Positions whose words fit beside a bit of index each in the raw size: never sent raw then.

        All of them with Rice-coded words, whose size is only known when they are coded.
        """
        if self._setting.words == "rice":
            return ranking.positions
        levels = self._setting.levels
        side = SHIFT_BITS + EXTRA_BITS * levels + ranking.positions + _INDEX_SLACK_BITS * (3 * levels + 1)
        room = (x.size * 8 * x.dtype.itemsize - side) // x.shape[0]
        kept = min(ranking.positions, max(1, room // self._setting.detail_bits))
        while kept > 1 and (excess := _word_bits(self._setting, ranking, kept) - room) > 0:
            kept = max(1, kept - max(1, excess // self._setting.bits))
        return int(kept)

    def _coded_bits(self, x: Map, ranking: Ranking, kept: int) -> int:
        """The size with Rice-coded words; twice the raw size where the map would be sent raw."""
        size = self._codec.bits_of(self._codec.quantised(ranking.source, ranking.flags(kept)))
        raw_bits = HEADER_BITS + x.size * 8 * x.dtype.itemsize
        return size if size < raw_bits else 2 * raw_bits

    def _squared_error(self, x: Map, knob: int) -> int:
        ranking = self._ranked(x)
        words = self._codec.quantised(ranking.source, ranking.flags(self._kept(x, ranking, knob)))
        return squared_error(x, self._codec.restored(words))

    def _guess(self, x: Map, target_bits: float, bits: Callable[[int], int]) -> int | None:
        """The closed form for an index of a bit a position; exact for the bitmap and words of fixed width."""
        s, n = self._setting, self._ranked(x).positions
        if s.words == "rice":
            return self._sampled_guess(x, target_bits, n)
        kept = (target_bits - HEADER_BITS - SHIFT_BITS - n) / (x.shape[0] * s.detail_bits)
        return int(min(n - 1, max(0, n - kept)))

    def _sampled_guess(self, x: Map, target_bits: float, positions: int) -> int | None:
        """The share of positions dropped on a sample of a large map at the same bits a value."""
        if x is not self._study.x or (sample := sample_study(self._study)) is self._study:
            return None
        on_sample = WccKnob(self._setting, sample, SAMPLE_STOP)
        found = on_sample.nearest(sample.x, target_bits * sample.x.size / x.size, on_sample.sizes(sample.x))
        return round(found.knob * positions / on_sample._ranked(sample.x).positions)


def wcc_bits(setting: WccSetting, ranking: Ranking, channels: int, kept: int) -> int:
    """Total bits of the codec `wcc` with words of fixed width, without coding them."""
    plane = ranking.source.plane
    flags = ranking.flags(kept) if setting.index == "rice" else np.empty(0, np.bool_)
    side = SHIFT_BITS + (EXTRA_BITS * setting.levels if setting.per_level_shift else 0)
    words = channels * _word_bits(setting, ranking, kept)
    return HEADER_BITS + side + index_bits(flags, kept, setting.index, plane) + words


def _word_bits(setting: WccSetting, ranking: Ranking, kept: int) -> int:
    """Bits of the kept words of one channel, each at its full width."""
    approximations = int(ranking.approximation_kept[kept - 1])
    return approximations * setting.bits + (kept - approximations) * setting.detail_bits


def sample_study(study: Study) -> Study:
    """The study of a sample of a large map; of a small one, and of a sample, itself."""

    def made() -> Study:
        part = sample_of(study.x)
        sample = study if part is study.x else Study(part)
        return study if sample is study else sample.once("sample", lambda: sample)

    return study.once("sample", made)


def sample_of(x: Map) -> Map:
    """The map, or bands of 32 rows spread over a large one, at most 64 channels and 512 columns of it."""
    if x.size <= _SAMPLE_VALUES:
        return x
    width = min(x.shape[2], 512)
    left = (x.shape[2] - width) // 2
    part = x[:: -(-x.shape[0] // 64), :, left : left + width]
    bands = max(1, _SAMPLE_VALUES // (part.shape[0] * width * _SAMPLE_ROWS))
    if bands * _SAMPLE_ROWS >= x.shape[1]:
        return np.ascontiguousarray(part)
    last = x.shape[1] // _SAMPLE_ROWS - 1
    starts = [_SAMPLE_ROWS * (last * (2 * band + 1) // (2 * bands)) for band in range(bands)]
    return np.concatenate([part[:, start : start + _SAMPLE_ROWS] for start in starts], axis=1)
