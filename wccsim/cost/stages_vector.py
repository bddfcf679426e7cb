"""Cycles and picojoules of the stages of many WCC layers at once (`wccsim.cost.wcc` on arrays)."""

from __future__ import annotations

from typing import Union

import numpy as np

from wccsim.cost.compute_vector import compute_pj
from wccsim.cost.latency import start_bits
from wccsim.cost.options import CostOptions
from wccsim.cost.points import Constants, Floats, Memory, Points, Sizes
from wccsim.cost.tiling_vector import Ints
from wccsim.cycles import BINNED_SCAN, BINS
from wccsim.hardware.energy import EnergyTable
from wccsim.hardware.model import Accelerator

Moves = list[tuple[str, Union[Ints, int], Union[Ints, int]]]  # noqa: UP007 - evaluated at run time


def stage_costs(
    points: Points,
    c: Constants,
    s: Sizes,
    memory: Memory,
    accelerator: Accelerator,
    table: EnergyTable,
    options: CostOptions,
) -> tuple[Ints, Floats]:
    """(cycles, energy in pJ) of every point."""
    moves = _moves(points, c, s, memory, accelerator)
    phases = _phases(points, c, s, memory, accelerator, options)
    reads, writes = _dram(points, s, memory)
    cycles = _latency(points, phases, moves, reads, writes, accelerator)
    energy = compute_pj(points, c, s, *_repeats(points, memory), options)
    for stage_moves in moves.values():
        for tensor, read, written in stage_moves:
            size = accelerator.buffer_for(tensor).size_bytes
            energy = (
                energy
                + read * table.sram_pj_per_bit(size)
                + written * table.sram_pj_per_bit(size, "sram_write")
            )
    return cycles, energy + reads * table.dram_read_pj_per_bit + writes * table.dram_write_pj_per_bit


def _repeats(points: Points, memory: Memory) -> tuple[Ints, Ints]:
    """How often the Haar and the gather run."""
    passes = np.where(memory.coefficients, 1, 2)
    again = (memory.stay | ~memory.copy) & ~points.kept_form
    gathers = np.where(again, memory.tiled.in_passes, 1)
    return np.where(memory.stay | memory.copy, passes, passes + gathers - 1), gathers


def _dram(points: Points, s: Sizes, memory: Memory) -> tuple[Ints, Ints]:
    """DRAM bits read and written."""
    t = memory.tiled
    index = np.where(memory.index, 0, s.index_bits)
    scores = np.where(memory.scores, 0, s.scores_bits)
    # The index that each later gather reads is in t.in_read: the tiling was chosen with it.
    reads = t.in_read + t.weight_read + t.partial + 2 * index + scores * s.score_sweeps
    stored = points.out_store_bits + points.out_index_bits
    return reads + points.in_index_bits, stored + t.in_write + t.partial + index + scores


