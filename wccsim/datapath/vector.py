# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The vector path: the portable path with its three scalar or half-width steps as AVX-512 instructions.

What differs from `portable.py`: the kept words of a strip are found by a bit mask, 32 positions a word, and
not by a list. Gather and zero-fill move 32 words by one instruction under that mask (`vector_ir.compress`,
`expand`); where a block's kept words go is the number of bits set before it, counted once a strip for all
channels. The MAC array takes four channels at a time, q + 128 as an unsigned byte beside the signed
weight, and starts each sum at -128 times the weights' sum (`vector_ir.dot_tile`). Haar, score, selection,
requantisers and inverse are the portable ones, and so are their proofs.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.datapath import fused, vector_ir
from wccsim.datapath.fused import Workspace
from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.datapath.portable import _crop, _inverse_strip, _requantise
from wccsim.datapath.portable_forward import I32, I64, U, _forward_strip
from wccsim.datapath.strips import BINS
from wccsim.datapath.vector_ir import BLOCK, PANEL, ROWS, compress, dot_tile, expand
from wccsim.datapath.workers import claim

SIGNS = I32(np.int64(0x80808080) - (1 << 32))  # q + 128 in each byte is q with its top bit changed


@njit(cache=True)
def _mark_strip(scores, strip, order, threshold, energy, kept, masks, before, shifts, relief):
    """Scores and flags of one strip in flat order; masks and kept words before each block; how many."""
    base, step, _, r1_shifts, reliefs = order
    low, high, last = threshold
    count = 0
    for block in range(base.size // BLOCK):
        before[block] = count
        mask = I64(0)
        for bit in range(BLOCK):
            i = block * BLOCK + bit
            flat = base[U(i)] + strip * step[U(i)]
            score = scores[U(strip), U(i)]
            keep = score >= high or (score >= low and flat <= last)
            kept[U(flat)] = keep
            energy[U(flat)] = score
            shifts[U(count)] = r1_shifts[U(i)]
            relief[U(count)] = reliefs[U(i)]
            mask |= I64(keep) << I64(bit)
            count += keep
        masks[block] = I32(mask)
    return count


@njit(cache=True)
def _pack(four, slots, count, shifts, multiplier, limit, panels, at, step):
    """R1 of four channels: words of four bytes q + 128, the first channel low, into every panel at `at`."""
    for first in range(0, count, PANEL):
        place = at + first // PANEL * step
        for j in range(PANEL):
            shift = shifts[U(first + j)]
            a = _requantise(I32(four[U(first + j)]), multiplier, shift, I32(-limit), limit)
            b = _requantise(I32(four[U(slots + first + j)]), multiplier, shift, I32(-limit), limit)
            c = _requantise(I32(four[U(2 * slots + first + j)]), multiplier, shift, I32(-limit), limit)
            d = _requantise(I32(four[U(3 * slots + first + j)]), multiplier, shift, I32(-limit), limit)
            low = I32(a & I32(0xFF)) | I32(I32(b & I32(0xFF)) << I32(8))
            high = I32(I32(c & I32(0xFF)) << I32(16)) | I32(d << I32(24))
            panels[U(place + j)] = I32(I32(low | high) ^ SIGNS)


@njit(cache=True)
def _gather_strip(image, strip, numbers, rows, masks, before, count, shifts, words, lows, four, panels):
    """Haar, gather and R1 of one strip: panels int32, [panel][four channels][PANEL], flat."""
    levels, flip, offset, multiplier, limit = numbers[:5]
    channels, slots = image.shape[0], four.size // 4
    step = (channels + 3) // 4 * PANEL
    for c in range(channels):
        _forward_strip(image, c, strip, levels, flip, offset, rows, words, lows)
        start = c % 4 * slots
        for block in range(words.size // BLOCK):
            compress(words, block * BLOCK, masks[block], four, start + before[block])
        if c + 1 == channels:
            four[start + slots :] = 0
        if c + 1 == channels or c % 4 == 3:
            _pack(four, slots, count, shifts, multiplier, limit, panels, c // 4 * PANEL, step)


@njit(cache=True)
def _requantise_sums(sums, row, relief, first, multiplier, shift, limit, y, at):
    """R2 of one output channel over one panel; `relief`: the per-level shift of each position."""
    for j in range(PANEL):
        own = I32(shift - relief[U(first + j)])
        y[U(at + j)] = _requantise(sums[U(row * PANEL + j)], multiplier, own, I32(-limit), limit)


@njit(cache=True)
def _multiply_strip(panels, fours, count, weights, relief, r2, limit, sums, y, slots):
    """MAC array and R2 of one strip: y int16, [Cout][slots], flat."""
    outs = r2.shape[0]
    for first in range(0, count, PANEL):
        for block in range(0, outs, ROWS):
            dot_tile(panels, first * fours, weights, block * (fours + 1), sums, fours)
            for r in range(min(ROWS, outs - block)):
                o = block + r
                _requantise_sums(sums, r, relief, first, r2[o, 0], r2[o, 1], limit, y, o * slots + first)


@njit(cache=True)
def _layer_strip(
    strip, image, scores, order, numbers, threshold, weights, r2, r3, bias, room, energy, kept, out
):
    """One strip from scores to pixels. The tuples are laid out in `fused.execute`."""
    rows = order[2]
    levels, y_limit, low, high = numbers[0], numbers[5], numbers[6], numbers[7]
    both, lows, masks, before, shifts, relief, four, panels, sums, y, approximations, pixels, _, _ = room
    words = both[0]
    count = _mark_strip(scores, strip, order, threshold, energy, kept, masks, before, shifts, relief)
    full = (count + PANEL - 1) // PANEL * PANEL
    shifts[count:full] = order[3][0]  # the last panel is filled up: any legal shift will do
    relief[count:full] = order[4][0]
    _gather_strip(image, strip, numbers, rows, masks, before, full, shifts, words, lows, four, panels)
    slots, fours = full, (image.shape[0] + 3) // 4
    _multiply_strip(panels, fours, full, weights, relief, r2, y_limit, sums, y, slots)
    as_pairs, as_bytes = approximations.view(np.int64), pixels.view(np.int8)
    for o in range(r2.shape[0]):
        for block in range(words.size // BLOCK):
            expand(y, o * slots + before[block], masks[block], words, block * BLOCK)
        _inverse_strip(
            words, levels, bias[o], r3[o, 0], r3[o, 1], low, high, approximations, as_pairs, pixels
        )
        _crop(as_bytes, strip, rows, 2 * image.shape[2], out, o)


@njit(cache=True, nogil=True)
def _layer_strips(
    counter, image, scores, order, numbers, threshold, weights, r2, r3, bias, room, energy, kept, out
):
    """The strips claimed: energy and kept (bool) in flat order, and out int8 [Cout, H, W]."""
    s = claim(counter)
    while s < scores.shape[0]:
        _layer_strip(
            s, image, scores, order, numbers, threshold, weights, r2, r3, bias, room, energy, kept, out
        )
        s = claim(counter)


def covers(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why this path cannot run `plan` on signed or unsigned maps; None: it can."""
    words = plan.padded_width << plan.parameters.levels
    narrow = f"a strip of {words} words is not a multiple of {BLOCK}" if words % BLOCK else None
    return vector_ir.missing() or fused.why_not(plan, inner, unsigned) or narrow


def _shapes(plan: Plan) -> fused.Shapes:
    """The scratch arrays of one thread: dtype and shape, in the order `_layer_strip` takes them.

    Where a block is written behind the last kept word, or read there, BLOCK words of room are left.
    """
    words, lows, slots = fused.scratch_sizes(plan, PANEL)
    fours, outs = (plan.channels + 3) // 4, plan.out_channels
    return {
        "words": (np.int16, (2, words)),
        "lows": (np.int16, (lows,)),
        "masks": (np.int32, (words // BLOCK,)),
        "before": (np.int64, (words // BLOCK,)),
        "shifts": (np.int32, (slots + 1,)),
        "relief": (np.int32, (slots + 1,)),
        "four": (np.int16, (4 * (slots + BLOCK),)),
        "panels": (np.int32, (slots * fours,)),
        "sums": (np.int32, (ROWS * PANEL,)),
        "y": (np.int16, (outs * slots + BLOCK,)),
        "approximations": (np.int32, (lows,)),
        "pixels": (np.int16, (words // 2,)),
        "squares": (np.int32, (words,)),
        "bins": (np.int64, (BINS,)),
    }


KERNELS = fused.Kernels("vector", _shapes, vector_ir.pack_weights, _layer_strips)


def run(
    plan: Plan,
    x: npt.NDArray[Any],
    out: npt.NDArray[Any],
    inner: bool,
    workspace: Workspace | None = None,
) -> Arrays:
    """One image x [C, H, W] through `plan` into `out` [Cout, H, W]; `workspace` is reused where given."""
    return fused.execute(KERNELS, plan, x, out, workspace)
