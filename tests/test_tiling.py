"""Closed forms of DRAM traffic against a walk of the loop nest that counts every fetch."""

from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.tiling import (
    HALOS,
    ORDERS,
    Capacity,
    DramTraffic,
    InSweep,
    Nest,
    Tiling,
    best_tiling,
    dram_traffic,
    fits,
    input_rows,
    splits,
    tile_bits,
    tilings,
)


def walk(nest: Nest, tiling: Tiling, halo: str) -> tuple[DramTraffic, dict[str, int]]:
    """Runs the loops tile by tile; every element of a tile is a key of a set that holds it on chip."""
    sizes = {
        "m": (nest.rows, tiling.rows),
        "n": (nest.out_channels, tiling.out_channels),
        "k": (nest.in_channels, tiling.in_channels),
    }
    starts = [range(0, size, tile) for size, tile in map(sizes.get, tiling.order)]
    counts = dict.fromkeys(("in", "weight", "out", "partial_out", "partial_in"), 0)
    largest = dict.fromkeys(("in", "weight", "out"), 0)
    for _ in range(nest.groups):
        held_in = None
        held_weight: set = set()
        held_out: set = set()
        kept: dict = {}  # channel -> rows of the row tile before this one
        progress: dict = {}  # sum -> input channels added so far
        for point in product(*starts):
            at = dict(zip(tiling.order, point, strict=True))
            span = {loop: range(at[loop], min(at[loop] + sizes[loop][1], sizes[loop][0])) for loop in at}
            rows = set()
            for row in span["m"]:
                for tap in range(nest.row_span):
                    source = row * nest.row_stride - nest.pad_top + tap
                    if 0 <= source < nest.in_rows:
                        block = source // nest.row_step * nest.row_step
                        rows |= {r for r in range(block, block + nest.row_step) if r < nest.in_rows}
            rows = set(range(min(rows), max(rows) + 1)) if rows else set()
            tile = {(row, channel) for row in rows for channel in span["k"]}
            if (at["m"], at["k"]) != held_in:  # a tile is known by its place in the loops
                fresh = tile
                if halo == "keep":
                    before = kept.get(at["m"], set())
                    fresh = {(row, channel) for row, channel in tile if row not in before}
                counts["in"] += len(fresh) * nest.in_row_bits
                held_in = (at["m"], at["k"])
            kept[at["m"] + tiling.rows] = kept.get(at["m"], set()) | rows
            weights = {(i, o) for i in span["k"] for o in span["n"]}
            if weights != held_weight:
                counts["weight"] += len(weights) * nest.pair_bits
                held_weight = weights
            outs = {(row, o) for row in span["m"] for o in span["n"]}
            if outs != held_out:
                for element in held_out:  # leaves the chip: finished or not
                    done = progress[element] == nest.in_channels
                    counts["out" if done else "partial_out"] += (
                        nest.out_row_bits if done else nest.partial_row_bits
                    )
                for element in outs:
                    counts["partial_in"] += nest.partial_row_bits if element in progress else 0
                held_out = outs
            for element in outs:
                progress[element] = progress.get(element, 0) + len(span["k"])
            largest["in"] = max(largest["in"], len(tile) * nest.in_row_bits)
            largest["weight"] = max(largest["weight"], len(weights) * nest.pair_bits)
            largest["out"] = max(largest["out"], len(outs) * nest.out_row_bits)
        counts["out"] += len(held_out) * nest.out_row_bits
    return DramTraffic(*(counts[key] for key in counts)), largest


