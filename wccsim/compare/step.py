"""Quantisation by one step: what stands before a lossless codec when it must pay fewer bits.

q = sgn(x) min(Q, round_half_away(|x| 16 / n)), decoded to sgn(q) (|q| n + 8) >> 4, clipped to the type: the
step is n/16 LSB, n = 16 is lossless. The indices are words of w bits, Q their greatest magnitude. The side
information is n in 16 bits and w in 4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

Map = npt.NDArray[Any]
UNIT = 16
SIDE_BITS = 16 + 4


def values_of(dtype: np.dtype[Any]) -> npt.NDArray[np.int64]:
    """Every value of `dtype`, at the index of its bit pattern."""
    patterns = np.arange(1 << (8 * dtype.itemsize), dtype=np.dtype(f"u{dtype.itemsize}"))
    return patterns.view(dtype).astype(np.int64)


def histogram(x: Map) -> npt.NDArray[np.int64]:
    """How often each bit pattern of x's type occurs."""
    return np.bincount(
        x.ravel().view(np.dtype(f"u{x.dtype.itemsize}")), minlength=1 << (8 * x.dtype.itemsize)
    ).astype(np.int64)


def entropy(counts: npt.NDArray[np.int64]) -> int:
    """2^16 times the bits of the best code of symbols that occur `counts` times, roughly and exactly so.

    log2 runs straight between the powers of two, in integers: every machine finds the same number.
    """

    def logarithm(n: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
        mantissa, exponent = np.frexp(n.astype(np.float64))
        return ((exponent.astype(np.int64) - 1) << 16) + ((2 * mantissa - 1) * 65536).astype(np.int64)

    present = counts[counts > 0]
    total = present.sum(keepdims=True)
    return int((total * logarithm(total)).sum() - (present * logarithm(present)).sum())


@dataclass(frozen=True, slots=True)
class Step:
    """One quantiser: step n/16 LSB (`units` = n) and index words of `word_bits`."""

    units: int
    word_bits: int

    def tables(self, dtype: np.dtype[Any]) -> tuple[npt.NDArray[np.int64], npt.NDArray[np.int64]]:
        """(index, decoded value) of every bit pattern of `dtype`."""
        values = values_of(dtype)
        top = (1 << self.word_bits) - 1 if dtype.kind == "u" else (1 << (self.word_bits - 1)) - 1
        magnitude = (2 * UNIT * np.abs(values) + self.units) // (2 * self.units)
        indices = np.sign(values) * np.minimum(magnitude, top)
        info = np.iinfo(dtype)
        decoded = np.sign(indices) * ((np.abs(indices) * self.units + UNIT // 2) // UNIT)
        return indices, np.clip(decoded, info.min, info.max)

    def quantised(self, x: Map) -> Map:
        """The indices of `x`, in its own dtype (an index never exceeds the value it stands for)."""
        indices, _ = self.tables(x.dtype)
        looked_up: Map = indices.astype(x.dtype)[x.view(np.dtype(f"u{x.dtype.itemsize}"))]
        return looked_up

    def decoded(self, x: Map) -> Map:
        """What `x` becomes after quantisation and back."""
        _, decoded = self.tables(x.dtype)
        looked_up: Map = decoded.astype(x.dtype)[x.view(np.dtype(f"u{x.dtype.itemsize}"))]
        return looked_up

    def squared_error(self, counts: npt.NDArray[np.int64], dtype: np.dtype[Any]) -> int:
        """The sum of squared errors of a map with the histogram `counts`; exact."""
        _, decoded = self.tables(dtype)
        return int((counts * (decoded - values_of(dtype)) ** 2).sum())

    def restored(self, indices: Map) -> Map:
        """The decoder: values from indices alone."""
        info = np.iinfo(indices.dtype)
        wide = indices.astype(np.int64)
        decoded = np.sign(wide) * ((np.abs(wide) * self.units + UNIT // 2) // UNIT)
        restored: Map = np.clip(decoded, info.min, info.max).astype(indices.dtype)
        return restored


def words_without_clip(peak: int, units: int, dtype: np.dtype[Any]) -> int:
    """The least word width, at least 2, in which no value up to `peak` is clipped."""
    top = (2 * UNIT * peak + units) // (2 * units)
    return max(2, top.bit_length()) if dtype.kind == "u" else max(2, top.bit_length() + 1)
