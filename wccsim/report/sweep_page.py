"""A sweep as one self-contained HTML page: the front as a figure and a table, then every setting."""

from __future__ import annotations

from pathlib import Path

from wccsim.report.explored import front_rows
from wccsim.report.html import section
from wccsim.report.page import drawn, rows_table, write_page
from wccsim.report.pareto_plot import write_pareto_plot
from wccsim.report.tables import Report

CAPTION = (
    "Every setting: what it costs, and how well the feature maps survive it. The line is the Pareto front."
)


def write_sweep_page(path: Path | str, report: Report, objective: str) -> None:
    """The report of `wccsim.report.explored.sweep_report` at `path`."""
    name, machine = list(report.provenance.inputs)[:2]
    plot = drawn("Cost and distortion", lambda target: write_pareto_plot(target, report, objective), CAPTION)
    front = Report(report.columns, front_rows(report, objective), report.provenance)
    before = [plot, section(f"The front of distortion and {objective}", rows_table(front))]
    write_page(path, f"Settings of {name} on {machine}", report, before)
