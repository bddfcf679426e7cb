"""Which rows missed their rate, and why: read from the rows, as every sentence of the report."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence

from wccsim.compare.rows import NEAREST, Row

_CONTENT = ("payload", "parameters")  # what follows the map's values; all else in a breakdown is side bits


def reason(row: Row) -> str:
    """Why the nearest setting is not within 1 % of the rate."""
    assert row.target is not None
    values = row.channels * row.height * row.width
    parts = json.loads(row.breakdown)
    if row.total_bits < row.target * values:
        return "the finest setting needs fewer bits"
    if "raw" in parts:
        return "the map went raw"
    side = sum(bits for name, bits in parts.items() if name not in _CONTENT)
    if side > row.target * values:
        return "side bits alone exceed the rate"
    return "the coarsest setting, or the nearest, needs more bits"


def missed_sentence(rows: Sequence[Row]) -> str:
    """How many rows missed their rate: all, and by reason those of each codec."""
    missed = [row for row in rows if row.status == NEAREST]
    asked = sum(row.target is not None for row in rows)
    said = (
        f"{len(missed)} of {asked} settings did not reach their rate within 1 %; they are left out of every "
        "sentence and figure, and the CSV shows the nearest."
    )
    reasons = Counter(reason(row) for row in missed)
    parts = []
    for why, _ in reasons.most_common():
        codecs = Counter(row.codec for row in missed if reason(row) == why)
        parts.append(f"{why}: " + ", ".join(f"{codec} {count}" for codec, count in codecs.most_common()))
    return f"{said} By reason: {'; '.join(parts)}." if parts else said
