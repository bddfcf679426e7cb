"""The cost of a network as one self-contained HTML page."""

from __future__ import annotations

from pathlib import Path

from wccsim.cost.run import CostComparison
from wccsim.report import costs
from wccsim.report.html import bullets, section
from wccsim.report.page import rows_table, write_page


def write_cost_page(comparison: CostComparison, path: Path | str) -> None:
    """Totals, the verdict across energy tables where WCC is used, and every layer of every variant."""
    before = []
    if len(comparison.variants) == 3:
        spread = costs.spread_report(comparison)
        before.append(section("Across energy tables", bullets(spread.notes) + rows_table(spread)))
    title = f"{comparison.network.name} on {comparison.accelerator.name}"
    write_page(path, title, costs.cost_report(comparison), before)
