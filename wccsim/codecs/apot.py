"""Additive powers of two (APoT): non-uniform levels, each a sum of few powers of two."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import numpy.typing as npt

from wccsim.codecs.base import CodecCost, Shape
from wccsim.codecs.scalar import Ints, ScalarCodec

# The published code's level sets for activations of B bits, as integers; divide by the last.
LEVELS = {
    2: (0, 1, 2, 4),
    3: (0, 1, 2, 3, 4, 6, 8, 10),
    4: (0, 1, 2, 3, 4, 6, 8, 9, 12, 16, 18, 24, 32, 33, 36, 48),
    5: (
        *(0, 1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 17, 20, 21),
        *(24, 28, 32, 34, 36, 38, 48, 52, 64, 65, 68, 69, 72, 76, 96, 100),
    ),
}


@dataclass(frozen=True, slots=True)
class Apot(ScalarCodec):
    """The nearest of 2^bits levels l alpha / l_max; a tie goes to the smaller level.

    Unsigned maps use the level set of `bits` bits (2 to 5); signed maps one sign bit and the set of
    bits - 1 (3 to 6 bits). `alpha` as for `uniform`. The published code leaves ties to the order of
    an unordered set; here they go down.
    """

    NAME: ClassVar[str] = "apot"
    ABOUT: ClassVar[str] = "additive powers of two, one clip a map"
    SOURCE: ClassVar[str] = "Li, Dong, Wang, ICLR 2020; level sets of yhhhli/APoT_Quantization 13204f1"

    bits: int = 4
    alpha: int | None = None

    def __post_init__(self) -> None:
        self._check_clip(2, 6)

    @property
    def _ties_up(self) -> bool:
        return False

    def _levels(self, signed: bool) -> Ints:
        return np.array(LEVELS[self.bits - signed], dtype=np.int64)

    def _code(self, index: Ints, negative: npt.NDArray[np.bool_]) -> Ints:
        return np.where(negative, index | 1 << (self.bits - 1), index)

    def _check_format(self, dtype: np.dtype[np.generic]) -> str | None:
        if dtype.kind == "i" and self.bits < 3:
            return f"{self.NAME}: a signed map takes 3 to 6 bits, not {self.bits}"
        if dtype.kind == "u" and self.bits > 5:
            return f"{self.NAME}: an unsigned map takes 2 to 5 bits, not {self.bits}"
        return None

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        # Dense levels are sums of one power of two per part (1, 2, 2, 3 parts for 2 to 5 bits), so that
        # scaling by one is adds alone; the search for the nearest is compares. Signed maps, one bit less.
        adds = Fraction({2: 0, 3: 1, 4: 1, 5: 2}[min(self.bits, 5)])
        return CodecCost(decode_adds=adds, decode_side_bops=adds * value_bits)
