# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
"""Each stage of the portable path alone, on one thread: what it takes, moves and computes."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numba import njit

from wccsim.bench.inputs import Job
from wccsim.datapath import portable, portable_plan
from wccsim.datapath.fused import Workspace
from wccsim.datapath.portable import _expand_strip, _gather_strip, _inverse_strip, _keep_strip
from wccsim.datapath.portable_forward import _score_strips
from wccsim.datapath.product import PANEL
from wccsim.datapath.strips import select


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage over a whole layer. ops: what the stage is for, in its own unit `kind`."""

    name: str
    seconds: float
    bytes: int
    ops: int
    kind: str


@njit(cache=True)
def _places_of_strips(scores, base, step, threshold, energy, kept, places, counts):
    for s in range(scores.shape[0]):
        counts[s] = _keep_strip(scores, s, base, step, threshold, energy, kept, places[s])


@njit(cache=True)
def _gather_strips(image, levels, flip, offset, rows, places, counts, shifts, r1, words, lows, pair, panels):
    for s in range(counts.size):
        full = (counts[s] + PANEL - 1) // PANEL * PANEL
        for j in range(counts[s], full):
            places[s, j] = 0
        _gather_strip(
            image,
            s,
            levels,
            flip,
            offset,
            rows,
            places[s],
            full,
            shifts,
            r1[0],
            r1[1],
            words,
            lows,
            pair,
            panels,
        )


@njit(cache=True)
def _multiply_strips(panels, pairs, counts, weights, relief, r2, limit, sums, y, slots):
    for s in range(counts.size):
        full = (counts[s] + PANEL - 1) // PANEL * PANEL
        portable._multiply_strip(panels, pairs, full, weights, relief, r2, limit, sums, y, slots)


@njit(cache=True)
def _inverse_strips(
    y, slots, places, counts, words, levels, bias, r3, low, high, lows, pixels, rows, width, out
):
    pairs, as_bytes = lows.view(np.int64), pixels.view(np.int8)
    for s in range(counts.size):
        for o in range(r3.shape[0]):
            _expand_strip(y, o * slots, places[s], counts[s], words)
            _inverse_strip(words, levels, bias[o], r3[o, 0], r3[o, 1], low, high, lows, pairs, pixels)
            portable._crop(as_bytes, s, rows, width, out, o)


def _best(call: Callable[[], object], repeats: int) -> float:
    call()
    taken = []
    for _ in range(repeats):
        start = time.perf_counter()
        call()
        taken.append(time.perf_counter() - start)
    return min(taken)


def stage_costs(one: Job, repeats: int = 3) -> list[StageCost]:
    """The stages of a layer that the portable path covers, each run alone over all strips."""
    plan = one.plan
    room = Workspace(threads=1).room(plan, False, portable.KERNELS)
    f, scratch = room.prepared, {name: arrays[0] for name, arrays in room.scratch.items()}
    image = portable_plan.pairs_of_pixels(one.x, room)
    base, step, rows, r1_shifts, _ = f.order
    out = np.empty((plan.out_channels, plan.height, plan.width), np.int8)
    slots, pairs = len(scratch["places"]), (plan.channels + 1) // 2
    places, counts = np.empty((room.strips.count, slots), np.int32), np.empty(room.strips.count, np.int64)
    energy, kept = np.empty(plan.positions, np.int64), np.empty(plan.positions, np.bool_)
    scratch["shifts"][:] = r1_shifts[0]
    scratch["relief"][:] = 0
    words, lows, n, c, o = (
        scratch["words"][0],
        scratch["lows"],
        plan.positions,
        plan.channels,
        plan.out_channels,
    )

    def score() -> object:
        return _score_strips(
            np.zeros(1, np.int64), image, f.levels, f.flip, f.offset, rows, f.batch, scratch["words"], lows,
            scratch["squares"], room.scores, scratch["bins"],
        )  # fmt: skip

    def choose() -> object:
        t = select(room.scores, scratch["bins"], plan.kept, plan.parameters.mantissa_bits, room.strips)
        return _places_of_strips(
            room.scores, base, step, (t.low, t.high, t.last), energy, kept, places, counts
        )

    def gather() -> object:
        return _gather_strips(
            image, f.levels, f.flip, f.offset, rows, places, counts, scratch["shifts"], f.r1, words, lows,
            scratch["pair"], scratch["panels"],
        )  # fmt: skip

    def multiply() -> object:
        return _multiply_strips(
            scratch["panels"], pairs, counts, room.weights, scratch["relief"], f.r2, f.y_limit,
            scratch["sums"], scratch["y"], slots,
        )  # fmt: skip

    def inverse() -> object:
        return _inverse_strips(
            scratch["y"], slots, places, counts, words, f.levels, f.bias, f.r3, f.low, f.high,
            scratch["approximations"], scratch["pixels"], rows, plan.padded_width, out,
        )  # fmt: skip

    return [
        StageCost("Haar + score", _best(score, repeats), c * n, c * n, "squares"),
        StageCost("selection + bitmap", _best(choose, repeats), n * (8 + 8 + 8 + 8 + 1), n, "positions"),
        StageCost("Haar + gather + R1", _best(gather, repeats), c * n, c * n, "coefficients"),
        StageCost("MAC + R2", _best(multiply, repeats), 2 * c * plan.kept, c * o * plan.kept, "MACs"),
        StageCost("zero-fill + inverse + R3", _best(inverse, repeats), o * n, o * n, "pixels"),
    ]
