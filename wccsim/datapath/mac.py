"""The MAC array: exact int32 sums of int8 products (docs/datapath.md, section 6)."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.actions import ActionCounts


@njit(cache=True, nogil=True)
def _multiply_accumulate(
    weights: npt.NDArray[np.int8], q: npt.NDArray[np.int8], acc: npt.NDArray[np.int32]
) -> None:
    for o in range(weights.shape[0]):
        for c in range(weights.shape[1]):
            weight = np.int32(weights[o, c])
            for j in range(q.shape[1]):
                acc[o, j] += np.int32(weight * np.int32(q[c, j]))


def multiply_accumulate(weights: npt.NDArray[np.int8], q: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """acc int32 [Cout, k] = weights int8 [Cout, C] times q int8 [C, k].

    Exact: the plan refuses what could leave int32, so the order of the sums cannot matter.
    """
    acc = np.zeros((weights.shape[0], q.shape[1]), np.int32)
    _multiply_accumulate(np.ascontiguousarray(weights), np.ascontiguousarray(q), acc)
    return acc


def mac_actions(
    channels: int, out_channels: int, kept: int, kept_bits: int, weight_bits: int
) -> ActionCounts:
    """What the array does: each kept value (`kept_bits` in all) and each weight enters once."""
    return ActionCounts(
        macs=channels * out_channels * kept,
        kept_read_bits=kept_bits,
        weight_read_bits=channels * out_channels * weight_bits,
    )
