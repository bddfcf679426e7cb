"""One measured point: what a codec with one setting makes of a map, and the work it costs."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy.typing as npt

from wccsim.codecs.base import Codec
from wccsim.counting.bops import bops_mac

Map = npt.NDArray[Any]
WEIGHT_BITS = 8


@dataclass(frozen=True, slots=True)
class Point:
    """`decoded` comes from the real bit stream of `bits` bits, every side bit counted.

    products: multiplications of the 1x1 convolution for one output channel, and product_bits: the sum over
    them of the width of the map's word. codec_bops: the codec's own work on this map, to and fro (for WCC the
    forward transform alone: the inverse runs on the outputs, `out_channel_bops` for each).
    """

    setting: dict[str, Any]
    bits: int
    breakdown: dict[str, int]
    decoded: Map
    products: int
    product_bits: int
    codec_bops: Fraction
    out_channel_bops: Fraction = Fraction(0)

    def layer_bops(self, out_channels: int, weight_bits: int = WEIGHT_BITS) -> int:
        """BOPs of the 1x1 convolution and everything the codec adds, rounded up to a whole one."""
        total = bops_mac(self.product_bits * out_channels, weight_bits, 1) + self.codec_bops
        return -int(-(total + self.out_channel_bops * out_channels) // 1)


def coded(codec: Codec, x: Map, setting: dict[str, Any], operand_bits: int) -> Point:
    """The point of `codec` on `x`: encoded, decoded, counted. The convolution reads every position."""
    encoded = codec.encode(x)
    cost = codec.cost((x.shape[0], x.shape[1], x.shape[2]), 8 * x.dtype.itemsize)
    return Point(
        setting,
        encoded.bits,
        encoded.breakdown,
        codec.decode(encoded),
        x.size,
        x.size * operand_bits,
        (cost.encode_bops + cost.decode_bops) * x.size,
    )
