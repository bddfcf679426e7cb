"""Laws of the cost of a network: conserved, additive, monotone; and figures worked by hand."""

import itertools
import math
from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wccsim.cost.network import (
    equivalent_bits,
    network_cost,
    quantised_equivalent,
    without_wcc,
)
from wccsim.cost.options import CostOptions
from wccsim.cost.pricing import prices_of
from wccsim.cost.views import matrix_product
from wccsim.cycles import wcc_cycles
from wccsim.errors import WccsimError
from wccsim.hardware.accelerator_yaml import accelerator_names, load_accelerator
from wccsim.hardware.energy_yaml import energy_names, load_energy
from wccsim.hardware.model import TENSORS, Accelerator, Buffer
from wccsim.network.catalog import load_network, names
from wccsim.network.model import Layer, Network, Shape
from wccsim.parameters import WccParameters

EDGE = load_accelerator("edge_npu_wcc")
LPDDR4 = load_energy("lpddr4")


def chain(*shapes_and_kernels) -> Network:
    """input -> convolutions; each entry is (out channels, kernel, stride, groups)."""
    (channels, height, width), *convolutions = shapes_and_kernels
    shape = Shape(channels, height, width)
    layers = [Layer("input", "input", (), shape, shape)]
    for number, (out, kernel, stride, groups) in enumerate(convolutions):
        pad = kernel // 2
        rows = (shape.height + 2 * pad - kernel) // stride + 1
        columns = (shape.width + 2 * pad - kernel) // stride + 1
        made = Shape(out, rows, columns)
        layers.append(
            Layer(
                f"conv{number}",
                "conv",
                (layers[-1].name,),
                shape,
                made,
                (kernel, kernel),
                (stride, stride),
                padding=(pad, pad, pad, pad),
                groups=groups,
            )
        )
        shape = made
    return Network("chain", tuple(layers))


@st.composite
def networks(draw: st.DrawFn) -> Network:
    size = st.integers(4, 24)
    channels, hidden, out = draw(st.integers(1, 40)), draw(st.integers(1, 48)), draw(st.integers(1, 40))
    stride, kernel = draw(st.sampled_from([1, 2])), draw(st.sampled_from([1, 3]))
    return chain(
        (channels, draw(size), draw(size)),
        (hidden, 1, 1, 1),
        (hidden, kernel, stride, hidden),
        (out, 1, 1, 1),
        (channels, 1, 1, 1),
    )


options_st = st.builds(
    CostOptions,
    compress=st.sampled_from(["none", "consumer", "producer"]),
    halo=st.sampled_from(["refetch", "keep"]),
    fuse=st.booleans(),
    index=st.sampled_from(["bitmap", "list"]),
    selection=st.sampled_from(["exact", "binned:3"]),
)
keeps = st.sampled_from([None, Fraction(1), Fraction(1, 2), Fraction(1, 4), Fraction(1, 8)])
accelerators = st.sampled_from([load_accelerator(name) for name in accelerator_names()])


