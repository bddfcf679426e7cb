"""Each stage beside what bounds it: bytes over measured bandwidth, operations over a measured peak.

The peak of a stage is the best rate that its own kernel reached in this run on data that stay in the
first-level cache, over all layers measured and two more that suit it: long rows, and many channels. It is
attained, not taken from a data sheet. What else the stage does is measured part by part, and where a stage
takes more than EXCESS of its bound, the parts say where the time goes.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from wccsim.bench.bandwidth import Bandwidth
from wccsim.bench.inputs import Job, job
from wccsim.bench.layers import path_call
from wccsim.bench.probes import Part, Probe, least_seconds, repeated
from wccsim.bench.stages import StageCost, probes
from wccsim.datapath.engine import choose
from wccsim.datapath.fused import Workspace
from wccsim.parameters import WccParameters

EXCESS = 1.3  # times its bound: beyond it a stage is explained
TOLD = 0.05  # of a stage's time: a smaller part is not named


@dataclass(frozen=True, slots=True)
class Measured:
    """One stage of a layer, with the seconds of its probe's calls; far_s: the difference of `Far`'s."""

    label: str
    path: str
    probe: Probe
    stage: StageCost
    kernel_s: float
    far_s: float
    parts: tuple[tuple[Part, float], ...]

    @property
    def key(self) -> tuple[str, str]:
        """What the peak of its kernel goes by: the path whose kernel it is, and the stage."""
        return self.probe.kernels, self.stage.name

    @property
    def kernel_rate(self) -> float:
        """Operations a second of the stage's own kernel."""
        return self.stage.ops / self.kernel_s


@dataclass(frozen=True, slots=True)
class Limit:
    """One stage and the greater of its two bounds; `share` is the time taken over that bound."""

    measured: Measured
    memory_s: float
    compute_s: float

    @property
    def stage(self) -> StageCost:
        """What was measured of the whole stage."""
        return self.measured.stage

    @property
    def bound(self) -> str:
        """What bounds the stage."""
        return "memory" if self.memory_s > self.compute_s else "compute"

    @property
    def share(self) -> float:
        """Time over the bound; 1 is the limit."""
        return self.stage.seconds / max(self.memory_s, self.compute_s)


def suited_jobs(parameters: WccParameters) -> Iterator[Job]:
    """Two layers on which kernels reach their best: strips of at least 4096 words, and 1024 channels."""
    side = 1 << parameters.levels
    yield job("long rows", (16, 16 * side, max(256, 4096 >> parameters.levels)), 48, parameters, seed=0)
    yield job("many channels", (1024, 8 * side, 64), 96, parameters, seed=0)


def measure(one: Job, path: str, threads: int, rounds: int) -> list[Measured]:
    """Every stage of a layer on a path that covers it."""
    return [_measured(one.label, path, probe, rounds) for probe in probes(one, path, threads)]


def whole_seconds(one: Job, path: str, threads: int, rounds: int) -> float:
    """The least seconds of the layer as it runs, with a reused output and workspace."""
    return least_seconds([repeated(path_call(one, path, Workspace(threads)))], rounds)[0]


def _measured(label: str, path: str, probe: Probe, rounds: int) -> Measured:
    calls = [probe.run, probe.kernel, *(part.call for part in probe.parts)]
    ends = [] if probe.far is None else [probe.far.far, probe.far.near]
    taken = least_seconds([*calls, *ends], rounds)
    return Measured(
        label,
        path,
        probe,
        StageCost(probe.name, taken[0], probe.ops, probe.kind, probe.moves),
        taken[1],
        max(0.0, taken[-2] - taken[-1]) if ends else 0.0,
        tuple(zip(probe.parts, taken[2:], strict=False)),
    )


def best_measured(
    found: Iterable[Measured], parameters: WccParameters, threads: int, rounds: int
) -> list[Measured]:
    """The suited jobs on every path that ran something."""
    paths = list(dict.fromkeys(one.path for one in found))
    return [
        measured
        for suited in suited_jobs(parameters)
        for path in paths
        if choose(suited.plan, False, path).name == path
        for measured in measure(suited, path, threads, rounds)
    ]


def peak_rates(found: Iterable[Measured]) -> dict[tuple[str, str], float]:
    """By `Measured.key`: the best rate of the stage's own kernel."""
    rates: dict[tuple[str, str], float] = {}
    for one in found:
        rates[one.key] = max(rates.get(one.key, 0.0), one.kernel_rate)
    return rates


def limit_of(one: Measured, rates: Mapping[tuple[str, str], float], bandwidth: Bandwidth) -> Limit:
    """A stage with its bounds."""
    return Limit(one, bandwidth.seconds(one.stage.moves), one.stage.ops / rates[one.key])


def account(limit: Limit) -> list[tuple[str, float]]:
    """Where the time of a stage goes besides its operations: what, and its share of the time, greatest first.

    The parts were measured alone: the shares need not add up to 1 with that of the operations. What they
    leave comes last.
    """
    one, whole = limit.measured, limit.stage.seconds
    inside = sum(taken for part, taken in one.parts if part.inside)
    spent = [(part.text, taken) for part, taken in one.parts]
    spent.append((f"the loss to {one.probe.shape_text}", one.kernel_s - limit.compute_s - inside))
    if one.probe.far is not None:
        spent.append((one.probe.far.text, one.far_s))
    rest = whole - limit.compute_s - sum(max(0.0, taken) for _, taken in spent)
    spent = sorted(spent, key=lambda part: -part[1])
    return [(text, taken / whole) for text, taken in [*spent, (one.probe.rest_text, rest)]]


def reason(limit: Limit) -> str | None:
    """Why a stage takes more than EXCESS of its bound, in one sentence; None where it does not."""
    if limit.share <= EXCESS:
        return None
    one, own = limit.measured, limit.compute_s / limit.stage.seconds
    parts = [f"{share:.0%} {text}" for text, share in account(limit) if share >= TOLD]
    parts.append(f"{own:.0%} the {limit.stage.kind} themselves at the kernel's best rate")
    head = f"{one.label}, {limit.stage.name}, {limit.share:.2f} times its {limit.bound} bound"
    return f"{head}: of its time {'; '.join(parts)}."
