"""Counts of other tools, recorded: QONNX and onnx-tool."""

import pytest
from peer_layers import alone, peer_layer, rows

QONNX = rows("qonnx_1.0.0_inference_cost.csv")


@pytest.mark.parametrize("row", QONNX, ids=[f"{r['layer']} {r['w_bits']}/{r['a_bits']}" for r in QONNX])
def test_macs_bops_and_memory_equal_qonnx(row: dict[str, str]) -> None:
    counted = alone(peer_layer(row["layer"], int(row["w_bits"]), int(row["a_bits"])))
    assert counted.macs == int(row["qonnx_macs_no_discount"]) == int(row["macs_by_hand"])
    assert counted.bops == int(row["qonnx_bops_no_discount"])
    assert counted.traffic.weight_bits == int(row["mem_w_bits"])
    assert counted.layer.out_shape.values == int(row["mem_o_elems"])


@pytest.mark.parametrize("row", rows("onnx_tool_1.0.1.csv"), ids=lambda r: r["layer"])
def test_macs_and_parameters_equal_onnx_tool(row: dict[str, str]) -> None:
    counted = alone(peer_layer(row["layer"]))
    assert (counted.macs, counted.params) == (int(row["macs"]), int(row["params"]))
