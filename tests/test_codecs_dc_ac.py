"""DC-AC-style: the reference it chooses, and what similar maps save."""

import numpy as np

import wccsim
from wccsim.bitstream import get_bits
from wccsim.codecs.base import Map
from wccsim.codecs.dc_ac import DcAc


def cost(residual: Map) -> int:
    """Sum of absolute left differences, the first of a row against 0."""
    padded = np.concatenate([np.zeros((residual.shape[0], 1), int), residual], axis=1)
    return int(np.abs(np.diff(padded, axis=1)).sum())


def wrapped(difference: Map) -> Map:
    return (difference + 128) % 256 - 128


def test_the_reference_is_the_nearest_of_least_cost() -> None:
    rng = np.random.default_rng(8)
    base = np.cumsum(rng.integers(-9, 10, (3, 12, 20)), axis=2)
    x = (base[rng.integers(0, 3, 15)] + rng.integers(-2, 3, (15, 12, 20))).astype(np.int8)
    data = DcAc()._write(x).data
    for c in range(15):
        plain = x[c].astype(int)
        costs = [cost(plain), *(cost(wrapped(plain - x[c - back])) for back in range(1, min(4, c) + 1))]
        assert get_bits(data, 3 * c, 3) == int(np.argmin(costs))


def test_without_candidates_it_is_rice_and_an_index() -> None:
    x = np.random.default_rng(1).integers(-5, 6, (7, 8, 16)).astype(np.int8)
    plain = wccsim.codec("rice").encode(x)
    assert wccsim.codec("dc-ac-style", candidates=0).encode(x).bits == plain.bits + 3 * 7


def test_maps_that_resemble_each_other_cost_less() -> None:
    rng = np.random.default_rng(2)
    base = rng.integers(0, 255, (1, 32, 32))
    x = np.clip(base + rng.integers(-2, 3, (8, 32, 32)), 0, 255).astype(np.uint8)
    assert wccsim.codec("dc-ac-style").size(x) < 0.6 * wccsim.codec("rice").size(x)
