"""The vector path equals the slow twin and the plain path; on a processor that lacks it, not run."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
from datapath_cases import PATTERNS, cases, finish
from fast_paths import COVERED, EVERY, both, layer
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from wccsim.datapath import vector, vector_ir
from wccsim.datapath.engine import VARIABLE, choose
from wccsim.datapath.fused import Workspace
from wccsim.parameters import WccParameters

runs_here = pytest.mark.skipif(
    vector_ir.missing() is not None, reason=f"vector path not run: {vector_ir.missing()}"
)


@runs_here
@EVERY
@given(st.data())
def test_equals_the_twin_over_every_option_it_covers(data):
    levels = data.draw(st.integers(2, 4))
    in_bits = data.draw(st.integers(2, min(9, 16 - 2 * levels)))
    case = data.draw(cases(max_size=17, levels=levels, in_bits=in_bits, **COVERED))
    unsigned = case.x.dtype.kind == "u"
    twin = case.twin()
    found = case.run(path="vector", outputs_only=True)
    assert (found.path == "vector") == (vector.covers(case.plan(), False, unsigned) is None)
    for name in ("energy", "kept", "indices", "out"):
        np.testing.assert_array_equal(getattr(found, name), np.array(getattr(twin, name)), err_msg=name)
    assert found.counts == twin.counts


@runs_here
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("keep", [Fraction(1, 48 * 72), Fraction(1, 4), Fraction(1)])
def test_equals_plain_on_adversarial_maps(pattern, keep):
    both(layer((7, 43, 70), pattern=pattern, keep=keep), "vector")


@runs_here
@pytest.mark.parametrize(
    "shape", [(2, 8, 8), (1, 9, 4), (3, 16, 130), (34, 24, 128), (5, 9, 257), (1023, 8, 16)]
)
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("outputs", [1, 8, 11])
def test_equals_plain_on_narrow_wide_and_odd_sizes(shape, unsigned, outputs):
    keep = Fraction(1, 3)
    case = layer(shape, outputs=outputs, unsigned=unsigned, keep=keep, relu=unsigned, out_unsigned=unsigned)
    both(case, "vector")


@runs_here
@pytest.mark.parametrize("levels", [2, 3, 4])
@pytest.mark.parametrize("selection", ["exact", "binned:3"])
def test_equals_plain_on_every_level_and_selection(levels, selection):
    shifts = tuple(range(levels))
    case = layer((6, 40, 48), levels=levels, selection=selection, per_level_shift=shifts, wavelet_bits=12)
    both(case, "vector")


@runs_here
def test_kept_words_equal_plain_stage_by_stage():
    """q and y inside the kernels, for the strip whose words the scratch arrays still hold."""
    case = layer((9, 32, 40), outputs=6)
    plan, expected = case.plan(), case.run(path="plain")
    workspace = Workspace(threads=1)
    vector.run(plan, case.x, np.empty((6, 32, 40), np.int8), False, workspace)
    room = workspace.room(plan, False, vector.KERNELS)
    base, step = room.fused.order[:2]
    flat = base + (room.fused.strips.count - 1) * step
    places = np.flatnonzero(expected.kept[flat])
    columns = np.searchsorted(expected.indices, flat[places])
    full = -(-len(places) // vector_ir.PANEL) * vector_ir.PANEL
    y = room.scratch["y"][0][: 6 * full].reshape(6, full)[:, : len(places)]
    np.testing.assert_array_equal(y, expected.y[:, columns])
    panels = room.scratch["panels"][0][: 3 * full].view(np.uint8)
    words = panels.reshape(-1, 3, vector_ir.PANEL, 4).transpose(1, 3, 0, 2).reshape(12, full)
    q = words[:9, : len(places)].astype(np.int16) - 128
    np.testing.assert_array_equal(q, expected.q[:, columns])


@runs_here
def test_threads_and_a_reused_workspace_change_nothing():
    workspace = Workspace()
    for shape in ((4, 24, 40), (9, 16, 16), (4, 24, 40)):
        case = layer(shape, seed=sum(shape))
        both(case, "vector", workspace)
        both(case, "vector", Workspace(threads=1))
        both(case, "portable", workspace)


@runs_here
@given(st.integers(0, (1 << 32) - 1), st.integers(0, 1 << 30))
@EVERY
def test_expand_undoes_compress_under_any_mask(mask, seed):
    source = np.random.default_rng(seed).integers(-32768, 32768, 64).astype(np.int16)
    flags = np.array([mask >> bit & 1 for bit in range(32)], bool)
    packed, back = _round_trip(source, np.uint32(mask).astype(np.int32))
    np.testing.assert_array_equal(packed[: flags.sum()], source[32:][flags])
    np.testing.assert_array_equal(back, np.where(flags, source[32:], 0))


@njit
def _move(source, mask, packed, back):
    vector_ir.compress(source, 32, mask, packed, 0)
    vector_ir.expand(packed, 0, mask, back, 0)


def _round_trip(source, mask):
    packed, back = np.empty(32, np.int16), np.empty(32, np.int16)
    _move(source, mask, packed, back)
    return packed, back


@runs_here
@pytest.mark.parametrize("channels", [1, 4, 7, 1024])
def test_the_tile_is_exact_at_the_extremes(channels):
    """All weights and words at an end of their range, in every sign, and at random."""
    rng = np.random.default_rng(channels)
    weights = rng.integers(-127, 128, (vector_ir.ROWS, channels)).astype(np.int8)
    weights[0], weights[1] = 127, -127
    q = rng.integers(-127, 128, (channels, vector_ir.PANEL))
    q[:, 0], q[:, 1] = 127, -127
    fours = -(-channels // 4)
    full = np.zeros((fours * 4, vector_ir.PANEL), np.int64)
    full[:channels] = q
    panel = (full + 128).astype(np.uint8).reshape(fours, 4, -1).transpose(0, 2, 1)
    sums = np.empty(vector_ir.ROWS * vector_ir.PANEL, np.int32)
    packed = vector_ir.pack_weights(weights)
    _tile(np.ascontiguousarray(panel).view(np.int32).reshape(-1), packed, sums, fours)
    np.testing.assert_array_equal(sums.reshape(vector_ir.ROWS, -1), weights.astype(np.int64) @ q)


@njit
def _tile(panel, weights, sums, fours):
    vector_ir.dot_tile(panel, 0, weights, 0, sums, fours)


def test_a_processor_without_it_falls_back_and_says_so(monkeypatch):
    """Nothing of the vector path is compiled where a feature is missing."""
    monkeypatch.setattr(vector_ir.binding, "get_host_cpu_features", lambda: {"avx512bw": True, "avx2": True})
    vector_ir.missing.cache_clear()
    try:
        case = layer((3, 16, 16))
        monkeypatch.setenv(VARIABLE, "vector")
        result = case.run(outputs_only=True)
        assert result.path == "plain"
        assert "no avx512vbmi2, avx512vnni" in result.path_reason
        monkeypatch.delenv(VARIABLE)
        assert choose(case.plan(), False).name == "portable"
        assert "not vector" in choose(case.plan(), False).reason
    finally:
        vector_ir.missing.cache_clear()


def test_a_strip_that_is_no_whole_number_of_blocks_falls_back(monkeypatch):
    monkeypatch.setattr(vector_ir, "missing", lambda: None)
    p = WccParameters(levels=1)
    case = finish(p, np.zeros((1, 4, 6), np.int8), 1, np.random.default_rng(0))
    assert "not a multiple of 32" in vector.covers(case.plan(), False, False)
    assert replace(case).run(path="vector", outputs_only=True).path == "plain"
