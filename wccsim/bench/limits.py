# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
"""Each stage beside what bounds it: bytes over measured bandwidth, operations over a measured peak.

The bandwidths and peaks are what this machine reaches on one thread in loops of the same kind, with all
operands in the first-level cache: the butterflies and squares on 16-bit words, the 32-bit requantiser, an
indexed copy, the MAC tile. They are attained, not taken from a data sheet.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit

from wccsim.bench.plotting import save
from wccsim.bench.stages import StageCost
from wccsim.datapath.portable import _expand_strip, _gather, _inverse_last, _requantise
from wccsim.datapath.portable_forward import I16, I32, U, _add_squares, _forward_first
from wccsim.datapath.product import PANEL, ROWS, mac_tile

CACHED = 1024  # words of an operand that stays in the first-level cache
LARGE_BYTES = 1 << 27


@dataclass(frozen=True, slots=True)
class Peaks:
    """Per second, one thread: bytes read from and written to memory, and elements of each kind of loop."""

    read_bytes: float
    write_bytes: float
    rates: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class Limit:
    """One stage and the greater of its two bounds; `share` is the time taken over that bound."""

    stage: StageCost
    memory_s: float
    compute_s: float

    @property
    def bound(self) -> str:
        """What bounds the stage."""
        return "memory" if self.memory_s > self.compute_s else "compute"

    @property
    def share(self) -> float:
        """Time over the bound; 1 is the limit."""
        return self.stage.seconds / max(self.memory_s, self.compute_s)


@njit(cache=True)
def _read(a):
    total = 0
    for i in range(a.size):
        total ^= a[i]
    return total


@njit(cache=True)
def _write(a, value):
    for i in range(a.size):
        a[i] = value


@njit(cache=True)
def _butterflies(times, image, lows, words):
    for _ in range(times):
        _forward_first(image, 0, 0, I16(0), lows, words, 0, lows.size)


@njit(cache=True)
def _squares(times, first, second, squares):
    for _ in range(times):
        _add_squares(first, second, squares)


@njit(cache=True)
def _requantised(times, values, multiplier, shift, out):
    for _ in range(times):
        for i in range(values.size):
            out[U(i)] = _requantise(values[U(i)], multiplier, shift, I32(-127), I32(127))


@njit(cache=True)
def _gathers(times, words, places, out):
    for _ in range(times):
        _gather(words, places, places.size, out, 0)


@njit(cache=True)
def _expands(times, y, places, words):
    for _ in range(times):
        _expand_strip(y, 0, places, places.size, words)


@njit(cache=True)
def _pixels(times, lows, words, size, multiplier, shift, pixels):
    for _ in range(times):
        _inverse_last(lows, words, size, I32(2), multiplier, shift, I32(-128), I32(127), pixels)


@njit(cache=True)
def _tiles(times, panels, weights, sums, pairs):
    for _ in range(times):
        mac_tile(panels, 0, weights, 0, sums, pairs)


def _rate(call: Callable[[int], object], elements: int, times: int) -> float:
    """Elements a second, best of five."""
    call(1)
    taken = []
    for _ in range(5):
        start = time.perf_counter()
        call(times)
        taken.append(time.perf_counter() - start)
    return elements * times / min(taken)


def measure_peaks() -> Peaks:
    """Bandwidths and peaks of this machine, one thread; about two seconds."""
    large = np.ones(LARGE_BYTES // 8, np.int64)
    image = np.ones((1, 2, CACHED), np.int16)
    lows, words = np.zeros(CACHED, np.int16), np.zeros(4 * CACHED, np.int16)
    squares, values = np.zeros(CACHED, np.int32), np.arange(CACHED, dtype=np.int32)
    places = np.arange(0, 4 * CACHED, 4, dtype=np.int32)
    pairs = 128
    panels, weights = np.ones(pairs * PANEL, np.int32), np.ones(pairs * ROWS, np.int32)
    sums, out8 = np.zeros(ROWS * PANEL, np.int32), np.zeros(CACHED, np.int8)
    m, s = I32(40000), I32(10)
    rates = {
        "butterflies": _rate(lambda n: _butterflies(n, image, lows, words), 4 * CACHED, 2000),
        "squares": _rate(lambda n: _squares(n, lows, lows.copy(), squares), 2 * CACHED, 2000),
        "requantised": _rate(lambda n: _requantised(n, values, m, s, out8), CACHED, 4000),
        "gathered": _rate(lambda n: _gathers(n, words, places, lows), CACHED, 4000),
        "expanded": _rate(lambda n: _expands(n, lows, places, words), 4 * CACHED, 2000),
        "pixels": _rate(lambda n: _pixels(n, values, words, CACHED, m, s, np.zeros(2 * CACHED, np.int16)),
                        4 * CACHED, 1000),
        "MACs": _rate(lambda n: _tiles(n, panels, weights, sums, pairs), 2 * pairs * ROWS * PANEL, 4000),
    }  # fmt: skip
    read = _rate(lambda n: [_read(large) for _ in range(n)], large.nbytes, 2)
    write = _rate(lambda n: [_write(large, 1) for _ in range(n)], large.nbytes, 2)
    return Peaks(read, write, rates)


def limits(costs: Sequence[StageCost], peaks: Peaks, channels: int) -> list[Limit]:
    """Each stage with its bounds. A stage of several loops needs the sum of their times at their peaks."""
    by_name = {cost.name: cost for cost in costs}
    kept_per_input = by_name["MAC + R2"].bytes / 2 / by_name["Haar + gather + R1"].bytes
    loops: dict[str, dict[str, float]] = {
        # per operation of the stage: how many elements of each loop; the Haar adds a third above level 1
        "Haar + score": {"butterflies": 4 / 3, "squares": 1},
        "selection + bitmap": {},
        "Haar + gather + R1": {
            "butterflies": 4 / 3,
            "gathered": kept_per_input,
            "requantised": kept_per_input,
        },
        "MAC + R2": {"MACs": 1, "requantised": 1 / channels},
        "zero-fill + inverse + R3": {"expanded": 1, "pixels": 1, "butterflies": 1 / 3},
    }
    found = []
    for cost in costs:
        compute = sum(cost.ops * share / peaks.rates[loop] for loop, share in loops[cost.name].items())
        writes = cost.name.startswith("zero-fill")
        found.append(Limit(cost, cost.bytes / (peaks.write_bytes if writes else peaks.read_bytes), compute))
    return found


def roofline_plot(rows: Sequence[tuple[str, Limit]], peaks: Peaks, path: Path) -> None:
    """Operations a second of every stage over its operations a byte, under the measured roof of its kind."""
    from matplotlib.figure import Figure

    figure = Figure(figsize=(8, 5), layout="constrained")
    axes: Any = figure.add_subplot()
    intensity = np.geomspace(0.1, 1000, 200)
    axes.plot(intensity, np.minimum(intensity * peaks.read_bytes, peaks.rates["MACs"]) / 1e9, "k-",
              label="roof of the MAC tile")  # fmt: skip
    axes.plot(intensity, np.minimum(intensity * peaks.write_bytes, peaks.rates["pixels"]) / 1e9, "k--",
              label="roof of inverse + R3")  # fmt: skip
    markers = dict(zip(dict.fromkeys(limit.stage.name for _, limit in rows), "osD^v", strict=False))
    for name, marker in markers.items():
        own = [limit for _, limit in rows if limit.stage.name == name]
        axes.plot(
            [limit.stage.ops / limit.stage.bytes for limit in own],
            [limit.stage.ops / limit.stage.seconds / 1e9 for limit in own],
            marker,
            label=name,
        )
    axes.set(xscale="log", yscale="log", xlabel="operations per byte of memory traffic",
             ylabel="10^9 operations per second, one thread")  # fmt: skip
    axes.legend(fontsize=8)
    save(figure, path)
