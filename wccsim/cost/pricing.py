"""Picojoules of a stage's operations, from the energy table or by gates, and of its memory accesses."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from wccsim.actions import ActionCounts, Stage
from wccsim.arith import MULTIPLIER_BITS
from wccsim.cost.latency import Moves
from wccsim.cost.options import CostOptions
from wccsim.cost.record import StageCost
from wccsim.counting.compressed import CompressedMap
from wccsim.counting.gates import ACCUMULATOR_BITS, EXPONENT_BITS, GateWeights, read_gates, wcc_stage_gates
from wccsim.cycles import RADIX_BITS
from wccsim.hardware.energy import EnergyTable
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters

COUNTER_BITS = 32  # histogram counters of the selection


@dataclass(frozen=True, slots=True)
class Prices:
    """An energy table and, where computing is priced by gates, the measured gate weights."""

    table: EnergyTable
    gates: GateWeights | None = None

    @property
    def pj_per_gate(self) -> float:
        """pJ of one gate equivalent: the table's 8x8 MAC over the gates of that MAC."""
        assert self.gates is not None
        return self.table.mac_pj(8, 8, ACCUMULATOR_BITS) / float(self.gates.of("mac", 64))


def prices_of(table: EnergyTable, options: CostOptions) -> Prices:
    """The prices that the options ask for. WccsimError where the gate weights are missing."""
    return Prices(table, read_gates() if options.compute == "gates" else None)


@dataclass(frozen=True, slots=True)
class Widths:
    """Operand widths of a stage's multiplications, additions, shifts and comparisons."""

    multiply: tuple[int, int] = (1, 1)
    add: int = 1
    shift: int = 1
    compare: int = 1


def requantiser(word_bits: int) -> Widths:
    """A requantiser of `word_bits` words: times a 16-bit multiplier, add half, shift, clamp."""
    product = word_bits + MULTIPLIER_BITS
    return Widths((word_bits, MULTIPLIER_BITS), product, product, word_bits)


def stage_widths(p: WccParameters, in_channels: int) -> dict[Stage, Widths]:
    """Widths in every stage of a WCC layer that computes something else than MACs."""
    word, score, inverse = p.coefficient_bits(), p.score_bits(in_channels), p.inverse_bits()
    key = RADIX_BITS if p.mantissa_bits is None else EXPONENT_BITS + p.mantissa_bits
    return {
        Stage.HAAR: Widths(add=word, shift=word),
        Stage.SCORE: Widths((word, word), score, word, word),
        Stage.SELECT: Widths(add=COUNTER_BITS, compare=key),
        Stage.REQUANTISE: requantiser(word),
        Stage.REQUANTISE_SUM: requantiser(p.accumulator_bits(in_channels)),
        Stage.INVERSE: Widths(add=inverse, shift=inverse),
        Stage.REQUANTISE_OUT: requantiser(inverse),
    }


def operations_pj(counts: ActionCounts, widths: Widths, table: EnergyTable) -> float:
    """Energy of everything but MACs."""
    return (
        counts.multiplies * table.multiply_pj(*widths.multiply)
        + counts.adds * table.add_pj(widths.add)
        + counts.shifts * table.shift_pj(widths.shift)
        + counts.compares * table.compare_pj(widths.compare)
    )


def macs_pj(macs: int, act_bits: int, weight_bits: int, accelerator: Accelerator, prices: Prices) -> float:
    """Energy of products and their accumulation."""
    if prices.gates is not None:
        return macs * float(prices.gates.of("mac", act_bits * weight_bits)) * prices.pj_per_gate
    return macs * prices.table.mac_pj(act_bits, weight_bits, accelerator.accumulator_bits)


def requantise_pj(values: int, word_bits: int, prices: Prices) -> float:
    """Energy of one requantiser working on `values` words."""
    if prices.gates is not None:
        return values * float(prices.gates.of("requantise", word_bits)) * prices.pj_per_gate
    counts = ActionCounts(multiplies=values, adds=values, shifts=values, compares=2 * values)
    return operations_pj(counts, requantiser(word_bits), prices.table)


def wcc_compute_pj(
    layer: Layer,
    p: WccParameters,
    actions: Mapping[Stage, ActionCounts],
    runs: Mapping[Stage, int],
    positions: int,
    kept: int,
    accelerator: Accelerator,
    prices: Prices,
) -> dict[Stage, float]:
    """Energy of the operations in every stage of a WCC layer.

    `actions` is all that is done; `runs` says which stages run more than once, as counted in it.
    """
    if prices.gates is not None:
        compressed = CompressedMap(positions, kept, 0, 0)
        once = wcc_stage_gates(prices.gates, p, layer, actions[Stage.MAC].macs, compressed)
        gates = {Stage(stage): count * runs.get(Stage(stage), 1) for stage, count in once.items()}
        return {stage: float(count) * prices.pj_per_gate for stage, count in gates.items()}
    widths = stage_widths(p, layer.in_shape.channels)
    energy = {stage: operations_pj(actions[stage], widths[stage], prices.table) for stage in widths}
    return energy | {
        Stage.MAC: macs_pj(actions[Stage.MAC].macs, p.act_bits, p.weight_bits, accelerator, prices)
    }


def sram_pj(moves: tuple[Moves, ...], accelerator: Accelerator, table: EnergyTable) -> float:
    """Energy of bits through the buffers, each at the price of its size."""
    return sum(
        move.read_bits * table.sram_pj_per_bit(accelerator.buffer_for(move.tensor).size_bytes)
        + move.write_bits
        * table.sram_pj_per_bit(accelerator.buffer_for(move.tensor).size_bytes, "sram_write")
        for move in moves
    )


def dram_pj(read_bits: int, write_bits: int, table: EnergyTable) -> float:
    """Energy of bits through the DRAM port."""
    return read_bits * table.dram_read_pj_per_bit + write_bits * table.dram_write_pj_per_bit


def stage_cost(
    name: str,
    cycles: int,
    moves: tuple[Moves, ...],
    crossing: tuple[int, int],
    compute_pj: float,
    accelerator: Accelerator,
    table: EnergyTable,
) -> StageCost:
    """One stage that moves `moves` through the buffers and `crossing` bits (read, written) through DRAM."""
    read, written = crossing
    return StageCost(
        name,
        cycles,
        sum(move.read_bits for move in moves),
        sum(move.write_bits for move in moves),
        read,
        written,
        compute_pj,
        sram_pj(moves, accelerator, table),
        dram_pj(read, written, table),
    )
