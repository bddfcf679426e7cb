"""Any report as one self-contained HTML page: figures, what to know, totals, rows, how it was counted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from wccsim.files import write_text
from wccsim.report.html import bullets, figure, page, section, table
from wccsim.report.tables import Provenance, Report
from wccsim.report.terminal import text_of

MOST_ROWS = 5000
NO_FIGURES = "<p>Figures need matplotlib: pip install 'wccsim[plot]'.</p>"
CLASSES = {"PASS": "win", "FAIL": "lose", "differs": "lose"}


def write_page(path: Path | str, title: str, report: Report, before: Sequence[str] = ()) -> None:
    """`report` as a page at `path`; `before` are sections made elsewhere, such as `drawn` ones."""
    sections = list(before)
    if report.notes:
        sections.append(section("What to know", bullets(report.notes)))
    if report.totals:
        sections.append(section("Totals", totals_table(report)))
    sections.append(section("Rows", rows_table(report)))
    sections.append(section("How it was counted", provenance_list(report.provenance)))
    write_text(path, page(title, sections, "the rows below"))


def drawn(title: str, draw: Callable[[Path], None], caption: str) -> str:
    """A section with the figure that `draw` writes; without matplotlib it says what to install."""
    if find_spec("matplotlib") is None:
        return section(title, NO_FIGURES)
    return section(title, figure(draw, ".svg", caption))


def rows_table(report: Report) -> str:
    """Every row, or the first ones of very many."""
    shown = table(report.columns, [[_shown(cell) for cell in row] for row in report.rows[:MOST_ROWS]])
    if len(report.rows) <= MOST_ROWS:
        return shown
    return f"<p>The first {MOST_ROWS:,} of {len(report.rows):,} rows; --csv writes all.</p>{shown}"


def totals_table(report: Report) -> str:
    """Plain totals as one table, and one more for totals that are tables themselves."""
    plain = [(name, _text(cell)) for name, cell in report.totals.items() if not isinstance(cell, Mapping)]
    nested = {name: cell for name, cell in report.totals.items() if isinstance(cell, Mapping)}
    columns = list(dict.fromkeys(column for cells in nested.values() for column in cells))
    lines = [
        (name, *(_text(cells[column]) if column in cells else "" for column in columns))
        for name, cells in nested.items()
    ]
    return (table(("", "total"), plain) if plain else "") + (table(("", *columns), lines) if lines else "")


def provenance_list(provenance: Provenance) -> str:
    """Every setting, definition and input."""
    settings = [f"{name}: {value}" for name, value in provenance.settings.items()]
    definitions = [
        text for name, text in provenance.definitions.items() if name not in text.partition(":")[0]
    ]
    inputs = [f"{name}: sha256 {digest}" for name, digest in provenance.inputs.items()]
    return bullets([*settings, *definitions, *inputs])


def _shown(cell: Any) -> Any:
    text = _text(cell)
    return (text, CLASSES[text]) if text in CLASSES else text


def _text(cell: Any) -> str:
    """As on a terminal; a fraction that no decimal writes to four digits."""
    text = text_of(cell)
    return f"{float(cell):.4g}" if isinstance(cell, Fraction) and "/" in text else text
