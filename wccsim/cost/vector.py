"""The cost of WCC layers for many settings at once: the scalar model's arithmetic on NumPy arrays.

Each point is one layer alone, its maps whole in DRAM (policies `none` and `consumer`); the tests
hold it equal to `wccsim.cost.wcc` point by point: integers exactly, energies to rounding.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from wccsim.actions import Stage
from wccsim.cost.options import CostOptions
from wccsim.cost.points import Constants, Costs, Floats, Memory, Points, Sizes
from wccsim.cost.pricing import stage_widths
from wccsim.cost.stages_vector import stage_costs
from wccsim.cost.tiling_vector import Ints, Tiled, best_tilings
from wccsim.cost.views import TILED, capacity
from wccsim.errors import WccsimError
from wccsim.hardware.energy import EnergyTable
from wccsim.hardware.model import Accelerator
from wccsim.parameters import MAX_LEVELS, WccParameters

LARGEST = 1 << 60  # bits of any tensor: sums of a few of them stay inside int64


def vector_costs(points: Points, accelerator: Accelerator, table: EnergyTable, options: CostOptions) -> Costs:
    """Costs of all points. WccsimError for the policy `producer`, gate prices, and sizes beyond int64."""
    if options.compress == "producer" or options.compute == "gates" or options.fuse:
        raise WccsimError("a sweep prices layers alone: compress none or consumer, compute table, no fusing")
    if accelerator.wcc is None:
        raise WccsimError(f"accelerator {accelerator.name} has no WCC unit (key wcc)")
    _check_sizes(points)
    chunk = 1 << 14
    parts = [
        _chunk_costs(_part(points, slice(start, start + chunk)), accelerator, table, options)
        for start in range(0, len(points), chunk)
    ]
    return Costs(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("macs", "bops", "cycles", "dram_bits", "energy_pj")
        )
    )


def _part(points: Points, rows: slice) -> Points:
    return Points(*(getattr(points, name)[rows] for name in Points.__dataclass_fields__))


def _check_sizes(points: Points) -> None:
    channels = np.maximum(points.in_channels, points.out_channels).astype(float)
    greatest = float(np.max(channels * points.positions * 64.0 * points.out_channels, initial=0.0))
    if greatest >= LARGEST:
        raise WccsimError(f"a layer has {greatest:.3g} bits or MACs; a sweep handles less than {LARGEST}")


def _ceil(dividend: Ints, divisor: Ints | int) -> Ints:
    return -(-dividend // divisor)


def _constants(
    points: Points, accelerator: Accelerator, table: EnergyTable, options: CostOptions
) -> Constants:
    """Each distinct setting is looked up once, in the scalar model's own functions."""
    keys = np.stack(
        [points.in_channels, points.levels, points.act_bits, points.weight_bits, points.bias], axis=1
    )
    distinct, which = np.unique(keys, axis=0, return_inverse=True)
    which = which.reshape(-1)
    widths, prices, macs = [], dict[Stage, list[tuple[float, float, float, float]]](), []
    for channels, levels, act, weight, bias in distinct.tolist():
        p = WccParameters(
            levels=levels, in_bits=act, act_bits=act, weight_bits=weight, bias=bool(bias)
        )  # fmt: skip
        widths.append((p.coefficient_bits(), p.score_bits(channels), p.inverse_bits()))
        macs.append(table.mac_pj(act, weight, accelerator.accumulator_bits))
        for stage, w in stage_widths(p, channels).items():
            multiply, add = table.multiply_pj(*w.multiply), table.add_pj(w.add)
            shift, compare = table.shift_pj(w.shift), table.compare_pj(w.compare)
            prices.setdefault(stage, []).append((multiply, add, shift, compare))
    table_of_widths = np.array(widths, dtype=np.int64)[which]

    def column(stage: Stage, operation: int) -> Floats:
        return np.array([price[operation] for price in prices[stage]])[which]

    return Constants(
        table_of_widths[:, 0],
        table_of_widths[:, 1],
        table_of_widths[:, 2],
        WccParameters().wavelet_bits,
        {stage: (column(stage, 0), column(stage, 1), column(stage, 2), column(stage, 3)) for stage in prices},
        np.array(macs)[which],
    )


