"""What one layer costs: exact integer cycles and bits, and picojoules made of them at the very end."""

from __future__ import annotations

from dataclasses import dataclass, fields
from fractions import Fraction

from wccsim.network.model import Layer


@dataclass(frozen=True, slots=True)
class DramBits:
    """Bits across the DRAM port, read and written, by tensor.

    coefficient, score: the selection's working set where it does not fit on chip. kept: compressed
    coefficients that leave the chip and come back. partial: sums that do so.
    """

    in_read: int = 0
    weight_read: int = 0
    out_write: int = 0
    index_read: int = 0
    index_write: int = 0
    kept_read: int = 0
    kept_write: int = 0
    score_read: int = 0
    score_write: int = 0
    partial_read: int = 0
    partial_write: int = 0

    @property
    def read(self) -> int:
        """All bits read."""
        return sum(getattr(self, field.name) for field in fields(self) if field.name.endswith("_read"))

    @property
    def write(self) -> int:
        """All bits written."""
        return sum(getattr(self, field.name) for field in fields(self) if field.name.endswith("_write"))


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage of a layer; its cycles are those of its phase alone."""

    stage: str
    cycles: int = 0
    sram_read_bits: int = 0
    sram_write_bits: int = 0
    dram_read_bits: int = 0
    dram_write_bits: int = 0
    compute_pj: float = 0.0
    sram_pj: float = 0.0
    dram_pj: float = 0.0

    @property
    def energy_pj(self) -> float:
        """Computing, on-chip memory and DRAM together."""
        return self.compute_pj + self.sram_pj + self.dram_pj


@dataclass(frozen=True, slots=True)
class Latency:
    """The cycles of a layer, split: the parts add up to the total.

    ideal: MACs over elements. loss: idle elements and the array's filling and draining. stages: WCC
    phases that the array waits for. stall: waiting for buffer ports or DRAM. load, store: transfers
    that nothing hides.
    """

    ideal: int
    loss: int
    stages: int
    stall: int
    load: int
    store: int

    @property
    def total(self) -> int:
        """Cycles of the layer."""
        return self.ideal + self.loss + self.stages + self.stall + self.load + self.store


@dataclass(frozen=True, slots=True)
class LayerCost:
    """One layer on one accelerator under one set of policies.

    unique_bits: what must cross if nothing crossed twice, in the form that crosses. notes: why a
    figure is what it is where a reader would ask.
    """

    layer: Layer
    macs: int
    latency: Latency
    dram: DramBits
    stages: tuple[StageCost, ...]
    unique_bits: int
    mapping_efficiency_percent: float
    elements: int
    keep: Fraction | None = None
    tiling: str = ""
    notes: tuple[str, ...] = ()

    @property
    def sram_bits(self) -> int:
        """Bits read from and written to all buffers."""
        return sum(stage.sram_read_bits + stage.sram_write_bits for stage in self.stages)

    @property
    def dram_bits(self) -> int:
        """Bits read from and written to DRAM."""
        return self.dram.read + self.dram.write

    @property
    def energy_pj(self) -> float:
        """Energy of all stages."""
        return sum(stage.energy_pj for stage in self.stages)

    def part_pj(self, part: str) -> float:
        """Energy of all stages in "compute", "sram" or "dram"."""
        return float(sum(getattr(stage, f"{part}_pj") for stage in self.stages))

    @property
    def compute_utilization_percent(self) -> float:
        """MACs over what the elements could do while the array runs."""
        busy = self.latency.ideal + self.latency.loss
        return 100 * self.macs / (busy * self.elements) if busy else 0.0

    @property
    def utilization_percent(self) -> float:
        """MACs over what the elements could do in the layer's whole time."""
        total = self.latency.total
        return 100 * self.macs / (total * self.elements) if total else 0.0
