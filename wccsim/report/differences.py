"""What changed between two CSV reports: columns, rows, cells and totals.

Rows are matched by their key columns, cells by column name, so the order of neither matters.
Numbers compare as exact values ("0.25" equals "0.250"), everything else as text.
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path

from wccsim.errors import Place, WccsimError
from wccsim.files import read_bytes, sha256_of
from wccsim.report.tables import Provenance, Report
from wccsim.report.terminal import Cell, exact_decimal, grouped, terminal_table

MAX_BYTES = 1 << 28
KNOWN_KEYS = (("layer", "stage"), ("layer",), ("table", "row"))
COLUMNS = ("row", "column", "before", "after", "change_percent")


@dataclass(frozen=True, slots=True)
class Sheet:
    """A CSV file: its columns, its rows as text, and the settings of the provenance beside it, if any."""

    path: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Change:
    """One cell that differs."""

    row: str
    column: str
    before: str
    after: str

    @property
    def percent(self) -> Fraction | None:
        """Change relative to `before`; None where that is no number or zero."""
        return _percent(number(self.before), number(self.after))


@dataclass(frozen=True, slots=True)
class Differences:
    """All of them; rows are named by their key, joined by " / "."""

    key: tuple[str, ...]
    columns_removed: tuple[str, ...]
    columns_added: tuple[str, ...]
    rows_removed: tuple[str, ...]
    rows_added: tuple[str, ...]
    changes: tuple[Change, ...]
    totals: tuple[tuple[str, Fraction, Fraction], ...]
    settings: tuple[Change, ...] = ()

    @property
    def any(self) -> bool:
        """Whether the two reports differ at all."""
        return bool(
            self.columns_removed or self.columns_added or self.rows_removed or self.rows_added or self.changes
        )


def read_sheet(path: Path | str) -> Sheet:
    """A CSV file with a header. WccsimError, with file and line, where it is none."""
    try:
        text = read_bytes(path, MAX_BYTES).decode("utf-8-sig")
    except UnicodeDecodeError:
        raise WccsimError(f"{path} is not UTF-8 text; a CSV report is needed") from None
    lines = csv.reader(io.StringIO(text, newline=""), strict=True)
    rows: list[tuple[str, ...]] = []
    columns: tuple[str, ...] | None = None
    try:
        for row in lines:
            if columns is None:
                columns = _header(row, str(path))
            elif row:
                if len(row) != len(columns):
                    message = f"{len(row)} fields; the header has {len(columns)}"
                    raise WccsimError(message, Place(str(path), lines.line_num, 1))
                rows.append(tuple(row))
    except csv.Error as problem:
        raise WccsimError(f"not CSV: {problem}", Place(str(path), lines.line_num, 1)) from None
    if columns is None:
        raise WccsimError(f"{path} is empty; a CSV report with a header is needed")
    return Sheet(str(path), columns, tuple(rows), _settings_beside(path))


def _settings_beside(path: Path | str) -> dict[str, str]:
    """Version, inputs and settings from `<path>.provenance.json`; nothing where there is none."""
    try:
        content = json.loads(read_bytes(f"{path}.provenance.json", MAX_BYTES))
        inputs = {f"sha256 of {name}": str(sha) for name, sha in content["inputs_sha256"].items()}
        settings = {str(name): str(value) for name, value in content["settings"].items()}
        return {"version": str(content["version"]), **inputs, **settings}
    except (WccsimError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {}


def compare(before: Sheet, after: Sheet, key: Sequence[str] = ()) -> Differences:
    """The differences; `key` names the columns that tell rows apart, found by itself when empty."""
    keys = _key(before, after, key)
    old, new = _by_key(before, keys), _by_key(after, keys)
    shared = [name for name in before.columns if name in after.columns]
    changes = [
        Change(row, column, old[row][column], new[row][column])
        for row in old
        if row in new
        for column in shared
        if not _same(old[row][column], new[row][column])
    ]
    sums = [(c, _column_sum(before, c), _column_sum(after, c)) for c in shared if c not in keys]
    return Differences(
        keys,
        tuple(c for c in before.columns if c not in after.columns),
        tuple(c for c in after.columns if c not in before.columns),
        tuple(row for row in old if row not in new),
        tuple(row for row in new if row not in old),
        tuple(changes),
        tuple((c, a, b) for c, a, b in sums if a is not None and b is not None and a != b),
        _changed_settings(before.settings, after.settings),
    )


def _changed_settings(before: Mapping[str, str], after: Mapping[str, str]) -> tuple[Change, ...]:
    """What was asked differently; nothing where one of the reports does not say."""
    names = dict.fromkeys([*before, *after]) if before and after else {}
    pairs = [(name, before.get(name, "(none)"), after.get(name, "(none)")) for name in names]
    return tuple(Change("(settings)", name, old, new) for name, old, new in pairs if old != new)


def difference_report(before: Sheet, after: Sheet, found: Differences) -> Report:
    """One row a changed cell; a row added or removed has the column "(row)"."""
    rows: list[tuple[Cell, ...]] = [(row, "(row)", "present", None, None) for row in found.rows_removed]
    rows += [(row, "(row)", None, "present", None) for row in found.rows_added]
    changes = (*found.settings, *found.changes)
    rows += [(c.row, c.column, c.before, c.after, _rounded(c.percent)) for c in changes]
    inputs = {sheet.path: sha256_of(sheet.path) for sheet in (before, after)}
    return Report(COLUMNS, rows, Provenance("diff", inputs, {"key": ", ".join(found.key)}))


def difference_text(before: Sheet, after: Sheet, found: Differences, limit: int | None) -> str:
    """For a terminal: what is new, what is gone, totals, then at most `limit` changed cells."""
    lines = [
        f"before  {before.path}: {len(before.rows)} rows",
        f"after   {after.path}: {len(after.rows)} rows",
    ]
    lines += [f"{c.column}: {c.before[:64]} > {c.after[:64]}" for c in found.settings]
    if not found.any:
        return "\n".join([*lines, "no difference"]) + "\n"
    for what, names in (
        ("columns removed", found.columns_removed),
        ("columns added", found.columns_added),
        ("rows removed", found.rows_removed),
        ("rows added", found.rows_added),
    ):
        if names:
            lines.append(f"{what} ({len(names)}): {', '.join(names)}")
    parts = ["\n".join(lines) + "\n"]
    if found.totals:
        totals = [(c, grouped(a), grouped(b), _percent_text(_percent(a, b))) for c, a, b in found.totals]
        heads = ["column total", "before", "after", "change"]
        parts.append(terminal_table(heads, totals, align=["left", "right", "right", "right"]))
    if found.changes:
        cells = [
            (c.row, c.column, _shown(c.before), _shown(c.after), _percent_text(c.percent))
            for c in found.changes[:limit]
        ]
        heads = [" / ".join(found.key), "column", "before", "after", "change"]
        table = terminal_table(heads, cells, align=["left", "left", "right", "right", "right"])
        rest = len(found.changes) - len(cells)
        more = f"and {rest:,} more changed cells; --all shows them, --csv writes them\n" if rest else ""
        rows = len({c.row for c in found.changes})
        parts.append(f"{len(found.changes):,} changed cells in {rows:,} rows\n{table}{more}")
    return "\n".join(parts)


def number(text: str) -> Fraction | None:
    """The exact value of a numeral, None for any other text (or one too long to be a report's)."""
    if not text or len(text) > 400 or ("e" in text.lower() and len(text) > 40):
        return None
    try:
        exponent = text.lower().partition("e")[2]
        return None if exponent and abs(int(exponent)) > 400 else Fraction(text)
    except (ValueError, ZeroDivisionError):
        return None


def _header(row: list[str], path: str) -> tuple[str, ...]:
    twice = [name for name in row if row.count(name) > 1]
    if twice:
        raise WccsimError(f"column {twice[0]!r} is there twice; each name once is allowed", Place(path, 1, 1))
    return tuple(row)


def _key(before: Sheet, after: Sheet, asked: Sequence[str]) -> tuple[str, ...]:
    for name in asked:
        for sheet in (before, after):
            if name not in sheet.columns:
                raise WccsimError(f"{sheet.path} has no column {name!r}; it has {', '.join(sheet.columns)}")
    if asked:
        return tuple(asked)
    both = [name for name in before.columns if name in after.columns]
    if not both:
        raise WccsimError(f"{before.path} and {after.path} have no column in common")
    return next((key for key in KNOWN_KEYS if set(key) <= set(both)), (both[0],))


def _by_key(sheet: Sheet, keys: tuple[str, ...]) -> dict[str, dict[str, str]]:
    """Rows by their key; the second of an equal key is called "key #2"."""
    rows: dict[str, dict[str, str]] = {}
    seen: dict[str, int] = {}
    for row in sheet.rows:
        cells = dict(zip(sheet.columns, row, strict=True))
        name = " / ".join(cells[key] for key in keys)
        seen[name] = seen.get(name, 0) + 1
        rows[name if seen[name] == 1 else f"{name} #{seen[name]}"] = cells
    return rows


def _same(before: str, after: str) -> bool:
    if before == after:
        return True
    first = number(before)
    return first is not None and first == number(after)


def _column_sum(sheet: Sheet, column: str) -> Fraction | None:
    """The column's sum; None where a cell is text or none is a number."""
    place = sheet.columns.index(column)
    numbers = [number(row[place]) for row in sheet.rows if row[place]]
    known = [value for value in numbers if value is not None]
    return sum(known, Fraction(0)) if known and len(known) == len(numbers) else None


def _percent(before: Fraction | None, after: Fraction | None) -> Fraction | None:
    return (after / before - 1) * 100 if before and after is not None else None


def _rounded(value: Fraction | None) -> float | None:
    return None if value is None else round(float(value), 6)


def _percent_text(value: Fraction | None) -> str:
    return "" if value is None else f"{float(value):+.2f}%"


def _shown(text: str) -> str:
    value = number(text)
    if value is None:
        return text or "(none)"
    digits = exact_decimal(value)
    return grouped(value) if "/" not in digits else text
