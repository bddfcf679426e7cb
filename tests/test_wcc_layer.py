"""Calibration, and a layer that is saved and read back."""

import json
from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.datapath.calibration import find_alpha, find_clip, kept_values, squared_error
from wccsim.datapath.wcc_layer import WCCLayer, calibrated
from wccsim.default_maps import default_map_paths
from wccsim.errors import WccsimError
from wccsim.maps import load_map
from wccsim.parameters import HAAR_VARIANTS, REQUANTISE_MODES, WccParameters

MAP = next(path for path in default_map_paths() if "c24_100x150" in path.stem)


def layer_on(feature_map, outputs=6, **settings_):
    """A layer calibrated on the map, its first output channels."""
    options = {name: settings_.pop(name) for name in ("method", "per_level_shift") if name in settings_}
    p = WccParameters(in_bits=feature_map.in_bits, **settings_)
    return calibrated(
        feature_map.weights[:outputs],
        feature_map.weight_scale[:outputs],
        feature_map.bias[:outputs],
        [feature_map.x],
        feature_map.x_scale,
        p,
        **options,
    )


@pytest.mark.parametrize("haar", HAAR_VARIANTS)
@pytest.mark.parametrize("mode", REQUANTISE_MODES)
@pytest.mark.parametrize("method", ["mse", "max", "percentile:99.9"])
def test_every_calibration_fills_the_ranges(haar, mode, method):
    feature_map = load_map(MAP)
    layer = layer_on(feature_map, haar=haar, requantise_mode=mode, method=method)
    result = layer.run(feature_map.x)
    assert 100 < np.abs(result.q).max() <= 127
    assert 16_000 < np.abs(result.y).max() <= 32_767  # a clip of q below its maximum lowers y too
    assert np.abs(result.out.astype(int)).max() > 100


@given(st.lists(st.just(0.0) | st.floats(1e-60, 1000), min_size=1, max_size=200))
def test_max_never_clips_and_mse_never_errs_more_than_max(values):
    magnitudes = np.array(values)
    greatest, least_error = (find_alpha(magnitudes, method, 127) for method in ("max", "mse"))
    assert magnitudes.max() <= greatest
    assert squared_error(magnitudes, least_error / 127, 127) <= squared_error(magnitudes, greatest / 127, 127)


def test_percentile_is_numpys():
    magnitudes = np.arange(1001.0)
    assert find_alpha(magnitudes, "percentile:99", 127) == 990


@pytest.mark.parametrize(
    "method", ["", "median", "percentile:0", "percentile:101", "percentile:x", "percentile:"]
)
def test_an_unknown_method_is_refused(method):
    with pytest.raises(WccsimError, match="allowed: max, mse, percentile:P"):
        layer_on(load_map(MAP), method=method)


@pytest.mark.parametrize("path", default_map_paths(), ids=lambda path: path.stem)
def test_per_level_shifts_never_err_more_and_help_where_the_ranges_differ(path):
    feature_map = load_map(path)
    p = WccParameters(in_bits=feature_map.in_bits)
    kept = [kept_values(p, feature_map.x, feature_map.x_scale)]
    common, none = find_clip(p, kept, 8, 8, "mse", False)
    base, shifts = find_clip(p, kept, 8, 8, "mse", True)
    assert none == () and len(shifts) == 3 and min(shifts) >= 0
    level = np.array([3, 3, 3, 3, 2, 2, 2, 1, 1, 1])[kept[0].numbers]
    magnitudes = np.abs(kept[0].values)
    single = squared_error(magnitudes.ravel(), common, 127)
    several = sum(
        squared_error(magnitudes[:, level == each].ravel(), base * 2.0 ** shifts[each - 1], 127)
        for each in (1, 2, 3)
    )
    # Where the search saw a sample of the values only, the two may tie.
    assert several <= single * 1.01
    if "relu_c24" in path.stem:
        assert several < single / 2


