"""Bits packed into bytes, most significant bit first: what every codec writes and reads.

`put_bits` and `get_bits` are kernels for other kernels: they trust their arguments. A buffer to
write into starts as zeros; a buffer to read from comes from `readable`, whose zero tail lets a
decoder run at most `TAIL_BYTES` past the end before it checks where it stands.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

Bytes = npt.NDArray[np.uint8]
Words = npt.NDArray[np.int32]

TAIL_BYTES = 64


@njit(cache=True)
def put_bits(out: Bytes, position: int, value: int, width: int) -> int:
    """OR the low `width` bits of `value` (two's complement, width <= 62) into `out`; the new position."""
    while width > 0:
        room = 8 - (position & 7)
        take = min(room, width)
        chunk = (value >> (width - take)) & ((1 << take) - 1)
        out[position >> 3] |= np.uint8(chunk << (room - take))
        position += take
        width -= take
    return position


@njit(cache=True)
def get_bits(data: Bytes, position: int, width: int) -> Any:
    """The unsigned value of the `width` bits (width <= 62) at `position`."""
    value = np.int64(0)
    while width > 0:
        room = 8 - (position & 7)
        take = min(room, width)
        byte = np.int64(data[position >> 3])
        value = (value << take) | ((byte >> (room - take)) & ((1 << take) - 1))
        position += take
        width -= take
    return value


@njit(cache=True)
def sign_extended(value: int, width: int) -> int:
    """`value`, an unsigned field of `width` bits, read as two's complement."""
    half = 1 << (width - 1)
    return (value ^ half) - half


@njit(cache=True)
def _pack(values: Words, width: int, out: Bytes) -> None:
    position = 0
    for i in range(values.size):
        position = put_bits(out, position, np.int64(values[i]), width)


@njit(cache=True)
def _unpack(data: Bytes, position: int, width: int, signed: bool, out: Words) -> None:
    for i in range(out.size):
        value = get_bits(data, position, width)
        out[i] = np.int32(sign_extended(value, width) if signed else value)
        position += width


def bytes_for(bits: int) -> int:
    """Bytes that hold `bits` bits."""
    return (bits + 7) >> 3


def buffer_for(bits: int) -> Bytes:
    """A zeroed buffer that `bits` bits can be written into."""
    return np.zeros(bytes_for(bits), np.uint8)


def readable(data: bytes | Bytes) -> Bytes:
    """A copy of `data` with a zero tail, for `get_bits`."""
    source = np.frombuffer(data, np.uint8) if isinstance(data, bytes) else data
    out = np.zeros(source.size + TAIL_BYTES, np.uint8)
    out[: source.size] = source
    return out


def pack(values: npt.NDArray[np.integer], width: int) -> Bytes:
    """`values` in order, each its low `width` bits (1..31): uint8, zero-padded to a whole byte."""
    flat = values.ravel()
    if width == 8:
        return flat.astype(np.uint8)
    if width == 16:
        return flat.astype(np.uint16).astype(">u2").view(np.uint8)
    out = buffer_for(flat.size * width)
    _pack(flat.astype(np.int32, copy=False), width, out)
    return out


def place(stream: Bytes, bits: int, out: Bytes, position: int) -> int:
    """OR the first `bits` bits of `stream` into `out` at `position`; `out` has a byte to spare.

    Bits of `stream` past `bits` in its last byte must be zero. The position after them.
    """
    count, shift, start = bytes_for(bits), position & 7, position >> 3
    wide = stream[:count].astype(np.uint16) << (8 - shift)
    out[start : start + count] |= (wide >> 8).astype(np.uint8)
    out[start + 1 : start + 1 + count] |= (wide & 0xFF).astype(np.uint8)
    return position + bits


def unpack(data: Bytes, position: int, count: int, width: int, signed: bool) -> Words:
    """`count` words of `width` bits (1..31) at bit `position` of a `readable` buffer: int32[count]."""
    out = np.empty(count, np.int32)
    if width == 8 and position & 7 == 0:
        part = data[position >> 3 : (position >> 3) + count]
        out[:] = part.view(np.int8) if signed else part
    elif width > 0:
        _unpack(data, position, width, signed, out)
    else:
        out[:] = 0
    return out
