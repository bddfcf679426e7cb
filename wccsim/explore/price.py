"""Layer-points of one part of a sweep: every layer under settings that share their widths."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.cost.dense import dense_layer_cost, other_layer_cost
from wccsim.cost.network import without_wcc
from wccsim.cost.options import CostOptions
from wccsim.cost.points import Costs, Points
from wccsim.cost.pricing import Prices, prices_of
from wccsim.cost.record import LayerCost
from wccsim.cost.source import Source
from wccsim.cost.surroundings import surroundings
from wccsim.cost.tiling_vector import Ints
from wccsim.cost.vector import vector_costs
from wccsim.cost.views import fitted
from wccsim.counting.options import configured
from wccsim.errors import WccsimError
from wccsim.explore.distortion import Distortion
from wccsim.explore.grid import Grid, Setting
from wccsim.hardware.energy import EnergyTable
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer, Network
from wccsim.network.stored import VIEWS
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


@dataclass(frozen=True, slots=True)
class Part:
    """Layer-points, settings outermost: `values[name]` has one entry for each setting and layer.

    distortion is noise over signal times the values of the layer's input map, 0 where nothing changes.
    """

    layers: tuple[str, ...]
    settings: tuple[Setting, ...]
    values: dict[str, Column]

    def totals(self) -> dict[str, Column]:
        """Each column summed over the layers, one entry a setting."""
        return {name: self.table(name).sum(axis=1) for name in self.values}

    def table(self, name: str) -> Column:
        """One column as settings x layers."""
        return self.values[name].reshape(len(self.settings), len(self.layers))


@dataclass(frozen=True, slots=True)
class Around:
    """Where each layer's maps lie: one dict for each way they can, and which one each setting takes."""

    distinct: tuple[dict[str, Source], ...]
    which: Ints

    def of(self, layer: Layer, rows: Ints) -> tuple[list[Source], Ints]:
        """The layer's distinct sources, and which of them each of the settings `rows` takes."""
        sources: dict[Source, int] = {}
        numbers = [sources.setdefault(around[layer.name], len(sources)) for around in self.distinct]
        return list(sources), np.array(numbers, dtype=np.int64)[self.which[rows]]


def check_measured(options: CostOptions, grid: Grid) -> None:
    """WccsimError where a grid goes beyond what the means of Rice-coded forms were measured at."""
    keeps = [keep for keep in grid.keep if keep is not None]
    for what, means, one in (
        ("index_bits", options.index_bits, {"levels": grid.levels}),
        ("word_bits", options.word_bits, {"levels": grid.levels, "act_bits": grid.act_bits}),
    ):
        if means is None:
            continue
        for name, values in one.items():
            if len(values) > 1:
                raise WccsimError(
                    f"{what} was measured at one setting; {name} is {', '.join(map(str, values))}: give one"
                )
        if len(keeps) > 1 and means.means[0][0] is None:
            raise WccsimError(
                f"{what} is one mean for {len(keeps)} keeps; give one for each, as 1/4:5.42,1/2:4.6"
            )


def price_part(job: Job) -> Part:
    """All layer-points of a job. Deterministic, and independent of every other job."""
    first = job.settings[0]
    network = configured(job.network, weight_bits=first.weight_bits, act_bits=first.act_bits)
    return price_network(network, job)


def price_network(network: Network, job: Job) -> Part:
    """Layer-points of a network that has the settings' widths; the job's own network is not looked at.

    Each point equals the layer of `wccsim.cost.network.network_cost` under that setting: integers
    exactly, energies to rounding.
    """
    network = without_wcc(fitted(network, job.accelerator))
    prices = prices_of(job.table, job.options)
    around = _around(network, job)
    layers = [layer for layer in network.layers if layer.op not in VIEWS and layer.counted]
    shape = len(job.settings), len(layers)
    values: dict[str, Column] = {name: np.zeros(shape, dtype=_type(name)) for name in COLUMNS}
    wcc = np.array([setting.keep is not None for setting in job.settings])
    for index, layer in enumerate(layers):
        compressed = wcc & layer.compressible
        _fill_dense(values, index, layer, np.flatnonzero(~compressed), around, job, prices)
        _fill_wcc(values, index, layer, np.flatnonzero(compressed), around, job, prices)
    return Part(
        tuple(layer.name for layer in layers),
        job.settings,
        {name: column.reshape(-1) for name, column in values.items()},
    )


def _type(name: str) -> type:
    return np.float64 if name in ("energy_pj", "distortion") else np.int64


def _around(network: Network, job: Job) -> Around:
    """Stored whole, maps lie alike under every setting; compressed or fused, each setting has its own way."""
    if job.options.compress != "producer" and not job.options.fuse:
        every = np.zeros(len(job.settings), dtype=np.int64)
        return Around((surroundings(network.layers, job.accelerator, job.options),), every)
    distinct = tuple(
        surroundings(under(network, setting).layers, job.accelerator, job.options) for setting in job.settings
    )
    return Around(distinct, np.arange(len(distinct)))


def under(network: Network, setting: Setting) -> Network:
    """`network`, which has no WCC layers, under the setting's keep and levels."""
    return configured(network, keep=setting.keep, levels=setting.levels)


