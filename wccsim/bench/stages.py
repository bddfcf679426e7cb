"""The stages of a layer on the fast path that runs it: what each takes, moves and computes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module

from wccsim.bench.inputs import Job
from wccsim.bench.probes import Move, Probe, least_seconds
from wccsim.datapath.engine import PATHS, choose
from wccsim.errors import WccsimError

MEASURED = ("matrix", "vector", "portable")


@dataclass(frozen=True, slots=True)
class StageCost:
    """One stage over a whole layer. ops: what the stage is for, in its own unit `kind`."""

    name: str
    seconds: float
    ops: int
    kind: str
    moves: tuple[Move, ...]

    @property
    def bytes(self) -> int:
        """Bytes read and written."""
        return sum(move.bytes for move in self.moves)


def checked_name(path: str | None) -> str | None:
    """A path whose stages can be measured; None: the one that runs a layer."""
    if path is not None and path not in MEASURED:
        raise WccsimError(f"--path is {path!r:.40}; allowed: {', '.join(MEASURED)}")
    return path


def path_of(one: Job, wanted: str | None = None) -> str:
    """The fast path that runs a layer; WccsimError where `wanted`, or any, does not."""
    choice = choose(one.plan, False, wanted)
    if choice.name not in MEASURED or choice.name != (wanted or choice.name):
        raise WccsimError(
            f"the stages of {one.label} cannot be measured, since the plain path runs it: {choice.reason}"
        )
    return choice.name


def probes(one: Job, path: str, threads: int) -> list[Probe]:
    """The stages of a layer on `path`, one of MEASURED; WccsimError where it does not cover the layer."""
    kernels = import_module(PATHS[path])
    obstacle = kernels.covers(one.plan, False, False)  # and asks for what its instructions need
    if obstacle is not None:
        raise WccsimError(f"the stages of {one.label} cannot be measured on {path}: {obstacle}")
    if path == "portable":
        from wccsim.bench import portable_stages

        return portable_stages.probes(one, threads)
    from wccsim.bench import vector_stages

    return vector_stages.probes(one, kernels.KERNELS, threads)


def stage_costs(one: Job, path: str, threads: int = 1, rounds: int = 1) -> list[StageCost]:
    """Every stage alone, one after the other."""
    found = probes(one, path, threads)
    taken = least_seconds([probe.run for probe in found], rounds)
    return [
        StageCost(probe.name, seconds, probe.ops, probe.kind, probe.moves)
        for probe, seconds in zip(found, taken, strict=True)
    ]
