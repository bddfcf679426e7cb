"""ONNX models: sizes against onnxruntime's own outputs, and MACs by hand."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from onnx_models import (
    TEMPORARY,
    TensorProto,
    conv,
    helper,
    integers,
    model,
    numpy_helper,
    ran,
    read,
    weights,
)

from wccsim.network.catalog import load_network
from wccsim.network.description import parse_network
from wccsim.network.model import Shape
from wccsim.network.writer import yaml_text

ORIGINAL = Path(__file__).parent.parent.parent / "shared" / "data" / "models" / "mobilenetv2_fp32.onnx"


ATTRIBUTES = st.fixed_dictionaries(
    {
        "kernel_shape": st.lists(st.integers(1, 4), min_size=2, max_size=2),
        "strides": st.lists(st.integers(1, 3), min_size=2, max_size=2),
        "dilations": st.lists(st.integers(1, 2), min_size=2, max_size=2),
        "group": st.sampled_from([1, 2, 4]),
    }
)
PADDING = st.builds(dict, pads=st.lists(st.integers(0, 2), min_size=4, max_size=4)) | st.builds(
    dict, auto_pad=st.sampled_from(["SAME_UPPER", "SAME_LOWER", "VALID"])
)


@TEMPORARY
@given(ATTRIBUTES, PADDING, st.integers(5, 9), st.integers(5, 9))
def test_convolutions_are_as_onnxruntime_runs_them(
    tmp_path: Path, attributes: dict[str, Any], padding: dict[str, Any], height: int, width: int
) -> None:
    kernel, groups = attributes["kernel_shape"], attributes["group"]
    if "auto_pad" in padding:
        attributes = {**attributes, "dilations": [1, 1]}  # onnxruntime refuses both together
    before = padding.get("pads", [0] * 4)
    extents = [d * (k - 1) + 1 for d, k in zip(attributes["dilations"], kernel, strict=True)]
    assume(extents[0] <= height + before[0] + before[2] and extents[1] <= width + before[1] + before[3])
    node = helper.make_node("Conv", ["x", "w", "b"], ["y"], "c", **attributes, **padding)
    constants = [weights("w", 8, 4 // groups, *kernel), weights("b", 8)]
    proto = model([node], constants, [1, 4, height, width])
    layer = read(proto, tmp_path).layers[-1]
    _, channels, rows, columns = ran(proto, 1, 4, height, width)
    assert layer.out_shape == Shape(channels, rows, columns)
    assert layer.macs == rows * columns * 8 * (4 // groups) * kernel[0] * kernel[1]
    assert layer.params == 8 * (4 // groups) * kernel[0] * kernel[1] + 8


@TEMPORARY
@given(
    ATTRIBUTES,
    st.lists(st.integers(0, 1), min_size=4, max_size=4),
    st.lists(st.integers(0, 1), min_size=2, max_size=2),
    st.booleans(),
)
def test_transposed_convolutions_are_as_onnxruntime_runs_them(
    tmp_path: Path, attributes: dict[str, Any], pads: list[int], extra: list[int], sized: bool
) -> None:
    kernel = attributes["kernel_shape"]
    both = zip(attributes["strides"], attributes["dilations"], extra, strict=True)
    assume(all(more < max(stride, dilation) for stride, dilation, more in both))
    options: dict[str, Any] = {"pads": pads, "output_padding": extra}
    if sized:
        options = {"output_shape": [5 * attributes["strides"][0], 6 * attributes["strides"][1]]}
        assume(
            all(
                d * (k - 1) + 1 >= s
                for d, k, s in zip(attributes["dilations"], kernel, attributes["strides"], strict=True)
            )
        )
    node = helper.make_node("ConvTranspose", ["x", "w"], ["y"], "t", **attributes, **options)
    proto = model([node], [weights("w", 4, 6, *kernel)], [1, 4, 5, 6])
    try:
        _, channels, rows, columns = ran(proto, 1, 4, 5, 6)
    except Exception:  # onnxruntime refuses an output of no rows
        assume(False)
    layer = read(proto, tmp_path).layers[-1]
    assert layer.out_shape == Shape(channels, rows, columns)
    assert layer.macs == 5 * 6 * 4 * 6 * kernel[0] * kernel[1]


@TEMPORARY
@given(ATTRIBUTES, PADDING, st.booleans(), st.sampled_from(["MaxPool", "AveragePool"]))
def test_pooling_is_as_onnxruntime_runs_it(
    tmp_path: Path, attributes: dict[str, Any], padding: dict[str, Any], ceil: bool, op: str
) -> None:
    kernel = attributes["kernel_shape"]
    options = {"kernel_shape": kernel, "strides": attributes["strides"], **padding}
    # onnxruntime computes a negative padding where a stride is larger than the kernel, and refuses it
    assume("pads" in padding or all(s <= k for s, k in zip(attributes["strides"], kernel, strict=True)))
    if "pads" in padding:
        options |= {"ceil_mode": int(ceil)}
        assume(all(pad < kernel[axis % 2] for axis, pad in enumerate(padding["pads"])))
    proto = model([helper.make_node(op, ["x"], ["y"], "p", **options)], [], [1, 3, 7, 8])
    _, channels, rows, columns = ran(proto, 1, 3, 7, 8)
    layer = read(proto, tmp_path).layers[-1]
    assert (layer.out_shape, layer.macs) == (Shape(channels, rows, columns), 0)


def test_products_of_every_kind(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Flatten", ["x"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "w1", "b1"], ["g"], "gemm", transB=1),
        helper.make_node("MatMul", ["g", "w2"], ["m"], "dense"),
        helper.make_node("Reshape", ["m", "s1"], ["tokens"], "tokens"),
        helper.make_node("MatMul", ["tokens", "w3"], ["q"], "query"),
        helper.make_node("Reshape", ["q", "s2"], ["heads"], "heads"),
        helper.make_node("Transpose", ["heads"], ["turned"], "turned", perm=[0, 1, 3, 2]),
        helper.make_node("MatMul", ["heads", "turned"], ["scores"], "scores"),
        helper.make_node("Softmax", ["scores"], ["y"], "soft"),
    ]
    constants = [
        weights("w1", 40, 48), weights("b1", 40), weights("w2", 40, 60), weights("w3", 12, 24),
        integers("s1", 1, 5, 12), integers("s2", 1, 3, 5, 8),
    ]  # fmt: skip
    network = read(model(nodes, constants, [1, 3, 4, 4]), tmp_path)
    found = {layer.name: layer for layer in network.counted}
    assert {name: layer.macs for name, layer in found.items()} == {
        "gemm": 48 * 40,
        "dense": 40 * 60,
        "query": 5 * 12 * 24,
        "scores": 3 * 5 * 8 * 5,
    }
    assert (found["gemm"].op, found["gemm"].params, found["scores"].params) == (
        "fully_connected",
        48 * 40 + 40,
        0,
    )
    assert network.layers[-1].out_shape == Shape(3, 5, 5)
    assert parse_network(yaml_text(network).encode(), "x").layers == network.layers


def test_maps_join_split_and_change_their_size(tmp_path: Path) -> None:
    sizes = np.array([1, 1, 2, 2], np.float32)
    nodes = [
        helper.make_node("Pad", ["x", "pads"], ["p"], "pad"),
        helper.make_node("Resize", ["p", "", "scales"], ["r"], "resize", mode="nearest"),
        helper.make_node("Split", ["r", "parts"], ["a", "b"], "split", axis=1),
        helper.make_node("Add", ["a", "b"], ["s"], "add"),
        helper.make_node("Concat", ["a", "s", "b"], ["c"], "concat", axis=1),
        helper.make_node("BatchNormalization", ["c", "k", "k", "k", "k"], ["n"], "norm"),
        helper.make_node("Clip", ["n", "low", "high"], ["r6"], "clip"),
        helper.make_node("ReduceMean", ["r6"], ["mean"], "mean", axes=[2, 3]),
        helper.make_node("Mul", ["n", "mean"], ["scaled"], "scale"),
        helper.make_node("Mul", ["scaled", "k1"], ["y"], "constant"),
        helper.make_node("Slice", ["y", "from", "to", "axes"], ["z"], "slice"),
    ]
    constants = [
        integers("pads", 0, 0, 1, 2, 0, 0, 3, 4), numpy_helper.from_array(sizes, "scales"),
        integers("parts", 2, 2),
        weights("k", 6), weights("low"), numpy_helper.from_array(np.float32(6), "high"),
        weights("k1", 6, 1, 1),
        integers("from", 0, 0), integers("to", 4, 5), integers("axes", 1, 2),
    ]  # fmt: skip
    network = read(model(nodes, constants, [1, 4, 8, 8]), tmp_path)
    found = {layer.name: layer for layer in network.layers}
    assert found["pad"].padding == (1, 3, 2, 4)
    assert found["resize"].out_shape == Shape(4, 24, 28)
    assert found["concat"].inputs == ("split", "add", "split 1")
    assert found["clip"].function == "relu6"
    assert found["mean"].op == "global_average_pool"
    assert found["scale"].inputs == ("norm", "mean")
    assert found["constant"].inputs == ("scale",)
    assert found["slice"].out_shape == Shape(4, 5, 28)
    assert parse_network(yaml_text(network).encode(), "x").layers == network.layers


def test_sizes_that_a_model_computes_are_followed(tmp_path: Path) -> None:
    """Half of the channels by arithmetic on the shape, then a reshape to a computed size."""
    nodes = [
        helper.make_node("Shape", ["x"], ["shape"], "shape"),
        helper.make_node("Gather", ["shape", "one"], ["channels"], "channels"),
        helper.make_node("Add", ["channels", "one"], ["more"], "more"),
        helper.make_node("Div", ["more", "two"], ["half"], "half"),
        helper.make_node("Slice", ["x", "zero", "half", "one"], ["part"], "part"),
        helper.make_node("Concat", ["one", "half", "rest"], ["wanted"], "wanted", axis=0),
        helper.make_node("Reshape", ["part", "wanted"], ["rows"], "rows"),
        helper.make_node("Gather", ["rows", "third"], ["row"], "row", axis=1),
        helper.make_node("MatMul", ["row", "w"], ["y"], "dense"),
    ]
    third = numpy_helper.from_array(np.array(2, np.int64), "third")
    constants = [integers("zero", 0), integers("one", 1), integers("two", 2), integers("rest", -1), third]
    network = read(model(nodes, [*constants, weights("w", 16, 9)], [1, 6, 4, 4]), tmp_path)
    found = {layer.name: layer for layer in network.layers}
    assert found["part"].out_shape == Shape(3, 4, 4)
    assert found["rows"].out_shape == Shape(3, 16, 1)
    assert found["row"].op == "slice" and found["dense"].macs == 16 * 9
    assert parse_network(yaml_text(network).encode(), "x").layers == network.layers


def test_a_layer_norm_in_pieces_is_understood(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ReduceMean", ["x"], ["mean"], "mean", axes=[-1]),
        helper.make_node("Sub", ["x", "mean"], ["d"], "centre"),
        helper.make_node("Pow", ["d", "two"], ["p"], "square"),
        helper.make_node("ReduceMean", ["p"], ["variance"], "variance", axes=[-1]),
        helper.make_node("Sqrt", ["variance"], ["deviation"], "deviation"),
        helper.make_node("Div", ["d", "deviation"], ["n"], "norm"),
        helper.make_node("MatMul", ["n", "w"], ["y"], "dense"),
    ]
    network = read(model(nodes, [weights("two"), weights("w", 12, 7)], [1, 5, 12]), tmp_path)
    assert [layer.macs for layer in network.counted] == [5 * 12 * 7]
    assert parse_network(yaml_text(network).encode(), "x").layers == network.layers


def test_constants_and_functions_inside_the_model_are_followed(tmp_path: Path) -> None:
    """Weights in a Constant node, a shape in `value_ints`, and a function of the model's own."""
    body = [
        helper.make_node("Conv", ["a", "b"], ["c"], "conv"),
        helper.make_node("Relu", ["c"], ["d"], "relu"),
    ]
    opset = [helper.make_opsetid("", 17)]
    function = helper.make_function("my.own", "ConvRelu", ["a", "b"], ["d"], body, opset)
    nodes = [
        helper.make_node("Constant", [], ["w"], "w", value=weights("v", 4, 3, 3, 3)),
        helper.make_node("Constant", [], ["s"], "s", value_ints=[1, 144]),
        helper.make_node("ConvRelu", ["x", "w"], ["y"], "call", domain="my.own"),
        helper.make_node("Reshape", ["y", "s"], ["f"], "flat"),
    ]
    proto = model(nodes, [], [1, 3, 8, 8])
    proto.functions.append(function)
    proto.opset_import.append(helper.make_opsetid("my.own", 1))
    network = read(proto, tmp_path)
    assert [(layer.op, layer.macs) for layer in network.counted] == [("conv", 36 * 27 * 4)]
    assert network.layers[-1].out_shape == Shape(144, 1, 1)


def test_weights_stored_beside_the_model_are_not_needed(tmp_path: Path) -> None:
    tensor = weights("w", 4, 3, 3, 3)
    tensor.ClearField("raw_data")
    tensor.data_location = TensorProto.EXTERNAL
    tensor.external_data.add(key="location", value="nowhere.bin")
    assert read(model([conv()], [tensor], [1, 3, 8, 8]), tmp_path).counted[0].macs == 36 * 27 * 4


def test_mobilenetv2_has_the_macs_of_the_shipped_description() -> None:
    """The same network from another source."""
    if not ORIGINAL.is_file():
        pytest.skip(f"{ORIGINAL.name} is not beside this checkout")
    ours = load_network("mobilenetv2_imagenet").counted
    theirs = load_network(ORIGINAL, input_size=(224, 224)).counted
    assert [layer.macs for layer in theirs] == [layer.macs for layer in ours]