def _fill_dense(
    values: dict[str, Column],
    index: int,
    layer: Layer,
    rows: Ints,
    around: Around,
    job: Job,
    prices: Prices,
) -> None:
    """Settings under which the layer is dense: priced once for each way its maps lie."""
    if not len(rows):
        return
    sources, which = around.of(layer, rows)
    for number, source in enumerate(sources):
        at = rows[which == number]
        if len(at):
            _enter(values, (at, index), _dense_cost(layer, source, job, prices))
    if layer.multiplies and not layer.exempt:
        noise = job.distortion.of(layer, None, layer.act_bits, layer.levels)
        values["distortion"][rows, index] = noise * layer.in_shape.values


def _dense_cost(layer: Layer, source: Source, job: Job, prices: Prices) -> LayerCost:
    if layer.multiplies:
        return dense_layer_cost(layer, source, job.accelerator, prices, job.options)
    return other_layer_cost(layer, source, job.accelerator, prices)


def _enter(values: dict[str, Column], at: tuple[Ints, int], priced: LayerCost) -> None:
    values["macs"][at] = priced.macs
    values["bops"][at] = priced.macs * priced.layer.weight_bits * priced.layer.act_bits
    values["cycles"][at] = priced.latency.total
    values["dram_bits"][at] = priced.dram_bits
    values["energy_pj"][at] = priced.energy_pj


def _fill_wcc(
    values: dict[str, Column],
    index: int,
    layer: Layer,
    rows: Ints,
    around: Around,
    job: Job,
    prices: Prices,
) -> None:
    """Settings under which the layer uses WCC, all at once."""
    if not len(rows):
        return
    settings = [job.settings[row] for row in rows]
    points = layer_points(layer, settings, *around.of(layer, rows), job.options)
    costs = vector_costs(points, job.accelerator, prices, job.options)
    for name in Costs.__dataclass_fields__:
        values[name][rows, index] = getattr(costs, name)
    kept, positions, levels = (
        array.astype(np.float64) for array in (points.kept, points.positions, points.levels)
    )
    noise = job.distortion.of_wcc(layer, kept, positions, levels, settings[0].act_bits)
    values["distortion"][rows, index] = noise * layer.in_shape.values


def layer_points(
    layer: Layer,
    settings: Sequence[Setting],
    sources: Sequence[Source],
    which: Ints,
    options: CostOptions,
) -> Points:
    """Points of one layer: setting i lies among `sources[which[i]]`.

    Raises WccsimError where a setting would keep no position, or has no measured mean of a Rice-coded form.
    """
    shape, out = layer.in_shape, layer.out_shape
    sizes = {
        levels: padded(shape.height, levels) * padded(shape.width, levels)
        for levels in {setting.levels for setting in settings}
    }
    kept = _kept(layer, settings, sizes)
    index, stored = _stored(layer, settings, sizes, kept, options)

    def same(value: int) -> Ints:
        return np.full(len(settings), value, dtype=np.int64)

    def each(values: list[int]) -> Ints:
        return np.array(values, dtype=np.int64)

    try:
        return Points(
            in_channels=same(shape.channels),
            out_channels=same(out.channels),
            pixels=same(shape.height * shape.width),
            positions=each([sizes[setting.levels] for setting in settings]),
            kept=each(kept),
            levels=each([setting.levels for setting in settings]),
            act_bits=each([setting.act_bits for setting in settings]),
            weight_bits=each([setting.weight_bits for setting in settings]),
            index_bits=each(index),
            stored_bits=each(stored),
            bias=same(int(layer.bias)),
            map_bits=each([0 if s.in_on_chip else s.in_read_bits for s in sources])[which],
            kept_form=np.array([s.in_form == "kept" for s in sources])[which],
            in_index_bits=each([s.in_index_bits for s in sources])[which],
            out_bits=each([s.out_bits for s in sources])[which],
            out_store_bits=each(
                [0 if s.out_on_chip else s.out_store_bits(out.values * s.out_bits) for s in sources]
            )[which],
            out_index_bits=each([s.out_index_bits for s in sources])[which],
        )
    except OverflowError:
        raise WccsimError("a layer's sizes do not fit 64 bits; `wccsim cost` prices such a layer") from None


def _kept(layer: Layer, settings: Sequence[Setting], sizes: dict[int, int]) -> list[int]:
    """k of every setting."""
    kept = []
    for setting in settings:
        assert setting.keep is not None
        numerator, denominator = setting.keep.as_integer_ratio()
        kept.append(sizes[setting.levels] * numerator // denominator)
    if min(kept) < 1:
        first = settings[min(range(len(kept)), key=kept.__getitem__)]
        raise WccsimError(
            f"layer {layer.name}: keep {first.keep} of its {sizes[first.levels]} positions keeps none; "
            "keep more, or forbid WCC there: `wcc: false` in its description"
        )
    return kept


def _stored(
    layer: Layer, settings: Sequence[Setting], sizes: dict[int, int], kept: list[int], options: CostOptions
) -> tuple[list[int], list[int]]:
    """Bits of the index and of the stored kept words of every setting."""
    forms, channels = options.stored, layer.in_shape.channels
    index, words = [], []
    for setting, count in zip(settings, kept, strict=True):
        assert setting.keep is not None
        index.append(forms.index_total(sizes[setting.levels], count, setting.keep))
        words.append(forms.word_total(count * channels, setting.act_bits, setting.keep))
    return index, words
