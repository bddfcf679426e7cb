"""The float layer and the bound: every run stays inside it, and its SNR says what rounding costs."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from datapath_cases import cases, fill, finish
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.datapath.error_bound import error_bound, transform_error
from wccsim.datapath.float_reference import dense, real_multiplier, scales_of
from wccsim.datapath.haar import forward
from wccsim.datapath.measure import stage_errors
from wccsim.datapath.pad import pad
from wccsim.datapath.subbands import subbands
from wccsim.datapath.widths import signed_bits, widths
from wccsim.parameters import HAAR_VARIANTS, WccParameters


def measured(case, x_scale=0.05):
    """(rows of the error table, plan) of a case, with the real bias that its words stand for."""
    plan, result = case.plan(), case.run()
    scales = scales_of(plan, x_scale, 0.01 * np.arange(1, len(case.weights) + 1))
    bias = None
    if plan.bias is not None:
        bias = plan.bias * scales.y * 2.0 ** -plan.parameters.bias_gain()
    return stage_errors(plan, case.x, result, scales, bias), plan


@settings(max_examples=200, deadline=None)
@given(cases(max_size=20))
def test_every_run_stays_inside_the_derived_bound(case):
    for row in measured(case)[0]:
        assert row.within, row


@pytest.mark.parametrize("levels", range(1, 6))
@pytest.mark.parametrize("variant", HAAR_VARIANTS)
def test_the_transform_bound_is_nearly_attained(variant, levels):
    """Over many maps the greatest transform error comes near its bound at level 1, and never passes it."""
    rng = np.random.default_rng(levels)
    p = WccParameters(haar=variant, levels=levels)
    bound = transform_error(p)
    worst = np.zeros_like(bound)
    for pattern in ("random", "ties", "smooth"):
        x = fill(pattern, (4, 64, 64), -128, 127, rng).astype(np.int8)
        exact = forward(pad(x, levels), levels)
        found = forward(pad(x, levels), levels, variant)
        for number, band in enumerate(subbands(64, 64, levels)):
            part = (slice(None), *band.rectangle)
            error = found[part] * 2.0 ** -p.gain(band.level, band.band) - exact[part] / 2.0**band.level
            worst[number] = max(worst[number], np.abs(error).max())
    assert (worst <= bound).all()
    finest = worst[-3:]
    assert (finest >= bound[-3:] * 0.75).all()


def test_the_requantiser_bound_is_attained_by_a_tie():
    """M = 2**15 and s = 17: 2 is a tie, half a step off."""
    p = WccParameters(levels=1)
    case = finish(p, np.full((1, 2, 2), 1, np.int8), 1, np.random.default_rng(0))
    case = replace(case, r1=(1 << 15, 17))  # LL = 4, gain 2: 4 / 2 / 4 = 1/2
    rows, plan = measured(case)
    bound = error_bound(plan, scales_of(plan, 0.05, 0.01))
    assert rows[1].max_error == pytest.approx(bound.q.max())


@settings(max_examples=60, deadline=None)
@given(cases(max_size=20), st.integers(0, 3))
def test_no_value_is_wider_than_its_formula(case, _):
    result, plan = case.run(), case.plan()
    table = widths(plan, case.x, result)
    for row in table:
        assert row.seen_bits <= row.required_bits, row


def test_the_widths_of_the_wavelet_domain_are_attained():
    """All minima: LL_3 needs all 14 bits; the greatest words everywhere fill the inverse."""
    x = np.full((1, 8, 8), -128, np.int8)
    case = finish(WccParameters(keep=Fraction(1)), x, 1, np.random.default_rng(0))
    full = replace(case.run(), y=np.full((1, 64), 32767, np.int32))
    rows = {row.signal: row for row in widths(case.plan(), x, full)}
    assert rows["coefficient, level 3"].seen_bits == rows["coefficient, level 3"].required_bits == 14
    assert rows["inverse word"].highest == (3 * 2**3 - 2) * 32767
    assert rows["inverse word"].seen_bits == rows["inverse word"].required_bits == 16 + 3 + 2


@given(st.integers(-(1 << 40), 1 << 40), st.integers(0, 1 << 40))
def test_signed_bits_is_the_narrowest_word(low, span):
    bits = signed_bits(low, low + span)
    assert -(1 << (bits - 1)) <= low <= low + span < 1 << (bits - 1)
    assert bits == 1 or not (-(1 << (bits - 2)) <= low and low + span < 1 << (bits - 2))


def test_the_dense_convolution_is_numpys():
    rng = np.random.default_rng(0)
    x, w, b = rng.normal(size=(3, 4, 5)), rng.normal(size=(2, 3)), rng.normal(size=2)
    expected = np.einsum("oc,chw->ohw", w, x) + b[:, None, None]
    np.testing.assert_allclose(dense(x, w, b, "none"), expected)
    np.testing.assert_allclose(dense(x, w, b, "relu"), np.maximum(expected, 0))
    np.testing.assert_allclose(dense(x * 9, w * 9, b, "relu6").max(), 6)


def test_a_requantiser_stands_for_a_real_factor():
    plan = finish(WccParameters(), np.zeros((1, 8, 8), np.int8), 1, np.random.default_rng(0)).plan()
    factor = real_multiplier(plan.r1, "single")[0]
    assert factor == plan.r1.multiplier[0] / 2 ** plan.r1.shift[0]
