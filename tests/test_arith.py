"""Named roundings and multipliers: laws, then gemmlowp's and apytypes' recorded outputs."""

import csv
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wccsim.arith import (
    IntFormat,
    Rounding,
    bit_length_of_count,
    divide_by_power_of_two,
    doubling_high_multiply,
    multiplier_and_shift,
    q31_multiplier_and_shift,
    rounding_shift,
    saturate,
    scale_double_rounding,
    scale_half_up,
)
from wccsim.errors import WccsimError

VECTORS = Path(__file__).parent / "golden" / "rounding"
GEMMLOWP, APYTYPES = (
    list(csv.DictReader((VECTORS / name).read_text().splitlines()))
    for name in ("gemmlowp_requant_vectors.csv", "apytypes_0.5.1_shift_rounding.csv")
)
APYTYPES_NAMES = {
    Rounding.FLOOR: "TRN",
    Rounding.HALF_UP: "RND",
    Rounding.HALF_EVEN: "RND_CONV",
    Rounding.HALF_AWAY: "RND_INF",
}
int32s = st.integers(-(1 << 31), (1 << 31) - 1)


@given(value=st.integers(-(1 << 40), 1 << 40), shift=st.integers(0, 30), rounding=st.sampled_from(Rounding))
def test_a_rounding_shift_is_off_by_at_most_half_or_by_less_than_one_for_floor(value, shift, rounding):
    off = rounding_shift(value, shift, rounding) - Fraction(value, 1 << shift)
    assert -1 < off <= 0 if rounding is Rounding.FLOOR else abs(off) <= Fraction(1, 2)


@given(quotient=st.integers(-1000, 1000), shift=st.integers(1, 20))
def test_ties_go_where_the_name_says(quotient, shift):
    tie = (2 * quotient + 1) << (shift - 1)
    assert rounding_shift(tie, shift, Rounding.HALF_UP) == quotient + 1
    assert rounding_shift(tie, shift, Rounding.HALF_EVEN) % 2 == 0
    assert rounding_shift(tie, shift, Rounding.HALF_AWAY) == quotient + (quotient >= 0)


@pytest.mark.parametrize("rounding", APYTYPES_NAMES)
def test_shifts_equal_apytypes(rounding):
    for row in APYTYPES:
        expected = int(row[APYTYPES_NAMES[rounding]])
        assert rounding_shift(int(row["x"]), int(row["shift"]), rounding) == expected


def test_apytypes_half_up_is_the_single_requantiser():
    for row in APYTYPES:
        assert scale_half_up(int(row["x"]) << 3, 1, int(row["shift"]) + 3) == int(row["RND"])


def test_requantisers_equal_gemmlowp_and_cmsis_nn():
    assert len(GEMMLOWP) == 200
    for row in GEMMLOWP:
        x, multiplier, shift = int(row["x"]), int(row["multiplier_q31"]), int(row["right_shift"])
        assert doubling_high_multiply(x, multiplier) == int(row["gemmlowp_SRDHM"])
        assert scale_double_rounding(x, multiplier, shift) == int(row["gemmlowp_double_round"])
        assert scale_half_up(x, multiplier, 31 + shift) == int(row["cmsis_single_round"])


@given(st.lists(st.tuples(int32s, st.integers(1 << 30, (1 << 31) - 1), st.integers(0, 31)), min_size=1))
def test_arrays_round_as_single_integers_do(rows):
    x, multiplier, shift = np.array(rows, np.int64).T
    double = [scale_double_rounding(*row) for row in rows]
    np.testing.assert_array_equal(scale_double_rounding(x, multiplier, shift), double)
    single = [scale_half_up(value, m >> 15, s + 1) for value, m, s in rows]
    np.testing.assert_array_equal(scale_half_up(x, multiplier >> 15, shift + 1), single)


def test_a_negative_shift_of_the_double_rounding_is_a_left_shift():
    assert scale_double_rounding(5, 1 << 30, -3) == 20
    assert scale_double_rounding(np.array([5, -5]), 1 << 30, np.array([-3, -1])).tolist() == [20, -5]


@given(value=int32s, shift=st.integers(0, 31))
def test_division_by_a_power_of_two_rounds_half_away(value, shift):
    assert divide_by_power_of_two(value, shift) == rounding_shift(value, shift, Rounding.HALF_AWAY)


@given(st.floats(2.0**-47, 2.0**14, exclude_max=True))
def test_a_multiplier_is_normalised_and_nearest(real):
    multiplier, shift = multiplier_and_shift(real)
    assert 1 << 15 <= multiplier < 1 << 16
    assert 1 <= shift <= 63
    # Nearest: within half a unit of the multiplier's last place (a quarter where it rounded up to 2**16).
    assert abs(Fraction(multiplier, 1 << shift) - Fraction(real)) <= Fraction(1, 1 << (shift + 1))


@given(st.floats(2.0**-30, 2.0**30))
def test_a_q31_multiplier_is_normalised_and_nearest(real):
    multiplier, shift = q31_multiplier_and_shift(real)
    assert 1 << 30 <= multiplier < 1 << 31
    unit = Fraction(2) ** -(31 + shift)
    assert abs(multiplier * unit - Fraction(real)) <= unit / 2


@pytest.mark.parametrize("real", [0.0, -1.0, float("nan"), float("inf"), 2.0**16, 2.0**-60])
def test_a_multiplier_that_no_shift_holds_is_refused(real):
    with pytest.raises(WccsimError, match="multiplier"):
        multiplier_and_shift(real)


def test_a_q31_multiplier_that_no_shift_holds_is_refused():
    with pytest.raises(WccsimError, match="at most 31"):
        q31_multiplier_and_shift(2.0**-40)


def test_a_multiplier_that_rounds_up_to_the_next_power_is_renormalised():
    assert multiplier_and_shift(2.0 - 2.0**-20) == (1 << 15, 14)


def test_formats_know_their_limits():
    assert (IntFormat(8).min, IntFormat(8).max, str(IntFormat(8))) == (-128, 127, "int8")
    assert (IntFormat(8, signed=False).max, str(IntFormat(4, signed=False))) == (255, "uint4")
    with pytest.raises(WccsimError, match="1 to 64"):
        IntFormat(65)


def test_saturation_limits_integers_and_arrays():
    assert saturate(300, -128, 127) == 127
    assert saturate(np.array([-300, 5]), -128, 127).tolist() == [-128, 5]


@given(st.integers(1, 1 << 20))
def test_the_bits_that_number_things_are_the_ceiling_of_log2(count):
    bits = bit_length_of_count(count)
    assert 1 << bits >= count
    assert bits == 0 or 1 << (bits - 1) < count
