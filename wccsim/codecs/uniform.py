"""Uniform quantisation with one clip: the quantiser of LSQ, APoT's baseline and the WCC paper."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from wccsim.codecs.base import CodecCost, Shape
from wccsim.codecs.scalar import Ints, ScalarCodec


@dataclass(frozen=True, slots=True)
class Uniform(ScalarCodec):
    """q = sgn(x) min(Q, round_half_away(|x| Q / alpha)), decoded to round_half_away(q alpha / Q).

    Q = 2^bits - 1 for unsigned maps, 2^(bits-1) - 1 for signed. `alpha` is an integer in input LSBs;
    without it the clip of least squared error on the map is searched (the smallest of several).
    """

    NAME: ClassVar[str] = "uniform"
    ABOUT: ClassVar[str] = "uniform quantisation, one clip a map"
    SOURCE: ClassVar[str] = "Esser et al., LSQ, ICLR 2020; Finder et al., WCC, NeurIPS 2022, eq. (2)"

    bits: int = 4
    alpha: int | None = None

    def __post_init__(self) -> None:
        self._check_clip(1, 16)

    @property
    def _ties_up(self) -> bool:
        return True

    def _levels(self, signed: bool) -> Ints:
        return np.arange(1 << (self.bits - signed), dtype=np.int64)

    def _code(self, index: Ints, negative: npt.NDArray[np.bool_]) -> Ints:
        return np.where(negative, -index, index) & ((1 << self.bits) - 1)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        return CodecCost(
            encode_multiplies=Fraction(1),
            encode_side_bops=Fraction(16 * value_bits),
            decode_multiplies=Fraction(1),
            decode_side_bops=Fraction(16 * self.bits),
        )
