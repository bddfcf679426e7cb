"""The keel: operations counted while running equal those predicted from the shapes alone.

Three routes: the slow twin adds one for every operation it does; the simulator counts what its arrays
held; `wccsim.analytic` never sees data. They meet here and nowhere else.
"""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from datapath_cases import cases, finish
from hypothesis import given, settings

from wccsim.actions import Stage
from wccsim.analytic import wcc_actions
from wccsim.parameters import HAAR_VARIANTS, REQUANTISE_MODES, SCORES, WccParameters


def assert_three_ways(case):
    result, twin = case.run(), case.twin()
    p = case.parameters
    size = result.index_bits if p.index == "rice" else None
    words = result.word_bits if p.words == "rice" else None
    plan = case.plan()
    # What depends on the data is given: the Rice-coded size, and how many narrow words there are.
    in_ll = result.indices % plan.padded_width < plan.padded_width >> p.levels
    in_ll &= result.indices // plan.padded_width < plan.padded_height >> p.levels
    predicted = wcc_actions(
        p,
        case.x.shape[0],
        len(case.weights),
        *case.x.shape[1:],
        index_bits=size,
        word_bits=words,
        approximations_kept=int(in_ll.sum()) if p.detail_bits is not None else None,
    )
    for stage in Stage:
        assert twin.counts[stage] == predicted[stage], f"twin, {stage}"
        assert result.counts[stage] == predicted[stage], f"simulator, {stage}"


@settings(max_examples=150, deadline=None)
@given(cases())
def test_twin_simulator_and_closed_form_count_alike(case):
    assert_three_ways(case)


@pytest.mark.parametrize("haar", HAAR_VARIANTS)
@pytest.mark.parametrize("score", SCORES)
@pytest.mark.parametrize("mode", REQUANTISE_MODES)
def test_every_option_counts_alike(haar, score, mode):
    rng = np.random.default_rng(0)
    for levels, selection, bias in ((1, "exact", False), (3, "binned:3", True), (5, "binned:0", True)):
        p = WccParameters(
            levels=levels, haar=haar, score=score, requantise_mode=mode, selection=selection, bias=bias
        )
        assert_three_ways(finish(p, rng.integers(-128, 128, (3, 33, 35)).astype(np.int8), 2, rng))


@pytest.mark.parametrize("m", range(9))
def test_every_mantissa_of_the_binned_selection_counts_alike(m):
    rng = np.random.default_rng(m)
    p = WccParameters(levels=2, selection=f"binned:{m}")
    case = finish(p, rng.integers(-128, 128, (3, 13, 15)).astype(np.int8), 2, rng)
    assert_three_ways(case)
    assert wcc_actions(p, 3, 2, 13, 15)[Stage.SELECT].adds == 64 << m


@pytest.mark.parametrize("in_bits", [2, 8, 16])
@pytest.mark.parametrize("keep", [Fraction(1, 1024), Fraction(1)])
def test_widths_and_keeps_at_their_ends_count_alike(in_bits, keep):
    rng = np.random.default_rng(0)
    p = WccParameters(in_bits=in_bits, keep=keep, wavelet_bits=8, act_bits=2, weight_bits=2)
    low, high = -(1 << (in_bits - 1)), 1 << (in_bits - 1)
    x = rng.integers(low, high, (2, 30, 32)).astype(np.int16)
    assert_three_ways(finish(p, x, 3, rng))


def test_a_batch_counts_its_images_once_each():
    rng = np.random.default_rng(0)
    case = finish(WccParameters(), rng.integers(-128, 128, (4, 2, 9, 9)).astype(np.int8), 3, rng)
    one = wcc_actions(case.parameters, 2, 3, 9, 9)
    assert case.run().counts == {stage: counts * 4 for stage, counts in one.items()}
    assert replace(case, x=case.x[0]).run().counts == one
