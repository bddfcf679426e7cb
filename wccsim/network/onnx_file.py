"""Reading an ONNX model as a network: every node a layer, a constant, or nothing but another name.

The quantised forms count as what they compute: QLinearConv and ConvInteger are convolutions, and
QuantizeLinear gives the maps and weights behind it the width of its zero point's type.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

from wccsim.errors import WccsimError
from wccsim.network import shapes
from wccsim.network.model import Layer, Network
from wccsim.network.onnx_build import Build, Map, NotUnderstood
from wccsim.network.onnx_graph import Constant, Node, load, shape_of
from wccsim.network.onnx_operators import READERS

RENAMES = ("Identity", "Dropout", "Cast")
QUANTISERS = ("QuantizeLinear", "DequantizeLinear", "DynamicQuantizeLinear")
PASSING = ("Identity", "Transpose", "Reshape", "Cast", *QUANTISERS)  # of a constant: its width passes on


def read(
    path: Path | str, *, input_size: tuple[int, int] | None = None, allow_unsupported: bool = False
) -> Network:
    """The network in an ONNX model; needs the extra `onnx`.

    `input_size` (height, width) sets what the model leaves open. An operator that is not understood
    is refused by name, or listed in `Network.unsupported` where `allow_unsupported`.
    """
    graph, content = load(path, input_size)
    build = Build(graph)
    problem: WccsimError | None = None
    try:
        _walk(build, str(path))
    except WccsimError as found:
        problem = found
    if build.unsupported and not allow_unsupported:  # the likelier cause of any problem after it
        more = f" and {len(build.unsupported) - 3} more" if len(build.unsupported) > 3 else ""
        listed = ", ".join(build.unsupported[:3])
        raise WccsimError(
            f"{path}: not understood: {listed}{more}; --allow-unsupported lists them in the output instead"
        )
    if problem:
        raise problem
    layers = tuple(build.layers.values())
    digest = hashlib.sha256(content).hexdigest()
    source = f"ONNX model {Path(path).name}"
    return Network(Path(path).stem, layers, source, False, tuple(build.unsupported), digest)


def _walk(build: Build, path: str) -> None:
    """Inputs, then nodes in order; every error names the node."""
    for name in build.graph.inputs:
        shape = shapes.checked(shape_of(build.dims(name, f"input {name!r}")), f"{path}: input {name!r}")
        bits = build.graph.bits.get(name)
        layer = build.add(Layer(build.free(name), "input", (), shape, shape))
        build.maps[name] = Map(layer, build.graph.dims[name], bits)
    for node in build.graph.nodes:
        try:
            _node(build, node)
        except WccsimError as problem:
            raise WccsimError(f"{path}: {node}: {problem}") from None


def _node(build: Build, node: Node) -> None:
    maps, constants = build.maps, build.graph.constants
    for name in node.inputs:
        if name and name not in maps and name not in constants and node.op not in ("Shape", "Size"):
            raise WccsimError(f"input {name!r} is of no known size")
    if node.op in ("Constant", "Shape", "Size") or not any(name in maps for name in node.inputs):
        _constant(build, node)
    elif node.op in QUANTISERS and node.inputs[0] in maps:
        _quantise(build, node)
    elif node.op in RENAMES:
        maps[node.outputs[0]] = build.source(node)
    else:
        layer = _layer(build, node)
        if layer is None:
            _not_understood(build, node)
        else:
            dims = build.dims(node.outputs[0], f"output {node.outputs[0]!r}")
            maps[node.outputs[0]] = Map(layer, dims, build.graph.bits.get(node.outputs[0]))


def _layer(build: Build, node: Node) -> Layer | None:
    """The layer of an operator; None where the operator, or this use of it, is not understood."""
    if node.op not in READERS or not node.outputs:
        return None
    try:
        return READERS[node.op](build, node)
    except NotUnderstood:
        return None


def _constant(build: Build, node: Node) -> None:
    """A node that reads no map: its outputs are known before the run."""
    constants, graph = build.graph.constants, build.graph
    before = constants.get(node.inputs[0]) if node.inputs and node.op in PASSING else None
    for name in node.outputs:
        if name not in constants:  # what a Constant states is there already
            bits = graph.bits.get(name) or (before.bits if before else None)
            constants[name] = Constant(graph.dims.get(name, before.dims if before else ()), bits)


def _quantise(build: Build, node: Node) -> None:
    """The same map under a new name; quantising says its width, dequantising keeps it."""
    before = build.source(node)
    stated = build.graph.bits.get(node.outputs[0])
    bits = stated or (before.bits if node.op == "DequantizeLinear" else 8)
    build.maps[node.outputs[0]] = Map(before.layer, before.dims, bits)
    for name in node.outputs[1:]:  # scale and zero point
        build.graph.constants[name] = Constant((), None)


def _not_understood(build: Build, node: Node) -> None:
    """A placeholder of the right size for each output, so that the layers after it can be read."""
    build.unsupported.append(f"{node.op} ({node.name})")
    sources = [build.maps[name].layer for name in node.inputs if name in build.maps]
    for index, name in enumerate(node.outputs):
        if name in build.graph.dims:
            out = shapes.checked(shape_of(build.graph.dims[name]), "the output")
            label = build.free(node.name if index == 0 else f"{node.name} {index}")
            names = tuple(dict.fromkeys(source.name for source in sources))
            layer = Layer(label, "unsupported", names, sources[0].out_shape, out, function=node.op)
            build.maps[name] = Map(build.add(layer), build.graph.dims[name])
