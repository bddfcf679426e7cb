"""The audit of the paper as a report and as text."""

from __future__ import annotations

import textwrap
from collections.abc import Sequence
from fractions import Fraction

from wccsim.files import sha256_of
from wccsim.paper.audit import TABLE3_NETWORK, AuditRow, audit, misprinted_sizes
from wccsim.paper.contradictions import contradictions
from wccsim.paper.published import DATA
from wccsim.paper.rules import PUBLISHED, RULES, network, rule_text
from wccsim.report.tables import Provenance, Report
from wccsim.report.terminal import WIDTH, Align, grouped, terminal_table

COLUMNS = ("table", "row", "published", "computed", "gap_percent", "note")
UNITS = {"Table 3": "MAC", "Section 4.1": "10^6 BOPs"}
GIGA_BOPS = "10^9 BOPs"
SHOWN_DECIMALS = 4


def paper_report() -> Report:
    """One row a published number; `computed` is exact and in the unit of the printed number."""
    rows = audit()
    return Report(
        COLUMNS,
        [
            (
                row.table,
                row.row,
                Fraction(row.published),
                row.computed,
                round(float(row.gap_percent), 6),
                _note(row),
            )
            for row in rows
        ],
        Provenance("paper", _inputs(), PUBLISHED.as_settings(), definitions=PUBLISHED.definitions()),
        {f"{table}: equal as printed": _score(rows, table) for table in _tables(rows)},
        [*(f"{table}: {rule_text(table)}" for table in RULES), *_size_lines(), *contradictions()],
    )


def paper_text() -> str:
    """Published beside computed beside gap, table by table; then what contradicts what."""
    rows = audit()
    parts = []
    for table in _tables(rows):
        rule = rule_text(table) if table in RULES else "counting paper, the layers as printed"
        head = f"{table}: {_score(rows, table)} equal as printed, in {UNITS.get(table, GIGA_BOPS)}\n"
        parts.append(head + _wrapped("  ", rule) + _table_text([row for row in rows if row.table == table]))
    parts.append("Table 3, rows whose printed H x W is not the network's\n" + _size_table())
    listed = [_wrapped(f"{number:2}. ", text) for number, text in enumerate(contradictions(), 1)]
    parts.append("Where the paper contradicts itself or its code\n" + "".join(listed))
    return "\n".join(parts)


def _table_text(rows: Sequence[AuditRow]) -> str:
    align: list[Align] = ["left", "right", "right", "right", "left"]
    body = [
        (
            row.row,
            grouped(Fraction(row.published)),
            f"{float(row.computed):,.{SHOWN_DECIMALS}f}"
            if row.computed.denominator > 1
            else grouped(row.computed),
            "0" if not row.gap_percent else f"{float(row.gap_percent):+.4f}",
            row.verdict,
        )
        for row in rows
    ]
    return terminal_table(["row", "published", "computed", "gap %", "verdict"], body, align=align)


def _size_table() -> str:
    rows = [
        (row.name, f"{row.height}x{row.width}", f"{layer.in_shape.height}x{layer.in_shape.width}")
        for row, layer in misprinted_sizes()
    ]
    return terminal_table(["row", "printed", "network"], rows)


def _size_lines() -> list[str]:
    return [
        f"Table 3, {row.name}: H x W printed {row.height}x{row.width}, in the network "
        f"{layer.in_shape.height}x{layer.in_shape.width}"
        for row, layer in misprinted_sizes()
    ]


def _note(row: AuditRow) -> str:
    wrong = {printed.name: layer.in_shape for printed, layer in misprinted_sizes()}
    note = row.verdict
    if row.table == "Table 3" and row.row in wrong:
        note += f"; printed H x W is wrong, the network has {wrong[row.row].height}x{wrong[row.row].width}"
    return note


def _score(rows: Sequence[AuditRow], table: str) -> str:
    verdicts = [row.verdict.startswith("equal") for row in rows if row.table == table]
    return f"{sum(verdicts)} of {len(verdicts)}"


def _tables(rows: Sequence[AuditRow]) -> list[str]:
    return list(dict.fromkeys(row.table for row in rows))


def _inputs() -> dict[str, str]:
    names = [TABLE3_NETWORK, *(rule.network for rule in RULES.values())]
    inputs = {f"{name}.yaml": network(name).sha256 for name in names}
    return {**inputs, **{path.name: sha256_of(path) for path in sorted(DATA.glob("*.csv"))}}


def _wrapped(lead: str, text: str) -> str:
    lines = textwrap.wrap(text, WIDTH, initial_indent=lead, subsequent_indent=" " * len(lead))
    return "\n".join(lines) + "\n"
