"""What holds for every codec: round trips, idempotence, exact bits, safe decoding."""

import tracemalloc
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wccsim
from wccsim.codecs.base import HEADER_BITS, MAX_VALUES, Codec, Encoded, Header
from wccsim.codecs.registry import CODECS
from wccsim.errors import WccsimError

Map = npt.NDArray[Any]

LOSSLESS: list[tuple[str, dict[str, Any]]] = [
    ("zvc", {}),
    ("zvc", {"layout": "interleaved"}),
    ("rlc", {}),
    ("rlc", {"layout": "zero-run"}),
    ("csr", {}),
    ("csr", {"layout": "relative"}),
    ("ebpc", {}),
    ("rice", {}),
    ("rice", {"predictor": "none"}),
    ("huffman", {}),
    ("dc-ac-style", {}),
    ("huffman", {"predictor": "left", "max_length": 15}),
    ("deflate", {"level": 6}),
]
IDEMPOTENT: list[tuple[str, dict[str, Any]]] = [
    ("uniform", {"bits": 2}),
    ("uniform", {"bits": 5}),
    ("uniform", {"bits": 7, "alpha": 90}),
    ("apot", {"bits": 3}),
    ("apot", {"bits": 5}),
    ("apot", {"bits": 4, "alpha": 7}),
]
# Not idempotent as specified: docs/codecs.md says why, the codec's own test holds what is true.
OTHERS: list[tuple[str, dict[str, Any]]] = [
    ("wcc", {}),
    ("mwq-style", {"bits": 5}),
    ("mwq-style", {"bits": 2, "levels": 2, "allocation": "greedy"}),
    ("wcc", {"keep": "1/2", "index": "rice", "per_level_shift": True, "padding": "edge"}),
    ("wcc", {"keep": 1, "levels": 2, "index": "list", "bits": 6, "detail_bits": 3, "alpha": 200}),
    ("wcc", {"keep": "0.4", "index": "rice", "levels": 1, "detail_bits": 4, "words": "rice"}),
    ("wcc", {"keep": 1, "alpha": 4000, "index": "rice", "words": "rice"}),
    ("klt", {}),
    ("transform-quantization", {}),
    ("transform-quantization", {"bits": 1.5, "variant": "column"}),
    ("transform-quantization", {"bits": 3, "variant": "none"}),
    ("klt", {"bits": 5, "block": 2, "streams": "component"}),
    ("klt", {"step": 700}),
    ("dct8x8", {"qp": 16}),
    ("dct8x8", {"qp": 40, "coding": "fixed"}),
    ("dct-cm-style", {"qp": 16}),
    ("dct-cm-style", {"qp": 34, "mode": "dct", "group": 4, "coding": "fixed"}),
    ("dct-cm-style", {"qp": 28, "relu_mask": True, "mode": "dct"}),
]
EVERY = LOSSLESS + IDEMPOTENT + OTHERS


def named(case: tuple[str, dict[str, Any]]) -> str:
    return "-".join([case[0], *(f"{key}={value}" for key, value in case[1].items())])


def content(kind: str, shape: tuple[int, int, int], dtype: Any, seed: int) -> Map:
    """One adversarial or ordinary map."""
    span, rng = np.iinfo(dtype), np.random.default_rng(seed)
    if kind in ("zeros", "least", "most"):
        value = {"zeros": 0, "least": span.min, "most": span.max}[kind]
        return np.full(shape, value, dtype)
    if kind == "noise":
        return rng.integers(span.min, span.max, shape, dtype, endpoint=True)
    if kind == "extremes":
        return rng.choice(np.array([span.min, span.max, 0], dtype), shape)
    if kind == "sparse":
        return rng.integers(span.min, span.max, shape, dtype, endpoint=True) * (rng.random(shape) < 0.05)
    ramp = np.add.outer(np.arange(shape[0]) * 7, np.add.outer(np.arange(shape[1]), np.arange(shape[2]) * 2))
    return np.clip(ramp + rng.integers(-2, 3, shape), span.min, span.max).astype(dtype)


KINDS = ("zeros", "least", "most", "noise", "extremes", "sparse", "smooth")


@st.composite
def maps(draw: st.DrawFn) -> Map:
    shape = draw(st.tuples(st.integers(1, 9), st.integers(1, 18), st.integers(1, 40)))
    dtype = draw(st.sampled_from([np.int8, np.uint8, np.int16, np.uint16]))
    made = content(draw(st.sampled_from(KINDS)), shape, dtype, draw(st.integers(0, 99)))
    return made.astype(dtype)


every = pytest.mark.parametrize("case", EVERY, ids=named)


def coded(case: tuple[str, dict[str, Any]], x: Map) -> tuple[Codec, Encoded] | None:
    """The codec and the coded map; None where the codec's settings do not fit the map's dtype."""
    made = wccsim.codec(case[0], **case[1])
    try:
        return made, made.encode(x)
    except WccsimError:
        assert case in IDEMPOTENT + OTHERS
        return None


