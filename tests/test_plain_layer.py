"""The plain layer (levels 0): the datapath without a transform is an ordinary quantised 1x1 convolution."""

import json
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from datapath_cases import assert_same, cases, finish
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.actions import ActionCounts, Stage, total
from wccsim.analytic import wcc_actions
from wccsim.arith import multiplier_and_shift
from wccsim.cli import main
from wccsim.codecs.registry import codec
from wccsim.compare.methods import FixedWidth
from wccsim.counting.count import count_network
from wccsim.counting.options import CountingOptions
from wccsim.cycles import wcc_cycles
from wccsim.datapath.engine import PATHS, choose
from wccsim.datapath.layer import simulate_layer
from wccsim.datapath.measure import stage_errors
from wccsim.datapath.wcc_layer import WCCLayer, calibrated
from wccsim.default_maps import default_map_paths
from wccsim.errors import WccsimError
from wccsim.maps import load_map
from wccsim.network.catalog import load_network
from wccsim.parameters import WccParameters
from wccsim.rtl.export import check_supported

PLAIN = dict(
    levels=0,
    keep=Fraction(1),
    haar="exact",
    score="l2",
    selection="exact",
    index="bitmap",
    per_level_shift=(),
    detail_bits=None,
)
IDENTITY = (1 << 15, 15)


def plain(**settings):
    return WccParameters(**{**PLAIN, **settings})


@settings(max_examples=100, deadline=None)
@given(case=cases(**PLAIN))
def test_the_simulator_equals_the_twin_in_every_array_and_count(case):
    result, twin = case.run(), case.twin()
    assert_same(result, twin)
    assert result.energy is None and result.kept.all() and result.index_bits == 0
    words = result.word_bits if case.parameters.words == "rice" else None
    assert result.counts == wcc_actions(
        case.parameters, case.x.shape[0], len(case.weights), *case.x.shape[1:], word_bits=words
    )


