"""A WCC layer with everything decided: what stays on chip, the tiling, how often stages run, what crosses."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wccsim.actions import Stage
from wccsim.cost.options import CostOptions
from wccsim.cost.parameters_of import index_of, parameters_of, words_of
from wccsim.cost.record import DramBits
from wccsim.cost.selection import SelectionMemory, selection_memory
from wccsim.cost.source import Source
from wccsim.cost.views import capacity, kept_nest
from wccsim.cycles import ceil_div
from wccsim.errors import WccsimError
from wccsim.hardware.model import Accelerator, WccUnit
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters
from wccsim.systolic import GemmCount, gemm_count
from wccsim.tiling import DramTraffic, InSweep, Nest, Tiling, best_tiling


@dataclass(frozen=True, slots=True)
class Plan:
    """A WCC layer with everything decided: sizes, what stays on chip, the tiling, how often stages run.

    kept_bits, stored_bits: all kept words of the input, at act_bits on chip and as they lie in DRAM.
    """

    layer: Layer
    p: WccParameters
    unit: WccUnit
    source: Source
    positions: int
    kept: int
    index_bits: int
    kept_bits: int
    stored_bits: int
    memory: SelectionMemory
    nest: Nest
    tiling: Tiling
    traffic: DramTraffic
    haar_runs: int
    gather_runs: int
    count: GemmCount

    @property
    def spilled_index_bits(self) -> int:
        """The index where it is not on chip: written once, read by every gather and by the zero-fill."""
        return 0 if self.memory.index_fits else self.index_bits

    def unpacked(self, stored: int) -> int:
        """Bits on chip of kept words that crossed DRAM as `stored` bits: all of them, so many times."""
        return stored // self.stored_bits * self.kept_bits

    @property
    def score_sweeps(self) -> int:
        """How often the selection reads all scores."""
        return 2 if self.p.mantissa_bits is not None else ceil_div(self.score_bits, 8) + 1

    @property
    def score_bits(self) -> int:
        """Width of a score."""
        return self.p.score_bits(self.layer.in_shape.channels)

    @property
    def runs(self) -> dict[Stage, int]:
        """How often the stages run that may run more than once."""
        return {Stage.PAD: self.haar_runs, Stage.HAAR: self.haar_runs, Stage.REQUANTISE: self.gather_runs}


def best_plan(layer: Layer, source: Source, accelerator: Accelerator, options: CostOptions) -> Plan:
    """The plan that moves the fewest bits.

    The index lies on chip or, so that tiles have its room, not; what the array needs again is read as a
    copy of the kept words or, by transforming it again, as the map (always, where nothing is compressed;
    never, where the map is fused and does not lie in DRAM).
    """
    if accelerator.wcc is None:
        raise WccsimError(f"layer {layer.name}: accelerator {accelerator.name} has no WCC unit (key wcc)")
    p = parameters_of(layer, options)
    full = selection_memory(p, layer, accelerator, index_of(p, layer, options))
    memories = [full, replace(full, index_fits=False)] if full.index_fits else [full]
    copies = (True,) if source.in_on_chip else (False,) if options.compress == "none" else (True, False)
    found = [
        _planned(layer, source, accelerator, options, memory, copy) for copy in copies for memory in memories
    ]
    plans = [plan for plan in found if plan is not None]
    if not plans:
        raise WccsimError(
            f"layer {layer.name}: not even one kept position of one channel fits the buffers of "
            f"{accelerator.name}"
        )
    return min(plans, key=lambda plan: dram_bits(plan).read + dram_bits(plan).write)


def _planned(
    layer: Layer,
    source: Source,
    accelerator: Accelerator,
    options: CostOptions,
    memory: SelectionMemory,
    copy: bool,
) -> Plan | None:
    """Sizes, tiling and repetitions of one WCC layer; None where no tile fits.

    `copy`: kept words that the array needs again were written to DRAM when they first left the chip;
    otherwise the map is read and transformed again, once, since what is kept is known by then.
    """
    p, shape = parameters_of(layer, options), layer.in_shape
    positions, kept = p.positions(shape.height, shape.width), p.kept(shape.height, shape.width)
    assert accelerator.wcc is not None
    stored_bits, index_bits = words_of(p, layer, options), index_of(p, layer, options)
    sweep = _in_sweep(source, memory, copy, stored_bits, index_bits)
    nest = replace(kept_nest(layer, kept, p.wavelet_bits, accelerator), in_sweep_bits=sweep)
    reserved = {"index": index_bits} if memory.index_fits else {}
    found = best_tiling(nest, capacity(accelerator, reserved))
    if found is None:
        return None
    tiling, traffic = found
    haars, gathers = _runs(source, memory, copy, traffic.in_passes)
    array = accelerator.array
    return Plan(
        layer,
        p,
        accelerator.wcc,
        source,
        positions,
        kept,
        index_bits,
        kept * shape.channels * p.act_bits,
        stored_bits,
        memory,
        nest,
        tiling,
        traffic,
        haar_runs=haars,
        gather_runs=gathers,
        count=gemm_count(
            kept, shape.channels, layer.out_shape.channels, array.rows, array.columns, array.dataflow
        ),
    )


def _in_sweep(
    source: Source, memory: SelectionMemory, copy: bool, stored_bits: int, index_bits: int
) -> InSweep:
    """What passing over the input costs: as kept words, from the coefficients on chip, or as the map."""
    map_bits = 0 if source.in_on_chip else source.in_read_bits
    spilled_index = 0 if memory.index_fits else index_bits
    first = map_bits if memory.coefficients_fit else 2 * map_bits
    if source.in_form == "kept":
        return InSweep(stored_bits, stored_bits)
    if memory.coefficients_stay:
        return InSweep(map_bits, spilled_index)
    if copy:  # the first pass feeds the array directly; the spilled copy serves the later ones
        return InSweep(first, stored_bits, stored_bits)
    return InSweep(first, map_bits + spilled_index)


def _runs(source: Source, memory: SelectionMemory, copy: bool, in_passes: int) -> tuple[int, int]:
    """How often the Haar and the gather run where the array passes over its input `in_passes` times."""
    passes = 1 if memory.coefficients_fit else 2
    again = memory.coefficients_stay or not copy
    gathers = in_passes if again and source.in_form != "kept" else 1
    return (passes if memory.coefficients_stay or copy else passes + gathers - 1), gathers


def dram_bits(plan: Plan) -> DramBits:
    """DRAM bits of the layer by tensor."""
    layer, source, traffic = plan.layer, plan.source, plan.traffic
    first = plan.nest.in_sweep_bits.first if plan.nest.in_sweep_bits else 0
    direct = source.in_form == "kept" or traffic.in_write_bits == 0
    scores = 0 if plan.memory.scores_fit else plan.positions * plan.score_bits
    index = plan.spilled_index_bits
    return DramBits(
        in_read=traffic.in_read_bits - index * (plan.gather_runs - 1) if direct else first,
        weight_read=traffic.weight_read_bits,
        out_write=0
        if source.out_on_chip
        else source.out_store_bits(layer.out_shape.values * source.out_bits),
        index_read=source.in_index_bits + index * (plan.gather_runs + 1),
        index_write=source.out_index_bits + index,
        kept_read=0 if direct else traffic.in_read_bits - first,
        kept_write=traffic.in_write_bits,
        score_read=scores * plan.score_sweeps,
        score_write=scores,
        partial_read=traffic.partial_read_bits,
        partial_write=traffic.partial_write_bits,
    )
