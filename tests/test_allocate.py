"""Allocation keeps its budget, and its outcomes cost what `wccsim cost` says of them."""

import itertools
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.cost.network import network_cost
from wccsim.cost.options import CostOptions
from wccsim.counting.run import count
from wccsim.errors import WccsimError
from wccsim.explore.allocate import _hull, _walk, allocate, parse_budget
from wccsim.explore.choices import Choice, _owners, choices_of, mixed
from wccsim.explore.distortion import Distortion
from wccsim.explore.grid import Grid, Setting
from wccsim.explore.price import Job
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import load_energy
from wccsim.network.catalog import load_network
from wccsim.network.model import Layer, Network, Shape

NETWORK = load_network("mobilenetv3_small")
MACHINE, TABLE = load_accelerator("edge_npu_wcc"), load_energy("lpddr4")


def job(options: CostOptions) -> Job:
    return Job(NETWORK, MACHINE, TABLE, options, Distortion(), ())


choice_lists = st.lists(
    st.lists(st.tuples(st.integers(1, 30), st.integers(0, 30)), min_size=1, max_size=5),
    min_size=1,
    max_size=4,
)


@settings(max_examples=150, deadline=None)
@given(choice_lists, st.integers(4, 120))
def test_the_walk_keeps_the_budget_and_the_dual_bounds_every_assignment(points, budget):
    """Against all assignments: within the budget none has less distortion than the dual says."""
    setting = Setting(None, 8, 8, 3)
    choices = [[Choice(setting, float(c), float(d)) for c, d in one] for one in points]
    hulls = [_hull(one) for one in choices]
    if sum(hull[0].cost for hull in hulls) > budget:
        return
    picked, multiplier = _walk(hulls, budget)
    assert sum(c.cost for c in picked) <= budget
    bound = sum(min(c.distortion + multiplier * c.cost for c in one) for one in choices) - multiplier * budget
    feasible = [a for a in itertools.product(*choices) if sum(c.cost for c in a) <= budget]
    least = min(sum(c.distortion for c in a) for a in feasible)
    assert bound <= least + 1e-9
    assert sum(c.distortion for c in picked) >= least - 1e-9


TOGETHER = {
    "whole": CostOptions(),
    "producer": CostOptions(compress="producer"),
    "fused by gates": CostOptions(compress="producer", fuse=True, compute="gates"),
}
WIDE_GRID = Grid((None, Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)), act_bits=(4, 8))


def really(one: Job, layers, outcome, objective: str) -> float:
    """What `wccsim cost` (or `bops`) says of the network with the outcome's settings on its layers."""
    settings = [choice.setting for choice in outcome.choices]
    network = mixed(one.network, dict(zip((layer.name for layer in layers), settings, strict=True)))
    if objective == "bops":
        return sum(c.bops for c in count(network).counts)
    cost = network_cost(network, one.accelerator, one.table, one.options)
    return {"cycles": cost.cycles, "traffic": cost.dram_bits, "energy": cost.energy_pj}[objective]


@pytest.mark.parametrize("options", TOGETHER.values(), ids=TOGETHER)
@pytest.mark.parametrize("objective", ["bops", "cycles", "energy", "traffic"])
def test_allocation_beats_one_setting_for_all_within_the_budget(objective, options):
    one = job(options)
    choices = choices_of(one, WIDE_GRID, objective)
    least = choices.fixed + sum(min(c.cost for c in layer) for layer in choices.of_layer)
    budget = (least + allocate(one, WIDE_GRID, objective, 1e30).best.cost) / 2
    found = allocate(one, WIDE_GRID, objective, budget)
    assert found.best.cost <= budget
    assert found.uniform is None or found.best.distortion <= found.uniform.distortion
    assert found.rule is not None
    for outcome in (found.best, found.uniform, found.rule):
        if outcome is not None:
            assert outcome.cost == really(one, found.layers, outcome, objective)
            assert sum(choice.cost for choice in outcome.choices) <= outcome.cost * (1 + 1e-12)
    assert (found.bound is None) == (objective != "bops")
    assert found.bound is None or found.bound <= found.best.distortion * (1 + 1e-9)
    with pytest.raises(WccsimError, match="already need"):
        allocate(one, WIDE_GRID, objective, budget / 1e6)


def test_each_layers_cost_is_its_own():
    """Not that of the layers which read its map, though the search weighs them with it."""
    one = job(CostOptions(compress="producer"))
    for objective in ("bops", "cycles"):
        found = allocate(one, WIDE_GRID, objective, 1e30)
        wanted = {layer.name: c.setting for layer, c in zip(found.layers, found.best.choices, strict=True)}
        network = mixed(NETWORK, wanted)
        bops = {c.layer.name: c.bops for c in count(network).counts}
        cost = network_cost(network, MACHINE, TABLE, one.options)
        cycles = {c.layer.name: c.latency.total for c in cost.layers}
        own = {"bops": bops, "cycles": cycles}[objective]
        for layer, choice in zip(found.layers, found.best.choices, strict=True):
            assert choice.cost == own[layer.name]