def shrunk(accelerator: Accelerator, divisor: int) -> Accelerator:
    buffers = tuple(replace(b, size_bytes=max(b.size_bytes // divisor, 64)) for b in accelerator.buffers)
    return replace(accelerator, buffers=buffers)


@settings(max_examples=40, deadline=None)
@given(networks(), keeps, options_st, accelerators, st.sampled_from([1, 16, 256]))
def test_unique_bits_le_dram_bits_le_sram_bits_and_parts_sum_to_the_whole(
    network, keep, options, machine, divisor
):
    machine = shrunk(machine, divisor)
    try:
        cost = network_cost(network.configured(keep=keep), machine, LPDDR4, options)
    except WccsimError as problem:
        assert "fits the buffers" in str(problem)
        return
    for layer in cost.layers:
        assert layer.unique_bits <= layer.dram_bits <= layer.sram_bits
        assert sum(stage.dram_read_bits for stage in layer.stages) == layer.dram.read
        assert sum(stage.dram_write_bits for stage in layer.stages) == layer.dram.write
        parts = layer.latency
        assert min(parts.ideal, parts.loss, parts.stages, parts.stall, parts.load, parts.store) >= 0
        assert layer.energy_pj == pytest.approx(sum(layer.part_pj(p) for p in ("compute", "sram", "dram")))
        assert layer.utilization_percent <= layer.compute_utilization_percent + 1e-9 <= 100 + 1e-6
        if keep is None or layer.keep is None:
            assert layer.macs == layer.layer.macs
    assert cost.cycles == sum(layer.latency.total for layer in cost.layers)
    assert cost.dram_bits == sum(layer.dram_bits for layer in cost.layers)


@settings(max_examples=40, deadline=None)
@given(networks(), keeps, options_st, accelerators, st.sampled_from([4, 64]), st.integers(2, 5))
def test_more_buffer_never_moves_more_bits_nor_takes_longer(network, keep, options, machine, divisor, factor):
    """With `producer` a larger buffer may change the form of a map for the whole network: same law."""
    small = shrunk(machine, divisor)
    large = replace(small, buffers=tuple(replace(b, size_bytes=b.size_bytes * factor) for b in small.buffers))
    network = network.configured(keep=keep)
    try:
        before = network_cost(network, small, LPDDR4, options)
    except WccsimError:
        assume(False)
    after = network_cost(network, large, LPDDR4, options)
    assert after.dram_bits <= before.dram_bits
    assert after.cycles <= before.cycles


@settings(max_examples=40, deadline=None)
@given(networks(), keeps, options_st, accelerators, st.integers(2, 9))
def test_more_bandwidth_never_takes_longer(network, keep, options, machine, factor):
    network = network.configured(keep=keep)
    slow = network_cost(network, machine, LPDDR4, options)
    dram = replace(machine.dram, width_bits=machine.dram.width_bits * factor)
    fast = network_cost(network, replace(machine, dram=dram), LPDDR4, options)
    assert fast.cycles <= slow.cycles and fast.dram_bits == slow.dram_bits


@settings(max_examples=40, deadline=None)
@given(networks(), options_st, accelerators, st.sampled_from(energy_names()))
def test_fewer_kept_never_cost_more(network, options, machine, energy):
    table = load_energy(energy)
    costs = [
        network_cost(network.configured(keep=keep), machine, table, options)
        for keep in (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))
    ]
    for fewer, more in itertools.pairwise(costs):
        assert fewer.macs <= more.macs
        assert fewer.dram_bits <= more.dram_bits
        assert fewer.cycles <= more.cycles


@settings(max_examples=40, deadline=None)
@given(networks(), accelerators, st.sampled_from(["refetch", "keep"]), keeps)
def test_fusing_and_keeping_halos_never_move_more_bits(network, machine, halo, keep):
    network = network.configured(keep=keep)
    plain = network_cost(network, machine, LPDDR4, CostOptions(halo=halo))
    fused = network_cost(network, machine, LPDDR4, CostOptions(halo=halo, fuse=True))
    kept = network_cost(network, machine, LPDDR4, CostOptions(halo="keep"))
    assert fused.dram_bits <= plain.dram_bits
    assert kept.dram_bits <= network_cost(network, machine, LPDDR4).dram_bits


@settings(max_examples=40, deadline=None)
@given(
    networks(),
    accelerators,
    st.sampled_from([1, 16, 256]),
    st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 4)]),
)
def test_compressing_never_moves_more_than_not_compressing(network, machine, divisor, keep):
    machine = shrunk(machine, divisor)
    network = network.configured(keep=keep)
    try:
        bits = {
            policy: network_cost(network, machine, LPDDR4, CostOptions(compress=policy)).dram_bits
            for policy in ("none", "consumer", "producer")
        }
    except WccsimError:
        assume(False)
    assert bits["producer"] <= bits["consumer"] <= bits["none"]


