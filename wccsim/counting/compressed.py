"""What WCC makes of one map: how many positions, how many kept, how many bits.

`padded` charges the map as the hardware runs it: the next multiple of 2^levels on both sides, and
k = floor(keep * positions). `published` charges what the paper's tables do: the map as it is, and
keep * positions exactly, which need not be whole; only an index rounds it, up. Rice-coded words and a
Rice-coded index are charged at their measured means; the hardware's totals are rounded up to a bit.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from wccsim.counting.exact import Exact, whole
from wccsim.counting.options import CountingOptions
from wccsim.errors import WccsimError
from wccsim.network.model import Layer
from wccsim.parameters import padded


@dataclass(frozen=True, slots=True)
class CompressedMap:
    """`positions` of one channel after padding; `kept` of them; `payload_bits` of the input map."""

    positions: int
    kept: Exact
    payload_bits: Exact
    index_bits: int

    @property
    def bits(self) -> Exact:
        """Payload and index."""
        return whole(self.payload_bits + self.index_bits)


def compressed_map(layer: Layer, keep: Fraction, options: CountingOptions) -> CompressedMap:
    """The input map of a WCC layer, compressed.

    WccsimError where no position would be kept, or a Rice-coded form has no measured mean for its keep.
    """
    height, width = layer.in_shape.height, layer.in_shape.width
    if options.padding == "published":
        positions, kept = height * width, whole(keep * height * width)
    else:
        positions = padded(height, layer.levels) * padded(width, layer.levels)
        kept = math.floor(keep * positions)
        if kept < 1:
            raise WccsimError(
                f"layer {layer.name}: keep {float(keep):.3g} of its {positions} positions keeps none; "
                "keep more, or forbid WCC there: `wcc: false` in its description"
            )
    try:
        payload = whole(kept * layer.in_shape.channels * options.stored.word_mean(layer.act_bits, keep))
        index = options.stored.index_total(positions, math.ceil(kept), keep)
    except WccsimError as problem:
        raise WccsimError(f"layer {layer.name}: {problem}") from None
    if options.padding == "padded":
        payload = math.ceil(payload)
    return CompressedMap(positions, kept, payload, index)
