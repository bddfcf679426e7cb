"""The transform: laws, widths with the inputs that attain them, and PyWavelets as a witness."""

import numpy as np
import pytest
from datapath_cases import PATTERNS, fill
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.datapath.float_reference import forward as float_forward
from wccsim.datapath.float_reference import inverse as float_inverse
from wccsim.datapath.haar import butterfly, forward, inverse
from wccsim.datapath.pad import crop, pad
from wccsim.datapath.subbands import subband_map, subbands
from wccsim.parameters import HAAR_VARIANTS, WccParameters

EXACT_LAYERS = settings(max_examples=60, deadline=None)


@st.composite
def maps(draw, levels):
    """(padded int32 map, its width in bits)."""
    bits = draw(st.integers(2, 16))
    shape = (draw(st.integers(1, 3)), draw(st.integers(1, 40)), draw(st.integers(1, 40)))
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    return pad(fill(draw(st.sampled_from(PATTERNS)), shape, low, high, rng), levels), bits


def align(coefficients, levels):
    """Level-l coefficients shifted left by levels - l."""
    result = coefficients.copy()
    for band in subbands(*coefficients.shape[1:], levels):
        result[(slice(None), *band.rectangle)] <<= levels - band.level
    return result


@EXACT_LAYERS
@given(st.data(), st.integers(1, 5))
def test_without_quantiser_the_exact_transform_gives_x_times_4_to_the_levels(data, levels):
    x, _ = data.draw(maps(levels))
    rebuilt = inverse(align(forward(x, levels), levels), levels)
    np.testing.assert_array_equal(rebuilt, x.astype(np.int64) * 4**levels)


@EXACT_LAYERS
@given(st.data(), st.integers(1, 5))
def test_without_quantiser_lifting_gives_x(data, levels):
    x, _ = data.draw(maps(levels))
    np.testing.assert_array_equal(inverse(forward(x, levels, "lifting"), levels, "lifting"), x)


@EXACT_LAYERS
@given(st.data(), st.integers(1, 5))
def test_the_exact_transform_commutes_with_a_channel_mix(data, levels):
    x, _ = data.draw(maps(levels))
    rng = np.random.default_rng(data.draw(st.integers(0, 1000)))
    weights = rng.integers(-15, 16, (4, len(x))).astype(np.int32)
    mixed = np.einsum("oc,chw->ohw", weights, x).astype(np.int32)
    expected = np.einsum("oc,chw->ohw", weights, forward(x, levels))
    np.testing.assert_array_equal(forward(mixed, levels), expected)


@EXACT_LAYERS
@given(st.data(), st.sampled_from(HAAR_VARIANTS), st.integers(1, 5))
def test_every_coefficient_stays_inside_its_width(data, variant, levels):
    x, bits = data.draw(maps(levels))
    p = WccParameters(in_bits=bits, levels=levels, haar=variant)
    coefficients = forward(x, levels, variant)
    for band in subbands(*x.shape[1:], levels):
        limit = 1 << (p.coefficient_bits(band.level) - 1)
        part = coefficients[(slice(None), *band.rectangle)]
        assert -limit <= part.min()
        assert part.max() < limit


@pytest.mark.parametrize("levels", range(1, 6))
@pytest.mark.parametrize("bits", [2, 8, 16])
def test_the_exact_width_is_attained_by_a_map_of_minima(levels, bits):
    x = np.full((1, 1 << levels, 1 << levels), -(1 << (bits - 1)), np.int32)
    assert forward(x, levels).min() == -(1 << (bits + 2 * levels - 1))


@pytest.mark.parametrize("bits", [2, 8, 16])
def test_the_lifting_width_is_attained_by_a_checkerboard(bits):
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
    x = np.array([[[high, low], [low, high]]], np.int32)
    greatest = int(forward(x, 1, "lifting").max())
    assert 1 << bits < greatest < 1 << (bits + 1)  # needs b + 2 bits signed, not b + 1


@pytest.mark.parametrize("variant", ["orthonormal_floor", "orthonormal_half_up", "orthonormal_half_even"])
def test_the_orthonormal_width_is_attained_by_a_map_of_minima(variant):
    x = np.full((1, 8, 8), -128, np.int32)
    assert forward(x, 3, variant).min() == -128 * 8


