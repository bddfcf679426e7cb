"""Where a layer's input comes from and where its output goes: the form in which each map crosses DRAM."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from wccsim.cycles import ceil_div
from wccsim.tiling import Nest

Form = Literal["dense", "kept", "wavelet"]


@dataclass(frozen=True, slots=True)
class Source:
    """The surroundings of one layer, decided for the whole network before any layer is priced.

    in_values, in_read_bits: the input maps, all of them, in the form they lie in DRAM (index apart),
    in_bits: their width there where they are whole.
    in_form "wavelet" is read in whole blocks of 2**in_block_levels rows. out_bits: width of an output
    value on chip; out_stored_bits: the whole output as it is stored, None for one word a value.
    """

    in_values: int
    in_read_bits: int
    in_bits: int
    out_bits: int
    in_form: Form = "dense"
    in_index_bits: int = 0
    in_block_levels: int = 0
    in_on_chip: bool = False
    out_form: Form = "dense"
    out_stored_bits: int | None = None
    out_index_bits: int = 0
    out_on_chip: bool = False
    notes: tuple[str, ...] = ()

    def applied(self, nest: Nest) -> Nest:
        """The nest of a layer that reads this form: wavelet words come in whole rows of blocks.

        Kept words do not lie evenly; a row of one channel is charged the mean, rounded up.
        """
        if self.in_form != "wavelet":
            return nest
        row_bits = ceil_div(self.in_read_bits, nest.groups * nest.in_channels * nest.in_rows)
        step = 1 if nest.pointwise else 1 << self.in_block_levels
        return replace(nest, in_row_bits=row_bits, row_step=step)

    def out_store_bits(self, dense_bits: int) -> int:
        """Bits of the output as it is stored."""
        return dense_bits if self.out_stored_bits is None else self.out_stored_bits
