"""The stated work of the codecs: figures of the WCC paper's own accounting, and of the specifications."""

from fractions import Fraction

import pytest

import wccsim
from wccsim.codecs.registry import CODECS


def test_the_papers_transform_bops() -> None:
    """160 -> 960 channels at 34 x 34, 3 levels, 8 bits: 4 * 34^2 * 8 * (1 + 1/4 + 1/16) * (160 + 960)."""
    cost = wccsim.codec("wcc").cost((160, 40, 40))
    assert cost.encode_bops == cost.decode_bops == 42
    assert round(34**2 * (160 * cost.encode_bops + 960 * cost.decode_bops) / 10**6, 2) == Fraction("54.38")


def test_padded_positions_are_work_of_wcc() -> None:
    assert wccsim.codec("wcc").cost((160, 34, 34)).encode_bops == 42 * Fraction(40 * 40, 34 * 34)


@pytest.mark.parametrize(
    ("name", "bops", "multiplies", "adds"),
    [
        ("dct-cm-style", 188, Fraction(7, 2), Fraction(7, 2)),
        ("dct8x8", 376, 6, 7),
        ("klt", 64 * 16, 17, 16),
        ("uniform", 0, 1, 0),
        ("mwq-style", 42, 1, Fraction(21, 8)),
        ("rice", 8, 0, 1),
        ("zvc", 0, 0, 0),
    ],
)
def test_work_per_value_of_8_bits(name: str, bops: int, multiplies: Fraction, adds: Fraction) -> None:
    cost = wccsim.codec(name).cost((16, 32, 32), 8)
    assert (cost.encode_bops, cost.encode_multiplies, cost.encode_adds) == (bops, multiplies, adds)


@pytest.mark.parametrize(
    ("name", "setting", "buffer_bits"),
    [
        ("zvc", {}, 32 * (8 + 1)),  # a block of words and its presence map
        ("zvc", {"layout": "interleaved"}, 8 + 1),
        ("csr", {}, 32 * 8),  # a row of 32 words
        ("csr", {"layout": "relative"}, 8),
        # 512 positions of 16 channels of 8 + 2 * 3 bits, and a score of 2 * 13 bits, 16 summed, and one more
        ("wcc", {}, 512 * (16 * 14 + 2 * 13 + 4 + 1)),
    ],
)
def test_what_a_coder_holds_by_hand(name: str, setting: dict[str, str], buffer_bits: int) -> None:
    assert wccsim.codec(name, **setting).cost((16, 16, 32), 8).buffer_bits == buffer_bits


def test_the_last_requantiser_of_wcc_multiplies_a_word_of_the_inverse() -> None:
    """16 bits times 8 + 3 + 2: a word of 8 bits after three levels of the exact inverse."""
    assert wccsim.codec("wcc").cost((16, 32, 32), 8).decode_side_bops == 16 * 13


def test_every_codec_states_exact_numbers_that_grow_with_the_word() -> None:
    for name in CODECS:
        narrow, wide = (wccsim.codec(name).cost((16, 32, 32), bits) for bits in (8, 16))
        for field in ("encode_bops", "decode_bops", "encode_side_bops", "decode_side_bops"):
            assert isinstance(getattr(narrow, field), Fraction)
            assert 0 <= getattr(narrow, field) <= getattr(wide, field)
        assert isinstance(narrow.buffer_bits, int) and 0 <= narrow.buffer_bits <= wide.buffer_bits
