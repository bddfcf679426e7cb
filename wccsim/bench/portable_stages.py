"""The stages of the portable path as probes; selection and bitmap are one stage here."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.bench import portable_loops as loops
from wccsim.bench.inputs import Job
from wccsim.bench.probes import Call, Far, Move, Part, Probe, claimed, repeated
from wccsim.datapath import portable, portable_plan
from wccsim.datapath.fused import Room, Workspace, aligned
from wccsim.datapath.product import PANEL, ROWS
from wccsim.datapath.strips import Threshold, select


@dataclass(frozen=True, slots=True)
class Bench:
    """A layer with everything that its stages need, and what they leave for each other.

    image: the map as words of two pixels; strip_image: its first strip alone. places, counts:
    `portable_loops.places_of`.
    """

    one: Job
    room: Room
    image: npt.NDArray[np.int16]
    strip_image: npt.NDArray[np.int16]
    bins: npt.NDArray[np.int64]
    threshold: Threshold
    energy: npt.NDArray[np.int64]
    kept: npt.NDArray[np.bool_]
    places: npt.NDArray[np.int32]
    counts: npt.NDArray[np.int64]

    def own(self, name: str, thread: int) -> Any:
        """A scratch array of a thread."""
        return self.room.scratch[name][thread]

    def call(self, loop: Callable[..., object], arguments: Callable[[int], tuple[Any, ...]]) -> Call:
        """loop(counter, claims, *arguments(thread)) over all strips on all threads."""
        return claimed(self.room.threads, self.room.strips.count, loop, arguments)

    def owns(self, *names: str) -> list[tuple[Any, ...]]:
        """Scratch arrays of every thread."""
        return [tuple(self.own(name, thread) for name in names) for thread in range(self.room.threads)]

    @property
    def padded_kept(self) -> int:
        """Kept positions with those that fill up panels."""
        return int((-(-self.counts // PANEL)).sum()) * PANEL


def bench_of(one: Job, threads: int) -> Bench:
    """Run the score once and lay out what the later stages need."""
    plan = one.plan
    room = Workspace(threads).room(plan, False, portable.KERNELS)
    image = portable_plan.pairs_of_pixels(one.x, room)
    for bins in room.scratch["bins"]:
        bins[:] = 0
    portable.KERNELS.score(room, image, 0, np.zeros(1, np.int64))
    bins = room.scratch["bins"][0].copy()
    threshold = select(room.scores, bins, plan.kept, plan.parameters.mantissa_bits, room.strips)
    places = np.empty((room.strips.count, len(room.scratch["places"][0])), np.int32)
    counts = np.empty(room.strips.count, np.int64)
    energy, kept = np.empty(plan.positions, np.int64), np.empty(plan.positions, np.bool_)
    base, step = room.prepared.order[:2]
    numbers = threshold.low, threshold.high, threshold.last
    loops.places_of(room.scores, base, step, numbers, energy, kept, places, counts)
    for relief in room.scratch["relief"]:
        relief[:] = 0
    strip = np.ascontiguousarray(image[:, : room.strips.rows])
    return Bench(one, room, image, strip, bins, threshold, energy, kept, places, counts)


def probes(one: Job, threads: int = 1) -> list[Probe]:
    """The stages of a layer that the portable path covers, in the order in which they run."""
    b = bench_of(one, threads)
    return [_score(b), _selection(b), _gather(b), _product(b), _inverse(b)]


def _rows_text(b: Bench) -> str:
    return f"rows of {b.one.plan.width} pixels"


def _score(b: Bench) -> Probe:
    plan, room, f = b.one.plan, b.room, b.room.prepared
    channels, strips, own = plan.channels, room.strips.count, b.owns("words", "lows", "squares")
    bins, head = room.scratch["bins"], (f.levels, f.flip, f.offset, f.order[2])
    strip_scores = [np.zeros((1, room.strips.words), np.int64) for _ in range(room.threads)]
    whole = b.call(loops.score, lambda t: (strips, 1, b.image, *head, f.batch, *own[t], room.scores, bins[t]))
    cached = b.call(
        loops.score, lambda t: (strips, 0, b.strip_image, *head, f.batch, *own[t], strip_scores[t], bins[t])
    )
    pairs = b.call(loops.squares_of_pairs, lambda t: (b.strip_image, channels, *head, *own[t]))
    flush = b.call(loops.flushes, lambda t: (channels, f.levels, f.batch, own[t][2], strip_scores[t]))
    histogram = b.call(loops.histogram, lambda t: (strips, room.scores, bins[t]))
    often = min(channels, int(f.batch[f.levels]))
    return Probe(
        "Haar + score",
        "portable",
        "squares",
        channels * plan.positions,
        (Move(b.one.x.nbytes, b.one.x.nbytes), Move(8 * plan.positions, 8 * plan.positions, writes=True)),
        whole,
        pairs,
        _rows_text(b),
        Far("the map and the scores beyond the second-level cache", whole, cached),
        (
            Part(
                f"the flush of the sums to 64-bit scores, of the last level once for {often} channels", flush
            ),
            Part(f"the histogram of the scores, once for {channels} channels", histogram),
        ),
    )


def _selection(b: Bench) -> Probe:
    plan, room, n = b.one.plan, b.room, b.one.plan.positions
    numbers = b.threshold.low, b.threshold.high, b.threshold.last
    tail = (*room.prepared.order[:2], numbers, b.energy, b.kept)

    def marks(step: int) -> Call:
        return b.call(
            loops.marks, lambda t: (room.strips.count, step, room.scores, *tail, b.own("places", t))
        )

    def find() -> object:
        return select(room.scores, b.bins, plan.kept, plan.parameters.mantissa_bits, room.strips)

    mark, near, finding = marks(1), marks(0), repeated(find)

    def both(times: int) -> None:
        finding(times)
        mark(times)

    return Probe(
        "selection + bitmap",
        "portable",
        "positions",
        n,
        (Move(16 * n, 16 * n), Move(9 * n, 9 * n, writes=True)),
        both,
        near,
        _rows_text(b),
        Far("scores and marks beyond the second-level cache", mark, near),
        (Part("the search for the threshold", finding),),
    )


def _gather(b: Bench) -> Probe:
    plan, room, f = b.one.plan, b.room, b.room.prepared
    channels, share = plan.channels, f"{plan.kept / plan.positions:.0%} of the words"
    head, own = (f.levels, f.flip, f.offset, f.order[2]), b.owns("shifts", "words", "lows", "pair", "panels")

    def stage(step: int) -> Call:
        image, kept = b.image if step else b.strip_image, (b.places, b.counts, f.r1, f.order[3])
        return b.call(loops.gather, lambda t: (step, image, *head, *kept, *own[t]))

    transforms = b.call(loops.transforms, lambda t: (b.strip_image, channels, *head, *own[t][1:3]))
    words = b.call(loops.gathered, lambda t: (channels, b.places, b.counts, own[t][1], own[t][3]))
    slots = b.places.shape[1]
    r1 = b.call(
        loops.requantised, lambda t: (channels, b.counts, own[t][3], slots, own[t][0], f.r1, own[t][4])
    )
    panels = 4 * -(-channels // 2) * b.padded_kept
    whole = stage(1)
    return Probe(
        "Haar + gather + R1",
        "portable",
        "coefficients",
        channels * plan.positions,
        (Move(b.one.x.nbytes, b.one.x.nbytes), Move(panels, panels // room.strips.count, writes=True)),
        whole,
        transforms,
        _rows_text(b),
        Far("the map beyond the second-level cache", whole, stage(0)),
        (Part(f"the gather of {share}", words), Part(f"R1 of {share}", r1)),
    )


def _product(b: Bench) -> Probe:
    plan, room, f = b.one.plan, b.room, b.room.prepared
    channels, outs, slots = plan.channels, plan.out_channels, b.places.shape[1]
    pairs, blocks, own = -(-channels // 2), -(-outs // ROWS), b.owns("panels", "relief", "sums", "y")

    def products(t: int) -> tuple[Any, ...]:
        panels, relief, sums, y = own[t]
        return b.counts, panels, pairs, room.weights, relief, f.r2, f.y_limit, sums, y, slots

    tiles = b.call(loops.sums_of_tiles, lambda t: (b.counts, outs, own[t][0], pairs, room.weights, own[t][2]))
    r2 = b.call(loops.words_of_sums, lambda t: (b.counts, own[t][1], f.r2, f.y_limit, *own[t][2:]))
    empty = 1 - outs * plan.kept * channels / (blocks * ROWS * b.padded_kept * 2 * pairs)
    panels, y = 4 * pairs * b.padded_kept, 2 * outs * b.padded_kept
    area = panels // room.strips.count + room.weights.nbytes
    return Probe(
        "MAC + R2",
        "portable",
        "MACs",
        channels * outs * plan.kept,
        (
            Move(blocks * panels + b.padded_kept // PANEL * room.weights.nbytes, area),
            Move(y, y // room.strips.count, writes=True),
        ),
        b.call(loops.products, products),
        tiles,
        f"tiles of {ROWS} outputs x {PANEL} positions x 2 channels, {empty:.0%} of them empty",
        None,
        (Part(f"R2, once for {channels} products", r2),),
    )


def _inverse(b: Bench) -> Probe:
    plan, room, f = b.one.plan, b.room, b.room.prepared
    outs, slots, rows, width = plan.out_channels, b.places.shape[1], f.order[2], plan.padded_width
    out = aligned(np.int8, (outs, plan.height, plan.width))
    strip_out = aligned(np.int8, (outs, min(plan.height, room.strips.rows), plan.width))
    head, own = (f.levels, f.bias, f.r3, f.low, f.high), b.owns("words", "approximations", "pixels")
    kept = (slots, b.places, b.counts)

    def stage(step: int) -> Call:
        target = out if step else strip_out
        return b.call(
            loops.pixels,
            lambda t: (step, b.own("y", t), *kept, own[t][0], *head, *own[t][1:], rows, width, target),
        )

    kernel = b.call(loops.inverted, lambda t: (own[t][0], *head, *own[t][1:]))
    zero_fill = b.call(loops.expanded, lambda t: (b.own("y", t), *kept, outs, own[t][0]))
    crop = b.call(loops.cropped, lambda t: (outs, own[t][2], rows, width, strip_out))
    y, whole = 2 * outs * b.padded_kept, stage(1)
    return Probe(
        "zero-fill + inverse + R3",
        "portable",
        "pixels",
        outs * plan.positions,
        (Move(y, y // room.strips.count), Move(out.nbytes, out.nbytes, writes=True)),
        whole,
        kernel,
        _rows_text(b),
        Far("the output beyond the second-level cache", whole, stage(0)),
        (Part("zero-fill", zero_fill), Part("the way of the pixels to the rows of the map", crop)),
    )
