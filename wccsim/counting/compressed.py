"""What WCC makes of one map: how many positions, how many kept, how many bits.

`padded` charges the map as the hardware runs it: the next multiple of 2^levels on both sides, and
k = floor(keep * positions). `published` charges what the paper's tables do: the map as it is, and
keep * positions exactly, which need not be whole; only an index rounds it, up.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from wccsim.counting.exact import Exact, whole
from wccsim.counting.options import CountingOptions
from wccsim.errors import WccsimError
from wccsim.formats import bit_length_of_count
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
    """The input map of a WCC layer, compressed. WccsimError where no position would be kept."""
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
    payload = whole(kept * layer.in_shape.channels * layer.act_bits)
    index = positions if options.index == "bitmap" else math.ceil(kept) * bit_length_of_count(positions)
    return CompressedMap(positions, kept, payload, index)
