"""What a WCC layer moves across DRAM, against a walk of its stages and loops that counts every word."""

import math
from dataclasses import fields, replace
from fractions import Fraction

import pytest
import reference_wcc_traffic as twin
from hypothesis import given, settings
from hypothesis import strategies as st
from test_vector import arrays_of, source_of, surroundings_st

from wccsim.cost.options import CostOptions
from wccsim.cost.parameters_of import parameters_of
from wccsim.cost.pricing import Prices
from wccsim.cost.record import DramBits
from wccsim.cost.source import Source
from wccsim.cost.vector import vector_costs
from wccsim.cost.wcc import wcc_layer_cost
from wccsim.cost.wcc_plan import Plan, best_plan
from wccsim.errors import WccsimError
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import load_energy
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer, Shape
from wccsim.tiling import tile_bits

EDGE, SHARED = load_accelerator("edge_npu_wcc"), load_accelerator("tpu_like")
LPDDR4 = load_energy("lpddr4")


def words(bits: int, width: int) -> list[int]:
    """`bits` as words of `width` and one shorter."""
    return [width] * (bits // width) + [bits % width] * (bits % width > 0)


def dealt(bits: int, count: int) -> list[int]:
    """`bits` dealt over `count` words."""
    return [bits // count + (i < bits % count) for i in range(count)]


def sizes_of(options: CostOptions, p, channels: int, positions: int, kept: int) -> tuple[list[int], list]:
    """Bits of the index, word by word, and of the kept words [k][C] as they cross DRAM."""
    one = 1 if options.index == "bitmap" else (positions - 1).bit_length()
    index = [one] * (positions if options.index == "bitmap" else kept)
    if options.index == "rice":
        index = dealt(math.ceil(positions * options.index_bits.of("", p.keep)), positions)
    stored = kept * channels * p.act_bits
    if options.words == "rice":
        stored = math.ceil(kept * channels * options.word_bits.of("", p.keep))
    flat = dealt(stored, kept * channels)
    return index, [flat[row * channels : (row + 1) * channels] for row in range(kept)]


def walked(layer: Layer, source: Source, machine: Accelerator, plan: Plan, options: CostOptions):
    """The twin's run with the plan's tiles."""
    p = parameters_of(layer, options)
    shape, out = layer.in_shape, layer.out_shape
    sizes = {b.name: b.size_bits for b in machine.buffers}
    holds = {tensor: b.name for b in machine.buffers for tensor in b.holds}
    copy = plan.nest.in_sweep_bits.spill > 0
    told = twin.Tiles(
        plan.tiling.rows, plan.tiling.out_channels, plan.tiling.in_channels, plan.tiling.order,
        plan.memory.index_fits, copy,
    )  # fmt: skip
    stored = 0 if source.in_on_chip else source.in_read_bits
    out_bits = 0 if source.out_on_chip else source.out_store_bits(out.values * source.out_bits)
    index, kept_words = sizes_of(options, p, shape.channels, plan.positions, plan.kept)
    return twin.run(
        twin.Layer(
            shape.channels, out.channels, plan.positions, plan.kept, kept_words, p.weight_bits,
            p.coefficient_bits(), p.score_bits(shape.channels), p.wavelet_bits, machine.accumulator_bits,
            p.mantissa_bits is not None, words(stored, 8), source.in_form,
            index,
            words(source.in_index_bits, 1), words(source.out_index_bits, 1), words(out_bits, 8),
        ),
        twin.Machine(sizes, holds, machine.wcc.selection_memory == "bounded"),
        told,
    )  # fmt: skip


def assert_equal_to_the_walk(layer, source, machine, options) -> Plan:
    plan = best_plan(layer, source, machine, options)
    dram, runs = walked(layer, source, machine, plan, options)
    cost = wcc_layer_cost(layer, source, machine, Prices(LPDDR4), options)
    assert {field.name: getattr(cost.dram, field.name) for field in fields(DramBits)} == {
        field.name: dram[field.name] for field in fields(DramBits)
    }
    assert (plan.haar_runs, plan.gather_runs) == (runs["haar"], runs["gather"])
    return plan


layers_st = st.tuples(
    st.integers(1, 9), st.integers(1, 9), st.integers(1, 9), st.integers(1, 9),
    st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)]),
    st.integers(1, 2), st.integers(2, 8), st.integers(2, 8),
)  # fmt: skip
options_st = st.builds(
    lambda index, words, **others: CostOptions(**index, **words, **others),
    st.sampled_from([{"index": "bitmap"}, {"index": "list"}, {"index": "rice", "index_bits": "5/7"}]),
    st.sampled_from(
        [
            {},
            {"words": "rice", "word_bits": "13/11"},
            {"words": "rice", "word_bits": "1/4:2.5,1/2:7/3,1/3:5,1:2"},
        ]
    ),
    compress=st.sampled_from(["none", "consumer", "producer"]),
    selection=st.sampled_from(["exact", "binned:1"]),
)


