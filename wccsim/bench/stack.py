"""Every 1x1 convolution of a network, bit-exactly, one image, beside ONNX Runtime's dense int8 layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wccsim.bench.inputs import Job, job
from wccsim.bench.layers import path_call
from wccsim.bench.peers import ONNXRUNTIME, available
from wccsim.bench.stages import MEASURED, StageCost, stage_costs
from wccsim.bench.timing import Times, interleaved, peak_bytes
from wccsim.bench.weights import shape_of
from wccsim.datapath.engine import choose
from wccsim.datapath.fused import Workspace
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters

if TYPE_CHECKING:
    from wccsim.network.model import Layer, Network


@dataclass(frozen=True, slots=True)
class StackRow:
    """One layer of the stack. peer: None where ONNX Runtime was not run. given: its weights are from a file.

    stages: alone, on one thread, on the path that runs the layer; empty on the plain path.
    """

    job: Job
    path: str
    given: bool
    own: Times
    peer: Times | None
    stages: tuple[StageCost, ...]
    peak_bytes: int | None


def pointwise_layers(network: Network) -> list[Layer]:
    """The layers that the stack runs: dense 1x1 convolutions of stride 1."""
    return [layer for layer in network.layers if layer.pointwise and layer.counted]


def stack_job(
    layer: Layer, parameters: WccParameters, seed: int, weights: Mapping[str, npt.NDArray[np.int8]]
) -> Job:
    """The layer on a natural-like map, with its own weights where given; multipliers are set from the map."""
    shape, own = layer.in_shape, weights.get(layer.name)
    if own is not None and own.shape != shape_of(layer):
        raise WccsimError(f"weights of {layer.name} are {own.shape}; the layer takes {shape_of(layer)}")
    positions = parameters.positions(shape.height, shape.width)
    fitting = replace(parameters, keep=max(parameters.keep, type(parameters.keep)(1, positions)))
    size = shape.channels, shape.height, shape.width
    return job(layer.name, size, layer.out_shape.channels, fitting, seed, own)


def run_stack(
    network: Network,
    parameters: WccParameters,
    threads: int,
    rounds: int,
    weights: Mapping[str, npt.NDArray[np.int8]],
    stages: bool = True,
) -> tuple[Iterator[StackRow], int, list[str]]:
    """The rows one by one as they are measured, how many there will be, and the peers not run."""
    makers, missing = available(threads, only=ONNXRUNTIME)
    layers = pointwise_layers(network)
    if not layers:
        raise WccsimError(f"{network.name} has no dense 1x1 convolution of stride 1")
    unknown = sorted(set(weights) - {layer.name for layer in layers})
    if unknown:
        raise WccsimError(f"{network.name} has no 1x1 convolution called {unknown[0]!r} to give weights to")

    def rows() -> Iterator[StackRow]:
        workspace = Workspace(threads)
        for number, layer in enumerate(layers):
            one = stack_job(layer, parameters, number, weights)
            choice = choose(one.plan, False)
            own = path_call(one, choice.name, workspace)
            peak = peak_bytes(own)
            contenders = {"own": own} | {name: make(one) for name, make in makers.items()}
            times = interleaved(contenders, rounds, burst=2)
            measured = stages and choice.name in MEASURED
            yield StackRow(
                job=one,
                path=choice.name,
                given=layer.name in weights,
                own=times["own"],
                peer=next((times[name] for name in makers), None),
                stages=tuple(stage_costs(one, choice.name)) if measured else (),
                peak_bytes=None if peak is None else peak + one.x.nbytes,
            )

    return rows(), len(layers), missing


def stage_shares(rows: Sequence[StackRow]) -> list[tuple[str, float, float]]:
    """Over all rows: each stage, its seconds, and its share of all stages; the shares add up to 1."""
    spent: dict[str, float] = {}
    for row in rows:
        for cost in row.stages:
            spent[cost.name] = spent.get(cost.name, 0.0) + cost.seconds
    whole = sum(spent.values())
    return [(name, taken, taken / whole) for name, taken in spent.items()]
