# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The vector path: the strips of `portable`, their inner blocks in AVX-512 registers.

The order of a strip's words, the exact selection and the sharing of strips among threads are the portable
path's. The blocks are written with `lanes`, and each file tells its own arithmetic and proofs:
`vector_forward` (Haar), `vector_score` (joint score), `vector_select` (histogram), `vector_gather` (masks,
gather, R1), `vector_product` (MAC array, R2), `vector_matrix` (MAC array in AMX tiles: the path `matrix`),
`vector_inverse` (zero-fill, inverse, R3). A tile's output channels go from sums to pixels together, so that
neither acc nor y ever leaves the second-level cache.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.datapath import fused, lanes
from wccsim.datapath.fused import Room
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
from wccsim.datapath.vector_inverse import _invert_channels
from wccsim.datapath.vector_matrix import _multiply_matrix, configure, release
from wccsim.datapath.vector_plan import Own, obstacle, prepare, shapes
from wccsim.datapath.vector_product import LANES, _multiply_tile, pack_weights
from wccsim.datapath.vector_score import _score_strips
from wccsim.datapath.vector_select import _collect, _tied
from wccsim.datapath.workers import claim


@njit(cache=True)
def _mark(strip, scores, layout, numbers, threshold, own, marks):
    """Masks, flags and tables of one strip; how many words it keeps; the lengths of both lists of parts."""
    words = 4 * layout.rows.size * numbers.columns
    _mark_strip(scores, strip, words, layout.base, layout.step, threshold, own.masks)
    count, half_count = _list_parts(own.masks, BLOCK, own.halves)
    _, quarter_count = _list_parts(own.masks, LANES, own.quarters)
    _write_marks(scores, strip, words, layout.pieces, own.masks, own.flags, marks[0], marks[1])
    _compress_strip(layout.shifts, own.halves, half_count, own.shifts, 0)
    _compress_strip(layout.ups, own.halves, half_count, own.ups, 0)
    _compress_strip(layout.reliefs, own.halves, half_count, own.reliefs, 0)
    return count, half_count, quarter_count


@njit(cache=True)
def _multiply(row, count, weights, scalers, numbers, own):
    """MAC array and R2 of a tile's output channels from `row` on, into own.y."""
    fours, slots = (numbers.channels + 3) // 4, own.four.size // 4
    if numbers.matrix:
        _multiply_matrix(
            own.panels, fours, count, weights, scalers.r2, row, numbers.sum_raise, numbers.y_limit, own.ups,
            own.reliefs, own.sums, own.y, slots,
        )  # fmt: skip
    else:
        _multiply_tile(
            own.panels, fours, count, weights, scalers.r2, row, numbers.sum_raise, numbers.y_limit, own.ups,
            own.reliefs, own.y, slots,
        )  # fmt: skip


@njit(cache=True)
def _layer_strip(strip, image, scores, layout, numbers, threshold, weights, scalers, own, marks, out):
    """One strip from scores to pixels."""
    count, half_count, quarter_count = _mark(strip, scores, layout, numbers, threshold, own, marks)
    full = (count + GROUP - 1) // GROUP * GROUP
    _gather_strip(image, strip, layout, numbers, half_count, full, own)
    rows, tops, y, quarters, bias = layout.rows, layout.tops, own.y, own.quarters, scalers.bias
    even, odd = (own.wide, own.low_bands), (own.next_wide, own.next_low_bands)
    own.wide[:] = 0
    own.next_wide[:] = 0
    for row in range(0, bias.size, numbers.tile_rows):
        _multiply(row, full, weights, scalers, numbers, own)
        channels = row, min(row + numbers.tile_rows, bias.size)
        _invert_channels(
            y, own.four.size // 4, quarters, quarter_count, channels, bias, scalers.r3, strip, numbers, rows,
            tops, even, odd, out,
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _layer_strips(
    counter, strips, tile_shapes, image, scores, layout, numbers, threshold, weights, scalers, own, marks, out
):
    """The strips claimed: marks (energy, kept) in flat order, and out int8 [Cout, H, W], flat."""
    if numbers.matrix:
        configure(tile_shapes)
    s = claim(counter)
    while s < strips:
        _layer_strip(s, image, scores, layout, numbers, threshold, weights, scalers, own, marks, out)
        s = claim(counter)
    if numbers.matrix:
        release()


def _flat(x: npt.NDArray[Any], room: Room) -> npt.NDArray[np.int8]:
    """x int8 or uint8 [C, H, W] as the kernels read it."""
    return np.ascontiguousarray(x).view(np.int8).reshape(-1)


def _score(room: Room, image: npt.NDArray[Any], thread: int, counter: npt.NDArray[np.int64]) -> None:
    f, scratch = room.prepared, room.scratch
    lows, squares, binned, bins = (scratch[name][thread] for name in ("lows", "squares", "binned", "bins"))
    _score_strips(counter, image, f.layout, f.numbers, f.batch, lows, squares, binned, room.scores, bins)


def _layer(
    room: Room,
    image: npt.NDArray[Any],
    thread: int,
    counter: npt.NDArray[np.int64],
    threshold: Threshold,
    arrays: Arrays,
) -> None:
    f = room.prepared
    own = Own(**{name: room.scratch[name][thread] for name in Own._fields})
    _layer_strips(
        counter,
        room.strips.count,
        f.tile_shapes,
        image,
        room.scores.reshape(-1),
        f.layout,
        f.numbers,
        (threshold.low, threshold.high, threshold.last),
        room.weights,
        f.scalers,
        own,
        (arrays.energy, arrays.kept.view(np.int8)),
        arrays.out.view(np.int8).reshape(-1),
    )


def kernels_of(path: str, matrix: bool, pack: Any) -> fused.Kernels:
    """The kernels of this path, with the MAC array in vector registers or in AMX tiles."""
    return fused.Kernels(
        path,
        partial(prepare, matrix=matrix),
        shapes,
        pack,
        False,
        _flat,
        _score,
        _layer,
        Scans(_collect, _tied),
    )


def covers(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why this path cannot run `plan` on signed or unsigned maps; None: it can."""
    return lanes.missing() or obstacle(plan, inner, unsigned)


KERNELS = kernels_of("vector", False, pack_weights)
run = fused.runner(KERNELS)
