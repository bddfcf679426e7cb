"""The parameter object: what it accepts, and that its widths hold for every input."""

from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.parameters import HAAR_VARIANTS, WccParameters, butterflies, padded, parse_keep


@pytest.mark.parametrize("given_keep", ["25%", "0.25", "1/4", 0.25, Fraction(1, 4), " 25% "])
def test_keep_is_read_exactly(given_keep):
    assert parse_keep(given_keep) == Fraction(1, 4)


def test_a_float_keep_is_its_decimal_text():
    assert parse_keep(0.1) == Fraction(1, 10)


@pytest.mark.parametrize(
    "given_keep",
    [
        0,
        -0.5,
        1.5,
        "0%",
        "101%",
        "abc",
        "",
        "1/0",
        None,
        True,
        [1],
        float("nan"),
        float("inf"),
        "1e-9999999",
    ],
)
def test_a_keep_outside_is_refused(given_keep):
    with pytest.raises(WccsimError, match="0 < keep <= 1"):
        parse_keep(given_keep)


@given(size=st.integers(1, 10_000), levels=st.integers(1, 5))
def test_padding_is_the_least_multiple(size, levels):
    assert 0 <= padded(size, levels) - size < 1 << levels
    assert padded(size, levels) % (1 << levels) == 0


@given(blocks=st.integers(1, 1000), levels=st.integers(1, 5))
def test_butterflies_sum_over_levels(blocks, levels):
    positions = blocks << (2 * levels)
    assert butterflies(positions, levels) == sum(positions // 4**level for level in range(1, levels + 1))


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"levels": -1}, "levels is -1; allowed: integers 0 to 5"),
        ({"levels": 6}, "levels is 6; allowed: integers 0 to 5"),
        ({"levels": True}, "levels is True"),
        ({"in_bits": 17}, "input bits is 17; allowed: integers 2 to 16"),
        ({"act_bits": 9}, "act_bits after R1 is 9"),
        ({"weight_bits": 1}, "weight_bits is 1"),
        ({"wavelet_bits": 7}, "yw"),
        ({"haar": "orthonormal"}, "orthonormal_floor"),
        ({"score": "l3"}, "l2, l1, max"),
        ({"index": "zip"}, "bitmap, list, rice"),
        ({"requantise_mode": "triple"}, "single, tflite_double"),
        ({"selection": "binned:9"}, "binned:0 to binned:8"),
        ({"per_level_shift": (0, 1)}, "2 entries for 3 levels"),
        ({"per_level_shift": (0, 1, 16)}, "0 to 15"),
        ({"out_unsigned": True}, "needs relu"),
        ({"keep": Fraction(0)}, "0 < keep <= 1"),
    ],
)
def test_what_is_not_allowed_is_named(changes, words):
    with pytest.raises(WccsimError) as problem:
        WccParameters(**changes)
    assert words in str(problem.value)


def test_a_keep_that_keeps_nothing_is_refused():
    with pytest.raises(WccsimError, match="keeps none"):
        WccParameters(keep=Fraction(1, 1000)).kept(8, 8)


@given(
    st.sampled_from(HAAR_VARIANTS),
    st.integers(2, 16),
    st.integers(1, 5),
    st.sampled_from(["LL", "LH", "HL", "HH"]),
)
def test_alignment_never_shifts_right_and_its_width_is_enough(haar, in_bits, levels, band):
    p = WccParameters(haar=haar, in_bits=in_bits, levels=levels)
    for level in range(1, levels + 1):
        if band == "LL" and level < levels:
            continue
        shift = p.alignment_shift(level, band)
        lifted = in_bits + {"LL": 0, "LH": 1, "HL": 1, "HH": 2}[band]
        own = lifted if haar == "lifting" else p.coefficient_bits(level)
        assert shift >= 0
        assert own + shift <= p.aligned_bits()
        assert own <= p.coefficient_bits()


@given(st.sampled_from(HAAR_VARIANTS), st.integers(8, 16), st.integers(1, 5), st.booleans())
def test_the_inverse_width_holds_its_greatest_word(haar, yw, levels, bias):
    """The recursion of section 7, every word at its limit, exact integers, rounded away from zero."""
    p = WccParameters(haar=haar, wavelet_bits=yw, levels=levels, bias=bias)
    word = (1 << (yw - 1)) - 1
    greatest = word + (p.bias_format().max + 1 if bias else 0)
    limit = (1 << (p.inverse_bits() - 1)) - (0 if bias else 1)
    for level in range(levels, 0, -1):
        if haar == "exact":
            greatest += 3 * word << (levels - level)
        elif haar == "lifting":
            mean, difference = greatest + -(-word // 2), word + -(-word // 2)
            greatest = mean + -(-difference // 2)
        else:
            greatest = -(-(greatest + 3 * word) // 2)
        assert greatest <= limit


def test_published_widths():
    """docs/datapath.md: CW 14 at b = 8, L = 3; score 37 bits at C = 1024; accumulator 15 + log2 C."""
    p = WccParameters()
    assert p.coefficient_bits() == 14
    assert p.score_bits(1024) == 37
    assert p.accumulator_bits(1024) == 25
    assert p.inverse_bits() == 21
    assert WccParameters(bias=True).inverse_bits() == 22
