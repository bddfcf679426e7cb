"""What each improvement of WCC buys at equal bits, alone and together."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wccsim.compare.catalog import SWITCH_NAMES
from wccsim.compare.rows import Row
from wccsim.compare.summary import difference, maps_of, rows_of

SWITCH_COLUMNS = (
    "map",
    "target",
    "uniform_snr_db",
    "wcc_snr_db",
    *(f"{name}_gain_db" for name in SWITCH_NAMES),
)


@dataclass(frozen=True, slots=True)
class SwitchRow:
    """One map (or "mean") at one rate: SNR of uniform and plain WCC, and SNR(switch) - SNR(wcc) of each.

    None where one of the two did not reach the rate; inf where the switch loses nothing and WCC does.
    """

    map: str
    target: float
    uniform_snr_db: float | None
    wcc_snr_db: float | None
    gains_db: tuple[float | None, ...]


def switch_rows(rows: Sequence[Row]) -> list[SwitchRow]:
    """One row a map and rate at which plain WCC was reached, then one mean a rate."""
    found = []
    for first in maps_of(rows):
        plain, uniform = rows_of(rows, first.map, "wcc"), rows_of(rows, first.map, "uniform")
        others = [rows_of(rows, first.map, name) for name in SWITCH_NAMES]
        for target, row in sorted(plain.items()):
            gains = tuple(difference(o[target], row) if target in o else None for o in others)
            base = uniform[target].snr_db if target in uniform else None
            found.append(SwitchRow(first.map, target, base, row.snr_db, gains))
    return found + [_mean(found, target) for target in sorted({row.target for row in found})]


def switch_cells(rows: Sequence[SwitchRow]) -> list[tuple[str | float | None, ...]]:
    """As a table of SWITCH_COLUMNS."""
    return [
        (row.map, row.target, row.uniform_snr_db, row.wcc_snr_db, *(_short(gain) for gain in row.gains_db))
        for row in rows
    ]


def _mean(rows: Sequence[SwitchRow], target: float) -> SwitchRow:
    """Means of the finite values at one rate."""
    here = [row for row in rows if row.target == target]
    gains = tuple(_finite_mean([row.gains_db[i] for row in here]) for i in range(len(SWITCH_NAMES)))
    uniform = _finite_mean([row.uniform_snr_db for row in here])
    return SwitchRow(
        "mean", target, _short(uniform), _short(_finite_mean([row.wcc_snr_db for row in here])), gains
    )


def _finite_mean(values: Sequence[float | None]) -> float | None:
    finite = [value for value in values if value is not None and math.isfinite(value)]
    return math.fsum(finite) / len(finite) if finite else None


def _short(value: float | None) -> float | None:
    """Four decimals: the same text on every machine."""
    return value if value is None or math.isinf(value) else round(value, 4) + 0.0
