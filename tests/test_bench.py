"""The benchmarks measure what they say; no test depends on how long anything takes."""

import builtins
import math

import numpy as np
import pytest
from click.testing import CliRunner

from wccsim.bench import peers, stack
from wccsim.bench.inputs import calibrate, job, natural_map
from wccsim.bench.limits import Peaks, limits, roofline_plot
from wccsim.bench.memory import peak_of
from wccsim.bench.stages import StageCost, stage_costs
from wccsim.bench.timing import geometric_mean, interleaved
from wccsim.cli import main
from wccsim.datapath.engine import PATHS, choose
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters

LOOPS = ("butterflies", "squares", "requantised", "gathered", "expanded", "pixels", "MACs")
SMALL = WccParameters(bias=True)


def small_job(**fields):
    return job("small", (12, 40, 48), 8, WccParameters(bias=True, **fields), seed=1)


def test_interleaved_takes_turns():
    calls = []
    contenders = {name: (lambda name=name: calls.append(name)) for name in "abs"}
    times = interleaved(contenders, rounds=3, burst=2, slow=["s"])
    assert "".join(calls) == "aaabbbss" + "aaabbb" + "aaabbbss"
    assert [len(times[name].seconds) for name in "abs"] == [6, 6, 2]


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


def test_stages_cover_the_layer_and_the_limits_divide_it(tmp_path):
    costs = stage_costs(small_job(), repeats=1)
    macs = next(cost for cost in costs if cost.kind == "MACs")
    assert macs.ops == 12 * 8 * (40 * 48 // 4)
    rates = dict.fromkeys(LOOPS, 1e9)
    found = limits(costs, Peaks(1e9, 1e9, rates), channels=12)
    assert [limit.stage for limit in found] == costs
    assert math.isclose(found[3].compute_s, macs.ops / 1e9 * (1 + 1 / 12))
    picture = tmp_path / "roofline.png"
    roofline_plot([("small", limit) for limit in found], Peaks(1e9, 1e9, rates), picture)
    assert picture.read_bytes().startswith(b"\x89PNG")


def test_a_bound_is_the_greater_of_memory_and_compute():
    costs = stage_costs(small_job(), repeats=1)
    slow_memory = Peaks(1.0, 1.0, dict.fromkeys(LOOPS, 1e12))
    found = limits(costs, slow_memory, channels=12)
    assert {limit.bound for limit in found} == {"memory"}
    assert all(isinstance(limit.stage, StageCost) for limit in found)


def test_peak_memory_is_at_least_input_and_output():
    one = job("memory", (32, 256, 256), 32, SMALL, seed=0)
    peak = peak_of(one)
    if peak is None:
        pytest.skip("this system does not tell the peak of the resident memory")
    payload = one.x.nbytes + 32 * 256 * 256
    assert 0.9 * payload < peak < 3 * (payload + 32 * one.plan.kept)


def test_stack_runs_every_pointwise_layer():
    from wccsim.network.catalog import load_network

    network = load_network("mobilenetv2", input_size=(32, 32))
    layers = stack.pointwise_layers(network)
    assert layers and all(layer.kernel == (1, 1) for layer in layers)
    outputs, channels = layers[0].out_shape.channels, layers[0].in_shape.channels
    weights = {layers[0].name: np.ones((outputs, channels), np.int8)}
    rows, count, _ = stack.run_stack(network, SMALL, 1, 1, weights, stages=False)
    first = next(rows)
    assert count == len(layers)
    assert (first.job.plan.weights == 1).all()
    assert first.path in PATHS
    with pytest.raises(WccsimError, match="no 1x1 convolution called 'nowhere'"):
        stack.run_stack(network, SMALL, 1, 1, {"nowhere": weights[layers[0].name]})


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (["stack", "mobilenetv2", "--input", "224"], "HEIGHTxWIDTH"),
        (["stack", "nowhere"], "nowhere"),
        (["layers", "--keep", "0"], "0 < keep <= 1"),
        (["layers", "--threads", "0"], "allowed: 1 to"),
        (["limits", "--levels", "9"], "1 to 5"),
        (["stack", "mobilenetv2", "--weights", "missing.npz"], "missing.npz"),
        (["limits", "--plot", "roofline.bmp"], "written as .png, .svg, .pdf"),
        (["scaling", "--plot", "nowhere/scaling.png"], "no folder nowhere"),
    ],
)
def test_a_users_mistake_is_one_line(arguments, says):
    result = CliRunner().invoke(main, ["bench", *arguments])
    assert result.exit_code == 2
    assert says in result.output
    assert len(result.output.strip().splitlines()) == 1
