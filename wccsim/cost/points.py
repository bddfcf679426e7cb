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

    map_bits: the whole input map as it lies in DRAM. out_bits: width of an output value.
    """

    in_channels: Ints
    out_channels: Ints
    pixels: Ints
    positions: Ints
    kept: Ints
    levels: Ints
    act_bits: Ints
    weight_bits: Ints
    bias: Ints
    map_bits: Ints
    out_bits: Ints

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
    """Per point, looked up by its settings: word widths, and pJ of an operation in every stage."""

    coefficient_bits: Ints
    score_bits: Ints
    inverse_bits: Ints
    wavelet_bits: int
    prices: dict[Stage, tuple[Floats, Floats, Floats, Floats]]
    mac_pj: Floats


@dataclass(frozen=True, slots=True)
class Sizes:
    """Bits of the tensors that several formulas share."""

    butterflies: Ints
    last: Ints
    input_bits: Ints
    map_bits: Ints
    kept_bits: Ints
    index_bits: Ints
    scores_bits: Ints
    score_sweeps: Ints
    words_bits: Ints
    out_bits: Ints


@dataclass(frozen=True, slots=True)
class Memory:
    """What fits on chip (wccsim.cost.selection) and the tiling that follows."""

    index: npt.NDArray[np.bool_]
    scores: npt.NDArray[np.bool_]
    coefficients: npt.NDArray[np.bool_]
    stay: npt.NDArray[np.bool_]
    tiled: Tiled

    def dram_bits(self, s: Sizes) -> Ints:
        """Everything that crosses DRAM."""
        crossing = s.out_bits + np.where(self.index, 0, 3 * s.index_bits)
        crossing += np.where(self.scores, 0, s.scores_bits * (1 + s.score_sweeps))
        t = self.tiled
        return crossing + t.in_read + t.in_write + t.weight_read + 2 * t.partial
