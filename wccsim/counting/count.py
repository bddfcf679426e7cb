"""The count of a whole network: one `LayerCount` for each layer that works or moves data."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from fractions import Fraction

from wccsim.counting.bops import bops_haar, bops_mac, bops_uniq
from wccsim.counting.compressed import CompressedMap, compressed_map
from wccsim.counting.exact import Exact, whole
from wccsim.counting.gates import GateWeights, MissingWeight, dense_gates, wcc_stage_gates
from wccsim.counting.macs import biases, macs, multiplies_two_maps, taps, weights
from wccsim.counting.options import CountingOptions
from wccsim.counting.traffic import Traffic, network_traffic
from wccsim.errors import WccsimError
from wccsim.network.model import Layer, Network
from wccsim.network.stored import VIEWS
from wccsim.parameters import WccParameters


@dataclass(frozen=True, slots=True)
class LayerCount:
    """What one layer costs.

    macs: of the dense layer, under the counting rule. executed_macs: what is really multiplied,
    fewer where WCC keeps a part. bops_haar: forward and inverse transform under `mac` and `uniq`;
    under `gates` everything that WCC adds to the products.
    """

    layer: Layer
    macs: Exact
    executed_macs: Exact
    bops_conv: Exact
    bops_haar: Exact
    params: int
    traffic: Traffic
    compressed: CompressedMap | None

    @property
    def bops(self) -> Exact:
        """Convolution and transform."""
        return whole(self.bops_conv + self.bops_haar)

    @property
    def effective_bits(self) -> Fraction | None:
        """Bits of the kept coefficients for each value of the input map; None without WCC."""
        if self.compressed is None:
            return None
        return Fraction(self.compressed.payload_bits) / self.layer.in_shape.values

    @property
    def effective_bits_with_index(self) -> Fraction | None:
        """The same with the index memory paid for."""
        if self.compressed is None:
            return None
        return Fraction(self.compressed.bits) / self.layer.in_shape.values


def count_network(
    network: Network, options: CountingOptions, gates: GateWeights | None = None
) -> tuple[LayerCount, ...]:
    """Counts of all layers that are counted, in execution order.

    Views (padding, activation, reshape, slice, concatenation, the inputs) have no operations and
    no traffic of their own and no row. `gates` is needed under the definition of that name.
    """
    traffic = network_traffic(network.layers, options)
    counts = []
    for layer in network.layers:
        if layer.counted and layer.op not in VIEWS:
            try:
                counts.append(count_layer(layer, options, traffic[layer.name], gates))
            except MissingWeight as problem:
                exempt = "; --exempt-bits gives exempt layers another width" if layer.exempt else ""
                raise WccsimError(f"layer {layer.name}: {problem}{exempt}") from None
    return tuple(counts)


def count_layer(
    layer: Layer, options: CountingOptions, traffic: Traffic, gates: GateWeights | None = None
) -> LayerCount:
    """The count of one layer, given its traffic."""
    dense = macs(layer, options.counting)
    compressed: CompressedMap | None = None
    executed, conv, haar = dense, whole(Fraction(0)), whole(Fraction(0))
    if layer.keep is not None:
        compressed = compressed_map(layer, layer.keep, options)
        executed = _executed(layer, options, compressed)
        stages = stage_bops(layer, options, gates)
        conv = whole(stages.pop("mac") + stages.pop("requantise_sum", 0))
        haar = whole(sum(stages.values(), Fraction(0)))
    elif options.definition == "gates" and gates is not None and layer.multiplies:
        conv = dense_gates(gates, dense, layer.out_shape.values, *operand_bits(layer))
    else:
        conv = _bops_of(layer, options, dense)
    return LayerCount(
        layer, dense, executed, whole(conv), haar, weights(layer) + biases(layer), traffic, compressed
    )


def total(counts: Iterable[LayerCount], what: Callable[[LayerCount], Exact]) -> Exact:
    """The sum of `what` over the layers: totals are sums of leaves, and nothing else."""
    return whole(sum((what(count) for count in counts), Fraction(0)))


def operand_bits(layer: Layer) -> tuple[int, int]:
    """Widths of the two factors: weight and activation, or two activations for a product of maps."""
    return (layer.act_bits if multiplies_two_maps(layer) else layer.weight_bits), layer.act_bits


def _bops_of(layer: Layer, options: CountingOptions, executed: Exact) -> Exact:
    if not layer.multiplies:
        return 0
    first, second = operand_bits(layer)
    if options.definition == "uniq":
        return bops_uniq(executed, first, second, taps(layer))
    return bops_mac(executed, first, second)


def effective_bits(counts: Iterable[LayerCount], with_index: bool) -> Fraction | None:
    """Bits for each value over the inputs of all WCC layers together; None where there are none."""
    wcc = [count for count in counts if count.compressed is not None]
    if not wcc:
        return None
    bits = total(wcc, lambda c: c.compressed.bits if with_index else c.compressed.payload_bits)  # type: ignore[union-attr]
    return Fraction(bits) / sum(count.layer.in_shape.values for count in wcc)


def stage_bops(layer: Layer, options: CountingOptions, gates: GateWeights | None = None) -> dict[str, Exact]:
    """Bit operations of each stage of a WCC layer; they add up to the layer's.

    `mac` and `uniq` charge the products and the two transforms and take every other stage for free.
    """
    assert layer.keep is not None
    compressed = compressed_map(layer, layer.keep, options)
    executed = _executed(layer, options, compressed)
    if options.definition == "gates" and gates is not None:
        p = WccParameters(
            keep=layer.keep,
            levels=layer.levels,
            in_bits=layer.act_bits,
            act_bits=layer.act_bits,
            weight_bits=layer.weight_bits,
        )
        return wcc_stage_gates(gates, p, layer, executed, compressed)
    inputs, outputs = (
        bops_haar(channels * compressed.positions, layer.levels, layer.act_bits)
        for channels in (layer.in_shape.channels, layer.out_shape.channels)
    )
    return {"haar": inputs, "mac": _bops_of(layer, options, executed), "inverse": outputs}


def _executed(layer: Layer, options: CountingOptions, compressed: CompressedMap) -> Exact:
    if options.padding == "padded":
        return whole(taps(layer) * layer.out_shape.channels * compressed.kept)
    assert layer.keep is not None
    return whole(layer.keep * macs(layer, options.counting))