@settings(max_examples=250, deadline=None)
@given(
    layers_st, surroundings_st, options_st, st.sampled_from([EDGE, SHARED]),
    st.tuples(*[st.integers(4, 200)] * 4), st.sampled_from(["none", "double_buffered"]),
    st.sampled_from(["bounded", "bounded", "unbounded"]),
)  # fmt: skip
def test_every_bit_of_a_wcc_layer_is_walked(given_layer, around, options, machine, sizes, overlap, memory):
    """In buffers of a few bytes: index, scores and coefficients each fit in some examples only."""
    channels, outputs, height, width, keep, levels, act, weight = given_layer
    layer = Layer(
        "l", "conv", ("input",), Shape(channels, height, width), Shape(outputs, height, width),
        keep=keep, levels=levels, act_bits=act, weight_bits=weight,
    )  # fmt: skip
    buffers = [replace(b, size_bytes=size) for b, size in zip(machine.buffers, sizes, strict=False)]
    unit = replace(machine.wcc, selection_memory=memory)
    machine = replace(machine, buffers=tuple(buffers), overlap=overlap, wcc=unit)
    try:
        plan = assert_equal_to_the_walk(layer, source_of(layer, around, options), machine, options)
    except WccsimError as refusal:
        assert (
            "keeps none" in str(refusal) or "fits the buffers" in str(refusal) or "at least" in str(refusal)
        )
        return
    held = tile_bits(plan.nest, plan.tiling)
    for buffer in machine.buffers:
        index = plan.index_bits * (plan.memory.index_fits and "index" in buffer.holds)
        tiles = sum(bits for tensor, bits in held.items() if tensor in buffer.holds)
        room = max(buffer.size_bits - index, 0) // (1 if overlap == "none" else 2)
        assert tiles <= room or tiles == 0


def sized(**bytes_of: int) -> Accelerator:
    """The edge accelerator with these buffers."""
    return replace(
        EDGE, buffers=tuple(replace(b, size_bytes=bytes_of.get(b.name, 1 << 20)) for b in EDGE.buffers)
    )


LAYER = Layer("l", "conv", ("input",), Shape(16, 8, 8), Shape(200, 8, 8), keep=Fraction(1, 2), levels=2)
WHOLE = Source(16 * 64, 16 * 64 * 8, 8, 8)
NARROW = {
    "input": 256,
    "weight": 2048,
    "output": 20_000,
}  # the input passes once for each half of the outputs
NONE = CostOptions(compress="none")


@pytest.mark.parametrize(
    ("options", "layer", "machine", "haars", "gathers", "kept_writes"),
    [
        (CostOptions(), LAYER, sized(), 1, 1, False),
        (CostOptions(), LAYER, sized(wavelet=1000), 2, 1, False),
        (CostOptions(), LAYER, sized(wavelet=1000, **NARROW), 2, 1, True),
        (CostOptions(), replace(LAYER, keep=Fraction(1)), sized(wavelet=1000, **NARROW), 3, 2, False),
        (NONE, LAYER, sized(wavelet=1000, **NARROW), 3, 2, False),
        (NONE, LAYER, sized(**NARROW), 1, 2, False),
    ],
    ids=["fits", "read twice", "copy", "copy dearer than the map", "no copies", "gathered twice"],
)
def test_the_ways_to_spill_all_occur(options, layer, machine, haars, gathers, kept_writes):
    plan = assert_equal_to_the_walk(layer, WHOLE, machine, options)
    assert (plan.haar_runs, plan.gather_runs) == (haars, gathers)
    assert (plan.traffic.in_write_bits > 0) == kept_writes
    scalar = wcc_layer_cost(layer, WHOLE, machine, Prices(LPDDR4), options)
    vector = vector_costs(arrays_of([(layer, WHOLE)], options), machine, Prices(LPDDR4), options)
    assert (vector.dram_bits[0], vector.cycles[0]) == (scalar.dram_bits, scalar.latency.total)


def test_an_index_that_does_not_fit_is_read_by_every_gather_and_by_the_zero_fill():
    machine = sized(wavelet=4, **NARROW)
    plan = assert_equal_to_the_walk(LAYER, WHOLE, machine, NONE)
    assert plan.gather_runs == 2 and not plan.memory.index_fits and not plan.memory.scores_fit
    cost = wcc_layer_cost(LAYER, WHOLE, machine, Prices(LPDDR4), NONE)
    assert (cost.dram.index_read, cost.dram.index_write) == (3 * 64, 64)
