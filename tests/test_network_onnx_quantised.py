"""Quantised ONNX models: widths from their types, MACs as those of the float model."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from onnx_models import (
    TensorProto,
    helper,
    model,
    quantised,
    read,
    weights,
)

from wccsim.network.catalog import load_network


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
