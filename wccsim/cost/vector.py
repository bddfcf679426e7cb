"""The cost of WCC layers for many settings at once: the scalar model's arithmetic on NumPy arrays.

Each point is one layer with its surroundings decided (`wccsim.cost.source`); the tests hold it equal
to `wccsim.cost.wcc` point by point: integers exactly, energies to rounding.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt

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
        _chunk_costs(_taken(points, slice(start, start + chunk)), accelerator, prices, options)
        for start in range(0, len(points), chunk)
    ]
    return Costs(
        *(
            np.concatenate([getattr(part, name) for part in parts])
            for name in ("macs", "bops", "cycles", "dram_bits", "energy_pj")
        )
    )


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
    sweeps = _ceil(c.score_bits, 8) + 1 if options.selection == "exact" else np.full_like(n, 2)
    return Sizes(
        butterflies,
        n >> (2 * levels),
        points.in_channels * points.pixels * points.act_bits,
        points.map_bits,
        points.kept * points.in_channels * points.act_bits,
        points.stored_bits,
        points.index_bits,
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
    index_inside: bool,
    copy: npt.NDArray[np.bool_],
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
    spilled_index = np.where(index, 0, s.index_bits)
    first = np.where(fits["coefficient"], 1, 2) * s.map_bits
    again = np.where(copy, s.stored_bits, s.map_bits + spilled_index)
    again = np.where(stay, spilled_index, again)
    spill = np.where(copy & ~stay & ~points.kept_form, s.stored_bits, 0)
    first = np.where(points.kept_form, s.stored_bits, first)
    again = np.where(points.kept_form, s.stored_bits, again)
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
    return Memory(index, fits["score"], fits["coefficient"], stay, copy, tiled)


def _best_memory(
    points: Points, c: Constants, s: Sizes, accelerator: Accelerator, options: CostOptions
) -> Memory:
    """Per point the plan that moves the fewest bits, the scalar model's first one among equals.

    A plan without a copy differs from one with it only where it reads the map once more at least; where
    the plan with a copy moves no more than that beyond every bit once, none without it moves fewer.
    """
    on_chip = points.map_bits == 0
    copy = on_chip if options.compress == "none" else np.full_like(on_chip, True)
    best = _best_index(points, c, s, accelerator, copy)
    t = best.tiled
    moved = t.in_read + t.weight_read + 2 * t.partial + t.in_write + np.where(best.index, 0, 3 * s.index_bits)
    once = np.where(best.coefficients, 1, 2) * s.map_bits
    once += points.in_channels * points.out_channels * points.weight_bits
    rows = np.flatnonzero(copy & ~on_chip & ~best.stay & ~points.kept_form & (moved > once + s.map_bits))
    if not len(rows):
        return best
    few, c_few, s_few, best_few = (_taken(one, rows) for one in (points, c, s, best))
    other = _best_index(few, c_few, s_few, accelerator, np.zeros(len(rows), dtype=np.bool_))
    return _put(best, rows, _merged(best_few, other, few, s_few))


def _best_index(
    points: Points, c: Constants, s: Sizes, accelerator: Accelerator, copy: npt.NDArray[np.bool_]
) -> Memory:
    """Of the index on chip, where it fits, and the index in DRAM."""
    inside, outside = (_memory(points, c, s, accelerator, where, copy) for where in (True, False))
    return _merged(inside, outside, points, s)


def _taken(record: Any, rows: Ints | slice) -> Any:
    """The same dataclass with these rows of every array."""
    values = {name: getattr(record, name) for name in record.__dataclass_fields__}
    arrays = {name: value[rows] for name, value in values.items() if isinstance(value, np.ndarray)}
    nested = {name: _taken(value, rows) for name, value in values.items() if isinstance(value, Tiled)}
    return replace(record, **arrays, **nested)


def _put(memory: Memory, rows: Ints, new: Memory) -> Memory:
    """`memory` with these rows replaced."""

    def put(old: npt.NDArray[Any], value: npt.NDArray[Any]) -> npt.NDArray[Any]:
        changed = old.copy()
        changed[rows] = value
        return changed

    tiled = Tiled(*(put(getattr(memory.tiled, n), getattr(new.tiled, n)) for n in Tiled.__dataclass_fields__))
    index, copy = put(memory.index, new.index), put(memory.copy, new.copy)
    return Memory(index, memory.scores, memory.coefficients, memory.stay, copy, tiled)


def _merged(first: Memory, second: Memory, points: Points, s: Sizes) -> Memory:
    """Per point the plan that moves fewer bits, the first where they are equal."""
    fewer = second.dram_bits(points, s) < first.dram_bits(points, s)
    better = second.tiled.found & (~first.tiled.found | fewer)
    if not better.any():
        return first
    tiled = Tiled(
        *(
            np.where(better, getattr(second.tiled, name), getattr(first.tiled, name))
            for name in Tiled.__dataclass_fields__
        )
    )
    index, copy = (np.where(better, getattr(second, n), getattr(first, n)) for n in ("index", "copy"))
    return Memory(index, first.scores, first.coefficients, first.stay, copy, tiled)


def _chunk_costs(points: Points, accelerator: Accelerator, prices: Prices, options: CostOptions) -> Costs:
    c = constants(points, accelerator, prices, options)
    s = _sizes(points, c, options)
    memory = _best_memory(points, c, s, accelerator, options)
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
