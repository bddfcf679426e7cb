"""Integer formats and named roundings: the only places where a value is narrowed.

Every function takes Python ints or NumPy integer arrays alike and never touches a float, except
`multiplier_and_shift`, which turns a real multiplier into the integers used from then on.
Source: docs/datapath.md, section 5.
"""

from __future__ import annotations

import math
from enum import Enum
from fractions import Fraction
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError
from wccsim.formats import IntFormat as IntFormat
from wccsim.formats import bit_length_of_count as bit_length_of_count

IntOrArray = TypeVar("IntOrArray", int, npt.NDArray[np.int64])

MULTIPLIER_BITS = 16
MAX_SHIFT = 63
Q31_ONE = 1 << 31
MAX_Q31_SHIFT = 31


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


def scale_half_up(value: IntOrArray, multiplier: Any, shift: Any) -> IntOrArray:
    """`value * multiplier / 2**shift` with one rounding, ties up: mode `single` of section 5.

    Arrays are int64 and broadcast; shift 1..63. Exact while |value * multiplier| < 2**62.
    """
    one: Any = np.int64(1) if isinstance(shift, np.ndarray) else 1
    result: Any = (value * multiplier + (one << (shift - 1))) >> shift
    return result  # type: ignore[no-any-return]


def scale_double_rounding(value: IntOrArray, multiplier: Any, shift: Any) -> IntOrArray:
    """gemmlowp's pair of roundings: mode `tflite_double` of section 5.

    A left shift by -shift where shift is negative (the result must fit int32); the saturating rounding
    doubling high multiply by the Q31 `multiplier`; then a rounding division by 2**shift, ties away.
    Arrays are int64 and broadcast; shift -31..31.
    """
    scalar = isinstance(value, int)
    left: Any = max(-shift, 0) if scalar else np.maximum(-np.asarray(shift), 0)
    right: Any = max(shift, 0) if scalar else np.maximum(shift, 0)
    shifted: Any = value << left
    result: Any = divide_by_power_of_two(doubling_high_multiply(shifted, multiplier), right)
    return result  # type: ignore[no-any-return]


def doubling_high_multiply(value: IntOrArray, multiplier: Any) -> IntOrArray:
    """round(value * multiplier / 2**31) for int32 operands, ties up; only -2**31 squared saturates.

    gemmlowp adds 2**30 (1 - 2**30 to a negative product) and divides by 2**31 towards zero.
    """
    product: Any = value * multiplier
    negative = product < 0
    nudged = product + (1 << 30) + negative * (1 - (1 << 31))
    # Towards zero: a negative quotient that is not whole is one above its floor.
    quotient = (nudged + (nudged < 0) * (Q31_ONE - 1)) >> 31
    return saturate(quotient, -Q31_ONE, Q31_ONE - 1)  # type: ignore[no-any-return]


def divide_by_power_of_two(value: IntOrArray, shift: Any) -> IntOrArray:
    """`value / 2**shift`, to nearest, ties away from zero; shift 0..31, one for all or one each."""
    one: Any = np.int64(1) if isinstance(shift, np.ndarray) else 1
    half: Any = (one << shift) >> 1
    # A negative tie must go down, so a negative value gets one less than half (nothing at shift 0).
    tie_down: Any = (value < 0) & (half > 0)
    return (value + half - tie_down) >> shift  # type: ignore[no-any-return]


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
    multiplier, shift = _normalised(real, MULTIPLIER_BITS)
    if not 1 <= shift <= MAX_SHIFT:
        raise WccsimError(
            f"the multiplier {real!r} needs a shift of {shift}; a requantiser shifts by 1 to {MAX_SHIFT}"
        )
    return multiplier, shift


def q31_multiplier_and_shift(real: float) -> tuple[int, int]:
    """(M, s) with M * 2**-(31 + s) nearest to `real`, 2**30 <= M < 2**31: TFLite's form of a multiplier.

    A multiplier of 1 or more has a negative s, a left shift.
    """
    multiplier, shift = _normalised(real, 31)
    shift -= 31
    if not -MAX_Q31_SHIFT <= shift <= MAX_Q31_SHIFT:
        raise WccsimError(
            f"the multiplier {real!r} needs a shift of {shift}; "
            f"tflite_double shifts by at most {MAX_Q31_SHIFT}"
        )
    return multiplier, shift


def _normalised(real: float, bits: int) -> tuple[int, int]:
    """(M, s): M = round(real * 2**s), ties to even, has exactly `bits` bits."""
    if not (math.isfinite(real) and real > 0):
        raise WccsimError(f"a requantiser's multiplier must be a positive finite number, not {real!r}")
    exact = Fraction(real)
    exponent = math.frexp(real)[1] - 1  # floor(log2 real), exact for every float
    shift = bits - 1 - exponent
    multiplier = round(exact * 2**shift if shift >= 0 else exact / 2**-shift)
    if multiplier == 1 << bits:
        return multiplier >> 1, shift - 1
    return multiplier, shift