@pytest.mark.parametrize("method", ["mse", "max", "percentile:99"])
@pytest.mark.parametrize("per_level_shift", [False, True])
def test_narrow_detail_words_are_calibrated_for(method, per_level_shift):
    """max never clips a detail word; mse errs no more than a clip sought without narrow words in mind."""
    feature_map = load_map(MAP)
    narrow = WccParameters(detail_bits=4, keep=Fraction(1, 2))
    kept = [kept_values(narrow, feature_map.x, feature_map.x_scale)]
    limits = np.where(kept[0].numbers == 0, 127, 7)
    magnitudes = np.abs(kept[0].values)
    step, shifts = find_clip(narrow, kept, 104, 152, method, per_level_shift)
    if method == "max" and not per_level_shift:
        assert (magnitudes <= step * limits * (1 + 1e-12)).all()
    if method == "mse" and not per_level_shift:
        careless, _ = find_clip(replace(narrow, detail_bits=None), kept, 104, 152, method, False)
        assert squared_error(magnitudes, step, limits) <= squared_error(magnitudes, careless, limits) * 1.001
    layer = layer_on(
        feature_map, detail_bits=4, keep=Fraction(1, 2), method=method, per_level_shift=per_level_shift
    )
    result = layer.run(feature_map.x)
    assert layer.parameters.per_level_shift == shifts
    assert (np.abs(result.q) <= limits).all()


def test_the_kept_positions_of_calibration_are_those_of_the_run():
    feature_map = load_map(MAP)
    layer = layer_on(feature_map, keep=Fraction(1, 7), selection="binned:3")
    kept = kept_values(layer.parameters, feature_map.x, feature_map.x_scale)
    np.testing.assert_array_equal(kept.indices, layer.run(feature_map.x).indices)


@pytest.mark.parametrize("mode", REQUANTISE_MODES)
def test_a_saved_layer_gives_the_same_bits(tmp_path, mode):
    feature_map = load_map(MAP)
    layer = layer_on(
        feature_map,
        requantise_mode=mode,
        per_level_shift=True,
        keep=Fraction(1, 3),
        index="rice",
        words="rice",
    )
    layer.save(tmp_path / "layer.npz")
    again = WCCLayer.load(tmp_path / "layer.npz")
    one, other = layer.run(feature_map.x), again.run(feature_map.x)
    for name in ("coefficients", "energy", "kept", "q", "acc", "y", "out"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))
    assert (again.parameters, again.made, again.x_scale, again.out_scale) == (
        layer.parameters,
        layer.made,
        layer.x_scale,
        layer.out_scale,
    )


def test_float_weights_are_quantised_to_the_symmetric_grid():
    feature_map = load_map(MAP)
    rng = np.random.default_rng(0)
    weights = rng.normal(size=(5, 24))
    weights[3] = 0
    p = WccParameters(weight_bits=4)
    for per_channel in (True, False):
        layer = WCCLayer.from_float(
            weights, None, [feature_map.x], feature_map.x_scale, p, per_channel=per_channel
        )
        assert np.abs(layer.weights).max() == 7
        off = layer.weights * layer.weight_scale[:, None] - weights
        assert (np.abs(off) <= layer.weight_scale[:, None] / 2 * (1 + 1e-9)).all()
        assert layer.bias is None
    with pytest.raises(WccsimError, match="finite"):
        WCCLayer.from_float(weights * np.nan, None, [feature_map.x], 1.0, p)


def test_a_layer_of_given_integers_runs():
    p = WccParameters(bias=True)
    one = np.array([1 << 15]), np.array([18])
    layer = WCCLayer(
        p,
        np.ones((2, 1), np.int8),
        np.ones(2),
        1.0,
        1.0,
        one,
        one,
        one,
        np.array([5, -5]),
        made={"by": "hand"},
    )
    assert layer.run(np.ones((1, 9, 9), np.int8)).out.shape == (2, 9, 9)


def test_a_map_of_zeros_calibrates():
    layer = calibrated(
        np.zeros((2, 3), np.int8),
        np.ones(2),
        np.zeros(2),
        [np.zeros((3, 8, 8), np.int8)],
        1.0,
        WccParameters(),
        per_level_shift=True,
    )
    assert not layer.run(np.zeros((3, 8, 8), np.int8)).out.any()


@pytest.mark.parametrize("bias", [1e6, -1e6])
def test_a_bias_far_beyond_the_map_still_fits_its_word(bias):
    layer = calibrated(
        np.ones((1, 1), np.int8),
        np.ones(1),
        np.array([bias]),
        [np.ones((1, 8, 8), np.int8)],
        1.0,
        WccParameters(),
    )
    out = layer.run(np.ones((1, 8, 8), np.int8)).out * layer.out_scale
    np.testing.assert_allclose(out, bias, rtol=0.01)


@pytest.mark.parametrize(
    "bias, message",
    [
        (1e30, r"R2 to a step of .*, with a bias that reaches 1e\+30: the multiplier"),
        (-1e61, r"a bias reaches 1e\+61; allowed: finite, below 1e\+60"),
        (np.inf, "a bias reaches inf; allowed: finite"),
    ],
)
def test_a_bias_that_no_requantiser_holds_is_named(bias, message):
    maps = [np.ones((1, 8, 8), np.int8)]
    with pytest.raises(WccsimError, match=message):
        calibrated(np.ones((1, 1), np.int8), np.ones(1), np.array([bias]), maps, 1.0, WccParameters())


