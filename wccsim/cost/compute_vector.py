"""Picojoules of the operations of many WCC layers at once (`wccsim.cost.pricing` on arrays)."""

from __future__ import annotations

from fractions import Fraction
from typing import Union

import numpy as np

from wccsim.actions import Stage
from wccsim.cost.options import CostOptions
from wccsim.cost.points import Constants, Floats, Points, Sizes
from wccsim.cost.pricing import Prices, stage_widths
from wccsim.cost.tiling_vector import Ints
from wccsim.counting.gates import wcc_unit_gates
from wccsim.cycles import BINS
from wccsim.hardware.model import Accelerator
from wccsim.parameters import WccParameters

StagePrices = dict[Stage, tuple[float, ...]]
Counts = dict[Stage, tuple[Union[Ints, int], ...]]  # noqa: UP007 - evaluated at run time


def constants(points: Points, accelerator: Accelerator, prices: Prices, options: CostOptions) -> Constants:
    """Each distinct setting is looked up once, in the scalar model's own functions."""
    keys = np.stack(
        [points.in_channels, points.levels, points.act_bits, points.weight_bits, points.bias], axis=1
    )
    distinct, which = np.unique(keys, axis=0, return_inverse=True)
    which = which.reshape(-1)
    widths, found = [], list[StagePrices]()
    for channels, levels, act, weight, bias in distinct.tolist():
        p = WccParameters(
            keep=Fraction(1), levels=levels, in_bits=act, act_bits=act, weight_bits=weight,
            bias=bool(bias), selection=options.selection,
        )  # fmt: skip
        widths.append((p.coefficient_bits(), p.score_bits(channels), p.inverse_bits()))
        found.append(_stage_prices(p, channels, accelerator, prices))
    table = np.array(widths, dtype=np.int64)[which]
    by_stage = {
        stage: tuple(np.array(column)[which] for column in zip(*(one[stage] for one in found), strict=True))
        for stage in found[0]
    }
    return Constants(table[:, 0], table[:, 1], table[:, 2], WccParameters().wavelet_bits, by_stage)


def _stage_prices(p: WccParameters, channels: int, accelerator: Accelerator, prices: Prices) -> StagePrices:
    """pJ of a multiplication, addition, shift and comparison in each stage; by gates, of a unit of work."""
    if prices.gates is not None:
        weights = wcc_unit_gates(prices.gates, p, channels)
        return {Stage(stage): (float(weight) * prices.pj_per_gate,) for stage, weight in weights.items()}
    table = prices.table
    operations: StagePrices = {
        stage: (
            table.multiply_pj(*w.multiply),
            table.add_pj(w.add),
            table.shift_pj(w.shift),
            table.compare_pj(w.compare),
        )
        for stage, w in stage_widths(p, channels).items()
    }
    return operations | {Stage.MAC: (table.mac_pj(p.act_bits, p.weight_bits, accelerator.accumulator_bits),)}


def compute_pj(
    points: Points, c: Constants, s: Sizes, haars: Ints, gathers: Ints, options: CostOptions
) -> Floats:
    """Energy of the operations of all stages, the Haar run `haars` and the gather `gathers` times."""
    count = _units if options.compute == "gates" else _operations
    energy = np.zeros(len(points))
    for stage, numbers in count(points, s, haars, gathers, options).items():
        for number, price in zip(numbers, c.prices[stage], strict=True):
            energy = energy + number * price
    return energy


def _operations(points: Points, s: Sizes, haars: Ints, gathers: Ints, options: CostOptions) -> Counts:
    """Multiplications, additions, shifts and comparisons of every stage (docs/actions.md); MACs."""
    n, kept, ci, co = points.positions, points.kept, points.in_channels, points.out_channels
    if options.selection == "exact":
        adds = BINS * (s.score_sweeps - 1)
    else:
        adds = np.full_like(n, 64 << int(options.selection.partition(":")[2]))
    gathered, words, pixels = ci * kept * gathers, co * kept, co * n
    biased = points.bias * s.last
    return {
        Stage.HAAR: (0, 8 * s.butterflies * ci * haars, 0, 0),
        Stage.SCORE: (ci * n, ci * n, ci * (n - 4 * s.last), 0),
        Stage.SELECT: (0, adds, 0, s.score_sweeps * n),
        Stage.REQUANTISE: (gathered, gathered, gathered, 2 * gathered),
        Stage.MAC: (ci * co * kept,),
        Stage.REQUANTISE_SUM: (words, words, words, 2 * words),
        Stage.INVERSE: (0, co * (8 * s.butterflies + biased), 3 * co * (s.butterflies - s.last), 0),
        Stage.REQUANTISE_OUT: (pixels, pixels, pixels, 2 * pixels),
    }


def _units(points: Points, s: Sizes, haars: Ints, gathers: Ints, options: CostOptions) -> Counts:
    """Units of work of every stage (`wccsim.counting.gates.wcc_stage_gates`)."""
    n, kept, ci, co = points.positions, points.kept, points.in_channels, points.out_channels
    return {
        Stage.HAAR: (ci * n * haars,),
        Stage.SCORE: (ci * n,),
        Stage.SELECT: (n,),
        Stage.REQUANTISE: (ci * kept * gathers,),
        Stage.MAC: (ci * co * kept,),
        Stage.REQUANTISE_SUM: (co * kept,),
        Stage.INVERSE: (co * n,),
        Stage.REQUANTISE_OUT: (co * points.pixels,),
    }
