"""Keep and bits for each layer under one budget, by Lagrangian over each layer's own choices.

The sum of distortions is minimised while the cost stays within the budget. Each layer's choices are
cut to their lower convex hull; every multiplier lambda picks one hull point a layer, and walking the
hulls' segments from the steepest down passes through all of those solutions. The walk stops at the
budget; later segments that still fit are taken too. Where the prices of layers do not add up to that
of the network (wccsim.explore.choices), what a walk finds is priced as a whole, and the next walk has
that much more or less room. `bound` is the dual's: no assignment, on the hull or not, has less
distortion.
Source: Everett, "Generalized Lagrange multiplier method", Operations Research 1963.
"""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction

from wccsim.errors import WccsimError
from wccsim.explore.choices import OBJECTIVES, Choice, Choices, choices_of, priced_together
from wccsim.explore.grid import Grid
from wccsim.explore.price import Job, check_measured
from wccsim.network.model import Layer

UNITS = {"": 1.0, "pj": 1.0, "nj": 1e3, "uj": 1e6, "mj": 1e9, "j": 1e12}
MAX_WALKS = 12  # of a search whose prices do not add up; each prices the whole network once
RULE_HEIGHT_SHARE = 8  # the paper's 25 %-50 % rows: 25 % where a map is at least 1/8 of the input's height


@dataclass(frozen=True, slots=True)
class Outcome:
    """A choice for every layer that has one; cost is the whole network's."""

    name: str
    choices: tuple[Choice, ...]
    cost: float
    distortion: float


@dataclass(frozen=True, slots=True)
class Allocation:
    """The layers chosen for, the best outcome found, and others to compare it with.

    uniform: the best one setting for all layers within the budget, None where none fits. rule: the
    paper's 25 %-50 % rule, whatever it costs. bound: None where layers' prices do not add up, and the
    dual says nothing. multiplier: distortion that one more unit would save.
    """

    objective: str
    budget: float
    layers: tuple[Layer, ...]
    best: Outcome
    uniform: Outcome | None
    rule: Outcome | None
    bound: float | None
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


def allocate(job: Job, grid: Grid, objective: str, budget: float) -> Allocation:
    """The best settings within `budget` (the job's own settings are ignored).

    Every outcome's cost is that of `wccsim cost` for the network with these settings on its layers.
    Raises WccsimError where even the cheapest settings exceed the budget.
    """
    check_measured(job.options, grid)
    choices = choices_of(job, grid, objective)
    if not choices.layers:
        raise WccsimError(f"no layer of {job.network.name} can use WCC: there is nothing to allocate")
    hulls = [_hull(one) for one in choices.of_layer]
    cheapest = _outcome("the cheapest", [hull[0] for hull in hulls], choices, job, objective)
    uniform = _best_uniform(choices, job, objective, budget)
    found, multiplier = _search(hulls, choices, job, objective, budget)
    within = [one for one in (found, cheapest, uniform) if one is not None and one.cost <= budget]
    if not within:
        raise WccsimError(
            f"budget {objective}={budget:g}: the cheapest settings of {job.network.name} already need "
            f"{cheapest.cost:g}"
        )
    best = min(within, key=lambda outcome: outcome.distortion)
    name = "one setting for all (nothing better found)" if best is uniform else "Lagrangian"
    bound = sum(min(c.distortion + multiplier * c.cost for c in one) for one in choices.of_layer)
    return Allocation(
        objective,
        budget,
        choices.layers,
        replace(best, name=name),
        uniform,
        _rule(choices, job, objective),
        max(bound - multiplier * (budget - choices.fixed), 0.0) if choices.exact else None,
        multiplier,
    )


def _outcome(name: str, picked: Sequence[Choice], choices: Choices, job: Job, objective: str) -> Outcome:
    """The choices together, at the price of the whole network; each layer's cost is its own alone."""
    distortion = math.fsum(choice.distortion for choice in picked)
    if objective == "bops":
        return Outcome(name, tuple(picked), choices.fixed + sum(c.cost for c in picked), distortion)
    cost, own = priced_together(job, choices.layers, [c.setting for c in picked], objective)
    alone = (replace(choice, cost=one) for choice, one in zip(picked, own, strict=True))
    return Outcome(name, tuple(alone), cost, distortion)


def _best_uniform(choices: Choices, job: Job, objective: str, budget: float) -> Outcome | None:
    """The least distorted single setting within the budget."""
    columns = [
        (math.fsum(c.distortion for c in column), whole, column)
        for column, whole in zip(zip(*choices.of_layer, strict=True), choices.whole, strict=True)
        if whole <= budget
    ]
    if not columns:
        return None
    picked = min(columns, key=lambda column: column[:2])[2]
    return _outcome("one setting for all", picked, choices, job, objective)


def _search(
    hulls: Sequence[Sequence[Choice]], choices: Choices, job: Job, objective: str, budget: float
) -> tuple[Outcome | None, float]:
    """Walks until one finds what another has found; the best outcome within the budget."""
    best: Outcome | None = None
    seen: set[tuple[int, ...]] = set()
    room = budget - choices.fixed
    multiplier = 0.0
    for _ in range(MAX_WALKS):
        picked, multiplier = _walk(hulls, room)
        key = tuple(map(id, picked))
        if key in seen:
            break
        seen.add(key)
        outcome = _outcome("Lagrangian", picked, choices, job, objective)
        if outcome.cost <= budget and (best is None or outcome.distortion < best.distortion):
            best = outcome
        added = choices.fixed + sum(choice.cost for choice in picked)
        room = budget - choices.fixed - (outcome.cost - added)
    return best, multiplier


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


def _rule(choices: Choices, job: Job, objective: str) -> Outcome | None:
    """25 % on large maps, 50 % on others; widest maps, first weights and levels; None outside the grid."""
    tall = job.network.input_shape.height / RULE_HEIGHT_SHARE
    picked = []
    for layer, one in zip(choices.layers, choices.of_layer, strict=True):
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
    return _outcome("25 %-50 % rule", picked, choices, job, objective)
