"""Every 1x1 convolution of a network, bit-exactly, one image, beside ONNX Runtime's dense int8 layers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wccsim.bench.inputs import Job, job
from wccsim.bench.layers import path_call
from wccsim.bench.peers import ONNXRUNTIME, available
from wccsim.bench.stages import StageCost, stage_costs
from wccsim.bench.timing import Times, interleaved, peak_bytes
from wccsim.datapath import portable
from wccsim.datapath.engine import choose
from wccsim.datapath.fused import Workspace
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters

if TYPE_CHECKING:
    from wccsim.network.model import Layer, Network


@dataclass(frozen=True, slots=True)
class StackRow:
    """One layer of the stack. peer: None where ONNX Runtime was not run."""

    job: Job
    path: str
    own: Times
    peer: Times | None
    stages: tuple[StageCost, ...]
    peak_bytes: int | None


def read_weights(path: Path) -> dict[str, npt.NDArray[np.int8]]:
    """int8 [O, C] by layer name from an npz with int8 arrays [O, C] or [O, C, 1, 1]."""
    try:
        with np.load(path, allow_pickle=False) as file:
            arrays = {name: file[name] for name in file.files}
    except (OSError, ValueError, EOFError) as problem:
        raise WccsimError(f"{path}: not a readable npz of weights ({problem})") from None
    wrong = [name for name, a in arrays.items() if a.dtype != np.int8 or a.ndim not in (2, 4)]
    if wrong:
        raise WccsimError(f"{path}: {wrong[0]} is not int8 [O, C] or [O, C, 1, 1]")
    return {name: a.reshape(a.shape[0], -1) for name, a in arrays.items()}


def pointwise_layers(network: Network) -> list[Layer]:
    """The layers that the stack runs: dense 1x1 convolutions of stride 1."""
    return [layer for layer in network.layers if layer.pointwise and layer.counted]


def stack_job(
    layer: Layer, parameters: WccParameters, seed: int, weights: dict[str, npt.NDArray[np.int8]]
) -> Job:
    """The layer on a natural-like map, with its own weights where given."""
    shape, outputs = layer.in_shape, layer.out_shape.channels
    own = weights.get(layer.name)
    if own is not None and own.shape != (outputs, shape.channels):
        raise WccsimError(
            f"weights of {layer.name} are {own.shape}; the layer has {(outputs, shape.channels)}"
        )
    positions = parameters.positions(shape.height, shape.width)
    fitting = replace(parameters, keep=max(parameters.keep, type(parameters.keep)(1, positions)))
    return job(layer.name, (shape.channels, shape.height, shape.width), outputs, fitting, seed, own)


def run_stack(
    network: Network,
    parameters: WccParameters,
    threads: int,
    rounds: int,
    weights: dict[str, npt.NDArray[np.int8]],
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
            covered = portable.covers(one.plan, False, False) is None
            yield StackRow(
                job=one,
                path=choice.name,
                own=times["own"],
                peer=next((times[name] for name in makers), None),
                stages=tuple(stage_costs(one, repeats=1)) if stages and covered else (),
                peak_bytes=None if peak is None else peak + one.x.nbytes,
            )

    return rows(), len(layers), missing
