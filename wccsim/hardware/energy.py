"""Energy tables: every number with its unit, source and node; picojoules come out.

A table's rows price one action each; `base` names a table whose rows stand where this one has none.
Between the rows stated, these rules (docs/accelerators.md): adds, compares and shifts grow along the
straight line between two widths, a product along that between two products of its operands' widths,
and in proportion outside them; an SRAM's energy per bit along the straight line between two sizes on
logarithmic axes, and flat outside them. So where a table's own rows grow, nothing wider costs less.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

COMPONENTS = ("add", "multiply", "compare", "shift", "sram_read", "sram_write", "dram_read", "dram_write")
DDR_PARAMETERS = (
    "ddr_read_current",
    "ddr_write_current",
    "ddr_voltage",
    "ddr_rate",
    "ddr_width",
    "ddr_factor",
)


@dataclass(frozen=True, slots=True)
class EnergyRow:
    """One published number. `width_bits` for arithmetic, `size_bytes` for SRAM, else 0."""

    component: str
    value: float
    unit: str
    source: str
    node: str
    width_bits: int = 0
    size_bytes: int = 0


# pJ of one unit of the row's own unit, and the bits that one action of it moves.
UNITS: dict[str, tuple[float, int]] = {
    "fJ": (1e-3, 1),
    "pJ": (1.0, 1),
    "nJ": (1e3, 1),
    "pJ/bit": (1.0, 1),
    "pJ/16bit": (1.0, 16),
    "pJ/32bit": (1.0, 32),
    "pJ/64bit": (1.0, 64),
    "pJ/2048bit": (1.0, 2048),
}
DDR_UNITS = {
    "ddr_read_current": "A",
    "ddr_write_current": "A",
    "ddr_voltage": "V",
    "ddr_rate": "transfer/s",
    "ddr_width": "bit",
    "ddr_factor": "1",
}


@dataclass(frozen=True, slots=True)
class DdrScript:
    """The memory-power model of TransformCodingInference, FPGA/power/cnn_power.py."""

    read_current_a: float
    write_current_a: float
    voltage_v: float
    rate_per_s: float
    width_bits: float
    factor: float

    def joules(self, current_a: float, values: float, bits_per_value: float) -> float:
        """Energy to move `values` values; the order of the operations is the script's."""
        power_w = current_a * self.voltage_v
        return power_w * (values * bits_per_value / self.width_bits) * self.factor / self.rate_per_s

    def layer_joules(self, values_in: float, bits_in: float, values_out: float, bits_out: float) -> float:
        """Reads at `bits_in` bits a value plus writes at `bits_out` bits a value."""
        read = self.joules(self.read_current_a, values_in, bits_in)
        return read + self.joules(self.write_current_a, values_out, bits_out)


@dataclass(frozen=True)  # no slots: cached_property keeps its value in the instance
class EnergyTable:
    """Priced actions of one technology and one DRAM. All answers are picojoules."""

    name: str
    title: str
    rows: tuple[EnergyRow, ...]
    sha256: str = ""

    @cached_property
    def ddr_script(self) -> DdrScript | None:
        """The DDR power script's parameters where this table has them."""
        found = {row.component: row.value for row in self.rows if row.component in DDR_PARAMETERS}
        return DdrScript(*(found[name] for name in DDR_PARAMETERS)) if found else None

    def add_pj(self, width_bits: int) -> float:
        """One addition at `width_bits`."""
        return self._linear("add", width_bits)

    def compare_pj(self, width_bits: int) -> float:
        """One comparison at `width_bits`."""
        return self._linear("compare", width_bits)

    def shift_pj(self, width_bits: int) -> float:
        """One shift by a stored amount at `width_bits`."""
        return self._linear("shift", width_bits)

    def multiply_pj(self, a_bits: int, b_bits: int) -> float:
        """One product of a_bits by b_bits; a row of width w stands for w x w."""
        return _along({row.width_bits**2: _pj(row) for row in self._of("multiply")}, a_bits * b_bits)

    def mac_pj(self, a_bits: int, b_bits: int, accumulator_bits: int) -> float:
        """One product and one addition at the accumulator's width."""
        return self.multiply_pj(a_bits, b_bits) + self.add_pj(accumulator_bits)

    @cached_property
    def dram_read_pj_per_bit(self) -> float:
        """Energy of one bit read from DRAM."""
        if self.ddr_script:
            return self.ddr_script.joules(self.ddr_script.read_current_a, 1, 1) * 1e12
        return _pj_per_bit(self._of("dram_read")[0])

    @cached_property
    def dram_write_pj_per_bit(self) -> float:
        """Energy of one bit written to DRAM."""
        if self.ddr_script:
            return self.ddr_script.joules(self.ddr_script.write_current_a, 1, 1) * 1e12
        return _pj_per_bit(self._of("dram_write")[0])

    def sram_pj_per_bit(self, size_bytes: int, action: str = "sram_read") -> float:
        """Energy of one bit of an SRAM of `size_bytes`; `action` is sram_read or sram_write."""
        points = sorted((row.size_bytes, _pj_per_bit(row)) for row in self._of(action))
        if size_bytes <= points[0][0]:
            return points[0][1]
        for (small, low), (large, high) in itertools.pairwise(points):
            if size_bytes <= large:
                share = math.log(size_bytes / small) / math.log(large / small)
                return low * math.pow(high / low, share)
        return points[-1][1]

    def _of(self, component: str) -> list[EnergyRow]:
        return [row for row in self.rows if row.component == component]

    def _linear(self, component: str, width_bits: int) -> float:
        return _along({row.width_bits: _pj(row) for row in self._of(component)}, width_bits)


def _along(points: Mapping[int, float], at: int) -> float:
    """The value at `at`: on the line between the points beside it, in proportion to the last one outside."""
    if at in points:
        return points[at]
    below = max((known for known in points if known < at), default=None)
    above = min((known for known in points if known > at), default=None)
    if below is None or above is None:
        nearest = below or above
        assert nearest is not None
        return points[nearest] * at / nearest
    return points[below] + (points[above] - points[below]) * (at - below) / (above - below)


def _pj(row: EnergyRow) -> float:
    return row.value * UNITS[row.unit][0]


def _pj_per_bit(row: EnergyRow) -> float:
    scale, bits = UNITS[row.unit]
    return row.value * scale / bits
