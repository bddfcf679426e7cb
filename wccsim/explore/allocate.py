"""Keep and bits for each layer under one budget, by Lagrangian over each layer's own choices.

The sum of distortions is minimised while the sum of costs stays within the budget. Each layer's
choices are cut to their lower convex hull; every multiplier lambda picks one hull point a layer, and
walking the hulls' segments from the steepest down passes through all of those solutions. The walk
stops at the budget; later segments that still fit are taken too. `bound` is the dual's: no
assignment, on the hull or not, has less distortion.
Source: Everett, "Generalized Lagrange multiplier method", Operations Research 1963.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from wccsim.cost.dense import dense_layer_cost, other_layer_cost
from wccsim.cost.options import CostOptions
from wccsim.cost.pricing import Prices
from wccsim.cost.source import Source
from wccsim.cost.surroundings import surroundings
from wccsim.cost.vector import vector_costs
from wccsim.cost.views import fitted
from wccsim.counting.traffic import VIEWS
from wccsim.errors import WccsimError
from wccsim.explore.distortion import Distortion
from wccsim.explore.grid import Grid, Setting
from wccsim.explore.price import layer_points
from wccsim.hardware.energy import EnergyTable
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer, Network

OBJECTIVES = {"bops": "bops", "cycles": "cycles", "energy": "energy_pj", "traffic": "dram_bits"}
UNITS = {"": 1.0, "pj": 1.0, "nj": 1e3, "uj": 1e6, "mj": 1e9, "j": 1e12}
RULE_HEIGHT_SHARE = 8  # the paper's 25 %-50 % rows: 25 % where a map is at least 1/8 of the input's height


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of one layer, its price and its distortion (noise over signal times values)."""

    setting: Setting
    cost: float
    distortion: float


@dataclass(frozen=True, slots=True)
class Outcome:
    """A choice for every layer that has one; cost includes the layers that have none."""

    name: str
    choices: tuple[Choice, ...]
    cost: float
    distortion: float


@dataclass(frozen=True, slots=True)
class Allocation:
    """The layers chosen for, the best outcome found, and others to compare it with.

    uniform: the best one setting for all layers within the budget, None where none fits. rule: the
    paper's 25 %-50 % rule, whatever it costs. multiplier: distortion that one more unit would save.
    """

    objective: str
    budget: float
    layers: tuple[Layer, ...]
    best: Outcome
    uniform: Outcome | None
    rule: Outcome | None
    bound: float
    multiplier: float


def parse_budget(text: str) -> tuple[str, float]:
    """("bops", 673e9) from "bops=673e9"; energies take pJ (the default), nJ, uJ, mJ, J."""
    match = re.fullmatch(r"\s*([a-z_]+)\s*=\s*([0-9.]+(?:e[+-]?\d+)?)\s*([a-zA-Z]*)\s*", text)
    allowed = "bops=673e9, cycles=5e6, energy=2.5mJ or traffic=1e8 (bits)"
    if not match or match[1] not in OBJECTIVES:
        raise WccsimError(f"budget {text!r} was given; allowed: {allowed}")
    unit = match[3].lower()
    if unit not in UNITS or (unit and match[1] != "energy"):
        raise WccsimError(f"budget {text!r}: unit {match[3]!r} is not known here; allowed: {allowed}")
    try:
        value = float(match[2]) * UNITS[unit]
    except ValueError:
        raise WccsimError(f"budget {text!r} was given; allowed: {allowed}") from None
    if not 0 < value < math.inf:
        raise WccsimError(f"budget {text!r}: more than 0 is needed")
    return match[1], value


def allocate(
    network: Network,
    accelerator: Accelerator,
    table: EnergyTable,
    options: CostOptions,
    distortion: Distortion,
    grid: Grid,
    objective: str,
    budget: float,
) -> Allocation:
    """The best settings within `budget`. WccsimError where even the cheapest settings exceed it."""
    layers, choices, fixed = _choices(network, accelerator, table, options, distortion, grid, objective)
    if not layers:
        raise WccsimError(f"no layer of {network.name} can use WCC: there is nothing to allocate")
    hulls = [_hull(one) for one in choices]
    least = fixed + sum(hull[0].cost for hull in hulls)
    if least > budget:
        raise WccsimError(
            f"budget {objective}={budget:g}: the cheapest settings of {network.name} already need {least:g}"
        )
    picked, multiplier = _walk(hulls, budget - fixed)
    best = _outcome("Lagrangian", picked, fixed)
    uniforms = [_outcome("one setting for all", column, fixed) for column in zip(*choices, strict=True)]
    within = [outcome for outcome in uniforms if outcome.cost <= budget]
    uniform = min(within, key=lambda outcome: (outcome.distortion, outcome.cost), default=None)
    if uniform is not None and uniform.distortion < best.distortion:
        best = replace(uniform, name="one setting for all (nothing better found)")
    bound = sum(min(c.distortion + multiplier * c.cost for c in one) for one in choices)
    return Allocation(
        objective,
        budget,
        tuple(layers),
        best,
        uniform,
        _rule(network, layers, choices, fixed),
        max(bound - multiplier * (budget - fixed), 0.0),
        multiplier,
    )


def _outcome(name: str, picked: Sequence[Choice], fixed: float) -> Outcome:
    return Outcome(
        name, tuple(picked), fixed + sum(c.cost for c in picked), math.fsum(c.distortion for c in picked)
    )


