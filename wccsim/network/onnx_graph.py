"""An ONNX model loaded, its sizes inferred, its tensors and constants by name; no operators yet.

Only shapes, types and small constants are looked at; weight data is dropped before inference and
external data is never opened.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.network.model import Shape
from wccsim.network.onnx_sizes import array_of, inferred, inlined, known_dims, lowered, stated

MAX_BYTES = (1 << 31) - 1  # a protobuf holds no more
MAX_NODES = 20_000


@dataclass(frozen=True, slots=True)
class Constant:
    """A tensor known before the run: its shape, the width of its type, its values where small."""

    dims: tuple[int, ...]
    bits: int | None
    values: tuple[float, ...] | None = None


@dataclass(frozen=True, slots=True)
class Node:
    """One operation; names of absent optional inputs are empty."""

    op: str
    name: str
    inputs: tuple[str, ...]
    outputs: tuple[str, ...]
    attributes: Mapping[str, Any]

    def __str__(self) -> str:
        return f"{self.op} (node {self.name!r})"

    def integer(self, name: str, default: int) -> int:
        """An integer attribute."""
        value = self.attributes.get(name, default)
        if not isinstance(value, int):
            raise WccsimError(f"attribute {name} is no integer")
        return value

    def integers(self, name: str, default: Sequence[float]) -> list[int]:
        """A list of integers."""
        values = self.attributes.get(name, default)
        if not isinstance(values, Sequence) or not all(isinstance(value, (int, float)) for value in values):
            raise WccsimError(f"attribute {name} is no list of integers")
        return [int(value) for value in values if math.isfinite(value)]

    def text(self, name: str, default: str) -> str:
        """A text; what is no text is the default."""
        value = self.attributes.get(name, default)
        return value.decode(errors="replace") if isinstance(value, bytes) else default


@dataclass(frozen=True, slots=True)
class Graph:
    """The graph with every size that could be inferred; `bits` where a tensor's type is an integer."""

    name: str
    inputs: tuple[str, ...]
    nodes: tuple[Node, ...]
    constants: dict[str, Constant]
    dims: dict[str, tuple[int, ...]] = field(default_factory=dict)
    bits: dict[str, int] = field(default_factory=dict)


def load(path: Path | str, input_size: tuple[int, int] | None) -> tuple[Graph, bytes]:
    """The graph in the file and the file's content.

    `input_size` sets height and width of the first 4-dimensional input and of every other of its
    size; the batch of images is 1, and so is an unknown one. Raises WccsimError for what is no ONNX
    model, for a size that is not known, and where onnx itself is missing.
    """
    content = read_bytes(path, MAX_BYTES)
    try:
        import onnx
    except ImportError:
        raise WccsimError(f'{path} needs onnx: pip install "wccsim[onnx]"') from None
    try:
        model = inlined(onnx.load_model_from_string(content))
    except Exception:  # protobuf's DecodeError, of a module that has no types and moved before
        raise WccsimError(f"{path} is not an ONNX model, or it is cut short") from None
    if not model.graph.node or not model.opset_import:
        raise WccsimError(
            f"{path} is not an ONNX model: it has no {'opset' if model.graph.node else 'nodes'}"
        )
    if len(model.graph.node) > MAX_NODES:
        raise WccsimError(f"{path} has {len(model.graph.node)} nodes; allowed: {MAX_NODES}")
    if any(isinstance(text, bytes) for text in _texts(model.graph)):
        raise WccsimError(f"{path} is not an ONNX model: it has names that are not UTF-8 text")
    given = {tensor.name for tensor in model.graph.initializer}
    inputs = [value for value in model.graph.input if value.name not in given]
    if not inputs:
        raise WccsimError(f"{path} has no input")
    _set_sizes(inputs, input_size, str(path))
    lowered(model)
    return _graph(inferred(model, str(path)), str(path)), content