@pytest.mark.parametrize("options", TOGETHER.values(), ids=TOGETHER)
@pytest.mark.parametrize("objective", ["cycles", "traffic"])
def test_choices_add_up_to_the_network_under_one_setting(objective, options):
    one = job(options)
    choices = choices_of(one, WIDE_GRID, objective)
    for column, whole in zip(zip(*choices.of_layer, strict=True), choices.whole, strict=True):
        assert sum(c.cost for c in column) + choices.fixed == whole
        wanted = {layer.name: c.setting for layer, c in zip(choices.layers, column, strict=True)}
        cost = network_cost(mixed(NETWORK, wanted), MACHINE, TABLE, options)
        assert whole == {"cycles": cost.cycles, "traffic": cost.dram_bits}[objective]


@settings(max_examples=15, deadline=None)
@given(st.data(), st.sampled_from(["cycles", "traffic"]), st.sampled_from(["none", "consumer"]))
def test_prices_said_to_be_exact_add_up_under_every_mixture(data, objective, compress):
    one = job(CostOptions(compress=compress))
    grid = Grid((None, Fraction(1), Fraction(1, 4)), weight_bits=(4, 8), levels=(1, 3))
    choices = choices_of(one, grid, objective)
    assert choices.exact
    picked = [data.draw(st.sampled_from(options)) for options in choices.of_layer]
    wanted = {layer.name: c.setting for layer, c in zip(choices.layers, picked, strict=True)}
    cost = network_cost(mixed(NETWORK, wanted), MACHINE, TABLE, one.options)
    whole = {"cycles": cost.cycles, "traffic": cost.dram_bits}[objective]
    assert choices.fixed + sum(c.cost for c in picked) == whole


def test_a_layer_that_is_not_counted_is_paid_for_by_the_choice_before_it():
    """It has no choice of its own; the layer before the first choice is paid for by the one that reads it."""
    shape = Shape(4, 8, 8)
    layers = [
        Layer("input", "input", (), shape, shape),
        Layer("stem", "conv", ("input",), shape, shape, kernel=(3, 3), padding=(1, 1, 1, 1)),
        Layer("first", "conv", ("stem",), shape, shape),
        Layer("uncounted", "conv", ("first",), shape, shape, counted=False),
        Layer("second", "conv", ("uncounted",), shape, shape),
    ]
    owners = _owners(Network("chain", tuple(layers)), alone=False)
    assert owners == {
        "input": "first", "stem": "first", "first": "first", "uncounted": "first", "second": "second",
    }  # fmt: skip


def test_the_bound_is_reached_where_the_walk_ends_at_the_budget():
    """Strong duality at the corners of the hulls: what fits exactly is the best there is."""
    one = job(CostOptions())
    choices = choices_of(one, WIDE_GRID, "bops")
    hulls = [_hull(options) for options in choices.of_layer]
    steps = sorted(
        ((a.distortion - b.distortion) / (b.cost - a.cost), b.cost - a.cost)
        for hull in hulls
        for a, b in itertools.pairwise(hull)
    )[::-1]
    budget = choices.fixed + sum(hull[0].cost for hull in hulls) + sum(more for _, more in steps[:7])
    found = allocate(one, WIDE_GRID, "bops", budget)
    assert found.best.cost == budget
    assert found.bound == pytest.approx(found.best.distortion, rel=1e-9)


def test_the_papers_rule_keeps_a_quarter_of_large_maps_and_half_of_small_ones():
    """Large: at least an eighth of the network's input, 224 rows."""
    found = allocate(job(CostOptions()), WIDE_GRID, "bops", 1e30)
    heights = {layer.in_shape.height for layer in found.layers}
    assert 224 // 8 in heights and min(heights) < 224 // 8 < max(heights)
    for layer, choice in zip(found.layers, found.rule.choices, strict=True):
        assert choice.setting.keep == (Fraction(1, 4) if layer.in_shape.height >= 28 else Fraction(1, 2))


def test_budgets_of_the_command_line():
    assert parse_budget("bops=673e9") == ("bops", 673e9)
    assert parse_budget("energy=2.5mJ") == ("energy", 2.5e9)
    for bad in ("bops", "flops=3", "bops=-3", "bops=3mJ", "energy=0", "bops=1.2.3", "bops=1e999"):
        with pytest.raises(WccsimError):
            parse_budget(bad)
