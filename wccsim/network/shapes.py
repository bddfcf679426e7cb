"""Sizes: what comes out of each operator, and which inputs it refuses.

Every reader builds its layers here, so one formula serves them all:

    out = floor((in + padding - dilation * (kernel - 1) - 1) / stride) + 1

and its reverse for the transposed convolution. Errors carry no place; the reader adds it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from wccsim.errors import WccsimError
from wccsim.network.model import Layer, Shape

Pair = tuple[int, int]
Padding = str | tuple[int, int, int, int]
PADDING_RULES = ("valid", "same", "same_lower", "symmetric")
MAX_CHANNELS = 1 << 24
MAX_SIZE = 1 << 20
MAX_VALUES = 1 << 34


@dataclass(frozen=True, slots=True)
class Window:
    """Kernel, stride, dilation and padding of a sliding window, as given.

    `padding` is (top, bottom, left, right) or a rule: "valid" none; "same" of TensorFlow, out =
    ceil(in / stride), the odd zero last; "same_lower" the odd zero first; "symmetric"
    dilation * (kernel - 1) / 2 on every side, whatever the stride.
    """

    kernel: Pair = (1, 1)
    stride: Pair = (1, 1)
    dilation: Pair = (1, 1)
    padding: Padding = (0, 0, 0, 0)

    def axis(self, axis: int, size: int) -> tuple[int, int, int]:
        """Zeros before and after an axis of `size`, and what the module itself declares of them."""
        kernel, stride, dilation = self.kernel[axis], self.stride[axis], self.dilation[axis]
        if not isinstance(self.padding, str):
            before, after = self.padding[2 * axis : 2 * axis + 2]
            return before, after, before + after
        reach = dilation * (kernel - 1)
        if self.padding == "valid":
            return 0, 0, 0
        if self.padding == "symmetric":
            if reach % 2:
                raise WccsimError(
                    f"padding 'symmetric' needs an odd extent; kernel {kernel} with dilation {dilation} "
                    f"has {reach + 1}; use same or numbers"
                )
            return reach // 2, reach // 2, reach
        total = max((-(-size // stride) - 1) * stride + reach + 1 - size, 0)
        small, large = total // 2, total - total // 2
        # Only with stride 1 and an odd extent is "same" the same for every input size; frameworks
        # then keep it in the module, and otherwise pad at run time (the published rule sees none).
        module = total if stride == 1 and reach % 2 == 0 else 0
        return (large, small, module) if self.padding == "same_lower" else (small, large, module)


def checked(shape: Shape, what: str) -> Shape:
    """`shape`, refused where a size is below 1 or beyond what is counted."""
    sizes = (shape.channels, shape.height, shape.width)
    if min(sizes) < 1:
        raise WccsimError(f"{what} is {shape}; every size must be at least 1")
    if shape.channels > MAX_CHANNELS or max(sizes[1:]) > MAX_SIZE or shape.values > MAX_VALUES:
        raise WccsimError(
            f"{what} is {shape}; allowed: at most {MAX_CHANNELS} channels, {MAX_SIZE} rows or columns, "
            f"{MAX_VALUES} values"
        )
    return shape


def out_size(size: int, padding: int, kernel: int, stride: int, dilation: int, ceil: bool = False) -> int:
    """Positions of a window along one axis; `padding` is both sides together."""
    extent = dilation * (kernel - 1) + 1
    if extent > size + padding:
        raise WccsimError(f"kernel extent {extent} is larger than the padded input of {size + padding}")
    return (size + padding - extent + (stride - 1 if ceil else 0)) // stride + 1


def _windowed(window: Window, shape: Shape, ceil: bool = False) -> tuple[Pair, Padding, Pair]:
    """Output size, padding in numbers, module padding."""
    padding, module, out = [], [], []
    for axis, size in enumerate((shape.height, shape.width)):
        before, after, declared = window.axis(axis, size)
        geometry = (window.kernel[axis], window.stride[axis], window.dilation[axis])
        count = out_size(size, before + after, *geometry, ceil)
        if ceil and (count - 1) * window.stride[axis] >= size + before:
            count -= 1  # the last window would lie in the padding only
        padding += [before, after]
        module.append(declared)
        out.append(count)
    return (out[0], out[1]), (padding[0], padding[1], padding[2], padding[3]), (module[0], module[1])


def _grouped(in_channels: int, out_channels: int, groups: int) -> None:
    for what, channels in (("input", in_channels), ("output", out_channels)):
        if channels % groups:
            raise WccsimError(f"{groups} groups do not divide the {channels} {what} channels")


def conv(name: str, source: Layer, out: int, window: Window, groups: int = 1, **settings: Any) -> Layer:
    """A convolution of `source`'s map with `out` output channels."""
    shape = source.out_shape
    _grouped(shape.channels, out, groups)
    (height, width), padding, module = _windowed(window, shape)
    return Layer(
        name,
        "conv",
        (source.name,),
        shape,
        checked(Shape(out, height, width), "the output"),
        window.kernel,
        window.stride,
        window.dilation,
        padding,  # type: ignore[arg-type]  # _windowed turned a rule into numbers
        module,
        groups,
        **settings,
    )


