"""The vectorised cost equals the scalar model point by point."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wccsim.cost.options import CostOptions
from wccsim.cost.parameters_of import parameters_of, words_of
from wccsim.cost.pricing import Prices, prices_of
from wccsim.cost.source import Source
from wccsim.cost.vector import Points, vector_costs
from wccsim.cost.wcc import wcc_layer_cost
from wccsim.errors import WccsimError
from wccsim.explore.grid import Setting
from wccsim.explore.price import layer_points
from wccsim.hardware.accelerator_yaml import accelerator_names, load_accelerator
from wccsim.hardware.energy_yaml import energy_names, load_energy
from wccsim.network.model import Layer, Shape

settings_st = st.tuples(
    st.integers(1, 300), st.integers(1, 300), st.integers(1, 70), st.integers(1, 70),
    st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)]),
    st.integers(1, 4), st.integers(2, 8), st.integers(2, 8), st.booleans(),
)  # fmt: skip
PLAIN_OPTIONS = CostOptions()
KEEPS = "1:3,1/2:3.5,1/3:37/10,1/4:4.25"  # one mean for each keep
surroundings_st = st.tuples(
    st.integers(0, 3), st.integers(1, 8), st.sampled_from(["dense", "dense", "kept", "wavelet", "on chip"]),
    st.sampled_from(["dense", "dense", "packed", "on chip"]), st.integers(1, 5000),
)  # fmt: skip


def layer_of(point) -> Layer:
    channels, outputs, height, width, keep, levels, act, weight, bias = point
    shape, out = Shape(channels, height, width), Shape(outputs, height, width)
    widths = {"weight_bits": weight, "act_bits": act}
    return Layer("l", "conv", ("input",), shape, out, bias=bias, keep=keep, levels=levels, **widths)


def source_of(layer: Layer, around, options=PLAIN_OPTIONS) -> Source:
    """Every form in which a map may come and go (`wccsim.cost.source`), the stored bits made up."""
    wider, out, form, out_form, stored = around
    bits, values = layer.act_bits + wider, layer.in_shape.values
    source = Source(values, values * bits, bits, out)
    if form == "kept":
        p = parameters_of(layer, options)
        payload = words_of(p, layer, options)
        source = replace(source, in_form="kept", in_read_bits=payload, in_index_bits=stored // 3)
    elif form == "wavelet":
        source = replace(source, in_form="wavelet", in_read_bits=stored, in_index_bits=stored // 3)
    elif form == "on chip":
        source = replace(source, in_on_chip=True)
    if out_form == "packed":
        source = replace(source, out_form="kept", out_stored_bits=stored, out_index_bits=stored // 2)
    return replace(source, out_on_chip=out_form == "on chip")


def arrays_of(points, options=PLAIN_OPTIONS) -> Points:
    """Points as `wccsim.explore.price` makes them: `layer_points` of each, put together."""
    parts = []
    for layer, source in points:
        setting = Setting(layer.keep, layer.act_bits, layer.weight_bits, layer.levels)
        parts.append(layer_points(layer, [setting], [source], np.zeros(1, dtype=np.int64), options))
    return Points(*(np.concatenate([getattr(p, n) for p in parts]) for n in Points.__dataclass_fields__))


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(settings_st, surroundings_st), min_size=1, max_size=6),
    st.sampled_from(accelerator_names()),
    st.sampled_from(energy_names()),
    st.sampled_from(["none", "consumer", "producer"]),
    st.sampled_from(["none", "double_buffered", "pipelined"]),
    st.sampled_from([{}, {"index": "list"}, {"index": "rice", "index_bits": 0.7}]),
    st.sampled_from([{}, {"words": "rice", "word_bits": "17/9"}, {"words": "rice", "word_bits": KEEPS}]),
    st.sampled_from(["exact", "exact", *(f"binned:{m}" for m in range(9))]),
    st.sampled_from([1, 1, 8, 64]),
    st.sampled_from(["bounded", "unbounded"]),
    st.sampled_from(["table", "gates"]),
)
def test_every_point_equals_the_scalar_model(
    points, name, energy, compress, overlap, index, words, selection, divisor, memory, compute
):
    machine = load_accelerator(name)
    buffers = tuple(replace(b, size_bytes=max(b.size_bytes // divisor, 256)) for b in machine.buffers)
    unit = replace(machine.wcc, selection_memory=memory)
    machine = replace(machine, overlap=overlap, buffers=buffers, wcc=unit)
    options = CostOptions(compress=compress, selection=selection, compute=compute, **index, **words)
    prices = prices_of(load_energy(energy), options)
    try:
        scalar, placed = [], []
        for point, around in points:
            layer = layer_of(point)
            placed.append((layer, source_of(layer, around, options)))
            scalar.append(wcc_layer_cost(*placed[-1], machine, prices, options))
    except WccsimError:
        assume(False)
    vector = vector_costs(arrays_of(placed, options), machine, prices, options)
    assert vector.macs.tolist() == [cost.macs for cost in scalar]
    assert vector.dram_bits.tolist() == [cost.dram_bits for cost in scalar]
    assert vector.cycles.tolist() == [cost.latency.total for cost in scalar]
    assert vector.energy_pj == pytest.approx([cost.energy_pj for cost in scalar], rel=1e-11)


def test_what_a_sweep_cannot_price_is_refused_in_one_line():
    machine, prices = load_accelerator("edge_npu_wcc"), Prices(load_energy("lpddr4"))
    layer = layer_of((8, 8, 8, 8, Fraction(1), 1, 8, 8, False))
    points = arrays_of([(layer, Source(512, 4096, 8, 8))])
    with pytest.raises(WccsimError, match="no WCC unit"):
        vector_costs(points, replace(machine, wcc=None), prices, CostOptions())
    for huge in ({"positions": np.array([1 << 55])}, {"map_bits": np.array([1 << 57])}):
        with pytest.raises(WccsimError, match="handles less than"):
            vector_costs(replace(points, **huge), machine, prices, CostOptions())
