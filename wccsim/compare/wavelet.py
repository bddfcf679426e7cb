"""WCC brought to a wanted rate, plain and with each improvement that needs little or no hardware.

The switches, each a setting of the codec `wcc` and of the datapath: per-level shift, Haar levels chosen
for the map, word width traded against keep for the map, Rice-coded index, narrower words in the detail
bands, and plain uniform quantisation of the layer where that loses less.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.codecs.registry import codec
from wccsim.compare.knob import Knob
from wccsim.compare.methods import FixedWidth, Method
from wccsim.compare.point import Point
from wccsim.compare.search import within
from wccsim.datapath.bitmap import encode as encode_index
from wccsim.datapath.haar import forward
from wccsim.datapath.pad import pad
from wccsim.datapath.score import score
from wccsim.datapath.subbands import subband_map, subbands
from wccsim.parameters import MAX_LEVELS, padded

Map = npt.NDArray[Any]
HEADER_BITS, SCALE_BITS, SHIFT_BITS = 64, 6, 3
_INDEX_SLACK_BITS = 8  # of a sub-band: a Rice-coded index is never longer than the bitmap by more
_SAMPLE_VALUES = 1 << 18
_SAMPLE_ROWS = 1 << MAX_LEVELS
_FINALISTS = 3
_STOP = 0.0005  # the size is cheap to know, so the switches are compared at nearly the same bits
_SAMPLE_STOP = 0.002


@dataclass(frozen=True, slots=True)
class WccSetting:
    """One configuration; keep follows from the rate."""

    levels: int = 3
    bits: int = 8
    detail_bits: int = 8
    per_level_shift: bool = False
    index: str = "bitmap"

    def arguments(self, keep: Fraction) -> dict[str, Any]:
        """Arguments of the codec `wcc`."""
        return {
            "keep": keep,
            "levels": self.levels,
            "bits": self.bits,
            "detail_bits": None if self.detail_bits == self.bits else self.detail_bits,
            "per_level_shift": self.per_level_shift,
            "index": self.index,
        }


class Ranking:
    """A map's positions in the order in which WCC keeps them, and the sub-band of each."""

    def __init__(self, x: Map, levels: int) -> None:
        self.height, self.width = padded(x.shape[1], levels), padded(x.shape[2], levels)
        bands = subbands(self.height, self.width, levels)
        numbers = subband_map(self.height, self.width, levels)
        level = np.array([band.level for band in bands])[numbers]
        coefficients = forward(pad(x, levels), levels).reshape(x.shape[0], -1)
        energy = score(coefficients, levels - level)
        self.order = np.argsort(-energy, kind="stable")
        self.positions = int(energy.size)
        self.approximation_kept = np.cumsum(numbers[self.order] == 0)

    def flags(self, kept: int) -> npt.NDArray[np.bool_]:
        """bool [N]: the `kept` first positions."""
        flags = np.zeros(self.positions, np.bool_)
        flags[self.order[:kept]] = True
        return flags


