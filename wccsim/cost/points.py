"""Many layer-points as arrays, and what the vectorised cost model knows of each."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wccsim.actions import Stage
from wccsim.cost.tiling_vector import Ints, Tiled

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Points:
    """Layer-points, one a row: shapes, settings, positions N of the padded map and kept k of them.

    map_bits: the whole input map as it lies in DRAM, 0 where it never leaves the chip; kept_form: it
    lies there as its kept words. out_bits: width of an output value; out_store_bits: the whole output
    as it is stored. The bits of an index that crosses with a map stand apart. (`wccsim.cost.source`)
    index_bits: the layer's own index; stored_bits: all kept words of its input as they lie in DRAM.
    """

    in_channels: Ints
    out_channels: Ints
    pixels: Ints
    positions: Ints
    kept: Ints
    levels: Ints
    act_bits: Ints
    weight_bits: Ints
    index_bits: Ints
    stored_bits: Ints
    bias: Ints
    map_bits: Ints
    kept_form: npt.NDArray[np.bool_]
    in_index_bits: Ints
    out_bits: Ints
    out_store_bits: Ints
    out_index_bits: Ints

    def __len__(self) -> int:
        return len(self.kept)


@dataclass(frozen=True, slots=True)
class Costs:
    """What each point costs."""

    macs: Ints
    bops: Ints
    cycles: Ints
    dram_bits: Ints
    energy_pj: Floats


@dataclass(frozen=True, slots=True)
class Constants:
    """Per point, looked up by its settings: word widths, and what every stage pays.

    prices: pJ of a multiplication, an addition, a shift and a comparison (of a MAC alone in the stage
    of the array); priced by gates, of one unit of the stage's work.
    """

    coefficient_bits: Ints
    score_bits: Ints
    inverse_bits: Ints
    wavelet_bits: int
    prices: dict[Stage, tuple[Floats, ...]]


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bits of the tensors that several formulas share."""

    butterflies: Ints
    last: Ints
    input_bits: Ints
    map_bits: Ints
    kept_bits: Ints
    stored_bits: Ints
    index_bits: Ints
    scores_bits: Ints
    score_sweeps: Ints
    words_bits: Ints
    made_bits: Ints


@dataclass(frozen=True, slots=True)
class Memory:
    """What fits on chip (wccsim.cost.selection) and the tiling that follows.

    copy: what the array needs again is read as a copy of the kept words, not as the map.
    """

    index: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.bool_]
    coefficients: npt.NDArray[np.bool_]
    stay: npt.NDArray[np.bool_]
    copy: npt.NDArray[np.bool_]
    tiled: Tiled

    def dram_bits(self, points: Points, s: Sizes) -> Ints:
        """Everything that crosses DRAM."""
        crossing = points.out_store_bits + points.in_index_bits + points.out_index_bits
        crossing += np.where(self.index, 0, 3 * s.index_bits)
        crossing += np.where(self.scores, 0, s.scores_bits * (1 + s.score_sweeps))
        t = self.tiled
        return crossing + t.in_read + t.in_write + t.weight_read + 2 * t.partial
