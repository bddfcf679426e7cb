"""ONNX models: sizes against onnxruntime's own outputs, MACs by hand, and every refusal in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.network.catalog import load_network
from wccsim.network.description import parse_network
from wccsim.network.model import Network, Shape
from wccsim.network.writer import yaml_text

onnx = pytest.importorskip("onnx", reason='onnx is not installed; pip install "wccsim[onnx]"')
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

ORIGINAL = Path(__file__).parent.parent.parent / "shared" / "data" / "models" / "mobilenetv2_fp32.onnx"


def weights(name: str, *dims: int, dtype: Any = np.float32) -> Any:
    return numpy_helper.from_array(np.zeros(dims, dtype), name)


def integers(name: str, *values: int) -> Any:
    return numpy_helper.from_array(np.array(values, np.int64), name)


def conv(**attributes: Any) -> Any:
    return helper.make_node("Conv", ["x", "w"], ["y"], "n", **attributes)


def model(nodes: list[Any], constants: list[Any], shape: list[Any], **options: Any) -> Any:
    """A model with one input `x` whose last node's first output is its output."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("x", options.get("dtype", TensorProto.FLOAT), shape)],
        [helper.make_tensor_value_info(nodes[-1].output[0], options.get("out", TensorProto.FLOAT), None)],
        constants,
    )
    opsets = [helper.make_opsetid("", options.get("opset", 17)), helper.make_opsetid("com.microsoft", 1)]
    return helper.make_model(graph, opset_imports=opsets, ir_version=8)


def read(proto: Any, tmp_path: Path, **options: Any) -> Network:
    path = tmp_path / "model.onnx"
    path.write_bytes(proto.SerializeToString())
    return load_network(path, **options)


def ran(proto: Any, *dims: int) -> tuple[int, ...]:
    """The output's dimensions as onnxruntime makes them."""
    onnxruntime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = onnxruntime.InferenceSession(proto.SerializeToString(), providers=["CPUExecutionProvider"])
    found: tuple[int, ...] = session.run(None, {"x": np.zeros(dims, np.float32)})[0].shape
    return found


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
TEMPORARY = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
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


def quantised(bits: int) -> Any:
    """QDQ around a convolution: `bits`-bit weights, 8-bit maps in, 16-bit maps behind it."""
    kind = {4: TensorProto.INT4, 8: TensorProto.INT8, 16: TensorProto.INT16}[bits]
    nodes = [
        helper.make_node("QuantizeLinear", ["x", "s", "zu8"], ["xq"], "q1"),
        helper.make_node("DequantizeLinear", ["xq", "s", "zu8"], ["xd"], "d1"),
        helper.make_node("DequantizeLinear", ["wq", "s", "zw"], ["wd"], "dw"),
        helper.make_node("Conv", ["xd", "wd"], ["c"], "conv"),
        helper.make_node("QuantizeLinear", ["c", "s", "z16"], ["cq"], "q2"),
        helper.make_node("DequantizeLinear", ["cq", "s", "z16"], ["cd"], "d2"),
        helper.make_node("Conv", ["cd", "v"], ["y"], "second"),
    ]
    constants = [
        weights("s"), weights("zu8", dtype=np.uint8), weights("z16", dtype=np.int16),
        weights("v", 2, 6, 1, 1),
        helper.make_tensor("wq", kind, [6, 3, 3, 3], [0] * 162), helper.make_tensor("zw", kind, [], [0]),
    ]  # fmt: skip
    return model(nodes, constants, [1, 3, 8, 8], opset=21)


@pytest.mark.parametrize("bits", [4, 8, 16])
def test_widths_come_from_the_types_of_the_zero_points(tmp_path: Path, bits: int) -> None:
    first, second = read(quantised(bits), tmp_path).counted
    assert (first.weight_bits, first.act_bits, first.macs) == (bits, 8, 36 * 27 * 6)
    assert (second.weight_bits, second.act_bits) == (8, 16)  # float weights state none: the default


