"""Each signal's width: what the formulas require, and the widest value a run has shown (docs/datapath.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.haar import inverse
from wccsim.datapath.layer import LayerResult
from wccsim.datapath.plain import CHUNK_WORDS, alignment_shifts
from wccsim.datapath.plan import Plan
from wccsim.datapath.subbands import subbands


@dataclass(frozen=True, slots=True)
class SignalWidth:
    """One row: a signal, its required bits, its least and greatest value seen, and the bits they need."""

    signal: str
    required_bits: int
    lowest: int
    highest: int
    seen_bits: int


def signed_bits(low: int, high: int) -> int:
    """Bits of the narrowest two's complement word that holds low..high."""
    return max((~low if low < 0 else low).bit_length(), (~high if high < 0 else high).bit_length()) + 1


def widths(plan: Plan, x: npt.NDArray[Any], result: LayerResult) -> tuple[SignalWidth, ...]:
    """The table of a run on one image x that kept all its arrays."""
    p = plan.parameters
    assert result.q is not None and result.acc is not None and result.y is not None
    return (
        _row("input x", p.in_bits, x),
        *_coefficient_rows(plan, result),
        *_score_rows(plan, result),
        _row("quantised word q" if p.plain else "kept coefficient q", p.act_bits, result.q),
        _row("accumulator", p.accumulator_bits(plan.channels), result.acc),
        _row("word y after R2" if p.plain else "wavelet word y", p.wavelet_bits, result.y),
        _inverse_row(plan, result.y, result.indices),
        _unsigned_row("output (unsigned)", 8, result.out)
        if p.out_unsigned
        else _row("output", 8, result.out),
    )


def _coefficient_rows(plan: Plan, result: LayerResult) -> list[SignalWidth]:
    """One row a level, and one for the words on the common grid of the score; a plain layer has none."""
    p = plan.parameters
    assert result.coefficients is not None
    if p.plain:
        return []
    layout = result.coefficients.reshape(-1, plan.padded_height, plan.padded_width)
    bands = subbands(plan.padded_height, plan.padded_width, p.levels)
    rows = []
    for level in range(1, p.levels + 1):
        seen = [layout[(slice(None), *band.rectangle)] for band in bands if band.level == level]
        rows.append(_row(f"coefficient, level {level}", p.coefficient_bits(level), *seen))
    aligned = [
        layout[(slice(None), *band.rectangle)] << shift
        for band, shift in zip(bands, alignment_shifts(plan).tolist(), strict=True)
    ]
    return [*rows, _row("aligned coefficient", p.aligned_bits(), *aligned)]


def _score_rows(plan: Plan, result: LayerResult) -> list[SignalWidth]:
    """The score, where there is one."""
    p = plan.parameters
    if result.energy is None:
        return []
    return [_unsigned_row(f"score ({p.score}, unsigned)", p.score_bits(plan.channels), result.energy)]


def _unsigned_row(signal: str, required: int, part: npt.NDArray[Any]) -> SignalWidth:
    low, high = int(part.min()), int(part.max())
    return SignalWidth(signal, required, low, high, max(1, high.bit_length()))


def _row(signal: str, required: int, *parts: npt.NDArray[Any]) -> SignalWidth:
    low = min(int(part.min()) for part in parts)
    high = max(int(part.max()) for part in parts)
    return SignalWidth(signal, required, low, high, signed_bits(low, high))


def _inverse_row(plan: Plan, y: npt.NDArray[np.int32], indices: npt.NDArray[np.int64]) -> SignalWidth:
    """The words of every level of the inverse, computed again a few channels at a time."""
    p = plan.parameters
    seen: list[npt.NDArray[Any]] = []
    chunk = max(1, CHUNK_WORDS // plan.positions)
    for start in range(0, plan.out_channels, chunk):
        part = slice(start, start + chunk)
        words = np.zeros((len(y[part]), plan.positions), np.int32)
        words[:, indices] = y[part]
        layout = words.reshape(-1, plan.padded_height, plan.padded_width)
        bias = None if plan.bias is None else plan.bias[part]
        if p.plain:
            seen.append(inverse(layout, 0, bias=bias))
        for level in range(p.levels):
            # A_level is the inverse of the corner that holds the sub-bands above it.
            corner = layout[:, : plan.padded_height >> level, : plan.padded_width >> level]
            pixels = inverse(corner, p.levels - level, p.haar, bias)
            seen.append(np.array([pixels.min(), pixels.max()]))
    return _row("word before R3" if p.plain else "inverse word", p.inverse_bits(), *seen)