@st.composite
def nests(draw: st.DrawFn) -> Nest:
    kernel, stride, step = (
        draw(st.integers(1, 4)),
        draw(st.integers(1, 3)),
        draw(st.sampled_from([1, 1, 2, 4])),
    )
    in_rows, pad = draw(st.integers(1, 12)), draw(st.integers(0, kernel - 1))
    rows = max((in_rows + 2 * pad - kernel) // stride + 1, 1)
    return Nest(
        rows, in_rows, draw(st.integers(1, 6)), draw(st.integers(1, 6)), in_row_bits=draw(st.integers(1, 9)),
        pair_bits=draw(st.integers(1, 9)), out_row_bits=draw(st.integers(1, 5)), partial_row_bits=11,
        row_span=kernel, row_stride=stride, pad_top=pad, row_step=step, groups=draw(st.integers(1, 2)),
    )  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    nests(),
    st.integers(1, 12),
    st.integers(1, 6),
    st.integers(1, 6),
    st.sampled_from(ORDERS),
    st.sampled_from(HALOS),
)
def test_closed_forms_equal_the_walk(nest, rows, n, k, order, halo):
    tiling = Tiling(min(rows, nest.rows), min(n, nest.out_channels), min(k, nest.in_channels), order)
    walked, largest = walk(nest, tiling, halo)
    assert replace(dram_traffic(nest, tiling, halo), in_passes=1) == walked
    claimed = tile_bits(nest, tiling, halo)
    assert all(largest[tensor] <= claimed[tensor] for tensor in largest)


@settings(max_examples=80, deadline=None)
@given(nests(), st.integers(40, 4000), st.integers(0, 2000), st.sampled_from(HALOS))
def test_more_buffer_never_moves_more_bits(nest, bits, more, halo):
    shared = ("in", "weight", "out")
    small = best_tiling(nest, Capacity((bits,), (shared,)), halo)
    large = best_tiling(nest, Capacity((bits + more,), (shared,)), halo)
    if small is not None:
        assert large is not None and large[1].total_bits <= small[1].total_bits


@settings(max_examples=80, deadline=None)
@given(nests(), st.integers(40, 4000))
def test_the_chosen_tiling_fits_and_no_other_of_its_space_moves_fewer_bits(nest, bits):
    capacity = Capacity((bits, bits, bits), (("in",), ("weight",), ("out",)))
    found = best_tiling(nest, capacity)
    every = [dram_traffic(nest, tiling).total_bits for tiling in tilings(nest, capacity)]
    assert (found is None) == (not every)
    if found:
        assert fits(nest, found[0], capacity)
        assert found[1].total_bits == min(every)


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 30), st.integers(1, 8), st.integers(1, 8), st.integers(20, 900))
def test_as_few_row_tiles_as_fit_is_best_for_a_pointwise_layer(rows, channels, outputs, bits):
    """Against every row count and every channel count, not only those of the search's space."""
    nest = Nest(rows, rows, channels, outputs, 8, 8, 8, 32)
    capacity = Capacity((bits, 2000), (("in", "out"), ("weight",)))
    found = best_tiling(nest, capacity)
    for n, k, order in product(splits(outputs), splits(channels), ORDERS):
        for tile in range(1, rows + 1):
            tiling = Tiling(tile, n, k, order)
            if fits(nest, tiling, capacity):
                assert found is not None
                assert found[1].total_bits <= dram_traffic(nest, tiling).total_bits


@pytest.mark.parametrize("halo", HALOS)
def test_everything_on_chip_moves_every_bit_once(halo):
    nest = Nest(8, 8, 4, 6, 64, 72, 64, 256, row_span=3, pad_top=1)
    _, traffic = best_tiling(nest, Capacity((10**6,), (("in", "weight", "out"),)), halo)
    assert traffic == DramTraffic(8 * 4 * 64, 4 * 6 * 72, 8 * 6 * 64)


def test_an_input_compressed_on_the_way_in_pays_for_each_pass_as_stated():
    """Three passes (n outermost, three tiles): first + 2 again, and what is spilled once."""
    nest = Nest(4, 4, 2, 3, 8, 8, 8, 32, in_sweep_bits=InSweep(1000, 10, 7))
    traffic = dram_traffic(nest, Tiling(2, 1, 2, "nmk"))
    assert (traffic.in_read_bits, traffic.in_write_bits, traffic.in_passes) == (1020, 7, 3)
    once = dram_traffic(nest, Tiling(4, 3, 2, "nmk"))
    assert (once.in_read_bits, once.in_write_bits, once.in_passes) == (1000, 0, 1)


