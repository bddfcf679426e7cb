"""A table without provenance as CSV: the form of the files that figures are drawn from."""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from typing import Any


def plain_csv(columns: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """A header and the lines, "\\n" line ends, empty cells for None."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(columns)
    writer.writerows([["" if cell is None else cell for cell in line] for line in lines])
    return out.getvalue()
