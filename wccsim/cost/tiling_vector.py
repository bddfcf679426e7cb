"""`wccsim.tiling.best_tiling` for many 1x1 layers at once: the same space, the same choice among equals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from wccsim.tiling import ORDERS

Ints = npt.NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Tiled:
    """Bits of the best tiling of each point; `found` is False where no tile fits."""

    in_read: Ints
    in_write: Ints
    weight_read: Ints
    partial: Ints
    in_passes: Ints
    found: npt.NDArray[np.bool_]


def best_tilings(
    rows: Ints,
    in_channels: Ints,
    out_channels: Ints,
    act_bits: Ints,
    weight_bits: Ints,
    word_bits: int,
    partial_bits: int,
    limits: list[Ints],
    shares: tuple[tuple[str, ...], ...],
    sweep: tuple[Ints, Ints, Ints],
) -> Tiled:
    """The tiling of each point that moves the fewest bits, the first of equals in the scalar's order.

    A point leaves the search as soon as it moves every bit once: nothing is less.
    """
    count = len(rows)
    zero = np.zeros(count, dtype=np.int64)
    first, again, spill = sweep
    weights = in_channels * out_channels * weight_bits
    least = first + weights
    best = np.full(count, np.iinfo(np.int64).max)
    result = {name: zero.copy() for name in ("in_read", "in_write", "weight_read", "partial", "in_passes")}
    active = np.arange(count)
    cuts_n = int(np.max(out_channels, initial=1)).bit_length() + 1
    cuts_k = int(np.max(in_channels, initial=1)).bit_length() + 1
    for order in ORDERS:
        for n_cut in range(cuts_n):
            for k_cut in range(cuts_k):
                if not len(active):
                    break
                a = active
                n = -(-out_channels[a] >> n_cut)
                k = -(-in_channels[a] >> k_cut)
                trips = _trips(
                    rows[a], in_channels[a], out_channels[a], n, k, act_bits[a], weight_bits[a], word_bits,
                    partial_bits, [limit[a] for limit in limits], shares,
                )  # fmt: skip
                visits = {loop: _visits(order, loop, trips) for loop in "mnk"}
                passes = visits["n"]
                sums = rows[a] * out_channels[a] * partial_bits * (visits["k"] - 1)
                in_read = first[a] + (passes - 1) * again[a]
                in_write = np.where(passes > 1, spill[a], 0)
                weight_read = weights[a] * visits["m"]
                moved = in_read + in_write + weight_read + 2 * sums
                better = (trips["m"] > 0) & (moved < best[a])
                at = a[better]
                best[at] = moved[better]
                for name, values in (
                    ("in_read", in_read), ("in_write", in_write), ("weight_read", weight_read),
                    ("partial", sums), ("in_passes", passes),
                ):  # fmt: skip
                    result[name][at] = values[better]
                active = a[best[a] > least[a]]
    return Tiled(**result, found=best < np.iinfo(np.int64).max)


def _trips(
    rows: Ints,
    in_channels: Ints,
    out_channels: Ints,
    n: Ints,
    k: Ints,
    act_bits: Ints,
    weight_bits: Ints,
    word_bits: int,
    partial_bits: int,
    limits: list[Ints],
    shares: tuple[tuple[str, ...], ...],
) -> dict[str, Ints]:
    """Trips of the three loops with as many rows a tile as fit; 0 row trips where none fits."""
    per_row = {"in": k * act_bits, "out": n * np.where(k < in_channels, partial_bits, word_bits)}
    fixed = n * k * weight_bits
    most = rows
    for limit, tensors in zip(limits, shares, strict=True):
        left = limit - (fixed if "weight" in tensors else 0)
        row = sum((per_row[tensor] for tensor in tensors if tensor in per_row), np.zeros_like(rows))
        fitting = np.where(row > 0, np.maximum(left, 0) // np.maximum(row, 1), rows)
        most = np.minimum(most, np.where(left >= 0, fitting, 0))
    tile = np.maximum(most, 1)
    return {
        "m": np.where(most > 0, -(-rows // tile), 0),
        "n": -(-out_channels // n),
        "k": -(-in_channels // k),
    }


def _visits(order: str, loop: str, trips: dict[str, Ints]) -> Ints:
    """How often each tile that does not depend on `loop` comes back."""
    inner = order[order.index(loop) + 1 :]
    changed = np.zeros(len(trips[loop]), dtype=bool)
    for other in inner:
        changed |= trips[other] > 1
    return np.where(changed, trips[loop], 1)
