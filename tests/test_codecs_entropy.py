"""Rice, Huffman, DEFLATE: optimality, the twins, and the published figures."""

import hashlib
import heapq
import zlib
from collections import Counter
from math import prod
from typing import Any

import numpy as np
import pytest
from codec_inputs import INPUTS, bits_of, golden
from hypothesis import given, settings
from hypothesis import strategies as st

import wccsim
from wccsim.codecs.base import Map, average_bits
from wccsim.codecs.huffman_code import canonical_codes, code_lengths, coded_bits

PROTOTYPE = [case for case in golden("proposed_vectors")["cases"] if case["codec"] == "lossless"]
SYMBOLS = [case for case in golden("tci_vectors")["cases"] if case["kind"] == "symbols"]


def as_map(name: str, row: int | None = None) -> Map:
    values = INPUTS[name]
    return np.array(values, np.int8).reshape(1, -1, row or len(values))


def rice_twin(values: list[int], row: int, width: int) -> str:
    """The specification, on text."""
    residuals = [v - (0 if i % row == 0 else values[i - 1]) for i, v in enumerate(values)]
    mapped = [2 * d if d >= 0 else -2 * d - 1 for d in residuals]

    def block(words: list[int], k: int) -> str:
        out = f"{k:03b}"
        for m in words:
            low = f"{m & ((1 << k) - 1):0{k}b}" if k else ""
            out += "1" * (m >> k) + "0" + low if m >> k < 8 else "1" * 8 + f"{m:0{width + 1}b}"
        return out

    blocks = [mapped[i : i + 16] for i in range(0, len(mapped), 16)]
    return "".join(min((block(b, k) for k in range(8)), key=len) for b in blocks)


@pytest.mark.parametrize("case", PROTOTYPE, ids=lambda c: c["input"])
def test_rice_equals_the_prototype_and_the_twin(case: dict[str, Any]) -> None:
    row = case["rice_rowlen"]
    body = wccsim.codec("rice")._write(as_map(case["input"], row))
    assert body is not None
    bits = bits_of(body.data.tobytes(), 0, body.bits)
    assert bits == rice_twin(INPUTS[case["input"]], row, 8)
    assert len(bits) == case["rice_bits"]
    assert hashlib.sha256(bits.encode()).hexdigest()[:32] == case["rice_sha"]


@settings(max_examples=25, deadline=None)
@given(values=st.lists(st.integers(-(2**15), 2**15 - 1), min_size=1, max_size=70))
def test_rice_of_wide_words_equals_the_twin(values: list[int]) -> None:
    body = wccsim.codec("rice")._write(np.array(values, np.int16).reshape(1, 1, -1))
    assert body is not None
    assert bits_of(body.data.tobytes(), 0, body.bits) == rice_twin(values, len(values), 16)


def unlimited_huffman_bits(counts: list[int]) -> int:
    """The textbook: merge the two rarest; each merge adds its weight once."""
    heap = [count for count in counts if count]
    if len(heap) == 1:
        return heap[0]
    heapq.heapify(heap)
    total = 0
    while len(heap) > 1:
        merged = heapq.heappop(heap) + heapq.heappop(heap)
        total += merged
        heapq.heappush(heap, merged)
    return total


@settings(max_examples=80, deadline=None)
@given(counts=st.lists(st.integers(0, 50), min_size=1, max_size=12).filter(any), limit=st.integers(4, 15))
def test_lengths_are_a_complete_prefix_code_within_the_limit(counts: list[int], limit: int) -> None:
    lengths = code_lengths(np.array(counts), limit)
    assert lengths is not None
    used = [int(n) for n in lengths if n]
    assert max(used) <= limit and all(bool(n) == bool(c) for n, c in zip(lengths, counts, strict=True))
    if len(used) > 1:
        assert sum(2.0**-n for n in used) == 1.0
    codes = [
        f"{c:0{n}b}" for c, n in zip(canonical_codes(lengths).tolist(), lengths.tolist(), strict=True) if n
    ]
    assert all(not b.startswith(a) for a in codes for b in codes if a is not b)


