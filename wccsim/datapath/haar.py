"""The integer Haar transform, forward and inverse, in its five variants (docs/datapath.md, sections 2 and 7).

Coefficients and words lie in the Mallat layout. The exact variant grows by two bits a level and
never rounds; the orthonormal ones halve at each level in a named rounding; lifting is the
reversible S-transform, rows first, then columns, undone in the opposite order.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.actions import ActionCounts
from wccsim.arith import Rounding, rounding_shift

Int32 = npt.NDArray[np.int32]
Four = tuple[Any, Any, Any, Any]
ORTHONORMAL = {
    "orthonormal_floor": Rounding.FLOOR,
    "orthonormal_half_up": Rounding.HALF_UP,
    "orthonormal_half_even": Rounding.HALF_EVEN,
}


def butterfly(a: Any, b: Any, c: Any, d: Any) -> Four:
    """The 4x4 Hadamard of the block a b / c d: (LL, LH, HL, HH). Its own inverse, but for a factor 4."""
    top, bottom, left, right = a + b, c + d, a - b, c - d
    return top + bottom, top - bottom, left + right, left - right


def _halved(four: Four, variant: str) -> Four:
    a, b, c, d = (rounding_shift(value, 1, ORTHONORMAL[variant]) for value in four)
    return a, b, c, d


def _lift(first: Any, second: Any) -> tuple[Any, Any]:
    """(floor of the mean, difference) of a pair."""
    difference = first - second
    return second + (difference >> 1), difference


def _unlift(mean: Any, difference: Any) -> tuple[Any, Any]:
    """The pair that `_lift` took, exactly."""
    second = mean - (difference >> 1)
    return second + difference, second


def _analyse(block: Four, variant: str) -> Four:
    if variant == "exact":
        return butterfly(*block)
    if variant != "lifting":
        return _halved(butterfly(*block), variant)
    a, b, c, d = block
    (mean_top, difference_top), (mean_bottom, difference_bottom) = _lift(a, b), _lift(c, d)
    return *_lift(mean_top, mean_bottom), *_lift(difference_top, difference_bottom)


def _synthesise(bands: Four, variant: str) -> Four:
    if variant == "exact":
        return butterfly(*bands)
    if variant != "lifting":
        return _halved(butterfly(*bands), variant)
    ll, lh, hl, hh = bands
    (mean_top, mean_bottom), (difference_top, difference_bottom) = _unlift(ll, lh), _unlift(hl, hh)
    return *_unlift(mean_top, difference_top), *_unlift(mean_bottom, difference_bottom)


def forward(x: Int32, levels: int, variant: str = "exact") -> Int32:
    """Coefficients of x: int32 [C, HP, WP], HP and WP multiples of 2**levels, to int32 [C, HP, WP].

    Level l fits b + 2l bits (exact), b + l (orthonormal), b + 2 (lifting) for inputs of b bits.
    """
    result = np.array(x, np.int32)
    height, width = x.shape[1:]
    for _ in range(levels):
        source = result[:, :height, :width].copy()
        block = (source[:, ::2, ::2], source[:, ::2, 1::2], source[:, 1::2, ::2], source[:, 1::2, 1::2])
        height, width = height // 2, width // 2
        ll, lh, hl, hh = _analyse(block, variant)
        result[:, :height, :width] = ll
        result[:, :height, width : 2 * width] = lh
        result[:, height : 2 * height, :width] = hl
        result[:, height : 2 * height, width : 2 * width] = hh
    return result


def inverse(words: Int32, levels: int, variant: str = "exact", bias: Int32 | None = None) -> Int32:
    """Pixels of the wavelet words: int32 [C, HP, WP] to int32 [C, HP, WP].

    exact: words are on one common grid; detail words of level l are shifted left by levels - l on
    the way, and a pixel comes out times 2**levels. orthonormal: same grid, a rounding halving per
    level, gain 1. lifting: each word in its sub-band's own gain, gain 1.
    `bias`, int32 [C], is added to every LL_L word first. Widths: `WccParameters.inverse_bits`.
    """
    result = np.array(words, np.int32)
    height, width = result.shape[1] >> levels, result.shape[2] >> levels
    if bias is not None:
        result[:, :height, :width] += bias[:, None, None]
    for level in range(levels, 0, -1):
        source = result[:, : 2 * height, : 2 * width].copy()
        shift = levels - level if variant == "exact" else 0
        bands = (
            source[:, :height, :width],
            source[:, :height, width:] << shift,
            source[:, height:, :width] << shift,
            source[:, height:, width:] << shift,
        )
        a, b, c, d = _synthesise(bands, variant)
        height, width = 2 * height, 2 * width
        result[:, :height:2, :width:2] = a
        result[:, :height:2, 1:width:2] = b
        result[:, 1:height:2, :width:2] = c
        result[:, 1:height:2, 1:width:2] = d
    return result


def _steps(variant: str) -> tuple[int, int]:
    """(adds, shifts) of one 2x2 block, without the exact inverse's alignment."""
    adds = 12 if variant in ("orthonormal_half_up", "orthonormal_half_even") else 8
    return adds, 0 if variant == "exact" else 4


def forward_actions(channels: int, positions: int, levels: int, variant: str, word: int) -> ActionCounts:
    """What `forward` does on [channels, positions]: level by level, words of `word` bits."""
    adds, shifts = _steps(variant)
    counts = ActionCounts()
    for level in range(1, levels + 1):
        blocks = channels * (positions >> 2 * level)
        counts += ActionCounts(
            adds=adds * blocks,
            shifts=shifts * blocks,
            coefficient_read_bits=4 * blocks * word if level > 1 else 0,
            coefficient_write_bits=4 * blocks * word,
        )
    return counts


def inverse_actions(
    channels: int, positions: int, levels: int, variant: str, word: int, bias: bool
) -> ActionCounts:
    """What `inverse` does on [channels, positions]: level by level, words of `word` bits."""
    adds, shifts = _steps(variant)
    counts = ActionCounts(adds=channels * (positions >> 2 * levels) if bias else 0)
    for level in range(levels, 0, -1):
        blocks = channels * (positions >> 2 * level)
        align = 3 if variant == "exact" and level < levels else 0
        counts += ActionCounts(
            adds=adds * blocks,
            shifts=(shifts + align) * blocks,
            wavelet_read_bits=blocks * word if level < levels else 0,
            wavelet_write_bits=4 * blocks * word if level > 1 else 0,
        )
    return counts
