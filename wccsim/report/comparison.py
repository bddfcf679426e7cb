"""The comparison as a report and as text for a terminal."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from textwrap import fill

from wccsim.compare.rows import COLUMNS, Row
from wccsim.compare.run import cells
from wccsim.compare.summary import difference, maps_of, rows_of, winners
from wccsim.report.conclusions import verdict
from wccsim.report.tables import Provenance, Report
from wccsim.report.terminal import WIDTH, Align, Cell, terminal_table

ALIGN: tuple[Align, ...] = ("left", "right", "right", "right", "right", "left", "right", "right", "right")
RULES = {
    "equal bits": "total bits of the stream, every side bit counted, within 1 % of the target",
    "after the convolution": "W applied to the decoded map, before bias and activation",
    "bops": "MAC * bw * ba; transforms and codecs as the codec states",
}


def report_of(rows: Sequence[Row], inputs: Mapping[str, str]) -> Report:
    """The rows with their provenance."""
    return Report(COLUMNS, cells(rows), Provenance("compare", inputs, RULES))


def summary_text(rows: Sequence[Row], codec: str = "wcc", against: str = "uniform") -> str:
    """One line a map and rate: SNR of uniform and WCC, and the codec that loses least."""
    targets = sorted({row.target for row in rows if row.target is not None})
    lines: list[list[Cell]] = []
    for first in maps_of(rows):
        ours, theirs = rows_of(rows, first.map, codec), rows_of(rows, first.map, against)
        won = winners(rows, first.map)
        for target in targets:
            cells = _contest(ours.get(target), theirs.get(target), won.get(target))
            lines.append([first.map, f"{target:g}", *cells])
    lines += _means(rows, codec, against)
    headers = [
        "map",
        "bits",
        f"{against}\nSNR dB",
        f"{codec}\nSNR dB",
        "ahead\ndB",
        "best",
        "SNR\ndB",
        "bits\npaid",
        "BOPs /\ndense",
    ]
    table = terminal_table(headers, lines, align=ALIGN)
    missed = sum(row.status == "not reached" for row in rows)
    note = (
        f"{missed} of {len(rows)} rows did not reach their rate within 1 %: see the column `status`\n"
        if missed
        else ""
    )
    return table + note


def verdict_text(rows: Sequence[Row]) -> str:
    """Where WCC wins and where it loses, in words; "" where the rows do not hold WCC beside uniform."""
    sentences = verdict(rows)
    return "".join(f"{fill(sentence, WIDTH, break_on_hyphens=False)}\n" for sentence in sentences)


def _contest(mine: Row | None, other: Row | None, best: Row | None) -> list[Cell]:
    """The cells after map and bits: both SNRs, the gap, and the codec that loses least with what it pays."""
    if best is None:
        return ["", "", "", "none within 1 %", "", "", ""]
    gap = _db(difference(mine, other)) if mine and other else ""
    share = (
        f"{best.layer_bops / best.dense_bops:.2f}" if best.layer_bops is not None and best.dense_bops else ""
    )
    return [_snr(other), _snr(mine), gap, best.codec, _snr(best), f"{best.bits_per_value:.2f}", share]


def _means(rows: Sequence[Row], codec: str, against: str) -> list[list[Cell]]:
    """Over the network: mean SNR of the two at each rate, over the maps where both lose something."""
    pairs: dict[float, list[tuple[Row, Row]]] = {}
    names = [first.map for first in maps_of(rows)]
    for name in names:
        ours, theirs = rows_of(rows, name, codec), rows_of(rows, name, against)
        for target in sorted(set(ours) & set(theirs)):
            if math.isfinite(ours[target].snr_db) and math.isfinite(theirs[target].snr_db):
                pairs.setdefault(target, []).append((theirs[target], ours[target]))
    lines: list[list[Cell]] = []
    for target, found in sorted(pairs.items()):
        if len(found) < 2:
            continue
        other, mine = (math.fsum(pair[i].snr_db for pair in found) / len(found) for i in (0, 1))
        gap = _db(mine - other)
        lines.append(
            [f"mean of {len(found)} maps", f"{target:g}", _db(other), _db(mine), gap, "", "", "", ""]
        )
    return lines


def _snr(row: Row | None) -> str:
    return "" if row is None else _db(row.snr_db)


def _db(value: float) -> str:
    if math.isinf(value):
        return "lossless" if value > 0 else "-inf"
    return f"{value:.2f}"