def _sizes(points: Points, c: Constants, options: CostOptions) -> Sizes:
    n, levels = points.positions, points.levels
    by_level = (np.where(level <= levels, n >> (2 * level), 0) for level in range(1, MAX_LEVELS + 1))
    butterflies = sum(by_level, np.zeros_like(n))
    distinct = np.unique(n)
    bits_of = np.array([(v - 1).bit_length() for v in distinct.tolist()], dtype=np.int64)
    index = n if options.index == "bitmap" else points.kept * bits_of[np.searchsorted(distinct, n)]
    sweeps = _ceil(c.score_bits, 8) + 1 if options.selection == "exact" else np.full_like(n, 2)
    return Sizes(
        butterflies,
        n >> (2 * levels),
        points.in_channels * points.pixels * points.act_bits,
        points.map_bits,
        points.kept * points.in_channels * points.act_bits,
        index,
        n * c.score_bits,
        sweeps,
        points.out_channels * points.kept * c.wavelet_bits,
        points.out_channels * points.pixels * points.out_bits,
    )


def _memory(
    points: Points,
    c: Constants,
    s: Sizes,
    accelerator: Accelerator,
    options: CostOptions,
    index_inside: bool,
) -> Memory:
    """The selection's memory and the best tiling, with the index on chip where it fits, or never."""
    unit = accelerator.wcc
    assert unit is not None
    bounded = unit.selection_memory == "bounded"
    needs = {
        "index": s.index_bits,
        "score": s.scores_bits,
        "coefficient": points.in_channels * points.positions * c.coefficient_bits,
    }
    used: dict[str, Ints] = {}
    fits = {}
    for tensor, bits in needs.items():
        buffer = accelerator.buffer_for(tensor)
        before = used.get(buffer.name, np.zeros_like(bits))
        fits[tensor] = np.full(len(bits), True) if not bounded else before + bits <= buffer.size_bits
        used[buffer.name] = before + np.where(fits[tensor], bits, 0)
    shared = bool(set(accelerator.buffer_for("coefficient").holds) & set(TILED))
    stay = fits["coefficient"] & (not (bounded and shared))
    index = fits["index"] & index_inside
    map_bits = np.where(fits["coefficient"], 1, 2) * s.map_bits
    again = np.where(stay, 0, map_bits if options.compress == "none" else s.kept_bits)
    spill = np.where(stay | (options.compress == "none"), 0, s.kept_bits)
    rooms = capacity(accelerator)
    halved = 1 if accelerator.overlap == "none" else 2
    limits = []
    for limit, tensors in zip(rooms.limits, rooms.shares, strict=True):
        buffer = accelerator.buffer_for(tensors[0])
        reserved = np.where(index, s.index_bits, 0) if "index" in buffer.holds else 0
        limits.append(np.maximum(buffer.size_bits - reserved, 0) // halved + np.zeros_like(s.index_bits))
        assert limit == buffer.size_bits // halved
    tiled = best_tilings(
        points.kept, points.in_channels, points.out_channels, points.act_bits, points.weight_bits,
        c.wavelet_bits, accelerator.accumulator_bits, limits, rooms.shares, (map_bits, again, spill),
    )  # fmt: skip
    return Memory(index, fits["score"], fits["coefficient"], stay, tiled)


def _merged(inside: Memory, outside: Memory, s: Sizes) -> Memory:
    """Per point the memory that moves fewer bits, the index inside where they are equal."""
    better = outside.tiled.found & (~inside.tiled.found | (outside.dram_bits(s) < inside.dram_bits(s)))
    if not better.any():
        return inside
    tiled = Tiled(
        *(
            np.where(better, getattr(outside.tiled, name), getattr(inside.tiled, name))
            for name in Tiled.__dataclass_fields__
        )
    )
    return Memory(inside.index & ~better, inside.scores, inside.coefficients, inside.stay, tiled)


def _chunk_costs(points: Points, accelerator: Accelerator, table: EnergyTable, options: CostOptions) -> Costs:
    c = _constants(points, accelerator, table, options)
    s = _sizes(points, c, options)
    memory = _merged(
        _memory(points, c, s, accelerator, options, True),
        _memory(points, c, s, accelerator, options, False),
        s,
    )
    if not memory.tiled.found.all():
        at = int(np.argmin(memory.tiled.found))
        raise WccsimError(
            f"not even one kept position of one channel fits the buffers of {accelerator.name} "
            f"({points.in_channels[at]} to {points.out_channels[at]} channels)"
        )
    macs = points.kept * points.in_channels * points.out_channels
    haar = 16 * s.butterflies * (points.in_channels + points.out_channels) * points.act_bits
    cycles, energy = stage_costs(points, c, s, memory, accelerator, table, options)
    return Costs(
        macs, macs * points.act_bits * points.weight_bits + haar, cycles, memory.dram_bits(s), energy
    )


def kept_positions(positions: Ints, keep: Fraction) -> Ints:
    """k = floor(keep * N), exact."""
    return positions * keep.numerator // keep.denominator
