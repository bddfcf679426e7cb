"""The cost of a network as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

from wccsim.cost.run import CostComparison
from wccsim.files import write_text
from wccsim.report import costs
from wccsim.report.html import bullets, page, section, table
from wccsim.report.tables import Report
from wccsim.report.terminal import text_of


def write_cost_page(comparison: CostComparison, path: Path | str) -> None:
    """Totals, the verdict across energy tables where WCC is used, and every layer of every variant."""
    report = costs.cost_report(comparison)
    totals = [(name, *(text_of(cell) for cell in cells.values())) for name, cells in report.totals.items()]  # type: ignore[union-attr]
    heads = ("variant", *next(iter(report.totals.values())))  # type: ignore[misc]
    sections = [section("Totals", table(heads, totals))]
    if len(comparison.variants) == 3:
        spread = costs.spread_report(comparison)
        sections.append(section("Across energy tables", bullets(spread.notes) + _table(spread)))
    rules = [f"{name}: {value}" for name, value in report.provenance.settings.items()]
    inputs = [f"{name}: sha256 {digest}" for name, digest in report.provenance.inputs.items()]
    sections.append(section("How it was counted", bullets(rules + inputs)))
    sections.append(section("Layers", _table(report)))
    title = f"{comparison.network.name} on {comparison.accelerator.name}"
    write_text(path, page(title, sections))


def _table(report: Report) -> str:
    return table(report.columns, [[text_of(cell) for cell in row] for row in report.rows])
