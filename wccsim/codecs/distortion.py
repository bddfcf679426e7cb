"""The squared error between two maps, exact and in one pass."""

from __future__ import annotations

from typing import Any

import numpy as np
from numba import njit

from wccsim.codecs.base import Map


@njit(cache=True)
def _squared_error(x: Map, y: Map) -> Any:
    total = np.int64(0)
    for c in range(x.shape[0]):
        for i in range(x.shape[1]):
            for j in range(x.shape[2]):
                error = np.int64(x[c, i, j]) - np.int64(y[c, i, j])
                total += error * error
    return total


def squared_error(x: Map, decoded: Map) -> int:
    """sum (x - decoded)^2 of two maps [C, H, W]: at most 2^28 words of 16 bits, so below 2^60."""
    return int(_squared_error(x, decoded))
