"""Bit operations under two published definitions, and the transform's of the WCC paper.

* `mac`: MAC * bw * ba (eq. 11 of the paper; what QONNX computes). The default.
* `uniq`: MAC * (ba bw + ba + bw + log2(n k^2)), n input channels a group, k^2 taps: UNIQ and "Ps and
  Qs" count the accumulator's width too. The logarithm is real; the product of a layer is rounded
  to nearest once (`round_to_nearest`), so a layer's count is whole where its MACs are.

The Haar transform is eq. (12) of the paper under both: neither UNIQ nor "Ps and Qs" speaks of
transforms. The gate-weighted definition is in `wccsim.counting.gates`.
"""

from __future__ import annotations

from fractions import Fraction
from typing import Literal

from wccsim.counting.exact import Exact, whole

Definition = Literal["mac", "uniq", "gates"]
DEFINITIONS = ("mac", "uniq", "gates")
DEFINITION_RULES = {
    "mac": "mac: MAC * bw * ba; Haar by eq. (12)",
    "uniq": "uniq: MAC * (ba bw + ba + bw + log2(n k^2)), rounded to nearest once a layer; Haar by eq. (12)",
    "gates": "gates: every operation times its measured gate equivalents (NAND2 = 1)",
}
LOG2_DIGITS = 60


def bops_mac(macs: Exact, weight_bits: int, act_bits: int) -> Exact:
    """MAC * bw * ba."""
    return macs * weight_bits * act_bits


def bops_uniq(macs: Exact, weight_bits: int, act_bits: int, taps: int) -> Exact:
    """MAC * (ba bw + ba + bw + log2 taps), `taps` = n k^2 products behind one output."""
    linear = macs * (weight_bits * act_bits + weight_bits + act_bits)
    return whole(linear + round_to_nearest(macs, taps))


def round_to_nearest(macs: Exact, taps: int) -> int:
    """`macs` * log2(`taps`), rounded to the nearest integer.

    A power of two gives an exact logarithm; any other is irrational, so there is no tie. 60 more
    digits than the product has decide the rounding.
    """
    exponent = taps.bit_length() - 1
    if taps == 1 << exponent:
        return round(Fraction(macs) * exponent)
    from decimal import Context, Decimal

    precision = Context(prec=LOG2_DIGITS + len(str(int(macs))))
    log2 = precision.divide(precision.ln(Decimal(taps)), precision.ln(Decimal(2)))
    exact = Fraction(macs)
    product = precision.divide(precision.multiply(Decimal(exact.numerator), log2), Decimal(exact.denominator))
    return int(product.to_integral_value("ROUND_HALF_EVEN", precision))


def bops_haar(values: int, levels: int, act_bits: int) -> Exact:
    """One direction of the transform on a map of `values` values: sum of 4 values ba / 4^(l-1) (eq. 12).

    The paper's exponent is hard to read; 1/4^(l-1) is the one that gives its worked example. On a
    map that is not a multiple of 2^levels the sum need not be whole: it is kept exact.
    """
    return whole(sum(Fraction(4 * values * act_bits, 4 ** (level - 1)) for level in range(1, levels + 1)))
