"""Bits that cross the memory port: weights, maps in, maps out and index apart.

The rule, stated in every report: each layer reads its weights once and every input map once, and
writes its output map once. A WCC layer reads its input as kept coefficients and their index
(`maps` = compressed), and whoever makes that map writes that form; a map that others read whole is
written whole as well. Reading again because a tile does not fit is the cost model's matter.

Padding, activation, reshape, slice and concatenation move nothing: whoever reads their result reads
the maps behind it, as large as the reader's row says. Where a map's readers differ in width, it is
stored at the widest.

Residency: a map stays on chip, and is neither written nor read, if at every moment of its life all
maps then alive fit into `on_chip_bits` together. More memory can only add maps to those, so it
never costs more. Inputs of the network are always read, maps that nobody reads always written.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate

from wccsim.counting.compressed import CompressedMap, compressed_map
from wccsim.counting.exact import Exact, whole
from wccsim.counting.macs import biases, weights
from wccsim.counting.options import CountingOptions
from wccsim.network.model import Layer
from wccsim.network.stored import VIEWS, StoredMap, sources_of, stored_maps

BIAS_BITS = 32


@dataclass(frozen=True, slots=True)
class Traffic:
    """Bits across the memory port for one layer."""

    weight_bits: int = 0
    in_bits: Exact = 0
    out_bits: Exact = 0
    index_bits: Exact = 0

    @property
    def bits(self) -> Exact:
        """All of them."""
        return whole(self.weight_bits + self.in_bits + self.out_bits + self.index_bits)


def network_traffic(layers: Sequence[Layer], options: CountingOptions) -> dict[str, Traffic]:
    """Traffic of every layer by name; `layers` in execution order, whole network."""
    sources = sources_of(layers)
    maps = stored_maps(layers, sources)
    resident = _resident(layers, maps, options.on_chip_bits)
    forms = {layer.name: _form(layer, options) for layer in layers}
    traffic = {}
    for layer in layers:
        if layer.op in VIEWS:
            traffic[layer.name] = Traffic()
            continue
        in_bits, in_index = _read(layer, sources, maps, resident, forms[layer.name])
        stays = layer.name in resident
        out_bits, out_index = (0, 0) if stays else _written(maps[layer.name], sources, maps, forms)
        traffic[layer.name] = Traffic(weight_bits(layer), in_bits, out_bits, in_index + out_index)
    return traffic


def unique_bits(layers: Sequence[Layer], options: CountingOptions) -> Exact:
    """What no residency can spare: weights, inputs that are read (in one form) and results, each once."""
    sources = sources_of(layers)
    maps = stored_maps(layers, sources)
    forms = {layer.name: _form(layer, options) for layer in layers}
    unique: Exact = sum(map(weight_bits, layers))
    for stored in maps.values():
        if stored.maker.op != "input":
            unique += stored.dense_bits if stored.is_result else 0
        elif stored.readers:
            whole_form, copies = _copies(stored, sources, maps, forms)
            unique += stored.dense_bits if whole_form else max(bits for bits, _ in copies)
    return whole(unique)


def weight_bits(layer: Layer) -> int:
    """Bits of the weights, and of 32-bit biases."""
    return weights(layer) * layer.weight_bits + biases(layer) * BIAS_BITS


def _resident(layers: Sequence[Layer], maps: Mapping[str, StoredMap], on_chip_bits: int) -> set[str]:
    """The makers of the maps that never leave the chip."""
    begin = {layer.name: step for step, layer in enumerate(layers)}
    last_use = {
        name: max((begin[reader.name] for reader in stored.readers), default=begin[name])
        for name, stored in maps.items()
    }
    alive = _alive(list(begin), {name: stored.dense_bits for name, stored in maps.items()}, last_use)
    return {
        name
        for name, stored in maps.items()
        if stored.maker.op != "input"
        and not stored.is_result
        and max(alive[begin[name] : last_use[name] + 1]) <= on_chip_bits
    }


def _alive(names: list[str], bits: Mapping[str, int], last_use: Mapping[str, int]) -> list[int]:
    """Bits of all maps alive at each step: added where a life begins, taken off after its last use."""
    change = [0] * (len(names) + 1)
    for step, name in enumerate(names):
        if name in bits:
            change[step] += bits[name]
            change[last_use[name] + 1] -= bits[name]
    return list(accumulate(change[:-1]))


def _form(layer: Layer, options: CountingOptions) -> CompressedMap | None:
    """How the layer wants its input compressed; None where it reads it whole."""
    if layer.keep is None or options.maps == "dense":
        return None
    return compressed_map(layer, layer.keep, options)


def _read(
    layer: Layer,
    sources: Mapping[str, tuple[str, ...]],
    maps: Mapping[str, StoredMap],
    resident: set[str],
    form: CompressedMap | None,
) -> tuple[Exact, int]:
    """Bits of maps and of index that the layer reads."""
    stored = [maps[name] for name in sources[layer.name]]
    crossing = [maps[name] for name in sources[layer.name] if name not in resident]
    if stored and not crossing:
        return 0, 0
    if form is not None:
        return form.payload_bits, form.index_bits
    if len(layer.inputs) > 1:
        return sum(m.dense_bits for m in crossing), 0
    # One input is as large as the reader's row says: a view may have padded the maps behind it, or cut them.
    width_bits = max((m.width_bits for m in stored), default=layer.act_bits)
    added = layer.in_shape.values - sum(m.maker.out_shape.values for m in stored)
    if added >= 0:
        return sum(m.dense_bits for m in crossing) + added * width_bits, 0
    on_chip = sum(m.maker.out_shape.values for m in stored) - sum(m.maker.out_shape.values for m in crossing)
    return max(layer.in_shape.values - on_chip, 0) * width_bits, 0


def _written(
    made: StoredMap,
    sources: Mapping[str, tuple[str, ...]],
    maps: Mapping[str, StoredMap],
    forms: Mapping[str, CompressedMap | None],
) -> tuple[Exact, int]:
    """Bits of the map and of index that its maker writes: one copy for each form that is read."""
    read_whole, copies = _copies(made, sources, maps, forms)
    dense = made.dense_bits if read_whole or made.is_result else 0
    return whole(dense + sum(bits for bits, _ in copies)), sum(index for _, index in copies)


def _copies(
    made: StoredMap,
    sources: Mapping[str, tuple[str, ...]],
    maps: Mapping[str, StoredMap],
    forms: Mapping[str, CompressedMap | None],
) -> tuple[bool, set[tuple[Exact, int]]]:
    """Whether somebody reads the map whole, and its compressed copies as (payload bits, index bits).

    Where a reader compresses several concatenated maps jointly, each map has its share of the
    payload, and the last one the index.
    """
    copies: set[tuple[Exact, int]] = set()
    for reader in made.readers:
        form = forms[reader.name]
        if form is not None:
            together = sources[reader.name]
            values = sum(maps[name].maker.out_shape.values for name in together)
            payload = whole(form.payload_bits * Fraction(made.maker.out_shape.values, values))
            copies.add((payload, form.index_bits * (together[-1] == made.maker.name)))
    return any(forms[reader.name] is None for reader in made.readers), copies
