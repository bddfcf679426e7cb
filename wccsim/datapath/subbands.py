"""The Mallat layout: where each sub-band lies, and which sub-band a flat index belongs to.

Sub-bands are numbered LL_L, then LH, HL, HH of level L, of level L - 1, ... down to level 1: the
order of the Rice-coded index (docs/datapath.md, sections 2 and 4).
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import numpy.typing as npt


@dataclass(frozen=True, slots=True)
class Subband:
    """One sub-band and its rectangle in the Mallat layout of a padded map."""

    level: int
    band: str
    row: int
    column: int
    height: int
    width: int

    @property
    def rectangle(self) -> tuple[slice, slice]:
        """Rows and columns of the layout."""
        return slice(self.row, self.row + self.height), slice(self.column, self.column + self.width)


def subbands(height: int, width: int, levels: int) -> tuple[Subband, ...]:
    """All 3 * levels + 1 sub-bands of a padded height x width map, in the order of their numbers."""
    found = [Subband(levels, "LL", 0, 0, height >> levels, width >> levels)]
    for level in range(levels, 0, -1):
        rows, columns = height >> level, width >> level
        found.append(Subband(level, "LH", 0, columns, rows, columns))
        found.append(Subband(level, "HL", rows, 0, rows, columns))
        found.append(Subband(level, "HH", rows, columns, rows, columns))
    return tuple(found)


@lru_cache(maxsize=16)
def subband_map(height: int, width: int, levels: int) -> npt.NDArray[np.uint8]:
    """uint8 [height * width]: the number of the sub-band at each flat index. Read-only."""
    numbers = np.empty((height, width), np.uint8)
    for number, subband in enumerate(subbands(height, width, levels)):
        numbers[subband.rectangle] = number
    flat = numbers.reshape(-1)
    flat.setflags(write=False)
    return flat
