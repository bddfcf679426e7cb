"""Score and selection: what is kept is the best there is, ties go to the lowest index."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from wccsim.datapath.score import score
from wccsim.datapath.select import bin_keys, select
from wccsim.parameters import WccParameters

scores = arrays.arrays(
    np.int64, st.integers(1, 60), elements=st.one_of(st.integers(0, 5), st.integers(0, (1 << 63) - 1))
)
FEW = settings(max_examples=100, deadline=None)


@FEW
@given(scores, st.data())
def test_exact_selection_is_the_stable_descending_sort(energy, data):
    kept = data.draw(st.integers(1, len(energy)))
    order = sorted(range(len(energy)), key=lambda i: (-int(energy[i]), i))
    assert np.flatnonzero(select(energy, kept, None)).tolist() == sorted(order[:kept])


@FEW
@given(scores, st.data())
def test_no_other_choice_drops_less_energy(energy, data):
    kept = data.draw(st.integers(1, len(energy)))
    chosen = select(energy, kept, None)
    other = np.zeros(len(energy), bool)
    other[data.draw(st.permutations(range(len(energy))))[:kept]] = True
    assert sum(energy[~chosen].tolist()) <= sum(energy[~other].tolist())


@FEW
@given(scores, st.integers(0, 8))
def test_bin_keys_grow_with_the_score(energy, mantissa_bits):
    ordered = np.sort(energy)
    keys = bin_keys(ordered, mantissa_bits)
    assert (np.diff(keys) >= 0).all()
    for value, key in zip(ordered.tolist(), keys.tolist(), strict=True):
        if value == 0:
            assert key == 0
            continue
        exponent = value.bit_length() - 1
        assert key >> mantissa_bits == exponent + 1
        below = value - (1 << exponent)
        assert key & ((1 << mantissa_bits) - 1) == (below << mantissa_bits) >> exponent


@FEW
@given(scores, st.integers(0, 8), st.data())
def test_binned_selection_keeps_k_and_every_position_above_the_boundary_bin(energy, mantissa_bits, data):
    kept = data.draw(st.integers(1, len(energy)))
    chosen = select(energy, kept, mantissa_bits)
    assert chosen.sum() == kept
    keys = bin_keys(energy, mantissa_bits)
    boundary = keys[chosen].min()
    assert (keys[~chosen] <= boundary).all()
    inside = np.flatnonzero(keys == boundary)
    flags = chosen[inside]
    assert (np.diff(flags.astype(int)) <= 0).all()  # flat order: kept first, then dropped


def test_three_mantissa_bits_lose_little_energy():
    rng = np.random.default_rng(7)
    energy = np.square(rng.laplace(0, 500, 1 << 16)).astype(np.int64)
    for kept in (1 << 13, 1 << 14):
        best, binned = (energy[select(energy, kept, m)].sum() for m in (None, 3))
        assert 0.998 < binned / best <= 1


@pytest.mark.parametrize(("kind", "expected"), [("l2", 2 * 144 * 64), ("l1", 24 * 8), ("max", 12 * 8)])
def test_scores_by_their_definitions(kind, expected):
    coefficients = np.array([[12, 0], [-12, 0]], np.int32)
    found = score(coefficients, np.array([3, 0]), kind)
    assert found.tolist() == [expected, 0]


@pytest.mark.parametrize("kind", ["l2", "l1", "max"])
@pytest.mark.parametrize("channels", [1, 3, 4])
def test_the_score_width_is_attained_by_minima(kind, channels):
    p = WccParameters(score=kind)
    least = -(1 << (p.coefficient_bits() - 1))
    found = int(score(np.full((channels, 1), least, np.int32), np.zeros(1, np.int64), kind)[0])
    assert found < 1 << p.score_bits(channels)
    assert found.bit_length() >= p.score_bits(channels) - (channels == 3)
