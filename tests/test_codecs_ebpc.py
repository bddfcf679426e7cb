"""EBPC against the published golden model."""

import hashlib
from typing import Any

import numpy as np
import pytest
from codec_inputs import INPUTS, bits_of, fingerprint, golden, hex_of

import wccsim
from wccsim.codecs.base import Encoded
from wccsim.codecs.ebpc import Ebpc
from wccsim.errors import WccsimError

CASES = golden("ebpc_vectors")["cases"]


def as_map(case: dict[str, Any]) -> Any:
    dtype = np.int8 if case["word_w"] == 8 else np.int16
    return np.array(INPUTS[case["input"]], dtype).reshape(1, 1, -1)


def equals(bits: str, vector: dict[str, Any]) -> bool:
    text = hex_of(bits)
    digest = hashlib.sha256(text.encode()).hexdigest()
    return len(bits) == vector["nbits"] and (
        vector["hex"] == text if "hex" in vector else vector["sha256_of_hex"] == digest
    )


@pytest.mark.parametrize("case", CASES, ids=lambda c: f"{c['input']}-{c['word_w']}-{c['block']}")
def test_both_streams_equal_the_golden_model(case: dict[str, Any]) -> None:
    assert fingerprint(INPUTS[case["input"]]) == case["sha256"]
    body = Ebpc(block=case["block"])._write(as_map(case))
    payload, width = body.data.tobytes(), case["word_w"]
    zeros, planes = body.breakdown["zero_map"], body.breakdown["payload"]
    assert equals(bits_of(payload, 24, zeros), case["znz"])
    assert equals(bits_of(payload, 24 + width * case["znz_words"], planes), case["bpc"])
    assert body.bits == 24 + case["total_bits_padded"] == 24 + width * (case["znz_words"] + case["bpc_words"])


def test_the_vectors_exercise_every_width_and_block() -> None:
    assert {(case["word_w"], case["block"]) for case in CASES} == {(8, 8), (16, 8), (16, 16)}


def test_dense_noise_goes_raw() -> None:
    """The golden model's stream is 1.36 times the words; the bypass bounds it."""
    x = np.array(INPUTS["dense_s8_256"], np.int8).reshape(1, 16, 16)
    assert Ebpc()._write(x).bits > 1.3 * 8 * x.size
    assert wccsim.codec("ebpc").encode(x).bits == 64 + 8 * x.size


def test_a_block_of_16_needs_words_of_16_bits() -> None:
    with pytest.raises(WccsimError, match="block 16 needs words of 16 bits, not 8"):
        wccsim.codec("ebpc", block=16).encode(np.zeros((1, 2, 2), np.int8))
    with pytest.raises(WccsimError, match="block is 4; allowed: 8, 16"):
        wccsim.codec("ebpc", block=4)


def test_a_count_that_is_not_the_headers_is_refused() -> None:
    encoded = wccsim.codec("ebpc").encode(np.zeros((1, 8, 32), np.int8))
    broken = bytearray(encoded.payload)
    broken[10] ^= 1
    with pytest.raises(WccsimError, match="the element count is not the header's"):
        wccsim.codec("ebpc").decode(Encoded(bytes(broken), 0, {}))
