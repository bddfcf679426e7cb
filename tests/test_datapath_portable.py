"""The portable path equals the slow twin, and the plain path where the twin would take too long."""

import subprocess
import sys
from dataclasses import replace
from fractions import Fraction
from importlib import import_module

import numpy as np
import pytest
from datapath_cases import PATTERNS, cases, finish
from fast_paths import COVERED, EVERY, both, calibrated, layer
from hypothesis import given
from hypothesis import strategies as st

from wccsim.datapath import portable, portable_plan, product, workers
from wccsim.datapath.engine import PATHS, VARIABLE, choose
from wccsim.datapath.fused import Workspace
from wccsim.default_maps import default_map_paths
from wccsim.errors import WccsimError
from wccsim.maps import load_map
from wccsim.parameters import WccParameters


@EVERY
@given(st.data())
def test_equals_the_twin_over_every_option_it_covers(data):
    levels = data.draw(st.integers(1, 5))
    in_bits = data.draw(st.integers(2, min(9, 16 - 2 * levels)))
    case = data.draw(cases(levels=levels, in_bits=in_bits, **COVERED))
    unsigned = case.x.dtype.kind == "u"
    twin = case.twin()
    found = case.run(path="portable", outputs_only=True)
    assert (found.path == "portable") == (portable.covers(case.plan(), False, unsigned) is None)
    for name in ("energy", "kept", "indices", "out"):
        np.testing.assert_array_equal(getattr(found, name), np.array(getattr(twin, name)), err_msg=name)
    assert found.counts == twin.counts


@pytest.mark.parametrize("pattern", PATTERNS)
@pytest.mark.parametrize("keep", [Fraction(1, 1 << 20), Fraction(1, 4), Fraction(1)])
def test_equals_plain_on_adversarial_maps(pattern, keep):
    keep = max(keep, Fraction(1, 48 * 72))
    both(layer((7, 43, 70), pattern=pattern, keep=keep))


@pytest.mark.parametrize(
    "shape", [(1, 1, 1), (2, 8, 8), (3, 16, 130), (33, 24, 128), (5, 9, 257), (1024, 8, 16)]
)
@pytest.mark.parametrize("unsigned", [False, True])
def test_equals_plain_on_narrow_wide_and_odd_sizes(shape, unsigned):
    both(
        layer(shape, outputs=6, unsigned=unsigned, keep=Fraction(1, 3), relu=unsigned, out_unsigned=unsigned)
    )


@pytest.mark.parametrize("levels", [1, 2, 3, 4])
@pytest.mark.parametrize("selection", ["exact", "binned:3", "binned:0"])
def test_equals_plain_on_every_level_and_selection(levels, selection):
    shifts = tuple(range(levels))
    both(layer((6, 40, 48), levels=levels, selection=selection, per_level_shift=shifts, wavelet_bits=12))


def test_outputs_use_every_code_and_saturate_a_little():
    """The inputs of these tests reach every part of the requantisers."""
    found, expected = both(layer((64, 128, 128), outputs=8))
    assert len(np.unique(found.out)) == 256
    for values, low, high in ((expected.q, -127, 127), (expected.out, -128, 127)):
        saturated = np.mean((values == low) | (values == high))
        assert 0 < saturated < 0.2
    assert 0 < np.mean(np.abs(expected.y) == 32767) < 0.1


def test_kept_words_and_sums_equal_plain_stage_by_stage():
    """q and y inside the kernels, strip by strip, not only what comes out."""
    case = layer((9, 32, 40), outputs=6)
    plan, expected = case.plan(), case.run(path="plain")
    workspace = Workspace(threads=1)
    portable.run(plan, case.x, np.empty((6, 32, 40), np.int8), False, workspace)
    room = workspace.room(plan, False, portable.KERNELS)
    last = room.strips.count - 1  # the strip whose words the scratch arrays still hold
    base, step = room.strips.base, room.strips.step
    flat = base + last * step
    places = np.flatnonzero(expected.kept[flat])
    columns = np.searchsorted(expected.indices, flat[places])
    slots = room.scratch["places"][0].size
    y = room.scratch["y"][0].reshape(6, slots)[:, : len(places)]
    np.testing.assert_array_equal(y, expected.y[:, columns])
    words = room.scratch["panels"][0].view(np.int16).reshape(-1, 5, product.PANEL, 2)
    q = words.transpose(1, 3, 0, 2).reshape(10, -1)[:9, : len(places)]
    np.testing.assert_array_equal(q, expected.q[:, columns])


