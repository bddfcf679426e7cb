"""Rice coding of signed words in blocks of 16: the one coder of the kept words and of the codecs.

A word or residual d is mapped to 2d or -2d - 1; a block sends its parameter k in 3 bits, then each value as
q ones, a zero and k low bits, q = value >> k; from q = 8 on, eight ones and the raw mapped value, in as
many bits as any of them needs. k is the one of least size, the smallest of several.
Normative: docs/datapath.md, section 4.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from wccsim.bitstream import Bytes, Words, get_bits, put_bits

BLOCK = 16
PARAMETER_BITS = 3
ESCAPE = 8


@njit(cache=True)
def left_residuals(x: Words, row: int, out: Words) -> None:
    """Zig-zag mapped difference to the left neighbour; the first of a row of `row` words is against 0."""
    previous = np.int32(0)
    for i in range(x.size):
        if i % row == 0:
            previous = np.int32(0)
        d = np.int32(x[i] - previous)
        out[i] = 2 * d if d >= 0 else -2 * d - 1
        previous = x[i]


@njit(cache=True)
def plain_residuals(x: Words, out: Words) -> None:
    """Zig-zag mapped words, without a prediction."""
    for i in range(x.size):
        out[i] = 2 * x[i] if x[i] >= 0 else -2 * x[i] - 1


@njit(cache=True)
def undo_residuals(mapped: Words, row: int, predicted: bool, low: int, high: int, out: Words) -> bool:
    """The words of mapped residuals; False where one leaves low..high. `out` may be `mapped`."""
    previous = np.int64(0)
    for i in range(mapped.size):
        if i % row == 0 or not predicted:
            previous = np.int64(0)
        m = np.int64(mapped[i])
        previous += m >> 1 if m & 1 == 0 else -((m + 1) >> 1)
        if previous < low or previous > high:
            return False
        out[i] = np.int32(previous)
    return True


@njit(cache=True)
def _block_parameter(mapped: Words, start: int, stop: int, raw: int) -> tuple[int, Any]:
    """(k, bits of the block without its parameter field) of the least size."""
    best, least = 0, np.int64(1) << 62
    for k in range(1 << PARAMETER_BITS):
        bits = np.int64(0)
        for i in range(start, stop):
            q = mapped[i] >> k
            bits += q + 1 + k if q < ESCAPE else ESCAPE + raw
        if bits < least:
            best, least = k, bits
    return best, least


@njit(cache=True)
def rice_bits(mapped: Words, raw: int) -> Any:
    """Bits of all blocks; `raw` bits hold any mapped value."""
    total = np.int64(0)
    for start in range(0, mapped.size, BLOCK):
        stop = min(start + BLOCK, mapped.size)
        total += PARAMETER_BITS + _block_parameter(mapped, start, stop, raw)[1]
    return total


@njit(cache=True)
def write_rice(mapped: Words, raw: int, out: Bytes, position: int) -> int:
    """Write all blocks at `position`; the position after them."""
    for start in range(0, mapped.size, BLOCK):
        stop = min(start + BLOCK, mapped.size)
        k, _ = _block_parameter(mapped, start, stop, raw)
        position = put_bits(out, position, k, PARAMETER_BITS)
        for i in range(start, stop):
            value = np.int64(mapped[i])
            q = value >> k
            if q < ESCAPE:
                # q ones, the zero, then the k low bits: (2^q - 1) followed by k + 1 bits.
                low = value & ((1 << k) - 1)
                position = put_bits(out, position, (((1 << q) - 1) << (k + 1)) | low, q + 1 + k)
            else:
                position = put_bits(out, position, (1 << ESCAPE) - 1, ESCAPE)
                position = put_bits(out, position, value, raw)
    return position


@njit(cache=True)
def read_rice(data: Bytes, position: int, limit: int, raw: int, out: Words) -> int:
    """Read `out.size` mapped values; the position after them, or -1 at an early end."""
    for start in range(0, out.size, BLOCK):
        k = get_bits(data, position, PARAMETER_BITS)
        position += PARAMETER_BITS
        for i in range(start, min(start + BLOCK, out.size)):
            q = 0
            while q < ESCAPE and get_bits(data, position + q, 1):
                q += 1
            if q == ESCAPE:
                out[i] = np.int32(get_bits(data, position + ESCAPE, raw))
                position += ESCAPE + raw
            else:
                out[i] = np.int32((q << k) | get_bits(data, position + q + 1, k))
                position += q + 1 + k
            if position > limit:
                return -1
    return position
