"""Small ONNX models for the tests: built, written, read, and run by onnxruntime."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, settings

from wccsim.network.catalog import load_network
from wccsim.network.model import Network

onnx = pytest.importorskip("onnx", reason='onnx is not installed; pip install "wccsim[onnx]"')
from onnx import TensorProto, helper, numpy_helper  # noqa: E402

TEMPORARY = settings(
    max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)


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
