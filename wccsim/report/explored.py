"""Sweeps and allocations as reports: rows, notes, and the text for a terminal."""

from __future__ import annotations

import math
import textwrap
from collections.abc import Sequence

from wccsim.cost.pricing import prices_of
from wccsim.explore.allocate import Allocation, Outcome
from wccsim.explore.choices import OBJECTIVES
from wccsim.explore.price import Job
from wccsim.explore.sweep import Sweep, keep_text
from wccsim.report.tables import Provenance, Report
from wccsim.report.terminal import WIDTH, Cell, terminal_table

SWEEP_COLUMNS = (
    "keep", "act_bits", "weight_bits", "levels", "distortion_noise_to_signal", "macs", "bops", "cycles",
    "dram_bits", "energy_pj", "pareto_bops", "pareto_cycles", "pareto_energy", "pareto_traffic",
)  # fmt: skip
ALLOCATION_COLUMNS = (
    "layer", "keep", "act_bits", "weight_bits", "levels", "cost", "distortion_noise_to_signal",
)  # fmt: skip


def provenance(job: Job, command: str, curves: str | None, **settings: str | int | float) -> Provenance:
    """Everything the figures rest on."""
    gates = prices_of(job.table, job.options).gates
    return Provenance(
        command,
        {
            job.network.name: job.network.sha256,
            job.accelerator.name: job.accelerator.sha256,
            job.table.name: job.table.sha256,
            **({} if gates is None else {"gates.json": gates.sha256}),
            **({} if curves is None else {"curves": curves}),
        },
        {
            **job.options.as_settings(),
            "energy": job.table.title,
            "distortion": job.distortion.source + "; of feature maps alone: weights' bits change cost only",
            **settings,
        },
    )


def values_of(job: Job) -> int:
    """Values of the input maps whose distortion is summed: the noise of all over the signal of all."""
    return sum(
        layer.in_shape.values
        for layer in job.network.layers
        if layer.multiplies and layer.counted and not layer.exempt
    )


def sweep_report(swept: Sweep, job: Job, source: Provenance) -> Report:
    """One row a setting; noise over signal is the mean over all map values."""
    fronts = {name: swept.pareto(column) for name, column in OBJECTIVES.items()}
    values = values_of(job)
    t = swept.totals
    rows: list[tuple[Cell, ...]] = [
        (
            keep_text(s.keep), s.act_bits, s.weight_bits, s.levels, float(t["distortion"][i]) / values,
            int(t["macs"][i]), int(t["bops"][i]), int(t["cycles"][i]), int(t["dram_bits"][i]),
            float(t["energy_pj"][i]), *("yes" if fronts[name][i] else "" for name in OBJECTIVES),
        )
        for i, s in enumerate(swept.settings)
    ]  # fmt: skip
    totals: dict[str, Cell] = {"settings": len(rows), "layer_points": swept.layer_points}
    usable = any(layer.compressible and layer.counted for layer in job.network.layers)
    notes = () if usable else ("no layer of this network can use WCC: keep and levels change nothing",)
    return Report(SWEEP_COLUMNS, rows, source, totals, notes)


def decibels(noise_to_signal: float) -> float:
    """Signal over noise in dB."""
    return math.inf if noise_to_signal <= 0 else -10 * math.log10(noise_to_signal)


def front_rows(report: Report, objective: str) -> list[Sequence[Cell]]:
    """The rows on the front of (distortion, objective), from the least distorted on."""
    flag = report.columns.index(f"pareto_{objective}")
    return sorted((row for row in report.rows if row[flag]), key=lambda row: number(row[4]))


def sweep_text(report: Report, objective: str) -> str:
    """The Pareto front of (distortion, objective), from the least distorted on."""
    front = front_rows(report, objective)
    heads = [
        "keep",
        "act\nbits",
        "weight\nbits",
        "levels",
        "SNR\ndB",
        "GBOP",
        "Mcycle",
        "DRAM\nMbit",
        "energy\nmJ",
    ]
    rows: list[tuple[Cell, ...]] = [
        (
            *row[:4], decibels(number(row[4])), number(row[6]) / 1e9, number(row[7]) / 1e6,
            number(row[8]) / 1e6, number(row[9]) / 1e9,
        )
        for row in front
    ]  # fmt: skip
    counts = report.totals
    title = (
        f"{counts['settings']:,} settings, {counts['layer_points']:,} layer-points; "
        f"{len(front)} on the front of (distortion, {objective})\n"
    )
    notes = "".join(f"{note}\n" for note in report.notes)
    return (
        title
        + terminal_table(heads, rows)
        + "\n"
        + notes
        + _wrapped(report.provenance.settings["distortion"])
    )


