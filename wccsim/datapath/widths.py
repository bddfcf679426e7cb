"""Each signal's width: what the formulas require, and the widest value a run has shown (docs/datapath.md)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.haar import inverse
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


def widths(
    plan: Plan,
    x: npt.NDArray[Any],
    coefficients: npt.NDArray[np.int32],
    energy: npt.NDArray[np.int64],
    indices: npt.NDArray[np.int64],
    q: npt.NDArray[np.int8],
    acc: npt.NDArray[np.int32],
    y: npt.NDArray[np.int32],
    out: npt.NDArray[Any],
) -> tuple[SignalWidth, ...]:
    """The table of one image's run; arrays as in `LayerResult`."""
    p = plan.parameters
    layout = coefficients.reshape(-1, plan.padded_height, plan.padded_width)
    bands = subbands(plan.padded_height, plan.padded_width, p.levels)
    rows = [_row("input x", p.in_bits, x)]
    for level in range(1, p.levels + 1):
        seen = [layout[(slice(None), *band.rectangle)] for band in bands if band.level == level]
        rows.append(_row(f"coefficient, level {level}", p.coefficient_bits(level), *seen))
    aligned = [
        layout[(slice(None), *band.rectangle)] << shift
        for band, shift in zip(bands, alignment_shifts(plan).tolist(), strict=True)
    ]
    rows.append(_row("aligned coefficient", p.aligned_bits(), *aligned))
    score = int(energy.max())
    rows.append(
        SignalWidth(
            f"score ({p.score}, unsigned)",
            p.score_bits(plan.channels),
            int(energy.min()),
            score,
            max(1, score.bit_length()),
        )
    )
    rows.append(_row("kept coefficient q", p.act_bits, q))
    rows.append(_row("accumulator", p.accumulator_bits(plan.channels), acc))
    rows.append(_row("wavelet word y", p.wavelet_bits, y))
    rows.append(_inverse_row(plan, y, indices))
    unsigned = p.out_unsigned
    last = _row("output", p.out_format().bits + unsigned, out)
    if unsigned:
        last = SignalWidth("output (unsigned)", 8, last.lowest, last.highest, max(1, last.seen_bits - 1))
    return (*rows, last)


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
        for level in range(p.levels):
            # A_level is the inverse of the corner that holds the sub-bands above it.
            corner = layout[:, : plan.padded_height >> level, : plan.padded_width >> level]
            pixels = inverse(corner, p.levels - level, p.haar, bias)
            seen.append(np.array([pixels.min(), pixels.max()]))
    return _row("inverse word", p.inverse_bits(), *seen)