class _Wcc(Knob):
    """The codec `wcc` at one setting: the knob is the number of positions dropped."""

    __slots__ = ("_ranking", "_setting", "_shape", "stop")

    def __init__(
        self, setting: WccSetting, x: Map, ranking: Ranking | None = None, stop: float = _STOP
    ) -> None:
        self._setting, self._shape, self.stop = setting, x.shape, stop
        self._ranking = ranking or Ranking(x, setting.levels)

    def span(self, x: Map) -> tuple[int, int]:
        """From the most positions that cost no more than the raw map (above, it would be sent raw) to one."""
        return self._ranking.positions - self._most_kept(x, self._ranking), self._ranking.positions - 1

    def _guess(self, x: Map, target_bits: float) -> int | None:
        """The closed form for an index of a bit a position; exact for the bitmap."""
        s, n = self._setting, self._ranking.positions
        kept = (target_bits - HEADER_BITS - SCALE_BITS - n) / (x.shape[0] * s.detail_bits)
        return int(min(n - 1, max(0, n - kept)))

    def bits(self, x: Map, knob: int) -> int:
        ranking = self._ranked(x)
        kept = min(max(1, ranking.positions - knob), self._most_kept(x, ranking))
        return wcc_bits(self._setting, ranking, x.shape[0], kept)

    def _ranked(self, x: Map) -> Ranking:
        return self._ranking if x.shape == self._shape else Ranking(x, self._setting.levels)

    def _most_kept(self, x: Map, ranking: Ranking) -> int:
        """Positions whose words fit beside a bit of index each in the raw size: never sent raw then."""
        levels = self._setting.levels
        side = SCALE_BITS + SHIFT_BITS * levels + ranking.positions + _INDEX_SLACK_BITS * (3 * levels + 1)
        room = (x.size * 8 * x.dtype.itemsize - side) // x.shape[0]
        kept = min(ranking.positions, max(1, room // self._setting.detail_bits))
        while kept > 1 and (excess := self._words(ranking, kept) - room) > 0:
            kept = max(1, kept - max(1, excess // self._setting.bits))
        return int(kept)

    def _words(self, ranking: Ranking, kept: int) -> int:
        """Bits of the kept words of one channel."""
        return _word_bits(self._setting, ranking, kept)

    def point(self, x: Map, knob: int) -> Point:
        ranking = self._ranked(x)
        positions = ranking.positions
        kept = min(max(1, positions - knob), self._most_kept(x, ranking))
        arguments = self._setting.arguments(Fraction(kept, positions))
        made = codec("wcc", **arguments)
        encoded = made.encode(x)
        cost = made.cost((x.shape[0], x.shape[1], x.shape[2]), 8 * x.dtype.itemsize)
        words = self._words(ranking, kept)
        return Point(
            setting={**arguments, "keep": f"{kept}/{positions}"},
            bits=encoded.bits,
            breakdown=encoded.breakdown,
            decoded=made.decode(encoded),
            products=x.shape[0] * kept,
            product_bits=x.shape[0] * words,
            codec_bops=cost.encode_bops * x.size,
            out_channel_bops=cost.decode_bops * (x.shape[1] * x.shape[2]),
        )


def wcc_bits(setting: WccSetting, ranking: Ranking, channels: int, kept: int) -> int:
    """Total bits of the codec `wcc`, without coding; a test compares it with the real stream."""
    n = ranking.positions
    if setting.index == "bitmap":
        index = n
    else:
        index = encode_index(
            ranking.flags(kept), setting.index, ranking.height, ranking.width, setting.levels
        ).bits
    words = _word_bits(setting, ranking, kept)
    side = SCALE_BITS + (SHIFT_BITS * setting.levels if setting.per_level_shift else 0)
    return HEADER_BITS + side + index + channels * words


def _word_bits(setting: WccSetting, ranking: Ranking, kept: int) -> int:
    approximations = int(ranking.approximation_kept[kept - 1])
    return approximations * setting.bits + (kept - approximations) * setting.detail_bits


@dataclass(frozen=True, slots=True)
class Wavelet(Method):
    """WCC with some of the switches on. What is chosen for a map is chosen by the squared error at the rate.

    choose_levels: 1 to 5 instead of 3. choose_width: 3 to 8 bits a word, so that keep and width are traded.
    choose_detail: words of the detail bands narrower than those of the approximation. or_uniform: the layer
    is quantised plainly where that loses less (the mode is the layer's configuration and is not sent).
    """

    name: str
    base: WccSetting = WccSetting()
    choose_levels: bool = False
    choose_width: bool = False
    choose_detail: bool = False
    or_uniform: bool = False

    def at(self, x: Map, target_bits: float, natural: Point | None = None) -> Point:
        points = [self._reach(x, setting, target_bits) for setting in self._finalists(x, target_bits)]
        if self.or_uniform:
            points.append(FixedWidth("uniform", least=1, most=8, least_signed=2).at(x, target_bits))
            points[-1] = replace(points[-1], setting={"plain": True, **points[-1].setting})
        return _best(x, points, target_bits)

    def _reach(self, x: Map, setting: WccSetting, target_bits: float) -> Point:
        return _Wcc(setting, x).reach(x, target_bits)

    def _finalists(self, x: Map, target_bits: float) -> Sequence[WccSetting]:
        """The settings worth a full run: found on a sample of a large map, one switch after another."""
        if not (self.choose_levels or self.choose_width or self.choose_detail):
            return [self.base]
        sample = _sample(x)
        wanted = target_bits * sample.size / x.size
        stop = _STOP if sample.size == x.size else _SAMPLE_STOP
        rankings: dict[int, Ranking] = {}
        errors: dict[WccSetting, float] = {}

        def error(setting: WccSetting) -> float:
            if setting not in errors:
                if setting.levels not in rankings:
                    rankings[setting.levels] = Ranking(sample, setting.levels)
                point = _Wcc(setting, sample, rankings[setting.levels], stop).reach(sample, wanted)
                off = abs(point.bits - wanted) / wanted
                errors[setting] = _squared_error(sample, point) * (1 + 10 * max(0.0, off - 0.01))
            return errors[setting]

        best = self.base
        for _ in range(2):
            start = best
            if self.choose_width or self.choose_detail:
                best = min(self._widths(best), key=lambda s: (error(s), s.bits, s.detail_bits))
            if self.choose_levels:
                best = min(
                    (replace(best, levels=n) for n in range(1, MAX_LEVELS + 1)),
                    key=lambda s: (error(s), s.levels),
                )
            if best == start:
                break
        ranked = sorted(errors, key=lambda s: (errors[s], s.levels, s.bits, s.detail_bits))
        if sample.size == x.size:
            return ranked[:1]
        return list(dict.fromkeys([*ranked[:_FINALISTS], replace(ranked[0], levels=3), self.base]))

    def _widths(self, setting: WccSetting) -> Iterable[WccSetting]:
        """Word widths to try, the one of `setting` among them."""
        yield setting
        for bits in range(3, 9) if self.choose_width else (self.base.bits,):
            narrowest = bits - 2 if self.choose_width else 2  # together, two bits less is the most that pays
            for detail in range(max(2, narrowest), bits + 1) if self.choose_detail else (bits,):
                yield replace(setting, bits=bits, detail_bits=detail)


def _best(x: Map, points: Sequence[Point], target_bits: float) -> Point:
    """The point of least error among those within 1 % of the rate; without any, the nearest."""
    reached = [point for point in points if within(point.bits, target_bits)]
    if not reached:
        return min(points, key=lambda point: (abs(point.bits - target_bits), point.bits))
    return min(reached, key=lambda point: (_squared_error(x, point), point.bits))


def _squared_error(x: Map, point: Point) -> int:
    return int(((point.decoded.astype(np.int32) - x.astype(np.int32)) ** 2).sum(dtype=np.int64))


def _sample(x: Map) -> Map:
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


PLAIN = Wavelet("wcc")
SWITCHES = (
    Wavelet("wcc+shift", WccSetting(per_level_shift=True)),
    Wavelet("wcc+levels", choose_levels=True),
    Wavelet("wcc+keep", choose_width=True),
    Wavelet("wcc+rice", WccSetting(index="rice")),
    Wavelet("wcc+detail", choose_detail=True),
    Wavelet("wcc+plain", or_uniform=True),
)
COMBINED = Wavelet(
    "wcc-combined",
    WccSetting(per_level_shift=True, index="rice"),
    choose_levels=True,
    choose_width=True,
    choose_detail=True,
    or_uniform=True,
)
