"""Times of several contenders in one run, taken in turn, so that a busy machine slows all of them alike."""

from __future__ import annotations

import ctypes
import math
import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

PAUSE_SECONDS = 0.02
BURST_SECONDS, BURST_MOST = 0.03, 15
CLEAR_REFS, STATUS = Path("/proc/self/clear_refs"), Path("/proc/self/status")


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of every call of one contender."""

    seconds: tuple[float, ...]

    @property
    def best(self) -> float:
        """The shortest call."""
        return min(self.seconds)

    @property
    def median(self) -> float:
        """The middle call."""
        return statistics.median(self.seconds)


def interleaved(
    contenders: Mapping[str, Callable[[], object]],
    rounds: int,
    burst: int = 3,
    slow: Sequence[str] = (),
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, Times]:
    """In every round, each contender in turn: one call that is not counted, then `burst` or more that are.

    Before it the threads of the contender before, which spin for a while, have PAUSE_SECONDS to go to sleep;
    it fills the caches. Where it was short, up to BURST_MOST calls follow, as many as fill BURST_SECONDS.
    Those named in `slow` run in the first and the last round only, one counted call each. clock: seconds;
    processor time, `time.process_time`, with one thread each, says more than wall time on a busy machine.
    """
    taken: dict[str, list[float]] = {name: [] for name in contenders}
    for turn in range(rounds):
        for name, call in contenders.items():
            if name in slow and turn not in (0, rounds - 1):
                continue
            time.sleep(PAUSE_SECONDS)
            start = clock()
            call()
            fitting = int(BURST_SECONDS / max(clock() - start, 1e-6))
            for _ in range(1 if name in slow else max(burst, min(fitting, BURST_MOST))):
                start = clock()
                call()
                taken[name].append(clock() - start)
    return {name: Times(tuple(seconds)) for name, seconds in taken.items()}


def geometric_mean(ratios: Sequence[float]) -> float:
    """exp of the mean logarithm."""
    return math.exp(statistics.fmean(map(math.log, ratios)))


def peak_bytes(call: Callable[[], object]) -> int | None:
    """Resident memory that `call` added at its peak; None where the system does not tell (Linux does)."""
    try:
        _return_freed_memory()
        CLEAR_REFS.write_text("5")  # resets the peak, VmHWM, to what is resident now
        before = _status_bytes("VmRSS")
        call()
        return _status_bytes("VmHWM") - before
    except OSError:
        return None


def _return_freed_memory() -> None:
    """Give freed blocks back to the system, so that using them again counts (glibc only)."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
    if trim is not None:
        trim(0)


def _status_bytes(field: str) -> int:
    for line in STATUS.read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(f"{STATUS} has no {field}")
