"""A float reference that really runs the layers, on small maps, and counts its own multiply-adds.

Slow on purpose: every product is formed as an array element and counted by the size of that array,
so the count is of what ran, not of a formula. It is the witness of `wccsim.counting.macs`.
Maps are float64 [channels, height, width]; weights [out, in / groups, rows, columns].
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError
from wccsim.network.model import Layer, Network

Map = npt.NDArray[np.float64]
MAX_MACS = 1 << 31


@dataclass(frozen=True, slots=True)
class Executed:
    """What a layer gave, and how many products it formed and added up to do so."""

    output: Map
    macs: int


def execute_layer(
    layer: Layer, inputs: Sequence[Map], weights: Map | None = None, bias: Map | None = None
) -> Executed:
    """Run one layer on its input maps. `weights` are needed where the layer has them.

    WccsimError for an operator that has no float meaning here, and for more than 2^31 products.
    """
    if layer.macs > MAX_MACS:
        raise WccsimError(
            f"layer {layer.name} has {layer.macs:,} products; at most {MAX_MACS:,} are executed"
        )
    if layer.op == "conv":
        done = _convolve(layer, inputs[0], _needed(layer, weights))
    elif layer.op == "conv_transpose":
        done = _convolve_transposed(layer, inputs[0], _needed(layer, weights))
    elif layer.op == "fully_connected":
        done = _matrix_product(
            layer, inputs[0], _needed(layer, weights).reshape(layer.out_shape.channels, -1)
        )
    elif layer.op == "matmul":
        second = inputs[1] if len(inputs) == 2 else _needed(layer, weights)
        done = _matrix_product(layer, inputs[0], second.reshape(layer.out_shape.channels, -1))
    elif layer.op in _PLAIN:
        return Executed(_PLAIN[layer.op](layer, inputs), 0)
    else:
        raise WccsimError(f"layer {layer.name}: operator {layer.op} cannot be executed")
    if bias is not None:
        return Executed(done.output + bias[:, None, None], done.macs)
    return done


def random_weights(layer: Layer, random: np.random.Generator) -> Map:
    """Standard normal weights in the layer's shape, for a layer that has weights."""
    rows, columns = layer.kernel
    shape = (layer.out_shape.channels, layer.in_shape.channels // layer.groups, rows, columns)
    return random.standard_normal(shape)


def execute_network(network: Network, seed: int = 0) -> dict[str, Executed]:
    """Run a whole network on random inputs and weights; results by layer, in execution order."""
    random = np.random.default_rng(seed)
    done: dict[str, Executed] = {}
    for layer in network.layers:
        if layer.op == "input":
            shape = layer.out_shape
            map_ = random.standard_normal((shape.channels, shape.height, shape.width))
            done[layer.name] = Executed(map_, 0)
            continue
        two_maps = layer.op == "matmul" and len(layer.inputs) == 2
        weights = random_weights(layer, random) if layer.multiplies and not two_maps else None
        bias = random.standard_normal(layer.out_shape.channels) if layer.bias else None
        done[layer.name] = execute_layer(layer, [done[name].output for name in layer.inputs], weights, bias)
    return done


def _needed(layer: Layer, weights: Map | None) -> Map:
    if weights is None:
        raise WccsimError(f"layer {layer.name}: {layer.op} needs weights")
    return weights


def _convolve(layer: Layer, x: Map, weights: Map) -> Executed:
    top, bottom, left, right = layer.padding
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)))
    out = np.zeros((layer.out_shape.channels, layer.out_shape.height, layer.out_shape.width))
    ins, outs = weights.shape[1], layer.out_shape.channels // layer.groups
    macs = 0
    for channel in range(layer.out_shape.channels):
        first = channel // outs * ins
        for row, column in np.ndindex(*layer.kernel):
            window = padded[
                first : first + ins,
                _tap(row, layer.dilation[0], layer.stride[0], out.shape[1]),
                _tap(column, layer.dilation[1], layer.stride[1], out.shape[2]),
            ]
            products = weights[channel, :, row, column][:, None, None] * window
            macs += products.size
            out[channel] += products.sum(axis=0)
    return Executed(out, macs)


def _tap(tap: int, dilation: int, stride: int, count: int) -> slice:
    """The input positions that one tap of the kernel meets, one for each of `count` outputs."""
    start = tap * dilation
    return slice(start, start + (count - 1) * stride + 1, stride)


