"""Each stage is measured as it runs, under the bounds of the plan; what is above them is explained."""

import math
from fractions import Fraction

import numpy as np
import pytest
from bench_layers import SMALL, small_job

from wccsim.bench.bandwidth import Bandwidth, measure_bandwidth
from wccsim.bench.inputs import job
from wccsim.bench.limits import (
    EXCESS,
    TOLD,
    Measured,
    account,
    best_measured,
    limit_of,
    measure,
    peak_rates,
    reason,
)
from wccsim.bench.limits_text import limits_text
from wccsim.bench.probes import Far, Move, Part, Probe
from wccsim.bench.roofline import roofline_plot
from wccsim.bench.stages import MEASURED, StageCost, path_of, probes
from wccsim.datapath import plain
from wccsim.datapath.engine import PATHS, choose
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters


def covered(path, shape=(12, 40, 48), outputs=8, **fields):
    """A small layer that the path runs; skipped, with the reason, where this machine has no such path."""
    one = job("small", shape, outputs, WccParameters(bias=True, **fields), seed=1)
    choice = choose(one.plan, False, path)
    if choice.name != path:
        pytest.skip(choice.reason)
    return one


@pytest.mark.parametrize("path", MEASURED)
@pytest.mark.parametrize("shape", [(12, 40, 48), (33, 41, 83)])
def test_operations_and_bytes_of_a_stage_are_those_of_the_plan(path, shape):
    one = covered(path, shape, 21)
    found = {probe.name: probe for probe in probes(one, path, 1)}
    plan, n = one.plan, one.plan.positions
    c, o, k, pixels = plan.channels, plan.out_channels, plan.kept, plan.height * plan.width
    assert n == -(-shape[1] // 8) * -(-shape[2] // 8) * 64
    score, gather = found["Haar + score"], found["Haar + gather + R1"]
    product, inverse = found["MAC + R2"], found["zero-fill + inverse + R3"]
    assert (score.ops, score.kind, score.bytes) == (c * n, "squares", c * pixels + 8 * n)
    assert (gather.ops, gather.moves[0].bytes) == (c * n, c * pixels)
    assert (product.ops, product.kind) == (c * o * k, "MACs")
    assert (inverse.ops, inverse.moves[1].bytes) == (o * n, o * pixels)
    rest = [probe.bytes for name, probe in found.items() if "selection" in name or "marks" in name]
    assert sum(rest) == (16 + 9) * n  # scores read for the threshold and for the marks, marks written
    # q is one byte in the vector path and two in the portable one, whole blocks of four and two channels
    word, block = (2, 2) if path == "portable" else (1, 4)
    assert gather.moves[1].bytes >= word * -(-c // block) * block * k
    assert gather.moves[1].bytes % (word * -(-c // block) * block * 32) == 0
    assert product.moves[0].writes is False and product.moves[1].writes is True
    assert product.moves[1].bytes >= (2 if path == "portable" else 4) * o * k


@pytest.mark.parametrize("path", MEASURED)
@pytest.mark.parametrize("threads", [1, 2])
def test_the_stages_compute_what_the_layer_computes(path, threads):
    from wccsim.processors import processors

    if threads > processors():
        pytest.skip("one processor only")
    one = covered(path, (13, 43, 83), 40)
    out = np.empty((40, 43, 83), np.int8)
    wanted = plain.run(one.plan, one.x, out, False)
    if path == "portable":
        from wccsim.bench import portable_stages

        b = portable_stages.bench_of(one, threads)
    else:
        from importlib import import_module

        from wccsim.bench import vector_stages

        b = vector_stages.bench_of(one, import_module(PATHS[path]).KERNELS, threads)
    assert np.array_equal(b.energy, wanted.energy)
    assert np.array_equal(b.kept.astype(bool), wanted.kept)
    counts = b.counts if path == "portable" else b.counts[:, 0]
    assert counts.sum() == one.plan.kept
    before = b.room.scores.copy()
    b.room.scores[:] = 0
    score, histogram = next((p, p.parts[1]) for p in probes_of(b) if p.name == "Haar + score")
    score.run(2)
    assert np.array_equal(b.room.scores, before)
    for bins in b.room.scratch["bins"]:
        bins[:] = 0
    histogram.call(3)
    assert sum(int(bins.sum()) for bins in b.room.scratch["bins"]) == 3 * one.plan.positions


def probes_of(b):
    """The probes of a bench already laid out."""
    from wccsim.bench import portable_stages, vector_stages

    module = portable_stages if isinstance(b, portable_stages.Bench) else vector_stages
    return [module._score(b)]


@pytest.mark.parametrize("path", MEASURED)
def test_every_call_of_a_probe_runs(path):
    for probe in probes(covered(path), path, 1):
        calls = [probe.run, probe.kernel, *(part.call for part in probe.parts)]
        for call in calls if probe.far is None else [*calls, probe.far.far, probe.far.near]:
            call(1)


@pytest.mark.parametrize("path", MEASURED)
def test_a_layer_that_keeps_one_position_has_finite_bounds(path):
    found = measure(covered(path, keep=Fraction(1, 40 * 48)), path, 1, 1)
    for row in (limit_of(one, peak_rates(found), FLAT) for one in found):
        assert 0 < row.compute_s < math.inf and 0 < row.memory_s < math.inf and 0 < row.share < math.inf


def test_a_stage_that_no_fast_path_runs_is_refused(monkeypatch):
    monkeypatch.delenv("WCCSIM_PATH", raising=False)
    one = job("deep", (4, 64, 64), 4, WccParameters(bias=True, levels=5), seed=1)
    with pytest.raises(WccsimError, match="coefficients have 18 bits"):
        path_of(one)
    with pytest.raises(WccsimError, match="coefficients have 18 bits"):
        probes(one, "portable", 1)


def made(path="portable", **fields):
    """One measured stage of 10**6 operations that took a second, as a test wants it."""

    def call(times):
        return None

    values = {"seconds": 1.0, "kernel": 0.5, "far": 0.0, "parts": (), "moves": (Move(100, 100),)} | fields
    parts = tuple(Part(text, call, inside) for text, _, inside in values["parts"])
    far = Far("what is far", call, call) if values["far"] else None
    probe = Probe("stage", path, "things", 10**6, values["moves"], call, call, "its shape", far, parts)
    stage = StageCost("stage", values["seconds"], 10**6, "things", values["moves"])
    taken = tuple(zip(parts, (seconds for _, seconds, _ in values["parts"]), strict=True))
    return Measured("layer", path, probe, stage, values["kernel"], values["far"], taken)


FLAT = Bandwidth({1 << 20: 1e9}, {1 << 20: 1e9})


def test_the_peak_is_the_best_rate_of_a_path_and_stage():
    rates = peak_rates([made(kernel=0.5), made(kernel=0.2), made("vector", kernel=0.1)])
    assert rates == {("portable", "stage"): 5e6, ("vector", "stage"): 1e7}
    assert limit_of(made(kernel=0.5), rates, FLAT).compute_s == 0.2


def test_a_bound_is_the_greater_of_memory_and_compute():
    one = made(kernel=0.25, moves=(Move(10**9 // 2, 100),))
    rates = peak_rates([one])
    near, far = limit_of(one, rates, FLAT), limit_of(one, rates, Bandwidth({1: 1e8}, {1: 1e8}))
    assert (near.bound, near.memory_s, near.share) == ("memory", 0.5, 2.0)
    assert (far.bound, far.memory_s, far.share) == ("memory", 5.0, 0.2)
    assert limit_of(made(kernel=0.25), rates, FLAT).bound == "compute"


def test_a_move_takes_the_rate_of_the_least_area_that_holds_it():
    bandwidth = Bandwidth({10: 4.0, 100: 2.0}, {10: 1.0, 100: 0.5})
    assert bandwidth.seconds((Move(8, 10),)) == 2.0
    assert bandwidth.seconds((Move(8, 11),)) == bandwidth.seconds((Move(8, 10**6),)) == 4.0
    assert bandwidth.seconds((Move(8, 5), Move(8, 5, writes=True))) == 10.0


def test_bandwidth_is_measured_for_every_area():
    found = measure_bandwidth(1, areas=(1 << 12, 1 << 16), rounds=1)
    assert list(found.read) == list(found.write) == [1 << 12, 1 << 16]
    assert all(rate > 0 for rates in (found.read, found.write) for rate in rates.values())


def test_the_account_of_a_stage_adds_up():
    parts = (("flush", 0.2, False), ("inside", 0.1, True))
    one = made(kernel=0.5, far=0.15, parts=parts)
    limit = limit_of(one, {("portable", "stage"): 4e6}, FLAT)
    found = dict(account(limit))
    assert found == pytest.approx(
        {
            "flush": 0.2,
            "the loss to its shape": 0.15,
            "what is far": 0.15,
            "inside": 0.1,
            "what no part measured alone explains": 0.15,
        }
    )
    assert sum(found.values()) + limit.compute_s / limit.stage.seconds == pytest.approx(1)


def test_a_stage_far_from_its_bound_is_explained_by_its_parts_the_greatest_first():
    rates = {("portable", "stage"): 2e6}
    parts = (("flush", 0.1, False), ("histogram", 0.3, False), ("small", TOLD / 2, False))
    text = reason(limit_of(made(parts=parts), rates, FLAT))
    assert text.startswith(
        "layer, stage, 2.00 times its compute bound: of its time 30% histogram; 10% flush;"
    )
    assert "small" not in text and "\n" not in text
    assert text.endswith("50% the things themselves at the kernel's best rate.")
    assert reason(limit_of(made(seconds=0.5 * EXCESS), rates, FLAT)) is None


def test_limits_of_a_layer_as_table_and_plot(tmp_path):
    one = small_job()
    found = measure(one, path_of(one, "portable"), 1, 1)
    best = best_measured(found, SMALL, 1, 1)
    rates = peak_rates(found + best)
    rows = [limit_of(stage, rates, FLAT) for stage in found]
    assert all(row.compute_s <= row.measured.kernel_s * (1 + 1e-12) for row in rows)
    text = limits_text(rows, {one.label: 2.0}, rates, FLAT, 1)
    bounds = sum(max(row.memory_s, row.compute_s) for row in rows)
    assert f"{2 / bounds:.2f}" in text and "2000.00" in text
    assert all(row.stage.name in text for row in rows)
    assert max(map(len, text.partition("stages take more")[0].splitlines()[:-1])) <= 100
    picture = tmp_path / "roofline.png"
    roofline_plot([*rows, limit_of(made(), rates | {("portable", "stage"): 1e6}, FLAT)],
                  rates | {("portable", "stage"): 1e6}, FLAT, picture)  # fmt: skip
    assert picture.read_bytes().startswith(b"\x89PNG")
