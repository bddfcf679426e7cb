"""The vector and matrix paths equal the slow twin and plain; where a processor lacks them, not run."""

from fractions import Fraction

import numpy as np
import pytest
from datapath_cases import PATTERNS, cases
from fast_paths import COVERED, EVERY, both, layer
from hypothesis import given
from hypothesis import strategies as st
from numba import njit

from wccsim.datapath import lanes, matrix, vector, vector_gather, vector_matrix, vector_product
from wccsim.datapath.engine import VARIABLE, choose
from wccsim.datapath.fused import Workspace
from wccsim.errors import WccsimError

LACKS = {"vector": lanes.missing(), "matrix": lanes.missing() or vector_matrix.missing()}
MODULES = {"vector": vector, "matrix": matrix}


def skips(path):
    """The mark of a test that this machine may not be able to run."""
    return pytest.mark.skipif(LACKS[path] is not None, reason=f"{path} path not run: {LACKS[path]}")


runs_here = skips("vector")
on_both = pytest.mark.parametrize("path", [pytest.param(path, marks=skips(path)) for path in LACKS])
# Where, in a panel's two registers, position i of a group lies: the order of vpunpck.
PANEL_ORDER = [i // 8 * 4 + i % 4 + i // 4 % 2 * 16 for i in range(vector_gather.GROUP)]


@on_both
@EVERY
@given(data=st.data())
def test_equals_the_twin_over_every_option_it_covers(path, data):
    levels = data.draw(st.integers(1, 5))
    in_bits = data.draw(st.integers(2, min(9, 16 - 2 * levels)))
    case = data.draw(cases(max_size=17, levels=levels, in_bits=in_bits, **COVERED))
    unsigned = case.x.dtype.kind == "u"
    twin = case.twin()
    found = case.run(path=path, outputs_only=True)
    assert (found.path == path) == (MODULES[path].covers(case.plan(), False, unsigned) is None)
    for name in ("energy", "kept", "indices", "out"):
        np.testing.assert_array_equal(getattr(found, name), np.array(getattr(twin, name)), err_msg=name)
    assert found.counts == twin.counts


@on_both
@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("keep", [Fraction(1, 48 * 72), Fraction(1, 4), Fraction(1)])
def test_equals_plain_on_adversarial_maps(path, pattern, keep):
    both(layer((7, 43, 70), pattern=pattern, keep=keep), path)


@on_both
@pytest.mark.parametrize(
    "shape", [(2, 8, 8), (1, 9, 4), (3, 16, 130), (34, 24, 128), (5, 9, 257), (1023, 8, 16)]
)
@pytest.mark.parametrize("unsigned", [False, True])
@pytest.mark.parametrize("outputs", [1, 11, 33])
def test_equals_plain_on_narrow_wide_and_odd_sizes(path, shape, unsigned, outputs):
    keep = Fraction(1, 3)
    case = layer(shape, outputs=outputs, unsigned=unsigned, keep=keep, relu=unsigned, out_unsigned=unsigned)
    both(case, path)


@on_both
@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("selection", ["exact", "binned:3"])
def test_equals_plain_on_every_level_and_selection(path, levels, selection):
    shifts = tuple(range(levels))
    case = layer((6, 40, 48), levels=levels, selection=selection, per_level_shift=shifts, wavelet_bits=12)
    both(case, path)


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
    raised = room.prepared.layout.ups[np.flatnonzero(expected.kept[flat])]
    np.testing.assert_array_equal(y, expected.y[:, columns].astype(np.int32) << raised)
    groups = -(-len(places) // vector_gather.GROUP)
    panels = room.scratch["panels"][0][: groups * 3 * vector_gather.GROUP].view(np.uint8)
    lanes_of = panels.reshape(groups, 3, vector_gather.GROUP, 4).transpose(1, 3, 0, 2)
    q = lanes_of[:, :, :, PANEL_ORDER].reshape(12, -1)[:9, : len(places)].astype(np.int16) - 128
    np.testing.assert_array_equal(q, expected.q[:, columns])


@on_both
def test_threads_and_a_reused_workspace_change_nothing(path):
    workspace = Workspace()
    for shape in ((4, 24, 40), (9, 16, 16), (4, 24, 40)):
        case = layer(shape, seed=sum(shape))
        both(case, path, workspace)
        both(case, path, Workspace(threads=1))
        both(case, "portable", workspace)


@runs_here
@pytest.mark.parametrize("channels", [1, 4, 7, 65, 2080])
@on_both
def test_the_tile_is_exact_at_the_extremes(path, channels):
    """All weights and words at an end of their range, in every sign, and at random; every requantiser."""
    rng = np.random.default_rng(channels)
    rows, group = (vector_matrix if path == "matrix" else vector_product).ROWS, vector_gather.GROUP
    weights = rng.integers(-127, 128, (rows, channels)).astype(np.int8)
    weights[0], weights[1] = 127, -127
    q = rng.integers(-127, 128, (channels, group))
    q[:, 0], q[:, 1] = 127, -127
    fours = -(-channels // 4)
    full = np.zeros((fours * 4, group), np.int64)
    full[:channels] = q
    multiplier, shift = rng.integers(1 << 15, 1 << 16, rows), rng.integers(20, 42, rows)
    ups, reliefs = rng.integers(0, 3, group), rng.integers(0, 4, group)
    offset = 0 if path == "matrix" else 128
    panel = (full + offset).astype(np.uint8).reshape(fours, 4, group).transpose(0, 2, 1)
    panel = panel[:, np.argsort(PANEL_ORDER)]
    spare = np.zeros((vector_matrix.FOURS, group, 4), np.uint8)  # a tile reads on where a panel ends
    panels = np.ascontiguousarray(np.concatenate([panel, spare])).view(np.int32).reshape(-1)
    table = vector_product.requantisers(rows, multiplier, shift)
    y = np.empty(rows * group, np.int32)
    words = ups.astype(np.int16), reliefs.astype(np.int16)
    if path == "matrix":
        _multiply_by_matrix(panels, fours, vector_matrix.pack_weights(weights), table, words, y)
    else:
        packed = vector_product.pack_weights(weights)
        vector_product._multiply_tile(panels, fours, group, packed, table, 0, 0, 32767, *words, y, group)
    own = shift[:, None] - reliefs
    exact = (weights.astype(np.int64) @ q * multiplier[:, None] + (1 << (own - 1))) >> own
    np.testing.assert_array_equal(y.reshape(rows, group), np.clip(exact, -32767, 32767) << ups)


def _multiply_by_matrix(panels, fours, weights, table, words, y):
    """One group in AMX tiles, which belong to the thread that configures them."""
    shapes, sums = vector_matrix.tile_shapes(), np.empty(vector_matrix.ROWS * vector_gather.GROUP, np.int32)
    _matrix_group(shapes, panels, fours, weights, table, words[0], words[1], sums, y)


@njit
def _matrix_group(shapes, panels, fours, weights, table, ups, reliefs, sums, y):
    vector_matrix.configure(shapes)
    vector_matrix._multiply_matrix(panels, fours, 32, weights, table, 0, 0, 32767, ups, reliefs, sums, y, 32)
    vector_matrix.release()


def test_a_layer_of_few_channels_goes_to_the_vector_path():
    """Unless the matrix path is asked for."""
    if LACKS["matrix"] is not None:
        pytest.skip(f"matrix path not run: {LACKS['matrix']}")
    few, many = layer((32, 16, 16)).plan(), layer((33, 16, 16)).plan()
    assert choose(few, False).name == "vector"
    assert "32 channels fill less than half" in choose(few, False).reason
    assert choose(many, False).name == "matrix"
    assert choose(few, False, "matrix").name == "matrix"


def test_a_refusal_of_the_system_is_a_line_and_no_crash(monkeypatch):
    monkeypatch.setattr(vector_matrix, "missing", lambda: "the system does not grant AMX")
    case = layer((3, 16, 16))
    assert "does not grant AMX" in choose(case.plan(), False, "matrix").reason or LACKS["vector"]
    with pytest.raises(WccsimError, match="does not grant AMX"):
        matrix.run(case.plan(), case.x, np.empty((5, 16, 16), np.int8), False)


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
