"""Tilings of a layer that fit the buffers, and the bits each of them moves to and from DRAM.

A layer is a nest of three loops over tiles: output rows (m), output channels (n) and input channels
(k), in one of six orders. One tile of each tensor is on chip at a time; it is fetched when the loops
ask for another tile than the last one. The counts are closed forms; the tests walk the nest and
count every access. The search is exhaustive over a small space: channels split by powers of two,
rows split 1, 2, 3, 4, 6, 8, 12, ... times (a 1x1 layer, where only the number of row tiles matters:
as few as fit).
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from itertools import permutations
from typing import Literal

from wccsim.cycles import ceil_div

Halo = Literal["refetch", "keep"]
HALOS = ("refetch", "keep")
ORDERS = tuple("".join(order) for order in permutations("mnk"))


@dataclass(frozen=True, slots=True)
class InSweep:
    """Bits of an input that is not fetched plainly: compressed on the way in, for one.

    first: what the first pass over the input reads; again: each later pass; spill: what is written
    once so that later passes find it, where there are any.
    """

    first: int
    again: int
    spill: int = 0


@dataclass(frozen=True, slots=True)
class Nest:
    """One group of a layer, in bits. Rows of a 1x1 layer may be any positions, e.g. the kept ones.

    row_span: input rows that one output row needs (dilation * (kernel - 1) + 1). in_row_bits: one
    input row of one channel. row_step: rows that can only be fetched together (2**L where the map
    lies in DRAM as wavelet blocks). pair_bits: weights that join one input to one output channel.
    out_row_bits, partial_row_bits: one output row of one channel, finished or as partial sums.
    in_sweep_bits: what passing over the whole input costs, where that is not its size.
    """

    rows: int
    in_rows: int
    in_channels: int
    out_channels: int
    in_row_bits: int
    pair_bits: int
    out_row_bits: int
    partial_row_bits: int
    row_span: int = 1
    row_stride: int = 1
    pad_top: int = 0
    row_step: int = 1
    groups: int = 1
    in_sweep_bits: InSweep | None = None

    @property
    def pointwise(self) -> bool:
        """Whether every output row needs one input row of its own."""
        return self.row_span == self.row_stride == self.row_step == 1 and self.rows == self.in_rows


@dataclass(frozen=True, slots=True)
class Capacity:
    """Bits for tiles: `limits[i]` is shared by the tensors of `shares[i]` ("in", "weight", "out")."""

    limits: tuple[int, ...]
    shares: tuple[tuple[str, ...], ...]


@dataclass(frozen=True, slots=True)
class Tiling:
    """Tile sizes and the loops from the outermost to the innermost."""

    rows: int
    out_channels: int
    in_channels: int
    order: str


@dataclass(frozen=True, slots=True)
class DramTraffic:
    """Bits between DRAM and the chip, all groups. A partial sum that leaves comes back."""

    in_read_bits: int
    weight_read_bits: int
    out_write_bits: int
    partial_write_bits: int = 0
    partial_read_bits: int = 0
    in_write_bits: int = 0
    in_passes: int = 1

    @property
    def total_bits(self) -> int:
        """Everything that crosses."""
        return (
            self.in_read_bits
            + self.weight_read_bits
            + self.out_write_bits
            + self.partial_write_bits
            + self.partial_read_bits
            + self.in_write_bits
        )


def input_rows(nest: Nest, first: int, last: int) -> tuple[int, int]:
    """Half-open range of input rows for output rows first..last-1: clipped, in whole steps."""
    low = max(first * nest.row_stride - nest.pad_top, 0)
    high = min((last - 1) * nest.row_stride - nest.pad_top + nest.row_span, nest.in_rows)
    low, high = min(low, nest.in_rows), max(high, 0)
    if high <= low:  # nothing but padding
        return low, low
    step = nest.row_step
    return low // step * step, min(ceil_div(high, step) * step, nest.in_rows)


def swept_rows(nest: Nest, tile_rows: int, halo: Halo) -> int:
    """Input rows fetched while the row tiles are passed once, the first to the last."""
    if nest.pointwise:
        return nest.rows
    total, held = 0, 0
    for first in range(0, nest.rows, tile_rows):
        low, high = input_rows(nest, first, min(first + tile_rows, nest.rows))
        total += high - (max(low, min(held, high)) if halo == "keep" else low)
        held = max(held, high)
    return total


def dram_traffic(nest: Nest, tiling: Tiling, halo: Halo = "refetch") -> DramTraffic:
    """Bits that cross DRAM under `tiling`: exact, edge tiles and halo rows included."""
    return _traffic(nest, tiling, swept_rows(nest, tiling.rows, halo))


def _traffic(nest: Nest, tiling: Tiling, swept: int) -> DramTraffic:
    trips = {
        "m": ceil_div(nest.rows, tiling.rows),
        "n": ceil_div(nest.out_channels, tiling.out_channels),
        "k": ceil_div(nest.in_channels, tiling.in_channels),
    }

    def visits(other: str) -> int:
        """How often each tile comes back: loop `other`'s trips, if a loop inside it changes the tile."""
        inner = tiling.order[tiling.order.index(other) + 1 :]
        return trips[other] if any(trips[loop] > 1 for loop in inner) else 1

    sums = nest.groups * nest.rows * nest.out_channels
    returns = visits("k") - 1
    passes = visits("n")
    once = nest.groups * swept * nest.in_channels * nest.in_row_bits
    sweep = nest.in_sweep_bits or InSweep(once, once)
    return DramTraffic(
        in_read_bits=sweep.first + (passes - 1) * sweep.again,
        weight_read_bits=nest.groups * nest.in_channels * nest.out_channels * nest.pair_bits * visits("m"),
        out_write_bits=sums * nest.out_row_bits,
        partial_write_bits=sums * nest.partial_row_bits * returns,
        partial_read_bits=sums * nest.partial_row_bits * returns,
        in_write_bits=sweep.spill if passes > 1 else 0,
        in_passes=passes,
    )


