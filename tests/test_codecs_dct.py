"""Both DCT codecs: the float transform, a slow twin, the prototype, and what idempotence they have."""

from math import cos, pi, sqrt
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from codec_inputs import INPUTS, fingerprint, golden
from hypothesis import given, settings
from hypothesis import strategies as st

import wccsim
from wccsim.codecs.base import Header, Map
from wccsim.codecs.dct import DCT4, DCT8
from wccsim.codecs.dct8x8 import Dct8x8
from wccsim.codecs.dct_cm import DctCm
from wccsim.errors import WccsimError

SHAPES = {
    "fmap_relu_4x16x16": (4, 16, 16),
    "fmap_signed_8x8x8": (8, 8, 8),
    "fmap_signed_16x16x16": (16, 16, 16),
}
PROTOTYPE = [c for c in golden("proposed_vectors")["cases"] if c["codec"].startswith("dct-cm-s")]


def orthonormal(n: int) -> npt.NDArray[np.float64]:
    return np.array(
        [
            [sqrt((1 if k == 0 else 2) / n) * cos(pi * (2 * i + 1) * k / (2 * n)) for i in range(n)]
            for k in range(n)
        ]
    )


@pytest.mark.parametrize("matrix", [DCT8, DCT4], ids=["8", "4"])
def test_the_core_matrix_is_the_dct_within_its_integers(matrix: Any) -> None:
    n = len(matrix)
    assert np.abs(matrix / (64 * sqrt(n)) - orthonormal(n)).max() < 0.025 / sqrt(n)


@pytest.mark.parametrize("case", PROTOTYPE, ids=lambda c: f"{c['input']}-{c['codec'][9:]}-{c['QP']}")
def test_dct_cm_equals_the_prototype(case: dict[str, Any]) -> None:
    dtype = np.uint8 if "relu" in case["input"] else np.int8
    x = np.array(INPUTS[case["input"]]).astype(dtype).reshape(SHAPES[case["input"]])
    coding = "width-table" if "wk" in case else "fixed"
    made = DctCm(qp=case["QP"], group=case["N"], mode="dct", coding=coding, width=case.get("w", 10))
    coefficients = made._coefficients(x)
    body = made._write(x)
    y = made._reconstructed(coefficients, Header(False, x.dtype, SHAPES[case["input"]], made.qp))
    assert fingerprint(coefficients.tolist()) == case["sha_coef"]
    assert fingerprint(y.ravel().tolist()) == case["sha_rec"]
    assert int(((y.astype(int) - x) ** 2).sum()) == case["sse"]
    assert 64 + body.bits == case["bits"]
    if "wk" in case:
        assert made._dct(x)[2].tolist() == case["wk"]
        assert 64 + sum(made._direct_bits(x).values()) == case["direct_mode_bits"]