@every
@settings(max_examples=30, deadline=None)
@given(x=maps())
def test_every_map_round_trips_in_exactly_the_bits_stated(case: Any, x: Map) -> None:
    """Shape and dtype always, every value where lossless; bits are the stream's and never above raw."""
    if (done := coded(case, x)) is None:
        return
    made, encoded = done
    y = made.decode(encoded)
    assert y.shape == x.shape and y.dtype == x.dtype
    assert made.lossless == (case in LOSSLESS)
    assert not made.lossless or np.array_equal(x, y)
    assert sum(encoded.breakdown.values()) == encoded.bits == made.size(x)
    assert 0 <= 8 * len(encoded.payload) - encoded.bits < 8
    assert encoded.bits <= 8 * x.nbytes + HEADER_BITS
    assert all(bits >= 0 for bits in encoded.breakdown.values())


@pytest.mark.parametrize("case", IDEMPOTENT, ids=named)
@settings(max_examples=30, deadline=None)
@given(x=maps())
def test_coding_its_own_output_changes_nothing(case: Any, x: Map) -> None:
    if (done := coded(case, x)) is None:
        return
    made, encoded = done
    y = made.decode(encoded)
    assert np.array_equal(made.decode(made.encode(y)), y)


@every
@settings(max_examples=30, deadline=None)
@given(x=maps(), data=st.data())
def test_damaged_streams_decode_to_a_map_or_raise_our_error(case: Any, x: Map, data: st.DataObject) -> None:
    if (done := coded(case, x)) is None:
        return
    made, encoded = done
    payload = bytearray(encoded.payload)
    action = data.draw(st.sampled_from(["cut", "flip", "noise", "append"]))
    if action == "cut":
        payload = payload[: data.draw(st.integers(0, len(payload) - 1))]
    elif action == "append":
        payload += bytes(data.draw(st.integers(1, 9)))
    elif action == "flip":
        for _ in range(data.draw(st.integers(1, 4))):
            bit = data.draw(st.integers(0, 8 * len(payload) - 1))
            payload[bit >> 3] ^= 1 << (bit & 7)
    else:
        rng = np.random.default_rng(data.draw(st.integers(0, 999)))
        payload[8:] = rng.bytes(len(payload) - 8)
    try:
        y = made.decode(Encoded(bytes(payload), 0, {}))
    except WccsimError:
        return
    assert action not in ("cut", "append")
    assert y.ndim == 3


@every
def test_declared_sizes_are_checked_before_memory_is_taken(case: Any) -> None:
    made = wccsim.codec(case[0], **case[1])
    shapes = [(1 << 16, 1 << 6, 1 << 6), (1, 1 << 14, 1 << 14)]
    headers = [Header(b, np.dtype(d), s, 9) for b in (False, True) for d in ("u1", "i2") for s in shapes]
    tracemalloc.start()
    try:
        for header in headers:
            assert header.values <= MAX_VALUES
            with pytest.raises(WccsimError, match="cannot be decoded"):
                made.decode(Encoded(header.to_bytes() + bytes(40), 0, {}))
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@every
def test_a_stream_without_a_whole_header_is_refused(case: Any) -> None:
    made = wccsim.codec(case[0], **case[1])
    for payload in (b"", bytes(7), b"\x10" + bytes(20), b"\xff" * 30):
        with pytest.raises(WccsimError, match="cannot be decoded"):
            made.decode(Encoded(payload, 0, {}))
    with pytest.raises(WccsimError, match="decode takes what encode returned"):
        made.decode(b"bytes")  # type: ignore[arg-type]


@every
@pytest.mark.parametrize(
    "given_x",
    [[1], np.zeros((2, 2)), np.zeros((1, 2, 2)), np.zeros((4, 4), np.int8), np.zeros((0, 1, 1), np.int8)],
    ids=["list", "float 2-D", "float", "2-D", "empty"],
)
def test_anything_but_an_integer_map_is_refused(case: Any, given_x: Any) -> None:
    made = wccsim.codec(case[0], **case[1])
    for action in (made.encode, made.size):
        with pytest.raises(WccsimError, match="a codec takes"):
            action(given_x)


@every
def test_costs_are_not_negative(case: Any) -> None:
    cost = wccsim.codec(case[0], **case[1]).cost((16, 32, 32))
    assert min(cost.encode_adds, cost.decode_adds, cost.encode_bops, cost.decode_bops, cost.buffer_bits) >= 0


def test_every_codec_is_covered_by_the_laws() -> None:
    assert {name for name, _ in EVERY} == set(CODECS)


def test_unknown_names_parameters_and_values_say_what_is_allowed() -> None:
    with pytest.raises(
        WccsimError, match=r"unknown codec 'unifrom' \(did you mean uniform\?\); allowed: .*zvc"
    ):
        wccsim.codec("unifrom")
    with pytest.raises(WccsimError, match=r"parameter 'bit' of codec uniform \(did you mean bits\?\)"):
        wccsim.codec("uniform", bit=3)
    with pytest.raises(WccsimError, match="uniform: bits is 0; allowed: integers 1 to 16"):
        wccsim.codec("uniform", bits=0)
    with pytest.raises(WccsimError, match="layout is 'rows'; allowed: blocks, interleaved"):
        wccsim.codec("zvc", layout="rows")