def _choices(
    network: Network,
    accelerator: Accelerator,
    table: EnergyTable,
    options: CostOptions,
    distortion: Distortion,
    grid: Grid,
    objective: str,
) -> tuple[list[Layer], list[list[Choice]], float]:
    """Layers to decide, their choices in the grid's order, and what all other layers cost."""
    column = OBJECTIVES[objective]
    network = fitted(network, accelerator)
    network = replace(network, layers=tuple(replace(layer, keep=None) for layer in network.layers))
    around = surroundings(network.layers, accelerator, options)
    prices, fixed = Prices(table), 0.0
    layers, choices = [], []
    for layer in network.layers:
        if layer.op in VIEWS or not layer.counted:
            continue
        source = around[layer.name]
        if layer.compressible:
            layers.append(layer)
            choices.append(
                _layer_choices(layer, source, accelerator, table, options, distortion, grid, column)
            )
        elif layer.multiplies:
            priced = dense_layer_cost(layer, source, accelerator, prices, options)
            bops = priced.macs * layer.weight_bits * layer.act_bits
            fixed += _value(column, bops, priced.latency.total, priced.dram_bits, priced.energy_pj)
        else:
            priced = other_layer_cost(layer, source, accelerator, prices)
            fixed += _value(column, 0, priced.latency.total, priced.dram_bits, priced.energy_pj)
    return layers, choices, fixed


def _value(column: str, bops: float, cycles: float, dram_bits: float, energy_pj: float) -> float:
    return {"bops": bops, "cycles": cycles, "dram_bits": dram_bits, "energy_pj": energy_pj}[column]


def _layer_choices(
    layer: Layer,
    source: Source,
    accelerator: Accelerator,
    table: EnergyTable,
    options: CostOptions,
    distortion: Distortion,
    grid: Grid,
    column: str,
) -> list[Choice]:
    """Every setting of the grid on one layer; its map is stored at the setting's width."""
    settings = list(dict.fromkeys(grid.settings()))

    def stored(setting: Setting) -> Source:
        return replace(source, in_read_bits=source.in_values * setting.act_bits, in_bits=setting.act_bits)

    wcc = [s for s in settings if s.keep is not None]
    cost: dict[Setting, float] = {}
    if wcc:
        points = layer_points(layer, source, wcc)
        points = replace(points, map_bits=source.in_values * points.act_bits)
        costs = vector_costs(points, accelerator, table, options)
        cost = dict(zip(wcc, (float(value) for value in getattr(costs, column)), strict=True))
    for s in settings:
        if s.keep is None:
            changed = replace(layer, act_bits=s.act_bits, weight_bits=s.weight_bits)
            priced = dense_layer_cost(changed, stored(s), accelerator, Prices(table), options)
            bops = priced.macs * s.weight_bits * s.act_bits
            cost[s] = _value(column, bops, priced.latency.total, priced.dram_bits, priced.energy_pj)
    values = layer.in_shape.values
    return [Choice(s, cost[s], distortion.of(layer, s.keep, s.act_bits, s.levels) * values) for s in settings]


def _hull(choices: Sequence[Choice]) -> list[Choice]:
    """The lower convex hull, from the cheapest choice to the least distorted one."""
    hull: list[Choice] = []
    for choice in sorted(choices, key=lambda c: (c.cost, c.distortion)):
        if hull and choice.distortion >= hull[-1].distortion:
            continue
        while len(hull) > 1 and _gain(hull[-2], hull[-1]) <= _gain(hull[-1], choice):
            hull.pop()
        hull.append(choice)
    return hull


def _gain(cheap: Choice, dear: Choice) -> float:
    """Distortion saved for each unit of cost."""
    return (cheap.distortion - dear.distortion) / (dear.cost - cheap.cost)


def _walk(hulls: Sequence[Sequence[Choice]], room: float) -> tuple[list[Choice], float]:
    """Segments from the steepest down while they fit; the gain at which the budget first stopped one."""
    segments = sorted(
        (
            (-_gain(hull[step], hull[step + 1]), layer, step)
            for layer, hull in enumerate(hulls)
            for step in range(len(hull) - 1)
        ),
    )
    at = [0] * len(hulls)
    spent = sum(hull[0].cost for hull in hulls)
    multiplier = 0.0
    for negative_gain, layer, step in segments:
        if at[layer] != step:  # a steeper segment of this layer did not fit
            continue
        more = hulls[layer][step + 1].cost - hulls[layer][step].cost
        if spent + more <= room:
            at[layer], spent = step + 1, spent + more
        elif multiplier == 0.0:
            multiplier = -negative_gain
    return [hull[index] for hull, index in zip(hulls, at, strict=True)], multiplier


def _rule(
    network: Network, layers: Sequence[Layer], choices: Sequence[Sequence[Choice]], fixed: float
) -> Outcome | None:
    """25 % on large maps, 50 % on others; widest maps, first weights and levels; None outside the grid."""
    tall = network.input_shape.height / RULE_HEIGHT_SHARE
    picked = []
    for layer, one in zip(layers, choices, strict=True):
        wanted = Fraction(1, 4) if layer.in_shape.height >= tall else Fraction(1, 2)
        first = one[0].setting
        found = next(
            (
                c
                for c in one
                if c.setting.keep == wanted and c.setting.act_bits == max(o.setting.act_bits for o in one)
                and (c.setting.weight_bits, c.setting.levels) == (first.weight_bits, first.levels)
            ),
            None,
        )  # fmt: skip
        if found is None:
            return None
        picked.append(found)
    return _outcome("25 %-50 % rule", picked, fixed)
