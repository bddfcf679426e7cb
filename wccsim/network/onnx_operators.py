"""The ONNX operators that become layers; each reader adds its layer and returns it, or None."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

from wccsim.errors import WccsimError
from wccsim.network import shapes
from wccsim.network.model import Layer, Shape
from wccsim.network.onnx_build import Build, Map
from wccsim.network.onnx_graph import Node, shape_of
from wccsim.network.shapes import Window

ACTIVATIONS = {
    "Relu": "relu", "LeakyRelu": "leaky_relu", "PRelu": "prelu", "Elu": "elu", "Selu": "selu", "Celu": "celu",
    "Gelu": "gelu", "Sigmoid": "sigmoid", "HardSigmoid": "hard_sigmoid", "Tanh": "tanh",
    "HardSwish": "hard_swish", "Mish": "mish", "Softplus": "softplus", "Softsign": "softsign",
    "Softmax": "softmax", "LogSoftmax": "log_softmax", "Clip": "clip", "Abs": "abs", "Neg": "neg",
    "Exp": "exp", "Log": "log", "Sqrt": "sqrt", "Reciprocal": "reciprocal", "Pow": "pow", "Erf": "erf",
    "Floor": "floor", "Ceil": "ceil", "Round": "round", "Sign": "sign",
    "BatchNormalization": "normalise",
    "InstanceNormalization": "normalise", "LayerNormalization": "normalise",
    "GroupNormalization": "normalise", "LpNormalization": "normalise", "LRN": "normalise",
    "ThresholdedRelu": "relu", "Swish": "swish",
}  # fmt: skip
RESHAPES = ("Reshape", "Flatten", "Squeeze", "Unsqueeze", "Transpose", "DepthToSpace", "SpaceToDepth")
SLICES = ("Slice", "Split", "Gather")
ELEMENTWISE = {
    "Add": "add", "Sub": "add", "Sum": "add", "Max": "add", "Min": "add", "Mean": "add",
    "Mul": "multiply", "Div": "multiply",
}  # fmt: skip
# Where the weights stand, and a bias, among a convolution's or product's inputs.
CONVOLUTIONS = {"Conv": (1, 2), "ConvInteger": (1, None), "QLinearConv": (3, 8)}
PRODUCTS = {"MatMul": 1, "MatMulInteger": 1, "QLinearMatMul": 3}


def _conv(build: Build, node: Node) -> Layer:
    at, bias = CONVOLUTIONS[node.op]
    weights, given = build.weights(node, at), build.source(node)
    source = build.plain(given)
    groups = node.integer("group", 1)
    out, inner, *kernel = weights.dims
    if groups < 1 or inner * groups != source.out_shape.channels:
        raise WccsimError(f"weights of {inner} x {groups} channels on a map of {source.out_shape.channels}")
    return build.add(
        shapes.conv(
            build.free(node.name),
            source,
            out,
            build.window(node, tuple(kernel)),
            groups,
            bias=bias is not None and len(node.inputs) > bias and bool(node.inputs[bias]),
            **build.widths(given, weights),
        )
    )


def _conv_transpose(build: Build, node: Node) -> Layer:
    """Padding from the attributes, or from the output size where `auto_pad` or `output_shape` rule."""
    weights, given = build.weights(node, 1), build.source(node)
    source = build.plain(given)
    groups = node.integer("group", 1)
    inner, per_group, *kernel = weights.dims
    window = build.window(node, tuple(kernel))
    extra = [*node.integers("output_padding", [0, 0]), 0, 0][:2]
    if isinstance(window.padding, str) or "output_shape" in node.attributes:
        window, extra = _fitted(window, source.out_shape, build.out_shape(node))
    if groups < 1 or inner != source.out_shape.channels:
        raise WccsimError(f"weights of {inner} channels on a map of {source.out_shape.channels}")
    return build.add(
        shapes.conv_transpose(
            build.free(node.name),
            source,
            per_group * groups,
            window,
            groups,
            (extra[0], extra[1]),
            bias=len(node.inputs) > 2 and bool(node.inputs[2]),
            **build.widths(given, weights),
        )
    )


def _fitted(window: Window, before: Shape, after: Shape) -> tuple[Window, list[int]]:
    """Padding, or output padding, that gives `after`."""
    padding: list[int] = []
    extra: list[int] = []
    for axis, (size, out) in enumerate(((before.height, after.height), (before.width, after.width))):
        extent = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        spare = (size - 1) * window.stride[axis] + extent - out
        cropped = max(spare, 0)
        padding += [cropped // 2, cropped - cropped // 2]
        extra.append(max(-spare, 0))
    return replace(window, padding=(padding[0], padding[1], padding[2], padding[3])), extra


def _gemm(build: Build, node: Node) -> Layer:
    weights, given = build.weights(node, 1), build.source(node)
    if len(weights.dims) != 2:
        raise WccsimError(f"weights of {len(weights.dims)} dimensions; two are needed")
    inner, out = weights.dims[::-1] if node.integer("transB", 0) else weights.dims
    bias = len(node.inputs) > 2 and bool(node.inputs[2])
    return _product(build, node, given, (inner, out), bias)


def _product(build: Build, node: Node, given: Map, sizes: tuple[int, int], bias: bool = False) -> Layer:
    """One matrix of weights, `sizes` = (K, N), on every row of the map."""
    inner, out = sizes
    rows = math.prod(given.dims) // inner
    if rows * inner != math.prod(given.dims):
        raise WccsimError(f"weights of {inner} rows on a map of {' x '.join(map(str, given.dims))}")
    settings = build.widths(given, build.weights(node, PRODUCTS.get(node.op, 1)))
    source = build.view(given, Shape(inner, rows, 1))
    name = build.free(node.name)
    if rows == 1:
        return build.add(shapes.fully_connected(name, source, out, bias=bias, **settings))
    return build.add(shapes.matmul(name, [source], out, bias=bias, **settings))


def _matmul(build: Build, node: Node) -> Layer | None:
    at = PRODUCTS[node.op]
    given = build.source(node)
    if node.inputs[at] in build.maps:
        return _matmul_of_maps(build, node, given, build.source(node, at))
    dims = build.weights(node, at).dims
    return _product(build, node, given, (dims[0], dims[1])) if len(dims) == 2 else None


def _matmul_of_maps(build: Build, node: Node, first: Map, second: Map) -> Layer | None:
    """Products side by side where both maps have the same leading sizes; else not understood."""
    if len(first.dims) < 2 or first.dims[:-2] != second.dims[:-2]:
        return None
    groups, (rows, inner), out = math.prod(first.dims[:-2]), first.dims[-2:], second.dims[-1]
    sources = [
        build.view(first, Shape(groups * inner, rows, 1)),
        build.view(second, Shape(groups * out, inner, 1)),
    ]
    settings = build.widths(first)
    if second.bits:
        settings["weight_bits"] = second.bits
    return build.add(shapes.matmul(build.free(node.name), sources, groups * out, groups, **settings))


def _pool(op: str) -> Callable[[Build, Node], Layer]:
    def read(build: Build, node: Node) -> Layer:
        given = build.source(node)
        kernel = tuple(node.integers("kernel_shape", []))
        ceil = bool(node.integer("ceil_mode", 0))
        window = build.window(node, kernel)
        return build.add(
            shapes.pool(build.free(node.name), op, build.plain(given), window, ceil, **build.widths(given))
        )

    return read


def _global(op: str) -> Callable[[Build, Node], Layer]:
    def read(build: Build, node: Node) -> Layer:
        given = build.source(node)
        source = build.plain(given)
        name, shape, settings = build.free(node.name), source.out_shape, build.widths(given)
        if op == "max_pool":
            whole = (shape.height, shape.width)
            return build.add(shapes.pool(name, op, source, Window(whole, whole), **settings))
        return build.add(shapes.mapped(name, op, source, Shape(shape.channels, 1, 1), **settings))

    return read


def _reduce_mean(build: Build, node: Node) -> Layer:
    """The mean over height and width, or over other axes laid out as such a map."""
    given = build.source(node)
    listed = build.known(node, 1)
    rank = len(given.dims)
    axes = {axis % max(rank, 1) for axis in node.integers("axes", (listed and listed.values) or range(rank))}
    if rank == 4 and axes == {2, 3}:
        return _global("global_average_pool")(build, node)
    out = math.prod(size for axis, size in enumerate(given.dims) if axis not in axes)
    source = build.view(given, Shape(out, math.prod(given.dims) // out, 1))
    widths = build.widths(given)
    return build.add(
        shapes.mapped(build.free(node.name), "global_average_pool", source, Shape(out, 1, 1), **widths)
    )


def _pad(build: Build, node: Node) -> Layer | None:
    """Zeros, reflections or copies around height and width; around anything else not understood."""
    given = build.source(node)
    before, after = build.plain(given), build.out_shape(node)
    listed = build.known(node, 1)
    pads = node.integers("pads", (listed and listed.values) or ())
    rank = len(given.dims)
    if rank != 4 or len(pads) != 8 or min(pads) < 0 or any(pads[axis] for axis in (0, 1, 4, 5)):
        return None
    layer = shapes.pad(
        build.free(node.name), before, (pads[2], pads[6], pads[3], pads[7]), **build.widths(given)
    )
    return build.add(layer) if layer.out_shape == after else None


def _resize(build: Build, node: Node) -> Layer | None:
    """Enlargement of height and width; to a smaller size it is a slice of positions."""
    given, out = build.source(node), build.out_shape(node)
    source = build.plain(given)
    before = source.out_shape
    if out.channels != before.channels:
        return None
    smaller = out.height <= before.height and out.width <= before.width and out != before
    larger = out.height >= before.height and out.width >= before.width
    if not smaller and not larger:
        return None
    op = "slice" if smaller else "upsample"
    return build.add(shapes.mapped(build.free(node.name), op, source, out, **build.widths(given)))


def _elementwise(build: Build, node: Node) -> Layer:
    """Maps together, or one map with a constant."""
    given = [build.maps[name] for name in node.inputs if name in build.maps]
    rank = max(len(one.dims) for one in given)
    aligned = [build.view(one, shape_of((1,) * (rank - len(one.dims)) + one.dims)) for one in given]
    name = build.free(node.name)
    layer = shapes.elementwise(name, ELEMENTWISE[node.op], aligned, **build.widths(given[0]))
    out = build.out_shape(node)
    if layer.out_shape != out:  # a constant larger than the map: the map is repeated
        raise WccsimError(f"a map of {layer.out_shape} becomes {out}; that is not understood")
    return build.add(layer)


def _concat(build: Build, node: Node) -> Layer | None:
    """Along the channels; along anything else it is not understood."""
    given = [build.maps[name] for name in node.inputs if name in build.maps]
    rank = len(given[0].dims)
    axis = node.integer("axis", 1) % max(rank, 1)
    channels = 1 if given[0].dims[0] == 1 and rank > 1 else 0
    if len(given) != len(node.inputs) or axis != channels:
        return None
    sources = [build.plain(one) for one in given]
    return build.add(shapes.concat(build.free(node.name), sources, **build.widths(given[0])))


def _activation(build: Build, node: Node) -> Layer:
    given = build.source(node)
    source = build.plain(given)
    function = ACTIVATIONS[node.op]
    if node.op == "Clip":
        low, high = build.known(node, 1), build.known(node, 2)
        bounds = (low.values if low else None, high.values if high else None)
        stated = (node.attributes.get("min"), node.attributes.get("max"))
        if bounds == ((0.0,), (6.0,)) or stated == (0.0, 6.0):
            function = "relu6"
    name, settings = build.free(node.name), build.widths(given)
    return build.add(
        shapes.mapped(name, "activation", source, source.out_shape, function=function, **settings)
    )


def _reshape(build: Build, node: Node) -> Layer:
    given, out = build.source(node), build.out_shape(node)
    return build.add(
        shapes.mapped(build.free(node.name), "reshape", build.plain(given), out, **build.widths(given))
    )


def _slice(build: Build, node: Node) -> Layer:
    """A part of the map; with several outputs, one part each."""
    given = build.source(node)
    parts = []
    for index, output in enumerate(node.outputs):
        dims = build.dims(output, f"output {output!r}")
        name = build.free(node.name if index == 0 else f"{node.name} {index}")
        parts.append(_part(build, name, given, shape_of(dims)))
        build.maps[output] = Map(parts[-1], dims, given.bits)
    return parts[0]


def _part(build: Build, name: str, given: Map, out: Shape) -> Layer:
    """A slice; where an axis went, so that sizes moved, a slice of the map as one row of values."""
    source = build.plain(given)
    shape, widths = source.out_shape, build.widths(given)
    if out.channels <= shape.channels and out.height <= shape.height and out.width <= shape.width:
        return build.add(shapes.mapped(name, "slice", source, out, **widths))
    flat = build.view(given, Shape(shape.values, 1, 1))
    part = build.add(shapes.mapped(name, "slice", flat, Shape(out.values, 1, 1), **widths))
    return build.add(shapes.mapped(build.free(f"{name} as {out}"), "reshape", part, out))


READERS: dict[str, Callable[[Build, Node], Layer | None]] = {
    **dict.fromkeys(CONVOLUTIONS, _conv),
    "ConvTranspose": _conv_transpose,
    "Gemm": _gemm,
    **dict.fromkeys(PRODUCTS, _matmul),
    "MaxPool": _pool("max_pool"),
    "AveragePool": _pool("average_pool"),
    "GlobalAveragePool": _global("global_average_pool"),
    "GlobalMaxPool": _global("max_pool"),
    "ReduceMean": _reduce_mean,
    "Pad": _pad,
    "Resize": _resize,
    "Upsample": _resize,
    **dict.fromkeys(ELEMENTWISE, _elementwise),
    "Concat": _concat,
    **dict.fromkeys(ACTIVATIONS, _activation),
    **dict.fromkeys(RESHAPES, _reshape),
    **dict.fromkeys(SLICES, _slice),
}
