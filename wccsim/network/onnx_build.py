"""Layers being built from an ONNX graph: what the operators' readers ask for."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from wccsim.errors import WccsimError
from wccsim.network import shapes
from wccsim.network.model import Layer, Shape
from wccsim.network.onnx_graph import Constant, Graph, Node, shape_of
from wccsim.network.shapes import Padding, Window

DEFAULT_BITS = 8  # a float model states no widths: the default of every network
MAX_NAME = 150
AUTO_PAD = {"SAME_UPPER": "same", "SAME_LOWER": "same_lower", "VALID": "valid"}


class NotUnderstood(WccsimError):
    """An operator that is understood, used in a way that is not."""


@dataclass(frozen=True, slots=True)
class Map:
    """A feature map: the layer that makes it, its dimensions, and its width where stated."""

    layer: Layer
    dims: tuple[int, ...]
    bits: int | None = None


@dataclass(slots=True)
class Build:
    """The layers so far, and the map behind every tensor's name."""

    graph: Graph
    layers: dict[str, Layer] = field(default_factory=dict)
    maps: dict[str, Map] = field(default_factory=dict)
    unsupported: list[str] = field(default_factory=list)
    repeated: dict[str, int] = field(default_factory=dict)

    def add(self, layer: Layer) -> Layer:
        """Append `layer`, whose name is free."""
        self.layers[layer.name] = layer
        return layer

    def free(self, name: str) -> str:
        """`name`, printable and not taken."""
        name = "".join(mark if mark.isprintable() else "?" for mark in name)[:MAX_NAME] or "node"
        found = name
        while found in self.layers or found == "previous":
            self.repeated[name] = self.repeated.get(name, 1) + 1
            found = f"{name} ({self.repeated[name]})"
        return found

    def dims(self, name: str, what: str) -> tuple[int, ...]:
        """The dimensions of a tensor, as the model infers them; WccsimError, naming `what`, without."""
        if name not in self.graph.dims:
            raise WccsimError(f"the size of {what} is not known")
        return self.graph.dims[name]

    def source(self, node: Node, index: int = 0) -> Map:
        """The map at input `index`."""
        if index >= len(node.inputs) or node.inputs[index] not in self.maps:
            raise NotUnderstood(f"input {index} is no feature map")
        return self.maps[node.inputs[index]]

    def view(self, given: Map, wanted: Shape) -> Layer:
        """The map as a layer of shape `wanted`, through a reshape where it has another."""
        if given.layer.out_shape == wanted:
            return given.layer
        label = self.free(f"{given.layer.name} as {wanted}")
        return self.add(shapes.mapped(label, "reshape", given.layer, wanted))

    def plain(self, given: Map) -> Layer:
        """The map as its dimensions read from the left."""
        return self.view(given, shape_of(given.dims))

    def out_shape(self, node: Node) -> Shape:
        """The first output as a map."""
        return shape_of(self.dims(node.outputs[0], f"output {node.outputs[0]!r}"))

    def known(self, node: Node, index: int) -> Constant | None:
        """The constant at input `index`, if there is one."""
        name = node.inputs[index] if index < len(node.inputs) else ""
        return self.graph.constants.get(name)

    def widths(self, given: Map, weights: Constant | None = None) -> dict[str, Any]:
        """Widths as stated by the types, else the default."""
        found: dict[str, Any] = {"act_bits": given.bits or DEFAULT_BITS}
        if weights is not None:
            found["weight_bits"] = weights.bits or DEFAULT_BITS
        return found

    def weights(self, node: Node, index: int) -> Constant:
        """The constant of at least two dimensions at input `index`; NotUnderstood for anything else."""
        found = self.known(node, index)
        if found is None or len(found.dims) < 2 or min(found.dims) < 1:
            raise NotUnderstood(f"input {index} (the weights) is no constant of known size")
        return found

    def window(self, node: Node, kernel: tuple[int, ...]) -> Window:
        """The node's window, of one or two axes; a single axis lies along the rows."""
        axes = len(kernel)
        if axes not in (1, 2):
            raise WccsimError(f"{axes} spatial axes; one or two are understood")

        def both(name: str) -> tuple[int, int]:
            values = node.integers(name, [1] * axes)
            if len(values) != axes:
                raise WccsimError(f"{len(values)} {name} were given; {axes} are needed")
            return (values[0], values[1]) if axes == 2 else (values[0], 1)

        auto = node.text("auto_pad", "NOTSET")
        pads = node.integers("pads", [0] * 2 * axes)
        if len(pads) != 2 * axes or min(pads, default=0) < 0:
            raise WccsimError(f"pads {pads} were given; {2 * axes} numbers from 0 are understood")
        numbers = (pads[0], pads[2], pads[1], pads[3]) if axes == 2 else (pads[0], pads[1], 0, 0)
        padding: Padding = AUTO_PAD.get(auto, numbers)
        whole = (kernel[0], kernel[1]) if axes == 2 else (kernel[0], 1)
        window = Window(whole, both("strides"), both("dilations"), padding)
        if min(*window.kernel, *window.stride, *window.dilation) < 1:
            raise WccsimError("a kernel, stride or dilation below 1")
        return window
