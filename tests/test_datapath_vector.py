"""The vector path equals the slow twin and the plain path; on a processor that lacks it, not run."""

from fractions import Fraction

import numpy as np
import pytest
from datapath_cases import PATTERNS, cases
from fast_paths import COVERED, EVERY, both, layer
from hypothesis import given
from hypothesis import strategies as st

from wccsim.datapath import lanes, vector, vector_gather, vector_product
from wccsim.datapath.engine import VARIABLE, choose
from wccsim.datapath.fused import Workspace

runs_here = pytest.mark.skipif(lanes.missing() is not None, reason=f"vector path not run: {lanes.missing()}")


# Where, in a panel's two registers, position i of a group lies: the order of vpunpck.
PANEL_ORDER = [i // 8 * 4 + i % 4 + i // 4 % 2 * 16 for i in range(vector_gather.GROUP)]


@runs_here
@EVERY
@given(st.data())
def test_equals_the_twin_over_every_option_it_covers(data):
    levels = data.draw(st.integers(1, 5))
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
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
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
    flat = room.strips.base + (room.strips.count - 1) * room.strips.step
    places = np.flatnonzero(expected.kept[flat])
    columns = np.searchsorted(expected.indices, flat[places])
    slots = room.scratch["four"][0].size // 4
    y = room.scratch["y"][0][: 6 * slots].reshape(6, slots)[:, : len(places)]
    assert vector_product.ROWS >= 6
    raised = room.prepared.ups[np.flatnonzero(expected.kept[flat])]
    np.testing.assert_array_equal(y, expected.y[:, columns].astype(np.int32) << raised)
    groups = -(-len(places) // vector_gather.GROUP)
    panels = room.scratch["panels"][0][: groups * 3 * vector_gather.GROUP].view(np.uint8)
    lanes_of = panels.reshape(groups, 3, vector_gather.GROUP, 4).transpose(1, 3, 0, 2)
    q = lanes_of[:, :, :, PANEL_ORDER].reshape(12, -1)[:9, : len(places)].astype(np.int16) - 128
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
@pytest.mark.parametrize("channels", [1, 4, 7, 2080])
@pytest.mark.parametrize("relieved", [False, True])
def test_the_tile_is_exact_at_the_extremes(channels, relieved):
    """All weights and words at an end of their range, in every sign, and at random; every requantiser."""
    rng = np.random.default_rng(channels)
    rows, group = vector_product.ROWS, vector_gather.GROUP
    weights = rng.integers(-127, 128, (rows, channels)).astype(np.int8)
    weights[0], weights[1] = 127, -127
    q = rng.integers(-127, 128, (channels, group))
    q[:, 0], q[:, 1] = 127, -127
    fours = -(-channels // 4)
    full = np.zeros((fours * 4, group), np.int64)
    full[:channels] = q
    multiplier, shift = rng.integers(1 << 15, 1 << 16, rows), rng.integers(20, 42, rows)
    ups, reliefs = rng.integers(0, 3, group), rng.integers(0, 4, group) * relieved
    panel = (full + 128).astype(np.uint8).reshape(fours, 4, group).transpose(0, 2, 1)
    inverse = np.argsort(PANEL_ORDER)
    y = np.empty(rows * group, np.int32)
    vector_product._multiply_tile(
        np.ascontiguousarray(panel[:, inverse]).view(np.int32).reshape(-1), fours, group,
        vector_product.pack_weights(weights), vector_product.requantisers(rows, multiplier, shift), 0, 0,
        relieved, 32767, ups.astype(np.int16), reliefs.astype(np.int16), y, group,
    )  # fmt: skip
    own = shift[:, None] - reliefs
    exact = (weights.astype(np.int64) @ q * multiplier[:, None] + (1 << (own - 1))) >> own
    np.testing.assert_array_equal(y.reshape(rows, group), np.clip(exact, -32767, 32767) << ups)


def test_a_processor_without_it_falls_back_and_says_so(monkeypatch):
    """Nothing of the vector path is compiled where a feature is missing."""
    monkeypatch.setattr(lanes.binding, "get_host_cpu_features", lambda: {"avx512bw": True, "avx2": True})
    lanes.missing.cache_clear()
    try:
        case = layer((3, 16, 16))
        monkeypatch.setenv(VARIABLE, "vector")
        result = case.run(outputs_only=True)
        assert result.path == "plain"
        assert "no avx512cd, avx512vbmi, avx512vbmi2, avx512vnni" in result.path_reason
        monkeypatch.delenv(VARIABLE)
        assert choose(case.plan(), False).name == "portable"
        assert "not vector" in choose(case.plan(), False).reason
    finally:
        lanes.missing.cache_clear()
