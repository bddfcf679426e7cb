"""Integer formats and named roundings: the only places where a value is narrowed.

Every function takes Python ints or NumPy integer arrays alike and never touches a float, except
`multiplier_and_shift`, which turns a real multiplier into the integers used from then on.
Source: docs/datapath.md, section 5.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from enum import Enum
from fractions import Fraction
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError

IntOrArray = TypeVar("IntOrArray", int, npt.NDArray[np.int64])

MULTIPLIER_BITS = 16
MAX_SHIFT = 63


@dataclass(frozen=True, slots=True)
class IntFormat:
    """A two's complement (signed) or plain binary (unsigned) integer of `bits` bits."""

    bits: int
    signed: bool = True

    def __post_init__(self) -> None:
        if not 1 <= self.bits <= 64:
            raise WccsimError(f"an integer format has 1 to 64 bits, not {self.bits}")

    @property
    def min(self) -> int:
        """Smallest value."""
        return -(1 << (self.bits - 1)) if self.signed else 0

    @property
    def max(self) -> int:
        """Greatest value."""
        return (1 << (self.bits - 1)) - 1 if self.signed else (1 << self.bits) - 1

    def __str__(self) -> str:
        return f"{'int' if self.signed else 'uint'}{self.bits}"


class Rounding(Enum):
    """What a right shift does with the bits it drops."""

    FLOOR = "floor"  # towards minus infinity: drop them
    HALF_UP = "half_up"  # to nearest, ties towards plus infinity
    HALF_EVEN = "half_even"  # to nearest, ties to the even result
    HALF_AWAY = "half_away"  # to nearest, ties away from zero


def rounding_shift(value: IntOrArray, shift: int, rounding: Rounding) -> IntOrArray:
    """`value / 2**shift`, rounded as named. Exact while |value| + 2**(shift-1) fits the type."""
    if shift == 0 or rounding is Rounding.FLOOR:
        return value >> shift
    half = 1 << (shift - 1)
    if rounding is Rounding.HALF_UP:
        return (value + half) >> shift
    if rounding is Rounding.HALF_EVEN:
        # Adding half - 1 plus the kept lowest bit moves a tie up only from an odd quotient.
        return (value + (half - 1) + ((value >> shift) & 1)) >> shift
    # HALF_AWAY: a negative tie must go down, so a negative value gets one less than half.
    return (value + half - (value < 0)) >> shift


def saturate(value: IntOrArray, low: int, high: int) -> IntOrArray:
    """`value` limited to low..high."""
    if isinstance(value, int):
        return min(max(value, low), high)
    return np.clip(value, low, high)


def multiplier_and_shift(real: float) -> tuple[int, int]:
    """(M, s) with M * 2**-s nearest to `real`: M has 16 bits and is normalised, s is 1..63.

    s = 15 - floor(log2 real), M = round(real * 2**s) with ties to even; the rounding is exact,
    made on the fraction that the float stands for. Refuses what no s in 1..63 can hold.
    """
    if not (math.isfinite(real) and real > 0):
        raise WccsimError(f"a requantiser's multiplier must be a positive finite number, not {real!r}")
    exact = Fraction(real)
    exponent = math.frexp(real)[1] - 1  # floor(log2 real), exact for every float
    shift = MULTIPLIER_BITS - 1 - exponent
    scaled = exact * 2**shift if shift >= 0 else exact / 2**-shift
    multiplier = round(scaled)
    if multiplier == 1 << MULTIPLIER_BITS:
        multiplier >>= 1
        shift -= 1
    if not 1 <= shift <= MAX_SHIFT:
        raise WccsimError(
            f"the multiplier {real!r} needs a shift of {shift}; a requantiser shifts by 1 to {MAX_SHIFT}"
        )
    return multiplier, shift


def bit_length_of_count(count: int) -> int:
    """ceil(log2 count): bits that number `count` things, 0 for one thing."""
    return (count - 1).bit_length()
