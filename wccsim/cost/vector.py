"""The cost of WCC layers for many settings at once: the scalar model's arithmetic on NumPy arrays.

Each point is one layer with its surroundings decided (`wccsim.cost.source`); the tests hold it equal
to `wccsim.cost.wcc` point by point: integers exactly, energies to rounding.
"""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from wccsim.cost.compute_vector import constants
from wccsim.cost.options import CostOptions
from wccsim.cost.points import Constants, Costs, Memory, Points, Sizes
from wccsim.cost.pricing import Prices
from wccsim.cost.stages_vector import stage_costs
from wccsim.cost.tiling_vector import Ints, Tiled, best_tilings
from wccsim.cost.views import TILED, capacity
from wccsim.errors import WccsimError
from wccsim.hardware.model import Accelerator
from wccsim.parameters import MAX_LEVELS

LARGEST = 1 << 60  # bits of any tensor: sums of a few of them stay inside int64


def vector_costs(points: Points, accelerator: Accelerator, prices: Prices, options: CostOptions) -> Costs:
    """Costs of all points. WccsimError without a WCC unit, where no tile fits, and beyond int64.

    `prices` are those that the options ask for (`wccsim.cost.pricing.prices_of`).
    """
    if accelerator.wcc is None:
        raise WccsimError(f"accelerator {accelerator.name} has no WCC unit (key wcc)")
    _check_sizes(points)
    chunk = 1 << 14
    parts = [
        _chunk_costs(_part(points, slice(start, start + chunk)), accelerator, prices, options)
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
    inside = channels * points.positions * 64.0 * points.out_channels
    stored = np.maximum(points.map_bits, points.out_store_bits) * 64.0
    greatest = float(np.max(np.maximum(inside, stored), initial=0.0))
    if greatest >= LARGEST:
        raise WccsimError(f"a layer has {greatest:.3g} bits or MACs; a sweep handles less than {LARGEST}")


def _ceil(dividend: Ints, divisor: Ints | int) -> Ints:
    return -(-dividend // divisor)


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
    spill = np.where(stay | points.kept_form | (options.compress == "none"), 0, s.kept_bits)
    first = np.where(points.kept_form, s.kept_bits, map_bits)
    again = np.where(points.kept_form, s.kept_bits, again)
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
        c.wavelet_bits, accelerator.accumulator_bits, limits, rooms.shares, (first, again, spill),
    )  # fmt: skip
    return Memory(index, fits["score"], fits["coefficient"], stay, tiled)


def _merged(inside: Memory, outside: Memory, points: Points, s: Sizes) -> Memory:
    """Per point the memory that moves fewer bits, the index inside where they are equal."""
    fewer = outside.dram_bits(points, s) < inside.dram_bits(points, s)
    better = outside.tiled.found & (~inside.tiled.found | fewer)
    if not better.any():
        return inside
    tiled = Tiled(
        *(
            np.where(better, getattr(outside.tiled, name), getattr(inside.tiled, name))
            for name in Tiled.__dataclass_fields__
        )
    )
    return Memory(inside.index & ~better, inside.scores, inside.coefficients, inside.stay, tiled)


def _chunk_costs(points: Points, accelerator: Accelerator, prices: Prices, options: CostOptions) -> Costs:
    c = constants(points, accelerator, prices, options)
    s = _sizes(points, c, options)
    memory = _merged(
        _memory(points, c, s, accelerator, options, True),
        _memory(points, c, s, accelerator, options, False),
        points,
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
    cycles, energy = stage_costs(points, c, s, memory, accelerator, prices.table, options)
    bops = macs * points.act_bits * points.weight_bits + haar
    return Costs(macs, bops, cycles, memory.dram_bits(points, s), energy)


def kept_positions(positions: Ints, keep: Fraction) -> Ints:
    """k = floor(keep * N), exact."""
    return positions * keep.numerator // keep.denominator
