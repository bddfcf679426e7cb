"""Uniform and APoT: the nearest level, the least-squared-error clip, the prototype's vectors."""

import hashlib
from fractions import Fraction
from itertools import pairwise, product
from math import floor
from typing import Any

import numpy as np
import pytest
from codec_inputs import INPUTS, fingerprint, golden
from hypothesis import example, given, settings
from hypothesis import strategies as st

import wccsim
from wccsim.codecs.apot import LEVELS
from wccsim.codecs.scalar import _squared_error, clip_candidates, nearest_levels, reconstruction
from wccsim.errors import WccsimError

UNIFORM = [case for case in golden("proposed_vectors")["cases"] if case["codec"] == "uq"]


def half_away(value: Fraction) -> int:
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


def uniform_twin(x: int, bits: int, alpha: int, signed: bool) -> int:
    """The definition, in exact fractions."""
    top = 2 ** (bits - signed) - 1
    q = min(top, half_away(Fraction(abs(x) * top, alpha)))
    return (1 if x >= 0 else -1) * half_away(Fraction(q * alpha, top))


def apot_twin(x: int, levels: tuple[int, ...], alpha: int) -> int:
    grid = [Fraction(level * alpha, levels[-1]) for level in levels]
    nearest = min(grid, key=lambda g: (abs(g - abs(x)), g))
    return (1 if x >= 0 else -1) * half_away(nearest)


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@settings(max_examples=30, deadline=None)
@given(bits=st.integers(2, 8), alpha=st.integers(1, 127))
def test_uniform_is_the_definition_on_every_word(dtype: Any, bits: int, alpha: int) -> None:
    span = np.iinfo(dtype)
    x = np.arange(span.min, span.max + 1).astype(dtype).reshape(1, 16, 16)
    made = wccsim.codec("uniform", bits=bits, alpha=alpha)
    expected = [uniform_twin(int(v), bits, alpha, dtype is np.int8) for v in x.ravel()]
    assert made.decode(made.encode(x)).ravel().tolist() == expected


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
@settings(max_examples=30, deadline=None)
@given(bits=st.integers(3, 5), alpha=st.integers(1, 127))
def test_apot_is_the_definition_on_every_word(dtype: Any, bits: int, alpha: int) -> None:
    span = np.iinfo(dtype)
    x = np.arange(span.min, span.max + 1).astype(dtype).reshape(1, 16, 16)
    made = wccsim.codec("apot", bits=bits, alpha=alpha)
    levels = LEVELS[bits - (dtype is np.int8)]
    assert made.decode(made.encode(x)).ravel().tolist() == [
        apot_twin(int(v), levels, alpha) for v in x.ravel()
    ]


TERMS = {
    2: [(0, 1, 2, 4)],
    3: [(0, 1, 4, 8), (0, 2)],
    4: [(0, 2, 8, 32), (0, 1, 4, 16)],
    5: [(0, 2, 16, 64), (0, 1, 8, 32), (0, 4)],
}


@pytest.mark.parametrize("bits", LEVELS)
def test_apot_levels_are_the_sums_of_one_power_of_two_of_each_part(bits: int) -> None:
    assert list(LEVELS[bits]) == sorted({sum(terms) for terms in product(*TERMS[bits])})
    assert len(LEVELS[bits]) == 2**bits


@pytest.mark.parametrize("name", ["uniform", "apot"])
@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 999), bits=st.integers(3, 5))
def test_the_searched_clip_has_the_least_squared_error(name: str, seed: int, bits: int) -> None:
    x = np.random.default_rng(seed).normal(0, 20, (2, 8, 8)).clip(-128, 127).astype(np.int8)

    def error(**given_alpha: int) -> int:
        made = wccsim.codec(name, bits=bits, **given_alpha)
        return int(((made.decode(made.encode(x)).astype(int) - x) ** 2).sum())

    assert error() == min(error(alpha=alpha) for alpha in range(1, 128))


def test_candidates_of_wide_words_are_those_of_narrow_words_and_coarser_ones() -> None:
    assert clip_candidates(127) == list(range(1, 128))
    wide = clip_candidates(32767)
    assert wide[:255] == list(range(1, 256)) and wide[-1] == 32767
    assert max(b / a for a, b in pairwise(wide[254:])) < 1.01


@settings(max_examples=150, deadline=None)
@example([1, 3, 4], 2, [0, 1], True)  # 1 lies between 0.5 and 1.5, which become 1 and 2
@given(
    st.lists(st.integers(1, 40), min_size=1, max_size=6, unique=True),
    st.integers(1, 60),
    st.lists(st.integers(0, 60), min_size=1, max_size=9, unique=True),
    st.booleans(),
)
def test_the_error_that_the_search_sums_is_that_of_the_nearest_levels(
    above_zero: list[int], alpha: int, magnitudes: list[int], ties_up: bool
) -> None:
    levels = np.array([0, *sorted(above_zero)], np.int64)
    values, counts = np.array(sorted(magnitudes), np.int64), np.arange(1, len(magnitudes) + 1)
    decoded = reconstruction(levels, alpha)[nearest_levels(levels, alpha, ties_up, 61)[values]]
    expected = int((counts * (values - decoded) ** 2).sum())
    assert _squared_error(values, counts, alpha, levels, ties_up) == expected


@pytest.mark.parametrize("case", UNIFORM, ids=lambda c: f"{c['input']}-{c['b']}")
def test_uniform_agrees_with_the_prototype(case: dict[str, Any]) -> None:
    values = np.array(INPUTS[case["input"]])
    x = values.astype(np.int8 if case["signed"] else np.uint8).reshape(1, 1, -1)
    made = wccsim.codec("uniform", bits=case["b"], alpha=case["alpha"])
    encoded = made.encode(x)
    y = made.decode(encoded).ravel().astype(int)
    assert fingerprint(y.tolist()) == case["sha_rec"]
    assert int(((y - values) ** 2).sum()) == case["sse"]
    assert encoded.bits == case["bits"]
    top = 2 ** (case["b"] - case["signed"]) - 1
    codes = [half_away(Fraction(min(abs(int(v)), case["alpha"]) * top, case["alpha"])) for v in values]
    signed_codes = [q if v >= 0 else -q for q, v in zip(codes, values, strict=True)]
    assert fingerprint(signed_codes) == case["sha_q"]
    word = "".join(f"{q & (2 ** case['b'] - 1):0{case['b']}b}" for q in signed_codes)
    assert (
        hashlib.sha256(encoded.payload[8:]).digest()
        == hashlib.sha256(
            int(word.ljust(-(-len(word) // 8) * 8, "0"), 2).to_bytes(-(-len(word) // 8), "big")
        ).digest()
    )


def test_settings_that_do_not_fit_the_map_are_refused() -> None:
    signed, unsigned = np.zeros((1, 2, 2), np.int8), np.zeros((1, 2, 2), np.uint8)
    for name, given_settings, x, why in [
        ("uniform", {"bits": 9}, signed, "more than the 8 of int8"),
        ("uniform", {"bits": 1}, signed, "at least 2 bits"),
        ("uniform", {"alpha": 128}, signed, "for int8 allowed: 1 to 127"),
        ("apot", {"bits": 2}, signed, "3 to 6 bits"),
        ("apot", {"bits": 6}, unsigned, "2 to 5 bits"),
    ]:
        with pytest.raises(WccsimError, match=why):
            wccsim.codec(name, **given_settings).encode(x)
