"""Depths and steps of transform-quantised blocks: least error plus lambda times bits.

A block of R bits (0 to 8) and step Delta holds Delta * clip(round(v / Delta), -2^(R-1), 2^(R-1) - 1),
0 where R = 0. Steps are 16 consecutive powers of two.
Source: Young, Zhe, Taubman, Girod, Transform Quantization for CNN Compression, TPAMI 2021.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

Float = npt.NDArray[np.float64]
MAX_DEPTH = 8
STEPS = 16
BISECTIONS = 60


@dataclass(frozen=True, slots=True)
class Choice:
    """Depth and step exponent of a block."""

    depth: int
    exponent: int


@dataclass(frozen=True, slots=True)
class BlockErrors:
    """Least error and its step exponent for each depth 0..8, and the block's number of values."""

    size: int
    errors: tuple[float, ...]
    exponents: tuple[int, ...]


def codes(values: Float, depth: int, exponent: int) -> Float:
    """clip(round(v / 2^exponent)), ties away from zero; whole numbers in float64."""
    scaled = values * 2.0**-exponent
    rounded = np.sign(scaled) * np.floor(np.abs(scaled) + 0.5)
    half = 2.0 ** (depth - 1)
    return np.asarray(np.clip(rounded, -half, half - 1), np.float64)


def block_errors(values: Float, weights: Float, first_exponent: int) -> BlockErrors:
    """Errors of every depth at its best step; `weights` multiply squared errors and broadcast."""
    energy = float((weights * values**2).sum())
    errors, exponents = [energy], [first_exponent]
    for depth in range(1, MAX_DEPTH + 1):
        tried = [
            float((weights * (codes(values, depth, e) * 2.0**e - values) ** 2).sum())
            for e in range(first_exponent, first_exponent + STEPS)
        ]
        best = int(np.argmin(tried))
        errors.append(tried[best])
        exponents.append(first_exponent + best)
    return BlockErrors(values.size, tuple(errors), tuple(exponents))


def _pair(t: BlockErrors, s: BlockErrors | None, price: float) -> tuple[int, int]:
    """Depths of a block of T and its block of S of least error + price * bits; the shorter of equals."""
    best = (t.errors[0], 0, 0, 0)
    for depth in range(1, MAX_DEPTH + 1):
        if s is None:
            bits = t.size * depth
            best = min(best, (t.errors[depth] + price * bits, bits, depth, 0))
            continue
        for other in range(1, MAX_DEPTH + 1):
            bits = t.size * depth + s.size * other
            total = t.errors[depth] + s.errors[other] + price * bits
            best = min(best, (total, bits, depth, other))
    return best[2], best[3]


def allocate(
    blocks: list[tuple[BlockErrors, BlockErrors | None]], budget: int
) -> list[tuple[Choice, Choice]]:
    """Depths within `budget` bits at the least price that respects it, found by bisection."""

    def deal(price: float) -> list[tuple[int, int]]:
        return [_pair(t, s, price) for t, s in blocks]

    def spent(depths: list[tuple[int, int]]) -> int:
        pairs = zip(depths, blocks, strict=True)
        return sum(t.size * a + (s.size * b if s else 0) for (a, b), (t, s) in pairs)

    low, high = 0.0, max(1.0, max(t.errors[0] for t, _ in blocks))
    depths = deal(low)
    if spent(depths) > budget:
        for _ in range(BISECTIONS):
            middle = (low * high) ** 0.5 if low else high * 2.0**-40
            if spent(deal(middle)) > budget:
                low = middle
            else:
                high = middle
        depths = deal(high)
    return [
        (
            Choice(a, t.exponents[a]),
            Choice(b, s.exponents[b]) if s else Choice(0, 0),
        )
        for (a, b), (t, s) in zip(depths, blocks, strict=True)
    ]
