"""What every setting of `wcc` with the same levels shares on one map: its coefficients and their groups.

A flat index of the padded Mallat layout belongs to group 0 (LL of the last level) or to group l (LH, HL or HH
of level l): a level's details share a shift and a limit. The kernels are the datapath's stages in one pass
over one channel; a test holds them against the stages themselves.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import Words
from wccsim.codecs.base import Map
from wccsim.datapath.haar import forward
from wccsim.datapath.pad import pad
from wccsim.datapath.score import score
from wccsim.datapath.subbands import subband_map, subbands
from wccsim.parameters import padded

Ints = npt.NDArray[np.int64]
Groups = npt.NDArray[np.uint8]
Flags = npt.NDArray[np.bool_]


@dataclass(frozen=True, slots=True, eq=False)
class Plane:
    """The layout of a padded height x width map: `group`, uint8 [positions], is that of each flat index."""

    height: int
    width: int
    levels: int
    group: Groups

    @property
    def positions(self) -> int:
        """height * width."""
        return self.height * self.width

    @property
    def level(self) -> Ints:
        """int64 [levels + 1]: the level of each group."""
        return np.array([self.levels, *range(1, self.levels + 1)], dtype=np.int64)


@lru_cache(maxsize=16)
def plane_of(height: int, width: int, levels: int) -> Plane:
    """The layout of a map of height x width pixels."""
    height, width = padded(height, levels), padded(width, levels)
    bands = subbands(height, width, levels)
    of_band = np.array([0 if band.band == "LL" else band.level for band in bands], dtype=np.uint8)
    group = of_band[subband_map(height, width, levels)]
    group.setflags(write=False)
    return Plane(height, width, levels, group)


@dataclass(frozen=True, slots=True, eq=False)
class Transformed:
    """The coefficients int32 [C, positions] of a map of `dtype` and `shape`, and their layout."""

    shape: tuple[int, int, int]
    dtype: np.dtype[Any]
    plane: Plane
    coefficients: npt.NDArray[np.int32]

    def energy(self) -> Ints:
        """int64 [positions]: the joint l2 score on the common grid."""
        plane = self.plane
        return score(self.coefficients, (plane.levels - plane.level)[plane.group])


def transformed(x: Map, levels: int, padding: str) -> Transformed:
    """Pad `x`, with zeros or its last row and column ("edge"), and transform it."""
    channels, height, width = x.shape
    plane = plane_of(height, width, levels)
    extra = plane.height - height, plane.width - width
    if padding == "edge" and any(extra):
        x = np.pad(x, ((0, 0), (0, extra[0]), (0, extra[1])), mode="edge")
    coefficients = forward(pad(x, levels), levels).reshape(channels, -1)
    return Transformed((channels, height, width), x.dtype, plane, coefficients)


@njit(cache=True)
def _quantise(
    coefficients: Words, places: Ints, group: Groups, multiplier: int, shift: Ints, limit: Ints, out: Words
) -> None:
    """R1 of the kept coefficients: half up, limited to the symmetric grid; shift and limit per group."""
    for c in range(out.shape[0]):
        for i in range(places.size):
            g = group[places[i]]
            half = np.int64(1) << (shift[g] - 1)
            scaled = (np.int64(coefficients[c, places[i]]) * multiplier + half) >> shift[g]
            out[c, i] = min(max(scaled, -limit[g]), limit[g])


def quantise(
    coefficients: Words, places: Ints, group: Groups, multiplier: int, shift: Ints, limit: Ints
) -> Words:
    """int32 [C, k]: the words of the coefficients int32 [C, N] at `places`; shift and limit of each group."""
    out = np.empty((coefficients.shape[0], places.size), np.int32)
    _quantise(coefficients, places, group, multiplier, shift, limit, out)
    return out


@njit(cache=True)
def _inverse(plane: npt.NDArray[np.int32], scratch: npt.NDArray[np.int32], levels: int) -> None:
    """The exact inverse Haar in place: details of level l shifted left by levels - l on the way."""
    height, width = plane.shape[0] >> levels, plane.shape[1] >> levels
    for shift in range(levels):
        for y in range(height):
            for x in range(width):
                ll, lh = plane[y, x], plane[y, x + width] << shift
                hl, hh = plane[y + height, x] << shift, plane[y + height, x + width] << shift
                top, bottom, left, right = ll + lh, hl + hh, ll - lh, hl - hh
                scratch[2 * y, 2 * x] = top + bottom
                scratch[2 * y, 2 * x + 1] = top - bottom
                scratch[2 * y + 1, 2 * x] = left + right
                scratch[2 * y + 1, 2 * x + 1] = left - right
        height, width = 2 * height, 2 * width
        plane[:height, :width] = scratch[:height, :width]


@njit(cache=True)
def _reconstruct(
    words: Words,
    places: Ints,
    group: Groups,
    extra: Ints,
    levels: int,
    plane: npt.NDArray[np.int32],
    scale: tuple[int, int],
    limits: tuple[int, int],
    out: npt.NDArray[Any],
) -> None:
    """Zero-fill, inverse, R3 (half up), crop, limit, channel by channel."""
    multiplier, shift = scale
    half, scratch = np.int64(1) << (shift - 1), np.empty_like(plane)
    for c in range(out.shape[0]):
        plane[:] = 0
        for i in range(places.size):
            at = places[i]
            plane[at // plane.shape[1], at % plane.shape[1]] = words[c, i] << extra[group[at]]
        _inverse(plane, scratch, levels)
        for y in range(out.shape[1]):
            for x in range(out.shape[2]):
                pixel = (np.int64(plane[y, x]) * multiplier + half) >> shift
                out[c, y, x] = min(max(pixel, limits[0]), limits[1])


def reconstruct(
    words: Words, places: Ints, plane: Plane, extra: Ints, scale: tuple[int, int], out: Map
) -> None:
    """Fill `out` with the pixels of words int32 [C, k] at `places`: each shifted left by its group's `extra`,
    inverted to pixel * 2^L, scaled by (multiplier, shift), limited to the dtype of `out`.
    """
    info = np.iinfo(out.dtype)
    room = np.empty((plane.height, plane.width), np.int32)
    limits = (int(info.min), int(info.max))
    _reconstruct(words, places, plane.group, extra, plane.levels, room, scale, limits, out)
