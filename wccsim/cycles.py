"""Cycles of the WCC unit's stages: the closed forms that the Verilog's counters must equal.

Phases do not overlap: a layer takes the sum of its stages. P input lanes and Q output lanes; where P
does not divide the channels the last group of lanes is partly idle and costs a whole cycle.
Source: docs/datapath.md, section 9. Pure Python integers, so no size overflows.
"""

from __future__ import annotations

from dataclasses import dataclass

from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters, butterflies

RADIX_BITS = 8  # digit of the exact selection
BINS = 1 << RADIX_BITS  # counters of one radix pass
BINNED_SCAN = 512  # cycles of the binned selection's scan, whatever m: max(1, 2^m / 8) bins in each


@dataclass(frozen=True, slots=True)
class WccCycles:
    """Cycles of each stage of one WCC layer, phases not overlapped.

    The score rides on the Haar's output, R1 on the gather and R2, R3 on the MAC and the inverse, so
    these stages take no cycle of their own.
    """

    haar: int
    select: int
    gather: int
    mac: int
    inverse: int

    @property
    def total(self) -> int:
        """Cycles of the layer."""
        return self.haar + self.select + self.gather + self.mac + self.inverse


def ceil_div(dividend: int, divisor: int) -> int:
    """dividend / divisor rounded up."""
    return -(-dividend // divisor)


def haar_cycles(channels: int, lanes: int, positions: int, levels: int) -> int:
    """Forward or inverse transform: every lane does one butterfly of four pixels a cycle."""
    return ceil_div(channels, lanes) * butterflies(positions, levels)


def radix_passes(score_bits: int) -> int:
    """NP: passes of the exact selection over the scores, 8 bits each, the greatest digit first."""
    return ceil_div(score_bits, RADIX_BITS)


def exact_select_cycles(positions: int, score_bits: int) -> int:
    """NP histogram passes with a scan of 256 bins each, one marking pass, one cycle in, one out."""
    return radix_passes(score_bits) * (positions + BINS) + positions + 2


def binned_select_cycles(positions: int) -> int:
    """One histogram pass, one scan, one marking pass.

    The scan takes 512 cycles for every m: the Verilog looks at 2^m / 8 of the 64 * 2^m bins a cycle
    above m = 3, at one below, where the first cycles find no bin. The additions of the scan do follow
    m (docs/actions.md).
    """
    return 2 * positions + BINNED_SCAN


def gather_cycles(in_channels: int, p_lanes: int, kept: int) -> int:
    """Reads the kept coefficients of P channels a cycle."""
    return ceil_div(in_channels, p_lanes) * kept


def dot_product_array_cycles(
    in_channels: int, out_channels: int, kept: int, p_lanes: int, q_lanes: int
) -> int:
    """P x Q dot-product array: P products for each of Q outputs at one position a cycle."""
    return ceil_div(in_channels, p_lanes) * ceil_div(out_channels, q_lanes) * kept


def wcc_cycles(
    parameters: WccParameters,
    in_channels: int,
    out_channels: int,
    height: int,
    width: int,
    *,
    p_lanes: int,
    q_lanes: int,
) -> WccCycles:
    """Cycles of one WCC layer of `in_channels` to `out_channels` on a height x width map.

    In a plain layer (levels 0) the words pass R1 in the gather's cycles, P channels a cycle, and R2 and R3
    ride on the MAC; no RTL backs it.

    Raises WccsimError for a size or lane count below 1 and where no position would be kept.
    """
    sizes = {"input channels": in_channels, "output channels": out_channels, "height": height, "width": width}
    for what, value in (*sizes.items(), ("P lanes", p_lanes), ("Q lanes", q_lanes)):
        if value < 1:
            raise WccsimError(f"{what}: {value} was given; at least 1 is needed")
    positions = parameters.positions(height, width)
    kept = parameters.kept(height, width)
    exact = parameters.mantissa_bits is None
    score_bits = parameters.score_bits(in_channels)
    select = exact_select_cycles(positions, score_bits) if exact else binned_select_cycles(positions)
    return WccCycles(
        haar=haar_cycles(in_channels, p_lanes, positions, parameters.levels),
        select=0 if parameters.plain else select,
        gather=gather_cycles(in_channels, p_lanes, kept),
        mac=dot_product_array_cycles(in_channels, out_channels, kept, p_lanes, q_lanes),
        inverse=haar_cycles(out_channels, q_lanes, positions, parameters.levels),
    )
