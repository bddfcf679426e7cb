"""ONNX models that are not understood, broken or open: a refusal in one line, or listed."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from onnx_models import (
    TEMPORARY,
    TensorProto,
    conv,
    helper,
    integers,
    model,
    quantised,
    read,
    weights,
)

from wccsim.errors import WccsimError
from wccsim.network.catalog import load_network
from wccsim.network.description import parse_network
from wccsim.network.model import Shape
from wccsim.network.writer import yaml_text


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