def _convolve_transposed(layer: Layer, x: Map, weights: Map) -> Executed:
    """Each input is multiplied into every tap; what falls into the padding is cropped afterwards."""
    ins = layer.in_shape.channels // layer.groups
    outs = layer.out_shape.channels // layer.groups
    top, _, left, _ = layer.padding
    # Output padding may reach beyond the last tap, so the canvas is at least as large as the crop.
    sizes = [
        max((size - 1) * stride + dilation * (kernel - 1) + 1, out + before)
        for size, stride, dilation, kernel, out, before in zip(
            x.shape[1:],
            layer.stride,
            layer.dilation,
            layer.kernel,
            (layer.out_shape.height, layer.out_shape.width),
            (top, left),
            strict=True,
        )
    ]
    canvas = np.zeros((layer.out_shape.channels, *sizes))
    macs = 0
    for channel in range(layer.out_shape.channels):
        first = channel // outs * ins
        for row, column in np.ndindex(*layer.kernel):
            products = weights[channel, :, row, column][:, None, None] * x[first : first + ins]
            macs += products.size
            canvas[
                channel,
                _tap(row, layer.dilation[0], layer.stride[0], x.shape[1]),
                _tap(column, layer.dilation[1], layer.stride[1], x.shape[2]),
            ] += products.sum(axis=0)
    cropped = canvas[:, top : top + layer.out_shape.height, left : left + layer.out_shape.width]
    return Executed(cropped, macs)


def _matrix_product(layer: Layer, x: Map, factors: Map) -> Executed:
    """`groups` products side by side: [K / groups, M] with [N / groups, K / groups]."""
    ins = layer.in_shape.channels // layer.groups
    outs = layer.out_shape.channels // layer.groups
    flat = x.reshape(layer.in_shape.channels, -1)
    rows = []
    macs = 0
    for channel in range(layer.out_shape.channels):
        first = channel // outs * ins
        products = factors[channel][:, None] * flat[first : first + ins]
        macs += products.size
        rows.append(products.sum(axis=0))
    shape = (layer.out_shape.channels, layer.out_shape.height, layer.out_shape.width)
    return Executed(np.stack(rows).reshape(shape), macs)


def _pool(layer: Layer, inputs: Sequence[Map]) -> Map:
    """Maximum or mean under the window; positions in the padding do not take part."""
    x = inputs[0]
    top, bottom, left, right = layer.padding
    # A window that rounds up may reach past the padding: nothing takes part there either.
    reach = [
        (out - 1) * stride + dilation * (kernel - 1) + 1
        for out, stride, dilation, kernel in zip(
            (layer.out_shape.height, layer.out_shape.width),
            layer.stride,
            layer.dilation,
            layer.kernel,
            strict=True,
        )
    ]
    bottom = max(bottom, reach[0] - x.shape[1] - top)
    right = max(right, reach[1] - x.shape[2] - left)
    padded = np.pad(x, ((0, 0), (top, bottom), (left, right)), constant_values=np.nan)
    windows = np.stack(
        [
            padded[
                :,
                _tap(row, layer.dilation[0], layer.stride[0], layer.out_shape.height),
                _tap(column, layer.dilation[1], layer.stride[1], layer.out_shape.width),
            ]
            for row, column in np.ndindex(*layer.kernel)
        ]
    )
    result: Map = np.nanmax(windows, axis=0) if layer.op == "max_pool" else np.nanmean(windows, axis=0)
    return result


def _pad(layer: Layer, inputs: Sequence[Map]) -> Map:
    top, bottom, left, right = layer.padding
    return np.pad(inputs[0], ((0, 0), (top, bottom), (left, right)))


def _upsample(layer: Layer, inputs: Sequence[Map]) -> Map:
    """Nearest neighbour: output position i reads input floor(i * in / out)."""
    x = inputs[0]
    rows = np.arange(layer.out_shape.height) * x.shape[1] // layer.out_shape.height
    columns = np.arange(layer.out_shape.width) * x.shape[2] // layer.out_shape.width
    nearest: Map = x[:, rows][:, :, columns]
    return nearest


def _elementwise(layer: Layer, inputs: Sequence[Map]) -> Map:
    """Sum or product, sizes of 1 repeated."""
    result = inputs[0]
    for other in inputs[1:]:
        result = result + other if layer.op == "add" else result * other
    return result


def _activation(layer: Layer, inputs: Sequence[Map]) -> Map:
    """ReLU where the function is one; other functions change no count and pass values through."""
    x = inputs[0]
    if layer.function.startswith("relu"):
        return np.clip(x, 0, 6 if layer.function == "relu6" else None)
    return x


def _slice(layer: Layer, inputs: Sequence[Map]) -> Map:
    """The first channels, rows and columns: a description names sizes, not where the slice lies."""
    out = layer.out_shape
    return inputs[0][: out.channels, : out.height, : out.width]


def _reshape(layer: Layer, inputs: Sequence[Map]) -> Map:
    out = layer.out_shape
    return inputs[0].reshape(out.channels, out.height, out.width)


_PLAIN: Mapping[str, Callable[[Layer, Sequence[Map]], Any]] = {
    "max_pool": _pool,
    "average_pool": _pool,
    "global_average_pool": lambda layer, inputs: inputs[0].mean(axis=(1, 2), keepdims=True),
    "pad": _pad,
    "upsample": _upsample,
    "add": _elementwise,
    "multiply": _elementwise,
    "concat": lambda layer, inputs: np.concatenate(list(inputs)),
    "activation": _activation,
    "reshape": _reshape,
    "slice": _slice,
}
