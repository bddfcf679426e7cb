"""A layer as a matrix product for the array and as a loop nest for the buffers."""

from __future__ import annotations

from dataclasses import replace

from wccsim.cycles import ceil_div
from wccsim.errors import WccsimError
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer, Network
from wccsim.systolic import GemmCount, gemm_count
from wccsim.tiling import Capacity, Nest

TILED = ("in", "weight", "out")


def matrix_product(layer: Layer) -> tuple[int, int, int, int]:
    """(M, K, N, times): the im2col view; M * K * N * times = the layer's MACs.

    A transposed convolution multiplies every input by every tap and adds the overlaps afterwards.
    """
    rows, columns = layer.kernel
    taps, groups = rows * columns, layer.groups
    channels, outputs = layer.in_shape.channels // groups, layer.out_shape.channels // groups
    if layer.op == "conv_transpose":
        return layer.in_shape.height * layer.in_shape.width, channels, outputs * taps, groups
    shape = layer.out_shape
    return shape.height * shape.width, channels * taps, outputs, groups


def on_array(layer: Layer, accelerator: Accelerator) -> GemmCount:
    """The layer's product on the accelerator's array."""
    m, k, n, times = matrix_product(layer)
    array = accelerator.array
    return gemm_count(m, k, n, array.rows, array.columns, array.dataflow, times)


def dense_nest(layer: Layer, accelerator: Accelerator, in_bits: int, out_bits: int) -> Nest:
    """The layer's loops over a map that lies in DRAM whole, at `in_bits` a value."""
    kernel_rows, kernel_columns = layer.kernel
    groups, shape, out = layer.groups, layer.in_shape, layer.out_shape
    transposed = layer.op == "conv_transpose"
    # A transposed convolution passes its input rows once; each makes out/in rows of the output.
    # A 1x1 layer shares no input between outputs: each position is a row of its own.
    pointwise = layer.pointwise or layer.op in ("fully_connected", "matmul")
    columns = 1 if pointwise else shape.width
    rows = shape.height * (shape.width if pointwise else 1) if transposed or pointwise else out.height
    row_values = ceil_div(out.height * out.width, rows)
    return Nest(
        rows=rows,
        in_rows=rows if pointwise else shape.height,
        in_channels=shape.channels // groups,
        out_channels=out.channels // groups,
        in_row_bits=columns * in_bits,
        pair_bits=kernel_rows * kernel_columns * layer.weight_bits,
        out_row_bits=row_values * out_bits,
        partial_row_bits=row_values * accelerator.accumulator_bits,
        row_span=1 if transposed else layer.dilation[0] * (kernel_rows - 1) + 1,
        row_stride=1 if transposed else layer.stride[0],
        pad_top=0 if transposed else layer.padding[0],
        groups=groups,
    )


def kept_nest(layer: Layer, kept: int, out_word_bits: int, accelerator: Accelerator) -> Nest:
    """The loops of a WCC layer's product: every kept position is one row of one value."""
    return Nest(
        rows=kept,
        in_rows=kept,
        in_channels=layer.in_shape.channels,
        out_channels=layer.out_shape.channels,
        in_row_bits=layer.act_bits,
        pair_bits=layer.weight_bits,
        out_row_bits=out_word_bits,
        partial_row_bits=accelerator.accumulator_bits,
    )


def fitted(network: Network, accelerator: Accelerator) -> Network:
    """The network as the array can run it: exempt layers at no more than its widths.

    A description keeps exempt layers wide (32/32, say) because the published work does; an integer
    array has no such mode. Raises WccsimError for any other layer wider than the array.
    """

    def narrowed(layer: Layer) -> Layer:
        if not layer.multiplies:
            return layer
        widths = {
            "act_bits": (layer.act_bits, accelerator.activation_bits),
            "weight_bits": (layer.weight_bits, accelerator.weight_bits),
        }
        for what, (given, most) in widths.items():
            if given > most and not layer.exempt:
                raise WccsimError(
                    f"layer {layer.name}: {what} is {given}; the array of {accelerator.name} takes up to "
                    f"{most}"
                )
        act, weight = (min(given, most) for given, most in widths.values())
        return replace(layer, act_bits=act, weight_bits=weight)

    return replace(network, layers=tuple(narrowed(layer) for layer in network.layers))


def capacity(accelerator: Accelerator, reserved_bits: dict[str, int] | None = None) -> Capacity:
    """Room for tiles in each buffer: half of it where transfers hide behind work (two tiles each).

    `reserved_bits` by tensor is taken off the buffer that holds that tensor.
    """
    limits, shares = [], []
    for buffer in accelerator.buffers:
        tensors = tuple(tensor for tensor in TILED if tensor in buffer.holds)
        if not tensors:
            continue
        left = buffer.size_bits - sum(
            bits for tensor, bits in (reserved_bits or {}).items() if tensor in buffer.holds
        )
        limits.append(max(left, 0) // (1 if accelerator.overlap == "none" else 2))
        shares.append(tensors)
    return Capacity(tuple(limits), tuple(shares))
