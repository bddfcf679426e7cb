"""The maps that a network stores: every layer's result, but for operators that only show what lies behind.

Padding, activation, reshape, slice and concatenation move nothing. Whoever reads their result reads the
stored maps behind it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wccsim.network.model import Layer

VIEWS = ("input", "pad", "activation", "reshape", "slice", "concat")  # no work of their own


@dataclass(frozen=True, slots=True)
class StoredMap:
    """One stored map: who makes it, who reads it, and whether it is a result of the network.

    width_bits: of a value, the widest that a reader takes; without readers the maker's own.
    """

    maker: Layer
    readers: tuple[Layer, ...]
    width_bits: int
    is_result: bool

    @property
    def dense_bits(self) -> int:
        """Bits of the whole map."""
        return self.maker.out_shape.values * self.width_bits


def sources_of(layers: Sequence[Layer]) -> dict[str, tuple[str, ...]]:
    """For each layer by name, the makers of the stored maps it reads or shows, each once, in order."""
    behind: dict[str, tuple[str, ...]] = {}
    sources: dict[str, tuple[str, ...]] = {}
    for layer in layers:
        sources[layer.name] = tuple(
            dict.fromkeys(name for source in layer.inputs for name in behind.get(source, ()))
        )
        behind[layer.name] = sources[layer.name] if _shows(layer) else (layer.name,)
    return sources


def stored_maps(layers: Sequence[Layer], sources: Mapping[str, tuple[str, ...]]) -> dict[str, StoredMap]:
    """The stored maps by their maker's name, in the order of `layers`. `sources`: of `sources_of`."""
    readers: dict[str, list[Layer]] = {layer.name: [] for layer in layers if not _shows(layer)}
    for layer in layers:
        for maker in sources[layer.name] if layer.op not in VIEWS else ():
            readers[maker].append(layer)
    read_or_shown = {source for layer in layers for source in layer.inputs}
    results = {
        maker
        for layer in layers
        if layer.name not in read_or_shown
        for maker in (sources[layer.name] if _shows(layer) else (layer.name,))
    }
    return {
        layer.name: StoredMap(
            layer,
            tuple(readers[layer.name]),
            max((reader.act_bits for reader in readers[layer.name]), default=layer.act_bits),
            layer.name in results,
        )
        for layer in layers
        if layer.name in readers
    }


def _shows(layer: Layer) -> bool:
    return layer.op in VIEWS and layer.op != "input"
