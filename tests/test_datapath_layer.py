"""The whole layer: every path equals the slow twin in every array and count."""

import os
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from datapath_cases import PATTERNS, UNIT, assert_same, cases, fill, finish
from hypothesis import given, settings

import wccsim
from wccsim.datapath.bitmap import encode
from wccsim.datapath.calibration import scalers
from wccsim.datapath.engine import PATHS, VARIABLE, choose
from wccsim.datapath.layer import simulate_layer
from wccsim.datapath.wcc_layer import calibrated
from wccsim.default_maps import default_map_paths
from wccsim.errors import WccsimError
from wccsim.maps import load_map
from wccsim.parameters import HAAR_VARIANTS, WccParameters

SHARED_MAPS = Path(__file__).parent.parent.parent / "shared" / "data" / "maps"
ARRAYS = ("coefficients", "energy", "kept", "indices", "q", "acc", "y", "out")


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=150, deadline=None)
@given(case=cases())
def test_every_path_equals_the_twin(path, case):
    assert_same(case.run(path=path), case.twin())


@pytest.mark.parametrize("path", PATHS)
@settings(max_examples=25, deadline=None)
@given(
    case=cases(
        max_size=40,
        max_channels=9,
        haar="exact",
        requantise_mode="single",
        score="l2",
        selection="exact",
        words="fixed",
    )
)
def test_every_path_equals_the_twin_on_what_the_fast_ones_cover(path, case):
    twin = case.twin()
    assert_same(case.run(path=path), twin)
    only = case.run(path=path, outputs_only=True)
    for name in ("energy", "kept", "indices", "out"):
        np.testing.assert_array_equal(getattr(only, name), np.array(getattr(twin, name)), err_msg=name)
    assert only.counts == twin.counts
    assert only.coefficients is only.q is only.acc is only.y is None


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("levels", range(1, 6))
def test_adversarial_maps_at_every_level_with_extreme_biases(path, pattern, levels):
    rng = np.random.default_rng(levels)
    shape = (5, 37, 21) if levels < 4 else (3, 33, 40)
    x = fill(pattern, shape, -128, 127, rng).astype(np.int8)
    for yw, relu, keep in (
        (8, False, Fraction(1, 4)),
        (12, True, Fraction(1)),
        (16, False, Fraction(1, 2048)),
    ):
        p = WccParameters(keep=keep, levels=levels, wavelet_bits=yw, relu=relu, bias=True)
        p = replace(p, keep=max(keep, Fraction(1, p.positions(*shape[1:]))))
        case = finish(p, x, 3, rng, per_channel=True)
        assert_same(case.run(path=path), case.twin())


@pytest.mark.parametrize("haar", HAAR_VARIANTS)
def test_a_constant_map_comes_out_as_it_went_in(haar):
    """The identity as weights; R1 divides by 4, R2 multiplies by 4, R3 takes off the inverse's gain."""
    x = np.full((2, 6, 10), 64, np.int8)
    identity, gain = np.eye(2, dtype=np.int8), int(haar == "exact")
    result = simulate_layer(
        x, identity, keep=1, haar=haar, levels=1, r1=(1 << 15, 17), r2=(1 << 15, 13), r3=(1 << 15, 15 + gain)
    )
    assert (result.out == x).all()


def test_a_batch_is_its_images():
    rng = np.random.default_rng(3)
    p = WccParameters(bias=True, index="rice")
    x = rng.integers(-128, 128, (3, 4, 17, 9)).astype(np.int8)
    case = finish(p, x, 5, rng)
    whole, singles = case.run(), [replace(case, x=image).run() for image in x]
    for name in ARRAYS:
        np.testing.assert_array_equal(getattr(whole, name), np.stack([getattr(one, name) for one in singles]))
    assert whole.index_bits == sum(one.index_bits for one in singles)
    for stage, counts in whole.counts.items():
        assert counts == singles[0].counts[stage] + singles[1].counts[stage] + singles[2].counts[stage]


def test_the_output_goes_into_out_and_nowhere_else():
    x = np.random.default_rng(0).integers(-128, 128, (2, 9, 9)).astype(np.int8)
    out = np.full((3, 9, 9), 77, np.int8)
    weights = np.ones((3, 2), np.int8)
    result = simulate_layer(x, weights, keep="1/2", **UNIT, out=out)
    assert np.shares_memory(result.out, out)
    np.testing.assert_array_equal(out, simulate_layer(x, weights, keep="1/2", **UNIT).out)
    for bad in (
        np.empty((3, 9, 9), np.uint8),
        np.empty((3, 9, 8), np.int8),
        np.empty((9, 9, 3), np.int8).T,
        5,
    ):
        with pytest.raises(WccsimError, match="out must be"):
            simulate_layer(x, weights, keep="1/2", **UNIT, out=bad)
    with pytest.raises(WccsimError, match="shares memory"):
        simulate_layer(x, np.ones((2, 2), np.int8), keep=1, **UNIT, out=x)