def test_a_workspace_is_reused_without_a_trace_of_the_call_before():
    workspace = Workspace()
    for shape in ((4, 24, 40), (9, 16, 16), (4, 24, 40)):
        both(layer(shape, seed=sum(shape)), workspace=workspace)
    held = workspace.nbytes
    both(layer((4, 24, 40), seed=9), workspace=workspace)
    assert workspace.nbytes == held


def test_the_number_of_threads_changes_nothing():
    case = layer((5, 40, 56))
    both(case, workspace=Workspace(threads=1))
    both(case, workspace=Workspace())


def test_a_batch_equals_its_images():
    case = layer((4, 24, 24))
    images = np.stack([case.x, case.x[:, ::-1].copy()])
    batch = replace(case, x=images).run(path="portable", outputs_only=True)
    assert batch.path == "portable"
    for image, out in zip(images, batch.out, strict=True):
        np.testing.assert_array_equal(out, replace(case, x=image).run(path="plain").out)


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"haar": "lifting"}, "haar is lifting"),
        ({"score": "l1"}, "score is l1"),
        ({"levels": 5}, "18 bits"),
    ],
)
def test_what_is_not_covered_falls_back_and_says_why(fields, says):
    p = WccParameters(**fields)
    x = np.random.default_rng(0).integers(-128, 128, (3, 32, 32)).astype(np.int8)
    case = finish(p, x, 2, np.random.default_rng(1))
    result = case.run(path="portable", outputs_only=True)
    assert result.path == "plain"
    assert says in result.path_reason
    np.testing.assert_array_equal(result.out, case.run(path="plain").out)


def test_the_path_is_forced_by_the_environment(monkeypatch):
    case = layer((2, 8, 8))
    monkeypatch.setenv(VARIABLE, "plain")
    assert case.run(outputs_only=True).path == "plain"
    monkeypatch.setenv(VARIABLE, "portable")
    assert case.run(outputs_only=True).path == "portable"
    assert "inner arrays" in choose(case.plan(), True, unsigned=False).reason


@pytest.mark.parametrize("given_threads", [0, -1, 1 << 20, "x"])
def test_a_wrong_number_of_threads_is_refused(given_threads, monkeypatch):
    monkeypatch.setenv(workers.VARIABLE, str(given_threads))
    with pytest.raises(WccsimError, match="allowed: 1 to"):
        Workspace()


@EVERY
@given(st.integers(-(1 << 25), (1 << 25) - 1), st.integers(1 << 15, (1 << 16) - 1), st.integers(12, 41))
def test_the_32_bit_requantiser_is_exact(value, multiplier, shift):
    found = portable._requantise.py_func
    with np.errstate(over="raise"):
        words = [np.int32(v) for v in (value, multiplier, shift - portable_plan.SPLIT, -(1 << 20), 1 << 20)]
        exact = (value * multiplier + (1 << (shift - 1))) >> shift
        assert found(*words) == min(max(exact, -(1 << 20)), 1 << 20)


def test_importing_compiles_nothing():
    code = (
        "import wccsim.datapath.portable as p, wccsim.datapath.strips as s;"
        "print([f for m in (p, s) for f, v in vars(m).items() if getattr(v, 'signatures', None)])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


@pytest.mark.parametrize("path", default_map_paths(), ids=lambda path: path.stem)
def test_every_fast_path_equals_plain_on_real_maps(path):
    """Maps of a trained network with its own weights."""
    real = load_map(path)
    unsigned = real.x.dtype.kind == "u"
    p = WccParameters(in_bits=9 if unsigned else 8, bias=True, relu=real.act != "none", levels=3)
    rng = np.random.default_rng(0)
    case = finish(p, real.x, len(real.weights), rng, per_channel=True)
    case = calibrated(replace(case, weights=np.asarray(real.weights)))
    both(case, "portable")
    if import_module(PATHS["vector"]).covers(case.plan(), False, unsigned) is None:
        both(case, "vector")
