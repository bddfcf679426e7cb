"""The stages of the vector and the matrix path as probes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.bench import vector_loops as loops
from wccsim.bench.inputs import Job
from wccsim.bench.probes import Call, Far, Move, Part, Probe, claimed, repeated
from wccsim.datapath.fused import Kernels, Room, Workspace, aligned
from wccsim.datapath.strips import BINS, ROOM, Threshold, _boundary, select
from wccsim.datapath.vector_forward import BLOCK
from wccsim.datapath.vector_gather import GROUP
from wccsim.datapath.vector_matrix import ROW_BYTES
from wccsim.datapath.vector_plan import Own, Prepared


@dataclass(frozen=True, slots=True)
class Bench:
    """A layer with everything that its stages need, and what they leave for each other.

    image: the map, flat; strip: its first strip alone, as a plan of its own (`strip_numbers`) and flat. own:
    scratch of each thread. halves, quarters, counts: `vector_loops.parts_of`. energy, kept: the marks.
    """

    one: Job
    kernels: Kernels
    room: Room
    own: list[Own]
    image: npt.NDArray[np.int8]
    strip: npt.NDArray[np.int8]
    strip_numbers: Any
    bins: npt.NDArray[Any]
    threshold: Threshold
    energy: npt.NDArray[np.int64]
    kept: npt.NDArray[np.int8]
    halves: npt.NDArray[np.int64]
    quarters: npt.NDArray[np.int64]
    counts: npt.NDArray[np.int64]

    @property
    def prepared(self) -> Prepared:
        """The plan as the kernels take it."""
        found: Prepared = self.room.prepared
        return found

    @property
    def groups(self) -> int:
        """Groups of GROUP positions over all strips."""
        return int((-(-self.counts[:, 0] // GROUP)).sum())

    @property
    def strips(self) -> int:
        """Strips of the map."""
        return self.room.strips.count

    def call(self, loop: Callable[..., object], arguments: Callable[[int], tuple[Any, ...]]) -> Call:
        """loop(counter, claims, *arguments(thread)) over all strips on all threads."""
        return claimed(self.room.threads, self.strips, loop, arguments)


def bench_of(one: Job, kernels: Kernels, threads: int) -> Bench:
    """Run score, selection and marks once and lay out what the stages need."""
    plan = one.plan
    room = Workspace(threads).room(plan, False, kernels)
    f, image, rows = room.prepared, kernels.image(one.x, room), min(plan.height, room.strips.rows)
    kernels.score(room, image, 0, np.zeros(1, np.int64))
    bins = room.scratch["bins"][0].copy()
    threshold = select(
        room.scores, bins, plan.kept, plan.parameters.mantissa_bits, room.strips, kernels.scans
    )
    own = [Own(**{name: room.scratch[name][t] for name in Own._fields}) for t in range(room.threads)]
    halves, quarters = (
        np.empty((room.strips.count, *a.shape), np.int64) for a in (own[0].halves, own[0].quarters)
    )
    counts = np.empty((room.strips.count, 3), np.int64)
    energy, kept = np.empty(plan.positions, np.int64), np.empty(plan.positions, np.int8)
    scores, numbers = room.scores.reshape(-1), (threshold.low, threshold.high, threshold.last)
    loops.parts_of(scores, f.layout, f.numbers, numbers, own[0], energy, kept, halves, quarters, counts)
    for other in own[1:]:
        for name in ("masks", "shifts", "ups", "reliefs"):
            getattr(other, name)[:] = getattr(own[0], name)
    strip = np.ascontiguousarray(one.x[:, :rows]).view(np.int8).reshape(-1)
    return Bench(
        one, kernels, room, own, image, strip, f.numbers._replace(height=rows), bins, threshold, energy, kept,
        halves, quarters, counts,
    )  # fmt: skip


def probes(one: Job, kernels: Kernels, threads: int = 1) -> list[Probe]:
    """The stages of a layer that the path of these kernels covers, in the order in which they run."""
    b = bench_of(one, kernels, threads)
    return [_score(b), _selection(b), _marks(b), _gather(b), _product(b), _inverse(b)]


def _row_text(b: Bench) -> str:
    blocks = -(-b.prepared.numbers.columns // BLOCK)
    return f"rows of {b.one.plan.width} pixels, {blocks} block{'s' * (blocks > 1)} a row"


def _score(b: Bench) -> Probe:
    plan, room, f = b.one.plan, b.room, b.prepared
    scratch = [
        tuple(room.scratch[name][t] for name in ("lows", "squares", "binned")) for t in range(room.threads)
    ]
    bins = room.scratch["bins"]
    strip_scores = [np.zeros((1, room.strips.words), np.int64) for _ in range(room.threads)]
    head, own_head = (f.numbers, f.batch), (b.strip_numbers, f.batch)
    whole = b.call(
        loops.score, lambda t: (b.strips, 1, b.image, f.layout, *head, *scratch[t], room.scores, bins[t])
    )
    cached = b.call(
        loops.score,
        lambda t: (b.strips, 0, b.strip, f.layout, *own_head, *scratch[t], strip_scores[t], bins[t]),
    )
    pairs = b.call(loops.squares_of_pairs, lambda t: (b.strip, f.layout, b.strip_numbers, *scratch[t][:2]))
    flush = b.call(
        loops.flushes,
        lambda t: (f.layout, f.numbers, f.batch, scratch[t][1], strip_scores[t].reshape(-1)),
    )
    histogram = b.call(loops.histogram, lambda t: (b.strips, room.scores, scratch[t][2], bins[t]))
    often = min(plan.channels, int(f.batch[f.numbers.levels]))
    scores_bytes = 8 * plan.positions
    return Probe(
        "Haar + score",
        "vector",
        "squares",
        plan.channels * plan.positions,
        (Move(b.one.x.nbytes, b.one.x.nbytes), Move(scores_bytes, scores_bytes, writes=True)),
        whole,
        pairs,
        _row_text(b),
        Far("the map and the scores beyond the second-level cache", whole, cached),
        (
            Part(
                f"the flush of the sums to 64-bit scores, of the last level once for {often} channels", flush
            ),
            Part(f"the histogram of the scores, once for {plan.channels} channels", histogram),
        ),
    )


def _selection(b: Bench) -> Probe:
    plan, room, n = b.one.plan, b.room, b.one.plan.positions
    mantissa_bits, scans, first = plan.parameters.mantissa_bits, b.kernels.scans, room.scores[:1]
    chosen, above = _boundary(b.bins, plan.kept)
    found = np.zeros(n + ROOM, np.int64)
    scans.collect(room.scores, chosen, found)
    members = found[: int(b.bins[chosen])].copy()

    def partition() -> object:
        taken = members.copy()
        taken.partition(taken.size - (plan.kept - above))
        return taken

    near = claimed(1, b.strips, loops.collect, lambda _: (first, chosen, found))
    far = claimed(1, 1, loops.collect, lambda _: (room.scores, chosen, found))
    return Probe(
        "selection",
        "vector",
        "scores",
        n,
        (Move(8 * n, 8 * n),),
        repeated(lambda: select(room.scores, b.bins, plan.kept, mantissa_bits, room.strips, scans)),
        near,
        f"strips of {room.strips.words} scores",
        Far("the scores beyond the second-level cache", far, near),
        (
            Part(
                f"the walk over {BINS - chosen} of {BINS} bins",
                repeated(lambda: _boundary(b.bins, plan.kept)),
            ),
            Part(f"the partition of the {members.size} scores of one bin", repeated(partition)),
        ),
        "calls and new arrays outside the kernels",
    )


def _marks(b: Bench) -> Probe:
    f, n = b.prepared, b.one.plan.positions
    scores, runs = b.room.scores.reshape(-1), f.layout.pieces[:, 1]
    numbers = b.threshold.low, b.threshold.high, b.threshold.last

    def stage(step: int) -> Call:
        return b.call(
            loops.marks,
            lambda t: (b.strips, step, scores, f.layout, f.numbers, numbers, b.own[t], b.energy, b.kept),
        )

    return Probe(
        "marks + bitmap",
        "vector",
        "positions",
        n,
        (Move(8 * n, 8 * n), Move(9 * n, 9 * n, writes=True)),
        stage(1),
        stage(0),
        f"runs of {runs.min()} to {runs.max()} words in flat order",
        Far("scores and marks beyond the second-level cache", stage(1), stage(0)),
        (
            Part(
                "writing scores and flags in flat order",
                b.call(loops.flat_order, lambda t: (scores, f.layout, f.numbers, b.own[t], b.energy, b.kept)),
                inside=True,
            ),
        ),
    )


def _gather(b: Bench) -> Probe:
    plan, f = b.one.plan, b.prepared
    share = f"{plan.kept / plan.positions:.0%} of the words"
    panels = -(-plan.channels // 4) * 4 * b.groups * GROUP
    tail = (b.halves, b.counts)
    whole = b.call(loops.gather, lambda t: (1, b.image, f.layout, f.numbers, *tail, b.own[t]))
    cached = b.call(loops.gather, lambda t: (0, b.strip, f.layout, b.strip_numbers, *tail, b.own[t]))
    words = b.call(loops.gathered, lambda t: (f.numbers, b.halves, b.counts, b.own[t]))
    r1 = b.call(loops.requantised, lambda t: (f.numbers, b.counts, b.own[t]))
    return Probe(
        "Haar + gather + R1",
        "vector",
        "coefficients",
        plan.channels * plan.positions,
        (Move(b.one.x.nbytes, b.one.x.nbytes), Move(panels, panels // b.strips, writes=True)),
        whole,
        b.call(loops.transforms, lambda t: (b.strip, f.layout, b.strip_numbers, b.own[t])),
        _row_text(b),
        Far("the map beyond the second-level cache", whole, cached),
        (Part(f"the gather of {share}", words), Part(f"R1 of {share}", r1)),
    )


def _product(b: Bench) -> Probe:
    plan, room, f = b.one.plan, b.room, b.prepared
    channels, outs, rows = plan.channels, plan.out_channels, f.numbers.tile_rows

    run = b.call(
        loops.products,
        lambda t: (f.tile_shapes, b.counts, room.weights, f.scalers, f.numbers, b.own[t]),
    )

    def tiles_of(fours: int) -> Call:
        head = (f.tile_shapes, tiles, fours, room.weights, f.scalers.r2, f.numbers)
        return claimed(room.threads, b.groups, loops.first_tile, lambda t: (*head, b.own[t]))

    depth = ROW_BYTES if f.numbers.matrix else 4  # channels of a tile's step
    tiles, deep = -(-outs // rows), -(-channels // depth) * depth
    done = tiles * rows * b.groups * GROUP
    empty = 1 - outs * plan.kept * channels / (done * deep)
    panels, weights = -(-channels // 4) * 4 * b.groups * GROUP, room.weights.nbytes
    return Probe(
        "MAC + R2",
        "matrix" if f.numbers.matrix else "vector",
        "MACs",
        channels * outs * plan.kept,
        (
            Move(tiles * panels + b.groups * weights, panels // b.strips + weights),
            Move(4 * done, 4 * rows * (b.groups * GROUP // b.strips), writes=True),
        ),
        run,
        tiles_of(-(-channels // 4)),
        f"tiles of {rows} outputs x {GROUP} positions x {depth} channels, {empty:.0%} of them empty",
        None,
        (Part(f"R2, once for {channels} products", tiles_of(0), inside=True),),
    )


def _inverse(b: Bench) -> Probe:
    plan, f = b.one.plan, b.prepared
    outs, y = plan.out_channels, 4 * plan.out_channels * b.groups * GROUP
    out = aligned(np.int8, (outs * plan.height * plan.width,))
    strip_out = aligned(np.int8, (outs * b.strip_numbers.height * plan.width,))
    tail = (b.quarters, b.counts, f.scalers)
    whole = b.call(loops.pixels, lambda t: (1, *tail, f.layout, f.numbers, b.own[t], out))
    cached = b.call(loops.pixels, lambda t: (0, *tail, f.layout, b.strip_numbers, b.own[t], strip_out))
    return Probe(
        "zero-fill + inverse + R3",
        "vector",
        "pixels",
        outs * plan.positions,
        (
            Move(y, 4 * f.numbers.tile_rows * (b.groups * GROUP // b.strips)),
            Move(out.nbytes, out.nbytes, writes=True),
        ),
        whole,
        b.call(loops.inverted, lambda t: (f.scalers, f.layout, b.strip_numbers, b.own[t], strip_out)),
        _row_text(b),
        Far("the output beyond the second-level cache", whole, cached),
        (Part("zero-fill", b.call(loops.expanded, lambda t: (*tail, f.numbers, b.own[t]))),),
    )