def test_an_unsigned_map_is_carried_with_one_bit_more():
    x = np.random.default_rng(0).integers(0, 256, (2, 8, 8)).astype(np.uint8)
    result = simulate_layer(x, np.ones((1, 2), np.int8), keep=1, **UNIT)
    assert result.parameters.in_bits == 9
    same = simulate_layer(
        x.astype(np.int16), np.ones((1, 2), np.int8), keep=1, act_bits=9, kept_bits=8, **UNIT
    )
    np.testing.assert_array_equal(result.out, same.out)


def test_any_memory_layout_and_byte_order_is_understood():
    x = np.random.default_rng(0).integers(-100, 100, (2, 8, 16)).astype(np.int16)
    plain = simulate_layer(x, np.ones((1, 2), np.int8), keep=1, **UNIT)
    turned = np.asfortranarray(x.astype(">i2"))
    assert (simulate_layer(turned, np.ones((1, 2), np.int8), keep=1, **UNIT).out == plain.out).all()


def test_the_environment_names_a_path_and_the_result_says_so(monkeypatch):
    plan = finish(WccParameters(), np.zeros((1, 8, 8), np.int8), 1, np.random.default_rng(0)).plan()
    monkeypatch.setenv(VARIABLE, "plain")
    assert choose(plan, True).name == "plain"
    monkeypatch.setenv(VARIABLE, "warp")
    with pytest.raises(WccsimError, match=r"allowed: .*plain"):
        choose(plan, True)
    assert choose(plan, True, "plain").name == "plain"


def test_the_greatest_sum_still_fits_int32():
    channels = 133_144
    x = np.full((channels, 2, 2), 127, np.int8)
    weights = np.full((1, channels), -127, np.int8)
    result = simulate_layer(
        x, weights, keep=1, levels=1, r1=(1 << 15, 15), r2=(1 << 15, 31), r3=(1 << 15, 16)
    )
    assert result.acc.min() == -channels * 127 * 127 >= -(1 << 31)


def _check_against_twin(feature_map, channels, outputs, **settings_):
    """A slice of a real map, small enough for the twin, calibrated, on every path."""
    x = np.ascontiguousarray(feature_map.x[:channels])
    act = feature_map.act != "none"
    p = WccParameters(in_bits=feature_map.in_bits, relu=act, out_unsigned=act, **settings_)
    layer = calibrated(
        feature_map.weights[:outputs, :channels],
        feature_map.weight_scale[:outputs],
        feature_map.bias[:outputs],
        [x],
        feature_map.x_scale,
        p,
        act=feature_map.act,
    )
    case = finish(layer.parameters, x, outputs, np.random.default_rng(0))
    case = replace(
        case,
        weights=layer.weights,
        r1=(int(layer.r1[0][0]), int(layer.r1[1][0])),
        r2=layer.r2,
        r3=layer.r3,
        bias=layer.bias,
    )
    twin = case.twin()
    for path in PATHS:
        assert_same(case.run(path=path), twin)


@pytest.mark.parametrize("path", default_map_paths(), ids=lambda path: path.stem)
def test_shipped_maps_equal_the_twin(path):
    feature_map = load_map(path)
    channels, height, width = feature_map.x.shape
    corner = replace(feature_map, x=feature_map.x[:, : min(height, 43), : min(width, 60)])
    _check_against_twin(corner, min(channels, 6), 4, index="rice")


@pytest.mark.parametrize("name", [path.name for path in sorted(SHARED_MAPS.glob("*.npz"))] or ["none"])
def test_real_maps_equal_the_twin(name):
    if not SHARED_MAPS.is_dir():
        pytest.skip(f"the real maps are not here ({SHARED_MAPS.name} folder missing)")
    feature_map = load_map(SHARED_MAPS / name)
    top = feature_map.x.shape[1] // 3
    corner = replace(feature_map, x=feature_map.x[:, top : top + 44, :42])
    _check_against_twin(corner, 40, 4)


