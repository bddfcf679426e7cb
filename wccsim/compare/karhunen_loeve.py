"""The KLT codec brought to a wanted rate: the knob is its step; the transform is made once."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.codecs.base import HEADER_BITS
from wccsim.codecs.huffman_code import LENGTH_BITS, code_lengths, coded_bits
from wccsim.codecs.klt import MAX_LENGTH, STEP_BITS
from wccsim.codecs.klt import Klt as KltCodec
from wccsim.codecs.klt_basis import integer_basis, karhunen_loeve, project, vectors_of
from wccsim.codecs.registry import codec
from wccsim.compare.knob import Knob
from wccsim.compare.methods import Method
from wccsim.compare.point import Point, coded
from wccsim.compare.study import study_of

Map = npt.NDArray[Any]
Ints = npt.NDArray[np.int64]
MAX_STEP = (1 << STEP_BITS) - 1
WORD_BITS = range(8, 13)


@dataclass(frozen=True, slots=True)
class Klt(Method):
    """KLT over channels with the basis in the stream, or amortised: on the chip, made from this same map.

    The amortised form is a bound from above: no calibration map fits better. A map with fewer pixels than
    channels has no unique basis and is sent raw by both.
    """

    name: str
    amortised: bool

    def at(self, x: Map, target_bits: float, natural: Point | None = None) -> Point:
        raw = 8 * x.shape[0] ** 2 > 8 * x.nbytes or x.shape[0] > x.shape[1] * x.shape[2]
        if raw:
            return coded(codec("klt"), x, {"raw": "fewer pixels than channels"}, 8 * x.dtype.itemsize)
        study = study_of(x)
        stepped = study.once(
            ("klt", self.amortised),
            lambda: _Stepped(study.once("klt", lambda: _counted(x)), x, self.amortised),
        )
        return stepped.reach(x, target_bits, study.once(("klt sizes", self.amortised), dict))


class _Stepped(Knob):
    """One map's components, counted: the size at any step without projecting again."""

    __slots__ = ("_amortised", "_counts", "_shape", "_side_bits", "_values")
    units = (1 << 30, 1)  # the basis spans the channels: a shared map is cut after rows

    def __init__(self, counted: tuple[Ints, Ints], x: Map, amortised: bool) -> None:
        self._counts, self._values = counted
        self._amortised, self._shape = amortised, x.shape
        width = 8 * x.dtype.itemsize
        self._side_bits = 0 if amortised else 8 * x.shape[0] ** 2 + width * x.shape[0] + STEP_BITS

    def span(self, x: Map) -> tuple[int, int]:
        """Steps in 1/256 LSB: from a fraction of an LSB to one that leaves nothing."""
        greatest = int(np.abs(self._values).max())
        return 64, max(65, min(MAX_STEP, 1024 * max(1, greatest)))

    def _guess(self, x: Map, target_bits: float, bits: Callable[[int], int]) -> int | None:
        return None  # the size is cheap to know

    def _word_bits(self, step: int) -> int:
        """The narrowest code words, 8 to 12 bits, that hold the greatest component."""
        greatest = 256 * int(np.abs(self._values).max()) // step + 1
        return next((b for b in WORD_BITS if greatest < 1 << (b - 1)), WORD_BITS[-1])

    def bits(self, x: Map, knob: int) -> int:
        if x.shape != self._shape:
            return _Stepped(_counted(x), x, self._amortised).bits(x, knob)
        word = self._word_bits(knob)
        multiplier, limit = ((1 << 25) // knob + 1) >> 1, (1 << (word - 1)) - 1
        codes = np.minimum(limit, (np.abs(self._values) * multiplier + 32768) >> 16)
        symbols = np.where(self._values >= 0, codes, -codes) & ((1 << word) - 1)
        counts = np.bincount(symbols, weights=self._counts, minlength=1 << word).astype(np.int64)
        lengths = code_lengths(counts + self._amortised, MAX_LENGTH)
        raw = 8 * x.nbytes
        if lengths is None:
            return HEADER_BITS + raw
        table = 0 if self._amortised else LENGTH_BITS << word
        return HEADER_BITS + min(raw, self._side_bits + table + coded_bits(counts, lengths))

    def point(self, x: Map, knob: int) -> Point:
        word = self._word_bits(knob)
        made = codec("klt", bits=word, step=knob)
        assert isinstance(made, KltCodec)
        setting = {"step_lsb": knob / 256, "bits": word, "basis": "on chip" if self._amortised else "sent"}
        return coded(made.calibrated(x) if self._amortised else made, x, setting, 8 * x.dtype.itemsize)


def _counted(x: Map) -> tuple[Ints, Ints]:
    """(how often, value) of every value from the least component to the greatest."""
    vectors = vectors_of(x, 1)
    mean = (2 * vectors.sum(axis=1, dtype=np.int64) + vectors.shape[1]) // (2 * vectors.shape[1])
    centred = vectors - mean[:, None].astype(np.int32)
    components = project(integer_basis(karhunen_loeve(centred)), vectors, mean.astype(np.int32))
    low = int(components.min())
    counts = np.bincount((components - low).ravel())
    return counts, np.arange(low, low + counts.size)
