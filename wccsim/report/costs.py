"""The cost of a network as reports: per layer, per stage, across energy tables; and the roofline."""

from __future__ import annotations

import textwrap
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from wccsim.cost.network import NetworkCost
from wccsim.cost.pricing import prices_of
from wccsim.cost.record import LayerCost
from wccsim.cost.roofline import memory_bits_per_s, ridge_macs_per_bit, roofline_points
from wccsim.cost.run import CostComparison, cost, energy_spread, verdict
from wccsim.report.tables import Provenance, Report, data_frame
from wccsim.report.terminal import WIDTH, Cell, terminal_table

if TYPE_CHECKING:
    import pandas

COLUMNS: dict[str, Callable[[LayerCost], Cell]] = {
    "layer": lambda c: c.layer.name,
    "op": lambda c: c.layer.op,
    "keep": lambda c: c.keep,
    "weight_bits": lambda c: c.layer.weight_bits if c.layer.multiplies else 0,
    "act_bits": lambda c: c.layer.act_bits,
    "macs": lambda c: c.macs,
    "cycles": lambda c: c.latency.total,
    "ideal_cycles": lambda c: c.latency.ideal,
    "loss_cycles": lambda c: c.latency.loss,
    "stage_cycles": lambda c: c.latency.stages,
    "stall_cycles": lambda c: c.latency.stall,
    "load_cycles": lambda c: c.latency.load,
    "store_cycles": lambda c: c.latency.store,
    "mapping_efficiency_percent": lambda c: c.mapping_efficiency_percent,
    "compute_utilization_percent": lambda c: c.compute_utilization_percent,
    "utilization_percent": lambda c: c.utilization_percent,
    "unique_bits": lambda c: c.unique_bits,
    "dram_in_read_bits": lambda c: c.dram.in_read,
    "dram_weight_read_bits": lambda c: c.dram.weight_read,
    "dram_out_write_bits": lambda c: c.dram.out_write,
    "dram_index_bits": lambda c: c.dram.index_read + c.dram.index_write,
    "dram_kept_bits": lambda c: c.dram.kept_read + c.dram.kept_write,
    "dram_score_bits": lambda c: c.dram.score_read + c.dram.score_write,
    "dram_partial_bits": lambda c: c.dram.partial_read + c.dram.partial_write,
    "dram_bits": lambda c: c.dram_bits,
    "sram_bits": lambda c: c.sram_bits,
    "compute_pj": lambda c: c.part_pj("compute"),
    "sram_pj": lambda c: c.part_pj("sram"),
    "dram_pj": lambda c: c.part_pj("dram"),
    "energy_pj": lambda c: c.energy_pj,
    "tiling": lambda c: c.tiling,
    "notes": lambda c: "; ".join(c.notes),
}
STAGE_COLUMNS = (
    "variant", "layer", "stage", "cycles", "sram_read_bits", "sram_write_bits", "dram_read_bits",
    "dram_write_bits", "compute_pj", "sram_pj", "dram_pj", "energy_pj",
)  # fmt: skip
SPREAD_COLUMNS = (
    "energy_table", "dram_read_pj_per_bit", "dense_pj", "quantised_pj", "wcc_pj",
    "wcc_saves_against_dense_percent", "wcc_saves_against_quantised_percent",
)  # fmt: skip
ROOFLINE_COLUMNS = (
    "layer", "variant", "macs", "dense_macs", "dram_bits", "cycles", "intensity_macs_per_bit",
    "attainable_macs_per_s", "achieved_macs_per_s", "effective_macs_per_s", "bound",
)  # fmt: skip
ROOF = ("peak_macs_per_s", "dram_bits_per_s", "ridge_macs_per_bit")
TOTALS: dict[str, Callable[[NetworkCost], Cell]] = {
    "macs": lambda c: c.macs,
    "bops": lambda c: c.bops,
    "cycles": lambda c: c.cycles,
    "dram_bits": lambda c: c.dram_bits,
    "sram_bits": lambda c: c.sram_bits,
    "compute_pj": lambda c: c.part_pj("compute"),
    "sram_pj": lambda c: c.part_pj("sram"),
    "dram_pj": lambda c: c.part_pj("dram"),
    "energy_pj": lambda c: c.energy_pj,
}


def _number(cell: object) -> float:
    assert isinstance(cell, (int, float))
    return float(cell)


def cost_frame(network: Any, accelerator: Any = "edge_npu_wcc", **asked: Any) -> pandas.DataFrame:
    """`wccsim cost` as a DataFrame: one row for each layer of each variant. See `wccsim.cost.run.cost`."""
    return data_frame(cost_report(cost(network, accelerator, **asked)))


