"""The joint score of a position over all channels (docs/datapath.md, section 3).

Coefficients are first shifted left onto the common grid, so that sub-bands compare as they would
after an orthonormal transform. l2: sum of squares; l1: sum of magnitudes; max: greatest magnitude.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from wccsim.actions import ActionCounts

_MAGNITUDE = {"l1": np.add, "max": np.maximum}


def score(
    coefficients: npt.NDArray[np.int32], shifts: npt.NDArray[np.int64], kind: str = "l2"
) -> npt.NDArray[np.int64]:
    """int64 [N] from coefficients int32 [C, N] and the alignment shift of each position, int64 [N].

    Exact while the width of `WccParameters.score_bits` is at most 63, which the plan checks.
    """
    total = np.zeros(coefficients.shape[1], np.int64)
    for channel in coefficients:
        aligned = channel.astype(np.int64) << shifts
        if kind == "l2":
            total += aligned * aligned
        else:
            _MAGNITUDE[kind](total, np.abs(aligned), out=total)
    return total


def score_actions(
    channels: int, shifts: npt.NDArray[np.int64], kind: str, word: int, score_bits: int
) -> ActionCounts:
    """What `score` does on [channels, len(shifts)]; a shift by zero is a wire and not counted."""
    values = channels * len(shifts)
    return ActionCounts(
        multiplies=values if kind == "l2" else 0,
        adds=values if kind != "max" else 0,
        compares={"l2": 0, "l1": values, "max": 2 * values}[kind],
        shifts=channels * int(np.count_nonzero(shifts)),
        coefficient_read_bits=values * word,
        score_write_bits=len(shifts) * score_bits,
    )
