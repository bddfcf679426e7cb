"""ZVC, run-length and CSR against the ETH reference and the prototype, bit for bit."""

import hashlib
from dataclasses import replace
from itertools import groupby
from typing import Any

import numpy as np
import pytest
from codec_inputs import INPUTS, bits_of, fingerprint, golden, hex_of

import wccsim
from wccsim.codecs.base import HEADER_BITS, Map
from wccsim.errors import WccsimError

REFERENCE = golden("ethz_ref_vectors")["cases"]
PROTOTYPE = [case for case in golden("proposed_vectors")["cases"] if case["codec"] == "lossless"]


def as_map(name: str, word_bits: int = 8, row: int | None = None) -> Map:
    values = INPUTS[name]
    return np.array(values, np.int8 if word_bits == 8 else np.int16).reshape(1, -1, row or len(values))


def body(name: str, x: Map, **given: Any) -> str:
    """The body's bits even where the whole map would have gone raw."""
    made = wccsim.codec(name, **given)._write(x)
    assert made is not None
    return bits_of(made.data.tobytes(), 0, made.bits)


def equals(bits: str, vector: dict[str, Any]) -> bool:
    """Length and content, by hexadecimal or by the sha256 of it."""
    text = hex_of(bits)
    content = (
        vector["hex"] == text
        if "hex" in vector
        else vector["sha256_of_hex"] == (hashlib.sha256(text.encode()).hexdigest())
    )
    return vector["nbits"] == len(bits) and content


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"{c['input']}-{c['word_w']}")
def test_the_inputs_are_those_of_the_vectors(case: dict[str, Any]) -> None:
    assert fingerprint(INPUTS[case["input"]]) == case["sha256"]


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"{c['input']}-{c['word_w']}")
def test_interleaved_zvc_equals_the_eth_reference(case: dict[str, Any]) -> None:
    assert equals(body("zvc", as_map(case["input"], case["word_w"]), layout="interleaved"), case["zvc"])


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"{c['input']}-{c['word_w']}")
def test_relative_csr_equals_the_eth_reference_behind_its_count(case: dict[str, Any]) -> None:
    bits = body("csr", as_map(case["input"], case["word_w"]), layout="relative")
    symbol = 4 + case["word_w"]
    assert int(bits[:32], 2) * symbol == len(bits) - 32
    values = INPUTS[case["input"]]
    trailing = next((i for i, value in enumerate(reversed(values)) if value), len(values))
    skips = trailing // 16 * symbol  # ours alone: the reference codes no trailing zeros
    assert bits.endswith("0" * skips)
    assert equals(bits[32 : len(bits) - skips], case["csc16"])


def with_plain_counts(bits: str, width: int) -> str:
    """Our zero-run stream in the reference's notation: the count itself, five bits where it is 16.

    (That notation cannot be decoded: 1000 and 10000 begin alike. Ours sends count - 1.)
    """
    out, at = "", 0
    while at < len(bits):
        if bits[at] == "1":
            out, at = out + bits[at : at + 1 + width], at + 1 + width
        else:
            out, at = out + f"0{int(bits[at + 1 : at + 5], 2) + 1:04b}", at + 5
    return out


@pytest.mark.parametrize("case", REFERENCE, ids=lambda c: f"{c['input']}-{c['word_w']}")
def test_zero_runs_equal_the_eth_reference_up_to_its_run_field(case: dict[str, Any]) -> None:
    bits = body("rlc", as_map(case["input"], case["word_w"]), layout="zero-run")
    assert equals(with_plain_counts(bits, case["word_w"]), case["zrle16"])


def short_sha(bits: str) -> str:
    return hashlib.sha256(bits.encode()).hexdigest()[:32]


@pytest.mark.parametrize("case", PROTOTYPE, ids=lambda c: c["input"])
def test_zvc_and_eyeriss_words_equal_the_prototype(case: dict[str, Any]) -> None:
    x = as_map(case["input"])
    zvc = body("zvc", x)
    assert len(zvc) == case["zvc32_bits"] and case.get("zvc32", zvc) == zvc
    assert short_sha(zvc) == case["zvc32_sha"]
    for field, word_bits in (("rlc8", 8), ("rlc16", 16)):
        pairs = body("rlc", as_map(case["input"], word_bits))
        assert len(pairs) == case[f"{field}_bits"]
        assert short_sha(pairs) == case[f"{field}_sha"]
        # The prototype prints the words as one number behind a leading one.
        assert case.get(f"{field}_hex", "") in ("", f"1{hex_of(pairs)}")


def test_csr_rows_are_as_long_as_the_prototype_says() -> None:
    (case,) = (case for case in PROTOTYPE if "csr_bits" in case)
    assert len(body("csr", as_map(case["input"], row=8))) == case["csr_bits"]


@pytest.mark.parametrize("count", [1, 15, 16, 17, 31, 32, 33, 64, 65])
def test_zero_runs_split_where_the_field_is_full(count: int) -> None:
    x = np.array([*[0] * count, 7], np.int8).reshape(1, 1, -1)
    runs = body("rlc", x, layout="zero-run")
    assert len(runs) == 5 * -(-count // 16) + 9
    pairs = wccsim.codec("rlc")._body_bits(x)
    assert pairs == 64 * -(-(count // 32 + 1) // 4)


def test_sizes_are_the_textbook_formulas() -> None:
    rng = np.random.default_rng(5)
    x = (rng.integers(1, 255, (3, 10, 37)) * (rng.random((3, 10, 37)) < 0.2)).astype(np.uint8)
    nonzero = int(np.count_nonzero(x))
    assert wccsim.codec("zvc").encode(x).breakdown == {"header": 64, "map": x.size, "payload": 8 * nonzero}
    pointers = (3 * 10 + 1) * x.size.bit_length()
    assert wccsim.codec("csr").encode(x).bits == 64 + pointers + nonzero * (6 + 8)
    zero_runs = [len(list(run)) for value, run in groupby(x.ravel().tolist(), bool) if not value]
    symbols = sum(-(-run // 16) for run in zero_runs)
    assert wccsim.codec("rlc", layout="zero-run").encode(x).bits == 64 + 5 * symbols + 9 * nonzero


def test_narrow_words_cost_their_own_width_and_wider_values_are_refused() -> None:
    x = np.array([[[0, 3, 0, 0, 1, 2, 0, 0]]], np.uint8)
    made = wccsim.codec("zvc", word_bits=2)
    encoded = made.encode(x)
    assert encoded.bits == 64 + 8 + 3 * 2
    assert np.array_equal(made.decode(encoded), x)
    with pytest.raises(WccsimError, match="zvc with word_bits=2 takes 0 to 3; the map holds 1 to 4"):
        made.encode(x + np.uint8(1))


def test_a_column_that_stands_twice_in_a_row_is_refused() -> None:
    """[5, 7, 0, 0]: two pointers of 3 bits, then column 0, 5, column 1, 7; the second column becomes 0."""
    made = wccsim.codec("csr")
    encoded = made.encode(np.array([[[5, 7, 0, 0]]], np.int8))
    place = HEADER_BITS + 2 * 3 + (2 + 8) + 1
    payload = bytearray(encoded.payload)
    payload[place // 8] ^= 128 >> place % 8
    with pytest.raises(WccsimError, match="positions or words that no encoder writes"):
        made.decode(replace(encoded, payload=bytes(payload)))
