"""The portable fast path: plain loops that the compiler vectorises, fused strip by strip.

Three passes over the map. `_score_strips` adds up the joint score; no coefficient is written to memory.
`strips.select` finds the threshold. `_layer_strips` takes each strip through bitmap, gather, R1,
MAC array, R2, zero-fill, inverse and R3 while it stays in the second-level cache: q, acc and y never
reach memory. The strips are dealt to the threads in turn, which balances uneven pictures.

Kernels trust their arguments; `wccsim.datapath.fused` checks, allocates and calls. Widths, with the
conditions that `fused.why_not` checks: coefficients int16 (b + 2L <= 16); everything requantised is
below 2**25 in magnitude and every shift is 12..41, so that `_requantise` holds in 32 bits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit, prange

from wccsim.datapath import fused
from wccsim.datapath.fused import Fused, Workspace
from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.datapath.portable_forward import _forward_strip, _score_strips
from wccsim.datapath.product import PANEL, ROWS, mac_tile, pack_weights
from wccsim.datapath.strips import select

I16, I32, I64 = np.int16, np.int32, np.int64
LOW_WORD = I64(0xFFFFFFFF)


@njit(cache=True, inline="always")
def _requantise(value, multiplier, shift, low, high):
    """clamp((value * M + 2**(s-1)) >> s) in 32 bits; `shift` is s - 11.

    With value = 2048 a + b, 0 <= b < 2048, the product is 2048 a M + b M. 2**(s-1) is a multiple of
    2048, so dropping the low 11 bits of b M first loses nothing: floors nest. For |value| < 2**25 and
    12 <= s <= 41: |a M| <= 2**30, b M >> 11 < 2**16, 2**(s-12) <= 2**29; the sum stays below 2**31.
    """
    coarse = I32(I32(value >> I32(11)) * multiplier)
    fine = I32(I32(I32(value & I32(2047)) * multiplier) >> I32(11))
    total = I32(I32(coarse + fine) + I32(I32(1) << I32(shift - I32(1))))
    return min(max(I32(total >> shift), low), high)


@njit(cache=True)
def _keep_strip(scores, strip, base, step, threshold, energy, kept, places):
    """Scores and flags of one strip in flat order; kept positions into `places`; returns how many."""
    low, high, last = threshold
    count = 0
    for i in range(scores.size):
        flat = base[i] + strip * step[i]
        keep = scores[i] >= high or (scores[i] >= low and flat <= last)
        kept[flat] = keep
        energy[flat] = scores[i]
        places[count] = i
        count += keep
    return count


@njit(cache=True)
def _gather(words, places, out):
    for j in range(places.size):
        out[j] = words[places[j]]


@njit(cache=True)
def _pack_panel(even, odd, shifts, multiplier, limit, out):
    """R1 of two channels over one panel: words of two int16, the even channel low."""
    for j in range(PANEL):
        low = _requantise(I32(even[j]), multiplier, shifts[j], I32(-limit), limit)
        high = _requantise(I32(odd[j]), multiplier, shifts[j], I32(-limit), limit)
        out[j] = I32(low & I32(0xFFFF)) | I32(high << I32(16))


@njit(cache=True)
def _gather_strip(
    image, strip, levels, flip, offset, places, shifts, multiplier, limit, words, here, there, row, panels
):
    """Haar, gather and R1 of one strip: panels int32 [panel, pair of channels, PANEL]."""
    channels = image.shape[0]
    for c in range(0, channels, 2):
        for half in range(2):
            if c + half < channels:
                _forward_strip(image[c + half], strip, levels, flip, offset, words, here, there)
                _gather(words, places, row[half])
            else:
                row[half][: places.size] = 0
        for t in range(places.size // PANEL):
            j = t * PANEL
            _pack_panel(
                row[0, j : j + PANEL],
                row[1, j : j + PANEL],
                shifts[j : j + PANEL],
                multiplier,
                limit,
                panels[t, c >> 1],
            )


@njit(cache=True)
def _requantise_sums(sums, relief, multiplier, shift, limit, out):
    """R2 of one output channel over one panel; `relief`: the per-level shift of each position."""
    for j in range(PANEL):
        out[j] = _requantise(sums[j], multiplier, I32(shift - relief[j]), I32(-limit), limit)


@njit(cache=True)
def _multiply_strip(panels, count, weights, relief, r2, limit, sums, y):
    """MAC array and R2 of one strip: y int16 [Cout, kept positions]."""
    pairs = panels.shape[1]
    outs = r2.shape[0]
    for t in range(count):
        j = t * PANEL
        for block in range(weights.shape[0]):
            mac_tile(panels[t], weights[block], sums, pairs)
            for r in range(min(ROWS, outs - block * ROWS)):
                o = block * ROWS + r
                _requantise_sums(
                    sums[r], relief[j : j + PANEL], I32(r2[o, 0]), I32(r2[o, 1]), limit, y[o, j : j + PANEL]
                )


@njit(cache=True)
def _inverse_next(ll, lh, hl, hh, shift, top, bottom):
    """One row of inverse butterflies; a word of `top` takes two approximations, the even one low."""
    for i in range(ll.size):
        a = ll[i]
        b = I32(I32(lh[i]) << shift)
        c = I32(I32(hl[i]) << shift)
        d = I32(I32(hh[i]) << shift)
        sum_top, sum_bottom = I32(a + b), I32(c + d)
        difference_top, difference_bottom = I32(a - b), I32(c - d)
        top[i] = (I64(I32(sum_top + sum_bottom)) & LOW_WORD) | (I64(I32(sum_top - sum_bottom)) << I64(32))
        bottom[i] = (I64(I32(difference_top + difference_bottom)) & LOW_WORD) | (
            I64(I32(difference_top - difference_bottom)) << I64(32)
        )


@njit(cache=True)
def _inverse_last(ll, lh, hl, hh, up, multiplier, shift, low, high, top, bottom):
    """One row of level-1 butterflies and R3; a word of `top` takes two pixels, the even one low."""
    for i in range(ll.size):
        a = ll[i]
        b = I32(I32(lh[i]) << up)
        c = I32(I32(hl[i]) << up)
        d = I32(I32(hh[i]) << up)
        sum_top, sum_bottom = I32(a + b), I32(c + d)
        difference_top, difference_bottom = I32(a - b), I32(c - d)
        p = _requantise(I32(sum_top + sum_bottom), multiplier, shift, low, high)
        q = _requantise(I32(sum_top - sum_bottom), multiplier, shift, low, high)
        r = _requantise(I32(difference_top + difference_bottom), multiplier, shift, low, high)
        s = _requantise(I32(difference_top - difference_bottom), multiplier, shift, low, high)
        top[i] = I16(I32(p & I32(255)) | I32(q << I32(8)))
        bottom[i] = I16(I32(r & I32(255)) | I32(s << I32(8)))


@njit(cache=True)
def _inverse_strip(words, levels, width, bias, r3, low, high, here, there, pixels):
    """Inverse, bias and R3 of one strip of one channel: pixels int16 [2**L, WP/2], two a word."""
    columns = width >> levels
    for i in range(columns):
        here[i] = I32(words[i]) + bias
    for level in range(levels, 0, -1):
        rows = 1 << (levels - level)
        size = rows * columns
        up = I32(levels - level)
        pairs = there.view(np.int64)
        for r in range(rows):
            at = r * columns
            ll = here[at : at + columns]
            lh = words[size + at : size + at + columns]
            hl = words[2 * size + at : 2 * size + at + columns]
            hh = words[3 * size + at : 3 * size + at + columns]
            if level > 1:
                top = pairs[2 * at : 2 * at + columns]
                _inverse_next(ll, lh, hl, hh, up, top, pairs[2 * at + columns : 2 * (at + columns)])
            else:
                _inverse_last(ll, lh, hl, hh, up, r3[0], r3[1], low, high, pixels[2 * r], pixels[2 * r + 1])
        here, there = there, here
        columns <<= 1


@njit(cache=True)
def _expand_strip(y, places, count, words):
    """Zero-fill: the kept words to their places, 0 elsewhere."""
    words[:] = 0
    for j in range(count):
        words[places[j]] = y[j]


@njit(cache=True)
def _crop(pixels, strip, out):
    """The strip's rows and columns that lie inside the map, int8 [H, W]."""
    first = strip * pixels.shape[0]
    for r in range(min(pixels.shape[0], out.shape[0] - first)):
        out[first + r] = pixels[r, : out.shape[1]]


