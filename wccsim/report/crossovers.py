"""The crossover table as CSV: how far WCC is ahead of uniform quantisation on each map, and up to where."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from wccsim.compare.rows import Row
from wccsim.compare.summary import crossover, depth_of, maps_of
from wccsim.report.conclusions import targets_of
from wccsim.report.plain_csv import plain_csv

AGAINST = "uniform"
CODECS = ("wcc", "wcc-combined")


def crossovers_csv(rows: Sequence[Row]) -> str:
    """A line for each map and each of CODECS that was run, the largest maps first.

    ahead_db_at_R: SNR over that of uniform quantisation at R bits a value, empty where one of them does not
    reach the rate. ahead_up_to_bits: the rate where the difference ends ("never", "all").
    """
    targets, run = targets_of(rows), {row.codec for row in rows}
    lines: list[tuple[Any, ...]] = []
    for codec in (name for name in CODECS if name in run):
        for first in sorted(maps_of(rows), key=lambda row: (-row.height * row.width, row.map)):
            found = crossover(rows, first.map, codec, AGAINST)
            gaps = [_four_places(found.ahead_db.get(target)) for target in targets]
            size = (first.channels, first.height, first.width, depth_of(first.map))
            lines.append((first.map, *size, codec, *gaps, _end(found.ahead_up_to)))
    columns = ("map", "channels", "height", "width", "depth", "codec")
    return plain_csv((*columns, *(f"ahead_db_at_{t:g}" for t in targets), "ahead_up_to_bits"), lines)


def _end(rate: float | None) -> str:
    if rate is None:
        return "never"
    return "all" if math.isinf(rate) else f"{rate:.2f}"


def _four_places(value: float | None) -> float | None:
    return value if value is None or math.isinf(value) else round(value, 4) + 0.0
