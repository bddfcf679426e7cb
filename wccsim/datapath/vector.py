# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The vector path: the strips of `portable`, their inner blocks in AVX-512 registers.

The order of a strip's words, the exact selection and the sharing of strips among threads are the portable
path's. The blocks are written with `lanes`, and each file tells its own arithmetic and proofs:
`vector_forward` (Haar), `vector_score` (joint score), `vector_select` (histogram), `vector_gather` (masks,
gather, R1), `vector_product` (MAC array, R2), `vector_inverse` (zero-fill, inverse, R3). ROWS output channels
at a time go from sums to pixels, so that neither acc nor y ever leaves the second-level cache.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.datapath import fused
from wccsim.datapath.fused import Room, Workspace
from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.datapath.strips import Scans, Threshold
from wccsim.datapath.vector_forward import BLOCK
from wccsim.datapath.vector_gather import (
    GROUP,
    _compress_strip,
    _gather_strip,
    _list_parts,
    _mark_strip,
    _write_marks,
)
from wccsim.datapath.vector_inverse import _expand_strip, _inverse_strip
from wccsim.datapath.vector_plan import covers, prepare, shapes
from wccsim.datapath.vector_product import LANES, ROWS, _multiply_tile, pack_weights
from wccsim.datapath.vector_score import _score_strips
from wccsim.datapath.vector_select import _collect, _tied
from wccsim.datapath.workers import claim


@njit(cache=True)
def _layer_strip(
    strip, image, shape, scores, layout, tables, numbers, threshold, weights, scalers, room, marks, out
):
    """One strip from scores to pixels. The tuples are laid out in `_layer`."""
    base, step, pieces, rows, columns = layout
    (
        words,
        lows,
        masks,
        halves,
        quarters,
        flags,
        shifts,
        ups,
        reliefs,
        four,
        panels,
        y,
        wide,
        approximations,
    ) = room
    levels = numbers[0]
    limit, low, raised, relieved, unsigned = numbers[4:]
    r2, r3, bias = scalers
    count_of = 4 * rows.size * columns
    _mark_strip(scores, strip, count_of, base, step, threshold, masks)
    count, half_count = _list_parts(masks, BLOCK, halves)
    _, quarter_count = _list_parts(masks, LANES, quarters)
    _write_marks(scores, strip, count_of, pieces, masks, flags, marks[0], marks[1])
    _compress_strip(tables[0], halves, half_count, shifts, 0)
    _compress_strip(tables[1], halves, half_count, ups, 0)
    if relieved:
        _compress_strip(tables[2], halves, half_count, reliefs, 0)
    full = (count + GROUP - 1) // GROUP * GROUP
    _gather_strip(
        image,
        shape,
        strip,
        numbers,
        rows,
        columns,
        halves,
        half_count,
        full,
        shifts,
        words,
        lows,
        four,
        panels,
    )
    fours, slots = (shape[0] + 3) // 4, four.size // 4
    wide[:] = 0
    for row in range(0, bias.size, ROWS):
        _multiply_tile(panels, fours, full, weights, r2, row, raised, relieved, limit, ups, reliefs, y, slots)
        for o in range(row, min(row + ROWS, bias.size)):
            _expand_strip(y, (o - row) * slots, quarters, quarter_count, wide)
            _inverse_strip(
                wide,
                levels,
                bias[o],
                r3,
                o,
                low,
                unsigned,
                approximations,
                strip,
                rows,
                columns,
                shape[1:],
                out,
            )


@njit(cache=True, nogil=True)
def _layer_strips(
    counter,
    strips,
    image,
    shape,
    scores,
    layout,
    tables,
    numbers,
    threshold,
    weights,
    scalers,
    room,
    marks,
    out,
):
    """The strips claimed: energy and kept (bool) in flat order, and out int8 [Cout, H, W], flat."""
    s = claim(counter)
    while s < strips:
        _layer_strip(
            s, image, shape, scores, layout, tables, numbers, threshold, weights, scalers, room, marks, out
        )
        s = claim(counter)


def _flat(x: npt.NDArray[Any], room: Room) -> npt.NDArray[np.int8]:
    """x int8 or uint8 [C, H, W] as the kernels read it."""
    return np.ascontiguousarray(x).view(np.int8).reshape(-1)


def _score(room: Room, image: npt.NDArray[Any], thread: int, counter: npt.NDArray[np.int64]) -> None:
    f, scratch = room.prepared, room.scratch
    lows, squares, binned, bins = (scratch[name][thread] for name in ("lows", "squares", "binned", "bins"))
    _score_strips(
        counter,
        image,
        f.shape,
        f.levels,
        f.offset,
        f.rows,
        f.columns,
        f.batch,
        lows,
        squares,
        binned,
        room.scores,
        bins,
    )


def _layer(
    room: Room,
    image: npt.NDArray[Any],
    thread: int,
    counter: npt.NDArray[np.int64],
    threshold: Threshold,
    arrays: Arrays,
) -> None:
    f = room.prepared
    own = tuple(
        held[thread] for held in list(room.scratch.values())[:-3]
    )  # without what the score alone uses
    _layer_strips(
        counter,
        room.strips.count,
        image,
        f.shape,
        room.scores.reshape(-1),
        (f.base, f.step, f.pieces, f.rows, f.columns),
        (f.shifts, f.ups, f.reliefs),
        (f.levels, f.offset, *f.r1, f.y_limit, f.low, f.sum_raise, f.relieved, f.unsigned_out),
        (threshold.low, threshold.high, threshold.last),
        room.weights,
        (f.r2, f.r3, f.bias),
        own,
        (arrays.energy, arrays.kept.view(np.int8)),
        arrays.out.view(np.int8).reshape(-1),
    )


KERNELS = fused.Kernels(
    "vector", prepare, shapes, pack_weights, False, _flat, _score, _layer, Scans(_collect, _tied)
)


def run(
    plan: Plan,
    x: npt.NDArray[Any],
    out: npt.NDArray[Any],
    inner: bool,
    workspace: Workspace | None = None,
) -> Arrays:
    """One image x [C, H, W] through `plan` into `out` [Cout, H, W]; `workspace` is reused where given."""
    return fused.execute(KERNELS, plan, x, out, workspace)


__all__ = ["KERNELS", "covers", "run"]