def provenance(comparison: CostComparison, command: str) -> Provenance:
    """The network, the accelerator, the energy table and every policy."""
    table = next(iter(comparison.variants.values())).table
    machine = comparison.accelerator
    gates = prices_of(table, comparison.options).gates
    overlap = "as the RTL" if machine.overlap == "none" else "modelled, no RTL behind it"
    return Provenance(
        command,
        {
            comparison.network.name: comparison.network.sha256,
            machine.name: machine.sha256,
            table.name: table.sha256,
            **({} if gates is None else {"gates.json": gates.sha256}),
        },
        {
            "accelerator": machine.title,
            "energy": table.title,
            "overlap": f"{machine.overlap} ({overlap})",
            **comparison.options.as_settings(),
            **comparison.asked,
        },
    )


def cost_report(comparison: CostComparison) -> Report:
    """One row for each layer of each variant."""
    return Report(
        ("variant", *COLUMNS),
        [
            (variant, *(get(layer) for get in COLUMNS.values()))
            for variant, priced in comparison.variants.items()
            for layer in priced.layers
        ],
        provenance(comparison, "cost"),
        {
            variant: {name: get(priced) for name, get in TOTALS.items()}
            for variant, priced in comparison.variants.items()
        },
    )


def stage_report(comparison: CostComparison) -> Report:
    """One row for each stage of each layer of each variant."""
    return Report(
        STAGE_COLUMNS,
        [
            (
                variant, layer.layer.name, s.stage, s.cycles, s.sram_read_bits, s.sram_write_bits,
                s.dram_read_bits, s.dram_write_bits, s.compute_pj, s.sram_pj, s.dram_pj, s.energy_pj,
            )
            for variant, priced in comparison.variants.items()
            for layer in priced.layers
            for s in layer.stages
        ],
        provenance(comparison, "cost --stages"),
    )  # fmt: skip


def cost_text(comparison: CostComparison) -> str:
    """The layers of the last variant beside dense, then the variants in total."""
    name, priced = list(comparison.variants.items())[-1]
    dense = next(iter(comparison.variants.values()))
    rows: list[tuple[Cell, ...]] = []
    for layer, base in zip(priced.layers, dense.layers, strict=True):
        total = layer.latency.total
        rows.append(
            (
                layer.layer.name,
                total,
                layer.utilization_percent,
                layer.latency.stages,
                layer.dram_bits / 1e3,
                layer.energy_pj / 1e3,
                base.latency.total / total if total else None,
                base.dram_bits / layer.dram_bits if layer.dram_bits else None,
                base.energy_pj / layer.energy_pj if layer.energy_pj else None,
            )
        )
    heads = [
        "layer", "cycles", "util\n%", "WCC stage\ncycles", "DRAM\nkbit", "energy\nnJ",
        "faster\nx", "less DRAM\nx", "less energy\nx",
    ]  # fmt: skip
    title = f"{comparison.network.name} on {comparison.accelerator.name}: {name}"
    beside = ", each layer beside dense (x: times better; below 1, worse)" if name != "dense" else ""
    if name == "dense":
        heads, rows = heads[:6], [row[:6] for row in rows]
    parts = [title + beside, terminal_table(heads, rows), _totals_text(comparison)]
    notes = _counted_notes(priced)
    return "\n".join([*parts, *([notes] if notes else []), _rules_text(provenance(comparison, "cost"))])


def _totals_text(comparison: CostComparison) -> str:
    heads = ["variant", "MMAC", "GBOP\nof MACs", "Mcycle", "ms", "DRAM\nMbit", "SRAM\nMbit", "compute\nmJ",
             "SRAM\nmJ", "DRAM\nmJ", "energy\nmJ"]  # fmt: skip
    clock = comparison.accelerator.clock_mhz
    rows = [
        (
            variant, c.macs / 1e6, c.bops / 1e9, c.cycles / 1e6, c.cycles / clock / 1e3, c.dram_bits / 1e6,
            c.sram_bits / 1e6, c.part_pj("compute") / 1e9, c.part_pj("sram") / 1e9, c.part_pj("dram") / 1e9,
            c.energy_pj / 1e9,
        )
        for variant, c in comparison.variants.items()
    ]  # fmt: skip
    return terminal_table(heads, rows)


def _counted_notes(priced: NetworkCost) -> str:
    """How many layers each note stands on."""
    counts: dict[str, int] = {}
    for layer in priced.layers:
        for note in layer.notes:
            plain = "padding to 2^levels adds positions" if note.startswith("padding") else note
            counts[plain] = counts.get(plain, 0) + 1
    return "".join(f"{count} of {len(priced.layers)} layers: {note}\n" for note, count in counts.items())