def test_the_integer_operators_count_as_what_they_compute(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("ConvInteger", ["x", "w"], ["i"], "integer", pads=[1, 1, 1, 1]),
        helper.make_node("Cast", ["i"], ["f"], "cast", to=TensorProto.FLOAT),
        helper.make_node("QuantizeLinear", ["f", "s", "z"], ["q"], "quantise"),
        helper.make_node(
            "QLinearConv", ["q", "s", "z", "w2", "s", "z", "s", "z", "b"], ["c"], "qconv", strides=[2, 2]
        ),
        helper.make_node(
            "QLinearAdd", ["c", "s", "z", "c", "s", "z", "s", "z"], ["a"], "qadd", domain="com.microsoft"
        ),
        helper.make_node("Flatten", ["a"], ["v"], "flatten"),
        helper.make_node("QLinearMatMul", ["v", "s", "z", "w3", "s", "z", "s", "z"], ["m"], "qdense"),
        helper.make_node("MatMulInteger", ["m", "w4"], ["y"], "dense"),
    ]
    uint8 = np.uint8
    constants = [
        weights("w", 4, 3, 3, 3, dtype=uint8), weights("w2", 5, 4, 1, 1, dtype=uint8),
        weights("b", 5, dtype=np.int32), weights("s"), weights("z", dtype=uint8),
        weights("w3", 5 * 16, 7, dtype=uint8), weights("w4", 7, 9, dtype=uint8),
    ]  # fmt: skip
    proto = model(nodes, constants, [1, 3, 8, 8], dtype=TensorProto.UINT8, out=TensorProto.INT32)
    found = {layer.name: layer for layer in read(proto, tmp_path).counted}
    assert {name: layer.macs for name, layer in found.items()} == {
        "integer": 64 * 27 * 4,
        "qconv": 16 * 4 * 5,
        "qdense": 80 * 7,
        "dense": 63,
    }
    assert all(
        (layer.weight_bits, layer.act_bits) == (8, 8) for layer in found.values() if layer.name != "dense"
    )
    assert found["qconv"].bias


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


@pytest.mark.parametrize("form", ["QDQ", "QOperator"])
def test_models_quantised_by_onnxruntime_keep_their_macs(tmp_path: Path, form: str) -> None:
    tool = pytest.importorskip("onnxruntime.quantization", reason="onnxruntime is not installed")
    nodes = [
        helper.make_node("Conv", ["x", "w", "b"], ["c"], "first", pads=[1, 1, 1, 1]),
        helper.make_node("Relu", ["c"], ["r"], "relu"),
        helper.make_node("Conv", ["r", "v"], ["d"], "second", pads=[1, 1, 1, 1], group=2),
        helper.make_node("Add", ["d", "r"], ["s"], "sum"),
        helper.make_node("Concat", ["s", "d"], ["k"], "cat", axis=1),
        helper.make_node("GlobalAveragePool", ["k"], ["g"], "pool"),
        helper.make_node("Flatten", ["g"], ["f"], "flat"),
        helper.make_node("Gemm", ["f", "m", "n"], ["y"], "dense", transB=1),
    ]
    constants = [
        weights("w", 6, 3, 3, 3),
        weights("b", 6),
        weights("v", 6, 3, 3, 3),
        weights("m", 10, 12),
        weights("n", 10),
    ]
    proto = model(nodes, constants, [1, 3, 8, 8])
    del proto.graph.output[:]
    proto.graph.output.append(helper.make_tensor_value_info("y", TensorProto.FLOAT, [1, 10]))

    class Images(tool.CalibrationDataReader):  # type: ignore[misc,name-defined]
        def __init__(self) -> None:
            self.left = iter([{"x": np.linspace(-1, 1, 192, dtype=np.float32).reshape(1, 3, 8, 8)}])

        def get_next(self) -> Any:
            return next(self.left, None)

    plain, quantised = tmp_path / "plain.onnx", tmp_path / "quantised.onnx"
    plain.write_bytes(proto.SerializeToString())
    tool.quantize_static(plain, quantised, Images(), quant_format=tool.QuantFormat[form])
    found = load_network(quantised).counted
    assert [layer.macs for layer in found] == [layer.macs for layer in load_network(plain).counted]
    assert [layer.macs for layer in found] == [64 * 27 * 6, 64 * 27 * 6, 120]
    assert {(layer.weight_bits, layer.act_bits) for layer in found} == {(8, 8)}


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