@pytest.mark.slow
@pytest.mark.parametrize("name", [path.name for path in sorted(SHARED_MAPS.glob("*.npz"))] or ["none"])
def test_whole_real_maps_equal_the_twin(name):
    """Every position of the map; as many of its channels as a minute of the twin allows."""
    if not SHARED_MAPS.is_dir() or not os.environ.get("WCCSIM_SLOW"):
        pytest.skip("minutes long: set WCCSIM_SLOW=1, where the real maps are")
    feature_map = load_map(SHARED_MAPS / name)
    channels, height, width = feature_map.x.shape
    _check_against_twin(feature_map, max(1, min(channels, 1_300_000 // (height * width))), 4)


@pytest.mark.parametrize("name", [path.name for path in sorted(SHARED_MAPS.glob("*.npz"))] or ["none"])
def test_real_maps_are_the_same_on_every_path(name):
    if not SHARED_MAPS.is_dir():
        pytest.skip(f"the real maps are not here ({SHARED_MAPS.name} folder missing)")
    feature_map = load_map(SHARED_MAPS / name)
    act = feature_map.act != "none"
    layer = calibrated(
        feature_map.weights, feature_map.weight_scale, feature_map.bias, [feature_map.x], feature_map.x_scale,
        WccParameters(in_bits=feature_map.in_bits, relu=act, out_unsigned=act), act=feature_map.act,
    )  # fmt: skip
    plain = layer.run(feature_map.x, path="plain", outputs_only=True)
    assert len(np.unique(plain.out)) > 100  # a poor calibration would hide differences
    for path in PATHS:
        other = layer.run(feature_map.x, path=path, outputs_only=True)
        for array in ("energy", "kept", "out"):
            np.testing.assert_array_equal(
                getattr(plain, array), getattr(other, array), err_msg=f"{path} {array}"
            )


@settings(max_examples=30, deadline=None)
@given(case=cases(max_channels=3, max_size=20))
def test_the_accumulator_equals_onnx_runtime(case):
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    result = case.run()
    session = _integer_product(onnx, onnxruntime)
    # MatMulInteger takes uint8 or int8 on both sides here: A = weights, B = q.
    (theirs,) = session.run(None, {"a": case.weights, "b": result.q})
    np.testing.assert_array_equal(result.acc, theirs)


def test_the_accumulator_equals_the_1x1_conv_integer_of_onnx_runtime():
    onnxruntime = pytest.importorskip("onnxruntime")
    onnx = pytest.importorskip("onnx")
    rng = np.random.default_rng(5)
    x = rng.integers(-128, 128, (37, 16, 24)).astype(np.int8)
    case = finish(WccParameters(keep=Fraction(1)), x, 11, rng)
    result = case.run()
    # ConvInteger of ONNX Runtime takes uint8 activations: q + 128 with the zero point 128.
    q = (result.q.astype(np.int16) + 128).astype(np.uint8).reshape(1, 37, 16, 24)
    helper, types = onnx.helper, onnx.TensorProto
    node = helper.make_node("ConvInteger", ["x", "w", "zero"], ["y"])
    zero = helper.make_tensor("zero", types.UINT8, [], [128])
    w = onnx.numpy_helper.from_array(case.weights.reshape(11, 37, 1, 1), "w")
    graph = helper.make_graph(
        [node],
        "conv",
        [helper.make_tensor_value_info("x", types.UINT8, [1, 37, 16, 24])],
        [helper.make_tensor_value_info("y", types.INT32, None)],
        [w, zero],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    session = onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    (theirs,) = session.run(None, {"x": q})
    np.testing.assert_array_equal(result.acc, theirs.reshape(11, -1))


def _integer_product(onnx, onnxruntime):
    helper, types = onnx.helper, onnx.TensorProto
    graph = helper.make_graph(
        [helper.make_node("MatMulInteger", ["a", "b"], ["y"])],
        "product",
        [helper.make_tensor_value_info(name, types.INT8, [None, None]) for name in "ab"],
        [helper.make_tensor_value_info("y", types.INT32, None)],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    return onnxruntime.InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])


def test_the_index_size_of_a_run_is_what_the_encoder_writes():
    rng = np.random.default_rng(0)
    x = rng.integers(-128, 128, (2, 24, 40)).astype(np.int8)
    for index in ("bitmap", "list", "rice"):
        result = finish(WccParameters(index=index), x, 2, rng).run()
        assert result.index_bits == encode(result.kept, index, 24, 40, 3).bits


def test_the_public_name_is_the_simulator():
    assert wccsim.simulate_layer is simulate_layer


def test_scalers_follow_the_mode():
    single = scalers(WccParameters(), np.array([0.3, 0.7]))
    double = scalers(WccParameters(requantise_mode="tflite_double"), np.array([0.3, 0.7]))
    np.testing.assert_allclose(single[0] * 2.0 ** -single[1].astype(float), [0.3, 0.7], rtol=2**-15)
    np.testing.assert_allclose(double[0] * 2.0 ** -(31.0 + double[1]), [0.3, 0.7], rtol=2**-30)
