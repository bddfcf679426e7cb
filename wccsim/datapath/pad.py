"""Padding to a multiple of 2**L, and the crop that undoes it (docs/datapath.md, section 1)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.actions import ActionCounts
from wccsim.parameters import padded


def pad(x: npt.NDArray[Any], levels: int) -> npt.NDArray[np.int32]:
    """x, integer [C, H, W], as int32 [C, HP, WP]: zeros at the right and the bottom only."""
    channels, height, width = x.shape
    result = np.zeros((channels, padded(height, levels), padded(width, levels)), np.int32)
    result[:, :height, :width] = x
    return result


def pad_actions(channels: int, height: int, width: int, in_bits: int) -> ActionCounts:
    """What `pad` does: each real value is read once; zeros are made, not read."""
    return ActionCounts(input_read_bits=channels * height * width * in_bits)


def crop(x: npt.NDArray[Any], height: int, width: int) -> npt.NDArray[Any]:
    """The first `height` rows and `width` columns of x [C, HP, WP]: a view."""
    return x[:, :height, :width]
