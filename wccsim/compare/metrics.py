"""What a compression does to a map: error on the map, and after the 1x1 convolution that reads it."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError
from wccsim.maps import FeatureMap

Map = npt.NDArray[Any]
Doubles = npt.NDArray[np.float64]
_PIXELS_AT_ONCE = 1 << 15
_VALUES_AT_ONCE = 1 << 24


@dataclass(frozen=True, slots=True)
class Distortion:
    """mse and max_error in LSBs of the 8-bit map; snr_db = 10 log10(sum x^2 / sum e^2), inf without error.

    zeros_kept: of the values that were zero, the share that still is (None where the map has no zero).
    out_mse and out_snr_db: the same of W e against W x, real units, before bias and activation; None
    where the map feeds no 1x1 convolution.
    """

    mse: float
    snr_db: float
    max_error: int
    zeros_kept: float | None
    out_mse: float | None
    out_snr_db: float | None


@dataclass(frozen=True, slots=True)
class Reference:
    """What is computed once for a map: its energy and its output's."""

    map_: FeatureMap
    energy: int
    zeros: int
    out_energy: float | None

    @classmethod
    def of(cls, map_: FeatureMap) -> Reference:
        """Measure `map_`."""
        out_energy = None if map_.weights is None else _out_energy(map_, map_.x)
        return cls(map_, _sum_of_squares(map_.x), int((map_.x == 0).sum()), out_energy)


def distortion(reference: Reference, decoded: Map) -> Distortion:
    """The errors of `decoded`, an integer map of the same shape on the same grid."""
    x = reference.map_.x
    if decoded.shape != x.shape:
        raise WccsimError(f"the decoded map has shape {decoded.shape}, the map {x.shape}")
    error = decoded.astype(np.int32) - x.astype(np.int32)
    squared = _sum_of_squares(error)
    kept = int(((x == 0) & (decoded == 0)).sum())
    out_squared = None if reference.out_energy is None else _out_energy(reference.map_, error)
    return Distortion(
        mse=squared / x.size,
        snr_db=decibels(reference.energy, squared),
        max_error=int(np.abs(error).max()),
        zeros_kept=kept / reference.zeros if reference.zeros else None,
        out_mse=None if out_squared is None else out_squared / _outputs(reference.map_),
        out_snr_db=None if out_squared is None else decibels(reference.out_energy or 0.0, out_squared),
    )


def decibels(signal: float, noise: float) -> float:
    """10 log10(signal / noise); inf without noise."""
    if noise == 0:
        return math.inf
    return 10 * math.log10(signal / noise) if signal > 0 else -math.inf


def _outputs(map_: FeatureMap) -> int:
    assert map_.weights is not None
    return int(map_.weights.shape[0]) * int(map_.x.shape[1]) * int(map_.x.shape[2])


def _sum_of_squares(values: Map) -> int:
    """Exact."""
    flat = values.ravel()
    total = 0
    for start in range(0, flat.size, 1 << 20):
        part = flat[start : start + (1 << 20)].astype(np.int64)
        total += int((part * part).sum())
    return total


def _out_energy(map_: FeatureMap, values: Map) -> float:
    """sum over outputs and pixels of (w_scale x_scale (W v))^2."""
    assert map_.weights is not None and map_.weight_scale is not None
    weights = map_.weights.astype(np.float64)
    return output_energy(weights, gram_matrix(values), map_.weight_scale) * map_.x_scale**2


def gram_matrix(*values: Map) -> Doubles:
    """G = sum over pixels p of v_p v_p^T: float64 [C, C], C the channels of the maps [C_i, H, W] together.

    Exact: every partial sum is an integer below 2^53, whatever order the products are added in.
    """
    flats = [part.reshape(part.shape[0], -1) for part in values]
    channels, pixels = sum(len(flat) for flat in flats), flats[0].shape[1]
    at_once = min(_PIXELS_AT_ONCE, max(1, _VALUES_AT_ONCE // channels))
    gram: Doubles = np.zeros((channels, channels))
    for start in range(0, pixels, at_once):
        part = np.concatenate([flat[:, start : start + at_once] for flat in flats]).astype(np.float64)
        gram += part @ part.T
    return gram


def output_energy(weights: Doubles, gram: Doubles, weight_scale: Doubles) -> float:
    """sum over outputs o and pixels p of (weight_scale[o] (w_o . v_p))^2, from the Gram matrix of v.

    sum_p (w . v_p)^2 = w^T G w: C^2 numbers instead of O * H * W.
    """
    quadratic = ((weights @ gram) * weights).sum(axis=1)
    return math.fsum(quadratic * weight_scale**2)