def tile_bits(nest: Nest, tiling: Tiling, halo: Halo = "refetch") -> dict[str, int]:
    """Bits that the greatest tile of each tensor takes on chip."""
    span = (tiling.rows - 1) * nest.row_stride + nest.row_span + 2 * (nest.row_step - 1)
    split = tiling.in_channels < nest.in_channels
    in_bits = min(span, nest.in_rows) * tiling.in_channels * nest.in_row_bits
    if halo == "keep" and split and tiling.order.index("k") > tiling.order.index("m"):
        # The other input channels' shared rows wait while this tile works.
        shared = max(nest.row_span - nest.row_stride, 0) + 2 * (nest.row_step - 1)
        in_bits += min(shared, nest.in_rows) * (nest.in_channels - tiling.in_channels) * nest.in_row_bits
    out_row = nest.partial_row_bits if split else nest.out_row_bits
    return {
        "in": in_bits,
        "weight": tiling.in_channels * tiling.out_channels * nest.pair_bits,
        "out": tiling.rows * tiling.out_channels * out_row,
    }


def fits(nest: Nest, tiling: Tiling, capacity: Capacity, halo: Halo = "refetch") -> bool:
    """Whether the tiles fit the buffers they share."""
    bits = tile_bits(nest, tiling, halo)
    return all(
        sum(bits[tensor] for tensor in tensors) <= limit
        for limit, tensors in zip(capacity.limits, capacity.shares, strict=True)
    )


def splits(size: int) -> list[int]:
    """Tile sizes for channels: `size` over 1, 2, 4, ... rounded up, down to one."""
    return sorted({ceil_div(size, 1 << power) for power in range(size.bit_length() + 1)}, reverse=True)


def row_splits(rows: int) -> list[int]:
    """Tile sizes for rows: `rows` over 1, 2, 3, 4, 6, 8, 12, ... rounded up, down to one."""
    cuts = [base << power for power in range(rows.bit_length() + 1) for base in (1, 3)]
    return sorted({ceil_div(rows, cut) for cut in cuts}, reverse=True)


def tilings(nest: Nest, capacity: Capacity, halo: Halo = "refetch") -> Iterator[Tiling]:
    """Every tiling of the space that fits."""
    for n in splits(nest.out_channels):
        for k in splits(nest.in_channels):
            candidates = [most_rows(nest, n, k, capacity)] if nest.pointwise else row_splits(nest.rows)
            for rows in candidates:
                for order in ORDERS:
                    tiling = Tiling(max(rows, 1), n, k, order)
                    if rows >= 1 and fits(nest, tiling, capacity, halo):
                        yield tiling


def most_rows(nest: Nest, n: int, k: int, capacity: Capacity) -> int:
    """The greatest number of rows of a 1x1 layer's tile that fits; 0 where none does."""
    out_row = nest.partial_row_bits if k < nest.in_channels else nest.out_row_bits
    per_row = {"in": k * nest.in_row_bits, "weight": 0, "out": n * out_row}
    most = nest.rows
    for limit, tensors in zip(capacity.limits, capacity.shares, strict=True):
        left = limit - ("weight" in tensors) * n * k * nest.pair_bits
        row = sum(per_row[tensor] for tensor in tensors)
        most = min(most, left // row if row else most) if left >= 0 else 0
    return most


@lru_cache(maxsize=4096)
def best_tiling(nest: Nest, capacity: Capacity, halo: Halo = "refetch") -> tuple[Tiling, DramTraffic] | None:
    """The tiling that moves the fewest bits; None where not even one row fits.

    Of equals, the one with the fewest passes over the input, then the fewest weights read.
    """
    swept = {} if nest.pointwise else {rows: swept_rows(nest, rows, halo) for rows in row_splits(nest.rows)}
    least = _least_rank(nest) if nest.pointwise else None
    best: tuple[Tiling, DramTraffic] | None = None
    for tiling in tilings(nest, capacity, halo):
        traffic = _traffic(nest, tiling, swept.get(tiling.rows, nest.rows))
        if best is None or _rank(traffic) < _rank(best[1]):
            best = tiling, traffic
            if _rank(traffic) == least:
                break  # the first of equals is taken, and nothing is less
    return best


def _least_rank(nest: Nest) -> tuple[int, int, int]:
    """The rank of a 1x1 layer that moves everything once."""
    once = nest.groups * nest.rows * nest.in_channels * nest.in_row_bits
    sweep = nest.in_sweep_bits or InSweep(once, once)
    weights = nest.groups * nest.in_channels * nest.out_channels * nest.pair_bits
    out = nest.groups * nest.rows * nest.out_channels * nest.out_row_bits
    return sweep.first + weights + out, 1, weights


def _rank(traffic: DramTraffic) -> tuple[int, int, int]:
    return traffic.total_bits, traffic.in_passes, traffic.weight_read_bits
