"""How to price: one frozen, checked set of policies, named in every output."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Literal

from wccsim.errors import WccsimError
from wccsim.stored_bits import StoredBits, StoredForms, stored_forms
from wccsim.tiling import HALOS, Halo

Compress = Literal["none", "consumer", "producer"]
COMPRESS_RULES = {
    "none": "none: every map crosses DRAM whole; what a WCC layer reads twice is read whole twice",
    "consumer": "consumer: maps are stored whole; reread compressed, or whole where that is less",
    "producer": "producer: a map crosses as kept coefficients, or as the kept wavelet words of the WCC layer "
    "that made it, where that is less than the whole map",
}
HALO_RULES = {
    "refetch": "refetch: rows shared by two row tiles are read for both",
    "keep": "keep: rows shared by two row tiles stay on chip",
}
COMPUTE_RULES = {
    "table": "table: operations priced by the energy table's adders and multipliers",
    "gates": "gates: operations priced by gates.json; the table's 8x8 MAC sets the pJ of one gate",
}


@dataclass(frozen=True, slots=True)
class CostOptions:
    """The policies of one pricing. `fuse` keeps maps inside 1x1 - depthwise - 1x1 on chip where they fit.

    `index` and `words` "rice" need their measured means, `index_bits` a position and `word_bits` a kept word,
    as anything that `wccsim.stored_bits.parse_stored` reads. Words are coded in DRAM alone.
    """

    compress: Compress = "consumer"
    halo: Halo = "refetch"
    fuse: bool = False
    index: Literal["bitmap", "list", "rice"] = "bitmap"
    index_bits: StoredBits | None = None
    words: Literal["fixed", "rice"] = "fixed"
    word_bits: StoredBits | None = None
    selection: str = "exact"
    compute: Literal["table", "gates"] = "table"

    def __post_init__(self) -> None:
        for what, given, allowed in (
            ("compress", self.compress, tuple(COMPRESS_RULES)),
            ("halo", self.halo, HALOS),
            ("compute", self.compute, tuple(COMPUTE_RULES)),
        ):
            if given not in allowed:
                raise WccsimError(f"{what} is {given!r}; allowed: {', '.join(allowed)}")
        if self.selection != "exact" and not re.fullmatch(r"binned:[0-8]", self.selection):
            raise WccsimError(
                f"selection {self.selection!r} is not known; allowed: exact, binned:0 to binned:8"
            )
        forms = stored_forms(self.index, self.index_bits, self.words, self.word_bits)
        object.__setattr__(self, "index_bits", forms.index_bits)
        object.__setattr__(self, "word_bits", forms.word_bits)

    @property
    def stored(self) -> StoredForms:
        """How index and kept words are stored."""
        return StoredForms(self.index, self.index_bits, self.words, self.word_bits)

    def as_settings(self) -> dict[str, str | int | float | bool | None]:
        """Every policy by name, for a report's provenance."""
        return {
            "compress": COMPRESS_RULES[self.compress],
            "halo": HALO_RULES[self.halo],
            "fuse": self.fuse,
            "index": self.index,
            **self.stored.as_settings(),
            "selection": self.selection,
            "compute": COMPUTE_RULES[self.compute],
        }
