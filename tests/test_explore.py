"""Sweeps equal the scalar model, in any order, anywhere, interrupted or not."""

import itertools
import math
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.cost.network import network_cost
from wccsim.cost.options import CostOptions
from wccsim.counting.options import configured
from wccsim.counting.run import count
from wccsim.errors import WccsimError
from wccsim.explore import sweep as sweep_module
from wccsim.explore.cluster import dask_executor, local_executor
from wccsim.explore.distortion import Curve, Distortion, _curve, effective_bits, read_curves
from wccsim.explore.grid import Grid, parse_integers, parse_keeps
from wccsim.explore.price import Job, price_part
from wccsim.explore.sweep import jobs_of, pareto_front, sweep
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import load_energy
from wccsim.network.catalog import load_network
from wccsim.network.model import Layer, Shape

NETWORK = load_network("mobilenetv3_small")
MACHINE, TABLE = load_accelerator("edge_npu_wcc"), load_energy("lpddr4")
SMALL = replace(MACHINE, buffers=tuple(replace(b, size_bytes=b.size_bytes // 512) for b in MACHINE.buffers))
GRID = Grid((None, Fraction(1), Fraction(1, 4)), act_bits=(4, 8), weight_bits=(8,), levels=(1, 3))


def job(options: CostOptions | None = None, distortion: Distortion | None = None) -> Job:
    return Job(NETWORK, MACHINE, TABLE, options or CostOptions(), distortion or Distortion(), ())


@pytest.fixture(scope="module")
def plain():
    return sweep(job(), GRID)


def same(one, other) -> None:
    assert one.settings == other.settings
    for name in one.totals:
        assert one.totals[name].tolist() == other.totals[name].tolist()


def assert_equal_to_network_cost(one: Job, grid: Grid) -> None:
    """Every layer-point of the sweep is that layer of `wccsim cost` under the same options."""
    for part in (price_part(piece) for piece in jobs_of(one, grid)):
        for row, s in enumerate(part.settings):
            widths = {"weight_bits": s.weight_bits, "act_bits": s.act_bits, "levels": s.levels}
            network = configured(one.network, keep=s.keep, **widths)
            cost = network_cost(network, one.accelerator, one.table, one.options)
            assert part.layers == tuple(c.layer.name for c in cost.layers)
            found = {name: part.table(name)[row].tolist() for name in part.values}
            assert found["macs"] == [c.macs for c in cost.layers]
            assert found["cycles"] == [c.latency.total for c in cost.layers]
            assert found["dram_bits"] == [c.dram_bits for c in cost.layers]
            assert found["energy_pj"] == pytest.approx([c.energy_pj for c in cost.layers], rel=1e-11)


RESIDUAL = """
name: residual
input: 3x40x24
defaults: {padding: symmetric}
layers:
  - {conv: stem, out: 24, kernel: 3}
  - {conv: expand, out: 96}
  - {depthwise: spatial, kernel: 3}
  - {conv: project, out: 24, bias: true}
  - {add: sum, from: [stem, project]}
  - {conv: next, out: 80}
  - {conv: last, out: 40}
  - {conv: strided, out: 16, kernel: 3, stride: 2}
  - {global_average_pool: mean}
  - {fully_connected: classes, out: 10}
"""


@pytest.fixture(scope="module")
def residual(tmp_path_factory):
    path = tmp_path_factory.mktemp("network") / "residual.yaml"
    path.write_text(RESIDUAL)
    return load_network(path)


POLICIES = {
    "compress": ("none", "consumer", "producer"),
    "halo": ("refetch", "keep"),
    "fuse": (False, True),
    "index": ("bitmap", "list"),
    "selection": ("exact", "binned:2"),
    "compute": ("table", "gates"),
}


@pytest.mark.parametrize("values", list(itertools.product(*POLICIES.values())))
def test_a_sweep_equals_the_cost_under_every_combination_of_options(values, residual):
    """On an inverted residual with a shortcut, and buffers so small that most of the spills happen."""
    options = CostOptions(**dict(zip(POLICIES, values, strict=True)))
    grid = Grid((None, Fraction(1), Fraction(1, 4)), act_bits=(6,), weight_bits=(8,), levels=(1, 3))
    for machine in (MACHINE, SMALL):
        assert_equal_to_network_cost(Job(residual, machine, TABLE, options, Distortion(), ()), grid)


def test_those_buffers_are_small_enough(residual):
    network = residual.configured(keep=Fraction(1, 4))
    notes = {note for layer in network_cost(network, SMALL, TABLE).layers for note in layer.notes}
    assert {n.partition(":")[0] for n in notes} >= {"coefficients do not fit", "scores do not fit"}
    made = network_cost(network, MACHINE, TABLE, CostOptions(compress="producer", fuse=True))
    notes = {note for layer in made.layers for note in layer.notes}
    assert {"fused with the layer before", "output crosses as kept words"} <= notes


@pytest.mark.parametrize("options", [{}, {"compress": "producer", "fuse": True, "compute": "gates"}])
def test_a_sweep_equals_the_cost_of_a_shipped_network(options):
    assert_equal_to_network_cost(job(CostOptions(**options)), GRID)


def test_the_totals_are_the_sums_of_the_points(plain):
    assert len(plain.settings) == len(GRID)
    parts = [price_part(one) for one in jobs_of(job(), GRID)]
    for name, totals in plain.totals.items():
        assert totals.tolist() == np.concatenate([part.totals()[name] for part in parts]).tolist()
        for part in parts:
            sums = [math.fsum(row) for row in part.table(name).tolist()]
            assert part.totals()[name].tolist() == pytest.approx(sums, rel=1e-12)


def test_bops_are_those_of_the_count():
    swept = sweep(job(), Grid((Fraction(1, 4),)))
    counted = count(NETWORK, keep="25%")
    assert swept.totals["bops"][0] == sum(c.bops for c in counted.counts)


def test_executors_give_the_same(plain):
    with ThreadPoolExecutor(2) as threads:
        same(sweep(job(), GRID, threads), plain)
    with local_executor(2) as processes:
        same(sweep(job(), GRID, processes), plain)


def test_the_order_in_which_parts_finish_does_not_matter(plain, monkeypatch):
    monkeypatch.setattr(sweep_module, "as_completed", lambda futures: reversed(list(futures)))
    with ThreadPoolExecutor(2) as threads:
        same(sweep(job(), GRID, threads), plain)


def test_a_dask_cluster_gives_the_same(plain):
    distributed = pytest.importorskip("distributed")
    with (
        distributed.LocalCluster(
            n_workers=2, threads_per_worker=1, processes=True, dashboard_address=None, host="127.0.0.1"
        ) as cluster,
        dask_executor(cluster.scheduler_address) as executor,
    ):
        same(sweep(job(), GRID, executor), plain)


def test_a_cluster_that_is_not_there_is_said_in_one_line():
    pytest.importorskip("distributed")
    for address in ("tcp://127.0.0.1:1", "127.0.0.1:99999", "nonsense", ""):
        with pytest.raises(WccsimError, match="dask"), dask_executor(address, timeout_s=1):
            pass


def test_an_interrupted_sweep_goes_on_where_it_stopped(plain, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    real, priced = sweep_module.price_part, []

    def failing(one):
        if priced:
            raise KeyboardInterrupt
        priced.append(one)
        return real(one)

    monkeypatch.setattr(sweep_module, "price_part", failing)
    with pytest.raises(KeyboardInterrupt):
        sweep(job(), GRID, parts=tmp_path)
    assert len(list(tmp_path.glob("part-*.parquet"))) == 1
    again = []
    monkeypatch.setattr(sweep_module, "price_part", lambda one: again.append(one) or real(one))
    same(sweep(job(), GRID, parts=tmp_path), plain)
    assert len(again) == len(jobs_of(job(), GRID)) - 1


def test_a_damaged_or_foreign_part_is_priced_again(plain, tmp_path):
    pytest.importorskip("pyarrow")
    sweep(job(), GRID, parts=tmp_path)
    for path in tmp_path.glob("part-*.parquet"):
        path.write_bytes(path.read_bytes()[:100])
    same(sweep(job(), GRID, parts=tmp_path), plain)
    other = sweep(job(CostOptions(index="list")), GRID, parts=tmp_path)
    assert (
        other.totals["dram_bits"].tolist()
        == sweep(job(CostOptions(index="list")), GRID).totals["dram_bits"].tolist()
    )


def test_parts_hold_every_layer_point(tmp_path):
    parquet = pytest.importorskip("pyarrow.parquet")
    swept = sweep(job(), GRID, parts=tmp_path)
    tables = [parquet.read_table(path) for path in tmp_path.glob("*.parquet")]
    assert sum(table.num_rows for table in tables) == swept.layer_points
    assert sum(table["cycles"].to_numpy().sum() for table in tables) == swept.totals["cycles"].sum()


@settings(max_examples=80, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 9), st.integers(0, 9)), min_size=1, max_size=30))
def test_the_front_is_what_nothing_beats(points):
    first, second = np.array(points, dtype=float).T
    front = pareto_front(first, second)
    for index, (a, b) in enumerate(points):
        beaten = any(c <= a and d <= b and (c, d) != (a, b) for c, d in points)
        assert front[index] == (not beaten)


CSV = """map,channels,height,width,codec,bits_per_value,mse,snr_db
a.conv,16,8,8,wcc,2,100,10
a.conv,16,8,8,wcc,4,10,20
a.conv,16,8,8,uniform,2,250,6.0206
a.conv,16,8,8,uniform,8,0,inf
big,16,80,80,wcc,2,1,30
big,16,80,80,uniform,2,250,6.0206
other,1,1,1,zvc,2,250,6.0206
"""


def test_curves_are_read_and_matched_by_name_then_by_shape(tmp_path):
    path = tmp_path / "c.csv"
    path.write_text(CSV)
    maps = read_curves(path)
    assert [m.name for m in maps] == ["a.conv", "big"]
    measured = Distortion(maps)
    own = Layer("conv", "conv", (), Shape(16, 64, 64), Shape(16, 64, 64))
    assert measured.of(own, None, 2, 3) == pytest.approx((250 + 1 / 12) / 1000, rel=1e-5)
    assert measured.of(own, None, 8, 3) == pytest.approx(1 / 12 / 1000, rel=1e-5)
    near = Layer("x", "conv", (), Shape(16, 72, 72), Shape(16, 72, 72))
    assert measured.of(near, Fraction(1, 4), 8, 3) == pytest.approx((1 + 1 / 12) / 1000, rel=1e-5)
    quarter = effective_bits(own, np.array([1024.0]), np.array([4096.0]), 8)
    assert quarter.tolist() == [2 + 1 / 16]
    for bad, says in (
        ("map,codec\n", "no column"),
        (CSV.replace(",10,20\n", ",ten,20\n"), "not all are numbers"),
    ):
        path.write_text(bad)
        with pytest.raises(WccsimError, match=says) as refusal:
            read_curves(path)
        assert str(refusal.value).startswith(f"{path}:")


@settings(max_examples=60, deadline=None)
@given(st.integers(1, 64), st.integers(8, 64), st.integers(3, 8), st.integers(1, 3))
def test_the_proxy_never_prefers_fewer_bits_or_fewer_kept(channels, size, bits, levels):
    layer = Layer("l", "conv", (), Shape(channels, size, size), Shape(1, size, size))
    rank = Distortion()
    by_keep = [rank.of(layer, Fraction(1, n), bits, levels) for n in (1, 2, 4, 8)]
    assert by_keep == sorted(by_keep)
    assert by_keep[0] == rank.of(layer, None, bits, levels)
    half = Fraction(1, 2)
    assert rank.of(layer, half, bits, levels) <= rank.of(layer, half, bits - 1, levels)


@given(
    st.lists(
        st.tuples(st.floats(0.5, 8), st.floats(-30, 0)), min_size=1, max_size=6, unique_by=lambda p: p[0]
    )
)
def test_a_curve_passes_through_its_points(points):
    points = sorted(points)
    curve = Curve(tuple(b for b, _ in points), tuple(n for _, n in points))
    for bits, noise in points:
        assert curve.noise(np.array([float(bits)]))[0] == pytest.approx(min(2**noise, 1.0), rel=1e-6)


def test_texts_of_the_command_line():
    assert parse_integers("4,6,8", "x") == (4, 6, 8)
    assert parse_integers("1..4,8", "x") == (1, 2, 3, 4, 8)
    assert parse_keeps("1,.5,25%,dense") == (1, Fraction(1, 2), Fraction(1, 4), None)
    assert parse_keeps("0.1..1:4") == (Fraction(1, 10), Fraction(2, 5), Fraction(7, 10), 1)
    for bad in ("", "x", "4..2", "1..99999", "4.5"):
        with pytest.raises(WccsimError):
            parse_integers(bad, "x")
    for bad in ({"act_bits": (1,)}, {"levels": (0,)}, {"weight_bits": ()}):
        with pytest.raises(WccsimError):
            Grid((Fraction(1),), **bad)


def test_a_keep_that_keeps_nothing_is_named_with_its_layer():
    with pytest.raises(WccsimError, match=r"layer .*: keep 1/1000 of its .* keeps none"):
        sweep(job(), Grid((Fraction(1, 1000),)))


def test_a_curve_is_straight_between_its_points_and_prolonged_at_both_ends() -> None:
    """log2(noise/signal) -2, -4, -12 at 1, 2, 4 bits: slope -2, then -4; never more noise than signal."""
    curve = Curve((1.0, 2.0, 4.0), (-2.0, -4.0, -12.0))
    bits = np.array([0.5, 1.0, 1.5, 2.0, 3.0, 4.0, 5.0])
    assert np.log2(curve.noise(bits)).tolist() == [-1, -2, -3, -4, -8, -12, -16]
    assert curve.noise(np.array([-5.0])).tolist() == [1.0]


def test_more_bits_never_hurt() -> None:
    """A point with more noise than one with fewer bits takes that one's."""
    curve = _curve({1.0: 3.0, 2.0: 7.0, 3.0: 1.0}, signal=16.0)
    first, second, third = curve.log2_noise
    assert first == second == math.log2((3 + 1 / 12) / 16) > third == math.log2((1 + 1 / 12) / 16)
