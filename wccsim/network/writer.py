"""Writing a network as a YAML description; reading it back gives the same layers.

Flat: one entry a layer, in flow style, sizes as resolved; keys at their default are left out.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from wccsim.errors import WccsimError
from wccsim.located import MAX_BYTES
from wccsim.network.head import MAX_LAYERS
from wccsim.network.model import Layer, Network, Shape
from wccsim.network.shapes import Window, out_size

_PLAIN = re.compile(r"[A-Za-z_/][A-Za-z0-9_./-]*( [A-Za-z0-9_./-]+)*")
_WORDS = ("true", "false", "yes", "no", "on", "off", "null", "none", "previous", "y", "n")


def yaml_text(network: Network) -> str:
    """The whole description, ending in a newline; WccsimError where it would be too large to read back."""
    lines = [f"name: {scalar(network.name)}"]
    if network.source:
        lines.append(f"source: {scalar(network.source)}")
    if network.surrogate:
        lines.append("surrogate: true")
    inputs = [layer for layer in network.layers if layer.op == "input"]
    if [layer.name for layer in inputs] == ["input"]:
        lines.append(f"input: {network.input_shape}")
    else:
        lines += ["input:", *(f"  {scalar(layer.name)}: {layer.in_shape}" for layer in inputs)]
    lines += ["settings:", *settings] if (settings := list(_input_settings(inputs))) else []
    lines.append("layers:")
    previous = inputs[0]
    for layer in network.layers:
        if layer.op != "input":
            lines.append(f"  - {{{', '.join(f'{key}: {value}' for key, value in entry(layer, previous))}}}")
            previous = layer
    text = "\n".join(lines) + "\n"
    if len(network.layers) - len(inputs) > MAX_LAYERS or len(text.encode()) > MAX_BYTES:
        raise WccsimError(
            f"{network.name} has {len(network.layers)} layers, {len(text)} characters as YAML; "
            f"at most {MAX_LAYERS} layers and {MAX_BYTES} bytes are read back"
        )
    return text


def _input_settings(inputs: list[Layer]) -> Iterator[str]:
    """Patterns for what an input cannot carry itself; a name that reads as a pattern is bracketed."""
    for layer in inputs:
        given = list(_settings(layer))
        if given:
            match = re.sub(r"([*?[])", r"[\1]", layer.name)
            yield f"  - {{match: {scalar(match)}, {', '.join(f'{key}: {value}' for key, value in given)}}}"


def scalar(text: str, *, substituted: bool = False) -> str:
    """`text` plain where YAML reads it so, else in double quotes; `$` doubled where it has a meaning."""
    text = text.replace("$", "$$") if substituted else text
    if _PLAIN.fullmatch(text) and text.lower() not in _WORDS:
        return text
    return json.dumps(text, ensure_ascii=False)


def entry(layer: Layer, previous: Layer) -> Iterator[tuple[str, str]]:
    """Keys and values of a layer's entry; `previous` is the layer written before it."""
    depthwise = layer.op == "conv" and 1 < layer.groups == layer.in_shape.channels
    op = "depthwise" if depthwise else layer.op
    if layer.op == "reshape" and layer.out_shape == Shape(layer.in_shape.values, 1, 1):
        op = "flatten"
    yield op, scalar(layer.name, substituted=True)
    if layer.inputs != (previous.name,):
        names = [scalar(name, substituted=True) for name in layer.inputs]
        yield "from", names[0] if len(names) == 1 else f"[{', '.join(names)}]"
    yield from _geometry(layer, op)
    yield from _settings(layer)