def _rules_text(source: Provenance) -> str:
    return "".join(
        textwrap.fill(f"{name}: {value}", WIDTH, subsequent_indent="  ") + "\n"
        for name, value in source.settings.items()
    )


def stage_text(comparison: CostComparison) -> str:
    """Stages summed over the layers of each variant."""
    rows: list[tuple[Cell, ...]] = []
    for variant, priced in comparison.variants.items():
        sums: dict[str, list[float]] = {}
        for layer in priced.layers:
            for s in layer.stages:
                one = [s.cycles, s.sram_read_bits + s.sram_write_bits, s.dram_read_bits + s.dram_write_bits]
                energy = [s.compute_pj, s.sram_pj, s.dram_pj, s.energy_pj]
                previous = sums.get(s.stage, [0.0] * 7)
                sums[s.stage] = [a + b for a, b in zip(previous, [*one, *energy], strict=True)]
        for stage, (cycles, sram, dram, *parts) in sums.items():
            rows.append(
                (variant, stage, int(cycles), sram / 1e6, dram / 1e6, *(part / 1e6 for part in parts))
            )
    heads = ["variant", "stage", "cycles", "SRAM\nMbit", "DRAM\nMbit", "compute\nuJ", "SRAM\nuJ", "DRAM\nuJ",
             "energy\nuJ"]  # fmt: skip
    title = f"{comparison.network.name} on {comparison.accelerator.name}: stages, summed over the layers\n"
    return title + terminal_table(heads, rows)


def spread_report(comparison: CostComparison) -> Report:
    """One row for each energy table, from the cheapest DRAM to the dearest."""
    spread = energy_spread(comparison)
    rows: list[tuple[Cell, ...]] = [
        (
            row.table, row.dram_read_pj_per_bit, *(row.energy_pj[v] for v in ("dense", "quantised", "wcc")),
            row.saved_percent("dense"), row.saved_percent("quantised"),
        )
        for row in spread
    ]  # fmt: skip
    notes = tuple(verdict(spread, against) for against in ("dense", "quantised"))
    return Report(SPREAD_COLUMNS, rows, provenance(comparison, "cost --energy all"), notes=notes)


def spread_text(report: Report) -> str:
    """The spread and its verdicts for a terminal, in millijoules."""
    heads = ["energy table", "DRAM\npJ/bit", "dense\nmJ", "quantised\nmJ", "WCC\nmJ",
             "saves against\ndense %", "saves against\nquantised %"]  # fmt: skip
    rows = [(row[0], row[1], *(_number(cell) / 1e9 for cell in row[2:5]), *row[5:]) for row in report.rows]
    sentences = "\n".join(textwrap.fill(note, WIDTH) for note in report.notes)
    return f"{terminal_table(heads, rows)}\n{sentences}\n"


def roofline_report(comparison: CostComparison) -> Report:
    """One row for each layer with MACs of each variant."""
    machine = comparison.accelerator
    rows: list[tuple[Cell, ...]] = [
        (
            p.layer, p.variant, p.macs, p.dense_macs, p.dram_bits, p.cycles, float(p.intensity_macs_per_bit),
            p.attainable_macs_per_s, p.achieved_macs_per_s, p.effective_macs_per_s,
            "memory" if p.memory_bound else "compute",
        )
        for variant, priced in comparison.variants.items()
        for p in roofline_points(priced, variant)
    ]  # fmt: skip
    totals: dict[str, Cell] = {
        "peak_macs_per_s": machine.peak_macs_per_s,
        "dram_bits_per_s": memory_bits_per_s(machine),
        "ridge_macs_per_bit": ridge_macs_per_bit(machine),
    }
    return Report(ROOFLINE_COLUMNS, rows, provenance(comparison, "roofline"), totals)


def roofline_text(report: Report) -> str:
    """The roofline for a terminal, throughputs in GMAC a second."""
    heads = ["layer", "variant", "MAC per\nDRAM bit", "attainable\nGMAC/s", "achieved\nGMAC/s",
             "effective\nGMAC/s", "bound by"]  # fmt: skip
    rows = [
        (row[0], row[1], row[6], *(_number(cell) / 1e9 for cell in row[7:10]), row[10]) for row in report.rows
    ]
    peak, memory, ridge = (_number(report.totals[name]) for name in ROOF)
    title = (
        f"peak {peak / 1e9:g} GMAC/s, DRAM {memory / 1e9:g} Gbit/s, ridge at {ridge:.3g} MAC per DRAM bit\n"
    )
    return title + terminal_table(heads, rows)