def test_an_operator_that_is_not_understood_is_refused_or_listed(tmp_path: Path) -> None:
    nodes = [
        helper.make_node("Conv", ["x", "w"], ["c"], "first"),
        helper.make_node("CumSum", ["c", "axis"], ["e"], "strange"),
        helper.make_node("Conv", ["e", "v"], ["y"], "last"),
    ]
    constants = [weights("w", 5, 3, 1, 1), weights("v", 2, 5, 3, 3), integers("axis", 1)]
    proto = model(nodes, constants, [1, 3, 8, 8])
    with pytest.raises(WccsimError, match=r"not understood: CumSum \(strange\); --allow-unsupported lists"):
        read(proto, tmp_path)
    network = read(proto, tmp_path, allow_unsupported=True)
    assert network.unsupported == ("CumSum (strange)",)
    assert [layer.macs for layer in network.counted] == [64 * 15, 36 * 9 * 10]
    again = parse_network(yaml_text(network).encode(), "x", allow_unsupported=True)
    assert (again.layers, again.unsupported) == (network.layers, network.unsupported)


REFUSED = {
    "foreign": (
        helper.make_node("Foo", ["x"], ["y"], "n", domain="my.own"),
        [],
        r"understood: my.own.Foo \(n\)",
    ),
    "norm": (helper.make_node("ReduceL2", ["x"], ["y"], "n", axes=[1]), [], r"understood: ReduceL2 \(n\)"),
    "concat": (helper.make_node("Concat", ["x", "x"], ["y"], "n", axis=2), [], r"understood: Concat \(n\)"),
    "pad": (
        helper.make_node("Pad", ["x", "p"], ["y"], "n"),
        [integers("p", 0, 1, 0, 0, 0, 0, 0, 0)],
        r"understood: Pad \(n\)",
    ),
    "weights": (helper.make_node("Conv", ["x", "x"], ["y"], "n"), [], "understood: Conv|inferred"),
    "channels": (conv(), [weights("w", 2, 5, 1, 1)], "channels|inferred"),
    "kernel": (conv(), [weights("w", 2, 3, 99, 1)], "kernel extent 99|inferred|known"),
    "group": (conv(group=0), [weights("w", 2, 3, 1, 1)], "0|inferred"),
    "stride": (conv(strides=[0, 1]), [weights("w", 2, 3, 1, 1)], "below 1|inferred|known"),
    "embedding": (
        helper.make_node("Gather", ["w", "x"], ["y"], "n"),
        [weights("w", 9, 5)],
        "understood: Gather",
    ),
    "dangling": (helper.make_node("Relu", ["nowhere"], ["y"], "n"), [], "no known size|inferred"),
    "opset": (helper.make_node("Conv", ["x"], ["y"], "n"), [], "understood: Conv|inferred"),
    "pads": (conv(pads=[-1, 0, 0, 0]), [weights("w", 2, 3, 1, 1)], "pads|inferred|known"),
}


