"""Vectors of quantised coefficients: a presence map and packed non-zeros, a width per frequency.

A frequency whose width is 0 is kept nowhere: it is neither in the map nor in the stream.
Source: docs/codecs.md, section "dct-cm-style"; ours, the papers give no format.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import Bytes, Words, get_bits, put_bits, sign_extended

Widths = npt.NDArray[np.int64]


@njit(cache=True)
def _statistics(coefficients: Words, most: Widths, nonzeros: Widths) -> None:
    n = most.size
    for i in range(coefficients.size):
        c = np.int64(coefficients[i])
        if c:
            most[i % n] = max(most[i % n], abs(c))
            nonzeros[i % n] += 1


def statistics(coefficients: Words, n: int) -> tuple[list[int], list[int]]:
    """Greatest magnitude and number of non-zeros of each of n frequencies (the fastest index)."""
    most, nonzeros = np.zeros(n, np.int64), np.zeros(n, np.int64)
    _statistics(coefficients, most, nonzeros)
    return most.tolist(), nonzeros.tolist()


def width_table(most: list[int]) -> Widths:
    """1 + bitlength of each frequency's greatest magnitude, 0 where all its coefficients are zero."""
    return np.array([1 + m.bit_length() if m else 0 for m in most], dtype=np.int64)


def masked_bits(widths: Widths, nonzeros: list[int], vectors: int) -> tuple[int, int]:
    """(map bits, payload bits) of `vectors` vectors."""
    kept = int(np.count_nonzero(widths))
    return kept * vectors, sum(int(w) * n for w, n in zip(widths, nonzeros, strict=True))


@njit(cache=True)
def write_masked(coefficients: Words, widths: Widths, out: Bytes, position: int) -> int:
    """Write every vector at `position`; the position after them."""
    n = widths.size
    for base in range(0, coefficients.size, n):
        for k in range(n):
            if widths[k]:
                position = put_bits(out, position, 1 if coefficients[base + k] else 0, 1)
        for k in range(n):
            if coefficients[base + k]:
                position = put_bits(out, position, np.int64(coefficients[base + k]), widths[k])
    return position


@njit(cache=True)
def read_masked(data: Bytes, position: int, limit: int, widths: Widths, signed: bool, out: Words) -> int:
    """The position after the vectors of `out`; -1 at an early end, -2 at a zero among the non-zeros."""
    n = widths.size
    for base in range(0, out.size, n):
        at = position
        for k in range(n):
            position += widths[k] != 0
        for k in range(n):
            if position > limit:
                return -1
            out[base + k] = 0
            if widths[k]:
                if get_bits(data, at, 1):
                    value = get_bits(data, position, widths[k])
                    if value == 0:
                        return -2
                    out[base + k] = sign_extended(value, widths[k]) if signed else value
                    position += widths[k]
                at += 1
    return position if position <= limit else -1
