"""Narrower words in the detail bands: twin, simulator, counts and the storage codec agree."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from datapath_cases import assert_same, cases, finish
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.actions import Stage
from wccsim.analytic import wcc_actions
from wccsim.codecs.registry import codec
from wccsim.datapath.subbands import subband_map
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters


@settings(max_examples=80, deadline=None)
@given(cases(act_bits=7), st.integers(2, 7))
def test_twin_simulator_and_closed_form_agree(case, detail_bits):
    case = replace(case, parameters=replace(case.parameters, detail_bits=detail_bits))
    p, result, twin = case.parameters, case.run(), case.twin()
    assert_same(result, twin)
    channels, height, width = case.x.shape
    high, wide = (-(-side >> p.levels) << p.levels for side in (height, width))
    in_ll = subband_map(high, wide, p.levels)[result.indices] == 0
    limit = (1 << (detail_bits - 1)) - 1
    assert np.abs(result.q[:, ~in_ll].astype(int)).max(initial=0) <= limit
    size = result.index_bits if p.index == "rice" else None
    words = result.word_bits if p.words == "rice" else None
    predicted = wcc_actions(
        p,
        channels,
        len(case.weights),
        height,
        width,
        index_bits=size,
        word_bits=words,
        approximations_kept=int(in_ll.sum()),
    )
    for stage in Stage:
        assert twin.counts[stage] == predicted[stage] == result.counts[stage], stage


def test_the_widest_detail_words_change_nothing_and_narrow_ones_do():
    rng = np.random.default_rng(4)
    x = rng.integers(-128, 128, (3, 16, 16)).astype(np.int8)
    case = finish(WccParameters(keep=Fraction(1)), x, 2, rng)
    plain = case.run()
    same = replace(case, parameters=replace(case.parameters, detail_bits=8)).run()
    narrow = replace(case, parameters=replace(case.parameters, detail_bits=3)).run()
    assert (plain.out == same.out).all() and (plain.q == same.q).all()
    assert (plain.q != narrow.q).any()


def test_the_kept_words_are_those_of_the_codec():
    """The codec `wcc` with detail_bits and the datapath with its step quantise to the same words' bits."""
    rng = np.random.default_rng(6)
    x = np.cumsum(rng.integers(-9, 10, (4, 32, 32)), axis=2).clip(-127, 127).astype(np.int8)
    encoded = codec("wcc", keep="1/2", bits=6, detail_bits=4).encode(x)
    case = finish(WccParameters(keep=Fraction(1, 2), act_bits=6, detail_bits=4), x, 2, rng)
    counts = case.run().counts
    assert encoded.breakdown["payload"] == counts[Stage.REQUANTISE].kept_write_bits
    assert encoded.breakdown["index"] == counts[Stage.BITMAP].index_write_bits


def test_what_is_out_of_range_or_data_dependent_is_refused():
    with pytest.raises(WccsimError, match="detail_bits is 9"):
        WccParameters(detail_bits=9)
    with pytest.raises(WccsimError, match="how many lie in LL"):
        wcc_actions(WccParameters(detail_bits=4), 2, 3, 16, 16)