@pytest.mark.parametrize(("node", "constants", "said"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_counted_is_one_line(
    tmp_path: Path, node: Any, constants: list[Any], said: str
) -> None:
    with pytest.raises(WccsimError, match=said) as caught:
        read(model([node], constants, [1, 3, 8, 8]), tmp_path)
    assert "\n" not in str(caught.value)
    assert "model.onnx: " in str(caught.value)


def test_what_follows_an_unknown_size_is_never_dropped(tmp_path: Path) -> None:
    """A second output that nothing describes, read by a convolution: an error, not a missing row."""
    nodes = [
        helper.make_node("MaxPool", ["x"], ["p", "indices"], "pool", kernel_shape=[2, 2]),
        helper.make_node("Cast", ["indices"], ["i"], "cast", to=TensorProto.FLOAT),
        helper.make_node("Conv", ["i", "w"], ["y"], "last"),
    ]
    with pytest.raises(WccsimError, match=r"Cast \(node 'cast'\): input 'indices' is of no known size"):
        read(model(nodes, [weights("w", 2, 3, 1, 1)], [1, 3, 8, 8]), tmp_path)


@pytest.mark.parametrize("broken", ["name", "type", "data", "attribute"])
def test_broken_fields_are_one_line_or_do_not_matter(tmp_path: Path, broken: str) -> None:
    proto = model([conv(pads=[1, 1, 1, 1])], [weights("w", 2, 3, 3, 3)], [1, 3, 8, 8])
    if broken == "type":
        proto.graph.initializer[0].data_type = 65
    if broken == "data":
        proto.graph.initializer[0].raw_data = b"xx"
    if broken == "attribute":
        proto.graph.node[0].attribute[0].name = "group"
    content = proto.SerializeToString()
    if broken == "name":
        content = content.replace(b"Conv", b"Co\xff\xfe")
    (tmp_path / "m.onnx").write_bytes(content)
    try:
        network = load_network(tmp_path / "m.onnx")
    except WccsimError as problem:
        assert "\n" not in str(problem)
    else:
        assert broken in ("type", "data")
        assert network.layers[-1].macs == 64 * 54


def test_open_sizes_are_set_by_the_input_size(tmp_path: Path) -> None:
    node = helper.make_node("Conv", ["x", "w"], ["y"], "c")
    proto = model([node], [weights("w", 2, 3, 3, 3)], ["n", 3, "h", "w"])
    with pytest.raises(WccsimError, match=r"input 'x' is n x 3 x h x w, not all known; give --input HxW"):
        read(proto, tmp_path)
    assert read(proto, tmp_path, input_size=(10, 12)).layers[-1].out_shape == Shape(2, 8, 10)
    fixed = model([node], [weights("w", 2, 3, 3, 3)], [1, 3, 8, 8])
    assert read(fixed, tmp_path, input_size=(10, 12)).layers[-1].out_shape == Shape(2, 8, 10)
    with pytest.raises(WccsimError, match="only batch, height and width can be set"):
        read(model([helper.make_node("Relu", ["x"], ["y"], "r")], [], ["n", "k"]), tmp_path)


def test_a_file_that_is_no_model_is_one_line(tmp_path: Path) -> None:
    whole = model(
        [helper.make_node("Conv", ["x", "w"], ["y"], "c")], [weights("w", 2, 3, 3, 3)], [1, 3, 8, 8]
    )
    content = whole.SerializeToString()
    graph_end = content.index(whole.graph.SerializeToString()) + whole.graph.ByteSize()  # then the opsets
    path = tmp_path / "m.onnx"
    for wrong in (
        b"",
        b"hello",
        b"\x00" * 100,
        b"\xff" * 100,
        *(content[:cut] for cut in (*range(1, graph_end, 7), graph_end)),
    ):
        path.write_bytes(wrong)
        with pytest.raises(WccsimError) as caught:
            load_network(path)
        assert "\n" not in str(caught.value) and "m.onnx" in str(caught.value)


@TEMPORARY
@given(st.lists(st.tuples(st.integers(0, 10_000), st.integers(0, 255)), min_size=1, max_size=6))
def test_a_model_with_flipped_bytes_is_a_network_or_one_line(
    tmp_path: Path, flips: list[tuple[int, int]]
) -> None:
    content = bytearray(quantised(8).SerializeToString())
    for position, byte in flips:
        content[position % len(content)] = byte
    path = tmp_path / "m.onnx"
    path.write_bytes(bytes(content))
    try:
        load_network(path, input_size=(8, 8))
    except WccsimError as problem:
        assert "\n" not in str(problem)


def test_mobilenetv2_has_the_macs_of_the_shipped_description() -> None:
    """The same network from another source."""
    if not ORIGINAL.is_file():
        pytest.skip(f"{ORIGINAL.name} is not beside this checkout")
    ours = load_network("mobilenetv2_imagenet").counted
    theirs = load_network(ORIGINAL, input_size=(224, 224)).counted
    assert [layer.macs for layer in theirs] == [layer.macs for layer in ours]