def conv_transpose(
    name: str,
    source: Layer,
    out: int,
    window: Window,
    groups: int = 1,
    output_padding: Pair = (0, 0),
    **settings: Any,
) -> Layer:
    """A transposed convolution: out = (in - 1) * stride - padding + extent + output_padding."""
    shape, padding = source.out_shape, window.padding
    _grouped(shape.channels, out, groups)
    if isinstance(padding, str):
        raise WccsimError(f"padding {padding!r} was given; a transposed convolution needs numbers")
    sizes = []
    for axis, size in enumerate((shape.height, shape.width)):
        if output_padding[axis] >= max(window.stride[axis], window.dilation[axis]):
            raise WccsimError(
                f"output_padding {output_padding[axis]} was given; it must be smaller than stride or dilation"
            )
        extent = window.dilation[axis] * (window.kernel[axis] - 1) + 1
        cropped = sum(padding[2 * axis : 2 * axis + 2])
        sizes.append((size - 1) * window.stride[axis] - cropped + extent + output_padding[axis])
    return Layer(
        name,
        "conv_transpose",
        (source.name,),
        shape,
        checked(Shape(out, sizes[0], sizes[1]), "the output"),
        window.kernel,
        window.stride,
        window.dilation,
        padding,
        (padding[0] + padding[1], padding[2] + padding[3]),
        groups,
        **settings,
    )


def pool(name: str, op: str, source: Layer, window: Window, ceil: bool = False, **settings: Any) -> Layer:
    """Max or average pooling; `ceil` lets a last window run over the edge, as PyTorch's ceil_mode."""
    shape = source.out_shape
    (height, width), padding, module = _windowed(window, shape, ceil)
    return Layer(
        name,
        op,
        (source.name,),
        shape,
        checked(Shape(shape.channels, height, width), "the output"),
        window.kernel,
        window.stride,
        window.dilation,
        padding,  # type: ignore[arg-type]
        module,
        **settings,
    )


def pad(name: str, source: Layer, padding: tuple[int, int, int, int], **settings: Any) -> Layer:
    """A map with zeros around it."""
    shape = source.out_shape
    out = Shape(
        shape.channels,
        shape.height + padding[0] + padding[1],
        shape.width + padding[2] + padding[3],
    )
    return Layer(name, "pad", (source.name,), shape, checked(out, "the output"), padding=padding, **settings)


def mapped(name: str, op: str, source: Layer, out: Shape, **settings: Any) -> Layer:
    """An operator of one input whose output shape is known: upsample, reshape, activation, ..."""
    shape = source.out_shape
    if op == "reshape" and out.values != shape.values:
        raise WccsimError(f"{shape} has {shape.values} values and cannot become {out} with {out.values}")
    small = (out.channels <= shape.channels, out.height <= shape.height, out.width <= shape.width)
    if op == "slice" and not all(small):
        raise WccsimError(f"a slice of {shape} cannot be {out}; no size may grow")
    if op == "upsample" and (out.height < shape.height or out.width < shape.width):
        raise WccsimError(f"upsampling {shape} to {out} makes it smaller; use pooling or slice")
    return Layer(name, op, (source.name,), shape, checked(out, "the output"), **settings)


def elementwise(name: str, op: str, sources: list[Layer], **settings: Any) -> Layer:
    """Add or multiply maps of one shape; a size of 1 is repeated. One source: by a constant."""
    sizes = [(s.out_shape.channels, s.out_shape.height, s.out_shape.width) for s in sources]
    full = tuple(max(column) for column in zip(*sizes, strict=True))
    if any(given not in (1, wanted) for size in sizes for given, wanted in zip(size, full, strict=True)):
        shapes = ", ".join(f"{other.name} {other.out_shape}" for other in sources)
        raise WccsimError(f"{op} needs maps of one shape, or 1 where they differ; given: {shapes}")
    names = tuple(s.name for s in sources)
    return Layer(name, op, names, sources[0].out_shape, checked(Shape(*full), "the output"), **settings)


def concat(name: str, sources: list[Layer], **settings: Any) -> Layer:
    """Maps of one height and width, one after the other along the channels."""
    first = sources[0].out_shape
    for layer in sources:
        if (layer.out_shape.height, layer.out_shape.width) != (first.height, first.width):
            shapes = ", ".join(f"{other.name} {other.out_shape}" for other in sources)
            raise WccsimError(f"concat needs maps of one height and width; given: {shapes}")
    channels = sum(layer.out_shape.channels for layer in sources)
    out = checked(Shape(channels, first.height, first.width), "the output")
    return Layer(name, "concat", tuple(s.name for s in sources), first, out, **settings)


def fully_connected(name: str, source: Layer, out: int, **settings: Any) -> Layer:
    """A dense layer on a vector."""
    shape = source.out_shape
    if (shape.height, shape.width) != (1, 1):
        raise WccsimError(
            f"fully_connected needs a vector, and {source.name} gives {shape}; flatten it first"
        )
    return Layer(
        name, "fully_connected", (source.name,), shape, checked(Shape(out, 1, 1), "the output"), **settings
    )


def matmul(name: str, sources: list[Layer], out: int, groups: int = 1, **settings: Any) -> Layer:
    """`groups` products of M x K matrices, given as one (groups K) x M x 1 map, with K x N ones.

    One source: the second factor is weights. Two: it is the map (groups N) x K x 1 of the second.
    """
    shape = sources[0].out_shape
    if shape.width != 1:
        raise WccsimError(
            f"matmul needs a K x M x 1 map, and {sources[0].name} gives {shape}; reshape it first"
        )
    _grouped(shape.channels, out, groups)
    if len(sources) == 2 and sources[1].out_shape != Shape(out, shape.channels // groups, 1):
        raise WccsimError(
            f"matmul of {shape} with {groups} groups needs a second map of "
            f"{Shape(out, shape.channels // groups, 1)}; {sources[1].name} gives {sources[1].out_shape}"
        )
    result = checked(Shape(out, shape.height, 1), "the output")
    return Layer(name, "matmul", tuple(s.name for s in sources), shape, result, groups=groups, **settings)
