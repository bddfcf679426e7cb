"""What a reader calls a layer, and the MACs of each such kind."""

from __future__ import annotations

from collections.abc import Iterable

from wccsim.counting.exact import Exact, whole
from wccsim.counting.macs import Counting, macs
from wccsim.network.model import Layer


def kind_of(layer: Layer) -> str:
    """What a reader calls the layer: "1x1", "depthwise 3x3", "add"."""
    if not layer.multiplies:
        return layer.op.replace("_", " ")
    kernel = f"{layer.kernel[0]}x{layer.kernel[1]}"
    if layer.op == "conv_transpose":
        return f"transposed {kernel}"
    if layer.op != "conv":
        return layer.op.replace("_", " ")
    if layer.groups == 1:
        return kernel
    depthwise = layer.groups == layer.in_shape.channels == layer.out_shape.channels
    return f"{'depthwise' if depthwise else 'grouped'} {kernel}"


def macs_by_kind(layers: Iterable[Layer], counting: Counting) -> dict[str, Exact]:
    """MACs of each kind under a counting rule, kinds in alphabetical order."""
    sums: dict[str, Exact] = {}
    for layer in layers:
        if layer.multiplies:
            kind = kind_of(layer)
            sums[kind] = whole(sums.get(kind, 0) + macs(layer, counting))
    return dict(sorted(sums.items()))
