# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The MAC array and R2 of the vector path, in AVX-512 registers.

A tile is ROWS output channels by GROUP positions, its sums in registers from the first product to the
requantised word. vpdpbusd adds four products of an unsigned byte q + 128 and a signed weight to a lane; each
sum starts at -128 times the sum of the weights, and so ends at the sum of w q.

R2 and R3 in 32 bits. Of v = hi 2**16 + lo, lo without a sign, vpmulhuw makes floor(lo M / 2**16) in the low
half; with hi left above it the lane is hi 2**16 + floor(lo M / 2**16). vpdpwssd adds hi (M - 2**16), since M
as a signed word is M - 2**16: the lane is hi M + floor(lo M / 2**16) = floor(v M / 2**16). As in
`vector_gather`, (that + 2**(s-17)) >> (s-16) is the scaled word for s >= 17; sums that need less are raised,
as there. For |v| < 2**30 and s <= 46 no sum leaves 32 bits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit
from numba.core import cgutils

from wccsim.datapath.lanes import Array, Code, Vector, kernel
from wccsim.datapath.vector_gather import GROUP

ROWS = 12  # ROWS * PARTS sums in 24 of the 32 registers
LANES = 16
SPARE_ROWS = 32  # behind the last output channel: the last tile need not be full
PARTS = GROUP // LANES
NUMBERS = 5  # of a requantiser: see `requantisers`
LOW_WORDS = 0x5555_5555  # a mask of the low word of each 32-bit lane