def waiting_rows(nest: Nest, tiling: Tiling) -> int:
    """The most rows (of one channel each) that lie on chip at once where halo rows are kept.

    A row lies there from its one fetch until the last tile that reads it. The output channels, in one
    tile here, do not enter.
    """
    starts = product(range(0, nest.rows, tiling.rows), range(0, nest.in_channels, tiling.in_channels))
    rows_outside = tiling.order.index("m") < tiling.order.index("k")
    tiles: list[set] = []
    for row, channel in sorted(starts, key=lambda at: at if rows_outside else at[::-1]):
        low, high = input_rows(nest, row, min(row + tiling.rows, nest.rows))
        channels = range(channel, min(channel + tiling.in_channels, nest.in_channels))
        tiles.append(set(product(range(low, high), channels)))
    uses = {one: [t for t, tile in enumerate(tiles) if one in tile] for one in set().union(*tiles)}
    return max(sum(used[0] <= t <= used[-1] for used in uses.values()) for t in range(len(tiles)))


@settings(max_examples=300, deadline=None)
@given(nests(), st.integers(1, 6), st.integers(1, 6), st.sampled_from(["mkn", "kmn"]))
def test_rows_that_wait_for_the_next_tile_have_their_room(nest, rows, k, order):
    tiling = Tiling(min(rows, nest.rows), nest.out_channels, min(k, nest.in_channels), order)
    assert waiting_rows(nest, tiling) * nest.in_row_bits <= tile_bits(nest, tiling, "keep")["in"]


def test_rows_that_wait_by_hand():
    """3x3 in tiles of 2 rows, 4 channels one by one: 4 rows of one channel, 2 of each other one wait."""
    nest = Nest(8, 8, 4, 1, 1, 1, 1, 4, row_span=3, pad_top=1)
    assert waiting_rows(nest, Tiling(2, 1, 1, "mkn")) == tile_bits(nest, Tiling(2, 1, 1, "mkn"), "keep")["in"]
    assert tile_bits(nest, Tiling(2, 1, 1, "mkn"), "keep")["in"] == 4 + 3 * 2
    assert tile_bits(nest, Tiling(2, 1, 1, "kmn"), "keep")["in"] == 4


def test_of_equal_tilings_the_one_with_fewer_passes_over_the_input_is_taken():
    """Room for one sum: the weights (4 bits) four times, or the input (12 bits) twice; 28 bits either way."""
    nest = Nest(4, 4, 1, 2, in_row_bits=3, pair_bits=2, out_row_bits=4, partial_row_bits=4)
    tiling, traffic = best_tiling(nest, Capacity((1000, 4), (("in", "weight"), ("out",))))
    assert (traffic.in_passes, traffic.in_read_bits, traffic.weight_read_bits) == (1, 12, 16)
    other = dram_traffic(nest, replace(tiling, order="nkm"))
    assert (other.in_passes, other.in_read_bits, other.weight_read_bits) == (2, 24, 4)
    assert other.total_bits == traffic.total_bits


def test_halo_rows_by_hand():
    """8 rows of a 3x3 layer in 4 tiles of 2: 3 + 4 + 4 + 3 rows fetched, or each of 8 once when kept."""
    nest = Nest(8, 8, 1, 1, 1, 1, 1, 4, row_span=3, pad_top=1)
    tiling = Tiling(2, 1, 1, "mnk")
    assert dram_traffic(nest, tiling, "refetch").in_read_bits == 14
    assert dram_traffic(nest, tiling, "keep").in_read_bits == 8


@settings(max_examples=150, deadline=None)
@given(
    st.integers(1, 30), st.integers(1, 9), st.integers(1, 9), st.integers(20, 4000),
    st.none() | st.builds(InSweep, st.integers(0, 500), st.integers(0, 500), st.integers(0, 500)),
)  # fmt: skip
def test_the_search_that_stops_early_finds_what_the_whole_search_finds(rows, channels, outputs, bits, sweep):
    nest = Nest(rows, rows, channels, outputs, 8, 8, 16, 32, in_sweep_bits=sweep)
    capacity = Capacity((bits,), (("in", "weight", "out"),))
    every = [(tiling, dram_traffic(nest, tiling)) for tiling in tilings(nest, capacity)]
    ranked = min(every, key=lambda one: (one[1].total_bits, one[1].in_passes, one[1].weight_read_bits),
                 default=None)  # fmt: skip
    assert best_tiling(nest, capacity) == ranked
