"""Clip and quantise one value at a time: what uniform quantisation and APoT share.

A set of integer levels 0 = l_0 < .. < l_n and a clip alpha make the grid l_i * alpha / l_n. Both
codecs are odd in x, so all work is on magnitudes, and one table per clip does every value.
Source: docs/codecs.md, sections "uniform" and "apot".
"""

from __future__ import annotations

from abc import abstractmethod
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import Bytes, pack, unpack
from wccsim.codecs.base import (
    Body,
    Codec,
    Header,
    Map,
    bounds,
    check_end,
    check_integer,
    damaged,
)
from wccsim.errors import WccsimError

Ints = npt.NDArray[np.int64]


@njit(cache=True)
def _nearest(alpha: int, levels: Ints, ties_up: bool, out: Ints) -> None:
    """Index of the level nearest to each magnitude m = 0.. out.size-1: |m * l_n - l_i * alpha| least.

    m moves from level i to i + 1 at the midpoint, 2 m l_n = (l_i + l_(i+1)) alpha; m grows, so i does.
    """
    index = 0
    top = levels[levels.size - 1]
    for magnitude in range(out.size):
        twice = 2 * magnitude * top
        while index + 1 < levels.size:
            midpoint = (levels[index] + levels[index + 1]) * alpha
            if twice < midpoint or (twice == midpoint and not ties_up):
                break
            index += 1
        out[magnitude] = index


@njit(cache=True)
def _squared_error(magnitudes: Ints, counts: Ints, alpha: int, levels: Ints, ties_up: bool) -> Any:
    """Of quantising `counts[i]` values of magnitude magnitudes[i], ascending: below 2^28 * 2^32."""
    index = 0
    total = np.int64(0)
    top = levels[levels.size - 1]
    for i in range(magnitudes.size):
        twice = 2 * magnitudes[i] * top
        while index + 1 < levels.size:
            midpoint = (levels[index] + levels[index + 1]) * alpha
            if twice < midpoint or (twice == midpoint and not ties_up):
                break
            index += 1
        error = magnitudes[i] - (2 * levels[index] * alpha + top) // (2 * top)
        total += counts[i] * error * error
    return total


@njit(cache=True)
def _count_words(words: npt.NDArray[Any], out: Ints) -> None:
    for i in range(words.size):
        out[np.int64(words[i])] += 1


def unsigned_view(x: Map) -> npt.NDArray[Any]:
    """The words of `x`, flat, as unsigned bit patterns: indices of a table."""
    return x.ravel().view(np.dtype(f"u{x.dtype.itemsize}"))


def word_values(dtype: np.dtype[Any]) -> Ints:
    """The value of each bit pattern of `dtype`, in the order of `unsigned_view`."""
    patterns = np.arange(1 << (8 * dtype.itemsize), dtype=np.dtype(f"u{dtype.itemsize}"))
    return patterns.view(dtype).astype(np.int64)


def magnitude_histogram(x: Map) -> Ints:
    """How often each |x| occurs: int64[max |word| + 1]."""
    counts = np.zeros(1 << (8 * x.dtype.itemsize), np.int64)
    _count_words(unsigned_view(x), counts)
    magnitudes = np.abs(word_values(x.dtype))
    histogram = np.zeros(int(magnitudes.max()) + 1, np.int64)
    np.add.at(histogram, magnitudes, counts)
    return histogram


def clip_candidates(high: int) -> list[int]:
    """Clips that a search tries: every integer to 255, then those of 7 significant bits, to `high`.

    The set does not depend on the data, so that a clip found once is found again.
    """
    coarse = [m << e for e in range(1, 10) for m in range(128, 256)]
    return sorted({a for a in (*range(1, 256), *coarse, high) if a <= high})


