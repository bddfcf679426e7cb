"""A report: named columns, rows, totals and where they come from; as CSV, JSON, Parquet or text.

CSV holds the rows alone, so that any reader takes it as it is; its provenance goes into a file
beside it, `<path>.provenance.json`. JSON holds everything; Parquet keeps the provenance in its
metadata. Integers are exact in all of them, whatever their size.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wccsim import __version__
from wccsim.errors import WccsimError
from wccsim.files import is_device, refuse_folder, replacing, write_text
from wccsim.report.plain_csv import plain_csv
from wccsim.report.terminal import Cell, exact_decimal, grouped, terminal_table

if TYPE_CHECKING:
    import pandas

__all__ = [
    "Cell",
    "Provenance",
    "Report",
    "csv_text",
    "data_frame",
    "exact_decimal",
    "grouped",
    "json_text",
    "provenance_lines",
    "terminal_table",
    "write_csv",
    "write_json",
    "write_parquet",
]

INT64_MAX = (1 << 63) - 1


@dataclass(frozen=True, slots=True)
class Provenance:
    """What a report rests on.

    `inputs` maps a name to its sha256, `settings` names every rule used, `definitions` says in words
    what the names mean.
    """

    command: str
    inputs: Mapping[str, str] = field(default_factory=dict)
    settings: Mapping[str, str | int | float | bool | None] = field(default_factory=dict)
    version: str = __version__
    definitions: Mapping[str, str] = field(default_factory=dict)

    def as_dict(self) -> dict[str, Any]:
        """As it stands in a JSON report."""
        return {
            "tool": "wccsim",
            "version": self.version,
            "command": self.command,
            "inputs_sha256": dict(self.inputs),
            "settings": dict(self.settings),
            "definitions": dict(self.definitions),
        }


@dataclass(frozen=True, slots=True)
class Report:
    """`rows` are as long as `columns`; `totals` and `notes` are shown and go into the JSON, never the CSV."""

    columns: tuple[str, ...]
    rows: Sequence[Sequence[Cell]]
    provenance: Provenance
    totals: Mapping[str, Cell | Mapping[str, Cell]] = field(default_factory=dict)
    notes: Sequence[str] = ()


def csv_text(report: Report) -> str:
    """The rows as CSV: a header, "\\n" line ends, empty cells for None, exact numbers."""
    return plain_csv(report.columns, [[_csv_cell(cell) for cell in row] for row in report.rows])


def json_text(report: Report) -> str:
    """Provenance, one object a row, totals and notes. A fraction that no number holds is its exact text."""
    rows = [dict(zip(report.columns, map(_json_cell, row), strict=True)) for row in report.rows]
    content = {
        **report.provenance.as_dict(),
        "columns": list(report.columns),
        "rows": rows,
        "totals": {name: _json_total(total) for name, total in report.totals.items()},
        "notes": list(report.notes),
    }
    return json.dumps(content, indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def provenance_lines(provenance: Provenance) -> list[str]:
    """The provenance for a terminal, one short line for each kind."""
    settings = ", ".join(f"{name} {value}" for name, value in provenance.settings.items())
    inputs = ", ".join(f"{name} sha256 {digest[:12]}" for name, digest in provenance.inputs.items())
    return [line for line in (f"wccsim {provenance.version}; {inputs}" if inputs else "", settings) if line]


def write_csv(path: Path | str, report: Report) -> None:
    """CSV to `path`, provenance beside it; standard output ("-") and devices have nothing beside them."""
    if str(path) != "-":
        refuse_folder(path)
    if str(path) == "-" or is_device(path):
        write_text(path, csv_text(report))
        return
    with replacing(path) as temporary:
        temporary.write_text(csv_text(report), encoding="utf-8", newline="\n")
        beside = json.dumps(report.provenance.as_dict(), indent=1, ensure_ascii=False)
        write_text(f"{path}.provenance.json", beside + "\n")


def write_json(path: Path | str, report: Report) -> None:
    """JSON to `path`; "-" is standard output."""
    if str(path) != "-":
        refuse_folder(path)
    write_text(path, json_text(report))


def write_parquet(path: Path | str, report: Report) -> None:
    """Parquet to `path` ("-": standard output), with the provenance under the metadata key "wccsim".

    Integers beyond 64 bits become decimals of 38 digits, or text where even that is too small.
    """
    if str(path) == "-" and sys.stdout.isatty():
        raise WccsimError("Parquet is binary and is not shown on a terminal; redirect it or name a file")
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise WccsimError("Parquet needs pyarrow: pip install 'wccsim[parquet]'") from None
    columns = {
        name: _arrow_column([row[index] for row in report.rows]) for index, name in enumerate(report.columns)
    }
    provenance = json.dumps(report.provenance.as_dict(), ensure_ascii=False)
    table = pyarrow.table(columns).replace_schema_metadata({"wccsim": provenance})
    if str(path) == "-":
        sink = pyarrow.BufferOutputStream()
        pyarrow.parquet.write_table(table, sink)
        sys.stdout.buffer.write(sink.getvalue())
        return
    refuse_folder(path)
    with replacing(path) as temporary:
        pyarrow.parquet.write_table(table, temporary)


def data_frame(report: Report) -> pandas.DataFrame:
    """The rows as a DataFrame; int64 where every value fits, exact Python objects where not.

    A column of numbers with gaps (keep) is float64, with NaN where there is none.

    The provenance is in `.attrs["provenance"]`, the totals in `.attrs["totals"]`.
    """
    import pandas

    frame = pandas.DataFrame(
        {
            name: pandas.Series(cells, dtype=_dtype(cells))
            for name, cells in ((n, [row[i] for row in report.rows]) for i, n in enumerate(report.columns))
        }
    )
    frame.attrs["provenance"] = report.provenance.as_dict()
    frame.attrs["totals"] = {name: _json_total(total) for name, total in report.totals.items()}
    return frame


def _dtype(cells: list[Cell]) -> str:
    present = [cell for cell in cells if cell is not None]
    integers = [cell for cell in present if isinstance(cell, int)]
    if present and len(integers) == len(cells):
        return "int64" if all(abs(cell) <= INT64_MAX for cell in integers) else "object"
    measures = (int, float) if len(present) == len(cells) else (int, float, Fraction)
    if present and all(isinstance(cell, measures) for cell in present):
        return "float64"
    return "object"


def _csv_cell(cell: Cell) -> str:
    if cell is None:
        return ""
    if isinstance(cell, float):
        return repr(cell)
    return cell if isinstance(cell, str) else exact_decimal(cell)


def _json_cell(cell: Cell) -> str | int | float | None:
    if isinstance(cell, Fraction):
        if cell.denominator == 1:
            return cell.numerator
        # A number where its shortest decimal is exact, such as 0.25; else the exact text.
        digits = exact_decimal(cell)
        return float(cell) if repr(float(cell)) == digits else digits
    if isinstance(cell, float) and not math.isfinite(cell):
        return None  # JSON has no infinity and no NaN
    return cell


def _json_total(total: Cell | Mapping[str, Cell]) -> Any:
    if isinstance(total, Mapping):
        return {name: _json_cell(cell) for name, cell in total.items()}
    return _json_cell(total)


def _arrow_column(cells: list[Cell]) -> Any:
    import pyarrow

    whole = [_json_cell(cell) for cell in cells]
    numbers = [cell for cell in whole if cell is not None]
    integers = [cell for cell in numbers if isinstance(cell, int)]
    if len(integers) == len(numbers):
        largest = max(map(abs, integers), default=0)
        if largest <= INT64_MAX:
            return pyarrow.array(whole, pyarrow.int64())
        if largest < 10**38:
            return pyarrow.array(whole, pyarrow.decimal128(38, 0))
    if all(isinstance(cell, (int, float)) for cell in numbers):
        return pyarrow.array(whole, pyarrow.float64())
    return pyarrow.array([None if cell is None else str(cell) for cell in whole], pyarrow.string())
