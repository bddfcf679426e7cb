"""How often the hardware did each thing: exact integers that add.

The rules that say what each stage of a WCC layer does, and how often, are in docs/actions.md.
Two routes lead to these counts, running the data (`wccsim.datapath`) and algebra on shapes
(`wccsim.analytic`); they meet only in tests/test_agreement.py.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import Enum


class Stage(str, Enum):
    """The stages of one WCC layer, in the order of docs/datapath.md, section 0."""

    PAD = "pad"
    HAAR = "haar"
    SCORE = "score"
    SELECT = "select"
    BITMAP = "bitmap"
    REQUANTISE = "requantise"
    MAC = "mac"
    REQUANTISE_SUM = "requantise_sum"
    ZERO_FILL = "zero_fill"
    INVERSE = "inverse"
    REQUANTISE_OUT = "requantise_out"


@dataclass(frozen=True, slots=True)
class ActionCounts:
    """Operations done and bits moved. A rounding shift is one add and one shift."""

    macs: int = 0
    multiplies: int = 0
    adds: int = 0
    shifts: int = 0
    compares: int = 0
    input_read_bits: int = 0
    weight_read_bits: int = 0
    coefficient_read_bits: int = 0
    coefficient_write_bits: int = 0
    score_read_bits: int = 0
    score_write_bits: int = 0
    index_read_bits: int = 0
    index_write_bits: int = 0
    kept_read_bits: int = 0
    kept_write_bits: int = 0
    wavelet_read_bits: int = 0
    wavelet_write_bits: int = 0
    output_write_bits: int = 0

    @property
    def read_bits(self) -> int:
        """Bits read from all memories."""
        return sum(getattr(self, f.name) for f in fields(self) if f.name.endswith("_read_bits"))

    @property
    def write_bits(self) -> int:
        """Bits written to all memories."""
        return sum(getattr(self, f.name) for f in fields(self) if f.name.endswith("_write_bits"))

    def __add__(self, other: ActionCounts) -> ActionCounts:
        return ActionCounts(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))

    def __mul__(self, times: int) -> ActionCounts:
        return ActionCounts(*(getattr(self, f.name) * times for f in fields(self)))


def total(counts: dict[Stage, ActionCounts]) -> ActionCounts:
    """The sum over all stages."""
    return sum(counts.values(), ActionCounts())