def _array(points: Points, accelerator: Accelerator) -> dict[str, Ints]:
    """`wccsim.systolic.gemm_count` of kept x in x out channels."""
    m, k, n = points.kept, points.in_channels, points.out_channels
    rows, columns, dataflow = accelerator.array.rows, accelerator.array.columns, accelerator.array.dataflow
    if dataflow == "dot":
        k_folds, n_folds = -(-k // rows), -(-n // columns)
        return {
            "cycles": m * k_folds * n_folds,
            "in": m * k * n_folds,
            "weight": m * k * n,
            "returns": np.zeros_like(m),
        }
    sr, sc, t = {"os": (m, n, k), "ws": (k, n, m), "is": (k, m, n)}[dataflow]
    row_folds, column_folds = -(-sr // rows), -(-sc // columns)
    stationary_trips = {"os": row_folds, "ws": np.ones_like(k), "is": column_folds}[dataflow]
    fold = (rows if dataflow != "os" else 0) + rows + columns + t - 2
    return {
        "cycles": row_folds * column_folds * fold,
        "in": m * k * (1 if dataflow == "is" else column_folds),
        "weight": k * n * stationary_trips,
        "returns": m * n * ((1 if dataflow == "os" else row_folds) - 1),
    }


def _moves(
    points: Points, c: Constants, s: Sizes, memory: Memory, accelerator: Accelerator
) -> dict[str, Moves]:
    """Bits through the buffers, by phase."""
    unit = accelerator.wcc
    assert unit is not None
    haars, gathers = _repeats(points, memory)
    t, array = memory.tiled, _array(points, accelerator)
    ci, co, word = points.in_channels, points.out_channels, c.coefficient_bits
    groups = -(-ci // unit.haar_lanes)
    index = np.where(memory.index, 0, s.index_bits)
    scores = np.where(memory.scores, 0, s.scores_bits)
    spilled = t.in_write > 0
    passes = np.where(memory.coefficients, 1, 2) * s.map_bits
    map_and_kept = t.in_read - index * (gathers - 1)
    from_map = np.where(spilled, passes, map_and_kept) * ~points.kept_form
    # Coded words cross DRAM, words of act_bits the buffers: all of them, so many times.
    to_array = (map_and_kept - from_map) // s.stored_bits * s.kept_bits
    reread = s.butterflies - s.last  # every level but the last hands its approximation on
    handed = co * reread * c.inverse_bits
    returned = array["returns"] * accelerator.accumulator_bits
    return {
        "haar": [
            ("in", s.input_bits * haars, from_map),
            ("coefficient", ci * reread * word * haars, ci * 4 * s.butterflies * word * haars),
            ("score", s.scores_bits * (groups - 1) + scores, s.scores_bits * groups),
        ],
        "select": [
            ("score", s.scores_bits * s.score_sweeps, scores * s.score_sweeps),
            ("index", index, s.index_bits + points.in_index_bits),
        ],
        "gather": [
            ("coefficient", ci * points.kept * word * gathers, 0),
            ("index", s.index_bits * gathers, index * gathers),
            ("in", t.in_write // s.stored_bits * s.kept_bits, s.kept_bits * gathers),
        ],
        "array": [
            ("in", array["in"] * points.act_bits, to_array),
            ("weight", array["weight"] * points.weight_bits, t.weight_read),
            ("out", returned + t.partial, returned + t.partial),
        ],
        "inverse": [
            ("out", s.words_bits + handed + points.out_store_bits, s.words_bits + handed + s.made_bits),
            ("index", s.index_bits + points.out_index_bits, index),
        ],
    }  # fmt: skip


def _phases(
    points: Points, c: Constants, s: Sizes, memory: Memory, accelerator: Accelerator, options: CostOptions
) -> dict[str, Ints]:
    """Cycles of the phases' closed forms."""
    unit = accelerator.wcc
    assert unit is not None
    haars, gathers = _repeats(points, memory)
    n = points.positions
    exact = -(-c.score_bits // 8) * (n + BINS) + n + 2
    return {
        "haar": -(-points.in_channels // unit.haar_lanes) * s.butterflies * haars,
        "select": exact if options.selection == "exact" else 2 * n + BINNED_SCAN,
        "gather": -(-points.in_channels // unit.gather_lanes) * points.kept * gathers,
        "array": _array(points, accelerator)["cycles"],
        "inverse": -(-points.out_channels // unit.inverse_lanes) * s.butterflies,
    }


def _latency(
    points: Points,
    phases: dict[str, Ints],
    moves: dict[str, Moves],
    reads: Ints,
    writes: Ints,
    accelerator: Accelerator,
) -> Ints:
    """`wccsim.cost.latency.layer_latency`, total alone."""
    serial = sum(phases.values(), np.zeros_like(reads))
    if accelerator.overlap == "pipelined":
        after = np.maximum(np.maximum(phases["gather"], phases["array"]), phases["inverse"])
        serial = phases["haar"] + phases["select"] + after
    work = serial
    for name, cycles in phases.items():
        work = work + np.maximum(_ports(moves[name], accelerator, reads) - cycles, 0)
    if accelerator.overlap == "none":
        return work + _dram_cycles(reads, accelerator) + _dram_cycles(writes, accelerator)
    lanes = accelerator.array
    start = np.array(start_bits(accelerator, 1, 0)) * points.weight_bits + lanes.rows * points.act_bits
    load = _dram_cycles(np.minimum(start, reads), accelerator)
    store = _dram_cycles(np.minimum(lanes.columns * points.out_bits, writes), accelerator)
    both = _dram_cycles(reads + writes, accelerator)
    total: Ints = load + store + work + np.maximum(both - load - store - work, 0)
    return total


def _ports(moves: Moves, accelerator: Accelerator, like: Ints) -> Ints:
    read: dict[str, Ints] = {}
    written: dict[str, Ints] = {}
    for tensor, reads, writes in moves:
        name = accelerator.buffer_for(tensor).name
        read[name] = read.get(name, np.zeros_like(like)) + reads
        written[name] = written.get(name, np.zeros_like(like)) + writes
    ports = np.zeros_like(like)
    for buffer in accelerator.buffers:
        if buffer.name in read:
            ports = np.maximum(ports, -(-read[buffer.name] // buffer.read_port_bits))
            ports = np.maximum(ports, -(-written[buffer.name] // buffer.write_port_bits))
    return ports


def _dram_cycles(bits: Ints, accelerator: Accelerator) -> Ints:
    """Exact: whole bits a cycle first, so that the product with the fraction's parts stays small."""
    rate = accelerator.dram_bits_per_cycle
    whole, rest = np.divmod(bits, rate.numerator)
    cycles: Ints = whole * rate.denominator - (-(rest * rate.denominator) // rate.numerator)
    return cycles
