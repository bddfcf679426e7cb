"""The Pareto front of a sweep as a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from wccsim.report.explored import decibels, number
from wccsim.report.one_plot import one_plot
from wccsim.report.tables import Report
from wccsim.report.terminal import Cell

# By objective: the column, and the unit it is drawn in.
AXES = {
    "bops": ("bops", 1e9, "GBOP"),
    "cycles": ("cycles", 1e6, "Mcycle"),
    "energy": ("energy_pj", 1e9, "mJ"),
    "traffic": ("dram_bits", 1e6, "DRAM Mbit"),
}


def write_pareto_plot(path: Path | str, report: Report, objective: str) -> None:
    """All settings as dots and the front as a line: cost against signal over noise.

    `report` is that of `sweep_report`. WccsimError as in `one_plot`.
    """
    name, scale, unit = AXES[objective]
    at, noise = report.columns.index(name), report.columns.index("distortion_noise_to_signal")
    flag = report.columns.index(f"pareto_{objective}")

    def drawn(rows: Sequence[Sequence[Cell]]) -> tuple[list[float], list[float]]:
        return [number(r[at]) / scale for r in rows], [decibels(number(r[noise])) for r in rows]

    dense = [row for row in report.rows if row[0] == "dense"]
    compressed = [row for row in report.rows if row[0] != "dense"]
    front = sorted((row for row in report.rows if row[flag]), key=lambda row: number(row[at]))
    with one_plot(path, report) as axes:
        axes.scatter(*drawn(compressed), s=16, color="#ee6677", label="WCC")
        axes.scatter(*drawn(dense), s=24, marker="s", color="#4477aa", label="dense")
        axes.plot(*drawn(front), color="black", linewidth=1, label="Pareto front")
        axes.set_xlabel(f"{objective} ({unit})")
        axes.set_ylabel("signal over noise of the maps (dB)")
        axes.grid(True, linewidth=0.4)
        axes.legend()
