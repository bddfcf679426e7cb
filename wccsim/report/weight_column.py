"""The weight column as a report, as text for a terminal, and as a section of the page."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from html import escape
from pathlib import Path

from wccsim.compare.weight_rows import WEIGHT_COLUMNS, WeightRow, weight_cells
from wccsim.compare.weights import AS_GIVEN
from wccsim.report.html import bullets, decibels, section, table
from wccsim.report.tables import Provenance, Report
from wccsim.report.terminal import Align, Cell, terminal_table
from wccsim.report.weight_conclusions import weight_codecs_of, weight_conclusions

RULES = {
    "weights": "int8 words of the npz, each output channel on its own scale; as-given: 8 bits, no side bits",
    "after the convolution": "decoded weights applied to the decoded map, before bias and activation",
    "bops": "MAC * bw * ba; a weight rebuilt to 8 bits counts as 8, the rebuilding once a layer",
}
_INTRO = (
    "SNR in dB after the 1x1 convolution, both operands decoded, against the 8-bit map under the int8 "
    "weights as given. Everywhere else on this page the weights are as given. In brackets the bits paid a "
    "weight, then BOPs of the layer over the 8/8 convolution."
)


def weights_path(path: str) -> str:
    """Where the weight column of the comparison at `path` goes: out.csv -> out.weights.csv."""
    given = Path(path)
    return str(given.with_name(f"{given.stem}.weights{given.suffix}"))


def weight_report(rows: Sequence[WeightRow], inputs: Mapping[str, str]) -> Report:
    """The rows with their provenance."""
    return Report(WEIGHT_COLUMNS, weight_cells(rows), Provenance("compare --weights", inputs, RULES))


def weight_text(rows: Sequence[WeightRow]) -> str:
    """One line a map, its codec and rate, and coding of the weights: SNR after the convolution by rate.

    "" without rows.
    """
    if not rows:
        return ""
    targets = _targets(rows)
    headers = ["map", "codec", "bits", "weights", "as\ngiven", *(f"{t:g} bits\nSNR dB" for t in targets)]
    lines: list[list[Cell]] = []
    for point in _points(rows):
        for codec in weight_codecs_of(point):
            found = {row.weight_target: row for row in point if row.weight_codec == codec}
            cells = [decibels(found[t].out_snr_db) if t in found else "" for t in targets]
            first = point[0]
            lines.append([first.map, first.codec, _rate(first.target), codec, _given(point), *cells])
    sides: list[Align] = ["left", "left", "right", "left", *["right"] * (1 + len(targets))]  # type: ignore[list-item]
    return terminal_table(headers, lines, align=sides)


def weight_section(rows: Sequence[WeightRow]) -> list[str]:
    """The section of the page; none without rows."""
    if not rows:
        return []
    targets, parts = _targets(rows), []
    for name in dict.fromkeys(row.map for row in rows):
        lines = []
        for point in _points([row for row in rows if row.map == name]):
            for codec in weight_codecs_of(point):
                found = {row.weight_target: row for row in point if row.weight_codec == codec}
                cells = [_cell(found.get(t)) for t in targets]
                lines.append([point[0].codec, _rate(point[0].target), codec, _given(point), *cells])
        headers = ["map's codec", "map bits", "weights' codec", AS_GIVEN, *(f"{t:g} bits" for t in targets)]
        parts.append(f"<details><summary>{escape(name)}</summary>{table(headers, lines)}</details>")
    said = bullets(weight_conclusions(rows))
    return [section("Activations × weights", f"{said}<p>{escape(_INTRO)}</p>" + "".join(parts))]


def _points(rows: Sequence[WeightRow]) -> list[list[WeightRow]]:
    """The rows of each coded map, together."""
    points: dict[tuple[str, str, float | None], list[WeightRow]] = {}
    for row in rows:
        points.setdefault((row.map, row.codec, row.target), []).append(row)
    return list(points.values())


def _targets(rows: Sequence[WeightRow]) -> list[float]:
    return sorted({row.weight_target for row in rows if row.weight_codec != AS_GIVEN}, reverse=True)


def _given(point: Sequence[WeightRow]) -> str:
    return next((decibels(row.out_snr_db) for row in point if row.weight_codec == AS_GIVEN), "")


def _rate(target: float | None) -> str:
    return "natural" if target is None else f"{target:g}"


def _cell(row: WeightRow | None) -> str:
    if row is None:
        return ""
    work = row.layer_bops / row.dense_bops if row.dense_bops else math.nan
    return f"{decibels(row.out_snr_db)} ({row.weight_bits:.2f}) {work:.2f}"
