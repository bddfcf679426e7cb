"""What a WCC layer costs, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass, replace

from wccsim.actions import ActionCounts, Stage
from wccsim.analytic import wcc_actions
from wccsim.cost.dense import tiling_text
from wccsim.cost.latency import Moves, Phase, layer_latency, phase, start_bits
from wccsim.cost.options import CostOptions
from wccsim.cost.parameters_of import parameters_of
from wccsim.cost.pricing import Prices, dram_pj, sram_pj, wcc_compute_pj
from wccsim.cost.record import DramBits, Latency, LayerCost, StageCost
from wccsim.cost.selection import SelectionMemory, selection_memory
from wccsim.cost.source import Source
from wccsim.cost.views import capacity, kept_nest
from wccsim.cycles import (
    binned_select_cycles,
    ceil_div,
    exact_select_cycles,
    gather_cycles,
    haar_cycles,
)
from wccsim.errors import WccsimError
from wccsim.hardware.model import Accelerator, WccUnit
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters
from wccsim.systolic import GemmCount, gemm_count
from wccsim.tiling import DramTraffic, InSweep, Nest, Tiling, best_tiling


@dataclass(frozen=True, slots=True)
class Plan:
    """A WCC layer with everything decided: sizes, what stays on chip, the tiling, how often stages run."""

    layer: Layer
    p: WccParameters
    unit: WccUnit
    source: Source
    positions: int
    kept: int
    index_bits: int
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


def wcc_layer_cost(
    layer: Layer, source: Source, accelerator: Accelerator, prices: Prices, options: CostOptions
) -> LayerCost:
    """Cost of a 1x1 convolution with WCC. WccsimError where the accelerator has no WCC unit."""
    plan = _best_plan(layer, source, accelerator, options)
    dram = _dram(plan)
    moves = _moves(plan, dram)
    phases = _phases(plan, moves, accelerator)
    latency = layer_latency(
        accelerator,
        plan.count.ideal_cycles,
        phases,
        dram.read,
        dram.write,
        start_bits(accelerator, layer.weight_bits, layer.act_bits),
        accelerator.array.columns * source.out_bits,
    )
    return LayerCost(
        layer,
        plan.count.macs,
        latency,
        dram,
        _stages(plan, dram, moves, phases, accelerator, prices),
        _unique_bits(plan, dram),
        plan.count.mapping_efficiency_percent,
        accelerator.array.elements,
        keep=layer.keep,
        tiling=tiling_text(plan.tiling, plan.nest),
        notes=(*source.notes, *_notes(plan, latency)),
    )


def _best_plan(layer: Layer, source: Source, accelerator: Accelerator, options: CostOptions) -> Plan:
    """The plan that moves the fewest bits.

    The index lies on chip or, so that tiles have its room, not; what the array needs again is read as a
    copy of the kept words or, by transforming it again, as the map (always, where nothing is compressed;
    never, where the map is fused and does not lie in DRAM).
    """
    if accelerator.wcc is None:
        raise WccsimError(f"layer {layer.name}: accelerator {accelerator.name} has no WCC unit (key wcc)")
    full = selection_memory(parameters_of(layer, options), layer, accelerator)
    memories = [full, replace(full, index_fits=False)] if full.index_fits else [full]
    copies = (True,) if source.in_on_chip else (False,) if options.compress == "none" else (True, False)
    found = [
        plan_wcc(layer, source, accelerator, options, memory, copy) for copy in copies for memory in memories
    ]
    plans = [plan for plan in found if plan is not None]
    if not plans:
        raise WccsimError(
            f"layer {layer.name}: not even one kept position of one channel fits the buffers of "
            f"{accelerator.name}"
        )
    return min(plans, key=lambda plan: _dram(plan).read + _dram(plan).write)


def plan_wcc(
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
    passes = 1 if memory.coefficients_fit else 2
    nest = kept_nest(layer, kept, p.wavelet_bits, accelerator)
    kept_bits = kept * shape.channels * p.act_bits
    map_bits = 0 if source.in_on_chip else source.in_read_bits
    index_bits = p.index_bits(positions, kept)
    spilled_index = 0 if memory.index_fits else index_bits
    if source.in_form == "kept":
        sweep = InSweep(kept_bits, kept_bits)
    elif memory.coefficients_stay:
        sweep = InSweep(map_bits, spilled_index)
    elif not copy:
        sweep = InSweep(passes * map_bits, map_bits + spilled_index)
    else:
        sweep = InSweep(passes * map_bits, kept_bits, kept_bits)
        # The first pass feeds the array directly; the spilled copy serves the later ones.
    nest = replace(nest, in_sweep_bits=sweep)
    reserved = {"index": index_bits} if memory.index_fits else {}
    found = best_tiling(nest, capacity(accelerator, reserved))
    if found is None:
        return None
    tiling, traffic = found
    again = memory.coefficients_stay or not copy
    gathers = traffic.in_passes if again and source.in_form != "kept" else 1
    array = accelerator.array
    return Plan(
        layer,
        p,
        accelerator.wcc,
        source,
        positions,
        kept,
        index_bits,
        memory,
        nest,
        tiling,
        traffic,
        haar_runs=passes if memory.coefficients_stay or copy else passes + gathers - 1,
        gather_runs=gathers,
        count=gemm_count(
            kept, shape.channels, layer.out_shape.channels, array.rows, array.columns, array.dataflow
        ),
    )


def _dram(plan: Plan) -> DramBits:
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


def _actions(plan: Plan) -> dict[Stage, ActionCounts]:
    """Actions of every stage (docs/actions.md), times how often it runs."""
    shape = plan.layer.in_shape
    once = wcc_actions(plan.p, shape.channels, plan.layer.out_shape.channels, shape.height, shape.width)
    return {stage: counts * plan.runs.get(stage, 1) for stage, counts in once.items()}


def _moves(plan: Plan, dram: DramBits) -> dict[Stage, tuple[Moves, ...]]:
    """Bits through the buffers in every stage: the stages' own, and those on their way to or from DRAM.

    The score rides on the Haar's output: P channels are scored in one pass over the positions, so
    the running sums are written once a pass and read back by the next.
    """
    layer, p, source, count = plan.layer, plan.p, plan.source, plan.count
    actions = _actions(plan)
    sweep = plan.positions * plan.score_bits
    groups = ceil_div(layer.in_shape.channels, plan.unit.haar_lanes)
    haar, gather, inverse = actions[Stage.HAAR], actions[Stage.REQUANTISE], actions[Stage.INVERSE]
    words = layer.out_shape.channels * plan.kept * p.wavelet_bits
    sums = count.macs // layer.in_shape.channels
    acc = plan.nest.partial_row_bits
    from_map = 0 if source.in_form == "kept" else dram.in_read
    to_array = dram.in_read - from_map + dram.kept_read
    index_out = dram.index_write - source.out_index_bits
    return {
        Stage.PAD: (Moves("in", actions[Stage.PAD].input_read_bits, from_map),),
        Stage.HAAR: (Moves("coefficient", haar.coefficient_read_bits, haar.coefficient_write_bits),),
        Stage.SCORE: (Moves("score", sweep * (groups - 1) + dram.score_write, sweep * groups),),
        Stage.SELECT: (Moves("score", sweep * plan.score_sweeps, dram.score_read),),
        Stage.BITMAP: (Moves("index", index_out, plan.index_bits + source.in_index_bits),),
        Stage.REQUANTISE: (
            Moves("coefficient", gather.coefficient_read_bits),
            Moves("index", gather.index_read_bits, plan.spilled_index_bits * plan.gather_runs),
            Moves("in", dram.kept_write, gather.kept_write_bits),
        ),
        Stage.MAC: (
            Moves("in", count.sram_in_reads * p.act_bits, to_array),
            Moves("weight", count.sram_weight_reads * p.weight_bits, dram.weight_read),
            Moves(
                "out",
                count.sram_partial_reads * acc + dram.partial_write,
                (count.sram_out_writes - sums) * acc + dram.partial_read,
            ),
        ),
        Stage.REQUANTISE_SUM: (Moves("out", 0, words),),
        Stage.ZERO_FILL: (
            Moves("index", plan.index_bits, plan.spilled_index_bits),
            Moves("out", words),
        ),
        Stage.INVERSE: (Moves("out", inverse.wavelet_read_bits, inverse.wavelet_write_bits),),
        Stage.REQUANTISE_OUT: (
            Moves("out", dram.out_write, layer.out_shape.values * source.out_bits),
            Moves("index", source.out_index_bits, 0),
        ),
    }


def _phases(plan: Plan, moves: dict[Stage, tuple[Moves, ...]], accelerator: Accelerator) -> dict[str, Phase]:
    """The five phases with cycles, by the closed forms of docs/datapath.md, section 9."""
    layer, p, unit = plan.layer, plan.p, plan.unit
    channels, outputs = layer.in_shape.channels, layer.out_shape.channels
    gather = gather_cycles(channels, unit.gather_lanes, plan.kept)
    select = (
        exact_select_cycles(plan.positions, plan.score_bits)
        if p.mantissa_bits is None
        else binned_select_cycles(plan.positions)
    )
    haar = haar_cycles(channels, unit.haar_lanes, plan.positions, p.levels)
    inverse = haar_cycles(outputs, unit.inverse_lanes, plan.positions, p.levels)

    def ridden(work: int, *stages: Stage) -> Phase:
        return phase(work, [move for stage in stages for move in moves[stage]], accelerator)

    return {
        "haar": ridden(haar * plan.haar_runs, Stage.PAD, Stage.HAAR, Stage.SCORE),
        "select": ridden(select, Stage.SELECT, Stage.BITMAP),
        "gather": ridden(gather * plan.gather_runs, Stage.REQUANTISE),
        "array": ridden(plan.count.cycles, Stage.MAC),
        "inverse": ridden(
            inverse, Stage.REQUANTISE_SUM, Stage.ZERO_FILL, Stage.INVERSE, Stage.REQUANTISE_OUT
        ),
    }


CARRIERS = {
    Stage.HAAR: "haar",
    Stage.SELECT: "select",
    Stage.REQUANTISE: "gather",
    Stage.MAC: "array",
    Stage.INVERSE: "inverse",
}


def _stage_dram(plan: Plan, dram: DramBits) -> dict[Stage, tuple[int, int]]:
    """DRAM (read, write) bits of every stage; they sum to the layer's."""
    source = plan.source
    kept_form = source.in_form == "kept"
    return {
        Stage.PAD: (0 if kept_form else dram.in_read, 0),
        Stage.SCORE: (0, dram.score_write),
        Stage.SELECT: (dram.score_read, 0),
        Stage.BITMAP: (source.in_index_bits, dram.index_write - source.out_index_bits),
        Stage.REQUANTISE: (plan.spilled_index_bits * plan.gather_runs, dram.kept_write),
        Stage.MAC: (
            dram.weight_read + dram.kept_read + dram.partial_read + (dram.in_read if kept_form else 0),
            dram.partial_write,
        ),
        Stage.ZERO_FILL: (plan.spilled_index_bits, 0),
        Stage.REQUANTISE_OUT: (0, dram.out_write + source.out_index_bits),
    }


