"""Float maps and weights to 8 bits: the clip of least squared error, and one scale per output channel."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError

CANDIDATES = 60
_BINS = 1 << 14
SMALLEST_SCALE = 1e-60  # of maps and weights; 1 / it is the greatest: products of scales stay in float64


def quantise_map(x: npt.NDArray[np.float32]) -> tuple[npt.NDArray[Any], float]:
    """(uint8 where no value is negative, else int8 on the symmetric grid; scale) of a float map.

    The clip is max|x| * i / 60 with the least squared error. That error is summed over a histogram of
    2**14 bins at their mean values, so that a map of any size costs one pass, not sixty.
    """
    if not np.isfinite(x).all():
        raise WccsimError("the map holds values that are not finite")
    top, dtype = (255, np.uint8) if x.min() >= 0 else (127, np.int8)
    magnitude = np.abs(x).ravel()
    peak = float(magnitude.max())
    if peak == 0:
        return np.zeros(x.shape, dtype), 1.0
    bins = np.minimum((magnitude * (_BINS / peak)).astype(np.int64), _BINS - 1)
    count = np.bincount(bins, minlength=_BINS)
    mean = np.bincount(bins, weights=magnitude, minlength=_BINS) / np.maximum(count, 1)
    clips = [peak * i / CANDIDATES for i in range(1, CANDIDATES + 1)]
    errors = [float((count * (mean - _levels(mean, clip, top) * (clip / top)) ** 2).sum()) for clip in clips]
    clip = clips[int(np.argmin(errors))]
    return _levels(x, clip, top).astype(dtype), clip / top


def quantise_weights(
    weights: npt.NDArray[np.float32],
) -> tuple[npt.NDArray[np.int8], npt.NDArray[np.float32]]:
    """(int8 [O, C], scale float32 [O]): symmetric, the greatest magnitude of each output channel at 127."""
    if not np.isfinite(weights).all():
        raise WccsimError("the weights hold values that are not finite")
    peak = np.abs(weights).max(axis=1)
    scale = np.where(peak > 0, peak / 127, 1).astype(np.float32)
    return np.clip(np.rint(weights / scale[:, None]), -127, 127).astype(np.int8), scale


def _levels(x: npt.NDArray[Any], clip: float, top: int) -> npt.NDArray[Any]:
    """x * top / clip to the nearest integer (ties to even), limited to +-top."""
    return np.clip(np.rint(x * (top / clip)), -top, top)
