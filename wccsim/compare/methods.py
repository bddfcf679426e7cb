"""How each codec is brought to a wanted number of bits: its knob, and what it quantises."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.codecs.base import Codec
from wccsim.codecs.registry import codec
from wccsim.compare.knob import Knob, Settled, parts, remembered
from wccsim.compare.point import Point, coded
from wccsim.compare.search import within
from wccsim.compare.step import SIDE_BITS, UNIT, Step, entropy, histogram, values_of, words_without_clip
from wccsim.compare.study import Study, study_of

Map = npt.NDArray[Any]


class Method(ABC):
    """One codec and its knob."""

    name: str
    lossless = False

    @abstractmethod
    def at(self, x: Map, target_bits: float, natural: Point | None = None) -> Point:
        """The point whose total bits come nearest to `target_bits`; `natural` where it is known already."""

    def natural(self, x: Map) -> Point | None:
        """The lossless point, where the codec is `lossless`."""
        return None


@dataclass(frozen=True, slots=True)
class FixedWidth(Method):
    """A quantiser of `least`..`most` bits a value. The convolution reads words of that width."""

    name: str
    least: int
    most: int
    least_signed: int

    def at(self, x: Map, target_bits: float, natural: Point | None = None) -> Point:
        signed = x.dtype.kind == "i"
        least = self.least_signed if signed else self.least
        most = min(self.most if signed or self.name != "apot" else self.most - 1, 8 * x.dtype.itemsize)
        bits = min(range(least, most + 1), key=lambda b: (abs(b * x.size - target_bits), b))
        return coded(codec(self.name, bits=bits), x, {"bits": bits}, bits)


@dataclass(frozen=True, slots=True)
class Lossless(Method):
    """A lossless codec, alone and after a step quantiser. The convolution reads the indices.

    fixed_words: the codec stores words of w bits, so that clipping to fewer bits is worth trying; else w is
    what the step needs.
    """

    lossless = True
    name: str
    fixed_words: bool
    fixed: tuple[tuple[str, Any], ...] = ()

    def natural(self, x: Map) -> Point:
        return coded(codec(self.name, **dict(self.fixed)), x, dict(self.fixed), 8 * x.dtype.itemsize)

    def at(self, x: Map, target_bits: float, natural: Point | None = None) -> Point:
        natural = natural or self.natural(x)
        if natural.bits <= target_bits:
            return natural
        study = study_of(x)
        best: tuple[float, int, _Stepped, Settled] | None = None
        for word_bits in self._word_widths(x):
            stepped = _Stepped(self, study, word_bits)
            if best is not None and best[0] == 0 and stepped.least_error() >= best[1]:
                continue  # words so narrow lose more at any step
            settled = stepped.settle(x, target_bits, study.once((self.name, word_bits), dict))
            off = 0.0 if within(settled.bits, target_bits) else abs(settled.bits - target_bits)
            candidate = (off, stepped.squared_error(x, settled), stepped, settled)
            best = candidate if best is None or candidate[:2] < best[:2] else best
            if word_bits is not None and settled.bits <= target_bits and settled.knob == stepped.span(x)[0]:
                break  # at its best step it pays no more than the target: narrower words only lose
        assert best is not None
        return best[2].realise(x, best[3])

    def _word_widths(self, x: Map) -> list[int | None]:
        """None: as wide as the step needs. Then, for codecs of fixed words, narrower and narrower clips."""
        if not self.fixed_words:
            return [None]
        return [None, *range(8 * x.dtype.itemsize - 1, 1 if x.dtype.kind == "i" else 0, -1)]


class _Stepped(Knob):
    """A lossless codec behind the step quantiser: the knob is the step, in sixteenths of an LSB."""

    __slots__ = ("_counts", "_dtype", "_finest", "_method", "_peak", "_word_bits")

    def __init__(self, method: Lossless, study: Study, word_bits: int | None) -> None:
        self._method, self._word_bits, self._dtype = method, word_bits, study.x.dtype
        self._counts = study.once("histogram", lambda: histogram(study.x))
        self._peak = int(np.abs(values_of(self._dtype)[self._counts > 0]).max())
        self._finest = UNIT
        if word_bits is not None:
            self._finest = study.once(("finest", word_bits), lambda: least_error_units(study.x, word_bits))

    def span(self, x: Map) -> tuple[int, int]:
        """A step finer than the one of least error costs more and loses more: the search starts there."""
        return self._finest, max(self._finest + 1, 4 * UNIT * max(1, self._peak))

    def _step(self, x: Map, knob: int) -> Step:
        return Step(knob, self._word_bits or words_without_clip(self._peak, knob, x.dtype))

    def _codec(self, x: Map, step: Step) -> Codec:
        return codec(
            self._method.name, word_bits=min(step.word_bits, 8 * x.dtype.itemsize), **dict(self._method.fixed)
        )

    def bits(self, x: Map, knob: int) -> int:
        step = self._step(x, knob)
        return SIDE_BITS + self._codec(x, step).size(step.quantised(x))

    def _curve(self, x: Map) -> Callable[[int], int]:
        """Non-zero words for a codec of words of fixed width, else entropy: from the histogram alone."""

        def shape(knob: int) -> int:
            step = self._step(x, knob)
            indices, _ = step.tables(self._dtype)
            if self._method.fixed_words:
                return step.word_bits * int(self._counts[indices != 0].sum())
            return entropy(np.bincount(indices - indices.min(), weights=self._counts).astype(np.int64))

        return remembered(shape)

    def least_error(self) -> int:
        """What no step of these words goes below."""
        return Step(self._finest, self._word_bits or 8 * self._dtype.itemsize).squared_error(
            self._counts, self._dtype
        )

    def _guess(self, x: Map, target_bits: float, bits: Callable[[int], int]) -> int | None:
        return None  # the shape says enough

    def squared_error(self, x: Map, settled: Settled) -> int:
        """What the quantiser loses at a setting, from histograms alone."""
        if settled.other is None:
            return self._step(x, settled.knob).squared_error(self._counts, x.dtype)
        pairs = zip(parts(x, settled), (settled.knob, settled.other), strict=True)
        return sum(self._step(x, knob).squared_error(histogram(part), x.dtype) for part, knob in pairs)

    def point(self, x: Map, knob: int) -> Point:
        step = self._step(x, knob)
        word_bits = min(step.word_bits, 8 * x.dtype.itemsize)
        setting = {"step_lsb": knob / UNIT, "word_bits": word_bits, **dict(self._method.fixed)}
        point = coded(self._codec(x, step), step.quantised(x), setting, word_bits)
        return replace(
            point,
            bits=point.bits + SIDE_BITS,
            breakdown={**point.breakdown, "quantiser": SIDE_BITS},
            decoded=step.restored(point.decoded),
        )


def least_error_units(x: Map, word_bits: int) -> int:
    """The step, in sixteenths of an LSB, with the least squared error in words of `word_bits`."""
    counts = histogram(x)
    widest = 2 * UNIT * max(1, int(np.abs(x.astype(np.int32)).max()))
    candidates = sorted({min(widest, round(UNIT * 1.02**i)) for i in range(500)})
    return min(candidates, key=lambda units: (Step(units, word_bits).squared_error(counts, x.dtype), units))


class Searched(Method, Knob):
    """A lossy codec with one setting, `values` from the finest to the coarsest.

    The convolution reads the decoded map.
    """

    def __init__(
        self, name: str, kind: str, field: str, values: Sequence[int], units: tuple[int, int], **fixed: Any
    ) -> None:
        self.name, self._kind, self._field, self._values = name, kind, field, tuple(values)
        self.units, self._fixed = units, fixed

    def span(self, x: Map) -> tuple[int, int]:
        """From the finest setting to the coarsest."""
        return 0, len(self._values) - 1

    def _setting(self, knob: int) -> dict[str, Any]:
        return {self._field: self._values[knob], **self._fixed}

    def bits(self, x: Map, knob: int) -> int:
        return codec(self._kind, **self._setting(knob)).size(x)

    def point(self, x: Map, knob: int) -> Point:
        setting = self._setting(knob)
        return coded(codec(self._kind, **setting), x, setting, 8 * x.dtype.itemsize)

    def at(self, x: Map, target_bits: float, natural: Point | None = None) -> Point:
        return self.reach(x, target_bits, study_of(x).once((self.name, "sizes"), dict))
