"""What the fast paths share: the plans they may cover, scratch memory, a run in two passes over the map."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.datapath.strips import Scans, Strips, Threshold, groups_of, select, strips_of
from wccsim.datapath.workers import share, thread_count

ALIGNMENT = 64  # bytes: a cache line, and the widest register


def why_not(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why no fast path can run `plan` on signed or unsigned maps; None: one may, on its own conditions."""
    p = plan.parameters
    conditions = [
        (inner, "the inner arrays are asked for"),
        (sys.byteorder != "little", "this machine is big-endian"),
        (p.in_bits > 8 + unsigned, f"activations of {p.in_bits - unsigned} bits do not fit a byte"),
        (p.haar != "exact", f"haar is {p.haar}"),
        (p.score != "l2", f"the score is {p.score}"),
        (p.detail_bits is not None, "the words of the detail bands are narrower"),
        (p.requantise_mode != "single", f"the requantise mode is {p.requantise_mode}"),
        (p.coefficient_bits() > 16, f"coefficients have {p.coefficient_bits()} bits, more than 16"),
    ]
    return first_that_holds(conditions)


def first_that_holds(conditions: Iterable[tuple[bool, str]]) -> str | None:
    """The text of the first condition that is true."""
    return next((text for holds, text in conditions if holds), None)


def greatest_sum(plan: Plan) -> int:
    """The greatest magnitude that a sum of the MAC array can reach."""
    p = plan.parameters
    return plan.channels * ((1 << (p.act_bits - 1)) - 1) * ((1 << (p.weight_bits - 1)) - 1)