@pytest.mark.parametrize("name", names())
def test_every_shipped_networks_product_has_its_macs(name):
    for layer in load_network(name).layers:
        if layer.multiplies:
            m, k, n, times = matrix_product(layer)
            assert m * k * n * times == layer.macs


def test_the_papers_layer_by_hand():
    """160 -> 960 at 34 x 34, 25 %: 400 of 1600 positions; the RTL's phases, transfers before and after."""
    network = chain((160, 34, 34), (960, 1, 1, 1)).configured(keep=Fraction(1, 4))
    wide = {"size_bytes": 1 << 24, "read_port_bits": 1 << 20, "write_port_bits": 1 << 20}
    big = replace(EDGE, buffers=tuple(replace(b, **wide) for b in EDGE.buffers))
    cost = network_cost(network, big, LPDDR4).layers[0]
    phases = wcc_cycles(WccParameters(), 160, 960, 34, 34, p_lanes=16, q_lanes=16)
    assert sum(stage.cycles for stage in cost.stages) == phases.total
    assert cost.latency.ideal == math.ceil(400 * 160 * 960 / 256)
    reads, writes = 34 * 34 * 160 * 8 + 160 * 960 * 8, 34 * 34 * 960 * 8
    assert (cost.dram.read, cost.dram.write) == (reads, writes)
    per_cycle = Fraction(32 * 3200, 500)
    load, store = math.ceil(reads / per_cycle), math.ceil(writes / per_cycle)
    assert cost.latency.total == phases.total + load + store
    assert "padding adds 38.4 % of positions" in cost.notes


def test_a_dense_layer_by_hand():
    """16 -> 32, 8 x 8, all on chip: one read of map and weights, one write; 0.3 pJ a MAC at 8 x 8."""
    cost = network_cost(chain((16, 8, 8), (32, 1, 1, 1)), EDGE, LPDDR4).layers[0]
    assert (cost.dram.in_read, cost.dram.weight_read, cost.dram.out_write) == (8192, 4096, 16384)
    assert cost.stages[0].cycles == 64 * 1 * 2
    assert cost.stages[0].compute_pj == pytest.approx(16 * 32 * 64 * (0.2 + 0.1))
    assert cost.part_pj("dram") == pytest.approx((8192 + 4096 + 16384) * 8)
    assert cost.utilization_percent < cost.compute_utilization_percent == 100


TIMED_TOGETHER = (
    ("pad", "haar", "score"),
    ("select", "bitmap"),
    ("requantise",),
    ("mac",),
    ("requantise_sum", "zero_fill", "inverse", "requantise_out"),
    ("add",),
    ("average_pool",),
)


