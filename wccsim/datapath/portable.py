"""The portable fast path: plain loops that the compiler vectorises, fused strip by strip.

Three passes over the map. `_score_strips` adds up the joint score; no coefficient is written to memory.
`strips.select` finds the threshold. `_layer_strips` takes each strip through bitmap, gather, R1,
MAC array, R2, zero-fill, inverse and R3 while it stays in the second-level cache: q, acc and y never
reach memory. Each thread claims the next strip until none is left (`workers.py`).

Kernels trust their arguments; `wccsim.datapath.fused` checks, allocates and calls. Widths, with the
conditions that `portable_plan.covers` checks: coefficients int16 (b + 2L <= 16); everything requantised is
below 2**25 in magnitude and every shift is 12..41, so that `_requantise` holds in 32 bits.
"""

# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.datapath import fused
from wccsim.datapath.fused import Room
from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.datapath.portable_forward import I16, I32, I64, LOW_WORD, U, _forward_strip, _score_strips
from wccsim.datapath.portable_plan import covers, pairs_of_pixels, prepare, scratch_sizes
from wccsim.datapath.product import PANEL, ROWS, mac_tile, pack_weights
from wccsim.datapath.strips import BINS, PLAIN_SCANS, Strips, Threshold
from wccsim.datapath.workers import claim


@njit(cache=True, inline="always")
def _requantise(value, multiplier, shift, low, high):
    """clamp((value * M + 2**(s-1)) >> s) in 32 bits; `shift` is s - 11.

    With value = 2048 a + b, 0 <= b < 2048, the product is 2048 a M + b M. 2**(s-1) is a multiple of
    2048, so dropping the low 11 bits of b M first loses nothing: floors nest. For |value| <= 2**25 and
    12 <= s <= 41: |a M| <= 2**30, b M >> 11 < 2**16, 2**(s-12) <= 2**29; the sum stays below 2**31.
    The masks change no shift; they tell the compiler that 32-bit lanes are enough.
    """
    coarse = I32(I32(value >> I32(11)) * multiplier)
    fine = I32(I32(I32(value & I32(2047)) * multiplier) >> I32(11))
    half = I32(I32(1) << I32(I32(shift - I32(1)) & I32(31)))
    total = I32(I32(coarse + fine) + half)
    return min(max(I32(total >> I32(shift & I32(31))), low), high)


@njit(cache=True)
def _keep_strip(scores, strip, base, step, threshold, energy, kept, places):
    """Scores and flags of one strip in flat order; kept positions into `places`; returns how many."""
    low, high, last = threshold
    count = 0
    for i in range(base.size):
        flat = base[i] + strip * step[i]
        score = scores[U(strip), U(i)]
        keep = score >= high or (score >= low and flat <= last)
        kept[U(flat)] = keep
        energy[U(flat)] = score
        places[U(count)] = i
        count += keep
    return count


@njit(cache=True)
def _gather(words, places, count, out, start):
    for j in range(count):
        out[U(start + j)] = words[U(places[j])]


@njit(cache=True)
def _pack(pair, slots, count, shifts, multiplier, limit, panels, at, step):
    """R1 of a pair of channels: words of two int16, the even channel low, into every panel at `at`."""
    for first in range(0, count, PANEL):
        place = at + first // PANEL * step
        for j in range(PANEL):
            shift = shifts[U(first + j)]
            even = _requantise(I32(pair[U(first + j)]), multiplier, shift, I32(-limit), limit)
            odd = _requantise(I32(pair[U(slots + first + j)]), multiplier, shift, I32(-limit), limit)
            panels[U(place + j)] = I32(even & I32(0xFFFF)) | I32(odd << I32(16))


