"""What a WCC layer costs, stage by stage."""

from __future__ import annotations

from wccsim.actions import ActionCounts, Stage
from wccsim.analytic import wcc_actions
from wccsim.cost.dense import tiling_text
from wccsim.cost.latency import Moves, Phase, layer_latency, phase, start_bits
from wccsim.cost.options import CostOptions
from wccsim.cost.pricing import Prices, stage_cost, wcc_compute_pj
from wccsim.cost.record import DramBits, Latency, LayerCost, StageCost
from wccsim.cost.source import Source
from wccsim.cost.wcc_plan import Plan, best_plan, dram_bits
from wccsim.cycles import (
    binned_select_cycles,
    ceil_div,
    exact_select_cycles,
    gather_cycles,
    haar_cycles,
)
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer


def wcc_layer_cost(
    layer: Layer, source: Source, accelerator: Accelerator, prices: Prices, options: CostOptions
) -> LayerCost:
    """Cost of a 1x1 convolution with WCC. WccsimError where the accelerator has no WCC unit."""
    plan = best_plan(layer, source, accelerator, options)
    dram = dram_bits(plan)
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


def _actions(plan: Plan) -> dict[Stage, ActionCounts]:
    """Actions of every stage (docs/actions.md), times how often it runs."""
    shape, outputs = plan.layer.in_shape, plan.layer.out_shape.channels
    sizes = shape.channels, outputs, shape.height, shape.width
    once = wcc_actions(plan.p, *sizes, index_bits=plan.index_bits)
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
    to_array = plan.unpacked(dram.in_read - from_map + dram.kept_read)
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
            Moves("in", plan.unpacked(dram.kept_write), gather.kept_write_bits),
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
    return tuple(
        stage_cost(
            stage.value,
            phases[CARRIERS[stage]].cycles if stage in CARRIERS else 0,
            moves[stage],
            crossing.get(stage, (0, 0)),
            compute.get(stage, 0.0),
            accelerator,
            prices.table,
        )
        for stage in actions
    )


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