def twin_8x8(block: list[list[int]], qp: int) -> tuple[list[list[int]], list[list[int]]]:
    """(coefficients, reconstruction) of one int8 block, on Python integers, from the specification."""
    a, r = DCT8.tolist(), range(8)
    scale = [26214, 23302, 20560, 18396, 16384, 14564][qp % 6]
    level = [40, 45, 51, 57, 64, 72][qp % 6]
    clip16 = lambda v: max(-(2**15), min(2**15 - 1, v))  # noqa: E731
    rows = [[(sum(a[k][i] * block[y][i] for i in r) + 2) >> 2 for k in r] for y in r]
    t = [[(sum(a[v][y] * rows[y][k] for y in r) + 256) >> 9 for k in r] for v in r]
    s = 18 + qp // 6
    c = [[(1 if u >= 0 else -1) * ((abs(u) * scale + (1 << (s - 1))) >> s) for u in row] for row in t]
    d = [[clip16(((u * 16 * level << (qp // 6)) + 32) >> 6) for u in row] for row in c]
    columns = [[clip16((sum(a[v][y] * d[v][k] for v in r) + 64) >> 7) for k in r] for y in r]
    out = [
        [max(-128, min(127, (sum(a[k][i] * columns[y][k] for k in r) + 2048) >> 12)) for i in r] for y in r
    ]
    return c, out


@settings(max_examples=25, deadline=None)
@given(qp=st.integers(0, 51), seed=st.integers(0, 99), spread=st.sampled_from([1, 9, 128]))
def test_dct8x8_equals_the_twin(qp: int, seed: int, spread: int) -> None:
    block = np.random.default_rng(seed).integers(-spread, spread, (8, 8))
    x = block.astype(np.int8)[None]
    made = Dct8x8(qp=qp)
    coefficients = made._coefficients(x)
    c, y = twin_8x8(block.tolist(), qp)
    assert coefficients.reshape(8, 8).tolist() == c
    assert (
        made._reconstructed(coefficients.reshape(1, -1), Header(False, x.dtype, (1, 8, 8), qp))[0].tolist()
        == y
    )


@pytest.mark.parametrize("dtype", [np.int8, np.uint8, np.int16, np.uint16])
@pytest.mark.parametrize("qp", [10, 22, 28])
def test_coefficients_are_the_exact_transform_over_the_step(qp: int, dtype: Any) -> None:
    x = np.random.default_rng(2).integers(0, 127, (8, 8, 8)).astype(dtype)
    basis, step = DCT8 / (64 * sqrt(8)), 2 ** ((qp - 4) / 6)
    spatial = (basis @ x @ basis.T / step).ravel()
    across = np.einsum("kc,chw->hwk", basis, x.astype(float)).ravel() / step
    # The quantiser's six integer factors follow 2^(1/6) within 0.7 %.
    for got, exact in ((Dct8x8(qp=qp), spatial), (DctCm(qp=qp), across)):
        assert np.all(np.abs(got._coefficients(x) - exact) < 0.5 + 1 / step + 0.007 * np.abs(exact))


@pytest.mark.parametrize("made", [Dct8x8(qp=19), DctCm(qp=19, mode="dct")], ids=["8x8", "cm"])
def test_the_error_at_a_small_step_is_a_twelfth_of_its_square(made: Any) -> None:
    x = np.random.default_rng(3).integers(40, 200, (8, 64, 64)).astype(np.uint8)
    error = float(((made.decode(made.encode(x)).astype(int) - x) ** 2).mean())
    step_squared = 2 ** ((19 - 4) / 3)
    assert error == pytest.approx(step_squared / 12 + 1 / 12, rel=0.05)


def gentle(seed: int, amplitude: int) -> Map:
    return np.random.default_rng(seed).integers(-amplitude, amplitude + 1, (8, 17, 11)).astype(np.int16)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), qp=st.integers(16, 40), group=st.sampled_from([4, 8]))
def test_dct_cm_is_idempotent_on_whole_groups_while_nothing_clips(seed: int, qp: int, group: int) -> None:
    """Rounding to words moves a coefficient by at most sqrt(8) / 2 = 1.42, below half a step of 4.

    The matrix is 0.1 % from orthonormal, which moves a coefficient of up to 85 steps by another 0.09.
    """
    made = wccsim.codec("dct-cm-style", qp=qp, group=group, mode="dct")
    y = made.decode(made.encode(gentle(seed, 120)))
    assert np.array_equal(made.decode(made.encode(y)), y)


@settings(max_examples=20, deadline=None)
@given(seed=st.integers(0, 999), qp=st.integers(28, 48))
def test_dct8x8_is_idempotent_on_whole_blocks_while_nothing_clips(seed: int, qp: int) -> None:
    """Rounding to words moves a coefficient by at most 8 / 2 = 4, below half a step of 16."""
    made = wccsim.codec("dct8x8", qp=qp)
    y = made.decode(made.encode(gentle(seed, 120)[:, :16, :8].copy()))
    assert np.array_equal(made.decode(made.encode(y)), y)


@pytest.mark.parametrize("made", [Dct8x8(qp=34), DctCm(qp=34, mode="dct")], ids=["8x8", "cm"])
def test_with_clipping_they_are_not_idempotent(made: Any) -> None:
    """The limit to 0..255 changes words by more than half a step: the statement above needs its 'while'."""
    x = np.random.default_rng(0).choice(np.array([0, 255], np.uint8), (8, 32, 32))
    y = made.decode(made.encode(x))
    assert not np.array_equal(made.decode(made.encode(y)), y)


def test_auto_takes_the_shorter_mode_and_direct_loses_nothing() -> None:
    rng = np.random.default_rng(4)
    sparse = (rng.integers(1, 255, (8, 16, 16)) * (rng.random((8, 16, 16)) < 0.05)).astype(np.uint8)
    dense = np.repeat(rng.integers(0, 255, (1, 16, 16)), 8, 0).astype(np.uint8)
    for x in (sparse, dense):
        sizes = {mode: DctCm(qp=22, mode=mode).encode(x).bits for mode in ("auto", "dct", "direct")}
        assert sizes["auto"] == min(sizes["dct"], sizes["direct"])
    direct = DctCm(qp=22, mode="direct")
    assert np.array_equal(direct.decode(direct.encode(sparse)), sparse)
    assert DctCm(qp=22).encode(dense).bits < direct.encode(dense).bits


def test_the_relu_mask_restores_every_zero_for_a_bit_a_value() -> None:
    rng = np.random.default_rng(6)
    x = np.maximum(rng.normal(0, 30, (6, 10, 10)), 0).astype(np.uint8)
    plain, masked = (DctCm(qp=28, mode="dct", relu_mask=flag) for flag in (False, True))
    assert masked.encode(x).bits == plain.encode(x).bits + x.size
    y = masked.decode(masked.encode(x))
    assert np.all(y[x == 0] == 0)
    assert np.array_equal(y[x != 0], plain.decode(plain.encode(x))[x != 0])


def test_the_step_that_words_of_8_bits_cannot_use_is_refused() -> None:
    for name in ("dct8x8", "dct-cm-style"):
        with pytest.raises(WccsimError, match="qp is 52; for uint8 allowed: 0 to 51"):
            wccsim.codec(name, qp=52).encode(np.zeros((1, 8, 8), np.uint8))
