"""What a layer without WCC costs, and what an operator without MACs costs."""

from __future__ import annotations

from wccsim.actions import ActionCounts
from wccsim.cost.latency import Moves, layer_latency, phase, start_bits
from wccsim.cost.options import CostOptions
from wccsim.cost.pricing import Prices, macs_pj, operations_pj, requantise_pj, requantiser, stage_cost
from wccsim.cost.record import DramBits, LayerCost
from wccsim.cost.source import Source
from wccsim.cost.views import capacity, dense_nest, on_array
from wccsim.cycles import ceil_div
from wccsim.errors import WccsimError
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer
from wccsim.systolic import GemmCount
from wccsim.tiling import DramTraffic, Nest, Tiling, best_tiling, swept_rows


def dense_layer_cost(
    layer: Layer, source: Source, accelerator: Accelerator, prices: Prices, options: CostOptions
) -> LayerCost:
    """Cost of a convolution, a fully connected layer or a matrix product without WCC.

    Raises WccsimError where not even one row of one channel fits the buffers.
    """
    count = on_array(layer, accelerator)
    nest = source.applied(dense_nest(layer, accelerator, source.in_bits, source.out_bits))
    tiling, traffic = _tiled(layer, nest, accelerator, options)
    dram = _dram_bits(nest, source, traffic)
    in_moves, out_moves = _array_moves(layer, count, dram, accelerator), _out_moves(layer, source, dram)
    # The ports are timed for the operands; the index of a compressed input is priced, not timed.
    array = phase(count.cycles, in_moves[:3], accelerator)
    latency = layer_latency(
        accelerator,
        count.ideal_cycles,
        {"array": array},
        dram.read,
        dram.write,
        start_bits(accelerator, layer.weight_bits, layer.act_bits),
        accelerator.array.columns * source.out_bits,
    )
    compute = macs_pj(layer.macs, layer.act_bits, layer.weight_bits, accelerator, prices)
    requantise = requantise_pj(layer.out_shape.values, accelerator.accumulator_bits, prices)
    finished = (0, dram.write - dram.partial_write)
    crossing = (dram.read, dram.partial_write)
    return LayerCost(
        layer,
        layer.macs,
        latency,
        dram,
        (
            stage_cost("mac", array.cycles, in_moves, crossing, compute, accelerator, prices.table),
            stage_cost("requantise_out", 0, out_moves, finished, requantise, accelerator, prices.table),
        ),
        _unique_bits(layer, nest, source, dram),
        count.mapping_efficiency_percent,
        accelerator.array.elements,
        tiling=tiling_text(tiling, nest),
        notes=source.notes,
    )


def _dram_bits(nest: Nest, source: Source, traffic: DramTraffic) -> DramBits:
    """What crosses DRAM; the index of a compressed input is read again with every pass over it."""
    in_bits = nest.groups * nest.in_rows * nest.in_channels * nest.in_row_bits
    sweeps = ceil_div(traffic.in_read_bits, max(in_bits, 1))
    return DramBits(
        in_read=0 if source.in_on_chip else traffic.in_read_bits,
        weight_read=traffic.weight_read_bits,
        out_write=0 if source.out_on_chip else source.out_store_bits(traffic.out_write_bits),
        index_read=source.in_index_bits * sweeps,
        index_write=source.out_index_bits,
        partial_read=traffic.partial_read_bits,
        partial_write=traffic.partial_write_bits,
    )


def _array_moves(
    layer: Layer, count: GemmCount, dram: DramBits, accelerator: Accelerator
) -> tuple[Moves, ...]:
    """Bits through the buffers while the array runs; the input's index comes last."""
    accumulators = count.sram_out_writes - count.sram_partial_reads  # each finished sum leaves once
    spilled = (count.sram_out_writes - accumulators) * accelerator.accumulator_bits
    return (
        Moves("in", count.sram_in_reads * layer.act_bits, dram.in_read),
        Moves("weight", count.sram_weight_reads * layer.weight_bits, dram.weight_read),
        Moves(
            "out",
            count.sram_partial_reads * accelerator.accumulator_bits + dram.partial_write,
            spilled + dram.partial_read,
        ),
        Moves("index", dram.index_read, dram.index_read),
    )


