"""The vectorised cost equals the scalar model point by point."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wccsim.cost.options import CostOptions
from wccsim.cost.pricing import Prices
from wccsim.cost.source import Source
from wccsim.cost.vector import Points, vector_costs
from wccsim.cost.wcc import wcc_layer_cost
from wccsim.errors import WccsimError
from wccsim.hardware.accelerator_yaml import accelerator_names, load_accelerator
from wccsim.hardware.energy_yaml import energy_names, load_energy
from wccsim.network.model import Layer, Shape
from wccsim.parameters import padded

settings_st = st.tuples(
    st.integers(1, 300), st.integers(1, 300), st.integers(1, 70), st.integers(1, 70),
    st.sampled_from([Fraction(1), Fraction(1, 2), Fraction(1, 3), Fraction(1, 4)]),
    st.integers(1, 4), st.integers(2, 8), st.integers(2, 8), st.booleans(), st.integers(0, 3),
    st.integers(1, 8),
)  # fmt: skip


def layer_of(point) -> Layer:
    channels, outputs, height, width, keep, levels, act, weight, bias, _, _ = point
    shape, out = Shape(channels, height, width), Shape(outputs, height, width)
    widths = {"weight_bits": weight, "act_bits": act}
    return Layer("l", "conv", ("input",), shape, out, bias=bias, keep=keep, levels=levels, **widths)


def arrays_of(points) -> Points:
    rows = []
    for channels, outputs, height, width, keep, levels, act, weight, bias, wider, out in points:
        positions = padded(height, levels) * padded(width, levels)
        kept = positions * keep.numerator // keep.denominator
        pixels = height * width
        map_bits = channels * pixels * (act + wider)
        settings = (levels, act, weight, int(bias), map_bits, out)
        rows.append((channels, outputs, pixels, positions, kept, *settings))
    return Points(*np.array(rows, dtype=np.int64).T)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(settings_st, min_size=1, max_size=6),
    st.sampled_from(accelerator_names()),
    st.sampled_from(energy_names()),
    st.sampled_from(["none", "consumer"]),
    st.sampled_from(["none", "double_buffered", "pipelined"]),
    st.sampled_from(["bitmap", "list"]),
    st.sampled_from(["exact", "exact", *(f"binned:{m}" for m in range(9))]),
    st.sampled_from([1, 1, 8, 64]),
    st.sampled_from(["bounded", "unbounded"]),
)
def test_every_point_equals_the_scalar_model(
    points, name, energy, compress, overlap, index, selection, divisor, memory
):
    machine = load_accelerator(name)
    buffers = tuple(replace(b, size_bytes=max(b.size_bytes // divisor, 256)) for b in machine.buffers)
    unit = replace(machine.wcc, selection_memory=memory)
    machine = replace(machine, overlap=overlap, buffers=buffers, wcc=unit)
    options = CostOptions(compress=compress, index=index, selection=selection)
    table = load_energy(energy)
    try:
        scalar = []
        for point in points:
            layer = layer_of(point)
            stored = layer.act_bits + point[-2]
            source = Source(layer.in_shape.values, layer.in_shape.values * stored, stored, point[-1])
            scalar.append(wcc_layer_cost(layer, source, machine, Prices(table), options))
    except WccsimError:
        assume(False)
    vector = vector_costs(arrays_of(points), machine, table, options)
    assert vector.macs.tolist() == [cost.macs for cost in scalar]
    assert vector.dram_bits.tolist() == [cost.dram_bits for cost in scalar]
    assert vector.cycles.tolist() == [cost.latency.total for cost in scalar]
    assert vector.energy_pj == pytest.approx([cost.energy_pj for cost in scalar], rel=1e-11)


def test_what_a_sweep_cannot_price_is_refused_in_one_line():
    machine, table = load_accelerator("edge_npu_wcc"), load_energy("lpddr4")
    points = arrays_of([(8, 8, 8, 8, Fraction(1), 1, 8, 8, False, 0, 8)])
    for bad in (CostOptions(compress="producer"), CostOptions(fuse=True)):
        with pytest.raises(WccsimError, match="layers alone"):
            vector_costs(points, machine, table, bad)
    with pytest.raises(WccsimError, match="no WCC unit"):
        vector_costs(points, replace(machine, wcc=None), table, CostOptions())
    huge = replace(points, positions=np.array([1 << 55], dtype=np.int64))
    with pytest.raises(WccsimError, match="handles less than"):
        vector_costs(huge, machine, table, CostOptions())
