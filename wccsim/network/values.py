"""The values of a description's keys: sizes, pairs, padding, kept fractions, settings."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from fractions import Fraction
from typing import Any

from wccsim.errors import WccsimError
from wccsim.located import Node
from wccsim.network import shapes
from wccsim.network.model import Shape
from wccsim.network.shapes import MAX_SIZE, PADDING_RULES, Padding, Pair
from wccsim.parameters import MAX_LEVELS, parse_keep

MAP_KEYS = ("part", "act_bits", "exempt", "count")
SETTING_KEYS = (*MAP_KEYS, "weight_bits", "wcc", "keep", "levels", "bias")
# fmt: off
FUNCTIONS = (
    "relu", "relu6", "leaky_relu", "prelu", "elu", "selu", "celu", "gelu", "sigmoid", "hard_sigmoid",
    "tanh", "swish", "hard_swish", "mish", "softplus", "softsign", "softmax", "log_softmax", "clip", "abs",
    "neg", "exp", "log", "sqrt", "reciprocal", "pow", "erf", "floor", "ceil", "round", "sign", "identity",
    "normalise", "quantise",
)
# fmt: on
_SHAPE = re.compile(r"[0-9]{1,9}(x[0-9]{1,9}){2}")
_SIZE = re.compile(r"[0-9]{1,9}x[0-9]{1,9}")

Entries = Mapping[str, Node]


def pair(node: Node, what: str, low: int, high: int) -> Pair:
    """An integer for both directions, or [rows, columns]."""
    if not node.is_list:
        both = node.integer(what, low, high)
        return both, both
    numbers = [item.integer(what, low, high) for item in node.items(what)]
    if len(numbers) != 2:
        node.fail(f"{what}: {len(numbers)} numbers were given; one, or two as [rows, columns], is needed")
    return numbers[0], numbers[1]


def padding(node: Node, what: str) -> Padding:
    """A rule's name, one number, [rows, columns] or [top, bottom, left, right]."""
    if node.is_list:
        numbers = [item.integer(what, 0, MAX_SIZE) for item in node.items(what)]
        if len(numbers) == 2:
            return numbers[0], numbers[0], numbers[1], numbers[1]
        if len(numbers) == 4:
            return numbers[0], numbers[1], numbers[2], numbers[3]
        node.fail(
            f"{what}: {len(numbers)} numbers were given; allowed: one, [rows, columns], "
            "[top, bottom, left, right]"
        )
    if isinstance(node.value, str) and node.value in PADDING_RULES:
        return node.value
    if isinstance(node.value, str) and not re.fullmatch(r"[-+]?\d+", node.value):
        node.fail(f"{what}: {node.kind} was given; allowed: numbers, {', '.join(PADDING_RULES)}")
    number = node.integer(what, 0, MAX_SIZE)
    return number, number, number, number


def shape(node: Node, what: str) -> Shape:
    """`channels x height x width`, written 3x224x224."""
    text = node.text(what)
    if not _SHAPE.fullmatch(text):
        node.fail(f"{what}: {node.kind} was given; CHANNELSxHEIGHTxWIDTH such as 3x224x224 is needed")
    channels, height, width = (int(size) for size in text.split("x"))
    try:
        return shapes.checked(Shape(channels, height, width), what)
    except WccsimError as problem:
        node.fail(str(problem))


def size(node: Node, what: str) -> Pair:
    """`height x width`, written 224x224."""
    text = node.text(what)
    if not _SIZE.fullmatch(text):
        node.fail(f"{what}: {node.kind} was given; HEIGHTxWIDTH such as 224x224 is needed")
    height, width = (int(number) for number in text.split("x"))
    return height, width


def keep(node: Node) -> Fraction | None:
    """A kept fraction; `none` for no WCC."""
    text = node.text("keep")
    if text == "none":
        return None
    if len(text) > 24 or "e" in text.lower():
        node.fail("keep: a fraction such as 0.25, 1/4 or 25% is needed, of at most 24 characters")
    try:
        return parse_keep(text)
    except WccsimError as problem:
        node.fail(str(problem))


SETTING_READERS: dict[str, Callable[[Node], Any]] = {
    "part": lambda node: node.text("part"),
    "act_bits": lambda node: node.integer("act_bits", 1, 64),
    "exempt": lambda node: node.boolean("exempt"),
    "weight_bits": lambda node: node.integer("weight_bits", 1, 64),
    "wcc": lambda node: node.boolean("wcc"),
    "keep": keep,
    "levels": lambda node: node.integer("levels", 1, MAX_LEVELS),
    "bias": lambda node: node.boolean("bias"),
    "count": lambda node: node.boolean("count"),
}


def settings(entries: Entries) -> dict[str, Any]:
    """The settings among the entries, by the name of the layer's field."""
    found = {key: SETTING_READERS[key](node) for key, node in entries.items() if key in SETTING_READERS}
    if "count" in found:
        found["counted"] = found.pop("count")
    return found
