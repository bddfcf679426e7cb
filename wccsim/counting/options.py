"""How to count: one frozen, checked set of rules, named in every output."""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Literal

from wccsim.counting.bops import DEFINITION_RULES, DEFINITIONS, Definition
from wccsim.counting.macs import COUNTING_RULES, COUNTINGS, Counting
from wccsim.errors import WccsimError
from wccsim.network.model import Network
from wccsim.parameters import MAX_LEVELS
from wccsim.stored_bits import StoredBits, StoredForms, stored_forms

Padding = Literal["padded", "published"]
PADDINGS = ("padded", "published")
PADDING_RULES = {
    "padded": "padded: WCC maps are charged as the next multiple of 2^levels, k = floor(keep * positions)",
    "published": "published: WCC maps are charged unpadded, keep * MAC exactly, as the paper's tables",
}
Maps = Literal["compressed", "dense"]
MAPS = ("compressed", "dense")
MAPS_RULES = {
    "compressed": "compressed: the input of a WCC layer crosses memory as kept coefficients and their index",
    "dense": "dense: every map crosses memory whole; the index stays on chip",
}
Index = Literal["bitmap", "list", "rice"]
Words = Literal["fixed", "rice"]
MAX_BITS = 64


@dataclass(frozen=True, slots=True)
class CountingOptions:
    """The rules of one count.

    on_chip_bits: feature-map memory on the chip; a map stays there, free of traffic, where every
    map alive during its life fits together (see `wccsim.counting.traffic`). `index` and `words` "rice" need
    their measured means, `index_bits` a position and `word_bits` a kept word (`wccsim.stored_bits`).
    """

    counting: Counting = "true"
    definition: Definition = "mac"
    padding: Padding = "padded"
    maps: Maps = "compressed"
    index: Index = "bitmap"
    index_bits: StoredBits | None = None
    words: Words = "fixed"
    word_bits: StoredBits | None = None
    on_chip_bits: int = 0

    def __post_init__(self) -> None:
        _one_of("counting", self.counting, COUNTINGS)
        _one_of("definition", self.definition, DEFINITIONS)
        _one_of("padding", self.padding, PADDINGS)
        _one_of("maps", self.maps, MAPS)
        _integer("on_chip_bits", self.on_chip_bits, 0, None)
        forms = stored_forms(self.index, self.index_bits, self.words, self.word_bits)
        object.__setattr__(self, "index_bits", forms.index_bits)
        object.__setattr__(self, "word_bits", forms.word_bits)

    @property
    def stored(self) -> StoredForms:
        """How index and kept words are stored."""
        return StoredForms(self.index, self.index_bits, self.words, self.word_bits)

    def as_settings(self) -> dict[str, str | int | float | bool | None]:
        """Every rule by its name."""
        rules = {name: getattr(self, name) for name in self.__slots__}
        measured = ("index_bits", "words", "word_bits")
        return {name: rules[name] for name in rules if name not in measured} | self.stored.as_settings()

    def definitions(self) -> dict[str, str]:
        """What the named rules mean, in a sentence each."""
        return {
            "counting": COUNTING_RULES[self.counting],
            "definition": DEFINITION_RULES[self.definition],
            "padding": PADDING_RULES[self.padding],
            "maps": MAPS_RULES[self.maps],
        }


def configured(
    network: Network,
    *,
    weight_bits: int | None = None,
    act_bits: int | None = None,
    keep: Fraction | None = None,
    levels: int | None = None,
    exempt_bits: int | None = None,
) -> Network:
    """`network` with these settings on all but its exempt layers; refused outside what hardware has.

    `exempt_bits` is the width, of weights and activations alike, that the exempt layers get instead
    of their own.
    """
    for what, given, high in (
        ("weight_bits", weight_bits, MAX_BITS),
        ("act_bits", act_bits, MAX_BITS),
        ("levels", levels, MAX_LEVELS),
        ("exempt_bits", exempt_bits, MAX_BITS),
    ):
        if given is not None:
            _integer(what, given, 1, high)
    changed = network.configured(weight_bits=weight_bits, act_bits=act_bits, keep=keep, levels=levels)
    if exempt_bits is None:
        return changed
    layers = (
        replace(layer, weight_bits=exempt_bits, act_bits=exempt_bits) if layer.exempt else layer
        for layer in changed.layers
    )
    return replace(changed, layers=tuple(layers))


def _one_of(what: str, given: object, allowed: tuple[str, ...]) -> None:
    if given not in allowed:
        raise WccsimError(f"{what} is {given!r}; allowed: {', '.join(allowed)}")


def _integer(what: str, given: object, low: int, high: int | None) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or given < low or (high and given > high):
        raise WccsimError(f"{what} is {given!r}; allowed: integers from {low}{f' to {high}' if high else ''}")
