"""Tables for a terminal: at most 100 columns wide, digits grouped, nothing cut from a number."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from typing import Literal, Union

Cell = Union[str, int, float, Fraction, None]  # noqa: UP007 - an alias evaluated at run time
Align = Literal["left", "right"]

WIDTH = 100
GAPS = (2, 1)
ELLIPSIS = ".."
SHORTEST_TEXT = 8


def exact_decimal(value: Fraction | int) -> str:
    """`value` as digits: "7", "130688.25", or "1/3" where no finite decimal exists."""
    value = Fraction(value)
    rest, digits = value.denominator, 0
    for prime in (2, 5):
        power = 0
        while rest % prime == 0:
            rest //= prime
            power += 1
        digits = max(digits, power)
    if rest != 1:
        return str(value)
    if digits == 0:
        return str(value.numerator)
    scaled = abs(value.numerator) * 10**digits // value.denominator
    whole, part = divmod(scaled, 10**digits)
    return f"{'-' if value < 0 else ''}{whole}.{part:0{digits}d}"


def grouped(value: int | float | Fraction) -> str:
    """A number with thousands separators: exact for ints and fractions, 4 significant digits for floats."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, int):
        return f"{value:,}"
    if isinstance(value, Fraction):
        digits = exact_decimal(value)
        if "/" in digits:
            return digits
        whole, point, part = digits.partition(".")
        return ("-" if whole.startswith("-") else "") + f"{abs(int(whole)):,}{point}{part}"
    if value != value or value in (float("inf"), float("-inf")):
        return str(value)
    if value == int(value) and abs(value) < 1e15:
        return f"{int(value):,}"
    return f"{value:,.2f}" if abs(value) >= 1000 else f"{value:.4g}"


def text_of(cell: Cell) -> str:
    """What a terminal shows of a cell: nothing for None, a dash for no number stands in no table."""
    if cell is None:
        return ""
    return cell if isinstance(cell, str) else grouped(cell)


def terminal_table(
    headers: Sequence[str],
    rows: Sequence[Sequence[Cell]],
    *,
    total: Sequence[Cell] | None = None,
    align: Sequence[Align] | None = None,
    width: int = WIDTH,
) -> str:
    """The table as text ending in a newline; `total`, where given, stands under a rule.

    A header may hold newlines: a second line for the unit. Numbers are set to the right. Where the
    table is wider than `width`, the gaps shrink first, then the longest text columns are shortened
    in the middle by ".."; numbers never are.
    """
    body = [[text_of(cell) for cell in row] for row in rows]
    foot = [[text_of(cell) for cell in total]] if total is not None else []
    heads = [header.split("\n") for header in headers]
    align = align or [_alignment(column, rows) for column in range(len(headers))]
    widths = [
        max([len(line) for line in heads[column]] + [len(row[column]) for row in body + foot])
        for column in range(len(headers))
    ]
    spaces = len(widths) - 1
    gap = next((gap for gap in GAPS if sum(widths) + gap * spaces <= width), GAPS[-1])
    widths = _narrowed(widths, align, heads, width - gap * spaces)
    lines = [_line(head, widths, align, gap) for head in _header_rows(heads)]
    rule = "-" * (sum(widths) + gap * spaces)
    lines += [rule, *(_line(row, widths, align, gap) for row in body)]
    if foot:
        lines += [rule, *(_line(row, widths, align, gap) for row in foot)]
    return "\n".join(line.rstrip() for line in lines) + "\n"


def _alignment(column: int, rows: Sequence[Sequence[Cell]]) -> Align:
    cells = [row[column] for row in rows if row[column] is not None]
    return "left" if not cells or any(isinstance(cell, str) for cell in cells) else "right"


def _header_rows(heads: list[list[str]]) -> list[list[str]]:
    height = max(len(head) for head in heads)
    return [[(head + [""] * height)[row] for head in heads] for row in range(height)]


def _narrowed(widths: list[int], align: Sequence[Align], heads: list[list[str]], width: int) -> list[int]:
    """Widths that fit together: one character off the widest text column at a time."""
    widths = list(widths)
    least = [
        max(SHORTEST_TEXT, *(len(line) for line in head)) if side == "left" else size
        for head, side, size in zip(heads, align, widths, strict=True)
    ]
    while sum(widths) > width:
        spare = [size - low for size, low in zip(widths, least, strict=True)]
        widest = max(range(len(widths)), key=lambda column: (spare[column] > 0) * widths[column])
        if spare[widest] <= 0:
            break
        widths[widest] -= 1
    return widths


def _line(cells: Sequence[str], widths: Sequence[int], align: Sequence[Align], gap: int) -> str:
    parts = []
    for cell, size, side in zip(cells, widths, align, strict=True):
        shown = cell
        if len(cell) > size:  # both ends tell names apart, so the middle goes
            tail = (size - len(ELLIPSIS)) // 2
            shown = cell[: size - len(ELLIPSIS) - tail] + ELLIPSIS + cell[len(cell) - tail :]
        parts.append(shown.ljust(size) if side == "left" else shown.rjust(size))
    return (" " * gap).join(parts)
