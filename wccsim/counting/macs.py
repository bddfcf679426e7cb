"""Multiply-accumulates of a layer under the two counting rules.

`true`: every tap of every real output, zero padding included; for a transposed convolution every
tap of every input, cropped ones included.

`paper`: the rule behind the published tables, for a convolution

    MAC = Cin Cout / groups * Kh Kw * (H + 2p - d (Kh-1)) (W + 2p - d (Kw-1)) / (Sh Sw)

with H x W its input and p the padding that the module itself declares: valid positions divided by
the stride, with no floor, so the count need not be whole. The tables state no rule for other
operators; they count as `true`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from wccsim.counting.exact import Exact, whole
from wccsim.network.model import Layer

Counting = Literal["paper", "true"]
COUNTINGS = ("paper", "true")
COUNTING_RULES = {
    "paper": "paper: valid positions / stride^2, no floor (reproduces the published tables)",
    "true": "true: every tap of every real output",
}


def macs(layer: Layer, counting: Counting) -> Exact:
    """Multiply-accumulates of `layer`; a Fraction only under `paper`, where the rule gives one."""
    if counting == "true" or layer.op != "conv":
        return layer.macs
    positions = Fraction(1)
    sizes = (layer.in_shape.height, layer.in_shape.width)
    for axis, size in enumerate(sizes):
        valid = size + layer.module_padding[axis] - layer.dilation[axis] * (layer.kernel[axis] - 1)
        positions *= Fraction(max(valid, 0), layer.stride[axis])
    return whole(taps(layer) * layer.out_shape.channels * positions)


def taps(layer: Layer) -> int:
    """Multiply-accumulates behind one output value: n k^2 of the bit-operation definitions."""
    rows, columns = layer.kernel
    return rows * columns * (layer.in_shape.channels // layer.groups)


def weights(layer: Layer) -> int:
    """Weights without biases; 0 where both factors of a product are maps."""
    if not layer.multiplies or multiplies_two_maps(layer):
        return 0
    return taps(layer) * layer.out_shape.channels


def biases(layer: Layer) -> int:
    """Bias words: one an output channel where the layer has them."""
    return layer.out_shape.channels if layer.bias and weights(layer) else 0


def multiplies_two_maps(layer: Layer) -> bool:
    """A product of two feature maps, which has no weights."""
    return layer.op == "matmul" and len(layer.inputs) == 2
