"""The index memory: what is written is read back, and a false stream is refused."""

from dataclasses import replace

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.arith import bit_length_of_count
from wccsim.datapath.bitmap import IndexMemory, decode, encode
from wccsim.errors import WccsimError
from wccsim.parameters import INDEX_FORMATS

FEW = settings(max_examples=80, deadline=None)


@st.composite
def flags(draw):
    """(flags, height, width, levels), from empty to full."""
    levels = draw(st.integers(1, 5))
    height, width = (draw(st.integers(1, 4)) << levels for _ in range(2))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    density = draw(st.sampled_from([0.0, 0.02, 0.25, 0.5, 0.9, 1.0]))
    return rng.random(height * width) < density, height, width, levels


@FEW
@given(flags(), st.sampled_from(INDEX_FORMATS))
def test_every_format_reads_back_what_it_wrote(drawn, index):
    memory = encode(drawn[0], index, *drawn[1:])
    np.testing.assert_array_equal(decode(memory), drawn[0])


@FEW
@given(flags(), st.sampled_from(INDEX_FORMATS))
def test_the_stream_equals_the_twin_bit_for_bit(drawn, index):
    kept, height, width, levels = drawn
    places = [reference.place(i, j, height, width, levels) for i in range(height) for j in range(width)]
    stream = reference.encode_index(kept.tolist(), places, reference.Layer(levels=levels, index=index))
    memory = encode(kept, index, height, width, levels)
    assert (memory.bits, memory.payload) == (len(stream), reference.to_bytes(stream))


@FEW
@given(flags())
def test_sizes_follow_the_closed_forms(drawn):
    kept, height, width, levels = drawn
    assert encode(*drawn[:1], "bitmap", height, width, levels).bits == height * width
    assert encode(kept, "list", height, width, levels).bits == kept.sum() * bit_length_of_count(
        height * width
    )


def test_the_bitmap_is_little_endian_words():
    kept = np.zeros(64, bool)
    kept[[0, 33]] = True
    words = np.frombuffer(encode(kept, "bitmap", 8, 8, 3).payload, "<u4")
    assert words.tolist() == [1, 2]


def test_a_rice_stream_by_hand():
    """2 x 2, one level: each sub-band is one flag."""
    memory = encode(np.array([True, False, False, False]), "rice", 2, 2, 1)
    # A set flag is one gap of 0: header 0000, code 0. A clear one is shorter complemented: 1000, 0.
    assert memory.bits == 20
    bits = np.unpackbits(np.frombuffer(memory.payload, np.uint8), bitorder="little")[:20]
    assert bits.reshape(4, 5).tolist() == [[0, 0, 0, 0, 0]] + [[1, 0, 0, 0, 0]] * 3


@settings(max_examples=300, deadline=None)
@given(flags(), st.sampled_from(INDEX_FORMATS), st.data())
def test_a_spoilt_stream_is_refused_or_decodes_to_flags(drawn, index, data):
    """Never anything but WccsimError, whatever the bytes, the sizes or the count."""
    memory = encode(drawn[0], index, *drawn[1:])
    payload = bytearray(memory.payload)
    for _ in range(data.draw(st.integers(1, 4))):
        if payload:
            payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    bits = data.draw(st.sampled_from([memory.bits, memory.bits - 1, memory.bits + 8, -5, 0]))
    spoilt = replace(memory, payload=bytes(payload), bits=bits)
    try:
        found = decode(spoilt)
    except WccsimError:
        return
    assert found.shape == drawn[0].shape
    assert found.sum() == memory.kept


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"format": "zip"}, "bitmap, list, rice"),
        ({"height": 6}, "multiples of 2"),
        ({"levels": 0}, "levels 1 to 5"),
        ({"levels": 70}, "levels 1 to 5"),
        ({"height": 1 << 40}, "at most"),
        ({"bits": 56, "payload": b"\xff" * 7}, "56 bits"),
        ({"kept": 3}, "not 3"),
        ({"payload": b"\xff" * 3}, "does not have 3 bytes"),
    ],
)
def test_what_is_wrong_is_named(changes, words):
    memory = encode(np.ones(64, bool), "bitmap", 8, 8, 3)
    with pytest.raises(WccsimError, match=words):
        decode(replace(memory, **changes))


def test_bits_after_the_end_are_refused():
    with pytest.raises(WccsimError, match="after its end"):
        decode(IndexMemory("bitmap", 2, 2, 1, 1, 4, b"\x11"))


def test_a_list_that_does_not_increase_is_refused():
    memory = encode(np.array([True, True, False, False]), "list", 2, 2, 1)
    with pytest.raises(WccsimError, match="not increasing"):
        decode(replace(memory, payload=b"\x01"))  # indices 1, 0


def test_a_rice_gap_that_leaves_its_subband_is_refused():
    with pytest.raises(WccsimError, match="LL 1"):
        decode(IndexMemory("rice", 2, 2, 1, 0, 16, b"\xf0\xff"))


def test_flags_of_another_size_are_refused():
    with pytest.raises(WccsimError, match="63 flags"):
        encode(np.ones(63, bool), "bitmap", 8, 8, 3)