def reconstruction(levels: Ints, alpha: int) -> Ints:
    """l_i * alpha / l_n, rounded half up (all are non-negative): int64 like `levels`."""
    top = int(levels[-1])
    return np.asarray((2 * levels * alpha + top) // (2 * top), dtype=np.int64)


def nearest_levels(levels: Ints, alpha: int, ties_up: bool, count: int) -> Ints:
    """Level index of each magnitude 0..count-1."""
    out = np.empty(count, np.int64)
    _nearest(alpha, levels, ties_up, out)
    return out


def least_error_clip(x: Map, levels: Ints, ties_up: bool) -> int:
    """The candidate clip with the least squared error on `x`; the smallest of several."""
    histogram = magnitude_histogram(x)
    magnitudes = np.flatnonzero(histogram)
    counts = histogram[magnitudes]
    best, best_error = 1, -1
    for alpha in clip_candidates(bounds(x.dtype)[1]):
        error = int(_squared_error(magnitudes, counts, alpha, levels, ties_up))
        if best_error < 0 or error < best_error:
            best, best_error = alpha, error
    return best


class ScalarCodec(Codec):
    """A codec of fixed width: one code word of `bits` bits per value, one clip in the header."""

    __slots__ = ()

    bits: int
    alpha: int | None

    @abstractmethod
    def _levels(self, signed: bool) -> Ints:
        """The magnitudes' levels, ascending from 0."""

    @abstractmethod
    def _code(self, index: Ints, negative: npt.NDArray[np.bool_]) -> Ints:
        """The code word, `bits` bits, of a level index and a sign."""

    @property
    @abstractmethod
    def _ties_up(self) -> bool:
        """Whether a value half-way between two levels takes the greater."""

    def _check_clip(self, least_bits: int, most_bits: int) -> None:
        check_integer(self.NAME, "bits", self.bits, least_bits, most_bits)
        if self.alpha is not None:
            check_integer(self.NAME, "alpha", self.alpha, 1, 65535)

    def clip(self, x: Map) -> int:
        """The clip used for `x`: the one given, or the least-squared-error one."""
        if self.alpha is None:
            return least_error_clip(x, self._levels(x.dtype.kind == "i"), self._ties_up)
        high = bounds(x.dtype)[1]
        if self.alpha > high:
            raise WccsimError(f"{self.NAME}: alpha is {self.alpha}; for {x.dtype} allowed: 1 to {high}")
        return self.alpha

    def _encode_table(self, dtype: np.dtype[Any], alpha: int) -> Ints:
        """The code word of each bit pattern of `dtype`."""
        values = word_values(dtype)
        magnitudes = np.abs(values)
        levels = self._levels(dtype.kind == "i")
        indices = nearest_levels(levels, alpha, self._ties_up, int(magnitudes.max()) + 1)[magnitudes]
        return self._code(indices, (values < 0) & (indices > 0))

    def _decode_table(self, signed: bool, alpha: int) -> tuple[Ints, npt.NDArray[np.bool_]]:
        """The value of each code word, and whether an encoder writes it."""
        grid = reconstruction(self._levels(signed), alpha)
        indices = np.arange(grid.size, dtype=np.int64)
        table, legal = np.zeros(1 << self.bits, np.int64), np.zeros(1 << self.bits, np.bool_)
        for sign in (1, -1) if signed else (1,):
            codes = self._code(indices, np.full(indices.size, sign < 0) & (indices > 0))
            table[codes], legal[codes] = sign * grid, True
        return table, legal

    def _check_format(self, dtype: np.dtype[Any]) -> str | None:
        """What forbids this dtype, if anything."""
        if self.bits > 8 * dtype.itemsize:
            return f"{self.NAME}: bits is {self.bits}, more than the {8 * dtype.itemsize} of {dtype}"
        if dtype.kind == "i" and self.bits < 2:
            return f"{self.NAME}: a signed map needs at least 2 bits, not {self.bits}"
        return None

    def _write(self, x: Map) -> Body:
        problem = self._check_format(x.dtype)
        if problem:
            raise WccsimError(problem)
        alpha = self.clip(x)
        table = self._encode_table(x.dtype, alpha).astype(np.int32)
        data = pack(table[unsigned_view(x)], self.bits)
        return Body(data, x.size * self.bits, {"payload": x.size * self.bits}, alpha)

    def _body_bits(self, x: Map) -> int:
        problem = self._check_format(x.dtype)
        if problem:
            raise WccsimError(problem)
        return x.size * self.bits

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        check_end(data, header.values * self.bits, limit_bits)
        problem = self._check_format(header.dtype)
        alpha = header.parameter
        if problem or not 1 <= alpha <= bounds(header.dtype)[1]:
            damaged(problem or f"clip {alpha} for {header.dtype}")
        codes = unpack(data, 0, header.values, self.bits, signed=False)
        table, legal = self._decode_table(header.signed, alpha)
        if not legal.all() and not legal[codes].all():
            damaged("a code word that no value has")
        return table.astype(header.dtype)[codes].reshape(header.shape)

    def _least_bits(self, header: Header) -> int:
        return header.values * self.bits
