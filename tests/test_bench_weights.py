"""Real weights find their layers by name and by shape; a file that holds none is refused in one line."""

from itertools import pairwise

import numpy as np
import pytest
from bench_layers import network, random_weights
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.bench import stack
from wccsim.bench.inputs import natural_map
from wccsim.bench.weights import common_order, matrices_in, read_weights
from wccsim.datapath.wcc_layer import WCCLayer
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters


@given(st.lists(st.integers(0, 3), max_size=7), st.lists(st.integers(0, 3), max_size=7))
@settings(deadline=None, max_examples=60)
def test_common_order_is_a_longest_common_subsequence(left, right):
    pairs = common_order(left, right)
    assert all(left[i] == right[j] for i, j in pairs)
    assert all(a < c and b < d for (a, b), (c, d) in pairwise(pairs))

    def within(part, whole):
        rest = iter(whole)
        return all(item in rest for item in part)

    subsets = ([x for i, x in enumerate(left) if mask >> i & 1] for mask in range(1 << len(left)))
    assert len(pairs) == max(len(subset) for subset in subsets if within(subset, right))


def test_weights_go_to_layers_by_name_and_by_shape_in_order(tmp_path):
    layers = stack.pointwise_layers(network())
    own = [random_weights(layer, seed) for seed, layer in enumerate(layers)]
    path = tmp_path / "all.npz"
    # A depthwise kernel and a bias between them are no 1x1 weights.
    arrays = {f"op{i:03}_w": matrix.reshape(*matrix.shape, 1, 1) for i, matrix in enumerate(own)}
    np.savez(path, depthwise=np.ones((32, 1, 3, 3), np.int8), bias=np.arange(4), **arrays)
    found = read_weights([str(path)], layers)
    assert all(np.array_equal(found.by_layer[layer.name], a) for layer, a in zip(layers, own, strict=True))
    assert found.lines == (f"weights: {path}, {len(layers)} of its {len(layers)} 1x1 matrices",)
    named = tmp_path / "named.npz"
    np.savez(named, **{layers[3].name: own[3]})
    assert list(read_weights([str(named)], layers).by_layer) == [layers[3].name]


def test_float_weights_are_quantised_to_each_channels_greatest(tmp_path):
    path = tmp_path / "float.npz"
    np.savez(path, w=np.array([[0.5, -1.0], [4.0, 0.0]]))
    assert np.array_equal(matrices_in(path)[0].matrix, [[64, -127], [127, 0]])


def test_weights_of_a_saved_layer_a_map_and_an_onnx_model(tmp_path):
    layers = stack.pointwise_layers(network())
    target = layers[1]
    own = random_weights(target, 7)
    x = natural_map(own.shape[1], 16, 16, np.random.default_rng(0))
    layer = WCCLayer.from_float(own / 127, None, [x], 0.1, WccParameters())
    saved, mapped = tmp_path / "saved.npz", tmp_path / "map.npz"
    layer.save(saved)
    np.savez(mapped, x=x, x_scale=0.1, w=own, w_scale=np.ones(len(own)), other=own)
    for path, wanted in ((saved, layer.weights), (mapped, own)):
        found = read_weights([f"{target.name}={path}"], layers).by_layer
        assert list(found) == [target.name] and np.array_equal(found[target.name], wanted)
    onnx = pytest.importorskip("onnx", reason="onnx (extra onnx) is not installed")
    model = tmp_path / "model.onnx"
    save_convolution(onnx, model, own)
    assert np.array_equal(matrices_in(model)[0].matrix, layer.weights)


def save_convolution(onnx, path, weights):
    """A model of one 1x1 convolution of an image of three channels, then of `weights`."""
    helper, numpy_helper = onnx.helper, onnx.numpy_helper
    first = np.ones((weights.shape[1], 3, 3, 3), np.float32)
    second = (weights / 127).astype(np.float32).reshape(*weights.shape, 1, 1)
    kind = onnx.TensorProto.FLOAT
    graph = helper.make_graph(
        [
            helper.make_node("Conv", ["x", "a"], ["y"], name="first", pads=[1, 1, 1, 1]),
            helper.make_node("Conv", ["y", "b"], ["z"], name="second"),
        ],
        "net",
        [helper.make_tensor_value_info("x", kind, [1, 3, 8, 8])],
        [helper.make_tensor_value_info("z", kind, [1, len(weights), 8, 8])],
        [numpy_helper.from_array(first, "a"), numpy_helper.from_array(second, "b")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    path.write_bytes(model.SerializeToString())


@pytest.mark.parametrize(
    ("arrays", "given_as", "says"),
    [
        ({}, "{}", "it holds nothing; allowed: an npz"),
        ({"a": np.ones((3, 3, 3, 3), np.int8)}, "{}", "it holds a int8 (3, 3, 3, 3); allowed: an npz"),
        ({"a": np.ones((3, 5), np.int8)}, "{}", "no layer takes what it holds, a (3, 5)"),
        ({"a": np.full((3, 5), -128, np.int8)}, "{}", "a reaches -128"),
        ({"a": np.full((3, 5), np.nan)}, "{}", "not finite"),
        ({"InvRes2 conv1": np.ones((3, 5), np.int8)}, "{}", "is (3, 5); that layer takes (96, 16)"),
        ({"a": np.ones((3, 5), np.int8)}, "InvRes2 conv1={}", "InvRes2 conv1 takes one matrix (96, 16)"),
        ({"a": np.ones((3, 5), np.int8)}, "nowhere={}", "no 1x1 convolution called 'nowhere'"),
    ],
)  # fmt: skip
def test_weights_that_no_layer_takes_are_refused_in_one_line(tmp_path, arrays, given_as, says):
    path = tmp_path / "given.npz"
    np.savez(path, **arrays)
    with pytest.raises(WccsimError) as problem:
        read_weights([given_as.format(path)], stack.pointwise_layers(network()))
    assert says in str(problem.value) and "\n" not in str(problem.value)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04", b"PK\x05\x06" + bytes(18), b"no archive"])
def test_a_broken_weights_file_is_refused(tmp_path, content):
    path = tmp_path / "broken.npz"
    path.write_bytes(content)
    with pytest.raises(WccsimError, match=r"broken\.npz"):
        matrices_in(path)
