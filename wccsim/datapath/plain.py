"""The plain path: the stages one after the other, each in its own file, covering every option.

It is the readable reference among the fast paths; the others must equal it in every array.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.haar import forward, inverse
from wccsim.datapath.mac import multiply_accumulate
from wccsim.datapath.pad import crop, pad
from wccsim.datapath.plan import Plan
from wccsim.datapath.requant import requantise
from wccsim.datapath.score import score
from wccsim.datapath.select import select
from wccsim.datapath.subbands import subband_map, subbands
from wccsim.parameters import WccParameters

CHUNK_WORDS = 1 << 20  # output words worked on at once: bounds the memory, not the result


@dataclass(frozen=True, slots=True)
class Arrays:
    """What a path computes for one image; N padded positions, k kept ones.

    energy: int64 [N], None in a plain layer (levels 0), which scores nothing. kept: bool [N]. out: int8 or
    uint8 [Cout, H, W]. Where inner arrays were not asked for, the last four are None: coefficients int32
    [C, N], q int8 [C, k], acc and y int32 [Cout, k].
    """

    energy: npt.NDArray[np.int64] | None
    kept: npt.NDArray[np.bool_]
    out: npt.NDArray[Any]
    coefficients: npt.NDArray[np.int32] | None = None
    q: npt.NDArray[np.int8] | None = None
    acc: npt.NDArray[np.int32] | None = None
    y: npt.NDArray[np.int32] | None = None


def covers(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why this path cannot run `plan`; None: it can. It runs everything."""
    return None


def run(
    plan: Plan, x: npt.NDArray[Any], out: npt.NDArray[Any], inner: bool, workspace: object = None
) -> Arrays:
    """One image x [C, H, W] through `plan`; the output is written into `out` [Cout, H, W].

    `inner` asks for coefficients, q, acc and y. The workspace is for the paths that keep one.
    """
    p = plan.parameters
    layout = forward(pad(x, p.levels), p.levels, p.haar)
    coefficients = layout.reshape(plan.channels, plan.positions)
    energy, kept = shrink(plan, coefficients)
    indices = np.flatnonzero(kept)
    q = quantise_kept(plan, coefficients, indices)
    acc = multiply_accumulate(plan.weights, q)
    y = requantise_sums(plan, acc, indices)
    chunk = max(1, CHUNK_WORDS // plan.positions)
    for start in range(0, plan.out_channels, chunk):
        part = slice(start, start + chunk)
        out[part] = reconstruct(plan, y, indices, part)
    if not inner:
        return Arrays(energy, kept, out)
    return Arrays(energy, kept, out, coefficients, q, acc, y)


def shrink(
    plan: Plan, coefficients: npt.NDArray[np.int32]
) -> tuple[npt.NDArray[np.int64] | None, npt.NDArray[np.bool_]]:
    """(energy int64 [N], kept bool [N]) of coefficients [C, N]; a plain layer keeps all and scores none."""
    p = plan.parameters
    if p.plain:
        return None, np.ones(plan.positions, np.bool_)
    numbers = subband_map(plan.padded_height, plan.padded_width, p.levels)
    energy = score(coefficients, alignment_shifts(plan)[numbers], p.score)
    return energy, select(energy, plan.kept, p.mantissa_bits)


def alignment_shifts(plan: Plan) -> npt.NDArray[np.int64]:
    """int64 [subbands]: the shift onto the common grid of the score, per sub-band number."""
    return alignment_shift_table(plan.parameters, plan.padded_height, plan.padded_width)


def alignment_shift_table(p: WccParameters, height: int, width: int) -> npt.NDArray[np.int64]:
    """The same for a padded height x width map, before there is a plan."""
    return np.array([p.alignment_shift(b.level, b.band) for b in subbands(height, width, p.levels)], np.int64)


def quantise_kept(
    plan: Plan, coefficients: npt.NDArray[np.int32], indices: npt.NDArray[np.int64]
) -> npt.NDArray[np.int8]:
    """Gather and R1: q int8 [C, k], in increasing flat index."""
    p = plan.parameters
    bands = subbands(plan.padded_height, plan.padded_width, p.levels)
    numbers = subband_map(plan.padded_height, plan.padded_width, p.levels)[indices]
    shifts = plan.r1_shift[numbers]
    limits = np.array([(1 << (p.kept_bits(band.band) - 1)) - 1 for band in bands])[numbers]
    q = np.empty((plan.channels, len(indices)), np.int8)
    for channel in range(plan.channels):  # one at a time: the int64 product stays small
        gathered = coefficients[channel, indices]
        q[channel] = requantise(gathered, plan.r1.multiplier, shifts, -limits, limits, p.requantise_mode)
    return q


def requantise_sums(
    plan: Plan, acc: npt.NDArray[np.int32], indices: npt.NDArray[np.int64]
) -> npt.NDArray[np.int32]:
    """R2: wavelet words y int32 [Cout, k]."""
    p = plan.parameters
    limit = (1 << (p.wavelet_bits - 1)) - 1
    numbers = subband_map(plan.padded_height, plan.padded_width, p.levels)[indices]
    y = np.empty_like(acc)
    for channel in range(plan.out_channels):
        multiplier = plan.r2.multiplier[min(channel, len(plan.r2.multiplier) - 1)]
        shifts = plan.r2_shift[min(channel, len(plan.r2_shift) - 1)][numbers]
        y[channel] = requantise(acc[channel], multiplier, shifts, -limit, limit, p.requantise_mode)
    return y


def reconstruct(
    plan: Plan, y: npt.NDArray[np.int32], indices: npt.NDArray[np.int64], part: slice
) -> npt.NDArray[np.int64]:
    """Zero-fill, inverse with bias, R3 and crop of the output channels `part`: int64 [.., H, W]."""
    pixels = inverse_words(plan, y[part], indices, part)
    p = plan.parameters
    every = slice(None)
    chosen = part if len(plan.r3.multiplier) > 1 else every
    multiplier, shift = (a[chosen, None, None] for a in (plan.r3.multiplier, plan.r3.shift))
    cropped = crop(pixels, plan.height, plan.width)
    return requantise(cropped, multiplier, shift, *plan.out_range, p.requantise_mode)


def inverse_words(
    plan: Plan, y: npt.NDArray[np.int32], indices: npt.NDArray[np.int64], part: slice
) -> npt.NDArray[np.int32]:
    """Zero-fill and inverse of y, the words of the output channels `part`: int32 [.., HP, WP], before R3."""
    words = np.zeros((len(y), plan.positions), np.int32)
    words[:, indices] = y
    layout = words.reshape(-1, plan.padded_height, plan.padded_width)
    bias = None if plan.bias is None else plan.bias[part]
    return inverse(layout, plan.parameters.levels, plan.parameters.haar, bias)
