"""The codec's one-pass kernels against the datapath's stages, its decoded map against the datapath."""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import wccsim
from wccsim.codecs.distortion import squared_error
from wccsim.codecs.wcc import Quantised, Wcc
from wccsim.codecs.wcc_index import index_bits
from wccsim.codecs.wcc_transform import plane_of, quantise, reconstruct, transformed
from wccsim.datapath.bitmap import encode
from wccsim.datapath.haar import forward, inverse
from wccsim.datapath.pad import pad
from wccsim.datapath.requant import requantise
from wccsim.datapath.score import score
from wccsim.default_maps import default_map_paths
from wccsim.maps import load_map

DTYPES = st.sampled_from([np.int8, np.uint8, np.int16, np.uint16])
SHAPES = st.tuples(st.integers(1, 3), st.integers(1, 21), st.integers(1, 21))


def any_map(shape: tuple[int, int, int], dtype: Any, seed: int) -> npt.NDArray[Any]:
    """Extremes and everything between."""
    span = np.iinfo(dtype)
    rng = np.random.default_rng(seed)
    x = rng.integers(span.min, span.max, shape, endpoint=True)
    x[rng.random(shape) < 0.2] = span.max
    x[rng.random(shape) < 0.2] = span.min
    return x.astype(dtype)


@settings(max_examples=40, deadline=None)
@given(shape=SHAPES, dtype=DTYPES, levels=st.integers(1, 5), seed=st.integers(0, 999))
def test_coefficients_and_energy_are_those_of_the_stages(
    shape: Any, dtype: Any, levels: int, seed: int
) -> None:
    x = any_map(shape, dtype, seed)
    found = transformed(x, levels, "zeros")
    expected = forward(pad(x, levels), levels).reshape(shape[0], -1)
    level = found.plane.level[found.plane.group]
    assert np.array_equal(found.coefficients, expected)
    assert np.array_equal(found.energy(), score(expected, levels - level))


