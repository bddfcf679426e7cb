"""The order of strips is a permutation that keeps every butterfly in one strip; the selection is a sort."""

import numpy as np
import pytest
from fast_paths import EVERY, both, layer
from hypothesis import given
from hypothesis import strategies as st

from wccsim.datapath import haar, lanes, strips, vector_matrix
from wccsim.datapath.fused import Workspace
from wccsim.datapath.subbands import subband_map

LEVELS, GROUPS = st.integers(1, 5), st.integers(1, 5)
MISSING = {
    "portable": None,
    "vector": lanes.missing(),
    "matrix": lanes.missing() or vector_matrix.missing(),
}


@EVERY
@given(LEVELS, GROUPS, st.integers(1, 3), st.integers(1, 3))
def test_every_flat_index_lies_in_one_strip_once(levels, groups, count, columns):
    order = strips.strips_of(levels, count * groups << levels, columns << levels, groups)
    assert order.count == count and order.words * count == order.height * order.width
    flat = np.concatenate([order.base + s * order.step for s in range(count)])
    np.testing.assert_array_equal(np.sort(flat), np.arange(order.height * order.width))


@EVERY
@given(LEVELS, GROUPS, st.integers(1, 3), st.integers(1, 3))
def test_a_word_lies_in_the_subband_that_it_names(levels, groups, count, columns):
    order = strips.strips_of(levels, count * groups << levels, columns << levels, groups)
    number = subband_map(order.height, order.width, levels)
    for s in range(count):
        np.testing.assert_array_equal(order.subband, number[order.base + s * order.step])


@EVERY
@given(LEVELS, GROUPS, st.integers(1, 3), st.integers(1, 3))
def test_the_words_of_a_strip_are_the_transform_of_its_rows(levels, groups, count, columns):
    """Changing one strip's rows changes no word of another strip."""
    order = strips.strips_of(levels, count * groups << levels, columns << levels, groups)
    x = np.random.default_rng(levels).integers(-128, 128, (1, order.height, order.width), dtype=np.int32)
    before = haar.forward(x, levels).reshape(-1)
    for s in range(count):
        changed = x.copy()
        changed[:, s * order.rows : (s + 1) * order.rows] += 1 + s
        moved = np.flatnonzero(haar.forward(changed, levels).reshape(-1) != before)
        assert moved.size and np.isin(moved, order.base + s * order.step).all()


@EVERY
@given(LEVELS, st.integers(1, 40), st.integers(1, 40), st.integers(1, 9))
def test_a_strip_takes_more_rows_only_where_they_are_short_and_no_thread_gets_more_of_them(
    levels, count, columns, threads
):
    height, width = count << levels, columns << levels
    groups = strips.groups_of(levels, height, width, threads)
    assert count % groups == 0
    assert groups == 1 or groups * width << levels <= strips.STRIP_WORDS

    def rows_of_the_busiest_thread(groups):
        claimed = [0] * threads
        for _ in range(count // groups):
            claimed[claimed.index(min(claimed))] += groups
        return max(claimed)

    assert rows_of_the_busiest_thread(groups) == rows_of_the_busiest_thread(1)


@pytest.mark.parametrize("path", MISSING)
@pytest.mark.parametrize(
    "shape, levels", [((5, 64, 64), 3), ((3, 61, 130), 2), ((34, 96, 16), 3), ((2, 23, 21), 1)]
)
def test_the_height_of_a_strip_changes_nothing(path, shape, levels, monkeypatch):
    if MISSING[path] is not None:
        pytest.skip(f"{path} path not run: {MISSING[path]}")
    case = layer(shape, outputs=35, levels=levels)
    height, width = case.plan().padded_height, case.plan().padded_width
    for groups in (1, 2, 4):
        monkeypatch.setattr(strips, "STRIP_WORDS", groups * width << levels)
        assert strips.groups_of(levels, height, width, 1) == groups
        both(case, path, Workspace(threads=1))


@EVERY
@given(
    st.lists(st.integers(0, (1 << 62) - 1), min_size=16, max_size=16), st.integers(1, 16), st.integers(0, 8)
)
def test_selection_equals_a_sort(values, kept, mantissa_bits):
    """Scores of any magnitude, whose float64 need not be exact."""
    order = strips.strips_of(1, 4, 4)
    flat = np.concatenate([order.base + s * order.step for s in range(order.count)])
    scores = np.array(values, np.int64)[flat].reshape(order.count, order.words)
    bins = np.zeros(strips.BINS, np.int64)
    for strip in range(order.count):
        strips._count_strip(scores, strip, bins)
    t = strips.select(scores, bins, kept, None, order)
    chosen = [e >= t.high or (e >= t.low and i <= t.last) for i, e in enumerate(values)]
    best = sorted(range(16), key=lambda i: (-values[i], i))[:kept]
    assert chosen == [i in best for i in range(16)]
    t = strips.select(scores, bins, kept, mantissa_bits, order)
    assert sum(e >= t.high or (e >= t.low and i <= t.last) for i, e in enumerate(values)) == kept
