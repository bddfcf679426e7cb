"""Each named instruction does what its name says: against its definition in plain integers."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numba import njit

from wccsim.datapath import lanes
from wccsim.datapath.lanes import kernel
from wccsim.datapath.vector_product import requantisers, scaled

pytestmark = pytest.mark.skipif(lanes.missing() is not None, reason=f"not run: {lanes.missing()}")
RUNS = settings(deadline=None, max_examples=40)
EXTREMES = {8: (-128, 127), 16: (-32768, 32767), 32: (-(1 << 31), (1 << 31) - 1)}


def registers(bits, seed, count=3):
    """Random registers, every tenth lane at an end of its range."""
    rng = np.random.default_rng(seed)
    low, high = EXTREMES[bits]
    lanes_of = lanes.REGISTER_BITS // bits
    found = rng.integers(low, high + 1, (count, lanes_of))
    ends = rng.random(found.shape) < 0.1
    found[ends] = rng.choice([low, high, 0, -1], ends.sum())
    return found.astype(f"int{bits}")


def ran(write, *arrays):
    """The kernel on flat arrays; the last one is written."""
    inner, target = kernel(write), arrays[-1]

    if len(arrays) == 2:
        njit(lambda a, out: inner(a, out))(*arrays)
    elif len(arrays) == 3:
        njit(lambda a, b, out: inner(a, b, out))(*arrays)
    else:
        njit(lambda a, b, c, out: inner(a, b, c, out))(*arrays)
    return target


def zero(code):
    return lanes.ir.Constant(lanes.ir.IntType(64), 0)


def wide(array):
    return array.astype(np.int64)


def saturated(values, bits):
    return np.clip(values, *EXTREMES[bits])


BINARY = {
    "+": (16, 16, lambda c, a, b: a + b, lambda a, b: (wide(a) + b).astype(np.int16)),
    "-": (16, 16, lambda c, a, b: a - b, lambda a, b: (wide(a) - b).astype(np.int16)),
    "|": (32, 32, lambda c, a, b: a | b, lambda a, b: a | b),
    "&": (32, 32, lambda c, a, b: a & b, lambda a, b: a & b),
    "^": (32, 32, lambda c, a, b: a ^ b, lambda a, b: a ^ b),
    "at_least": (8, 8, lambda c, a, b: a.at_least(b), np.maximum),
    "at_most": (16, 16, lambda c, a, b: a.at_most(b), np.minimum),
    "pairs_of_bytes": (
        8, 16, lambda c, a, b: c.pairs_of_bytes(a, b),
        lambda a, b: saturated((wide(a.view(np.uint8)) * b).reshape(-1, 2).sum(1), 16),
    ),
    "pairs_of_words": (
        16, 32, lambda c, a, b: c.pairs_of_words(a, b),
        lambda a, b: (wide(a) * b).reshape(-1, 2).sum(1).astype(np.int32),
    ),
    "high_product": (16, 16, lambda c, a, b: c.high_product(a, b), lambda a, b: wide(a) * b >> 16),
    "high_product_unsigned": (
        16, 16, lambda c, a, b: c.high_product_unsigned(a, b),
        lambda a, b: (wide(a.view(np.uint16)) * b.view(np.uint16) >> 16).astype(np.uint16).view(np.int16),
    ),
    "packed_words": (
        32, 16, lambda c, a, b: c.packed_words(a, b),
        lambda a, b: saturated(np.stack([a.reshape(4, 4), b.reshape(4, 4)], 1), 16).reshape(-1),
    ),
    "packed_bytes": (
        16, 8, lambda c, a, b: c.packed_bytes(a, b, False),
        lambda a, b: saturated(np.stack([a.reshape(4, 8), b.reshape(4, 8)], 1), 8).reshape(-1),
    ),
    "packed_bytes unsigned": (
        16, 8, lambda c, a, b: c.packed_bytes(a, b, True),
        lambda a, b: np.clip(np.stack([a.reshape(4, 8), b.reshape(4, 8)], 1), 0, 255)
        .reshape(-1).astype(np.uint8).view(np.int8),
    ),
    "sum_saturating": (
        16, 16, lambda c, a, b: c.sum_saturating(a, b), lambda a, b: saturated(wide(a) + b, 16)
    ),
    "interleaved low": (
        16, 16, lambda c, a, b: a.interleaved(b)[0],
        lambda a, b: np.stack([a.reshape(4, 8)[:, :4], b.reshape(4, 8)[:, :4]], 2).reshape(-1),
    ),
    "interleaved high": (
        16, 16, lambda c, a, b: a.interleaved(b)[1],
        lambda a, b: np.stack([a.reshape(4, 8)[:, 4:], b.reshape(4, 8)[:, 4:]], 2).reshape(-1),
    ),
    "where": (32, 32, lambda c, a, b: c.where(0x5555, a, b), lambda a, b: np.where(np.arange(16) % 2, b, a)),
}  # fmt: skip


@pytest.mark.parametrize("name", BINARY)
def test_an_instruction_equals_its_definition(name):
    bits, out_bits, instruction, definition = BINARY[name]

    def write(code, a, b, out):
        code.store(
            instruction(code, code.load(a, zero(code), bits), code.load(b, zero(code), bits)), out, zero(code)
        )

    a, b = registers(bits, 1, 2)
    out = np.zeros(lanes.REGISTER_BITS // out_bits, f"int{out_bits}")
    np.testing.assert_array_equal(ran(write, a, b, out), definition(a, b).astype(out.dtype))


@pytest.mark.parametrize("bits", [8, 16])
def test_a_dot_product_adds_to_its_sums_and_wraps(bits):
    def write(code, sums, a, b, out):
        given = (
            code.load(sums, zero(code), 32),
            code.load(a, zero(code), bits),
            code.load(b, zero(code), bits),
        )
        code.store((code.dot_bytes if bits == 8 else code.dot_words)(*given), out, zero(code))

    a, b = registers(bits, 2, 2)
    sums, out = registers(32, 3, 1)[0], np.zeros(16, np.int32)
    left = a.view(np.uint8) if bits == 8 else a
    exact = sums + (wide(left) * b).reshape(16, -1).sum(1)
    np.testing.assert_array_equal(ran(write, sums, a, b, out), exact.astype(np.int32))


@RUNS
@given(st.integers(0, (1 << 32) - 1), st.integers(0, 1 << 30))
def test_expand_undoes_compress_under_any_mask(mask, seed):
    source = registers(16, seed, 1)[0]
    flags = np.array([mask >> bit & 1 for bit in range(32)], bool)
    packed, back = np.empty(32, np.int16), np.empty(32, np.int16)
    _there_and_back(source, np.uint32(mask).astype(np.int32), packed, back)
    np.testing.assert_array_equal(
        packed, np.concatenate([source[flags], np.zeros(32 - flags.sum(), np.int16)])
    )
    np.testing.assert_array_equal(back, np.where(flags, source, 0))


def _write_there_and_back(code, source, mask, packed, back):
    bits = code.builder.trunc(mask, lanes.ir.IntType(32))
    moved = code.compressed(code.load(source, zero(code), 16), bits)
    code.store(moved, packed, zero(code))
    code.store(code.expanded(moved, bits), back, zero(code))


_move = kernel(_write_there_and_back)


@njit
def _there_and_back(source, mask, packed, back):
    _move(source, mask, packed, back)


@RUNS
@given(st.integers(-70, 140), st.integers(0, 1 << 30))
def test_loads_and_stores_under_a_mask_touch_its_lanes_only(count, seed):
    source, target = registers(8, seed, 1)[0], np.full(64, 77, np.int8)
    _move_first(source, count, target)
    inside = np.arange(64) < count
    np.testing.assert_array_equal(target, np.where(inside, source, 77))


def _write_move_first(code, source, count, target):
    mask = code.first(count, 64)
    code.store_where(mask, code.load_where(mask, source, zero(code), 8), target, zero(code))


_first = kernel(_write_move_first)


@njit
def _move_first(source, count, target):
    _first(source, count, target)


@RUNS
@given(
    st.lists(st.integers(-(1 << 30), (1 << 30) - 1), min_size=16, max_size=16),
    st.integers(1 << 15, (1 << 16) - 1),
    st.integers(17, 46),
)
def test_the_requantiser_of_32_bit_lanes_is_exact(values, multiplier, shift):
    v, out = np.array(values, np.int32), np.empty(16, np.int32)
    _scale(v, requantisers(1, np.array([multiplier]), np.array([shift])), out)
    assert out.tolist() == [(value * multiplier + (1 << (shift - 1))) >> shift for value in values]


def _write_scale(code, v, table, out):
    numbers = [
        code.spread(code.builder.load(code.builder.gep(table.data, [code.plus(zero(code), n)])), 32)
        for n in range(4)
    ]
    word = scaled(code, code.load(v, zero(code), 32), numbers[0], numbers[1])
    code.store((word + numbers[2]) >> numbers[3], out, zero(code))


_scaling = kernel(_write_scale)


@njit
def _scale(v, table, out):
    _scaling(v, table, out)
