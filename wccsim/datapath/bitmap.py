"""The index memory: which positions were kept, as a real bit stream (docs/datapath.md, section 4).

Three formats of the same information: `bitmap`, `list` of flat indices, `rice` code of the gaps of
each sub-band. Bit i of a stream is bit i % 8 of byte i // 8; numbers stand lowest bit first.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.actions import ActionCounts
from wccsim.arith import bit_length_of_count
from wccsim.datapath.subbands import subbands
from wccsim.errors import WccsimError
from wccsim.parameters import INDEX_FORMATS, MAX_LEVELS

Flags = npt.NDArray[np.bool_]
Bits = npt.NDArray[np.uint8]  # one bit an element

PARAMETER_BITS = 3
HEADER_BITS = 1 + PARAMETER_BITS
MAX_POSITIONS = 1 << 28


@dataclass(frozen=True, slots=True)
class IndexMemory:
    """A stream of `bits` bits in `payload` (bytes filled up with zeros) and what is needed to read it.

    height and width are those of the padded map, kept is the number of kept positions.
    """

    format: str
    height: int
    width: int
    levels: int
    kept: int
    bits: int
    payload: bytes


def encode(kept: Flags, index: str, height: int, width: int, levels: int) -> IndexMemory:
    """The index memory of kept, bool [height * width] in flat order."""
    _check(index, height, width, levels)
    flags = np.asarray(kept, np.bool_).reshape(-1)
    if len(flags) != height * width:
        raise WccsimError(f"{len(flags)} flags for a padded map of {height} x {width}")
    if index == "bitmap":
        stream = flags.astype(np.uint8)
    elif index == "list":
        stream = _numbers(np.flatnonzero(flags), bit_length_of_count(len(flags)))
    else:
        stream = np.concatenate([_rice_subband(band) for band in _by_subband(flags, height, width, levels)])
    payload = np.packbits(stream, bitorder="little").tobytes()
    return IndexMemory(index, height, width, levels, int(flags.sum()), len(stream), payload)


def decode(memory: IndexMemory) -> Flags:
    """The flags that were encoded. A stream that nothing could have written is refused with WccsimError."""
    _check(memory.format, memory.height, memory.width, memory.levels)
    if memory.bits < 0 or len(memory.payload) != -(-memory.bits // 8):
        raise WccsimError(f"an index of {memory.bits} bits does not have {len(memory.payload)} bytes")
    every = np.unpackbits(np.frombuffer(memory.payload, np.uint8), bitorder="little")
    stream = every[: memory.bits]
    if every[memory.bits :].any():
        raise WccsimError("the index memory has bits set after its end")
    flags = _DECODERS[memory.format](stream, memory)
    if int(flags.sum()) != memory.kept:
        raise WccsimError(f"the index memory marks {int(flags.sum())} positions, not {memory.kept}")
    return flags


def bitmap_actions(bits: int) -> ActionCounts:
    """What writing the index memory does."""
    return ActionCounts(index_write_bits=bits)


def _check(index: str, height: int, width: int, levels: int) -> None:
    if index not in INDEX_FORMATS:
        raise WccsimError(f"index {index!r} is not known; allowed: {', '.join(INDEX_FORMATS)}")
    step = 1 << levels if 1 <= levels <= MAX_LEVELS else 0
    if not step or height < 1 or width < 1 or height % step or width % step:
        raise WccsimError(
            f"an index of {height} x {width} positions at {levels} levels: "
            f"sizes are positive multiples of 2**levels, levels 1 to {MAX_LEVELS}"
        )
    if height * width > MAX_POSITIONS:
        raise WccsimError(f"an index of {height} x {width} positions; at most {MAX_POSITIONS}")


def _numbers(values: npt.NDArray[np.int64], bits: int) -> Bits:
    """Each value as `bits` bits, lowest first."""
    return ((values[:, None] >> np.arange(bits)) & 1).astype(np.uint8).reshape(-1)


def _by_subband(flags: Flags, height: int, width: int, levels: int) -> Iterator[Flags]:
    layout = flags.reshape(height, width)
    for subband in subbands(height, width, levels):
        yield layout[subband.rectangle].reshape(-1)


def _gaps(flags: Flags) -> npt.NDArray[np.int64]:
    """Zeros before each set flag, and after the last one where any are left."""
    ends = np.append(np.flatnonzero(flags), len(flags))
    gaps = np.diff(ends, prepend=-1) - 1
    return gaps if gaps[-1] else gaps[:-1]


def _rice_subband(flags: Flags) -> Bits:
    """Header and code of one sub-band: the shortest choice, the first of equals."""
    best: tuple[int, int, int] | None = None
    both = (_gaps(flags), _gaps(~flags))
    for complement, gaps in enumerate(both):
        for parameter in range(1 << PARAMETER_BITS):
            size = int((gaps >> parameter).sum()) + len(gaps) * (1 + parameter)
            if best is None or size < best[0]:
                best = size, complement, parameter
    assert best is not None
    size, complement, parameter = best
    gaps = both[complement]
    quotients = gaps >> parameter
    ends = np.cumsum(quotients + 1 + parameter)
    starts = ends - (quotients + 1 + parameter)
    stream = np.zeros(HEADER_BITS + size, np.uint8)
    stream[:HEADER_BITS] = complement, *(parameter >> i & 1 for i in range(PARAMETER_BITS))
    body = stream[HEADER_BITS:]
    # Unary part: the i-th of `quotients` ones stands i after its start.
    first = np.repeat(starts - (np.cumsum(quotients) - quotients), quotients)
    body[first + np.arange(len(first))] = 1
    for i in range(parameter):
        body[starts + quotients + 1 + i] = gaps >> i & 1
    return stream


def _decode_bitmap(stream: Bits, memory: IndexMemory) -> Flags:
    if memory.bits != memory.height * memory.width:
        raise WccsimError(f"a bitmap of {memory.bits} bits for {memory.height} x {memory.width} positions")
    return stream.astype(np.bool_)


def _decode_list(stream: Bits, memory: IndexMemory) -> Flags:
    positions = memory.height * memory.width
    width = bit_length_of_count(positions)
    if not 0 <= memory.kept <= positions or memory.bits != memory.kept * width:
        raise WccsimError(f"a list of {memory.kept} indices of {width} bits is not {memory.bits} bits long")
    weights = np.int64(1) << np.arange(width)
    indices = stream.reshape(memory.kept, width).astype(np.int64) @ weights
    if len(indices) and (indices[-1] >= positions or (np.diff(indices) <= 0).any()):
        raise WccsimError(f"the index list is not increasing or leaves the {positions} positions")
    flags = np.zeros(positions, np.bool_)
    flags[indices] = True
    return flags


def rice_prefix(stream: Bits, height: int, width: int, levels: int) -> tuple[Flags, int]:
    """The flags that a Rice-coded index at the start of `stream` marks, and where it ends.

    The code needs no length: its last sub-band ends it, whatever follows.
    """
    layout = np.zeros((height, width), np.bool_)
    start = 0
    for subband in subbands(height, width, levels):
        flags = np.zeros(subband.height * subband.width, np.bool_)
        start = _read_rice(stream, start, flags)
        if start < 0:
            raise WccsimError(f"the Rice-coded index breaks off or leaves {subband.band} {subband.level}")
        layout[subband.rectangle] = flags.reshape(subband.height, subband.width)
    return layout.reshape(-1), start


def _decode_rice(stream: Bits, memory: IndexMemory) -> Flags:
    flags, end = rice_prefix(stream, memory.height, memory.width, memory.levels)
    if end != memory.bits:
        raise WccsimError(f"the Rice-coded index ends after {end} of its {memory.bits} bits")
    return flags


_DECODERS = {"bitmap": _decode_bitmap, "list": _decode_list, "rice": _decode_rice}


@njit(cache=True)
def _read_rice(stream: Bits, start: int, flags: Flags) -> int:
    """Fill `flags` from stream[start:]; returns where the next sub-band starts, -1 for a false stream."""
    end, count = len(stream), len(flags)
    if start + HEADER_BITS > end:
        return -1
    complement = stream[start] == 1
    parameter = 0
    for i in range(PARAMETER_BITS):
        parameter |= int(stream[start + 1 + i]) << i
    start += HEADER_BITS
    flags[:] = complement
    position = 0
    while position < count:
        gap = 0
        while start < end and stream[start] == 1:
            gap += 1 << parameter
            start += 1
        start += 1
        if start + parameter > end or gap > count:
            return -1
        for i in range(parameter):
            gap += int(stream[start + i]) << i
        start += parameter
        position += gap
        if position > count:
            return -1
        if position < count:
            flags[position] = not complement
        position += 1
    return start
