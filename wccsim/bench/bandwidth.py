# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
"""Bytes a second read and written, by how large the area is: it decides which cache, or memory, holds it."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bench.probes import Move
from wccsim.datapath.workers import share

AREAS = tuple(1 << bits for bits in range(15, 29))  # bytes: 32 KiB to 256 MiB
LEAST_BYTES = 1 << 25  # moved in one measurement


@dataclass(frozen=True, slots=True)
class Bandwidth:
    """Bytes a second by area in bytes."""

    read: Mapping[int, float]
    write: Mapping[int, float]

    def seconds(self, moves: tuple[Move, ...]) -> float:
        """The moves one after the other, each at the rate of the least measured area that holds its own."""
        return sum(
            move.bytes / _rate_of(self.write if move.writes else self.read, move.area_bytes) for move in moves
        )


def _rate_of(rates: Mapping[int, float], area_bytes: int) -> float:
    return rates[min((area for area in rates if area >= area_bytes), default=max(rates))]


@njit(cache=True, nogil=True)
def _read(a, times):
    total = 0
    for _ in range(times):
        for i in range(a.size):
            total ^= a[i]
        a[0] = total  # or the compiler reads once only
    return total


@njit(cache=True, nogil=True)
def _write(a, times):
    for turn in range(times):
        for i in range(a.size):
            a[i] = turn


def measure_bandwidth(threads: int, areas: tuple[int, ...] = AREAS, rounds: int = 3) -> Bandwidth:
    """Plain loops over an array of 64-bit words, of which each thread takes its own piece."""
    memory = np.ones(max(areas) // 8, np.int64)
    return Bandwidth(
        {area: _rate(_read, memory[: area // 8], threads, rounds) for area in areas},
        {area: _rate(_write, memory[: area // 8], threads, rounds) for area in areas},
    )


def _rate(loop: Callable[[Any, int], Any], memory: npt.NDArray[np.int64], threads: int, rounds: int) -> float:
    pieces = np.array_split(memory, threads)
    times = max(1, LEAST_BYTES // memory.nbytes)
    taken = []
    for turn in range(rounds + 1):
        start = time.perf_counter()
        share(threads, lambda thread: loop(pieces[thread], times))
        if turn:  # the first time compiles and fills the caches
            taken.append(time.perf_counter() - start)
    return memory.nbytes * times / min(taken)
