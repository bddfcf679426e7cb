"""Bit streams against Python's integers."""

import numpy as np
import pytest
from codec_inputs import bits_of
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.bitstream import (
    buffer_for,
    bytes_for,
    get_bits,
    pack,
    place,
    put_bits,
    readable,
    sign_extended,
    unpack,
)
from wccsim.codecs.base import MAX_SIDES, Header, read_header
from wccsim.errors import WccsimError

fields = st.lists(st.tuples(st.integers(0, 62), st.integers(-(2**61), 2**61)), max_size=30)


@settings(max_examples=80, deadline=None)
@given(fields=fields)
def test_fields_are_the_low_bits_first_bit_first(fields: list[tuple[int, int]]) -> None:
    text = "".join(f"{value & ((1 << width) - 1):0{width}b}" if width else "" for width, value in fields)
    out = buffer_for(len(text))
    position = 0
    for width, value in fields:
        position = put_bits(out, position, value, width)
    assert position == len(text)
    assert bits_of(out.tobytes(), 0, len(text)) == text if text else out.size == 0
    data, position = readable(out), 0
    for width, value in fields:
        assert get_bits(data, position, width) == value & ((1 << width) - 1)
        position += width


@given(width=st.integers(1, 31), value=st.integers(0, 2**31 - 1))
def test_sign_extension_is_twos_complement(width: int, value: int) -> None:
    field = value & ((1 << width) - 1)
    expected = field - (1 << width) if field >> (width - 1) else field
    assert sign_extended(field, width) == expected


@settings(max_examples=60, deadline=None)
@given(width=st.integers(1, 16), signed=st.booleans(), seed=st.integers(0, 99), count=st.integers(1, 50))
def test_unpack_undoes_pack(width: int, signed: bool, seed: int, count: int) -> None:
    low, high = (-(1 << (width - 1)), (1 << (width - 1)) - 1) if signed else (0, (1 << width) - 1)
    values = np.random.default_rng(seed).integers(low, high, count, endpoint=True)
    packed = pack(values, width)
    assert packed.size == bytes_for(count * width)
    assert unpack(readable(packed), 0, count, width, signed).tolist() == values.tolist()


@settings(max_examples=60, deadline=None)
@given(start=st.integers(0, 40), bits=st.integers(0, 70), seed=st.integers(0, 99))
def test_a_placed_stream_stands_where_it_was_placed(start: int, bits: int, seed: int) -> None:
    rng = np.random.default_rng(seed)
    ones = rng.integers(0, 2, bits)
    out = buffer_for(start + bits + 16)
    assert place(pack(ones, 1) if bits else buffer_for(0), bits, out, start) == start + bits
    text = "0" * start + "".join(map(str, ones))
    assert bits_of(out.tobytes(), 0, start + bits) == text if text else True


@given(
    sides=st.tuples(*(st.integers(1, most) for most in MAX_SIDES)).filter(
        lambda s: s[0] * s[1] * s[2] <= 1 << 28
    ),
    dtype=st.sampled_from(["u1", "i1", "u2", "i2"]),
    bypass=st.booleans(),
    parameter=st.integers(0, 65535),
)
def test_a_header_is_64_bits_and_comes_back(
    sides: tuple[int, int, int], dtype: str, bypass: bool, parameter: int
) -> None:
    header = Header(bypass, np.dtype(dtype), sides, parameter)
    assert len(header.to_bytes()) == 8
    assert read_header(header.to_bytes()) == header


def test_a_header_of_too_many_values_is_refused() -> None:
    with pytest.raises(WccsimError, match="more than 268435456"):
        read_header(b"\x0f" * 8)
