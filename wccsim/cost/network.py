"""The cost of a whole network, and of its variants: dense, quantised, WCC."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from fractions import Fraction

from wccsim.cost.dense import dense_layer_cost, other_layer_cost
from wccsim.cost.options import CostOptions
from wccsim.cost.pricing import prices_of
from wccsim.cost.record import LayerCost
from wccsim.cost.surroundings import surroundings
from wccsim.cost.views import fitted
from wccsim.cost.wcc import wcc_layer_cost
from wccsim.hardware.energy import EnergyTable
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer, Network
from wccsim.network.stored import VIEWS


@dataclass(frozen=True, slots=True)
class NetworkCost:
    """All layers of one network on one accelerator."""

    network: Network
    accelerator: Accelerator
    table: EnergyTable
    options: CostOptions
    layers: tuple[LayerCost, ...]

    @property
    def cycles(self) -> int:
        """Cycles of all layers, one after the other."""
        return sum(layer.latency.total for layer in self.layers)

    @property
    def dram_bits(self) -> int:
        """Bits across the DRAM port."""
        return sum(layer.dram_bits for layer in self.layers)

    @property
    def sram_bits(self) -> int:
        """Bits through the buffers."""
        return sum(layer.sram_bits for layer in self.layers)

    @property
    def macs(self) -> int:
        """Multiply-accumulates done."""
        return sum(layer.macs for layer in self.layers)

    @property
    def bops(self) -> int:
        """Bit operations, MAC * bw * ba, without the transforms."""
        return sum(cost.macs * cost.layer.weight_bits * cost.layer.act_bits for cost in self.layers)

    @property
    def energy_pj(self) -> float:
        """Energy of all layers."""
        return sum(layer.energy_pj for layer in self.layers)

    def part_pj(self, part: str) -> float:
        """Energy of all layers in "compute", "sram" or "dram"."""
        return sum(layer.part_pj(part) for layer in self.layers)


def network_cost(
    network: Network, accelerator: Accelerator, table: EnergyTable, options: CostOptions | None = None
) -> NetworkCost:
    """Cost of every counted layer of `network`, each after the other.

    Raises WccsimError where a width exceeds the array's, where no tile of a layer fits the buffers,
    or where a WCC layer meets an accelerator without the unit.
    """
    options = options or CostOptions()
    prices = prices_of(table, options)
    described = {layer.name: layer for layer in network.layers}
    network = fitted(network, accelerator)
    around = surroundings(network.layers, accelerator, options)
    costs = []
    for layer in network.layers:
        if layer.op in VIEWS or not layer.counted:
            continue
        source = around[layer.name]
        if layer.keep is not None:
            costs.append(wcc_layer_cost(layer, source, accelerator, prices, options))
        elif layer.multiplies:
            costs.append(dense_layer_cost(layer, source, accelerator, prices, options))
        else:
            costs.append(other_layer_cost(layer, source, accelerator, prices))
    noted = tuple(_noted(cost, described[cost.layer.name]) for cost in costs)
    return NetworkCost(network, accelerator, table, options, noted)


def _noted(cost: LayerCost, described: Layer) -> LayerCost:
    """Says where an exempt layer runs narrower than it is described."""
    if (described.weight_bits, described.act_bits) == (cost.layer.weight_bits, cost.layer.act_bits):
        return cost
    note = "exempt and described wider than the array: runs at the array's widths"
    return replace(cost, notes=(*cost.notes, note))


def without_wcc(network: Network) -> Network:
    """The network with every layer dense, all widths as they are."""
    return replace(network, layers=tuple(replace(layer, keep=None) for layer in network.layers))


def quantised_equivalent(network: Network) -> Network:
    """The dense network whose WCC layers read maps of ceil(act_bits * keep) bits instead: equal payload."""

    def narrowed(layer: Layer) -> Layer:
        if layer.keep is None:
            return layer
        return replace(layer, keep=None, act_bits=equivalent_bits(layer.act_bits, layer.keep))

    return replace(network, layers=tuple(narrowed(layer) for layer in network.layers))


def equivalent_bits(act_bits: int, keep: Fraction) -> int:
    """Bits of uniform quantisation that carry what WCC's kept coefficients carry, rounded up."""
    return max(math.ceil(act_bits * keep), 1)