Shapes = Mapping[str, tuple[Any, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Room:
    """What one run works with. prepared: the plan as the path's kernels take it; strips: the order of its
    words.

    scores: int64 [strips, words]; scratch: per name, one array a thread. weights: packed for the path's own
    tile. padded: int8 [C, HP, WP], where the path wants a copy of a map that needs padding.
    """

    prepared: Any
    strips: Strips
    threads: int
    scores: npt.NDArray[np.int64]
    scratch: dict[str, list[npt.NDArray[Any]]]
    weights: npt.NDArray[Any]
    padded: npt.NDArray[np.int8] | None


@dataclass(frozen=True, slots=True)
class Kernels:
    """What a fast path brings.

    prepare(plan, strips, unsigned): the plan as its kernels take it. shapes(plan, strips): the scratch arrays
    of one thread, `bins` among them. pack: its order of the weights. pads: it wants padded maps. image(x,
    room): the map as its kernels read it. score(room, image, thread, counter): the joint score of the strips
    claimed. layer(room, image, thread, counter, threshold, arrays): the strips claimed, from threshold to
    pixels. scans: for `strips.select`.
    """

    path: str
    prepare: Callable[[Plan, Strips, bool], Any]
    shapes: Callable[[Plan, Strips], Shapes]
    pack: Callable[[npt.NDArray[np.int8]], npt.NDArray[Any]]
    pads: bool
    image: Callable[[npt.NDArray[Any], Room], npt.NDArray[Any]]
    score: Callable[[Room, npt.NDArray[Any], int, npt.NDArray[np.int64]], None]
    layer: Callable[[Room, npt.NDArray[Any], int, npt.NDArray[np.int64], Threshold, Arrays], None]
    scans: Scans


def aligned(dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
    """Zeros whose first element lies at a multiple of ALIGNMENT."""
    size = int(np.prod(shape)) * np.dtype(dtype).itemsize
    memory = np.zeros(size + ALIGNMENT, np.uint8)
    start = -memory.ctypes.data % ALIGNMENT
    array: npt.NDArray[Any] = memory[start : start + size].view(dtype).reshape(shape)
    return array


class Workspace:
    """Memory that the fast paths keep from call to call, and the number of threads they use.

    Hand one to `simulate_layer` or `run_plan` again and again: scratch arrays are made anew only where a
    shape changes, and a plan that comes back is not prepared twice. One call at a time.
    threads: at most so many; None: WCCSIM_THREADS, else all that the processor offers.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = thread_count(threads)
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._last: tuple[Plan, bool, str, Room] | None = None

    def room(
        self,
        plan: Plan,
        unsigned: bool,
        kernels: Kernels,
    ) -> Room:
        """Scratch arrays for each thread as the kernels ask for them, and the plan prepared."""
        if self._last is not None and self._last[0] is plan and self._last[1:3] == (unsigned, kernels.path):
            return self._last[3]
        geometry = plan.parameters.levels, plan.padded_height, plan.padded_width
        strips = strips_of(*geometry, groups_of(*geometry, self.threads))
        threads = min(self.threads, strips.count)
        scratch = {
            name: [self._array(f"{name} {thread}", dtype, shape) for thread in range(threads)]
            for name, (dtype, shape) in kernels.shapes(plan, strips).items()
        }
        scores = self._array("scores", np.int64, (strips.count * strips.words + ALIGNMENT,))
        padded = None
        if kernels.pads and (plan.height, plan.width) != (plan.padded_height, plan.padded_width):
            whole = plan.channels, plan.padded_height, plan.padded_width
            padded = self._array("padded", np.int8, whole)
        room = Room(
            kernels.prepare(plan, strips, unsigned),
            strips,
            threads,
            scores[: strips.count * strips.words].reshape(strips.count, strips.words),
            scratch,
            kernels.pack(plan.weights),
            padded,
        )
        self._last = plan, unsigned, kernels.path, room
        return room

    def _array(self, name: str, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        held = self._arrays.get(name)
        if held is None or held.shape != shape or held.dtype != dtype:
            self._arrays.pop(name, None)  # freed before the new one is made
            held = self._arrays[name] = aligned(dtype, shape)
        return held

    @property
    def nbytes(self) -> int:
        """Bytes reserved; pages never written take no memory."""
        return sum(array.nbytes for array in self._arrays.values())


def as_bytes(plan: Plan, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """x as int8, or as uint8 where the plan's 9 bits carry an unsigned byte; `why_not` saw to the rest."""
    return x.astype(np.int8 if plan.parameters.in_bits <= 8 else np.uint8, copy=False)


def runner(kernels: Kernels) -> Callable[..., Arrays]:
    """The `run` of a fast path, called as that of `plain`; it never has inner arrays to give."""

    def run(
        plan: Plan,
        x: npt.NDArray[Any],
        out: npt.NDArray[Any],
        inner: bool,
        workspace: Workspace | None = None,
    ) -> Arrays:
        return execute(kernels, plan, x, out, workspace)

    return run


def execute(
    kernels: Kernels, plan: Plan, x: npt.NDArray[Any], out: npt.NDArray[Any], workspace: Workspace | None
) -> Arrays:
    """One image x [C, H, W] through `plan` into `out` [Cout, H, W]; `workspace` is reused where given."""
    x = as_bytes(plan, x)
    room = (workspace or Workspace()).room(plan, x.dtype == np.uint8, kernels)
    image = kernels.image(x, room)
    arrays = Arrays(np.empty(plan.positions, np.int64), np.empty(plan.positions, np.bool_), out)
    first, second = np.zeros(1, np.int64), np.zeros(1, np.int64)  # the next strip to be claimed
    for bins in room.scratch["bins"]:
        bins[:] = 0  # a thread that never begins counts nothing
    share(room.threads, lambda thread: kernels.score(room, image, thread, first))
    counts = sum(room.scratch["bins"][1:], room.scratch["bins"][0])
    mantissa_bits = plan.parameters.mantissa_bits
    threshold = select(room.scores, counts, plan.kept, mantissa_bits, room.strips, kernels.scans)
    share(room.threads, lambda thread: kernels.layer(room, image, thread, second, threshold, arrays))
    return arrays
