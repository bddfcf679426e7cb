"""A layer without WCC by hand: what it requantises, and an index that comes with every pass over its map."""

from dataclasses import replace

import pytest

from wccsim.cost.dense import _array_moves, dense_layer_cost
from wccsim.cost.latency import Moves
from wccsim.cost.options import CostOptions
from wccsim.cost.pricing import prices_of
from wccsim.cost.record import DramBits
from wccsim.cost.source import Source
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import load_energy
from wccsim.hardware.model import Buffer
from wccsim.network.model import Layer, Shape
from wccsim.systolic import GemmCount

LPDDR4, OPTIONS = load_energy("lpddr4"), CostOptions()
LAYER = Layer("layer", "conv", ("input",), Shape(1, 4, 1), Shape(2, 4, 1))


def priced(out_bytes: int, source: Source):
    """LAYER with room for everything but `out_bytes` of its sums and outputs."""
    machine = replace(
        load_accelerator("edge_npu_wcc"),
        buffers=(
            Buffer("operands", ("in", "weight", "index", "coefficient", "score"), 1 << 20, 64, 64),
            Buffer("sums", ("out",), out_bytes, 64, 64),
        ),
        overlap="none",
        accumulator_bits=32,
    )
    return dense_layer_cost(LAYER, source, machine, prices_of(LPDDR4, OPTIONS), OPTIONS)


def test_a_compressed_map_comes_with_its_index_every_time_it_is_read():
    """Room for one output value: the map of 32 bits twice is less than the weights of 16 bits four times."""
    source = Source(4, 32, 8, 8, in_form="wavelet", in_index_bits=100)
    once, twice = priced(1 << 20, source), priced(1, source)
    assert (once.dram.in_read, once.dram.index_read, once.dram.weight_read) == (32, 100, 16)
    assert (twice.dram.in_read, twice.dram.index_read, twice.dram.weight_read) == (64, 200, 16)


def test_partial_sums_pass_the_buffer_of_the_sums_on_their_way_to_dram_and_back():
    """10 sums written of which 4 come back: 4 read and 4 spilled of 32 bits, and those of DRAM."""
    count = GemmCount(0, 0, 0, 0, 0, sram_out_writes=10, sram_partial_reads=4, used_elements=0, elements=1)
    machine = replace(load_accelerator("edge_npu_wcc"), accumulator_bits=32)
    moves = _array_moves(LAYER, count, DramBits(partial_read=5, partial_write=7), machine)
    assert moves[2] == Moves("out", 4 * 32 + 7, 4 * 32 + 5)


def test_every_output_is_requantised_once():
    """A 32-bit sum times 16 bits, add a half, shift, and clamp at both ends."""
    cost = priced(1 << 20, Source(4, 32, 8, 8))
    one_pj = LPDDR4.multiply_pj(32, 16) + LPDDR4.add_pj(48) + LPDDR4.shift_pj(48) + 2 * LPDDR4.compare_pj(32)
    assert cost.stages[1].compute_pj == pytest.approx(8 * one_pj)
