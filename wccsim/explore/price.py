"""Layer-points of one part of a sweep: every layer under settings that share their widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
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
from wccsim.cost.tiling_vector import Ints
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
    for index in waves:
        layer = layers[index]
        points = layer_points(layer, around[layer.name], settings)
        costs = vector_costs(points, job.accelerator, job.table, job.options)
        for name in Costs.__dataclass_fields__:
            values[name][wcc, index] = getattr(costs, name)
        kept, positions, levels = (
            array.astype(np.float64) for array in (points.kept, points.positions, points.levels)
        )
        noise = job.distortion.of_wcc(layer, kept, positions, levels, settings[0].act_bits)
        values["distortion"][wcc, index] = noise * layer.in_shape.values


def layer_points(layer: Layer, source: Source, settings: Sequence[Setting]) -> Points:
    """Points of one layer under settings; WccsimError where it would keep no position."""
    shape = layer.in_shape
    sizes = {
        levels: padded(shape.height, levels) * padded(shape.width, levels)
        for levels in {setting.levels for setting in settings}
    }
    kept = []
    for setting in settings:
        assert setting.keep is not None
        numerator, denominator = setting.keep.as_integer_ratio()
        kept.append(sizes[setting.levels] * numerator // denominator)
    if min(kept) < 1:
        first = settings[min(range(len(kept)), key=kept.__getitem__)]
        raise WccsimError(
            f"layer {layer.name}: keep {first.keep} of its {sizes[first.levels]} positions keeps none"
        )

    def same(value: int) -> Ints:
        return np.full(len(settings), value, dtype=np.int64)

    try:
        return Points(
            in_channels=same(shape.channels),
            out_channels=same(layer.out_shape.channels),
            pixels=same(shape.height * shape.width),
            positions=np.array([sizes[setting.levels] for setting in settings], dtype=np.int64),
            kept=np.array(kept, dtype=np.int64),
            levels=np.array([setting.levels for setting in settings], dtype=np.int64),
            act_bits=np.array([setting.act_bits for setting in settings], dtype=np.int64),
            weight_bits=np.array([setting.weight_bits for setting in settings], dtype=np.int64),
            bias=same(int(layer.bias)),
            map_bits=same(source.in_read_bits),
            out_bits=same(source.out_bits),
        )
    except OverflowError:
        raise WccsimError("a layer's sizes do not fit 64 bits; `wccsim cost` prices such a layer") from None
