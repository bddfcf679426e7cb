"""Reading a network description: blocks expanded, references resolved, settings applied.

docs/networks.md is the format. The reader walks the entries once, top to bottom; an entry sees only
the layers above it, so a cycle cannot be written. What a file may ask for is bounded: MAX_LAYERS
entries after expansion, blocks nested MAX_NESTING deep.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.located import MAX_BYTES, Node, brief, parse
from wccsim.network import entries, head
from wccsim.network.entries import FLOW, OPERATORS, READERS, Request
from wccsim.network.expression import Value, substitute
from wccsim.network.head import MAX_LAYERS, Block, Rules, Scope, nearest
from wccsim.network.model import Layer, Network
from wccsim.network.values import MAP_KEYS, SETTING_KEYS, settings

MAX_NESTING = 8
MAX_SOURCES = 256
TOP_KEYS = ("name", "source", "surrogate", "input", "defaults", "settings", "blocks", "layers")


def read(path: Path | str, **options: Any) -> Network:
    """As `parse_network`, from a file."""
    return parse_network(read_bytes(path, MAX_BYTES), str(path), **options)


def parse_network(
    content: bytes, file: str, *, input_size: tuple[int, int] | None = None, allow_unsupported: bool = False
) -> Network:
    """The network a YAML text describes; `file` stands for it in errors.

    `input_size` (height, width) replaces the size of the first input and of every input of that
    same size. Entries `unsupported` are refused unless `allow_unsupported`.
    """
    root = parse(content, file)
    top = root.mapping("a network", TOP_KEYS, ("name", "input", "layers"))
    blocks = head.blocks(top["blocks"]) if "blocks" in top else {}
    rules = head.rules(top)
    scope = Scope()
    for layer in head.inputs(top["input"], input_size):
        scope.add(replace(layer, **rules.settings(layer.name, {}, multiplies=False)), top["input"])
    body = top["layers"].items("layers")
    last = _Expansion(scope, rules, blocks).run(body, next(iter(scope.layers.values())), {}, ())
    if last.op == "input":
        top["layers"].fail("layers: no layer was given; at least one is needed")
    layers = tuple(scope.layers.values())
    return Network(
        top["name"].text("name"),
        layers,
        top["source"].text("source") if "source" in top else "",
        top["surrogate"].boolean("surrogate") if "surrogate" in top else False,
        _unsupported(layers, root, allow_unsupported),
        hashlib.sha256(content).hexdigest(),
    )


def _unsupported(layers: tuple[Layer, ...], root: Node, allowed: bool) -> tuple[str, ...]:
    found = tuple(f"{layer.function} ({layer.name})" for layer in layers if layer.op == "unsupported")
    if found and not allowed:
        root.fail(
            f"not understood: {', '.join(found[:5])}; --allow-unsupported lists them in the output instead"
        )
    return found


@dataclass(frozen=True, slots=True)
class _Expansion:
    """One walk over entries; the layers go into `scope`."""

    scope: Scope
    rules: Rules
    blocks: dict[str, Block]

    def run(self, body: list[Node], source: Layer, values: dict[str, Value], open_: tuple[str, ...]) -> Layer:
        """Read the entries in order, the first one fed by `source`; the last layer made."""
        previous = source
        for item in body:
            kind = self._kind(item)
            size = _size(item)
            repeat = item.entries("a layer").get("repeat")
            times = substitute(repeat, values).integer("repeat", 0, MAX_LAYERS) if repeat else 1
            for index in range(times):
                self.scope.step(item, size)
                here = values if repeat is None else {**values, "index": index}
                previous = self._entry(kind, item, previous, here, open_)
        return previous

    def _kind(self, item: Node) -> str:
        """The operator or block: the entry's first key."""
        given = item.entries("a layer")
        kind = next(iter(given), "")
        if kind not in READERS and kind not in self.blocks and kind != "squeeze_excite":
            place = item.key_place(kind) if kind else item.place
            near = nearest(kind, [*OPERATORS, *self.blocks])
            known = ", ".join([*OPERATORS, *self.blocks])
            raise WccsimError(
                f"a layer starts with its operator; {brief(kind)} is none{near}; known: {known}", place
            )
        if kind in self.blocks:
            item.mapping(f"block {kind}", (kind, *self.blocks[kind].parameters, *FLOW))
        else:
            item.mapping(kind, entries.allowed_keys(kind))
        return kind

    def _entry(
        self, kind: str, item: Node, previous: Layer, values: dict[str, Value], open_: tuple[str, ...]
    ) -> Layer:
        """One repetition of one entry: the layer that the next entry follows."""
        given = item.entries("a layer")
        here = self._values(values, previous)
        if "when" in given and not substitute(given["when"], here).boolean("when"):
            return previous
        sources = [previous]
        if "from" in given:
            wanted = substitute(given["from"], here)
            names = wanted.items("from") if wanted.is_list else [wanted]
            sources = [self.scope.find(name, previous) for name in names]
            if not 1 <= len(sources) <= MAX_SOURCES:
                wanted.fail(f"from: {len(sources)} layers were given; allowed: 1 to {MAX_SOURCES}")
        known = self._values(values, sources[0])
        own = {key: substitute(node, known) for key, node in given.items() if key not in FLOW}
        name = own[kind].text(f"the name of a {kind}")
        if kind in self.blocks:
            return self._block(kind, name, item, own, sources, open_)
        if kind == "squeeze_excite":
            return self._squeeze_excite(name, item, own, sources)
        return self._layer(kind, name, item, own, sources)

    @staticmethod
    def _values(values: dict[str, Value], source: Layer) -> dict[str, Value]:
        """`values` and the sizes of the map that is read here."""
        shape = source.out_shape
        return {**values, "channels": shape.channels, "height": shape.height, "width": shape.width}

    def _layer(self, op: str, name: str, item: Node, own: dict[str, Node], sources: list[Layer]) -> Layer:
        multiplies = READERS[op][1]
        given = self.rules.settings(name, settings(own), multiplies)
        wanted = given.pop("keep", None)
        padding = self.rules.padding
        ask = Request(
            name, item, own, sources, given, padding, lambda node: self.scope.find(node, sources[0])
        )
        layer = entries.build(op, ask)
        if wanted is not None and layer.compressible:
            layer = replace(layer, keep=wanted)
        elif "keep" in own and wanted is not None:
            own["keep"].fail(
                f"{name}: keep was given, but WCC needs a dense 1x1 convolution of stride 1, not exempt"
            )
        self.scope.add(layer, item)
        return layer

    def _squeeze_excite(self, name: str, item: Node, own: dict[str, Node], sources: list[Layer]) -> Layer:
        """Pool, reduce, expand, scale: `NAME_pool`, `NAME_reduce`, `NAME_expand` and `NAME` itself."""
        if "reduced" not in own:
            item.fail(f"{name}: key 'reduced' is missing: the channels between the two convolutions")
        number = Node(str(sources[0].out_shape.channels), item.place)
        shared = {key: node for key, node in own.items() if key in SETTING_KEYS}
        maps = {key: node for key, node in shared.items() if key in MAP_KEYS}
        shared["padding"] = Node("0", item.place)  # whatever the default: these run on one position
        pooled = self._layer("global_average_pool", f"{name}_pool", item, maps, sources)
        reduced = self._layer("conv", f"{name}_reduce", item, {**shared, "out": own["reduced"]}, [pooled])
        expanded = self._layer("conv", f"{name}_expand", item, {**shared, "out": number}, [reduced])
        return self._layer("multiply", name, item, maps, [sources[0], expanded])

    def _block(
        self,
        kind: str,
        name: str,
        item: Node,
        own: dict[str, Node],
        sources: list[Layer],
        open_: tuple[str, ...],
    ) -> Layer:
        block = self.blocks[kind]
        if kind in open_:
            item.fail(
                f"block {kind!r} contains itself: {' > '.join((*open_, kind))}; recursion is not allowed"
            )
        if len(open_) == MAX_NESTING:
            item.fail(f"blocks nested deeper than {MAX_NESTING}; that many are allowed")
        if len(sources) != 1:
            item.fail(f"{name}: {len(sources)} inputs were given to a block; one is needed")
        values: dict[str, Value] = {"name": name, "input": sources[0].name}
        for parameter, default in block.parameters.items():
            value = own.get(parameter, default)
            if value is None:
                item.fail(f"{name}: block {kind} needs {parameter!r}")
            values[parameter] = value
        last = self.run(block.body, sources[0], values, (*open_, kind))
        if last is not self.scope.layers.get(name) and last is not self.scope.aliases.get(name):
            self.scope.free(name, item)
            self.scope.aliases[name] = last
        return last


def _size(node: Node) -> int:
    """How much there is to read in an entry: its values, and their text in units of 64 characters."""
    if isinstance(node.value, str):
        return 1 + len(node.value) // 64
    children = node.value.values() if isinstance(node.value, dict) else node.value
    return 1 + sum(_size(child) for child in children)