def _texts(graph: Any) -> Iterator[Any]:
    """Every name; protobuf gives bytes where one is not UTF-8."""
    yield graph.name
    for node in graph.node:
        yield from (node.name, node.op_type, node.domain, *node.input, *node.output)
        yield from (item.name for item in node.attribute)
    for named in (*graph.initializer, *graph.input, *graph.output):
        yield named.name


def constant(tensor: Any) -> Constant:
    """A TensorProto as a Constant; data stored outside the file stays unread."""
    return Constant(tuple(tensor.dims), type_bits(tensor.data_type), _numbers(array_of(tensor)))


def _numbers(array: Any) -> tuple[float, ...] | None:
    if array is None or array.dtype.kind not in "biuf":
        return None
    return tuple(float(value) for value in array.ravel())


def type_bits(data_type: int) -> int | None:
    """The width of an integer type, None of any other."""
    import onnx

    name: str = (
        onnx.TensorProto.DataType.Name(data_type) if data_type in onnx.TensorProto.DataType.values() else ""
    )
    digits = name.removeprefix("U").removeprefix("INT")
    return int(digits) if name.startswith(("INT", "UINT")) and digits.isdigit() else None


def _set_sizes(inputs: list[Any], size: tuple[int, int] | None, path: str) -> None:
    """Give every input fixed sizes: batch 1, and `size` for the images."""
    first: list[str] | None = None
    for value in inputs:
        dims = value.type.tensor_type.shape.dim
        shown = [str(dim.dim_value) if dim.HasField("dim_value") else dim.dim_param or "?" for dim in dims]
        if len(dims) == 4 or (dims and not (dims[0].HasField("dim_value") and dims[0].dim_value > 0)):
            dims[0].dim_value = 1
        if len(dims) == 4:
            first = first or shown[2:]
            if size and shown[2:] == first:
                dims[2].dim_value, dims[3].dim_value = size
        if any(not dim.HasField("dim_value") or dim.dim_value < 1 for dim in dims):
            hint = "give --input HxW" if len(dims) == 4 else "only batch, height and width can be set"
            raise WccsimError(f"{path}: input {value.name!r} is {' x '.join(shown)}, not all known; {hint}")


def _graph(model: Any, path: str) -> Graph:
    bits = {}
    for value in (*model.graph.input, *model.graph.value_info, *model.graph.output):
        width = type_bits(value.type.tensor_type.elem_type)
        if width is not None:
            bits[value.name] = width
    constants = {tensor.name: constant(tensor) for tensor in model.graph.initializer}
    for node in model.graph.node:
        if node.op_type == "Constant" and node.output:
            array, tensors = stated(node), [item.t for item in node.attribute if item.name == "value"]
            given = (
                constant(tensors[0]) if tensors else Constant(array.shape if array is not None else (), None)
            )
            constants[node.output[0]] = replace(given, values=_numbers(array))
    nodes = tuple(_node(node, index, path) for index, node in enumerate(model.graph.node))
    inputs = tuple(value.name for value in model.graph.input if value.name not in constants)
    return Graph(model.graph.name or Path(path).stem, inputs, nodes, constants, known_dims(model), bits)


def _node(node: Any, index: int, path: str) -> Node:
    import onnx

    try:
        attributes = {item.name: onnx.helper.get_attribute_value(item) for item in node.attribute}
    except ValueError:
        raise WccsimError(
            f"{path}: {node.op_type} (node {node.name!r}) has an attribute of no known type"
        ) from None
    op = node.op_type if node.domain in ("", "ai.onnx") else f"{node.domain}.{node.op_type}"
    return Node(op, node.name or f"{node.op_type}_{index}", tuple(node.input), tuple(node.output), attributes)


def shape_of(dims: tuple[int, ...]) -> Shape:
    """A tensor's dimensions as channels, height, width: the batch of 1 off, the rest from the left."""
    sizes = dims[1:] if len(dims) > 1 and dims[0] == 1 else dims
    if len(sizes) > 3:
        sizes = (math.prod(sizes[:-2]), *sizes[-2:])
    channels, height, width = (*sizes, 1, 1, 1)[:3]
    return Shape(channels, height, width)