@njit(cache=True)
def _layer_strip(
    strip, image, scores, order, numbers, threshold, weights, r2, r3, bias, room, energy, kept, out
):
    """One strip from scores to pixels. The tuples are laid out in `fused.py`."""
    base, step, r1_shifts, reliefs = order
    levels, flip, offset, multiplier, q_limit, y_limit, low, high = numbers
    words, here, there, places, shifts, relief, row, panels, sums, y, coarse, fine, pixels = room
    count = _keep_strip(scores, strip, base, step, threshold, energy, kept, places)
    full = (count + PANEL - 1) // PANEL * PANEL
    places[count:full] = 0  # the last panel is filled up with a harmless position
    for j in range(full):
        shifts[j] = r1_shifts[places[j]]
        relief[j] = reliefs[places[j]]
    _gather_strip(
        image,
        strip,
        levels,
        flip,
        offset,
        places[:full],
        shifts,
        multiplier,
        q_limit,
        words,
        here,
        there,
        row,
        panels,
    )
    _multiply_strip(panels, full // PANEL, weights, relief, r2, y_limit, sums, y)
    for o in range(r2.shape[0]):
        _expand_strip(y[o], places, count, words)
        _inverse_strip(words, levels, 2 * image.shape[2], bias[o], r3[o], low, high, coarse, fine, pixels)
        _crop(pixels.view(np.int8), strip, out[o])


@njit(cache=True, parallel=True)
def _layer_strips(image, scores, order, numbers, threshold, weights, r2, r3, bias, room, energy, kept, out):
    """All strips: energy and kept (bool) in flat order, and out int8 [Cout, H, W]."""
    threads = room[0].shape[0]
    for t in prange(threads):
        own = (
            room[0][t],
            room[1][t],
            room[2][t],
            room[3][t],
            room[4][t],
            room[5][t],
            room[6][t],
            room[7][t],
            room[8][t],
            room[9][t],
            room[10][t],
            room[11][t],
            room[12][t],
        )
        for s in range(t, scores.shape[0], threads):
            _layer_strip(
                s, image, scores[s], order, numbers, threshold, weights, r2, r3, bias, own, energy, kept, out
            )


def covers(plan: Plan, inner: bool) -> str | None:
    """Why this path cannot run `plan`; None: it can."""
    return fused.why_not(plan, inner)


def workspace(plan: Plan, unsigned: bool, threads: int) -> Workspace:
    """Scratch arrays of `threads` threads for `plan`, to be handed to `run` again and again."""
    scratch = fused.scratch_sizes(plan, PANEL)
    pairs, outs = (plan.channels + 1) // 2, plan.out_channels
    words, quarter, slots = scratch
    shapes: list[tuple[Any, tuple[int, ...]]] = [
        (np.int16, (words,)),
        (np.int16, (quarter,)),
        (np.int16, (quarter,)),
        (np.int32, (slots,)),
        (np.int32, (slots,)),
        (np.int32, (slots,)),
        (np.int16, (2, slots)),
        (np.int32, (slots // PANEL, pairs, PANEL)),
        (np.int32, (ROWS, PANEL)),
        (np.int16, (outs, slots)),
        (np.int32, (quarter,)),
        (np.int32, (quarter,)),
        (np.int16, (1 << plan.parameters.levels, plan.padded_width // 2)),
    ]
    return Workspace.of(plan, unsigned, threads, shapes, pack_weights(plan.weights))


def run(
    plan: Plan, x: npt.NDArray[Any], out: npt.NDArray[Any], inner: bool, room: Workspace | None = None
) -> Arrays:
    """One image x [C, H, W] through `plan` into `out` [Cout, H, W]; `room` is reused where given."""
    room = room or workspace(plan, x.dtype == np.uint8, fused.thread_count())
    f: Fused = room.fused
    image = fused.pairs_of_pixels(plan, x)
    here, there = room.scratch[1], room.scratch[2]
    with fused.threads(room.threads):
        _score_strips(
            image,
            f.levels,
            f.flip,
            f.offset,
            f.batch,
            room.scratch[0],
            here,
            there,
            room.squares,
            room.scores,
        )
        chosen = select(room.scores, plan.kept, plan.parameters.mantissa_bits, f.strips, room.threads)
        kept = np.empty(plan.positions, np.bool_)
        energy = np.empty(plan.positions, np.int64)
        numbers = (f.levels, f.flip, f.offset, *f.r1, f.y_limit, f.low, f.high)
        threshold = (chosen.low, chosen.high, chosen.last)
        _layer_strips(
            image,
            room.scores,
            f.order,
            numbers,
            threshold,
            room.weights,
            f.r2,
            f.r3,
            f.bias,
            room.scratch,
            energy,
            kept,
            out.view(np.int8),
        )
    return Arrays(energy, kept, out)