def pack_weights(weights: npt.NDArray[np.int8]) -> npt.NDArray[np.int32]:
    """Weights int8 [Cout, C] as the tile reads them: int32 [tiles][1 + ceil(C/4)][ROWS], flat.

    The first ROWS words of a tile are where its sums start, -128 times the sum of a row. Then, for every
    four channels, ROWS words of four weights.
    """
    rows, channels = weights.shape
    tiles, fours = -(-rows // ROWS), -(-channels // 4)
    full = np.zeros((tiles * ROWS, fours * 4), np.int8)
    full[:rows, :channels] = weights
    words = full.view(np.int32).reshape(tiles, ROWS, fours).transpose(0, 2, 1)
    start = (-128 * full.astype(np.int32).sum(axis=1, dtype=np.int32)).reshape(tiles, 1, ROWS)
    return np.ascontiguousarray(np.concatenate([start, words], axis=1)).reshape(-1)


def requantisers(
    outputs: int, multiplier: npt.NDArray[np.int64], shift: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """int32 [channels, NUMBERS], flat: M in both halves of a lane, M in the high one, 2**(s-17), s - 16, s -
    17.

    multiplier, shift: one for all `outputs` channels, or one each. Behind them, channels that a tile may
    reach.
    """
    table = np.zeros((outputs + SPARE_ROWS, NUMBERS), np.int64)
    table[:outputs, 0] = multiplier << 16 | multiplier
    table[:outputs, 1] = multiplier << 16
    table[:outputs, 2] = 1 << (shift - 17)
    table[:outputs, 3] = shift - 16
    table[:outputs, 4] = shift - 17
    return table.astype(np.uint32).view(np.int32).reshape(-1)


def scaled(code: Code, v: Vector, both: Vector, high: Vector) -> Vector:
    """floor(v M / 2**16) of 32-bit lanes; `both` and `high` are the first two numbers of `requantisers`."""
    words = v.seen_as(16)
    fine = code.where(LOW_WORDS, code.high_product_unsigned(words, both.seen_as(16)), words)
    return code.dot_words(fine.seen_as(32), words, high.seen_as(16))


def number(code: Code, table: Array, at: Any) -> Any:
    """One int32 of a flat array."""
    value = code.builder.load(code.builder.gep(table.data, [at]))
    value.align = 4
    return value


@dataclass(frozen=True, slots=True)
class Positions:
    """What R2 needs to know of a group's positions, in the order of a panel's two registers.

    most: the greatest word. raised: how far a sum is raised. ups: how far a word is shifted for the inverse.
    reliefs: by how much less than its channel's shift R2 shifts.
    """

    most: Vector
    raised: Vector
    ups: list[Vector]
    reliefs: list[Vector]


def positions(code: Code, limit: Any, raised: Any, ups: Array, reliefs: Array, j: Any) -> Positions:
    """Of the group at position j; ups and reliefs are int16, one for each kept word of the strip."""
    return Positions(
        code.spread(limit, 32),
        code.spread(raised, 32),
        in_panel_order(code, ups, j),
        in_panel_order(code, reliefs, j),
    )


def requantised(code: Code, sums: list[Vector], table: Array, entry: Any, at: Positions) -> list[Vector]:
    """R2 of a group's sums of one channel, whose numbers are at table[entry]; in the order of positions.

    (f + 2**(t-1)) >> t is ((f >> (t-1)) + 1) >> 1.
    """
    both, high, less = (code.spread(number(code, table, code.plus(entry, n)), 32) for n in (0, 1, 4))
    one, least = code.constant(32, 1), code.constant(32, 0) - at.most
    done = []
    for part, total in enumerate(sums):
        fine = scaled(code, total << at.raised, both, high) >> (less - at.reliefs[part])
        word = (fine + one) >> one
        done.append(word.at_least(least).at_most(at.most) << at.ups[part])
    return in_order(code, done)


def _tile(
    code,
    panels,
    panel_at,
    weights,
    weights_at,
    fours,
    table,
    row,
    raised,
    limit,
    ups,
    reliefs,
    j,
    y,
    slots,
):
    """MAC array and R2 of ROWS channels from `row` on and the group at position j, to y[r * slots + j]."""
    builder = code.builder
    kind = ir.VectorType(ir.IntType(32), LANES)
    sums = [[cgutils.alloca_once(builder, kind) for _ in range(PARTS)] for _ in range(ROWS)]
    for r, cells in enumerate(sums):
        start = code.spread(number(code, weights, code.plus(weights_at, r)), 32)
        for cell in cells:
            builder.store(start.value, cell)
    with cgutils.for_range(builder, fours) as loop:
        place = builder.add(panel_at, builder.mul(loop.index, loop.index.type(GROUP)))
        words = [code.load(panels, code.plus(place, p * LANES), 32) for p in range(PARTS)]
        here = builder.add(weights_at, builder.mul(loop.index, loop.index.type(ROWS)))
        for r, cells in enumerate(sums):
            weight = code.spread(number(code, weights, code.plus(here, ROWS + r)), 32)
            for word, cell in zip(words, cells, strict=True):
                found = code.dot_bytes(Vector(code, builder.load(cell), 32), word, weight)
                builder.store(found.value, cell)
    at = positions(code, limit, raised, ups, reliefs, j)
    for r, cells in enumerate(sums):
        entry, to = code.times(code.plus(row, r), NUMBERS), builder.add(j, code.times(slots, r))
        totals = [Vector(code, builder.load(cell), 32) for cell in cells]
        for p, words_of in enumerate(requantised(code, totals, table, entry, at)):
            code.store(words_of, y, code.plus(to, p * LANES))


def in_panel_order(code: Code, words: Any, j: Any) -> list[Vector]:
    """GROUP words of 16 bits at words[j:] as 32-bit lanes in the order of a panel's two registers."""
    held = code.load(words, j, 16)
    sixteen = code.constant(32, 16)
    return [part.seen_as(32) << sixteen >> sixteen for part in held.interleaved(held)]


def in_order(code: Code, parts: list[Vector]) -> list[Vector]:
    """The two registers of a panel, lanes in the order of positions again."""
    low, high = parts
    found = []
    for half in (0, 1):
        places = [
            group * 4 + i + which * LANES
            for group in (2 * half, 2 * half + 1)
            for which in (0, 1)
            for i in range(4)
        ]
        found.append(low.picked(high, places))
    return found


tile = kernel(_tile)


@njit(cache=True)
def _multiply_tile(panels, fours, count, weights, table, row, raised, limit, ups, reliefs, y, slots):
    """MAC array and R2 of ROWS output channels from `row` on: y int32 [ROWS][slots], flat; whole groups."""
    weights_at = row * (fours + 1)
    for j in range(0, count, GROUP):
        tile(
            panels, j * fours, weights, weights_at, fours, table, row, raised, limit, ups, reliefs, j,
            y, slots,
        )  # fmt: skip
