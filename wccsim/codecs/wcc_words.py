"""The kept words of WCC in a stream: fixed widths per position, or Rice coded in blocks of 16.

Every word lies on the symmetric grid of its width, -(2^(w-1) - 1) .. 2^(w-1) - 1.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.codecs.bitstream import Bytes, Words, get_bits, put_bits, sign_extended
from wccsim.codecs.rice_code import (
    BLOCK,
    PARAMETER_BITS,
    plain_residuals,
    read_rice,
    rice_bits,
    undo_residuals,
    write_rice,
)

Ints = npt.NDArray[np.int64]


@njit(cache=True)
def _write_fixed(words: Words, widths: Ints, out: Bytes, position: int) -> int:
    for channel in range(words.shape[0]):
        for i in range(widths.size):
            position = put_bits(out, position, np.int64(words[channel, i]), widths[i])
    return position


@njit(cache=True)
def _read_fixed(data: Bytes, position: int, widths: Ints, out: Words) -> bool:
    """False at the one two's complement word outside the grid."""
    for channel in range(out.shape[0]):
        for i in range(widths.size):
            value = sign_extended(get_bits(data, position, widths[i]), widths[i])
            if value == -(1 << (widths[i] - 1)):
                return False
            out[channel, i] = np.int32(value)
            position += widths[i]
    return True


def mapped(words: Words) -> Words:
    """The words, flat, zig-zag mapped for the Rice code."""
    out = np.empty(words.size, np.int32)
    plain_residuals(words.ravel(), out)
    return out


def word_bits(words: Words, widths: Ints, coding: str) -> dict[str, int]:
    """Bits by part of words int32[C, k], `widths` the width of each of the k positions."""
    if coding == "fixed":
        return {"payload": words.shape[0] * int(widths.sum())}
    parameters = PARAMETER_BITS * -(-words.size // BLOCK)
    # The mapped value of a word of w bits on the symmetric grid is below 2^w - 1.
    return {
        "parameters": parameters,
        "payload": int(rice_bits(mapped(words), int(widths.max()))) - parameters,
    }


def write_words(words: Words, widths: Ints, coding: str, out: Bytes, position: int) -> None:
    """Write words int32[C, k] at `position`, channel by channel."""
    if coding == "fixed":
        _write_fixed(words, widths, out, position)
    else:
        write_rice(mapped(words), int(widths.max()), out, position)


def read_words(
    data: Bytes, position: int, limit: int, widths: Ints, channels: int, coding: str
) -> tuple[Words | None, int]:
    """(words int32[channels, k], the position after them); None for words that no encoder writes."""
    if coding == "fixed":
        end = position + channels * int(widths.sum())
        if end > limit:
            return None, -1
        out = np.empty((channels, widths.size), np.int32)
        return (out if _read_fixed(data, position, widths, out) else None), end
    out = np.empty((channels, widths.size), np.int32)
    flat = out.reshape(-1)
    end = int(read_rice(data, position, limit, int(widths.max()), flat))
    most = (1 << (int(widths.max()) - 1)) - 1
    if end < 0 or not undo_residuals(flat, flat.size, False, -most, most, flat):
        return None, -1
    limits = (np.int64(1) << (widths - 1)) - 1
    return (out if bool((np.abs(out).max(axis=0) <= limits).all()) else None), end