@settings(max_examples=40, deadline=None)
@given(networks(), keeps, st.sampled_from(["none", "consumer"]), accelerators, st.integers(1, 200))
def test_with_one_buffer_its_two_ports_and_two_prices_explain_every_stage(
    network, keep, compress, machine, port_bits
):
    """A phase lasts its closed form, or as long as the port needs for all that its stages move."""
    network = with_a_shortcut(network).configured(keep=keep)
    options = CostOptions(compress=compress)
    small = replace(machine, array=replace(machine.array, rows=3, columns=5))  # sums come and go

    def costs(ports: int):
        buffer = Buffer("all", TENSORS, 1 << 12, read_port_bits=2 * ports, write_port_bits=ports)
        return network_cost(network, replace(small, buffers=(buffer,)), LPDDR4, options).layers

    for narrow, wide in zip(costs(port_bits), costs(1 << 60), strict=True):
        stages, free = ({stage.stage: stage for stage in cost.stages} for cost in (narrow, wide))
        for group in TIMED_TOGETHER:
            if not stages.keys() >= set(group):
                continue
            read = sum(stages[name].sram_read_bits for name in group)
            written = sum(stages[name].sram_write_bits for name in group)
            closed_form = max(free[name].cycles for name in group)
            expected = max(closed_form, -(-read // (2 * port_bits)), -(-written // port_bits))
            assert max(stages[name].cycles for name in group) == expected, group
        read_pj, write_pj = (LPDDR4.sram_pj_per_bit(1 << 12, what) for what in ("sram_read", "sram_write"))
        for stage in narrow.stages:
            spent = stage.sram_read_bits * read_pj + stage.sram_write_bits * write_pj
            assert stage.sram_pj == pytest.approx(spent)


def with_a_shortcut(network: Network) -> Network:
    """Two operators without MACs after the last layer: an addition and an average over 2 x 1 windows."""
    last = network.layers[-1]
    shape = last.out_shape
    pooled = Shape(shape.channels, shape.height - 1, shape.width)
    total = Layer("sum", "add", (last.name, last.name), shape, shape)
    mean = Layer("mean", "average_pool", ("sum",), shape, pooled, (2, 1))
    return replace(network, layers=(*network.layers, total, mean))


@settings(max_examples=40, deadline=None)
@given(networks(), keeps, options_st, accelerators, st.sampled_from([1, 16, 256]))
def test_what_crosses_dram_passes_through_a_buffer(network, keep, options, machine, divisor):
    """In every stage: read from DRAM, written to a buffer; read from a buffer, written to DRAM."""
    try:
        cost = network_cost(network.configured(keep=keep), shrunk(machine, divisor), LPDDR4, options)
    except WccsimError:
        assume(False)
    for layer in cost.layers:
        for stage in layer.stages:
            assert stage.sram_write_bits >= stage.dram_read_bits, (layer.layer.name, stage)
            assert stage.sram_read_bits >= stage.dram_write_bits, (layer.layer.name, stage)


def test_operators_without_macs_by_hand():
    """One operation a value of a window, one multiplication a mean; sums as wide as a requantiser's."""
    big, small = Shape(3, 8, 8), Shape(3, 4, 4)
    add, compare, multiply = LPDDR4.add_pj(8 + 16), LPDDR4.compare_pj(8), LPDDR4.multiply_pj(8, 16)
    for op, out, kernel, expected in (
        ("max_pool", small, (2, 2), 48 * 4 * compare),
        ("average_pool", small, (2, 2), 48 * 4 * add + 48 * multiply),
        ("global_average_pool", Shape(3, 1, 1), (1, 1), 192 * add + 3 * multiply),
        ("upsample", Shape(3, 8, 8), (1, 1), 0.0),
    ):
        layers = (Layer("input", "input", (), big, big), Layer("one", op, ("input",), big, out, kernel))
        [cost] = network_cost(Network("n", layers), EDGE, LPDDR4).layers
        assert cost.stages[0].cycles == 192 // EDGE.array.columns
        assert cost.stages[0].compute_pj == pytest.approx(expected), op


def test_bits_not_bytes_half_the_width_moves_half_the_bits():
    network = chain((16, 8, 8), (32, 1, 1, 1), (8, 1, 1, 1))
    whole = network_cost(network, EDGE, LPDDR4)
    half = network_cost(network.configured(weight_bits=4, act_bits=4), EDGE, LPDDR4)
    for a, b in zip(half.layers, whole.layers, strict=True):
        assert 2 * a.dram.in_read == b.dram.in_read and 2 * a.dram.weight_read == b.dram.weight_read


def test_the_quantised_rival_carries_the_same_payload():
    network = load_network("mobilenetv2_imagenet").configured(keep=Fraction(1, 4))
    rival = quantised_equivalent(network)
    for before, after in zip(network.layers, rival.layers, strict=True):
        assert after.keep is None
        assert after.act_bits == (2 if before.keep else before.act_bits)
    assert all(layer.keep is None for layer in without_wcc(network).layers)
    assert [equivalent_bits(8, Fraction(1, n)) for n in (1, 2, 3, 8, 16)] == [8, 4, 3, 1, 1]


def test_a_machine_without_the_unit_and_too_wide_operands_are_refused_in_one_line():
    network = chain((16, 8, 8), (32, 1, 1, 1))
    with pytest.raises(WccsimError, match="has no WCC unit"):
        network_cost(network.configured(keep=Fraction(1, 4)), replace(EDGE, wcc=None), LPDDR4)
    with pytest.raises(WccsimError, match="takes up to 8"):
        network_cost(network.configured(act_bits=9), EDGE, LPDDR4)
    for bad in ({"compress": "all"}, {"halo": "some"}, {"index": "gaps"}, {"selection": "half"}):
        with pytest.raises(WccsimError, match="allowed"):
            CostOptions(**bad)


def test_an_enormous_layer_is_counted_exactly():
    network = chain((1, 2**24, 2**24), (1, 1, 1, 1))
    cost = network_cost(network, EDGE, LPDDR4)
    assert cost.layers[0].dram.in_read == 2**48 * 8


def test_pipelined_is_never_slower_than_serial():
    network = chain((64, 32, 32), (64, 1, 1, 1)).configured(keep=Fraction(1, 4))
    serial, hidden, piped = (
        network_cost(network, replace(EDGE, overlap=overlap), LPDDR4).cycles
        for overlap in ("none", "double_buffered", "pipelined")
    )
    assert piped <= hidden <= serial


def test_gate_prices_move_computing_alone():
    """The table's 8x8 MAC sets the pJ of a gate, so 8x8 MACs cost the same under both."""
    network = load_network("mobilenetv3_small").configured(keep=Fraction(1, 4))
    table = network_cost(network, EDGE, LPDDR4)
    gates = network_cost(network, EDGE, LPDDR4, CostOptions(compute="gates"))
    assert gates.cycles == table.cycles and gates.dram_bits == table.dram_bits
    assert gates.part_pj("sram") == table.part_pj("sram") and gates.part_pj("dram") == table.part_pj("dram")
    for a, b in zip(gates.layers, table.layers, strict=True):
        for priced, plain in zip(a.stages, b.stages, strict=True):
            if plain.stage == "mac":
                assert priced.compute_pj == pytest.approx(plain.compute_pj)
    assert gates.part_pj("compute") != table.part_pj("compute")


@pytest.mark.parametrize("compute", ["table", "gates"])
def test_what_runs_twice_is_charged_twice_under_both_prices(compute):
    """Coefficients that do not fit are made twice: two Haars of computing, one of everything else."""
    network = chain((64, 32, 32), (64, 1, 1, 1)).configured(keep=Fraction(1, 4))
    options = CostOptions(compute=compute)
    free = replace(EDGE, wcc=replace(EDGE.wcc, selection_memory="unbounded"))
    once, twice = (network_cost(network, m, LPDDR4, options).layers[0] for m in (free, shrunk(EDGE, 8)))
    assert "coefficients do not fit: the map is read and transformed twice" in twice.notes
    for single, double in zip(once.stages, twice.stages, strict=True):
        runs = 2 if single.stage == "haar" else 1
        assert double.compute_pj == pytest.approx(runs * single.compute_pj), single.stage


@pytest.mark.parametrize("m", [0, 3, 8])
def test_by_gates_the_binned_selection_compares_two_keys_a_position(m):
    network = chain((16, 16, 16), (16, 1, 1, 1)).configured(keep=Fraction(1, 4))
    options = CostOptions(compute="gates", selection=f"binned:{m}")
    stages = network_cost(network, EDGE, LPDDR4, options).layers[0].stages
    gates = prices_of(LPDDR4, options)
    [select] = [stage for stage in stages if stage.stage == "select"]
    weight = gates.gates.of("compare", 6 + m)
    assert select.compute_pj == pytest.approx(2 * 256 * weight * gates.pj_per_gate)


def test_unbounded_selection_memory_never_moves_more():
    network = load_network("mobilenetv2_imagenet").configured(keep=Fraction(1, 4))
    free = replace(EDGE, wcc=replace(EDGE.wcc, selection_memory="unbounded"))
    assert network_cost(network, free, LPDDR4).dram_bits <= network_cost(network, EDGE, LPDDR4).dram_bits
    assert network_cost(network, free, LPDDR4).cycles <= network_cost(network, EDGE, LPDDR4).cycles
