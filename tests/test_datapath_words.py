"""The word memory: what is written is read back, a false stream is refused, and nothing else changes."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
import pytest
import reference
from datapath_cases import cases, finish
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.actions import Stage
from wccsim.analytic import wcc_actions
from wccsim.codecs.registry import codec
from wccsim.datapath.layer import simulate_layer
from wccsim.datapath.words import WordMemory, decode, encode, word_widths
from wccsim.errors import WccsimError
from wccsim.parameters import WORD_FORMATS, WccParameters

FEW = settings(max_examples=100, deadline=None)
PARAMETER_BITS, BLOCK = 3, 16


@st.composite
def drawn_words(draw):
    """(q, widths): words from the smallest to both ends of their range, in one width or two."""
    channels, kept = draw(st.integers(1, 6)), draw(st.integers(1, 40))
    wide = draw(st.integers(2, 8))
    narrow = draw(st.integers(2, wide))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    widths = rng.choice([wide, narrow], kept)
    limits = (1 << (widths - 1)) - 1
    spread = draw(st.sampled_from([0.0, 0.03, 0.2, 1.0, "ends"]))
    if spread == "ends":
        q = np.broadcast_to(limits, (channels, kept)) * rng.choice([-1, 1], (channels, kept))
    else:
        q = np.rint(limits * spread * rng.uniform(-1, 1, (channels, kept)))
    return q.astype(np.int8), widths


@FEW
@given(drawn_words(), st.sampled_from(WORD_FORMATS))
def test_every_format_reads_back_what_it_wrote(drawn, words):
    q, widths = drawn
    memory = encode(q, widths, words)
    found = decode(memory)
    assert found.dtype == np.int8
    np.testing.assert_array_equal(found, q)
    assert 0 <= 8 * len(memory.payload) - memory.bits < 8


@FEW
@given(drawn_words(), st.sampled_from(WORD_FORMATS))
def test_the_stream_equals_the_twin_bit_for_bit(drawn, words):
    q, widths = drawn
    stream = reference.encode_words(q.tolist(), widths.tolist(), words)
    memory = encode(q, widths, words)
    assert (memory.bits, memory.payload) == (len(stream), reference.words_to_bytes(stream))


def greatest(count: int, width: int) -> int:
    """The bound of docs/datapath.md: a bit a word and three bits a block more than fixed widths."""
    return count * (width + 1) + PARAMETER_BITS * -(-count // BLOCK)


@FEW
@given(drawn_words())
def test_a_coded_memory_is_never_longer_than_its_bound(drawn):
    q, widths = drawn
    assert encode(q, widths, "fixed").bits == len(q) * widths.sum()
    assert encode(q, widths, "rice").bits <= greatest(q.size, int(widths.max()))


@pytest.mark.parametrize("width", range(2, 9))
def test_words_at_the_upper_end_of_their_range_reach_the_bound(width):
    q = np.full((3, 17), (1 << (width - 1)) - 1, np.int8)
    assert encode(q, np.full(17, width), "rice").bits == greatest(q.size, width)


@FEW
@given(st.lists(st.integers(1, 5), min_size=1, max_size=4), st.integers(0, 99))
def test_sizes_of_whole_blocks_add_up(blocks, seed):
    """A memory cut at a multiple of 16 words takes, in parts, what it takes as a whole."""
    rng = np.random.default_rng(seed)
    q = rng.integers(-127, 128, BLOCK * sum(blocks)).astype(np.int8)[None] // rng.integers(1, 60)
    widths = np.full(q.size, 8)
    parts = np.split(q[0], BLOCK * np.cumsum(blocks)[:-1])
    assert encode(q, widths, "rice").bits == sum(
        encode(part[None], widths[: part.size], "rice").bits for part in parts
    )


def test_a_stream_by_hand():
    """Zeros take a bit each at parameter 0; 1 is mapped to 2; the memory opens with the parameter."""
    memory = encode(np.array([[0, -1, 1]], np.int8), np.array([4, 4, 4]), "rice")
    assert f"{int.from_bytes(memory.payload, 'big'):016b}"[: memory.bits] == "000" + "0" + "10" + "110"
    fixed = encode(np.array([[0, -1, 1]], np.int8), np.array([4, 4, 4]), "fixed")
    assert (fixed.bits, fixed.payload) == (12, b"\x0f\x10")


@settings(max_examples=300, deadline=None)
@given(drawn_words(), st.sampled_from(WORD_FORMATS), st.data())
def test_a_spoilt_stream_is_refused_or_decodes_to_words_of_the_grid(drawn, words, data):
    """Never anything but WccsimError, whatever the bytes, the sizes or the count."""
    q, widths = drawn
    memory = encode(q, widths, words)
    payload = bytearray(memory.payload)
    for _ in range(data.draw(st.integers(1, 4))):
        payload[data.draw(st.integers(0, len(payload) - 1))] = data.draw(st.integers(0, 255))
    bits = data.draw(st.sampled_from([memory.bits, memory.bits - 1, memory.bits + 8, -5, 0]))
    channels = data.draw(st.sampled_from([len(q), len(q) - 1, len(q) + 1, 1 << 40]))
    cut = data.draw(st.integers(0, 2))
    spoilt = replace(memory, payload=bytes(payload)[: len(payload) - cut], bits=bits, channels=channels)
    try:
        found = decode(spoilt)
    except WccsimError as refusal:
        assert "\n" not in str(refusal)
        return
    assert found.shape == (channels, len(widths))
    assert (np.abs(found.astype(int)) < 1 << (widths - 1)).all()


@pytest.mark.parametrize(
    ("changes", "text"),
    [
        ({"format": "zip"}, "allowed: fixed, rice"),
        ({"widths": np.array([9, 9])}, "allowed: 2 to 8"),
        ({"widths": np.array([[8, 8]])}, "one integer per kept position"),
        ({"widths": np.array([8.0, 8.0])}, "one integer per kept position"),
        ({"channels": 9}, "9 x 2 words do not fit 16 bits"),
        ({"bits": 8}, "do not have 2 bytes"),
        ({"payload": b"\x80\x00"}, "outside the symmetric grid"),
        ({"widths": np.array([8, 7])}, "end after 15 of their 16 bits"),
        ({"widths": np.array([8, 7]), "bits": 15, "payload": b"\x01\x01"}, "after its end"),
    ],
)
def test_what_is_wrong_is_named(changes, text):
    memory = WordMemory("fixed", 1, np.array([8, 8]), 16, b"\x01\x02")
    assert decode(memory).tolist() == [[1, 2]]
    with pytest.raises(WccsimError, match=text):
        decode(replace(memory, **changes))


@pytest.mark.parametrize(
    ("q", "text"),
    [
        (np.array([[8, 0]], np.int8), "outside the symmetric grid"),
        (np.array([[-128, 0]], np.int8), "outside the symmetric grid"),
        (np.array([1, 0], np.int8), r"allowed: integers \[C, 2\]"),
        (np.array([[1.0, 0.0]]), r"allowed: integers \[C, 2\]"),
    ],
)
def test_words_that_no_requantiser_makes_are_not_encoded(q, text):
    with pytest.raises(WccsimError, match=text):
        encode(q, np.array([4, 4]), "rice")


@FEW
@given(cases(words="rice"))
def test_coded_words_change_no_operand_no_output_and_no_count_but_their_own(case):
    coded = case.run()
    fixed = replace(case, parameters=replace(case.parameters, words="fixed")).run()
    for name in ("coefficients", "energy", "kept", "indices", "q", "acc", "y", "out"):
        np.testing.assert_array_equal(getattr(coded, name), getattr(fixed, name), err_msg=name)
    plan = case.plan()
    widths = word_widths(case.parameters, plan.padded_height, plan.padded_width, fixed.indices)
    assert fixed.word_bits == plan.channels * widths.sum()
    memory = encode(coded.q, widths, "rice")
    assert coded.word_bits == memory.bits
    np.testing.assert_array_equal(decode(memory), coded.q)
    for stage in Stage:
        own = {Stage.REQUANTISE: "kept_write_bits", Stage.MAC: "kept_read_bits"}.get(stage)
        expected = fixed.counts[stage]
        if own is not None:
            assert getattr(expected, own) == fixed.word_bits
            expected = replace(expected, **{own: coded.word_bits})
        assert coded.counts[stage] == expected


def test_outputs_alone_are_counted_alike_and_the_fast_paths_say_why_they_do_not_run():
    rng = np.random.default_rng(3)
    case = finish(
        WccParameters(words="rice"), rng.integers(-128, 128, (2, 40, 16, 32)).astype(np.int8), 8, rng
    )
    whole, alone = case.run(), case.run(outputs_only=True)
    assert (alone.word_bits, alone.counts) == (whole.word_bits, whole.counts)
    assert alone.q is None and alone.coefficients is None and alone.acc is None and alone.y is None
    np.testing.assert_array_equal(alone.out, whole.out)
    assert alone.path == "plain" and "not portable: words rice: their size" in alone.path_reason
    singles = [replace(case, x=x).run() for x in case.x]
    assert whole.word_bits == sum(one.word_bits for one in singles)


@pytest.mark.parametrize("options", [{}, {"detail_bits": 4}, {"index": "rice"}, {"keep": "1"}])
def test_the_stream_is_the_one_of_the_codec(options):
    """The storage codec's body ends with the memory of the same words: one coder, one format."""
    rng = np.random.default_rng(6)
    x = np.cumsum(rng.integers(-9, 10, (5, 32, 40)), axis=2).clip(-127, 127).astype(np.int8)
    made = codec("wcc", **{"keep": "1/4", "bits": 6, "words": "rice", **options})
    encoded, words = made.encode(x), made.quantised(made.transformed(x))
    p = WccParameters(keep=Fraction(made.keep), act_bits=6, detail_bits=made.detail_bits)
    plane = words.source.plane
    memory = encode(words.words, word_widths(p, plane.height, plane.width, words.places), "rice")
    assert encoded.breakdown["payload"] + encoded.breakdown["parameters"] == memory.bits
    text = "".join(f"{byte:08b}" for byte in encoded.payload)[: encoded.bits]
    assert text.endswith("".join(f"{byte:08b}" for byte in memory.payload)[: memory.bits])


def test_the_size_of_coded_words_is_not_guessed():
    p = WccParameters(words="rice")
    with pytest.raises(WccsimError, match="Rice-coded words depends on the data"):
        wcc_actions(p, 1, 1, 8, 8)
    counts = wcc_actions(p, 1, 1, 8, 8, word_bits=40)
    assert counts[Stage.REQUANTISE].kept_write_bits == counts[Stage.MAC].kept_read_bits == 40
    for false in (-1, True, 1.5):
        with pytest.raises(WccsimError, match="word_bits is"):
            wcc_actions(p, 1, 1, 8, 8, word_bits=false)


def test_an_unknown_format_is_refused():
    with pytest.raises(WccsimError, match="words is 'huffman'; allowed: fixed, rice"):
        WccParameters(words="huffman")
    x = np.zeros((1, 8, 8), np.int8)
    with pytest.raises(WccsimError, match="allowed: fixed, rice"):
        simulate_layer(
            x, np.ones((1, 1), np.int8), keep=1, words=8, r1=(32768, 15), r2=(32768, 15), r3=(32768, 15)
        )