@settings(max_examples=80, deadline=None)
@given(counts=st.lists(st.integers(0, 1000), min_size=1, max_size=40).filter(any))
def test_without_a_binding_limit_the_code_is_huffmans(counts: list[int]) -> None:
    lengths = code_lengths(np.array(counts), 40)
    assert lengths is not None
    assert coded_bits(np.array(counts), lengths) == unlimited_huffman_bits(counts)


def best_limited(counts: list[int], limit: int) -> int:
    """Least bits over all length tuples that satisfy Kraft, by exhaustion."""
    best = 1 << 30

    def extend(left: list[int], room: int, shortest: int, bits: int) -> None:
        nonlocal best
        if not left:
            best = min(best, bits)
        elif bits < best:
            for length in range(shortest, limit + 1):
                if 1 << (limit - length) <= room:
                    extend(left[1:], room - (1 << (limit - length)), length, bits + left[0] * length)

    extend(sorted(counts, reverse=True), 1 << limit, 1, 0)
    return best


@settings(max_examples=60, deadline=None)
@given(counts=st.lists(st.sampled_from([1, 2, 3, 5, 9, 30, 100, 400]), min_size=2, max_size=8))
def test_a_binding_limit_costs_the_least_possible(counts: list[int]) -> None:
    for limit in (3, 4):
        lengths = code_lengths(np.array(counts), limit)
        assert lengths is not None and int(lengths.max()) <= limit
        assert coded_bits(np.array(counts), lengths) == best_limited(counts, limit)


def test_more_symbols_than_codes_go_raw() -> None:
    assert code_lengths(np.ones(17, np.int64), 4) is None
    x = np.arange(5000, dtype=np.int16).reshape(1, 50, 100)
    assert wccsim.codec("huffman").encode(x).breakdown == {"header": 64, "raw": 80_000}


@pytest.mark.parametrize("case", SYMBOLS, ids=lambda c: c["input"])
def test_huffman_sizes_agree_with_the_published_code(case: dict[str, Any]) -> None:
    """Its tree also holds the absent symbols: the optimum plus the rarest count where one is absent."""
    body = wccsim.codec("huffman", max_length=15)._write(as_map(case["input"]))
    assert body is not None
    counts = Counter(INPUTS[case["input"]])
    ours, optimum = body.breakdown["payload"], case["true_huffman_bits_nonzero_symbols_only"]
    if len(counts) == 1:  # the published code spends nothing on a single symbol, a real stream one bit each
        assert (ours, optimum) == (case["n"], case["huffman_bits"])
        return
    absent = case["alphabet"] > case["nonzero_symbols"]
    assert ours == optimum
    assert ours + (case["min_nonzero_count"] if absent else 0) == case["huffman_bits"]
    assert case["nonzero_symbols"] == len(counts)


@pytest.mark.parametrize("case", PROTOTYPE, ids=lambda c: c["input"])
def test_huffman_sizes_equal_the_prototype(case: dict[str, Any]) -> None:
    body = wccsim.codec("huffman")._write(as_map(case["input"]))
    assert body is not None
    assert body.breakdown == {"table": case["huff12_table_bits"], "payload": case["huff12_payload_bits"]}


def test_residuals_pay_on_a_ramp() -> None:
    x = np.add.outer(np.arange(32), np.arange(64)).astype(np.uint8)[None]
    plain, left = (wccsim.codec("huffman", predictor=p).encode(x).bits for p in ("none", "left"))
    assert left < plain / 2


def test_deflate_is_what_zlib_inflates() -> None:
    x = np.add.outer(np.arange(32), np.arange(64)).astype(">u2").astype(np.uint16)[None]
    encoded = wccsim.codec("deflate").encode(x)
    assert zlib.decompress(encoded.payload[8:], -15) == x.astype(">u2").tobytes()


@pytest.mark.parametrize("which", ["with_pca", "without_pca"])
def test_the_published_layer_entropies_average_to_the_published_digits(which: str) -> None:
    """Chmiel et al., ResNet-18: each layer's bits per value count by its values."""
    published = golden("chmiel_resnet18_entropies")
    volumes = [prod(shape) for shape in published["shapes"]]
    assert sum(volumes) == 2_308_096
    assert average_bits(published[which], volumes) == pytest.approx(published[f"average_{which}"], rel=1e-15)