@njit(cache=True)
def _gather_strip(
    image,
    strip,
    levels,
    flip,
    offset,
    rows,
    places,
    count,
    shifts,
    multiplier,
    limit,
    words,
    lows,
    pair,
    panels,
):
    """Haar, gather and R1 of one strip: panels int32, [panel][pair of channels][PANEL], flat."""
    channels, slots = image.shape[0], pair.size // 2
    step = (channels + 1) // 2 * PANEL
    for c in range(channels):
        _forward_strip(image, c, strip, levels, flip, offset, rows, words, lows)
        _gather(words, places, count, pair, c % 2 * slots)
        if c + 1 == channels and c % 2 == 0:
            pair[slots:] = 0
        if c + 1 == channels or c % 2 == 1:
            _pack(pair, slots, count, shifts, multiplier, limit, panels, c // 2 * PANEL, step)


@njit(cache=True)
def _requantise_sums(sums, row, relief, first, multiplier, shift, limit, y, at):
    """R2 of one output channel over one panel; `relief`: the per-level shift of each position."""
    for j in range(PANEL):
        own = I32(shift - relief[U(first + j)])
        y[U(at + j)] = _requantise(sums[U(row * PANEL + j)], multiplier, own, I32(-limit), limit)


@njit(cache=True)
def _multiply_strip(panels, pairs, count, weights, relief, r2, limit, sums, y, slots):
    """MAC array and R2 of one strip: y int16, [Cout][slots], flat."""
    outs = r2.shape[0]
    for first in range(0, count, PANEL):
        for block in range(0, outs, ROWS):
            mac_tile(panels, first * pairs, weights, block * pairs, sums, pairs)
            for r in range(min(ROWS, outs - block)):
                o = block + r
                _requantise_sums(sums, r, relief, first, r2[o, 0], r2[o, 1], limit, y, o * slots + first)


@njit(cache=True)
def _inverse_next(lows, start, words, size, shift, pairs, begin):
    """Inverse butterflies; a word of `pairs` takes two approximations, the even one low."""
    for i in range(size):
        a = lows[U(start + i)]
        b = I32(I32(words[U(size + i)]) << I32(shift & I32(31)))
        c = I32(I32(words[U(2 * size + i)]) << I32(shift & I32(31)))
        d = I32(I32(words[U(3 * size + i)]) << I32(shift & I32(31)))
        sum_top, sum_bottom = I32(a + b), I32(c + d)
        difference_top, difference_bottom = I32(a - b), I32(c - d)
        even, odd = I32(sum_top + sum_bottom), I32(sum_top - sum_bottom)
        pairs[U(begin + i)] = (I64(even) & LOW_WORD) | (I64(odd) << I64(32))
        even, odd = I32(difference_top + difference_bottom), I32(difference_top - difference_bottom)
        pairs[U(begin + size + i)] = (I64(even) & LOW_WORD) | (I64(odd) << I64(32))


@njit(cache=True)
def _inverse_last(lows, words, size, up, multiplier, shift, low, high, pixels):
    """Butterflies of level 1 and R3; a word of `pixels` takes two, the even one low."""
    for i in range(size):
        a = lows[U(i)]
        b = I32(I32(words[U(size + i)]) << I32(up & I32(31)))
        c = I32(I32(words[U(2 * size + i)]) << I32(up & I32(31)))
        d = I32(I32(words[U(3 * size + i)]) << I32(up & I32(31)))
        sum_top, sum_bottom = I32(a + b), I32(c + d)
        difference_top, difference_bottom = I32(a - b), I32(c - d)
        p = _requantise(I32(sum_top + sum_bottom), multiplier, shift, low, high)
        q = _requantise(I32(sum_top - sum_bottom), multiplier, shift, low, high)
        r = _requantise(I32(difference_top + difference_bottom), multiplier, shift, low, high)
        s = _requantise(I32(difference_top - difference_bottom), multiplier, shift, low, high)
        pixels[U(i)] = I16(I32(p & I32(255)) | I32(q << I32(8)))
        pixels[U(size + i)] = I16(I32(r & I32(255)) | I32(s << I32(8)))


@njit(cache=True)
def _inverse_strip(words, levels, bias, multiplier, shift, low, high, lows, pairs, pixels):
    """Inverse, bias and R3 of one strip of one channel: pixels int16 [words/2], two a word.

    lows: int32 room for the approximations of levels 1, 2, ..., one after the other; each but the last starts
    at an even index, so that `pairs`, the same memory as int64, can take two at once. The even rows
    of the strip come first in `pixels`, in bit-reversed order, then the odd ones.
    """
    size = words.size >> (2 * levels)
    start = 0
    for level in range(1, levels):
        start += words.size >> (2 * level)
    for i in range(size):
        lows[U(start + i)] = I32(words[U(i)]) + bias
    for level in range(levels, 1, -1):
        begin = (start >> 1) - 2 * size
        _inverse_next(lows, start, words, size, I32(levels - level), pairs, begin)
        size <<= 2
        start -= size
    _inverse_last(lows, words, size, I32(levels - 1), multiplier, shift, low, high, pixels)


@njit(cache=True)
def _expand_strip(y, start, places, count, words):
    """Zero-fill: the kept words to their places, 0 elsewhere."""
    words[:] = 0
    for j in range(count):
        words[U(places[j])] = y[U(start + j)]


@njit(cache=True)
def _crop(pixels, strip, rows, width, out, channel):
    """The strip's rows and columns that lie inside the map, int8 [Cout, H, W]; pixels int8, flat."""
    for parity in range(2):
        for r in range(rows.size):
            at = (parity * rows.size + r) * width
            y = 2 * (strip * rows.size + rows[r]) + parity
            if y < out.shape[1]:
                for i in range(out.shape[2]):
                    out[U(channel), U(y), U(i)] = pixels[U(at + i)]


@njit(cache=True)
def _layer_strip(
    strip, image, scores, order, numbers, threshold, weights, r2, r3, bias, room, energy, kept, out
):
    """One strip from scores to pixels. The tuples are laid out in `_layer`."""
    base, step, rows, r1_shifts, reliefs = order
    levels, flip, offset, multiplier, q_limit, y_limit, low, high = numbers
    both, lows, places, shifts, relief, pair, panels, sums, y, approximations, pixels, _, _ = room
    words = both[0]
    count = _keep_strip(scores, strip, base, step, threshold, energy, kept, places)
    full = (count + PANEL - 1) // PANEL * PANEL
    places[count:full] = 0  # the last panel is filled up with a harmless position
    for j in range(full):
        shifts[j] = r1_shifts[U(places[j])]
        relief[j] = reliefs[U(places[j])]
    _gather_strip(
        image,
        strip,
        levels,
        flip,
        offset,
        rows,
        places,
        full,
        shifts,
        multiplier,
        q_limit,
        words,
        lows,
        pair,
        panels,
    )
    slots, pairs = places.size, (image.shape[0] + 1) // 2
    _multiply_strip(panels, pairs, full, weights, relief, r2, y_limit, sums, y, slots)
    as_pairs, as_bytes = approximations.view(np.int64), pixels.view(np.int8)
    for o in range(r2.shape[0]):
        _expand_strip(y, o * slots, places, count, words)
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


def _shapes(plan: Plan, strips: Strips) -> fused.Shapes:
    """The scratch arrays of one thread: dtype and shape, in the order `_layer_strip` takes them."""
    words, lows, slots = scratch_sizes(strips, PANEL)
    pairs, outs = (plan.channels + 1) // 2, plan.out_channels
    return {
        "words": (np.int16, (2, words)),
        "lows": (np.int16, (lows,)),
        "places": (np.int32, (slots,)),
        "shifts": (np.int32, (slots,)),
        "relief": (np.int32, (slots,)),
        "pair": (np.int16, (2 * slots,)),
        "panels": (np.int32, (slots * pairs,)),
        "sums": (np.int32, (ROWS * PANEL,)),
        "y": (np.int16, (outs * slots,)),
        "approximations": (np.int32, (lows,)),
        "pixels": (np.int16, (words // 2,)),
        "squares": (np.int32, (words,)),
        "bins": (np.int64, (BINS,)),
    }


def _score(room: Room, image: npt.NDArray[Any], thread: int, counter: npt.NDArray[np.int64]) -> None:
    f, own = room.prepared, {name: arrays[thread] for name, arrays in room.scratch.items()}
    _score_strips(
        counter, image, f.levels, f.flip, f.offset, f.order[2], f.batch, own["words"], own["lows"],
        own["squares"], room.scores, own["bins"],
    )  # fmt: skip


def _layer(
    room: Room,
    image: npt.NDArray[Any],
    thread: int,
    counter: npt.NDArray[np.int64],
    threshold: Threshold,
    arrays: Arrays,
) -> None:
    f = room.prepared
    numbers = f.levels, f.flip, f.offset, *f.r1, f.y_limit, f.low, f.high
    own = tuple(held[thread] for held in room.scratch.values())
    _layer_strips(
        counter, image, room.scores, f.order, numbers, (threshold.low, threshold.high, threshold.last),
        room.weights, f.r2, f.r3, f.bias, own, arrays.energy, arrays.kept, arrays.out.view(np.int8),
    )  # fmt: skip


KERNELS = fused.Kernels(
    "portable", prepare, _shapes, pack_weights, True, pairs_of_pixels, _score, _layer, PLAIN_SCANS
)
run = fused.runner(KERNELS)


__all__ = ["KERNELS", "covers", "run"]
