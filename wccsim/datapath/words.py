"""The word memory: the kept words as a real bit stream (docs/datapath.md, section 4).

Two formats of the same words: `fixed` widths, one for each position, or `rice` coded in blocks of 16. Every
word lies on the symmetric grid of its width, -(2^(w-1) - 1) .. 2^(w-1) - 1. The stream runs channel by
channel, each in increasing flat index, most significant bit first.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import (
    Bytes,
    Words,
    buffer_for,
    bytes_for,
    get_bits,
    put_bits,
    readable,
    sign_extended,
)
from wccsim.datapath.subbands import subband_map, subbands
from wccsim.errors import WccsimError
from wccsim.parameters import WORD_FORMATS, WccParameters
from wccsim.rice_code import (
    BLOCK,
    PARAMETER_BITS,
    plain_residuals,
    read_rice,
    rice_bits,
    undo_residuals,
    write_rice,
)

Ints = npt.NDArray[np.int64]
WIDEST = 8  # bits of a kept word of the datapath


@dataclass(frozen=True, slots=True, eq=False)
class WordMemory:
    """A stream of `bits` bits in `payload` (bytes filled up with zeros) and what is needed to read it.

    widths: int64 [k], the width of the word at each kept position, alike in all `channels`.
    """

    format: str
    channels: int
    widths: Ints
    bits: int
    payload: bytes


def word_widths(p: WccParameters, height: int, width: int, indices: Ints) -> Ints:
    """int64 [k]: the width of the kept words at the flat `indices` of a padded height x width map."""
    by_band = np.array([p.kept_bits(band.band) for band in subbands(height, width, p.levels)], np.int64)
    return by_band[subband_map(height, width, p.levels)[indices]]


def encode(q: npt.NDArray[np.integer], widths: Ints, words: str) -> WordMemory:
    """The word memory of q, integers [C, k], in the format `words`.

    Raises WccsimError for a word outside the symmetric grid of its width.
    """
    widths = _checked(words, widths)
    if q.ndim != 2 or q.shape[1] != widths.size or q.dtype.kind != "i":
        raise WccsimError(f"words are {q.dtype} {q.shape}; allowed: integers [C, {widths.size}]")
    if (np.abs(q.astype(np.int64)) >= np.int64(1) << (widths - 1)).any():
        raise WccsimError("a word lies outside the symmetric grid of its width")
    flat = q.astype(np.int32)
    bits = sum(word_bits(flat, widths, words).values())
    out = buffer_for(bits)
    write_words(flat, widths, words, out, 0)
    return WordMemory(words, q.shape[0], widths, bits, out.tobytes())


def decode(memory: WordMemory) -> npt.NDArray[np.int8]:
    """The words that were encoded, int8 [C, k]. A stream that nothing could have written: WccsimError."""
    widths = _checked(memory.format, memory.widths)
    if memory.bits < 0 or len(memory.payload) != bytes_for(memory.bits):
        raise WccsimError(f"words of {memory.bits} bits do not have {len(memory.payload)} bytes")
    if memory.channels < 1 or memory.channels * widths.size > memory.bits:  # a word has a bit at least
        raise WccsimError(f"{memory.channels} x {widths.size} words do not fit {memory.bits} bits")
    data = readable(memory.payload)
    words, end = read_words(data, 0, memory.bits, widths, memory.channels, memory.format)
    if words is None:
        raise WccsimError("the words break off, or one lies outside the symmetric grid of its width")
    if end != memory.bits:
        raise WccsimError(f"the words end after {end} of their {memory.bits} bits")
    if get_bits(data, end, 8 * len(memory.payload) - end):
        raise WccsimError("the word memory has bits set after its end")
    return words.astype(np.int8)


def _checked(words: str, widths: Ints) -> Ints:
    if words not in WORD_FORMATS:
        raise WccsimError(f"words {words!r} is not known; allowed: {', '.join(WORD_FORMATS)}")
    widths = np.asarray(widths)
    if widths.ndim != 1 or not widths.size or widths.dtype.kind != "i":
        raise WccsimError(f"widths are {widths.dtype} {widths.shape}; allowed: one integer per kept position")
    if widths.min() < 2 or widths.max() > WIDEST:
        raise WccsimError(f"widths reach {widths.min()}..{widths.max()}; allowed: 2 to {WIDEST}")
    return widths.astype(np.int64)


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
