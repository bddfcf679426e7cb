"""Bits over a whole network: as text, as a section of the page, and in words."""

from __future__ import annotations

import math
from collections.abc import Sequence
from html import escape

from wccsim.compare.network import NetworkRow
from wccsim.report.html import bullets, decibels, section, table
from wccsim.report.terminal import Align, Cell, terminal_table

_MEASURED = {"output": "after the convolution", "map": "of the map"}
_INTRO = (
    "The maps as the layers of one network, each counting alike: SNR in dB of the mean noise over signal {}. "
    "equal: every layer at that rate. spread: the measured rate of each layer chosen for least noise at no "
    "more bits in total."
)
_NOTICED = 0.005  # dB


def network_text(rows: Sequence[NetworkRow]) -> str:
    """One line a codec; nothing without rows."""
    if not rows:
        return ""
    targets = _targets(rows)
    headers = ["over the network", *(f"{t:g} bits\n{kind}" for t in targets for kind in ("equal", "spread"))]
    lines: list[list[Cell]] = [
        [codec, *(cell for t in targets for cell in _pair(rows, codec, t))] for codec in _codecs(rows)
    ]
    right: Align = "right"
    text = terminal_table(headers, lines, align=["left", *[right] * (2 * len(targets))])
    measured = _MEASURED[rows[0].error]
    return f"{text}SNR in dB {measured}; spread: each layer's rate chosen, at no more bits in total\n"


def network_section(rows: Sequence[NetworkRow]) -> list[str]:
    """The section of the page; none without rows."""
    if not rows:
        return []
    targets = _targets(rows)
    headers = ["codec", *(f"{t:g} bits: {kind}" for t in targets for kind in ("equal", "spread"))]
    lines = [[codec, *(cell for t in targets for cell in _pair(rows, codec, t))] for codec in _codecs(rows)]
    intro = f"<p>{escape(_INTRO.format(_MEASURED[rows[0].error]))}</p>"
    body = bullets(network_conclusions(rows)) + intro + table(headers, lines)
    return [section("Over the network, at equal total bits", body)]


def network_conclusions(rows: Sequence[NetworkRow]) -> list[str]:
    """Who loses least over the network, and what spreading gains, from the rows."""
    said = []
    for kind in ("equal", "spread"):
        parts = []
        for target in _targets(rows):
            here = [(_snr(row, kind), row.codec) for row in rows if row.target == target]
            reached = [(snr_db, codec) for snr_db, codec in here if snr_db is not None]
            best = max((snr_db for snr_db, _ in reached), default=None)
            names = [codec for snr_db, codec in reached if snr_db == best]
            if best is not None and math.isinf(best):
                parts.append(f"{len(names)} of {len(here)} codecs lose nothing at {target:g} bits")
            elif best is not None:
                parts.append(f"{', '.join(names)} at {target:g} bits ({decibels(best)} dB)")
        how = "Every layer at one rate" if kind == "equal" else "Bits spread over the layers"
        if parts:
            said.append(f"{how}, least lost over the network: {'; '.join(parts)}.")
    return [
        *said,
        *(_gain(rows, codec) for codec in ("uniform", "wcc", "wcc-combined") if codec in _codecs(rows)),
    ]


def _gain(rows: Sequence[NetworkRow], codec: str) -> str:
    parts = []
    for row in rows:
        if row.codec == codec and row.equal_snr_db is not None and row.spread_snr_db is not None:
            if math.isinf(row.equal_snr_db):
                continue
            gain = row.spread_snr_db - row.equal_snr_db
            shown = f"{gain:+.2f} dB" if gain > _NOTICED else "nothing"
            parts.append(f"{shown} at {row.target:g} bits")
    found = ", ".join(parts) or "nothing that was measured"
    return f"Spreading the bits of {codec} over the layers gains {found}."


def _targets(rows: Sequence[NetworkRow]) -> list[float]:
    return sorted({row.target for row in rows})


def _codecs(rows: Sequence[NetworkRow]) -> list[str]:
    return list(dict.fromkeys(row.codec for row in rows))


def _snr(row: NetworkRow, kind: str) -> float | None:
    return row.equal_snr_db if kind == "equal" else row.spread_snr_db


def _pair(rows: Sequence[NetworkRow], codec: str, target: float) -> list[str]:
    """The two cells of a codec and rate."""
    row = next(row for row in rows if row.codec == codec and row.target == target)
    return ["" if snr_db is None else decibels(snr_db) for snr_db in (row.equal_snr_db, row.spread_snr_db)]
