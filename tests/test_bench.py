"""The benchmarks measure what they say; no test depends on how long anything takes."""

import builtins
import math
from fractions import Fraction

import numpy as np
import pytest
from bench_layers import network, random_weights
from click.testing import CliRunner

from wccsim.bench import peers, stack, timing
from wccsim.bench.bandwidth import Bandwidth, measure_bandwidth
from wccsim.bench.inputs import calibrate, job, natural_map
from wccsim.bench.layers import Measured as MeasuredLayer
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
from wccsim.bench.memory import peak_of
from wccsim.bench.probes import Far, Move, Part, Probe
from wccsim.bench.roofline import roofline_plot
from wccsim.bench.stack_text import stack_text
from wccsim.bench.stages import MEASURED, StageCost, path_of, probes
from wccsim.bench.text import summary_lines
from wccsim.bench.timing import Times, geometric_mean, interleaved
from wccsim.cli import main
from wccsim.datapath import plain
from wccsim.datapath.engine import PATHS, choose
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters

SMALL = WccParameters(bias=True)


def small_job(**fields):
    return job("small", (12, 40, 48), 8, WccParameters(bias=True, **fields), seed=1)


def test_interleaved_takes_turns(monkeypatch):
    monkeypatch.setattr(timing, "BURST_SECONDS", 0.0)
    calls = []
    contenders = {name: (lambda name=name: calls.append(name)) for name in "abs"}
    times = interleaved(contenders, rounds=3, burst=2, slow=["s"])
    assert "".join(calls) == "aaabbbss" + "aaabbb" + "aaabbbss"
    assert [len(times[name].seconds) for name in "abs"] == [6, 6, 2]


def test_short_calls_are_taken_more_often():
    """As many as fit a burst, and no more than its most."""
    times = interleaved({"short": lambda: None}, rounds=2, burst=2)
    assert len(times["short"].seconds) == 2 * timing.BURST_MOST


def test_geometric_mean_of_reciprocals_is_one():
    assert math.isclose(geometric_mean([4.0, 0.25, 10.0, 0.1]), 1.0)


def test_natural_maps_have_a_falling_spectrum():
    x = natural_map(3, 128, 128, np.random.default_rng(0)).astype(float)
    power = np.abs(np.fft.rfft(x - x.mean(axis=2, keepdims=True), axis=2)).mean(axis=(0, 1))
    assert power[1:5].mean() > 4 * power[20:60].mean() > 4 * power[60:].mean() / 2


def test_jobs_use_the_whole_output_range_and_clip_little():
    one = small_job()
    out = np.empty((8, 40, 48), np.int8)
    choose(one.plan, False, "plain").run(one.plan, one.x, out, False, None)
    assert out.min() == -128 or out.max() == 127
    assert 0 < np.mean((out == -128) | (out == 127)) < 0.2


def test_calibration_is_repeatable():
    x = natural_map(4, 32, 32, np.random.default_rng(1))
    weights = np.ones((2, 4), np.int8)
    first, second = (calibrate(x, weights, SMALL) for _ in range(2))
    assert all(
        np.array_equal(a, b) for p, q in zip(first, second, strict=True) for a, b in zip(p, q, strict=True)
    )


def test_the_published_layer_in_float_lies_near_ours():
    """The peer computes the same layer: its output correlates with the integer one."""
    pytest.importorskip("torch", reason="PyTorch (extra bench) is not installed")
    one = job("peer", (12, 40, 48), 8, WccParameters(bias=False), seed=3)
    theirs = peers.published_layer(one)().numpy()[0]
    out = np.empty((8, 40, 48), np.int8)
    choose(one.plan, False).run(one.plan, one.x, out, False, None)
    for own, their in zip(out, theirs, strict=True):  # each output channel has a scale of its own
        inside = np.abs(own) < 127
        assert (
            np.corrcoef(own[inside], their[inside])[0, 1] > 0.97
        )  # their clip is the maximum, ours cuts 1 %


def test_a_missing_peer_is_named(monkeypatch):
    real = builtins.__import__

    def refuse(name, *rest, **more):
        if name in ("torch", "onnxruntime"):
            raise ImportError(f"No module named {name!r}")
        return real(name, *rest, **more)

    monkeypatch.setattr(builtins, "__import__", refuse)
    makers, missing = peers.available(1)
    assert makers == {}
    assert [line.partition(":")[0] for line in missing] == [peers.ONNXRUNTIME, peers.PYTORCH]
    assert all("not run" in line for line in missing)


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
    from wccsim.datapath.workers import processors

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


def test_peak_memory_is_at_least_input_and_output():
    one = job("memory", (32, 256, 256), 32, SMALL, seed=0)
    peak = peak_of(one)
    if peak is None:
        pytest.skip("this system does not tell the peak of the resident memory")
    payload = one.x.nbytes + 32 * 256 * 256
    assert 0.9 * payload < peak < 3 * (payload + 32 * one.plan.kept)


