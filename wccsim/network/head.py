"""The head of a description: inputs, defaults, patterns and blocks; and the names known so far."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from fnmatch import translate
from typing import Any

from wccsim.errors import WccsimError
from wccsim.located import Node, brief
from wccsim.network import values
from wccsim.network.entries import FLOW, OPERATORS
from wccsim.network.model import Layer, Shape
from wccsim.network.values import MAP_KEYS, SETTING_KEYS

MAX_LAYERS = 20_000
MAX_WORK = 1_000_000
MAX_PATTERNS = 100
MAX_NAME = 200
RESERVED = ("previous",)
DEFAULT_KEYS = ("weight_bits", "act_bits", "wcc", "keep", "levels", "bias", "padding")
# What other tools call the operators, for hints alone.
OTHER_NAMES = {
    **dict.fromkeys(("conv2d", "convolution", "pointwise", "conv1x1"), "conv"),
    **dict.fromkeys(("dwconv", "dw", "depthwise_conv", "depthwise_conv2d", "depthwiseconv2d"), "depthwise"),
    **dict.fromkeys(("deconv", "convtranspose", "conv_transpose2d", "transposed_conv"), "conv_transpose"),
    **dict.fromkeys(("fc", "linear", "dense", "gemm", "innerproduct"), "fully_connected"),
    **dict.fromkeys(("maxpool", "maxpool2d", "max_pool2d"), "max_pool"),
    **dict.fromkeys(("avgpool", "avg_pool", "averagepool"), "average_pool"),
    **dict.fromkeys(("gap", "globalaveragepool", "global_avg_pool"), "global_average_pool"),
    **dict.fromkeys(("relu", "relu6", "sigmoid", "swish", "hard_swish", "act"), "activation"),
    **dict.fromkeys(("resize", "interpolate", "upsampling"), "upsample"),
    **dict.fromkeys(("cat", "concatenate"), "concat"),
    **dict.fromkeys(("residual", "shortcut", "sum", "eltwise"), "add"),
    **dict.fromkeys(("mul", "product"), "multiply"),
    **dict.fromkeys(("se", "squeeze_excitation"), "squeeze_excite"),
}
BUILT_IN = ("name", "index", "input", "channels", "height", "width")


@dataclass(frozen=True, slots=True)
class Block:
    """A template: parameters (None: required) and the entries they go into."""

    parameters: dict[str, Node | None]
    body: list[Node]


@dataclass(frozen=True, slots=True)
class Rules:
    """What the head of the file lays down for all layers: defaults, then patterns in order."""

    defaults: dict[str, Any]
    padding: Node | None
    patterns: list[tuple[re.Pattern[str], dict[str, Any]]]

    def settings(self, name: str, own: dict[str, Any], multiplies: bool) -> dict[str, Any]:
        """Defaults, overruled by every pattern that matches `name`, overruled by the layer's own."""
        found = dict(self.defaults)
        for pattern, given in self.patterns:
            if pattern.match(name):
                found.update(given)
        found.update(own)
        return found if multiplies else {key: found[key] for key in found if key in (*MAP_KEYS, "counted")}


@dataclass(slots=True)
class Scope:
    """The layers read so far, and the names blocks gave to their last one."""

    layers: dict[str, Layer] = field(default_factory=dict)
    aliases: dict[str, Layer] = field(default_factory=dict)
    steps: int = 0
    work: int = 0

    def find(self, node: Node, previous: Layer) -> Layer:
        """The layer that a `from:` or `like:` names."""
        name = node.text("from")
        if name == "previous":
            return previous
        layer = self.layers.get(name) or self.aliases.get(name)
        if layer is None:
            near = nearest(name, [*self.layers, *self.aliases])
            node.fail(f"{brief(name)} is no layer above this one; a layer reads only layers above it{near}")
        return layer

    def add(self, layer: Layer, node: Node) -> None:
        """Append a layer under its own, new name."""
        self.free(layer.name, node)
        self.layers[layer.name] = layer

    def free(self, name: str, node: Node) -> None:
        """Refuse a name that is taken, reserved, too long or not printable."""
        if name in self.layers or name in self.aliases:
            node.fail(f"the name {brief(name)} was given twice; every layer needs its own")
        if name in RESERVED or len(name) > MAX_NAME or not name.isprintable():
            node.fail(
                f"the name {name[:40]!r} is not allowed; 1 to {MAX_NAME} printable characters, not previous"
            )

    def step(self, node: Node, size: int) -> None:
        """Count one entry of `size` values, whether it makes a layer or not."""
        self.steps += 1
        self.work += size
        if self.steps > MAX_LAYERS or self.work > MAX_WORK:
            node.fail(
                f"too much after repetition; allowed: {MAX_LAYERS} layers, {MAX_WORK} values in their entries"
            )


