"""The roofline: how many MACs a bit of DRAM traffic feeds, and what that lets the machine attain.

Operational intensity is MACs over DRAM bits. Attainable throughput is the lesser of the peak and the
intensity times the DRAM's bits a second; achieved is MACs over the modelled time of the layer.
Source: Williams, Waterman, Patterson, "Roofline", CACM 2009.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

from wccsim.cost.network import NetworkCost
from wccsim.hardware.model import Accelerator


@dataclass(frozen=True, slots=True)
class RooflinePoint:
    """One layer under one variant. Throughputs in MACs a second, of the work the layer stands for.

    dense_macs: a WCC layer answers for all MACs of its layer while doing fewer; `effective` counts
    the answer, `achieved` what the array did.
    """

    layer: str
    variant: str
    macs: int
    dense_macs: int
    dram_bits: int
    cycles: int
    intensity_macs_per_bit: Fraction
    attainable_macs_per_s: float
    achieved_macs_per_s: float
    effective_macs_per_s: float
    memory_bound: bool


def ridge_macs_per_bit(accelerator: Accelerator) -> float:
    """Intensity at which the memory just feeds the array."""
    return accelerator.peak_macs_per_s / memory_bits_per_s(accelerator)


def memory_bits_per_s(accelerator: Accelerator) -> float:
    """DRAM bits a second."""
    return accelerator.dram.width_bits * accelerator.dram.rate_mtransfers_per_s * 1e6


def roofline_points(cost: NetworkCost, variant: str) -> tuple[RooflinePoint, ...]:
    """One point for each layer that has MACs and moves bits."""
    machine = cost.accelerator
    peak, memory, clock = machine.peak_macs_per_s, memory_bits_per_s(machine), machine.clock_mhz * 1e6
    points = []
    for layer in cost.layers:
        if not layer.macs or not layer.dram_bits:
            continue
        intensity = Fraction(layer.macs, layer.dram_bits)
        cycles = layer.latency.total
        points.append(
            RooflinePoint(
                layer.layer.name,
                variant,
                layer.macs,
                layer.layer.macs,
                layer.dram_bits,
                cycles,
                intensity,
                min(peak, float(intensity) * memory),
                layer.macs * clock / cycles,
                layer.layer.macs * clock / cycles,
                float(intensity) * memory < peak,
            )
        )
    return tuple(points)
