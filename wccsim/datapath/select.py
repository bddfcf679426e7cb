"""Which positions are kept: exact selection and the binned one (docs/datapath.md, section 3).

Exact: the k greatest scores, ties to the lowest flat index. Binned: the greatest keys, where a key is the
leading-one exponent and m mantissa bits of the score; inside the boundary bin, flat order.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wccsim.actions import ActionCounts

RADIX_BITS = 8
EXPONENTS = 64  # leading ones 0..62 of a score, and the score zero


def select(energy: npt.NDArray[np.int64], kept: int, mantissa_bits: int | None) -> npt.NDArray[np.bool_]:
    """bool [N] with `kept` true entries; exact where `mantissa_bits` is None. energy >= 0."""
    key = energy if mantissa_bits is None else bin_keys(energy, mantissa_bits)
    boundary = np.partition(key, len(key) - kept)[len(key) - kept]
    chosen: npt.NDArray[np.bool_] = key > boundary
    ties = np.flatnonzero(key == boundary)
    chosen[ties[: kept - int(np.count_nonzero(chosen))]] = True
    return chosen


def bin_keys(energy: npt.NDArray[np.int64], mantissa_bits: int) -> npt.NDArray[np.int64]:
    """int64 [N]: 0 for 0, else (exponent + 1) * 2**m + the m bits after the leading one.

    The key grows with the score, so the bins are intervals of it.
    """
    exponent = np.zeros_like(energy)
    for step in (32, 16, 8, 4, 2, 1):
        exponent += np.where(energy >> (exponent + step) > 0, step, 0)
    down = np.maximum(exponent - mantissa_bits, 0)
    up = np.maximum(mantissa_bits - exponent, 0)
    leading_and_mantissa = energy >> down << up
    # The leading one itself adds 1 to the exponent field.
    return np.where(energy > 0, (exponent << mantissa_bits) + leading_and_mantissa, 0)


def select_actions(positions: int, score_bits: int, mantissa_bits: int | None) -> ActionCounts:
    """What hardware does to select: radix passes over 8-bit digits, or one histogram of bins."""
    if mantissa_bits is None:
        passes = -(-score_bits // RADIX_BITS)
        sweeps, scanned = passes + 1, passes << RADIX_BITS
    else:
        sweeps, scanned = 2, EXPONENTS << mantissa_bits
    return ActionCounts(
        compares=sweeps * positions,
        adds=scanned,
        score_read_bits=sweeps * positions * score_bits,
    )