def _stages(
    plan: Plan,
    dram: DramBits,
    moves: dict[Stage, tuple[Moves, ...]],
    phases: dict[str, Phase],
    accelerator: Accelerator,
    prices: Prices,
) -> tuple[StageCost, ...]:
    crossing = _stage_dram(plan, dram)
    actions = _actions(plan)
    compute = wcc_compute_pj(
        plan.layer, plan.p, actions, plan.runs, plan.positions, plan.kept, accelerator, prices
    )
    stages = []
    for stage in actions:
        read, write = crossing.get(stage, (0, 0))
        stages.append(
            StageCost(
                stage.value,
                phases[CARRIERS[stage]].cycles if stage in CARRIERS else 0,
                sum(move.read_bits for move in moves[stage]),
                sum(move.write_bits for move in moves[stage]),
                read,
                write,
                compute.get(stage, 0.0),
                sram_pj(moves[stage], accelerator, prices.table),
                dram_pj(read, write, prices.table),
            )
        )
    return tuple(stages)


def _unique_bits(plan: Plan, dram: DramBits) -> int:
    """Input in the form that crosses, weights and output, each once."""
    sweep = plan.nest.in_sweep_bits
    assert sweep is not None
    in_bits = sweep.first if plan.source.in_form == "kept" else plan.source.in_read_bits
    weights = plan.nest.in_channels * plan.nest.out_channels * plan.nest.pair_bits
    index = plan.source.in_index_bits + plan.source.out_index_bits
    return (0 if plan.source.in_on_chip else in_bits) + weights + dram.out_write + index


def _notes(plan: Plan, latency: Latency) -> tuple[str, ...]:
    shape, notes = plan.layer.in_shape, []
    pixels = shape.height * shape.width
    if plan.positions > pixels:
        share = 100 * (plan.positions - pixels) / pixels
        notes.append(f"padding adds {share:.1f} % of positions")
    if plan.source.in_form != "kept" and not plan.memory.coefficients_fit:
        notes.append("coefficients do not fit: the map is read and transformed twice")
    if not plan.memory.scores_fit:
        notes.append("scores do not fit: they cross DRAM")
    if not plan.memory.index_fits:
        notes.append("the index leaves the chip until the inverse")
    if latency.stages > latency.ideal + latency.loss:
        notes.append("the WCC stages take longer than the array")
    return tuple(notes)