@settings(max_examples=40, deadline=None)
@given(case=cases(**PLAIN, max_channels=9))
def test_it_is_the_convolution_of_the_quantised_words(case):
    """No transform in the other computation: quantise, multiply the matrices, scale, add, scale."""
    p, result = case.parameters, case.run()
    if p.requantise_mode != "single":
        return
    flat = case.x.reshape(len(case.x), -1).astype(object)

    def scaled(words, pair, low, high):
        multiplier, shift = (np.atleast_1d(np.asarray(part, object)).reshape(-1, 1) for part in pair)
        return np.clip((words * multiplier + 2 ** (shift - 1)) // 2**shift, low, high)

    limit, y_limit = (1 << (p.act_bits - 1)) - 1, (1 << (p.wavelet_bits - 1)) - 1
    q = scaled(flat, case.r1, -limit, limit)
    y = scaled(case.weights.astype(object) @ q, case.r2, -y_limit, y_limit)
    if case.bias is not None:
        y = y + np.asarray(case.bias, object).reshape(-1, 1)
    low, high = (0 if p.relu else -128), (255 if p.out_unsigned else 127)
    np.testing.assert_array_equal(result.q, q.astype(int))
    np.testing.assert_array_equal(
        result.out.reshape(len(case.weights), -1), scaled(y, case.r3, low, high).astype(int)
    )


@settings(max_examples=30, deadline=None)
@given(
    st.integers(1, 40),
    st.integers(1, 40),
    st.integers(1, 33),
    st.integers(1, 33),
    st.integers(2, 8),
    st.integers(2, 8),
)
def test_its_counts_are_those_of_a_dense_layer(tmp_path_factory, c, o, h, w, act_bits, weight_bits):
    """MACs, BOPs and the bits of the map and the weights, by the counting of dense networks."""
    path = tmp_path_factory.mktemp("dense") / "one.yaml"
    path.write_text(
        f"name: one\ninput: {c}x{h}x{w}\n"
        f"defaults: {{weight_bits: {weight_bits}, act_bits: {act_bits}}}\n"
        f"layers:\n  - {{conv: only, out: {o}, kernel: 1}}\n"
    )
    network = load_network(str(path))
    dense = next(one for one in count_network(network, CountingOptions()) if one.layer.name == "only")
    p = plain(act_bits=act_bits, weight_bits=weight_bits)
    counts = wcc_actions(p, c, o, h, w)
    assert counts[Stage.MAC].macs == dense.macs
    assert counts[Stage.MAC].macs * act_bits * weight_bits == dense.bops
    assert (
        counts[Stage.REQUANTISE].kept_write_bits == counts[Stage.MAC].kept_read_bits == dense.traffic.in_bits
    )
    assert counts[Stage.MAC].weight_read_bits == dense.traffic.weight_bits
    for stage in (Stage.HAAR, Stage.SCORE, Stage.SELECT, Stage.BITMAP, Stage.ZERO_FILL, Stage.INVERSE):
        assert counts[stage] == ActionCounts()
    moved = total(counts)
    assert moved.index_read_bits == moved.coefficient_read_bits == moved.wavelet_read_bits == 0
    cycles = wcc_cycles(p, c, o, h, w, p_lanes=4, q_lanes=8)
    assert (cycles.haar, cycles.select, cycles.inverse) == (0, 0, 0)
    assert cycles.mac == -(-c // 4) * -(-o // 8) * h * w


def test_the_output_equals_the_qlinear_convolution_of_onnx_runtime():
    """With R2 an identity on sums that fit, one rounding is left, and an odd multiplier has no ties."""
    onnxruntime, onnx = pytest.importorskip("onnxruntime"), pytest.importorskip("onnx")
    rng = np.random.default_rng(7)
    x = rng.integers(-127, 128, (24, 13, 17)).astype(np.int8)
    weights = rng.integers(-15, 16, (10, 24)).astype(np.int8)
    bias = rng.integers(-500, 500, 10)
    r3 = (np.full(10, 45001), rng.integers(20, 23, 10))
    options = dict(keep=1, levels=0, r1=IDENTITY, r2=IDENTITY, r3=r3, bias=bias, weight_bits=5)
    result = simulate_layer(x, weights, **options)
    np.testing.assert_array_equal(result.y, result.acc)  # else two roundings would be compared with one
    helper, types, array = onnx.helper, onnx.TensorProto, onnx.numpy_helper.from_array
    names = ["x", "one", "zero", "w", "ws", "wz", "one", "zero", "b"]
    constants = {
        "one": np.float32(1),
        "zero": np.uint8(128),
        "w": weights.reshape(10, 24, 1, 1),
        "ws": (r3[0] * 2.0 ** -r3[1]).astype(np.float32),
        "wz": np.zeros(10, np.int8),
        "b": bias.astype(np.int32),
    }
    graph = helper.make_graph(
        [helper.make_node("QLinearConv", names, ["y"])],
        "conv",
        [helper.make_tensor_value_info("x", types.UINT8, [1, 24, 13, 17])],
        [helper.make_tensor_value_info("y", types.UINT8, None)],
        [array(np.asarray(value), name) for name, value in constants.items()],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": (x.astype(np.int16) + 128).astype(np.uint8)[None]})
    assert len(np.unique(result.out)) > 100
    np.testing.assert_array_equal(result.out, theirs[0].astype(np.int16) - 128)


def test_the_sums_equal_a_convolution_of_pytorch():
    torch = pytest.importorskip("torch", reason="a witness where PyTorch is installed")
    rng = np.random.default_rng(8)
    case = finish(plain(act_bits=5), rng.integers(-128, 128, (19, 11, 9)).astype(np.int8), 7, rng)
    result = case.run()
    q = torch.tensor(result.q.reshape(1, 19, 11, 9).astype(np.float64))
    theirs = torch.nn.functional.conv2d(q, torch.tensor(case.weights[:, :, None, None].astype(np.float64)))
    np.testing.assert_array_equal(result.acc, theirs.numpy().reshape(7, -1).astype(np.int64))


@settings(max_examples=60, deadline=None)
@given(st.integers(2, 8), st.integers(1, 255), st.booleans(), st.integers(0, 10**6))
def test_r1_makes_the_words_of_the_uniform_codec(bits, alpha, unsigned, seed):
    """The same words, but where x Q / alpha is nearer to a tie than the multiplier is exact."""
    if unsigned and bits == 8:
        return  # 9 signed bits: wider than the array
    alpha = min(alpha, 255 if unsigned else 127)
    rng = np.random.default_rng(seed)
    x = rng.integers(0 if unsigned else -128, 256 if unsigned else 128, (2, 9, 11))
    x = x.astype(np.uint8 if unsigned else np.int8)
    top = (1 << bits) - 1 if unsigned else (1 << (bits - 1)) - 1
    case_bits = bits + unsigned  # an unsigned word of u bits is carried as u + 1
    r1 = multiplier_and_shift(top / alpha)
    result = simulate_layer(
        x, np.ones((1, 2), np.int8), keep=1, levels=0, kept_bits=case_bits, r1=r1, r2=IDENTITY, r3=IDENTITY
    )
    words = result.q.reshape(x.shape).astype(int)
    magnitude = np.abs(x.astype(int))
    expected = np.sign(x.astype(int)) * np.minimum(top, (2 * magnitude * top + alpha) // (2 * alpha))
    doubt = np.abs((2 * magnitude * top) % (2 * alpha) - alpha) <= 2 * magnitude * top * 2.0**-16
    np.testing.assert_array_equal(words[~doubt], expected[~doubt])
    assert np.abs(words - expected).max() <= 1
    # And the codec decodes those words: its map is round(word * alpha / Q), R2 takes word * alpha / Q itself.
    made = codec("uniform", bits=bits, alpha=alpha)
    decoded = made.decode(made.encode(x)).astype(int)
    back = np.sign(expected) * ((2 * np.abs(expected) * alpha + top) // (2 * top))
    np.testing.assert_array_equal(decoded, back)


@pytest.mark.parametrize("path", default_map_paths()[:3], ids=lambda path: path.stem)
@pytest.mark.parametrize("bits", [3, 6])
def test_the_switch_of_the_comparison_is_this_layer_on_natural_maps(path, bits):
    """The point that `wcc+plain` takes, through the datapath: the same words of the same width."""
    x = load_map(path).x
    point = FixedWidth("uniform", least=1, most=8, least_signed=2).at(x, bits * x.size)
    header = codec("uniform", bits=bits).encode(x).payload[:8]
    alpha, signed = int.from_bytes(header, "big") & 0xFFFF, x.dtype.kind == "i"
    top = (1 << (bits - signed)) - 1
    result = simulate_layer(
        x,
        np.ones((1, len(x)), np.int8),
        keep=1,
        levels=0,
        kept_bits=bits + (not signed),
        r1=multiplier_and_shift(top / alpha),
        r2=IDENTITY,
        r3=IDENTITY,
    )
    words = result.q.reshape(x.shape).astype(int)
    back = np.sign(words) * ((2 * np.abs(words) * alpha + top) // (2 * top))
    ties = np.abs((2 * np.abs(x.astype(int)) * top) % (2 * alpha) - alpha) <= 1
    np.testing.assert_array_equal(back[~ties], point.decoded[~ties])
    assert result.counts[Stage.MAC].kept_read_bits == x.size * (bits + (not signed))
    assert point.products == result.counts[Stage.MAC].macs


@pytest.mark.parametrize("mode", ["single", "tflite_double"])
@pytest.mark.parametrize("method", ["mse", "max", "percentile:99"])
def test_a_calibrated_layer_stays_inside_its_error_bound(mode, method):
    map_ = load_map(default_map_paths()[0])
    p = plain(act_bits=4, requantise_mode=mode, in_bits=map_.in_bits, bias=True, relu=True, out_unsigned=True)
    layer = calibrated(
        map_.weights, map_.weight_scale, map_.bias, [map_.x], map_.x_scale, p, act=map_.act, method=method
    )
    plan = layer.plan(*map_.x.shape[1:])
    rows = stage_errors(plan, map_.x, layer.run(map_.x), layer.scales(plan), map_.bias)
    assert all(row.within for row in rows) and rows[0].max_error == 0
    assert rows[-1].snr_db is not None and rows[-1].snr_db > 5


def test_eight_bits_lose_nothing_before_the_sums():
    rng = np.random.default_rng(4)
    x = rng.integers(-127, 128, (6, 5, 7)).astype(np.int8)
    weights = rng.integers(-127, 128, (3, 6)).astype(np.int8)
    result = simulate_layer(x, weights, keep=1, levels=0, r1=IDENTITY, r2=IDENTITY, r3=IDENTITY)
    np.testing.assert_array_equal(result.acc, weights.astype(int) @ x.reshape(6, -1).astype(int))


def test_a_batch_an_output_array_and_every_path_by_name():
    rng = np.random.default_rng(9)
    case = finish(plain(bias=True), rng.integers(-128, 128, (3, 4, 10, 6)).astype(np.int8), 5, rng)
    out = np.empty((3, 5, 10, 6), np.int8)
    result = case.run(out=out, outputs_only=True)
    assert np.shares_memory(result.out, out) and result.energy is None and result.q is None
    assert result.indices.shape == (3, 60)
    for path in PATHS:
        choice = choose(case.plan(), True, path)
        assert choice.name == "plain"
        assert path == "plain" or "levels 0, a plain layer" in choice.reason
        np.testing.assert_array_equal(case.run(path=path).out, out)


def test_what_a_plain_layer_does_not_have_is_refused():
    cases_of = [
        (dict(keep=Fraction(1, 4)), "keeps every position; keep is 1/4"),
        (dict(haar="lifting"), "the stage that haar sets"),
        (dict(score="l1"), "score"),
        (dict(selection="binned:3"), "selection"),
        (dict(index="rice"), "index"),
        (dict(detail_bits=4), "detail_bits"),
        (dict(per_level_shift=(1,)), "per_level_shift has 1 entries for 0 levels"),
    ]
    for given_, said in cases_of:
        with pytest.raises(WccsimError, match=said):
            plain(**given_)
    with pytest.raises(WccsimError, match="has no index"):
        wcc_actions(plain(), 2, 2, 3, 3, index_bits=9)
    with pytest.raises(WccsimError, match="needs Haar levels"):
        calibrated(np.ones((1, 1), np.int8), np.ones(1), None, [np.ones((1, 2, 2), np.int8)], 1.0, plain(),
                   per_level_shift=True)  # fmt: skip
    rng = np.random.default_rng(0)
    case = finish(plain(), rng.integers(-9, 9, (2, 3, 3)).astype(np.int8), 2, rng)
    with pytest.raises(
        WccsimError, match=r"levels 0, a plain layer, has no Verilog; exported: levels 1 to 5"
    ):
        check_supported(case.plan())


def run(*arguments):
    return CliRunner().invoke(main, ["simulate", *map(str, arguments)])


def test_the_command_runs_saves_dumps_and_explains(tmp_path: Path):
    name, saved, folder = default_map_paths()[0].stem, tmp_path / "layer.npz", tmp_path / "dump"
    report = tmp_path / "report.json"
    arguments = (name, "--plain", "--kept-bits", 4, "--widths", "--explain")
    first = run(*arguments, "--save-layer", saved, "--dump", folder, "--json", report)
    assert first.exit_code == 0, first.output
    for said in ("plain quantisation to 4 bits: no transform", "quantised word q", "levels 0, a plain layer"):
        assert said in first.output
    assert "score (" not in first.output and "aligned" not in first.output
    again = run(name, "--layer", saved, "--widths", "--explain")
    assert again.exit_code == 0 and again.output == first.output
    assert WCCLayer.load(saved).parameters.plain
    names = {path.name for path in folder.iterdir()}
    assert {"q.npy", "acc.npy", "y.npy", "out.npy"} <= names and not {"energy.npy", "index.npy"} & names
    found = json.loads(report.read_text())
    assert found["parameters"]["levels"] == 0 and found["index_bits"] == 0
    assert found["actions"]["score"] == {key: 0 for key in found["actions"]["score"]}
    assert max(abs(np.load(folder / "q.npy").min()), np.load(folder / "q.npy").max()) <= 7


def test_the_command_refuses_what_has_no_meaning():
    name = default_map_paths()[0].stem
    for arguments, said in (
        (("--plain", "--keep", "25%"), "--plain has no transform, selection or index; drop --keep"),
        (("--plain", "--haar", "lifting", "--levels", "2"), "drop --levels, --haar"),
        (("--levels", "0", "--keep", "25%"), "levels 0 is a plain layer, which keeps every position"),
        (("--plain", "--kept-bits", "9"), "act_bits after R1 is 9"),
        ((), "or --plain"),
    ):
        result = run(name, *arguments)
        assert result.exit_code == 2 and said in result.output and result.output.count("\n") == 1