def _out_moves(layer: Layer, source: Source, dram: DramBits) -> tuple[Moves, ...]:
    """Bits through the buffers while finished sums are requantised and leave."""
    return (
        Moves("out", dram.out_write, layer.out_shape.values * source.out_bits),
        Moves("index", dram.index_write, dram.index_write),
    )


def _tiled(
    layer: Layer, nest: Nest, accelerator: Accelerator, options: CostOptions
) -> tuple[Tiling, DramTraffic]:
    found = best_tiling(nest, capacity(accelerator), options.halo)
    if found is None:
        raise WccsimError(
            f"layer {layer.name}: not even one row of one channel fits the buffers of {accelerator.name}; "
            f"a row of its input has {nest.in_row_bits} bits, of its output {nest.out_row_bits} bits"
        )
    return found


def _unique_bits(layer: Layer, nest: Nest, source: Source, dram: DramBits) -> int:
    """Rows that some output needs, weights, outputs: each once."""
    rows = swept_rows(nest, 1, "keep")
    in_bits = 0 if source.in_on_chip else nest.groups * rows * nest.in_channels * nest.in_row_bits
    weights = nest.groups * nest.in_channels * nest.out_channels * nest.pair_bits
    return in_bits + weights + dram.out_write + source.in_index_bits + source.out_index_bits


def tiling_text(tiling: Tiling, nest: Nest) -> str:
    """The tiling for a report: rows x out x in channels, and the loops from the outermost in."""
    whole = (tiling.rows, tiling.out_channels, tiling.in_channels) == (
        nest.rows,
        nest.out_channels,
        nest.in_channels,
    )
    if whole:
        return "whole"
    return f"{tiling.rows}x{tiling.out_channels}x{tiling.in_channels} {tiling.order}"


def other_layer_cost(layer: Layer, source: Source, accelerator: Accelerator, prices: Prices) -> LayerCost:
    """Cost of a layer without MACs: its maps pass through once, one value a column a cycle.

    An addition or multiplication of maps does one operation a value, a pooling one comparison or
    addition for each value of its windows. Comparisons are as wide as the map's words, additions as a
    requantiser's product.
    """
    values_in, values_out = source.in_values, layer.out_shape.values
    dram = DramBits(
        in_read=0 if source.in_on_chip else source.in_read_bits,
        out_write=0 if source.out_on_chip else source.out_store_bits(values_out * source.out_bits),
        index_read=source.in_index_bits,
        index_write=source.out_index_bits,
    )
    moves = (
        Moves("in", values_in * layer.act_bits, dram.in_read),
        Moves("out", dram.out_write, values_out * source.out_bits),
        Moves("index", dram.index_read + dram.index_write, dram.index_read + dram.index_write),
    )
    work = phase(ceil_div(max(values_in, values_out), accelerator.array.columns), moves, accelerator)
    latency = layer_latency(
        accelerator, 0, {"array": phase(0, (), accelerator), "elementwise": work}, dram.read, dram.write,
        accelerator.array.rows * layer.act_bits, accelerator.array.columns * source.out_bits,
    )  # fmt: skip
    compute = operations_pj(_operations(layer, values_in), requantiser(layer.act_bits), prices.table)
    crossing = (dram.read, dram.write)
    return LayerCost(
        layer,
        0,
        latency,
        dram,
        (stage_cost(layer.op, work.cycles, moves, crossing, compute, accelerator, prices.table),),
        dram.read + dram.write,
        0.0,
        accelerator.array.elements,
        notes=source.notes,
    )


def _operations(layer: Layer, values_in: int) -> ActionCounts:
    """Operations of a layer without MACs."""
    values_out = layer.out_shape.values
    windows = values_out * layer.kernel[0] * layer.kernel[1]
    return {
        "max_pool": ActionCounts(compares=windows),
        "average_pool": ActionCounts(adds=windows, multiplies=values_out),
        "global_average_pool": ActionCounts(adds=values_in, multiplies=values_out),
        "multiply": ActionCounts(multiplies=values_out),
    }.get(layer.op, ActionCounts(adds=max(values_in - values_out, 0)))