def _geometry(layer: Layer, op: str) -> Iterator[tuple[str, str]]:
    out = layer.out_shape
    if layer.multiplies and not (op == "depthwise" and out.channels == layer.groups):
        yield "out", str(out.channels)
    if op in ("conv", "depthwise", "conv_transpose", "max_pool", "average_pool"):
        yield from _window(layer)
    if layer.groups != 1 and op != "depthwise":
        yield "groups", str(layer.groups)
    if op == "pad":
        yield "padding", f"[{', '.join(map(str, layer.padding))}]"
    elif op == "upsample":
        yield _enlargement(layer)
    elif op == "slice" and (out.height, out.width) == (layer.in_shape.height, layer.in_shape.width):
        yield "out", str(out.channels)
    elif op in ("reshape", "slice", "unsupported"):
        yield "shape", str(out)
    if layer.function:
        yield "operator" if op == "unsupported" else "function", scalar(layer.function, substituted=True)


def _pair(numbers: tuple[int, int]) -> str:
    return str(numbers[0]) if numbers[0] == numbers[1] else f"[{numbers[0]}, {numbers[1]}]"


def _window(layer: Layer) -> Iterator[tuple[str, str]]:
    pooling = layer.op.endswith("pool")
    if layer.kernel != (1, 1):
        yield "kernel", _pair(layer.kernel)
    if layer.stride != (layer.kernel if pooling else (1, 1)):
        yield "stride", _pair(layer.stride)
    if layer.dilation != (1, 1):
        yield "dilation", _pair(layer.dilation)
    padding = _padding(layer)
    if padding != "0":
        yield "padding", padding
    sizes = zip(
        (layer.in_shape.height, layer.in_shape.width),
        (layer.out_shape.height, layer.out_shape.width),
        strict=True,
    )
    if layer.op == "conv_transpose":
        extra = [out - _transposed(layer, axis, size) for axis, (size, out) in enumerate(sizes)]
        if any(extra):
            yield "output_padding", _pair((extra[0], extra[1]))
    elif pooling and any(out != _floor(layer, axis, size) for axis, (size, out) in enumerate(sizes)):
        yield "ceil", "true"


def _padding(layer: Layer) -> str:
    """Numbers, or the rule that pads at run time and so declares less than it pads."""
    top, bottom, left, right = layer.padding
    if layer.module_padding != (top + bottom, left + right):
        shape = layer.in_shape
        for rule in ("same", "same_lower"):
            window = Window(layer.kernel, layer.stride, layer.dilation, rule)
            rows, columns = window.axis(0, shape.height), window.axis(1, shape.width)
            if (*rows[:2], *columns[:2]) == layer.padding and (rows[2], columns[2]) == layer.module_padding:
                return rule
        raise WccsimError(f"{layer.name}: no padding rule gives {layer.padding} with {layer.module_padding}")
    if top == bottom and left == right:
        return _pair((top, left))
    return f"[{top}, {bottom}, {left}, {right}]"


def _transposed(layer: Layer, axis: int, size: int) -> int:
    """Output size of a transposed convolution without output padding."""
    extent = layer.dilation[axis] * (layer.kernel[axis] - 1) + 1
    return (size - 1) * layer.stride[axis] - sum(layer.padding[2 * axis : 2 * axis + 2]) + extent


def _floor(layer: Layer, axis: int, size: int) -> int:
    both = sum(layer.padding[2 * axis : 2 * axis + 2])
    return out_size(size, both, layer.kernel[axis], layer.stride[axis], layer.dilation[axis])


def _enlargement(layer: Layer) -> tuple[str, str]:
    before, after = layer.in_shape, layer.out_shape
    if after.height % before.height or after.width % before.width:
        return "size", f"{after.height}x{after.width}"
    return "factor", _pair((after.height // before.height, after.width // before.width))


def _settings(layer: Layer) -> Iterator[tuple[str, str]]:
    """Settings that differ from a new layer's."""
    if layer.bias:
        yield "bias", "true"
    for key, default in (("weight_bits", 8), ("act_bits", 8), ("levels", 3)):
        if (value := getattr(layer, key)) != default:
            yield key, str(value)
    if not layer.wcc:
        yield "wcc", "false"
    if layer.keep is not None:
        yield "keep", str(layer.keep)
    if layer.exempt:
        yield "exempt", "true"
    if not layer.counted:
        yield "count", "false"
    if layer.part:
        yield "part", scalar(layer.part, substituted=True)
