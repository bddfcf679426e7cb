"""For every layer of a network: where its maps lie, in which form, and which never leave the chip."""

from __future__ import annotations

import itertools
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wccsim.cost.options import CostOptions
from wccsim.cost.parameters_of import index_of, parameters_of, words_of
from wccsim.cost.selection import selection_memory
from wccsim.cost.source import Form, Source
from wccsim.cost.views import TILED, capacity, dense_nest, kept_nest
from wccsim.cycles import ceil_div
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer
from wccsim.network.stored import VIEWS, StoredMap, sources_of, stored_maps
from wccsim.parameters import WccParameters
from wccsim.tiling import best_tiling


@dataclass(frozen=True, slots=True)
class PlacedMap(StoredMap):
    """A stored map and the form in which it lies in DRAM; the bits of a compressed one, index apart."""

    form: Form = "dense"
    payload_bits: int = 0
    index_bits: int = 0


def _dense(stored: StoredMap) -> PlacedMap:
    return PlacedMap(stored.maker, stored.readers, stored.width_bits, stored.is_result)


def _cheapest(
    plain: StoredMap, sources: Mapping[str, tuple[str, ...]], accelerator: Accelerator, options: CostOptions
) -> PlacedMap:
    """The map whole, or compressed where the policy is `producer` and it is less."""
    maker, readers = plain.maker, plain.readers
    alone = all(len(sources[reader.name]) == 1 for reader in readers)
    if options.compress != "producer" or plain.is_result or not readers or not alone or maker.op == "input":
        return _dense(plain)
    shape = maker.out_shape
    candidates = [(plain.dense_bits, 0, "dense")]
    if maker.keep is not None:
        p = parameters_of(maker, options)
        kept = p.kept(shape.height, shape.width)
        payload, index = kept * shape.channels * p.wavelet_bits, index_of(p, maker, options)
        if all(_rows_no_worse(r, plain, payload, index, accelerator, options) for r in readers):
            candidates.append((payload, index, "wavelet"))
    first = readers[0]
    settings = {(r.keep, r.levels, r.act_bits, r.in_shape) for r in readers}
    if first.keep is not None and settings == {(first.keep, first.levels, first.act_bits, shape)}:
        p = parameters_of(first, options)
        index = index_of(p, first, options)
        once = all(_read_once(reader, p, accelerator, index) for reader in readers)
        if once and selection_memory(p, first, accelerator, index).coefficients_fit:
            candidates.append((words_of(p, first, options), index, "kept"))
    payload, index, form = min(candidates, key=lambda candidate: candidate[0] + candidate[1])
    chosen: Form = "kept" if form == "kept" else "wavelet" if form == "wavelet" else "dense"
    return PlacedMap(maker, readers, plain.width_bits, False, chosen, payload, index)


def _read_once(reader: Layer, p: WccParameters, accelerator: Accelerator, index_bits: int) -> bool:
    """Whether the reader moves every kept word and every weight once: stored kept words cannot save more."""
    kept = p.kept(reader.in_shape.height, reader.in_shape.width)
    nest = kept_nest(reader, kept, p.wavelet_bits, accelerator)
    found = best_tiling(nest, capacity(accelerator, {"index": index_bits}))
    least = nest.in_channels * (kept * nest.in_row_bits + nest.out_channels * nest.pair_bits)
    return found is not None and found[1].in_read_bits + found[1].weight_read_bits == least


def _rows_no_worse(
    reader: Layer,
    plain: StoredMap,
    payload_bits: int,
    index_bits: int,
    accelerator: Accelerator,
    options: CostOptions,
) -> bool:
    """Whether a dense reader's tiles move no more in blocks of wavelet words than in whole rows."""
    if not reader.multiplies or reader.keep is not None:
        return True
    source = Source(
        0, payload_bits, plain.width_bits, reader.act_bits, "wavelet", index_bits, plain.maker.levels
    )
    nest = dense_nest(reader, accelerator, plain.width_bits, reader.act_bits)
    whole = best_tiling(nest, capacity(accelerator), options.halo)
    packed = best_tiling(source.applied(nest), capacity(accelerator), options.halo)
    if whole is None or packed is None:
        return False
    passes = ceil_div(packed[1].in_read_bits, max(payload_bits, 1))
    return packed[1].total_bits + passes * index_bits <= whole[1].total_bits


