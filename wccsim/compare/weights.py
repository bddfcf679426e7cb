"""The weight column: the weights of the 1x1 convolution that a map feeds, coded at a wanted number of bits.

What is coded are the int8 words of the npz, each output channel on its own scale; the scales go with the
requantiser of the layer and are the same for every coding.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.codecs.base import Codec
from wccsim.codecs.registry import codec
from wccsim.codecs.transform_quantization import TransformQuantization
from wccsim.errors import WccsimError
from wccsim.maps import FeatureMap

Words = npt.NDArray[np.int8]
AS_GIVEN = "as-given"
WIDTHS = {"uniform": (2, 8), "apot": (3, 6)}  # of signed words
TRANSFORM, BLOCK = "transform-quantization", "block-quantization"
WEIGHT_CODECS = (*WIDTHS, TRANSFORM, BLOCK)
DEFAULT_WEIGHT_CODECS = ("uniform", TRANSFORM, BLOCK)
WORD_BITS = 8
MAX_RATES = 16


@dataclass(frozen=True, slots=True)
class WeightGrid:
    """Which codings of the weights a comparison tries, beside the words as given.

    bits: bits a weight. map_codecs, map_targets: at which points of the maps; None is all of them.
    """

    bits: tuple[float, ...]
    codecs: tuple[str, ...] = DEFAULT_WEIGHT_CODECS
    map_codecs: tuple[str, ...] | None = None
    map_targets: tuple[float, ...] | None = None

    def __post_init__(self) -> None:
        for name in self.codecs:
            if name not in WEIGHT_CODECS:
                raise WccsimError(f"unknown weight codec {name!r}; allowed: {', '.join(WEIGHT_CODECS)}")
        if not self.codecs:
            raise WccsimError(f"no weight codec is named; allowed: {', '.join(WEIGHT_CODECS)}")
        if not 1 <= len(self.bits) <= MAX_RATES or any(not 0.1 <= b <= WORD_BITS for b in self.bits):
            raise WccsimError(
                f"bits a weight are {list(self.bits)}; allowed: 1 to {MAX_RATES} numbers, 0.1 to 8 each"
            )

    def wanted(self, map_codec: str, target: float | None) -> bool:
        """Whether the weights are coded beside this point of a map."""
        return (self.map_codecs is None or map_codec in self.map_codecs) and (
            self.map_targets is None or target in self.map_targets
        )


@dataclass(frozen=True, slots=True)
class CodedWeights:
    """Weights after a real bit stream of `bits` bits, every side bit counted.

    decoded: int8 [O, C]. word_bits: width of a weight in the convolution's products. rebuild_bops: what it
    costs to make those words from the stream, once a layer.
    """

    codec: str
    target: float
    decoded: Words
    bits: int
    word_bits: int
    rebuild_bops: Fraction
    breakdown: dict[str, int]
    setting: dict[str, Any]


def as_given(weights: Words) -> CodedWeights:
    """The words of the npz: 8 bits each, no side bits, nothing lost."""
    bits = weights.size * WORD_BITS
    return CodedWeights(
        AS_GIVEN, float(WORD_BITS), weights, bits, WORD_BITS, Fraction(0), {"payload": bits}, {}
    )


def code_weights(weights: Words, inputs: npt.NDArray[Any], name: str, target: float) -> CodedWeights:
    """`weights` [O, C] through the codec `name` at `target` bits a weight.

    inputs: the map [C, H, W] that the layer reads. transform-quantization transforms the shorter side (a
    transform of the longer one would hold more words than the weights); block-quantization is its block
    quantiser without a transform. Both fill 8-bit words, and choose depths and steps for least error after
    the layer where the codec can (not behind a transform of the outputs). A quantiser of whole bits takes
    the width nearest to the target, the narrower of two.
    """
    if name in WIDTHS:
        least, most = WIDTHS[name]
        width = min(range(least, most + 1), key=lambda b: (abs(b - target), b))
        return _coded(name, codec(name, bits=width), weights, target, {"bits": width}, width)
    variant = "none" if name == BLOCK else "row" if weights.shape[1] <= weights.shape[0] else "column"
    made = TransformQuantization(bits=target, variant=variant)
    if variant != "column":
        made = made.with_inputs(inputs)
    return _coded(name, made, weights, target, {"variant": variant}, WORD_BITS)


def _coded(
    name: str, made: Codec, weights: Words, target: float, setting: dict[str, Any], word_bits: int
) -> CodedWeights:
    block = np.ascontiguousarray(weights[:, :, None])
    encoded = made.encode(block)
    decoded = made.decode(encoded)[:, :, 0]
    work = made.cost((block.shape[0], block.shape[1], 1)).decode_bops * weights.size
    return CodedWeights(name, target, decoded, encoded.bits, word_bits, work, encoded.breakdown, setting)


def codings(map_: FeatureMap, grid: WeightGrid) -> list[CodedWeights]:
    """The words as given, then every codec of the grid at every rate; [] where the map feeds no 1x1 layer."""
    if map_.weights is None:
        return []
    return [as_given(map_.weights)] + [
        code_weights(map_.weights, map_.x, name, bits) for name in grid.codecs for bits in grid.bits
    ]
