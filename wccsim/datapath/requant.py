"""The requantisers R1, R2, R3: one scaling with a named rounding, one clamp (docs/datapath.md, section 5)."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.actions import ActionCounts
from wccsim.arith import saturate, scale_double_rounding, scale_half_up

_SCALE = {"single": scale_half_up, "tflite_double": scale_double_rounding}


def requantise(
    values: npt.NDArray[np.int32], multiplier: Any, shift: Any, low: Any, high: Any, mode: str = "single"
) -> npt.NDArray[np.int64]:
    """int64, the shape of `values`: scaled by multiplier * 2**-shift, rounded, clamped to low..high.

    `multiplier`, `shift`, `low` and `high` are int64 that broadcast against `values`. In mode
    `tflite_double` the multiplier is Q31 and `shift` counts from there (negative: a left shift).
    """
    scaled: npt.NDArray[np.int64] = _SCALE[mode](
        values.astype(np.int64), np.asarray(multiplier, np.int64), np.asarray(shift, np.int64)
    )
    return saturate(scaled, low, high)


def requantise_actions(values: int, mode: str, **bits_moved: int) -> ActionCounts:
    """What a requantiser does to `values` words; `bits_moved` are fields of ActionCounts."""
    roundings = 2 if mode == "tflite_double" else 1
    return ActionCounts(
        multiplies=values,
        adds=roundings * values,
        shifts=roundings * values,
        compares=2 * values,
        **bits_moved,
    )
