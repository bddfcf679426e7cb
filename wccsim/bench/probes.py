"""What a stage of a fast path moves and computes, and the calls that run it, or a part of it, alone."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from wccsim.datapath.workers import share

LEAST_SECONDS = 2e-3  # a call is repeated until it takes this long, so that its start does not count

Call = Callable[[int], object]
"""Runs something so many times over the whole layer."""


@dataclass(frozen=True, slots=True)
class Move:
    """Bytes read or written in an area of `area_bytes`, which decides which cache or memory holds them."""

    bytes: int
    area_bytes: int
    writes: bool = False


@dataclass(frozen=True, slots=True)
class Part:
    """A part of a stage that its operations do not count. text: what it is, with the numbers that make it.

    inside: it runs within the stage's own kernel as well, not beside it.
    """

    text: str
    call: Call
    inside: bool = False


@dataclass(frozen=True, slots=True)
class Far:
    """The same work on data beyond the second-level cache and inside; text: what makes the difference."""

    text: str
    far: Call
    near: Call


@dataclass(frozen=True, slots=True)
class Probe:
    """One stage of a layer.

    kernels: the path whose kernels run it; a path may share those of another. ops: what the stage is for,
    counted in `kind`. run: the stage, as the layer runs it. kernel: the kernel that does `ops`, alone, as
    often, on one block that stays in the first-level cache. shape_text: what of the layer's shape makes this
    kernel slower than at its best. far: None where a stage's data are cached anyway. rest_text: what the
    stage does besides all that.
    """

    name: str
    kernels: str
    kind: str
    ops: int
    moves: tuple[Move, ...]
    run: Call
    kernel: Call
    shape_text: str
    far: Far | None
    parts: tuple[Part, ...]
    rest_text: str = "what no part measured alone explains"

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return sum(move.bytes for move in self.moves)


def claimed(
    threads: int, strips: int, loop: Callable[..., object], arguments: Callable[[int], tuple[Any, ...]]
) -> Call:
    """loop(counter, claims, *arguments(thread)) on every thread: the strips claimed, over and over."""
    given = [arguments(thread) for thread in range(threads)]

    def call(times: int) -> None:
        counter = np.zeros(1, np.int64)

        def work(thread: int) -> None:
            loop(counter, strips * times, *given[thread])

        share(threads, work)

    return call


def repeated(work: Callable[[], object]) -> Call:
    """A call without strips, `times` over."""

    def call(times: int) -> None:
        for _ in range(times):
            work()

    return call


def least_seconds(calls: Sequence[Call], rounds: int) -> list[float]:
    """The least seconds of one time of each call, over rounds in which they take turns."""
    best = []
    for call in calls:
        call(1)  # compiles, and fills the caches
        start = time.perf_counter()
        call(1)
        best.append(time.perf_counter() - start)
    repeats = [max(1, int(LEAST_SECONDS / max(once, 1e-9))) for once in best]
    for _ in range(rounds):
        for i, (call, times) in enumerate(zip(calls, repeats, strict=True)):
            start = time.perf_counter()
            call(times)
            best[i] = min(best[i], (time.perf_counter() - start) / times)
    return best