@settings(max_examples=40, deadline=None)
@given(
    levels=st.integers(1, 5),
    multiplier=st.integers(1 << 15, (1 << 16) - 1),
    shift=st.integers(15, 40),
    bits=st.integers(2, 16),
    seed=st.integers(0, 999),
)
def test_r1_in_one_pass_is_the_requantiser(
    levels: int, multiplier: int, shift: int, bits: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    plane = plane_of(23, 37, levels)
    coefficients = rng.integers(-(1 << 26), 1 << 26, (2, plane.positions)).astype(np.int32)
    places = np.flatnonzero(rng.random(plane.positions) < 0.5)
    per_group = shift + rng.integers(0, 8, levels + 1)
    limits = np.full(levels + 1, (1 << (bits - 1)) - 1)
    found = quantise(coefficients, places, plane.group, multiplier, per_group, limits)
    limit = int(limits[0])
    expected = requantise(coefficients[:, places], multiplier, per_group[plane.group[places]], -limit, limit)
    assert np.array_equal(found, expected)


@settings(max_examples=40, deadline=None)
@given(
    shape=SHAPES,
    dtype=DTYPES,
    levels=st.integers(1, 5),
    multiplier=st.integers(1 << 15, (1 << 16) - 1),
    shift=st.integers(1, 40),
    seed=st.integers(0, 999),
)
def test_pixels_in_one_pass_are_the_inverse_and_the_requantiser(
    shape: Any, dtype: Any, levels: int, multiplier: int, shift: int, seed: int
) -> None:
    rng = np.random.default_rng(seed)
    plane = plane_of(shape[1], shape[2], levels)
    places = np.flatnonzero(rng.random(plane.positions) < 0.7)
    words = rng.integers(-(1 << 15), 1 << 15, (shape[0], places.size)).astype(np.int32)
    extra = rng.integers(0, 8, levels + 1)
    out = np.empty(shape, dtype)
    reconstruct(words, places, plane, extra, (multiplier, shift), out)
    filled = np.zeros((shape[0], plane.positions), np.int32)
    filled[:, places] = words << extra[plane.group[places]]
    wide = inverse(filled.reshape(shape[0], plane.height, plane.width), levels)[:, : shape[1], : shape[2]]
    info = np.iinfo(dtype)
    assert np.array_equal(out, requantise(wide, multiplier, shift, int(info.min), int(info.max)))


@settings(max_examples=60, deadline=None)
@given(
    height=st.integers(1, 40),
    width=st.integers(1, 40),
    levels=st.integers(1, 5),
    share=st.sampled_from([0.0, 0.02, 0.3, 0.5, 0.97, 1.0]),
    index=st.sampled_from(["bitmap", "list", "rice"]),
    seed=st.integers(0, 999),
)
def test_the_size_of_an_index_is_that_of_its_memory(
    height: int, width: int, levels: int, share: float, index: str, seed: int
) -> None:
    plane = plane_of(height, width, levels)
    flags = np.random.default_rng(seed).random(plane.positions) < share
    memory = encode(flags, index, plane.height, plane.width, levels)
    assert index_bits(flags, int(flags.sum()), index, plane) == memory.bits


@settings(max_examples=40, deadline=None)
@given(
    shape=SHAPES,
    dtype=DTYPES,
    keep=st.sampled_from(["1", "1/2", "1/5"]),
    widths=st.sampled_from([(8, None), (6, 4), (3, 2)]),
    per_level_shift=st.booleans(),
    index=st.sampled_from(["bitmap", "rice"]),
    words=st.sampled_from(["fixed", "rice"]),
    seed=st.integers(0, 999),
)
def test_what_is_measured_without_a_stream_is_what_the_stream_holds(
    shape: Any, dtype: Any, keep: str, widths: Any, per_level_shift: bool, index: str, words: str, seed: int
) -> None:
    x = any_map(shape, dtype, seed)
    bits, detail = widths
    made = Wcc(
        keep=keep, levels=2, bits=bits, detail_bits=detail, per_level_shift=per_level_shift, index=index,
        words=words,
    )  # fmt: skip
    encoded = made.encode(x)
    quantised = made.quantised(made.transformed(x))
    assert made.bits_of(quantised) >= encoded.bits
    if "raw" not in encoded.breakdown:
        assert made.bits_of(quantised) == encoded.bits
        assert np.array_equal(made.restored(quantised), made.decode(encoded))


@settings(max_examples=20, deadline=None)
@given(shape=SHAPES, dtype=DTYPES, seed=st.integers(0, 999))
def test_the_squared_error_is_its_definition(shape: Any, dtype: Any, seed: int) -> None:
    x, y = any_map(shape, dtype, seed), any_map(shape, dtype, seed + 1)
    assert squared_error(x, y) == int(((x.astype(object) - y.astype(object)) ** 2).sum())


def gap_and_bound(
    x: npt.NDArray[Any], weights: npt.NDArray[np.int8], codec: Wcc, y_bits: int
) -> tuple[Any, Any, Any]:
    """(|g W x^ - out|, its bound, where neither was limited), each [Cout, H, W].

    x^ is the codec's decoded map and out the datapath's output from the very same words; g = rho2 rho3 / rho
    turns one into the other's units (docs/compare.md, "What is measured"). R2 leaves words of about y_bits.
    """
    made: Quantised = codec.quantised(codec.transformed(x))
    levels, step = codec.levels, made.step
    plane = made.source.plane
    shift_of = np.array([step.extra[-1], *step.extra])[plane.group[made.places]]
    grid = np.abs(weights.astype(np.int64) @ (made.words.astype(np.int64) << shift_of))
    rho2 = 2.0 ** -max(0, int(grid.max()).bit_length() - y_bits)
    r2 = (1 << 15, 15 - round(np.log2(rho2)))
    r3_shift = levels + y_bits - 6
    result = wccsim.simulate_layer(
        x, weights, keep=codec.keep, levels=levels, kept_bits=codec.bits, detail_bits=codec.detail_bits,
        r1=(step.multiplier, step.shift - levels), r2=r2, r3=(1 << 15, 15 + r3_shift),
        per_level_shift=step.extra if codec.per_level_shift else (),
    )  # fmt: skip
    assert np.array_equal(result.q, made.words) and np.array_equal(result.kept, made.flags)
    decoded = codec.restored(made).astype(np.int64)
    # The decoder's pixel before rounding and before the limit of its dtype, in units of 1 / rho.
    filled = np.zeros((x.shape[0], plane.positions), np.int32)
    filled[:, made.places] = made.words << shift_of
    wide = inverse(filled.reshape(x.shape[0], plane.height, plane.width), levels)
    wide = wide[:, : x.shape[1], : x.shape[2]].astype(np.int64)
    multiplier, shift = ((1 << 32) // step.multiplier + 1) >> 1, 31 - step.shift + 2 * levels
    rho = multiplier / 2.0**shift
    cut = np.abs((wide * multiplier + (1 << (shift - 1)) >> shift) - decoded)
    magnitude = np.abs(weights.astype(np.int64))
    rho3 = 2.0**-r3_shift
    gain = rho2 * rho3 / rho
    gap = np.abs(gain * np.tensordot(weights.astype(np.int64), decoded, 1) - result.out)
    inverse_rounding = rho3 * (3 * 2**levels - 2) / 2
    word_rounding = gain * (magnitude.sum(axis=1) / 2)[:, None, None]
    limited = gain * np.tensordot(magnitude, cut, 1)
    inside = (result.out > -128) & (result.out < 127)
    return gap, 0.5 + inverse_rounding + word_rounding + limited + 1e-9, inside


@settings(max_examples=60, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 24), st.integers(1, 24)),
    dtype=st.sampled_from([np.int8, np.uint8]),
    outputs=st.integers(1, 6),
    levels=st.integers(1, 5),
    keep=st.sampled_from(["1", "1/2", "1/8"]),
    widths=st.sampled_from([(8, None), (6, 4), (3, 2)]),
    per_level_shift=st.booleans(),
    y_bits=st.sampled_from([7, 10, 14]),
    seed=st.integers(0, 999),
)
def test_the_datapath_differs_from_the_codec_by_bounded_rounding(
    shape: Any,
    dtype: Any,
    outputs: int,
    levels: int,
    keep: str,
    widths: Any,
    per_level_shift: bool,
    y_bits: int,
    seed: int,
) -> None:
    x = any_map(shape, dtype, seed)
    weights = np.random.default_rng(seed).integers(-127, 128, (outputs, shape[0])).astype(np.int8)
    bits, detail = widths
    codec = Wcc(keep=keep, levels=levels, bits=bits, detail_bits=detail, per_level_shift=per_level_shift)
    if made_of(codec, x) < 1:
        return
    gap, bound, inside = gap_and_bound(x, weights, codec, y_bits)
    assert (gap <= bound)[inside].all()


def made_of(codec: Wcc, x: npt.NDArray[Any]) -> int:
    """How many positions `codec` keeps."""
    plane = plane_of(x.shape[1], x.shape[2], codec.levels)
    return int(codec.keep * plane.positions)  # type: ignore[operator,arg-type]


@pytest.mark.parametrize("per_level_shift", [False, True])
def test_on_a_natural_map_the_gap_is_inside_the_bound_and_not_zero(per_level_shift: bool) -> None:
    map_ = load_map(next(path for path in default_map_paths() if "coffee_block2" in path.stem))
    assert map_.weights is not None
    codec = Wcc(keep="1/4", per_level_shift=per_level_shift)
    gap, bound, inside = gap_and_bound(map_.x, map_.weights, codec, 14)
    assert (gap <= bound)[inside].all() and inside.mean() > 0.99
    assert 0.4 < gap[inside].max() < bound.max()
