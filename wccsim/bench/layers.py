"""The five layers of the benchmark beside their peers: times, ratios, memory."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from wccsim.bench import memory
from wccsim.bench.inputs import Job, job
from wccsim.bench.peers import ONNXRUNTIME, PYTORCH, available
from wccsim.bench.timing import Times, interleaved
from wccsim.datapath.engine import PATHS, choose
from wccsim.datapath.fused import Workspace, aligned
from wccsim.parameters import WccParameters

# input channels, output channels, height, width
LAYERS = (
    (16, 96, 512, 1024),
    (144, 24, 256, 512),
    (96, 576, 64, 128),
    (960, 160, 64, 128),
    (304, 256, 256, 512),
)
CHOSEN = "chosen"  # the path that runs where none is asked for


@dataclass(frozen=True, slots=True)
class Measured:
    """One layer: times of every contender, and the memory that one call with new arrays takes.

    peak_bytes counts input, output and scratch; payload_bytes input, output and kept words. None: not known.
    """

    job: Job
    times: dict[str, Times]
    peak_bytes: int | None
    payload_bytes: int

    @property
    def chosen(self) -> str:
        """The path that runs where none is asked for."""
        return choose(self.job.plan, False).name

    def ratio(self, peer: str, path: str, median: bool = False) -> float | None:
        """Time of the peer whose name starts so over the time of the path; None where one was not run."""
        found = next((times for name, times in self.times.items() if name.startswith(peer)), None)
        own = self.times.get(path)
        if found is None or own is None:
            return None
        return found.median / own.median if median else found.best / own.best


def jobs(parameters: WccParameters) -> Iterable[Job]:
    """The five layers, on natural-like maps."""
    for number, (channels, outputs, height, width) in enumerate(LAYERS):
        yield job(f"layer {number + 1}", (channels, height, width), outputs, parameters, seed=number)


def covering(one: Job) -> tuple[list[str], list[str]]:
    """The fast paths that run this layer, and the others with why they do not."""
    runs, passed = [], []
    for name in PATHS:
        if name == "plain":
            continue
        choice = choose(one.plan, False, name)
        if choice.name == name:
            runs.append(name)
        else:
            passed.append(choice.reason)
    return runs, passed


def path_call(one: Job, name: str, workspace: Workspace) -> Callable[[], object]:
    """A call of the path, or of the one that is chosen, with a reused output and workspace."""
    choice = choose(one.plan, False, None if name == CHOSEN else name)
    out = new_output(one)
    return lambda: choice.run(one.plan, one.x, out, False, workspace)


def new_output(one: Job) -> Any:
    """An output array for the job, as `run_plan` makes it."""
    p = one.plan
    return aligned(np.uint8 if p.parameters.out_unsigned else np.int8, (p.out_channels, p.height, p.width))


def measure(
    one: Job,
    threads: int,
    rounds: int,
    peers: bool = True,
    clock: Callable[[], float] = time.perf_counter,
) -> tuple[Measured, list[str]]:
    """One layer beside its peers, calls interleaved, and a line for each contender that was not run."""
    makers, missing = available(threads) if peers else ({}, [])
    runs, passed = covering(one)
    contenders: dict[str, Callable[[], object]] = {
        name: path_call(one, name, Workspace(threads)) for name in (CHOSEN, *runs)
    }
    choice, workspace = choose(one.plan, False), Workspace(threads)
    contenders[f"{CHOSEN}, new output"] = lambda: choice.run(
        one.plan, one.x, new_output(one), False, workspace
    )
    contenders |= {name: make(one) for name, make in makers.items()}
    slow = [name for name in makers if name.startswith(PYTORCH)]
    times = interleaved(contenders, rounds, slow=slow, clock=clock)
    p = one.plan
    payload = one.x.nbytes + p.out_channels * p.height * p.width + p.channels * p.kept
    return Measured(one, times, memory.peak_of(one), payload), [*passed, *missing]


__all__ = [
    "CHOSEN",
    "LAYERS",
    "ONNXRUNTIME",
    "PYTORCH",
    "Measured",
    "covering",
    "jobs",
    "measure",
    "path_call",
]
