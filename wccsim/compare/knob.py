"""A codec with one integer knob, brought to a wanted number of bits; where one setting of the knob is too
coarse, two neighbouring settings share the map.

Sharing is real: the map is cut after some channels or rows, the two parts are two streams with their own
headers, and both are counted.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.compare.point import Point
from wccsim.compare.search import GOOD_ENOUGH, Found, solve, within

Map = npt.NDArray[Any]
_SAMPLED_FROM = 1 << 20  # maps of more values are searched on a sample first
_SAMPLE_BANDS = 8


@dataclass(frozen=True, slots=True)
class Settled:
    """One knob, or two with a cut after `cut` channels (axis 0) or rows (axis 1)."""

    knob: int
    bits: int
    other: int | None = None
    axis: int = 0
    cut: int = 0


class Knob:
    """Base of the methods whose rate is searched. `units`: channels and rows that may not be cut apart;
    `stop`: how near to the target the search goes.
    """

    __slots__ = ()

    units: tuple[int, int] = (1, 1)
    stop: float = GOOD_ENOUGH

    @abstractmethod
    def bits(self, x: Map, knob: int) -> int:
        """Total bits of `x` at `knob`; fewer at a higher knob."""

    @abstractmethod
    def point(self, x: Map, knob: int) -> Point:
        """The point of `x` at `knob`."""

    @abstractmethod
    def span(self, x: Map) -> tuple[int, int]:
        """The finest and the coarsest knob."""

    def nearest(self, x: Map, target_bits: float, bits: Callable[[int], int]) -> Found:
        """The knob whose `bits`, those of `x`, come nearest to `target_bits`."""
        finest, coarsest = self.span(x)
        if bits(finest) <= target_bits:
            return Found(finest, bits(finest), None, finest)
        guess = self._guess(x, target_bits, bits)
        return solve(bits, finest, coarsest, target_bits, guess, self.stop, self._curve(x))

    def settle(self, x: Map, target_bits: float, known: dict[int, int] | None = None) -> Settled:
        """The setting nearest to `target_bits`; `known`: sizes of `x` by knob, read and added to."""
        bits = self.sizes(x, known)
        found = self.nearest(x, target_bits, bits)
        alone = Settled(found.knob, found.bits)
        if within(found.bits, target_bits) or found.over is None or found.under is None:
            return alone
        over, under = bits(found.over), bits(found.under)
        share = (over - target_bits) / max(1, over - under)
        shared = self._shared(x, found.over, found.under, target_bits, share)
        return min(alone, shared or alone, key=lambda settled: abs(settled.bits - target_bits))

    def sizes(self, x: Map, known: dict[int, int] | None = None) -> Callable[[int], int]:
        """`bits` of `x`, each knob once."""
        return remembered(lambda knob: self.bits(x, knob), known)

    def realise(self, x: Map, settled: Settled) -> Point:
        """The point at a setting that was found."""
        if settled.other is None:
            return self.point(x, settled.knob)
        first, second = parts(x, settled)
        return joined(self.point(first, settled.knob), self.point(second, settled.other), settled)

    def reach(self, x: Map, target_bits: float, known: dict[int, int] | None = None) -> Point:
        """The point nearest to `target_bits`; `known` as in `settle`."""
        return self.realise(x, self.settle(x, target_bits, known))

    def _guess(self, x: Map, target_bits: float, bits: Callable[[int], int]) -> int | None:
        """A likely knob, from eight bands of a large map's rows."""
        if x.size < _SAMPLED_FROM or x.shape[1] < 16 * _SAMPLE_BANDS:
            return None
        starts = [x.shape[1] * band // _SAMPLE_BANDS // 8 * 8 for band in range(_SAMPLE_BANDS)]
        sample = np.concatenate([x[:, start : start + 8] for start in starts], axis=1)
        wanted = target_bits * sample.size / x.size
        return solve(self.sizes(sample), *self.span(x), wanted).knob

    def _curve(self, x: Map) -> Callable[[int], int] | None:
        """Something cheap that falls along the knob as the bits do, where there is such a thing."""
        return None

    def _shared(self, x: Map, finer: int, coarser: int, target_bits: float, share: float) -> Settled | None:
        """Two settings on two parts of the map, cut where the sum of their bits meets the target.

        The cut is looked for where the coarser has about `share` of the map.
        """
        axis = 0 if x.shape[0] // self.units[0] >= x.shape[1] // self.units[1] else 1
        unit, pieces = self.units[axis], x.shape[axis] // self.units[axis]
        if pieces < 2:
            return None

        def bits(coarse_pieces: int) -> int:
            first, second = parts(x, Settled(finer, 0, coarser, axis, (pieces - coarse_pieces) * unit))
            return self.bits(first, finer) + self.bits(second, coarser)

        found = solve(bits, 1, pieces - 1, target_bits, round(pieces * share))
        return Settled(finer, found.bits, coarser, axis, (pieces - found.knob) * unit)


def parts(x: Map, settled: Settled) -> tuple[Map, Map]:
    """The two parts of a shared map."""
    if settled.axis == 0:
        return x[: settled.cut], x[settled.cut :]
    return np.ascontiguousarray(x[:, : settled.cut]), np.ascontiguousarray(x[:, settled.cut :])


def joined(first: Point, second: Point, settled: Settled) -> Point:
    """The sum of two parts, `settled.cut` channels or rows of the first."""
    axis, cut = settled.axis, settled.cut
    names = dict.fromkeys([*first.breakdown, *second.breakdown])
    keys = dict.fromkeys([*first.setting, *second.setting])
    setting = {
        key: first.setting.get(key) if first.setting.get(key) == second.setting.get(key)
        else f"{first.setting.get(key)}|{second.setting.get(key)}"
        for key in keys
    }  # fmt: skip
    return replace(
        first,
        setting={**setting, f"cut_{('channel', 'row')[axis]}": cut},
        bits=first.bits + second.bits,
        breakdown={name: first.breakdown.get(name, 0) + second.breakdown.get(name, 0) for name in names},
        decoded=np.concatenate([first.decoded, second.decoded], axis=axis),
        products=first.products + second.products,
        product_bits=first.product_bits + second.product_bits,
        codec_bops=first.codec_bops + second.codec_bops,
    )


def remembered(function: Callable[[int], int], known: dict[int, int] | None = None) -> Callable[[int], int]:
    """`function`, called once for each argument that is not `known`."""
    seen = {} if known is None else known

    def call(knob: int) -> int:
        if knob not in seen:
            seen[knob] = function(knob)
        return seen[knob]

    return call
