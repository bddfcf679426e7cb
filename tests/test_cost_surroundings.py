"""Which maps never leave the chip, in buffers of exactly the bits that a band of rows needs."""

from dataclasses import replace
from fractions import Fraction

import pytest

from wccsim.cost.options import CostOptions
from wccsim.cost.surroundings import surroundings
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.model import TENSORS, Buffer
from wccsim.network.model import Layer, Network, Shape

INPUT, WIDE = Shape(4, 16, 16), Shape(8, 16, 16)
CHAIN = (
    Layer("input", "input", (), INPUT, INPUT),
    Layer("expand", "conv", ("input",), INPUT, WIDE),
    Layer(
        "depthwise", "conv", ("expand",), WIDE, WIDE, kernel=(3, 3), padding=(1, 1, 1, 1), groups=8,
    ),
    Layer("project", "conv", ("depthwise",), WIDE, INPUT),
)  # fmt: skip


def on_chip(size_bytes: int, keep: Fraction | None, levels: int = 2) -> set[str]:
    """The layers of the chain that read their map on chip; `keep`: of the first one."""
    machine = replace(
        load_accelerator("edge_npu_wcc"),
        buffers=(Buffer("all", TENSORS, size_bytes, 64, 64),),
        overlap="none",
        accumulator_bits=32,
    )
    layers = (CHAIN[0], replace(CHAIN[1], keep=keep, levels=levels), *CHAIN[2:])
    around = surroundings(Network("chain", layers).layers, machine, CostOptions(fuse=True))
    for reader, maker in (("depthwise", "expand"), ("project", "depthwise")):
        assert around[reader].in_on_chip == around[maker].out_on_chip
    return {name for name, source in around.items() if source.in_on_chip}


@pytest.mark.parametrize(("keep", "rows"), [(None, 3), (Fraction(1, 4), 3 + 2 * 4)])
def test_a_chain_is_fused_where_its_weights_and_one_band_of_rows_fit(keep, rows):
    """`rows` of the first map, in whole blocks of 4 where WCC makes them; a row of every other map."""
    weights = (4 * 8 + 9 * 8 + 8 * 4) * 8
    maps = (rows * 16 * 8 + 16 * 4 + 16 * 8) * 8 + 16 * 4 * 32
    needed_bytes = (weights + maps) // 8
    assert on_chip(needed_bytes, keep) == {"depthwise", "project"}
    assert on_chip(needed_bytes - 1, keep) == {"project"}


def test_the_last_two_need_their_own_band_and_no_chip_holds_nothing():
    weights, maps = (9 * 8 + 8 * 4) * 8, (3 * 16 * 8 + 16 * 8) * 8 + 16 * 4 * 32
    needed_bytes = (weights + maps) // 8
    assert on_chip(needed_bytes, None) == {"project"}
    assert on_chip(needed_bytes - 1, None) == set()