def _wrapped(text: object) -> str:
    return textwrap.fill(f"distortion: {text}", WIDTH) + "\n"


def number(cell: object) -> float:
    """A cell that holds a number."""
    assert isinstance(cell, (int, float))
    return float(cell)


def allocation_report(found: Allocation, job: Job, source: Provenance) -> Report:
    """One row a layer of the best outcome; the comparisons are in the totals."""
    rows: list[tuple[Cell, ...]] = [
        (
            layer.name, keep_text(c.setting.keep), c.setting.act_bits, c.setting.weight_bits,
            c.setting.levels, c.cost, c.distortion / layer.in_shape.values,
        )
        for layer, c in zip(found.layers, found.best.choices, strict=True)
    ]  # fmt: skip
    values = sum(layer.in_shape.values for layer in found.layers)
    outcomes = {"allocated": found.best, "one_setting_for_all": found.uniform, "rule_25_50": found.rule}
    totals: dict[str, Cell | dict[str, Cell]] = {
        name: {
            "cost": o.cost,
            "distortion_noise_to_signal": o.distortion / values,
            "setting": setting_text(o),
        }
        for name, o in outcomes.items()
        if o is not None
    }
    totals["budget"] = found.budget
    if found.bound is not None:
        totals["bound_noise_to_signal"] = found.bound / values
    return Report(ALLOCATION_COLUMNS, rows, source, totals, (gain_sentence(found),))


def setting_text(outcome: Outcome) -> str:
    """The settings of an outcome, most frequent first."""
    counts: dict[str, int] = {}
    for choice in outcome.choices:
        s = choice.setting
        text = f"{keep_text(s.keep)} at {s.act_bits}/{s.weight_bits}, L={s.levels}"
        counts[text] = counts.get(text, 0) + 1
    ordered = sorted(counts.items(), key=lambda item: -item[1])
    return "; ".join(f"{count}x {text}" for text, count in ordered[:4]) + (
        "; ..." if len(ordered) > 4 else ""
    )


def gain_sentence(found: Allocation) -> str:
    """What choosing per layer gains over one setting for all, and over the 25 %-50 % rule."""
    best, parts = found.best, []
    alone = ""
    if found.uniform is None:
        alone = f" No single setting of the grid meets {found.objective}={found.budget:g}."
    else:
        gain = decibels(best.distortion) - decibels(found.uniform.distortion)
        parts.append(f"over the best single setting ({setting_text(found.uniform)}): {gain:+.2f} dB")
    if found.rule is not None:
        gain = decibels(best.distortion) - decibels(found.rule.distortion)
        share = 100 * (found.rule.cost / found.budget - 1)
        parts.append(f"over the 25 %-50 % rule, which takes {share:+.1f} % of the budget: {gain:+.2f} dB")
    if not parts:
        return f"Choosing per layer meets {found.objective}={found.budget:g}.{alone}"
    return "Choosing per layer gains, " + "; ".join(parts) + "." + alone


def allocation_text(found: Allocation, report: Report) -> str:
    """The layers' settings, the outcomes side by side, and the gain in one sentence."""
    values = sum(layer.in_shape.values for layer in found.layers)
    heads = ["layer", "keep", "act\nbits", "weight\nbits", "levels", found.objective, "SNR\ndB"]
    rows = [(*row[:6], decibels(number(row[6]))) for row in report.rows]
    outcomes = [o for o in (found.best, found.uniform, found.rule) if o is not None]
    lines: list[tuple[Cell, ...]] = [
        (o.name, o.cost, 100 * o.cost / found.budget, decibels(o.distortion / values)) for o in outcomes
    ]
    if found.bound is not None:
        lines.append(("bound of the dual", None, None, decibels(found.bound / values)))
    summary = terminal_table(["outcome", found.objective, "% of\nbudget", "SNR\ndB"], lines)
    sentences = textwrap.fill(report.notes[0], WIDTH)
    distortion = _wrapped(report.provenance.settings["distortion"])
    return f"{terminal_table(heads, rows)}\n{summary}\n{sentences}\n\n{distortion}"
