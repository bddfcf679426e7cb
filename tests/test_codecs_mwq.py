"""MWQ-style: every sub-band by its own clip and width, against the definition."""

from fractions import Fraction
from math import floor
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wccsim
from wccsim.bitstream import bytes_for, get_bits, readable
from wccsim.codecs.base import Header, Map
from wccsim.codecs.mwq import Mwq
from wccsim.codecs.mwq_bits import allocate
from wccsim.datapath.haar import forward, inverse
from wccsim.datapath.pad import pad
from wccsim.datapath.subbands import subbands


def natural(seed: int, dtype: Any = np.int8, shape: tuple[int, int, int] = (2, 24, 40)) -> Map:
    rng = np.random.default_rng(seed)
    base = np.cumsum(np.cumsum(rng.normal(0, 1, shape), 1), 2)
    return np.clip(base / np.abs(base).max() * 100 + rng.normal(0, 5, shape), 0, 127).astype(dtype)


def decoded(made: Mwq, x: Map) -> Map:
    body = made._write(x)
    header = Header(False, x.dtype, (x.shape[0], x.shape[1], x.shape[2]), 0)
    data = body.data[: bytes_for(body.bits)]
    return made._read(header, readable(data), 8 * len(data))


def half_away(value: Fraction) -> int:
    return floor(value + Fraction(1, 2)) if value >= 0 else -floor(-value + Fraction(1, 2))


@settings(max_examples=12, deadline=None)
@given(bits=st.integers(2, 8), levels=st.integers(1, 3), seed=st.integers(0, 50))
def test_each_sub_band_is_uniformly_quantised_by_its_clip(bits: int, levels: int, seed: int) -> None:
    x = natural(seed, shape=(1, 9, 13))
    made = Mwq(bits=bits, levels=levels)
    data = readable(made._write(x).data)
    coefficients = forward(pad(x, levels), levels)
    grid = np.zeros_like(coefficients)
    top = 2 ** (bits - 1) - 1
    for number, band in enumerate(subbands(*coefficients.shape[1:], levels)):
        alpha = int(get_bits(data, 20 * number, 16))
        part = coefficients[(slice(None), *band.rectangle)]
        for (c, y, z), value in np.ndenumerate(part):
            q = max(-top, min(top, half_away(Fraction(int(value) * top, alpha))))
            restored = half_away(Fraction(q * alpha, top))
            grid[c, band.row + y, band.column + z] = restored << (levels - band.level)
    pixels = (inverse(grid, levels)[:, :9, :13] + (1 << (2 * levels - 1))) >> (2 * levels)
    assert np.array_equal(decoded(made, x), np.clip(pixels, -128, 127))


@pytest.mark.parametrize("dtype", [np.int8, np.uint8])
def test_wide_words_lose_nothing(dtype: Any) -> None:
    """Where every clip is at most Q the quantiser is the identity, and the Haar transform is exact."""
    x = natural(3, dtype)
    assert np.array_equal(decoded(Mwq(bits=15), x), x)


def test_bits_are_the_formula() -> None:
    x = natural(1, shape=(3, 30, 50))
    breakdown = wccsim.codec("mwq-style", bits=4).encode(x).breakdown
    assert breakdown == {"header": 64, "table": 10 * 20, "payload": 3 * 32 * 56 * 4}


@pytest.mark.parametrize("bits", [2, 3, 4])
def test_greedy_widths_pay_no_more_and_lose_less_than_equal_ones(bits: int) -> None:
    """Over several maps: on one, the rounding of pixels may turn the order of two close errors."""
    equal, greedy = (wccsim.codec("mwq-style", bits=bits, allocation=a) for a in ("equal", "greedy"))
    errors = [0, 0]
    for x in map(natural, range(6)):
        assert greedy.size(x) <= equal.size(x)
        for i, made in enumerate((equal, greedy)):
            errors[i] += int(((made.decode(made.encode(x)).astype(int) - x) ** 2).sum())
    assert errors[1] < errors[0]


def test_the_dealer_takes_the_best_step_it_can_pay() -> None:
    errors = [{2: 10.0, 3: 1.0}, {2: 50.0, 3: 49.0}]
    assert allocate([10, 10], [100.0, 100.0], errors, 0) == [0, 0]
    assert allocate([10, 10], [100.0, 100.0], errors, 20) == [2, 0]
    assert allocate([10, 10], [100.0, 100.0], errors, 40) == [2, 2]
    assert allocate([10, 10], [100.0, 100.0], errors, 1000) == [3, 3]
    assert allocate([10, 10], [0.0, 0.0], errors, 1000) == [0, 0]


def test_not_idempotent_in_general() -> None:
    """The clips are searched again on the decoded map, whose greatest coefficients differ."""
    made = Mwq(bits=3)
    x = natural(2)
    y = decoded(made, x)
    assert not np.array_equal(decoded(made, y), y)