@given(st.tuples(*[st.integers(-1000, 1000)] * 4))
def test_the_butterfly_undoes_itself_but_for_a_factor_of_four(block):
    assert butterfly(*butterfly(*block)) == tuple(4 * value for value in block)


@pytest.mark.parametrize("rounding", ["floor", "half_up", "half_even"])
def test_orthonormal_halves_in_the_named_rounding(rounding):
    # Blocks with sums 1, 3, -1, -3: ties of the halving.
    x = np.array([[[1, 0, 3, 0, -1, 0, -3, 0], [0] * 8]], np.int32)
    expected = {"floor": [0, 1, -1, -2], "half_up": [1, 2, 0, -1], "half_even": [0, 2, 0, -2]}[rounding]
    assert forward(x, 1, f"orthonormal_{rounding}")[0, 0, :4].tolist() == expected


@pytest.mark.parametrize("levels", range(1, 6))
def test_coefficients_equal_pywavelets(levels):
    """`haar` with periodization, times 2**l, in the published names: our LH is its horizontal detail cH."""
    pywt = pytest.importorskip("pywt")
    rng = np.random.default_rng(levels)
    x = rng.integers(-128, 128, (2, 96, 64)).astype(np.int32)
    ours = forward(x, levels)
    for channel in range(2):
        theirs = pywt.wavedec2(x[channel].astype(float), "haar", mode="periodization", level=levels)
        bands = subbands(96, 64, levels)
        found = [theirs[0]] + [detail for details in theirs[1:] for detail in details]
        for band, expected in zip(bands, found, strict=True):
            scaled = expected * 2.0**band.level
            np.testing.assert_allclose(scaled, np.rint(scaled), atol=1e-6)
            np.testing.assert_array_equal(ours[channel][band.rectangle], np.rint(scaled), err_msg=str(band))


def test_the_float_transform_equals_pywavelets_and_inverts():
    pywt = pytest.importorskip("pywt")
    x = np.random.default_rng(0).normal(size=(1, 32, 48))
    ours = float_forward(x, 2)
    layout, _ = pywt.coeffs_to_array(pywt.wavedec2(x[0], "haar", mode="periodization", level=2))
    swapped = ours[0].copy()  # coeffs_to_array puts cH bottom-left, the published layout top-right
    for lh, hl in ((1, 2), (4, 5)):
        bands = subbands(32, 48, 2)
        swapped[bands[lh].rectangle], swapped[bands[hl].rectangle] = (
            ours[0][bands[hl].rectangle],
            ours[0][bands[lh].rectangle],
        )
    rows = [swapped[band.rectangle] for band in subbands(32, 48, 2)]
    theirs = [layout[band.rectangle] for band in subbands(32, 48, 2)]
    for row, their in zip(rows, theirs, strict=True):
        np.testing.assert_allclose(row, their, atol=1e-12)
    np.testing.assert_allclose(float_inverse(ours, 2), x, atol=1e-12)


def test_the_bias_reaches_every_pixel_of_a_constant_picture():
    words = np.zeros((2, 16, 24), np.int32)
    bias = np.array([3 << 3, -5 << 3], np.int32)
    pixels = inverse(words, 3, "exact", bias)
    assert (pixels == bias[:, None, None]).all()  # pixel * 2**3 on R2's grid
    assert (inverse(words, 3, "orthonormal_floor", bias) == (bias >> 3)[:, None, None]).all()
    assert (inverse(words, 3, "lifting", bias) == bias[:, None, None]).all()


def test_padding_is_right_and_bottom_and_the_crop_undoes_it():
    x = np.arange(1, 16, dtype=np.int8).reshape(1, 3, 5)
    wide = pad(x, 2)
    assert wide.shape == (1, 4, 8)
    assert (crop(wide, 3, 5) == x).all()
    assert wide.sum() == x.sum()


def test_subbands_tile_the_layout_in_order():
    numbers = subband_map(16, 24, 3)
    sizes = [band.height * band.width for band in subbands(16, 24, 3)]
    assert np.bincount(numbers).tolist() == sizes
    assert [(b.level, b.band) for b in subbands(16, 24, 3)][:4] == [
        (3, "LL"),
        (3, "LH"),
        (3, "HL"),
        (3, "HH"),
    ]
    layout = numbers.reshape(16, 24)
    assert (layout[0, 0], layout[0, 23], layout[15, 0], layout[15, 23]) == (0, 7, 8, 9)