def _saved(tmp_path, change):
    """A saved layer whose members `change` edits."""
    path = tmp_path / "layer.npz"
    layer_on(load_map(MAP)).save(path)
    with np.load(path) as archive:
        members = dict(archive)
    change(members)
    np.savez(path, **members)
    return path


def _header(members, **changes):
    header = json.loads(members["header"].tobytes())
    header.update(changes)
    members["header"] = np.frombuffer(json.dumps(header).encode(), np.uint8)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda m: m.pop("r2"), "'r2' is missing"),
        (lambda m: m.pop("header"), "'header' is missing"),
        (lambda m: m.update(header=np.zeros(9, np.uint8)), "not the JSON"),
        (lambda m: _header(m, version=2), "version 2; this is 1"),
        (lambda m: _header(m, format="other"), "not the JSON"),
        (lambda m: _header(m, extra=1), "not the JSON"),
        (lambda m: _header(m, x_scale=float("nan")), "x_scale is nan"),
        (lambda m: _header(m, x_scale=-1), "x_scale is -1"),
        (lambda m: _header(m, parameters={}), "not those of this version"),
        (lambda m: m.update(weights=m["weights"].astype(np.float32)), "weights are float32"),
        (lambda m: m.update(weights=np.full_like(m["weights"], -128)), "symmetric grid"),
        (lambda m: m.update(weight_scale=-m["weight_scale"]), "weight_scale is not positive"),
        (lambda m: m.update(weight_scale=m["weight_scale"][:2]), "weight_scale is float64"),
        (lambda m: m.update(r1=m["r1"] * 0), "normalised"),
        (lambda m: m.update(r3=m["r3"].astype(np.float64)), "r3 is float64"),
        (lambda m: m.update(bias=m["bias"] + (1 << 40)), "a bias word"),
        (lambda m: m.pop("bias"), "bias is True, but bias is None"),
        (lambda m: m.update(real_bias=m["real_bias"] + np.inf), "not finite"),
    ],
)
def test_a_spoilt_layer_is_refused_by_name(tmp_path, change, words):
    path = _saved(tmp_path, change)
    with pytest.raises(WccsimError, match=words) as problem:
        WCCLayer.load(path)
    assert str(path) in str(problem.value)
    assert "\n" not in str(problem.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("keep", "9"),
        ("keep", None),
        ("levels", "3"),
        ("levels", 9),
        ("relu", 1),
        ("haar", []),
        ("selection", 3),
        ("per_level_shift", 5),
        ("per_level_shift", [1, "x", 2]),
    ],
)
def test_a_spoilt_parameter_is_refused(tmp_path, name, value):
    def change(members):
        parameters = json.loads(members["header"].tobytes())["parameters"]
        _header(members, parameters={**parameters, name: value})

    with pytest.raises(WccsimError):
        WCCLayer.load(_saved(tmp_path, change))


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_flipped_byte_never_gives_anything_but_a_layer_or_one_line(tmp_path_factory, where, byte):
    layer = layer_on(load_map(MAP), outputs=2)
    path = tmp_path_factory.mktemp("spoilt") / "layer.npz"
    layer.save(path)
    content = bytearray(path.read_bytes())
    content[where % len(content)] = byte
    path.write_bytes(content)
    try:
        WCCLayer.load(path)
    except WccsimError as problem:
        assert "\n" not in str(problem)


def test_an_act_of_relu6_saturates_at_six():
    feature_map = load_map(MAP)
    p = WccParameters(out_unsigned=True, relu=True)
    layer = calibrated(
        feature_map.weights,
        feature_map.weight_scale * 50,
        feature_map.bias,
        [feature_map.x],
        feature_map.x_scale,
        p,
        act="relu6",
    )
    out = layer.run(feature_map.x).out
    assert layer.out_scale * 255 == pytest.approx(6)
    assert out.max() == 255 and out.min() == 0


def test_calibration_refuses_what_the_plan_would():
    feature_map = load_map(MAP)
    with pytest.raises(WccsimError, match="at least one map"):
        calibrated(feature_map.weights, feature_map.weight_scale, None, [], 1.0, WccParameters())
    with pytest.raises(WccsimError, match="symmetric grid"):
        layer_on(replace(feature_map, weights=np.full_like(feature_map.weights, -128)))
