"""The size of an index memory without writing it (docs/datapath.md, section 4)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.arith import bit_length_of_count
from wccsim.codecs.wcc_transform import Flags, Plane
from wccsim.datapath.bitmap import HEADER_BITS, PARAMETER_BITS
from wccsim.datapath.subbands import subbands


@njit(cache=True)
def _rice_bits(flags: npt.NDArray[np.bool_], parameters: int) -> Any:
    """Bits of one sub-band, bool [rows, columns], its header left out: the shortest choice."""
    quotients = np.zeros((2, parameters), np.int64)
    gaps, run = np.zeros(2, np.int64), np.zeros(2, np.int64)
    for y in range(flags.shape[0]):
        for x in range(flags.shape[1]):
            # A flag ends a run of zeros; a zero ends a run of the complement's.
            ended = 0 if flags[y, x] else 1
            for k in range(parameters):
                quotients[ended, k] += run[ended] >> k
            gaps[ended] += 1
            run[ended] = 0
            run[1 - ended] += 1
    least = np.int64(1) << 62
    for side in range(2):
        trailing = 1 if run[side] else 0
        for k in range(parameters):
            bits = quotients[side, k] + (run[side] >> k) + (gaps[side] + trailing) * (1 + k)
            least = min(least, bits)
    return least


def index_bits(flags: Flags, kept: int, index: str, plane: Plane) -> int:
    """Bits of the index memory of `flags`, bool [positions] with `kept` set, in the format `index`."""
    if index == "bitmap":
        return plane.positions
    if index == "list":
        return kept * bit_length_of_count(plane.positions)
    layout = flags.reshape(plane.height, plane.width)
    bands = [layout[band.rectangle] for band in subbands(plane.height, plane.width, plane.levels)]
    return sum(HEADER_BITS + int(_rice_bits(band, 1 << PARAMETER_BITS)) for band in bands)