def surroundings(
    layers: Sequence[Layer], accelerator: Accelerator, options: CostOptions
) -> dict[str, Source]:
    """A Source for every layer that is not a view."""
    sources = sources_of(layers)
    stored = stored_maps(layers, sources)
    fused = fused_edges(layers, sources, stored, accelerator, options) if options.fuse else frozenset()
    stay = {maker for maker, _ in fused}
    maps = {
        name: _dense(plain) if name in stay else _cheapest(plain, sources, accelerator, options)
        for name, plain in stored.items()
    }
    result = {}
    for layer in layers:
        if layer.op in VIEWS:
            continue
        makers = [maps[name] for name in sources[layer.name]]
        made = maps[layer.name]
        values = (
            layer.in_shape.values if len(layer.inputs) < 2 else sum(m.maker.out_shape.values for m in makers)
        )
        width = max((m.width_bits for m in makers), default=layer.act_bits)
        first = makers[0] if len(makers) == 1 else None
        packed = first is not None and first.form != "dense"
        in_on_chip = first is not None and (first.maker.name, layer.name) in fused
        out_on_chip = layer.name in stay
        result[layer.name] = Source(
            in_values=values,
            in_read_bits=first.payload_bits if first is not None and packed else values * width,
            in_bits=width,
            out_bits=made.width_bits,
            in_form=first.form if first is not None else "dense",
            in_index_bits=first.index_bits if first is not None and packed else 0,
            in_block_levels=first.maker.levels if first is not None and first.form == "wavelet" else 0,
            in_on_chip=in_on_chip,
            out_form=made.form,
            out_stored_bits=made.payload_bits if made.form != "dense" else None,
            out_index_bits=made.index_bits,
            out_on_chip=out_on_chip,
            notes=_source_notes(first, made, in_on_chip, out_on_chip),
        )
    return result


def _source_notes(
    first: PlacedMap | None, made: PlacedMap, in_on_chip: bool, out_on_chip: bool
) -> tuple[str, ...]:
    notes = []
    if in_on_chip:
        notes.append("fused with the layer before")
    elif first is not None and first.form != "dense":
        notes.append(f"input crosses as {first.form} words")
    if out_on_chip:
        notes.append("fused with the layer after")
    elif made.form != "dense":
        notes.append(f"output crosses as {made.form} words")
    return tuple(notes)


def fused_edges(
    layers: Sequence[Layer],
    sources: Mapping[str, tuple[str, ...]],
    maps: Mapping[str, StoredMap],
    accelerator: Accelerator,
    options: CostOptions,
) -> frozenset[tuple[str, str]]:
    """Edges (maker, reader) of 1x1 - depthwise - 1x1 chains whose maps stay on chip, row band by row band.

    The longest part of a chain that fits is fused: all three layers, the first two, the last two.
    """
    edges: set[tuple[str, str]] = set()
    for layer in layers:
        if not _depthwise(layer) or len(sources[layer.name]) != 1:
            continue
        before = maps[sources[layer.name][0]]
        made = maps[layer.name]
        expand = before.maker if before.maker.pointwise and len(before.readers) == 1 else None
        reader = made.readers[0] if len(made.readers) == 1 and not made.is_result else None
        project = reader if reader is not None and reader.pointwise else None
        for first, last in ((expand, project), (expand, None), (None, project)):
            chain = [part for part in (first, layer, last) if part is not None]
            if len(chain) > 1 and _band_fits(chain, layer, last, accelerator, options):
                edges |= {(a.name, b.name) for a, b in itertools.pairwise(chain)}
                break
    return frozenset(edges)


def _depthwise(layer: Layer) -> bool:
    return layer.op == "conv" and layer.groups == layer.in_shape.channels == layer.out_shape.channels > 1


def _band_fits(
    chain: list[Layer], middle: Layer, project: Layer | None, accelerator: Accelerator, options: CostOptions
) -> bool:
    """Whether all weights and a band of rows fit together.

    The band: the rows that one row of the depthwise layer needs, in whole blocks of 2**L rows where a
    WCC layer makes them; one row of each other map. A WCC layer that reads the depthwise layer's map
    selects over the whole of it, so its coefficients must fit on chip.
    """
    first, last = chain[0], chain[-1]
    span = middle.dilation[0] * (middle.kernel[0] - 1) + 1
    if first is not middle and first.keep is not None:
        span += 2 * (1 << first.levels)
    if project is not None and project.keep is not None:
        p = parameters_of(project, options)
        index = index_of(p, project, options)
        if not selection_memory(p, project, accelerator, index).coefficients_fit:
            return False
    shape, out = middle.in_shape, middle.out_shape
    band = span * shape.width * shape.channels * middle.act_bits
    row = first.in_shape.width * first.in_shape.channels * first.act_bits if first is not middle else 0
    between = out.width * out.channels * last.act_bits if last is not middle else 0
    finished = last.out_shape.width * last.out_shape.channels * accelerator.accumulator_bits
    needs = {
        "in": band + row + between,
        "weight": sum(part.params * part.weight_bits for part in chain),
        "out": finished,
    }
    room = capacity(accelerator)
    return all(
        sum(needs[tensor] for tensor in TILED if tensor in tensors) <= limit
        for limit, tensors in zip(room.limits, room.shares, strict=True)
    )