def nearest(name: str, known: list[str]) -> str:
    """A hint for a name that is not known, or nothing."""
    from difflib import get_close_matches

    other = OTHER_NAMES.get(name.lower())
    near = [other] if other in known else get_close_matches(name, known[-2000:], 1)
    return f"; did you mean {near[0]!r}?" if near else ""


def inputs(node: Node, override: tuple[int, int] | None) -> Iterator[Layer]:
    """The input layers; one unnamed input is called `input`."""
    named = node.entries("input") if node.is_mapping else {"input": node}
    if not named:
        node.fail("input: no input was given; CHANNELSxHEIGHTxWIDTH such as 3x224x224 is needed")
    first: Shape | None = None
    for name, given in named.items():
        shape = values.shape(given, f"input {name}" if node.is_mapping else "input")
        first = first or shape
        if override and (shape.height, shape.width) == (first.height, first.width):
            shape = Shape(shape.channels, *override)
        yield Layer(name, "input", (), shape, shape)


def rules(head: dict[str, Node]) -> Rules:
    """The `defaults` and the `settings` by pattern; WccsimError, with its place, for what is not allowed."""
    defaults = head["defaults"].mapping("defaults", DEFAULT_KEYS) if "defaults" in head else {}
    patterns = []
    for item in head["settings"].items("settings") if "settings" in head else []:
        given = item.mapping("settings", ("match", *SETTING_KEYS), ("match",))
        pattern = given["match"].text("match")
        if len(pattern) > MAX_NAME:
            given["match"].fail(f"match: a pattern of {len(pattern)} characters; allowed: {MAX_NAME}")
        patterns.append((re.compile(translate(pattern)), values.settings(given)))
    if len(patterns) > MAX_PATTERNS:
        head["settings"].fail(f"settings: {len(patterns)} patterns were given; allowed: {MAX_PATTERNS}")
    if "padding" in defaults:
        values.padding(defaults["padding"], "padding")
    return Rules(values.settings(defaults), defaults.get("padding"), patterns)


def blocks(node: Node) -> dict[str, Block]:
    """The blocks by name, with the defaults of their parameters; WccsimError for a name not allowed."""
    found = {}
    for name, item in node.entries("blocks").items():
        if name in OPERATORS or not re.fullmatch(r"[a-z][a-z0-9_]*", name):
            raise WccsimError(
                f"a block cannot be called {brief(name)}; allowed: a-z, 0-9, _; no operator",
                node.key_place(name),
            )
        given = item.mapping(f"block {name}", ("parameters", "layers"), ("layers",))
        parameters = given["parameters"].entries("parameters") if "parameters" in given else {}
        for parameter in parameters:
            if parameter in (*BUILT_IN, *FLOW, name) or not re.fullmatch(r"[a-z][a-z0-9_]*", parameter):
                raise WccsimError(
                    f"a parameter cannot be called {brief(parameter)}; allowed: a-z, 0-9, _, "
                    f"but not {', '.join((*BUILT_IN, *FLOW))}, nor the block's name",
                    given["parameters"].key_place(parameter),
                )
        required = {key: None if value.value == "required" else value for key, value in parameters.items()}
        found[name] = Block(required, given["layers"].items(f"layers of block {name}"))
    return found
