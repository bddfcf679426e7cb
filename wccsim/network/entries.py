"""One layer entry of a YAML description, `{conv: NAME, out: 32, kernel: 3}`, into a resolved layer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from wccsim.errors import WccsimError
from wccsim.located import Node
from wccsim.network import shapes
from wccsim.network.model import Layer, Shape
from wccsim.network.shapes import MAX_CHANNELS, Pair, Window
from wccsim.network.values import FUNCTIONS, MAP_KEYS, SETTING_KEYS, Entries, padding, pair, shape, size

FLOW = ("from", "when", "repeat")
CONV_KEYS = ("kernel", "stride", "dilation", "padding")
MAX_WINDOW = 4096


@dataclass(frozen=True, slots=True)
class Request:
    """What an entry asks for: its name, its own keys, the layers it reads, the settings in force."""

    name: str
    node: Node
    keys: Entries
    sources: list[Layer]
    settings: dict[str, Any]
    padding: Node | None  # the default of convolutions
    look_up: Callable[[Node], Layer]  # a layer by the name a node gives

    @property
    def source(self) -> Layer:
        """The one input of operators that have one."""
        if len(self.sources) != 1:
            self.node.fail(f"{self.name}: {len(self.sources)} inputs were given; one is needed")
        return self.sources[0]

    def integer(self, key: str, low: int, high: int, default: int | None = None) -> int:
        """The integer at `key`, from low to high; without it `default`, and an error where there is none."""
        if key not in self.keys:
            if default is None:
                self.node.fail(f"{self.name}: key {key!r} is missing")
            return default
        return self.keys[key].integer(key, low, high)

    def pair(self, key: str, low: int, high: int, default: Pair) -> Pair:
        """(rows, columns) at `key`, each from low to high; one number stands for both."""
        return pair(self.keys[key], key, low, high) if key in self.keys else default

    def window(self, default_padding: Node | None = None, stride: Pair | None = None) -> Window:
        """Kernel, stride, dilation and padding; what is not given is 1, `stride` and `default_padding`."""
        kernel = self.pair("kernel", 1, MAX_WINDOW, (1, 1))
        given = self.keys.get("padding", default_padding)
        return Window(
            kernel,
            self.pair("stride", 1, MAX_WINDOW, stride or (1, 1)),
            self.pair("dilation", 1, MAX_WINDOW, (1, 1)),
            padding(given, "padding") if given else (0, 0, 0, 0),
        )


def _conv(ask: Request) -> Layer:
    groups = ask.integer("groups", 1, MAX_CHANNELS, 1)
    out = ask.integer("out", 1, MAX_CHANNELS)
    return shapes.conv(ask.name, ask.source, out, ask.window(ask.padding), groups, **ask.settings)


def _depthwise(ask: Request) -> Layer:
    channels = ask.source.out_shape.channels
    out = ask.integer("out", 1, MAX_CHANNELS, channels)
    return shapes.conv(ask.name, ask.source, out, ask.window(ask.padding), channels, **ask.settings)


def _conv_transpose(ask: Request) -> Layer:
    groups = ask.integer("groups", 1, MAX_CHANNELS, 1)
    extra = ask.pair("output_padding", 0, MAX_WINDOW, (0, 0))
    out = ask.integer("out", 1, MAX_CHANNELS)
    return shapes.conv_transpose(ask.name, ask.source, out, ask.window(), groups, extra, **ask.settings)


def _fully_connected(ask: Request) -> Layer:
    return shapes.fully_connected(ask.name, ask.source, ask.integer("out", 1, MAX_CHANNELS), **ask.settings)


def _matmul(ask: Request) -> Layer:
    if len(ask.sources) > 2:
        ask.node.fail(f"{ask.name}: {len(ask.sources)} inputs were given; one or two are needed")
    second = ask.sources[1].out_shape.channels if len(ask.sources) == 2 else None
    out = ask.integer("out", 1, MAX_CHANNELS, second)
    groups = ask.integer("groups", 1, MAX_CHANNELS, 1)
    return shapes.matmul(ask.name, ask.sources, out, groups, **ask.settings)


def _pool(op: str) -> Callable[[Request], Layer]:
    def read(ask: Request) -> Layer:
        stride = ask.pair("kernel", 1, MAX_WINDOW, (1, 1))
        ceil = "ceil" in ask.keys and ask.keys["ceil"].boolean("ceil")
        return shapes.pool(ask.name, op, ask.source, ask.window(stride=stride), ceil, **ask.settings)

    return read


def _global_average_pool(ask: Request) -> Layer:
    out = Shape(ask.source.out_shape.channels, 1, 1)
    return shapes.mapped(ask.name, "global_average_pool", ask.source, out, **ask.settings)


def _pad(ask: Request) -> Layer:
    given = padding(ask.keys["padding"], "padding") if "padding" in ask.keys else "missing"
    if isinstance(given, str):
        ask.keys.get("padding", ask.node).fail(f"{ask.name}: padding is {given}; numbers are needed here")
    return shapes.pad(ask.name, ask.source, given, **ask.settings)


def _upsample(ask: Request) -> Layer:
    way = _one_of(ask, ("factor", "size", "like"))
    before = ask.source.out_shape
    if way == "factor":
        rows, columns = ask.pair("factor", 1, MAX_WINDOW, (1, 1))
        height, width = before.height * rows, before.width * columns
    elif way == "size":
        height, width = size(ask.keys["size"], "size")
    else:
        wanted = ask.look_up(ask.keys["like"]).out_shape
        height, width = wanted.height, wanted.width
    return shapes.mapped(
        ask.name, "upsample", ask.source, Shape(before.channels, height, width), **ask.settings
    )


def _elementwise(op: str) -> Callable[[Request], Layer]:
    return lambda ask: shapes.elementwise(ask.name, op, ask.sources, **ask.settings)


def _concat(ask: Request) -> Layer:
    return shapes.concat(ask.name, ask.sources, **ask.settings)


def _activation(ask: Request) -> Layer:
    function = ask.keys["function"].text("function", FUNCTIONS) if "function" in ask.keys else ""
    source = ask.source
    return shapes.mapped(ask.name, "activation", source, source.out_shape, function=function, **ask.settings)


def _reshape(ask: Request) -> Layer:
    out = shape(_required(ask, "shape"), "shape")
    return shapes.mapped(ask.name, "reshape", ask.source, out, **ask.settings)


def _flatten(ask: Request) -> Layer:
    out = Shape(ask.source.out_shape.values, 1, 1)
    return shapes.mapped(ask.name, "reshape", ask.source, out, **ask.settings)


def _slice(ask: Request) -> Layer:
    before = ask.source.out_shape
    way = _one_of(ask, ("out", "like", "shape"))
    if way == "out":
        out = Shape(ask.integer("out", 1, MAX_CHANNELS), before.height, before.width)
    elif way == "like":
        wanted = ask.look_up(ask.keys["like"]).out_shape
        out = Shape(before.channels, wanted.height, wanted.width)
    else:
        out = shape(ask.keys["shape"], "shape")
    return shapes.mapped(ask.name, "slice", ask.source, out, **ask.settings)


def _unsupported(ask: Request) -> Layer:
    names = tuple(layer.name for layer in ask.sources)
    out = shape(_required(ask, "shape"), "shape")
    operator = _required(ask, "operator").text("operator")
    first = ask.sources[0].out_shape
    return Layer(ask.name, "unsupported", names, first, out, function=operator, **ask.settings)


def _one_of(ask: Request, ways: tuple[str, ...]) -> str:
    """The one key of `ways` that was given."""
    given = [key for key in ways if key in ask.keys]
    if len(given) != 1:
        ask.node.fail(f"{ask.name}: {len(given)} of {', '.join(ways)} were given; exactly one is needed")
    return given[0]


def _required(ask: Request, key: str) -> Node:
    if key not in ask.keys:
        ask.node.fail(f"{ask.name}: key {key!r} is missing")
    return ask.keys[key]


# operator: (its own keys, whether it multiplies, how it is read)
READERS: dict[str, tuple[tuple[str, ...], bool, Callable[[Request], Layer]]] = {
    "conv": (("out", *CONV_KEYS, "groups"), True, _conv),
    "depthwise": (("out", *CONV_KEYS), True, _depthwise),
    "conv_transpose": (("out", *CONV_KEYS, "groups", "output_padding"), True, _conv_transpose),
    "fully_connected": (("out",), True, _fully_connected),
    "matmul": (("out", "groups"), True, _matmul),
    "max_pool": ((*CONV_KEYS, "ceil"), False, _pool("max_pool")),
    "average_pool": ((*CONV_KEYS, "ceil"), False, _pool("average_pool")),
    "global_average_pool": ((), False, _global_average_pool),
    "pad": (("padding",), False, _pad),
    "upsample": (("factor", "size", "like"), False, _upsample),
    "add": ((), False, _elementwise("add")),
    "multiply": ((), False, _elementwise("multiply")),
    "concat": ((), False, _concat),
    "activation": (("function",), False, _activation),
    "reshape": (("shape",), False, _reshape),
    "flatten": ((), False, _flatten),
    "slice": (("out", "like", "shape"), False, _slice),
    "unsupported": (("shape", "operator"), False, _unsupported),
}
SQUEEZE_EXCITE_KEYS = ("reduced",)
OPERATORS = (*READERS, "squeeze_excite")


def allowed_keys(op: str) -> tuple[str, ...]:
    """Every key an entry of this operator may have, its own first."""
    if op == "squeeze_excite":
        return (op, *SQUEEZE_EXCITE_KEYS, *FLOW, *SETTING_KEYS)
    own, multiplies, _ = READERS[op]
    return (op, *own, *FLOW, *(SETTING_KEYS if multiplies else MAP_KEYS))


def build(op: str, ask: Request) -> Layer:
    """The layer an entry describes; errors without a place get the entry's."""
    try:
        return READERS[op][2](ask)
    except WccsimError as problem:
        if problem.place is None:
            raise WccsimError(f"{ask.name}: {problem}", ask.node.place) from None
        raise
