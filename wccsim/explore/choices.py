"""The settings that each layer may take and their prices: one by one for the search, together at the end.

The search needs prices that add up. Each setting is priced with the whole network under it, and a
layer's choice pays for itself and for the layers without a choice that read its map (or, before the
first choice, make it). An outcome mixes settings, and a neighbour's setting may change how a map crosses
DRAM: its width, its form, whether it leaves the chip. So an outcome is priced again, as `wccsim cost`
would price the network it stands for.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from wccsim.cost.network import network_cost
from wccsim.explore.grid import Grid, Setting
from wccsim.explore.price import Job, Part, price_network
from wccsim.network.model import Layer, Network
from wccsim.network.stored import sources_of

OBJECTIVES = {"bops": "bops", "cycles": "cycles", "energy": "energy_pj", "traffic": "dram_bits"}


@dataclass(frozen=True, slots=True)
class Choice:
    """One setting of one layer, its price and its distortion (noise over signal times values)."""

    setting: Setting
    cost: float
    distortion: float


@dataclass(frozen=True, slots=True)
class Choices:
    """The layers to decide, the choices of each in the grid's order, and what no choice pays for.

    whole: the network under each setting of the grid, for all its layers at once. exact: the prices
    add up to that of any mixture, too.
    """

    layers: tuple[Layer, ...]
    of_layer: tuple[tuple[Choice, ...], ...]
    fixed: float
    whole: tuple[float, ...]
    exact: bool


def choices_of(job: Job, grid: Grid, objective: str) -> Choices:
    """Every setting of the grid on every layer that can use WCC (the job's own settings are ignored)."""
    settings = tuple(dict.fromkeys(grid.settings()))
    by_width: dict[tuple[int, int], list[Setting]] = {}
    for setting in settings:
        by_width.setdefault((setting.act_bits, setting.weight_bits), []).append(setting)
    parts = [
        price_network(_widened(job.network, *width), replace(job, settings=tuple(some)))
        for width, some in by_width.items()
    ]
    layers = tuple(layer for layer in job.network.layers if layer.compressible and layer.counted)
    owners = _owners(job.network, alone=objective == "bops")
    priced = [_priced(part, owners, OBJECTIVES[objective]) for part in parts]
    table = {s: choice for part, rows in zip(parts, priced, strict=True)
             for s, choice in zip(part.settings, rows, strict=True)}  # fmt: skip
    alone = job.options.compress != "producer" and not job.options.fuse and len(grid.act_bits) == 1
    return Choices(
        layers,
        tuple(tuple(Choice(s, *table[s][layer.name]) for s in settings) for layer in layers),
        min(table[s][""][0] for s in settings),
        tuple(sum(cost for cost, _ in table[s].values()) for s in settings),
        exact=objective == "bops" or alone,
    )


def _widened(network: Network, act_bits: int, weight_bits: int) -> Network:
    """The widths on the layers that have a choice, and on no other."""
    return replace(
        network,
        layers=tuple(
            replace(layer, act_bits=act_bits, weight_bits=weight_bits) if layer.compressible else layer
            for layer in network.layers
        ),
    )


def _owners(network: Network, alone: bool) -> dict[str, str]:
    """For each layer the one whose choice pays for it: itself, the owner of a map it reads, or of a
    reader of its own map; "" where there is none. `alone`: no choice pays for another layer, since
    no layer's price depends on its neighbours."""
    owners: dict[str, str] = {}
    if alone:
        return {
            layer.name: layer.name if layer.compressible and layer.counted else "" for layer in network.layers
        }
    sources = sources_of(network.layers)
    for layer in network.layers:
        behind = [owner for maker in sources[layer.name] if (owner := owners[maker])]
        chosen = layer.compressible and layer.counted
        owners[layer.name] = layer.name if chosen else behind[0] if behind else ""
    for layer in reversed(network.layers):
        for maker in sources[layer.name]:
            owners[maker] = owners[maker] or owners[layer.name]
    return owners


def _priced(part: Part, owners: Mapping[str, str], column: str) -> list[dict[str, tuple[float, float]]]:
    """For each setting: (cost, distortion) by owner; under "" what nobody owns."""
    cost, distortion = part.table(column), part.table("distortion")
    members: dict[str, list[int]] = {"": []}
    for index, name in enumerate(part.layers):
        members.setdefault(owners[name], []).append(index)
    own = {name: index for index, name in enumerate(part.layers)}
    return [
        {
            owner: (
                float(np.sum(cost[row, indices])),
                float(distortion[row, own[owner]]) if owner else 0.0,
            )
            for owner, indices in members.items()
        }
        for row in range(len(part.settings))
    ]


def priced_together(
    job: Job, layers: Sequence[Layer], settings: Sequence[Setting], objective: str
) -> tuple[float, list[float]]:
    """(whole network, each of `layers`): the objective with every layer under a setting of its own.

    Not for the objective bops, whose prices add up under every mixture.
    """
    wanted = {layer.name: setting for layer, setting in zip(layers, settings, strict=True)}
    cost = network_cost(mixed(job.network, wanted), job.accelerator, job.table, job.options)
    total = {"cycles": cost.cycles, "traffic": cost.dram_bits, "energy": cost.energy_pj}[objective]
    by_name = {
        one.layer.name: {"cycles": one.latency.total, "traffic": one.dram_bits, "energy": one.energy_pj}
        for one in cost.layers
        if one.layer.name in wanted
    }
    return float(total), [float(by_name[layer.name][objective]) for layer in layers]


def mixed(network: Network, wanted: Mapping[str, Setting]) -> Network:
    """`network` with each named layer under its setting and no other layer compressed."""

    def changed(layer: Layer) -> Layer:
        s = wanted.get(layer.name)
        if s is None:
            return replace(layer, keep=None)
        return replace(
            layer, keep=s.keep, act_bits=s.act_bits, weight_bits=s.weight_bits, levels=s.levels
        )  # fmt: skip

    return replace(network, layers=tuple(changed(layer) for layer in network.layers))
