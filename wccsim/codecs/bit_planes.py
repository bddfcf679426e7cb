"""The two streams of EBPC as kernels: the zero map, and the bit planes of the non-zero words.

A plane of n - 1 bits (first difference leftmost) is one symbol, the first that fits; D is the plane
XOR the plane before it, least significant plane first:

    D = 0       01, or for r >= 2 planes in a row 001 and r - 2 in ceil(log2 w) bits
    D all ones  00000
    plane = 0   00001
    D has two adjacent ones  00010 and the index of the left one in ceil(log2 n) bits
    D has one one            00011 and its index
    else        1 and D

Source: pulp-platform/stream-ebpc, py/common/bpc.py, variant "paper".
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import Bytes, Words, get_bits, put_bits, sign_extended

ZERO_RUN = 16


@njit(cache=True)
def write_zero_map(x: Words, out: Bytes, write: bool) -> int:
    """Bits of the zero map; written to `out` when `write`."""
    bits = run = 0
    for i in range(x.size):
        if x[i] == 0:
            run += 1
        if run and (x[i] or run == ZERO_RUN or i == x.size - 1):
            if write:
                put_bits(out, bits, run - 1, 5)
            bits += 5
            run = 0
        if x[i]:
            if write:
                put_bits(out, bits, 1, 1)
            bits += 1
    return bits


@njit(cache=True)
def read_zero_map(data: Bytes, position: int, limit: int, present: npt.NDArray[np.bool_]) -> int:
    """The position after the map, or -1 where it ends early or runs over the last value."""
    filled = 0
    while filled < present.size:
        if position >= limit:
            return -1
        if get_bits(data, position, 1):
            present[filled] = True
            filled += 1
            position += 1
        else:
            run = get_bits(data, position, 5) + 1
            if filled + run > present.size:
                return -1
            present[filled : filled + run] = False
            filled += run
            position += 5
    return position


@njit(cache=True)
def _log2_ceiling(count: int) -> int:
    bits = 0
    while (1 << bits) < count:
        bits += 1
    return bits


@njit(cache=True)
def _zero_symbol(run: int, run_bits: int) -> tuple[int, int]:
    """(value, width) of `run` planes with D = 0; the prefix 01, or 001 and run - 2."""
    return (1, 2) if run == 1 else ((1 << run_bits) | (run - 2), 3 + run_bits)


@njit(cache=True)
def _plane_symbol(d: int, plane: int, length: int, index_bits: int) -> tuple[int, int]:
    """(value, width) of a plane of `length` bits whose D is not zero."""
    if d == (1 << length) - 1:
        return 0, 5
    if plane == 0:
        return 1, 5
    low = 0
    while (d >> low) & 1 == 0:
        low += 1
    if d == 3 << low:
        return (2 << index_bits) | (length - 2 - low), 5 + index_bits
    if d == 1 << low:
        return (3 << index_bits) | (length - 1 - low), 5 + index_bits
    return (1 << length) | d, 1 + length


@njit(cache=True)
def _gather_plane(deltas: npt.NDArray[np.int64], bit: int) -> Any:
    plane = np.int64(0)
    for j in range(deltas.size):
        plane = (plane << 1) | ((deltas[j] >> bit) & 1)
    return plane


@njit(cache=True)
def write_planes(words: Words, block: int, width: int, out: Bytes, write: bool) -> int:
    """Bits of the plane stream of whole blocks of `block` words; written to `out` when `write`."""
    run_bits, index_bits = _log2_ceiling(width), _log2_ceiling(block)
    deltas = np.empty(block - 1, np.int64)
    position = 0
    for start in range(0, words.size, block):
        if write:
            put_bits(out, position, np.int64(words[start]), width)
        position += width
        for j in range(block - 1):
            deltas[j] = np.int64(words[start + j + 1]) - np.int64(words[start + j])
        before = np.int64(0)
        run = 0
        for bit in range(width + 1):
            plane = _gather_plane(deltas, bit)
            d = plane ^ before
            before = plane
            if d == 0:
                run += 1
            if run and (d or bit == width):
                value, size = _zero_symbol(run, run_bits)
                if write:
                    put_bits(out, position, value, size)
                position += size
                run = 0
            if d:
                value, size = _plane_symbol(d, plane, block - 1, index_bits)
                if write:
                    put_bits(out, position, value, size)
                position += size
    return position


@njit(cache=True)
def _read_difference(
    data: Bytes, position: int, length: int, index_bits: int, before: int
) -> tuple[Any, int]:
    """(D, position after it) of a symbol that is no zero run; D = 0 where no encoder writes it."""
    if get_bits(data, position, 1):
        return get_bits(data, position + 1, length), position + 1 + length
    kind = get_bits(data, position, 5)
    if kind == 0:
        return np.int64((1 << length) - 1), position + 5
    if kind == 1:
        return np.int64(before), position + 5
    index = get_bits(data, position + 5, index_bits)
    shift = length - index - (2 if kind == 2 else 1)
    d = np.int64(0)
    if shift >= 0:
        d = np.int64((3 if kind == 2 else 1) << shift)
    return d, position + 5 + index_bits


@njit(cache=True)
def read_planes(
    data: Bytes, position: int, limit: int, block: int, width: int, signed: bool, out: Words
) -> int:
    """The position after the blocks of `out`; -1 at an early end, -2 at a symbol that cannot be."""
    run_bits, index_bits = _log2_ceiling(width), _log2_ceiling(block)
    length = block - 1
    deltas = np.empty(length, np.int64)
    mask = (1 << width) - 1
    for start in range(0, out.size, block):
        value = get_bits(data, position, width)
        position += width
        deltas[:] = 0
        before = np.int64(0)
        bit = 0
        while bit <= width:
            if position > limit:
                return -1
            if get_bits(data, position, 2) == 1:
                run = 1
                position += 2
            elif get_bits(data, position, 3) == 1:
                run = get_bits(data, position + 3, run_bits) + 2
                position += 3 + run_bits
            else:
                run = 1
                d, position = _read_difference(data, position, length, index_bits, before)
                if d == 0:
                    return -2
                before ^= d
            if bit + run > width + 1:
                return -2
            for plane in range(bit, bit + run):
                for j in range(length):
                    deltas[j] |= ((before >> (length - 1 - j)) & 1) << plane
            bit += run
        out[start] = sign_extended(value, width) if signed else value
        for j in range(length):
            value = (value + deltas[j]) & mask
            out[start + j + 1] = sign_extended(value, width) if signed else value
    return position if position <= limit else -1
