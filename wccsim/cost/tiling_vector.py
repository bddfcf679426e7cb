"""`wccsim.tiling.best_tiling` for many 1x1 layers at once: the same space, the same choice among equals."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

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
    """The tiling of each point that moves the fewest bits, with the scalar search's choice of equals.

    Of the six orders only the innermost loop matters: the tile that does not depend on it is fetched
    once in all, the other two as often as their loops turn. So each point saves the greatest of
    three savings. A point leaves the search when it moves every bit once in one pass: nothing is less.
    """
    first, again, spill = sweep
    weights = in_channels * out_channels * weight_bits
    sums = 2 * rows * out_channels * partial_bits
    best = np.full(len(rows), np.iinfo(np.int64).max)
    passes, rounds, returns = (np.ones(len(rows), dtype=np.int64) for _ in range(3))
    active = np.arange(len(rows))
    cuts_n = int(np.max(out_channels, initial=1)).bit_length() + 1
    cuts_k = int(np.max(in_channels, initial=1)).bit_length() + 1
    for n_cut in range(cuts_n):
        for k_cut in range(cuts_k):
            if not len(active):
                break
            a = active
            m, n, k = _trips(
                rows[a], in_channels[a], out_channels[a], -(-out_channels[a] >> n_cut),
                -(-in_channels[a] >> k_cut), act_bits[a], weight_bits[a], word_bits, partial_bits,
                [limit[a] for limit in limits], shares,
            )  # fmt: skip
            saved_n = (n - 1) * again[a] + np.where(n > 1, spill[a], 0)
            saved_m, saved_k = (m - 1) * weights[a], (k - 1) * sums[a]
            saving = np.maximum(np.maximum(saved_n, saved_m), saved_k)
            moved = first[a] + weights[a] + saved_n + saved_m + saved_k - saving
            n_inner = saved_n == saving
            m_inner = ~n_inner & (saved_m == saving)
            n, m, k = np.where(n_inner, 1, n), np.where(m_inner, 1, m), np.where(n_inner | m_inner, k, 1)
            better = (moved < best[a]) | (
                (moved == best[a]) & ((n < passes[a]) | ((n == passes[a]) & (m < rounds[a])))
            )
            better &= m > 0
            at = a[better]
            best[at], passes[at], rounds[at], returns[at] = moved[better], n[better], m[better], k[better]
            active = a[(best[a] > first[a] + weights[a]) | (passes[a] > 1)]
    return Tiled(
        in_read=first + (passes - 1) * again,
        in_write=np.where(passes > 1, spill, 0),
        weight_read=weights * rounds,
        partial=sums // 2 * (returns - 1),
        in_passes=passes,
        found=best < np.iinfo(np.int64).max,
    )


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
) -> tuple[Ints, Ints, Ints]:
    """Trips of the loops m, n, k with as many rows a tile as fit; 0 row trips where none fits."""
    per_row = {"in": k * act_bits, "out": n * np.where(k < in_channels, partial_bits, word_bits)}
    fixed = n * k * weight_bits
    most = rows
    for limit, tensors in zip(limits, shares, strict=True):
        left = limit - (fixed if "weight" in tensors else 0)
        row = sum((per_row[tensor] for tensor in tensors if tensor in per_row), np.zeros_like(rows))
        fitting = np.where(row > 0, np.maximum(left, 0) // np.maximum(row, 1), rows)
        most = np.minimum(most, np.where(left >= 0, fitting, 0))
    tile = np.maximum(most, 1)
    return np.where(most > 0, -(-rows // tile), 0), -(-out_channels // n), -(-in_channels // k)
