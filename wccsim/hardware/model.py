"""An accelerator as the cost model sees it: an array, buffers, a WCC unit and a DRAM."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

Overlap = Literal["none", "double_buffered", "pipelined"]
OVERLAPS = ("none", "double_buffered", "pipelined")
TENSORS = ("in", "weight", "out", "index", "coefficient", "score")


@dataclass(frozen=True, slots=True)
class Array:
    """Processing elements: rows x columns; for the `dot` dataflow P = rows, Q = columns."""

    rows: int
    columns: int
    dataflow: str

    @property
    def elements(self) -> int:
        """Multiply-accumulate units."""
        return self.rows * self.columns


@dataclass(frozen=True, slots=True)
class Buffer:
    """One on-chip memory, the tensors it holds, and the bits its ports move a cycle."""

    name: str
    holds: tuple[str, ...]
    size_bytes: int
    read_port_bits: int
    write_port_bits: int

    @property
    def size_bits(self) -> int:
        """Capacity in bits."""
        return 8 * self.size_bytes


@dataclass(frozen=True, slots=True)
class Dram:
    """The memory outside: `width_bits` per transfer."""

    width_bits: int
    rate_mtransfers_per_s: float


@dataclass(frozen=True, slots=True)
class WccUnit:
    """Channels that each stage works on in one cycle (the RTL: P, P, Q).

    selection_memory: "bounded", where coefficients and scores that do not fit their buffers cross
    DRAM, because the joint selection needs the whole map before it keeps one value; "unbounded"
    is the usual reading of the paper, which counts no such traffic.
    """

    haar_lanes: int
    gather_lanes: int
    inverse_lanes: int
    selection_memory: Literal["bounded", "unbounded"] = "bounded"


@dataclass(frozen=True, slots=True)
class Accelerator:
    """A described accelerator. Widths are the array's: wider operands are refused.

    overlap: "none" runs load, phases and store one after the other, as the RTL does;
    "double_buffered" hides transfers behind work; "pipelined" also lets the WCC stages run beside
    the array. The last two are modelled: no Verilog backs them.
    """

    name: str
    title: str
    source: str
    clock_mhz: float
    activation_bits: int
    weight_bits: int
    accumulator_bits: int
    array: Array
    buffers: tuple[Buffer, ...]
    dram: Dram
    overlap: Overlap
    energy: str
    wcc: WccUnit | None = None
    sha256: str = ""

    @property
    def dram_bits_per_cycle(self) -> Fraction:
        """Bits that DRAM moves in one cycle of the clock, exact on the decimal texts given."""
        rate = Fraction(repr(self.dram.rate_mtransfers_per_s)) * self.dram.width_bits
        return rate / Fraction(repr(self.clock_mhz))

    @property
    def peak_macs_per_s(self) -> float:
        """Multiply-accumulates a second with every element at work."""
        return self.array.elements * self.clock_mhz * 1e6

    def buffer_for(self, tensor: str) -> Buffer:
        """The buffer that holds `tensor` (the reader makes sure there is exactly one)."""
        return next(buffer for buffer in self.buffers if tensor in buffer.holds)
