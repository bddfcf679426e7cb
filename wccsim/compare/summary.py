"""What the rows say: who loses least at each rate, and up to which rate WCC is ahead of uniform."""

from __future__ import annotations

import itertools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from wccsim.compare.rows import BELOW, LOSSLESS, REACHED, Row

USABLE = (REACHED, BELOW)


@dataclass(frozen=True, slots=True)
class Crossover:
    """WCC against uniform quantisation on one map.

    ahead_db: SNR(WCC) - SNR(uniform) at each rate where both were reached; -inf where uniform loses nothing.
    ahead_up_to: the rate where the difference reaches zero, by a straight line between the rates; None where
    WCC is not ahead at the lowest rate, inf where it is ahead at all of them.
    """

    map: str
    channels: int
    height: int
    width: int
    ahead_db: dict[float, float]
    ahead_up_to: float | None


def rows_of(rows: Sequence[Row], map_: str, codec: str) -> dict[float, Row]:
    """Target to row, of the rates that were reached (or beaten without loss)."""
    return {
        row.target: row
        for row in rows
        if row.map == map_ and row.codec == codec and row.target is not None and row.status in USABLE
    }


def maps_of(rows: Sequence[Row]) -> list[Row]:
    """One row of each map, in order."""
    return list({row.map: row for row in reversed(rows)}.values())[::-1]


def depth_of(map_: str) -> int | None:
    """The layer's number in the map's name (`op014`, `block3`, `Conv_12`), where it tells one."""
    found = re.search(r"_op(\d+)_", map_) or re.search(r"(?:block|op|[Cc]onv_?|layer)(\d+)", map_)
    return int(found.group(1)) if found else None


def difference(first: Row, second: Row) -> float:
    """SNR(first) - SNR(second) in dB; 0 where neither loses anything."""
    if math.isinf(first.snr_db) and math.isinf(second.snr_db):
        return 0.0
    return first.snr_db - second.snr_db


def crossover(rows: Sequence[Row], map_: str, codec: str = "wcc", against: str = "uniform") -> Crossover:
    """The crossover of `codec` against `against` on one map."""
    ours, theirs = rows_of(rows, map_, codec), rows_of(rows, map_, against)
    shared = sorted(set(ours) & set(theirs))
    ahead = {target: difference(ours[target], theirs[target]) for target in shared}
    any_row = next(row for row in rows if row.map == map_)
    return Crossover(map_, any_row.channels, any_row.height, any_row.width, ahead, _zero(ahead))


def _zero(ahead: dict[float, float]) -> float | None:
    """Where the difference, positive at the lowest rate, first falls to zero or below."""
    if not ahead:
        return None
    points = sorted(ahead.items())
    if points[0][1] <= 0:
        return None
    for (low, above), (high, below) in itertools.pairwise(points):
        if below <= 0:
            return high if math.isinf(below) else low + (high - low) * above / (above - below)
    return math.inf


def winners(rows: Sequence[Row], map_: str) -> dict[float, Row]:
    """The row with the highest SNR at each target; fewer bits win a tie, then the earlier codec."""
    best: dict[float, Row] = {}
    for row in rows:
        if row.map != map_ or row.target is None or row.status not in USABLE:
            continue
        known = best.get(row.target)
        if known is None or (row.snr_db, -row.bits_per_value) > (known.snr_db, -known.bits_per_value):
            best[row.target] = row
    return best


def natural_sizes(rows: Sequence[Row], map_: str) -> dict[str, float]:
    """Bits a value of each lossless codec alone."""
    return {row.codec: row.bits_per_value for row in rows if row.map == map_ and row.status == LOSSLESS}