def test_stack_runs_every_pointwise_layer(monkeypatch):
    monkeypatch.delenv("WCCSIM_PATH", raising=False)
    layers = stack.pointwise_layers(network())
    assert layers and all(layer.kernel == (1, 1) for layer in layers)
    outputs, channels = layers[0].out_shape.channels, layers[0].in_shape.channels
    weights = {layers[0].name: np.ones((outputs, channels), np.int8)}
    rows, count, _ = stack.run_stack(network(), SMALL, 1, 1, weights)
    first, second = next(rows), next(rows)
    assert count == len(layers)
    assert (first.job.plan.weights == 1).all()
    assert (first.given, second.given) == (True, False)
    assert first.path in PATHS
    shares = stack.stage_shares([first, second])
    assert shares[0][0] == "Haar + score"
    assert math.isclose(sum(share for _, _, share in shares), 1)
    assert sum(seconds for _, seconds, _ in shares) == pytest.approx(
        sum(cost.seconds for row in (first, second) for cost in row.stages)
    )
    text = stack_text("title", [first, second], ["weights: a file"], [], 1)
    assert "1 of 2 layers run on given weights" in text and "weights: a file" in text
    with pytest.raises(WccsimError, match="no 1x1 convolution called 'nowhere'"):
        stack.run_stack(network(), SMALL, 1, 1, {"nowhere": weights[layers[0].name]})


def test_no_stages_no_shares():
    assert stack.stage_shares([]) == []


def test_the_summary_is_the_arithmetic_of_the_rows():
    def layer(own, onnx):
        times = {"vector": Times((own, 2 * own)), f"{peers.ONNXRUNTIME} 9.9": Times((onnx,))}
        return MeasuredLayer(small_job(), times, None, 0)

    lines = summary_lines([layer(1.0, 0.5), layer(1.0, 8.0)])
    assert len(lines) == 1
    assert lines[0].startswith("vector, geometric mean by best call: 2.00 times ONNX Runtime dense u8s8,")
    assert lines[0].endswith("slowest layer 12->8@40x48 at 0.50, 1 of 2 layers slower than it")
    missing = MeasuredLayer(small_job(), {"portable": Times((1.0,))}, None, 0)
    assert summary_lines([missing]) == []
    assert summary_lines([missing, layer(1.0, 2.0)]) == []


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stack", "mobilenetv2", "--input", "224"], "HEIGHTxWIDTH"),
        (["stack", "nowhere"], "nowhere"),
        (["layers", "--keep", "0"], "0 < keep <= 1"),
        (["layers", "--threads", "0"], "allowed: 1 to"),
        (["limits", "--levels", "9"], "--levels is 9; allowed: 1 to 5"),
        (["layers", "--levels", "0"], "--levels is 0; allowed: 1 to 5"),
        (["limits", "--levels", "5"], "coefficients have 18 bits"),
        (["limits", "--path", "plain"], "--path is 'plain'; allowed: matrix, vector, portable"),
        (["stack", "mobilenetv2", "--weights", "missing.npz"], "missing.npz"),
        (["limits", "--plot", "roofline.bmp"], "allowed: .png, .svg, .pdf"),
        (["scaling", "--plot", "nowhere/scaling.png"], "the folder nowhere does not exist"),
    ],
)
def test_a_users_mistake_is_one_line(arguments, says):
    result = CliRunner(env={"WCCSIM_PATH": None}).invoke(main, ["bench", *arguments])
    assert result.exit_code == 2
    assert says in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_the_commands_run_on_small_layers(monkeypatch, tmp_path):
    monkeypatch.setattr("wccsim.bench.layers.LAYERS", ((4, 6, 16, 64),))
    picture, weights = tmp_path / "roofline.png", tmp_path / "weights.npz"
    layers = stack.pointwise_layers(network())
    np.savez(weights, only=random_weights(layers[2], 0))

    def output(*arguments):
        result = CliRunner(env={"WCCSIM_PATH": None}).invoke(main, ["bench", *arguments])
        assert result.exit_code == 0, result.output
        return result.output

    limits = output("limits", "--path", "portable", "--rounds", "1", "--plot", str(picture))
    assert "4->6@16x64" in limits and "bounds" in limits
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert "4->6@16x64" in output("layers", "--no-peers", "--rounds", "1")
    command = ("stack", "mobilenetv2", "--input", "32x32", "--rounds", "1", "--weights", str(weights))
    found = output(*command)
    assert f"weights: {weights}, 1 of its 1 1x1 matrices" in found
    assert f"1 of {len(layers)} layers run on given weights" in found
