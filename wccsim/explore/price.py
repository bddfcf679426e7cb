"""Layer-points of one part of a sweep: every layer under settings that share their widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.cost.dense import dense_layer_cost, other_layer_cost
from wccsim.cost.options import CostOptions
from wccsim.cost.points import Costs, Points
from wccsim.cost.pricing import Prices
from wccsim.cost.record import LayerCost
from wccsim.cost.source import Source
from wccsim.cost.surroundings import surroundings
from wccsim.cost.vector import vector_costs
from wccsim.cost.views import fitted
from wccsim.counting.options import configured
from wccsim.counting.traffic import VIEWS
from wccsim.errors import WccsimError
from wccsim.explore.distortion import Distortion
from wccsim.explore.grid import Setting
from wccsim.hardware.energy import EnergyTable
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer, Network
from wccsim.parameters import padded

Column = npt.NDArray[Any]
COLUMNS = ("macs", "bops", "cycles", "dram_bits", "energy_pj", "distortion")


@dataclass(frozen=True, slots=True)
class Job:
    """One part: settings of equal act_bits and weight_bits, and everything their prices rest on."""

    network: Network
    accelerator: Accelerator
    table: EnergyTable
    options: CostOptions
    distortion: Distortion
    settings: tuple[Setting, ...]


@dataclass(frozen=True)
class Part:
    """Layer-points, settings outermost: `values[name]` has one entry for each setting and layer.

    distortion is noise over signal times the values of the layer's input map, 0 where nothing changes.
    """

    layers: tuple[str, ...]
    settings: tuple[Setting, ...]
    values: dict[str, Column]

    def totals(self) -> dict[str, Column]:
        """Each column summed over the layers, one entry a setting."""
        shape = (len(self.settings), len(self.layers))
        return {name: values.reshape(shape).sum(axis=1) for name, values in self.values.items()}


def price_part(job: Job) -> Part:
    """All layer-points of a job. Deterministic, and independent of every other job."""
    first = job.settings[0]
    network = configured(job.network, weight_bits=first.weight_bits, act_bits=first.act_bits)
    network = fitted(network, job.accelerator)
    network = replace(network, layers=tuple(replace(layer, keep=None) for layer in network.layers))
    around = surroundings(network.layers, job.accelerator, job.options)
    layers = [layer for layer in network.layers if layer.op not in VIEWS and layer.counted]
    rows, columns = len(job.settings), len(layers)
    values: dict[str, Column] = {name: np.zeros((rows, columns), dtype=_type(name)) for name in COLUMNS}
    prices = Prices(job.table)
    waves = [index for index, layer in enumerate(layers) if layer.compressible]
    for index, layer in enumerate(layers):
        source = around[layer.name]
        priced = (
            dense_layer_cost(layer, source, job.accelerator, prices, job.options)
            if layer.multiplies
            else other_layer_cost(layer, source, job.accelerator, prices)
        )
        _fill(values, index, priced, layer, job.distortion)
    wcc = [row for row, setting in enumerate(job.settings) if setting.keep is not None]
    if wcc and waves:
        _fill_wcc(values, wcc, waves, layers, around, job)
    return Part(
        tuple(layer.name for layer in layers),
        job.settings,
        {name: column.reshape(-1) for name, column in values.items()},
    )


def _type(name: str) -> type:
    return np.float64 if name in ("energy_pj", "distortion") else np.int64


def _fill(
    values: dict[str, Column], index: int, priced: LayerCost, layer: Layer, distortion: Distortion
) -> None:
    """A dense layer: the same under every setting of the part."""
    values["macs"][:, index] = priced.macs
    values["bops"][:, index] = priced.macs * layer.weight_bits * layer.act_bits
    values["cycles"][:, index] = priced.latency.total
    values["dram_bits"][:, index] = priced.dram_bits
    values["energy_pj"][:, index] = priced.energy_pj
    if layer.multiplies and not layer.exempt:
        values["distortion"][:, index] = (
            distortion.of(layer, None, layer.act_bits, layer.levels) * layer.in_shape.values
        )


def _fill_wcc(
    values: dict[str, Column],
    wcc: list[int],
    waves: list[int],
    layers: Sequence[Layer],
    around: dict[str, Source],
    job: Job,
) -> None:
    """The compressible layers under the settings that use WCC, all at once."""
    settings = [job.settings[row] for row in wcc]
    points = layer_points(
        [(layers[index], around[layers[index].name], setting) for setting in settings for index in waves]
    )
    costs = vector_costs(points, job.accelerator, job.table, job.options)
    at = np.ix_(wcc, waves)
    shape = (len(wcc), len(waves))
    for name in Costs.__dataclass_fields__:
        values[name][at] = getattr(costs, name).reshape(shape)
    for index in waves:
        layer, memo = layers[index], dict[tuple[Fraction, int], float]()
        for row, setting in zip(wcc, settings, strict=True):
            assert setting.keep is not None
            key = (setting.keep, setting.levels)
            if key not in memo:
                memo[key] = job.distortion.of(layer, setting.keep, setting.act_bits, setting.levels)
            values["distortion"][row, index] = memo[key] * layer.in_shape.values


def layer_points(chosen: Sequence[tuple[Layer, Source, Setting]]) -> Points:
    """Points of layers under settings; WccsimError where a layer would keep no position."""
    rows = []
    for layer, source, setting in chosen:
        shape, keep = layer.in_shape, setting.keep
        assert keep is not None
        positions = padded(shape.height, setting.levels) * padded(shape.width, setting.levels)
        kept = positions * keep.numerator // keep.denominator
        if kept < 1:
            raise WccsimError(f"layer {layer.name}: keep {keep} of its {positions} positions keeps none")
        rows.append(
            (
                shape.channels, layer.out_shape.channels, shape.height * shape.width, positions, kept,
                setting.levels, setting.act_bits, setting.weight_bits, int(layer.bias), source.in_read_bits,
                source.out_bits,
            )
        )  # fmt: skip
    try:
        return Points(*np.array(rows, dtype=np.int64).T)
    except OverflowError:
        raise WccsimError("a layer's sizes do not fit 64 bits; `wccsim cost` prices such a layer") from None
