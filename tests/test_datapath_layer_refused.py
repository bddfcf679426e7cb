"""What a layer refuses: one line with what was given and what is allowed, whatever was given."""

from fractions import Fraction

import numpy as np
import pytest
from datapath_cases import UNIT
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.datapath.layer import simulate_layer
from wccsim.errors import WccsimError


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"x": np.zeros((1, 8, 8))}, "float64; allowed: int8, int16, uint8, uint16"),
        ({"x": [[[1]]]}, "type list"),
        ({"x": np.zeros((8, 8), np.int8)}, r"\[C, H, W\]"),
        ({"x": np.zeros((1, 0, 8), np.int8)}, "empty"),
        ({"x": np.full((1, 8, 8), 200, np.int16)}, "x reaches 200..200; int8 activations are -128..127"),
        ({"x": np.full((1, 8, 8), 9, np.uint8), "act_bits": 3}, "uint3 activations are 0..7"),
        ({"x": np.zeros((1, 8, 8), np.uint16), "act_bits": 16}, "17 bits; allowed: 2 to 16"),
        ({"act_bits": 0}, "act_bits is 0"),
        ({"weights": np.ones((1, 2), np.int8)}, "for a map of 1 channels"),
        ({"weights": np.ones((1, 1))}, "weights are float64"),
        ({"weights": np.full((1, 1), -128, np.int8)}, "symmetric grid are -127..127"),
        ({"weights": np.full((1, 1), 8, np.int8), "weight_bits": 4}, "-7..7"),
        ({"keep": 0}, "0 < keep <= 1"),
        ({"keep": "200%"}, "0 < keep <= 1"),
        ({"keep": Fraction(1, 100)}, "keeps none"),
        ({"levels": 6}, "levels is 6"),
        ({"r1": (1.5, 3)}, "r1's M is float64"),
        ({"r1": 7}, r"a pair \(M, s\)"),
        ({"r1": (100, 3)}, "normalised 16-bit one is 32768..65535"),
        ({"r1": (1 << 15, 62)}, "shifts by 63..65|shifts by 65..65"),
        ({"r3": (1 << 15, 0)}, "allowed: 1 to 63"),
        ({"r2": (np.array([1 << 15] * 2), 3)}, "r2's M"),
        ({"r2": (1 << 15, (1 << 63) - 1)}, "allowed: 1 to 63"),
        ({"r2": (1 << 15, 15), "requantise_mode": "tflite_double"}, "normalised 31-bit"),
        ({"bias": 1 << 30}, "a bias word is int21"),
        ({"bias": 0.5}, "bias is float64"),
        ({"bias": [1, 2]}, "bias is int64 of shape"),
        ({"out_dtype": "uint8"}, "needs relu"),
        ({"out_dtype": "int4"}, "allowed: int8, uint8"),
        ({"per_level_shift": (1,)}, "1 entries for 3 levels"),
        ({"path": "warp"}, "warp"),
    ],
)  # fmt: skip
def test_what_is_not_allowed_is_named(changes, words):
    given_arguments = {
        "x": np.ones((1, 8, 8), np.int8),
        "weights": np.ones((1, 1), np.int8),
        "keep": "1/2",
        **UNIT,
        **changes,
    }
    with pytest.raises(WccsimError, match=words):
        simulate_layer(given_arguments.pop("x"), given_arguments.pop("weights"), **given_arguments)


def test_what_could_overflow_is_refused():
    wide = np.zeros((1, 32, 32), np.int16)
    weights = np.ones((1, 1), np.int8)
    # 16-bit inputs at 5 levels: a 26-bit word, 51 + log2 C bits of score.
    simulate_layer(
        wide, weights, keep=1, levels=5, act_bits=16, r1=(1 << 15, 30), r2=(1 << 15, 15), r3=(1 << 15, 20)
    )
    with pytest.raises(WccsimError, match="needs 64 bits; at most 63"):
        simulate_layer(
            np.zeros((4097, 32, 32), np.int16),
            np.ones((1, 4097), np.int8),
            keep=1,
            levels=5,
            act_bits=16,
            **UNIT,
        )
    with pytest.raises(WccsimError, match="133145 input channels"):
        simulate_layer(np.zeros((133_145, 1, 1), np.int8), np.ones((1, 133_145), np.int8), keep=1, **UNIT)


JUNK = (
    None,
    0,
    -1,
    1,
    3,
    17,
    1 << 70,
    -(1 << 70),
    1.5,
    float("nan"),
    "",
    "x",
    "25%",
    b"a",
    [],
    [1],
    [1, 2],
    (1, 2),
    (1 << 15, 15),
    (1 << 15, 63),
    (1 << 15, None),
    (1 << 15, [1, 2]),
    (1 << 30, 0),
    True,
    {},
    object(),
    Fraction(1, 3),
    np.zeros(3),
    np.zeros((2, 2), np.int8),
    np.int64(3),
    np.uint64(1 << 63),
    np.array(5),
    np.array(["a"]),
    np.zeros((1, 8, 8), np.uint16),
    np.zeros((2, 1, 8, 8), bool),
    "lifting",
    "uint8",
    np.uint8,
    "tflite_double",
    [[1], [2, 3]],
)
ARGUMENTS = (
    "x",
    "weights",
    "keep",
    "levels",
    "act_bits",
    "weight_bits",
    "r1",
    "r2",
    "r3",
    "yw",
    "bias",
    "relu",
    "out_dtype",
    "selection",
    "score",
    "haar",
    "index",
    "requantise_mode",
    "per_level_shift",
    "kept_bits",
    "detail_bits",
    "out",
    "outputs_only",
    "path",
)


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(st.sampled_from(ARGUMENTS), st.sampled_from(JUNK), min_size=1, max_size=2))
def test_whatever_is_given_there_is_a_result_or_one_line(junk):
    full = {
        "x": np.ones((1, 8, 8), np.int8),
        "weights": np.ones((2, 1), np.int8),
        "keep": "1/2",
        **UNIT,
        **junk,
    }
    try:
        simulate_layer(full.pop("x"), full.pop("weights"), **full)
    except WccsimError as problem:
        assert "\n" not in str(problem)
