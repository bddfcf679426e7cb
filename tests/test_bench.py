"""The benchmarks measure what they say; no test depends on how long anything takes."""

import builtins
import math

import numpy as np
import pytest
from bench_layers import SMALL, network, random_weights, small_job
from click.testing import CliRunner

from wccsim.bench import peers, stack, timing
from wccsim.bench.inputs import calibrate, job, natural_map
from wccsim.bench.layers import Measured as MeasuredLayer
from wccsim.bench.memory import peak_of
from wccsim.bench.stack_text import stack_text
from wccsim.bench.text import summary_lines
from wccsim.bench.timing import Times, geometric_mean, interleaved
from wccsim.cli import main
from wccsim.datapath.engine import PATHS, choose
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters


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
