"""The picture like the paper's Figure 3: one channel before, quantised to 2 bits, after WCC at the same bits.

The pixels stand in a CSV (panel, title, y, x0, x1, ...) and the picture is drawn from that.
"""

from __future__ import annotations

import csv
import math
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.compare.catalog import METHODS
from wccsim.compare.rows import Row
from wccsim.compare.summary import rows_of
from wccsim.maps import load_map
from wccsim.report.plain_csv import plain_csv

RATE = 2.0
SIDE = 128
PanelRow = tuple[Any, ...]
_CODECS = (("uniform", "uniform, {:g} bits"), ("wcc", "WCC, same bits"))


def panel_rows(rows: Sequence[Row], paths: Sequence[Path]) -> list[PanelRow]:
    """Rows (title, y, values...) of the panels, from the map with the most pixels; [] where there is none.

    The rate is 2 bits, else the lowest that uniform quantisation and WCC both reach there. The channel is
    the smoothest of the busier half: of those with at least the median variance, the one whose horizontal
    neighbours are most alike. The cut is the middle 128 x 128 pixels.
    """
    able = {path: rate for path in paths if (rate := _rate(rows, path.stem)) is not None}
    if not able:
        return []
    sizes = {row.map: row.height * row.width for row in rows}
    path = max(able, key=lambda path: (sizes[path.stem], path.stem))
    x = load_map(path).x
    channel = _smooth_channel(x)
    panels = [(f"{path.stem}, channel {channel}", x)]
    for codec, title in _CODECS:
        found = rows_of(rows, path.stem, codec)[able[path]]
        decoded = METHODS[codec].at(x, able[path] * x.size).decoded
        paid = f"{found.bits_per_value:.2f} paid, {_snr(found.snr_db)}"
        panels.append((f"{title.format(able[path])} ({paid})", decoded))
    return [
        (title, y, *map(int, line))
        for title, values in panels
        for y, line in enumerate(_middle(values[channel]))
    ]


def _rate(rows: Sequence[Row], map_: str) -> float | None:
    """The rate of the picture on one map."""
    shared = set.intersection(*(set(rows_of(rows, map_, codec)) for codec, _ in _CODECS))
    return RATE if RATE in shared else min(shared, default=None)


def _snr(value: float) -> str:
    return "lossless" if math.isinf(value) else f"SNR {value:.1f} dB"


def panels_of(rows: Sequence[PanelRow]) -> list[tuple[str, npt.NDArray[np.int64]]]:
    """(title, pixels) of each panel."""
    titles = list(dict.fromkeys(row[0] for row in rows))
    return [(t, np.array([row[2:] for row in rows if row[0] == t], np.int64)) for t in titles]


def panels_csv(rows: Sequence[PanelRow]) -> str:
    """The pixels as CSV: title, y, x0, x1, ..."""
    columns = [f"x{i}" for i in range(len(rows[0]) - 2)] if rows else []
    return plain_csv(("title", "y", *columns), rows)


def read_panels(path: Path) -> list[PanelRow]:
    """The rows of a file that holds `panels_csv`."""
    lines = list(csv.reader(path.read_text(encoding="utf-8").splitlines()))[1:]
    return [(line[0], *map(int, line[1:])) for line in lines]


def _smooth_channel(x: npt.NDArray[Any]) -> int:
    """Exact integers throughout, so that every machine chooses alike."""
    energies, differences = [], []
    for plane in x:
        wide = plane.astype(np.int64)
        energies.append(int(((wide - int(wide.sum()) // wide.size) ** 2).sum()))
        differences.append(int((np.diff(wide, axis=1) ** 2).sum()))
    middle = sorted(energies)[len(energies) // 2]
    able = [i for i, energy in enumerate(energies) if energy >= middle and energy > 0] or [0]
    return min(able, key=lambda i: (Fraction(differences[i], max(1, energies[i])), i))


def _middle(plane: npt.NDArray[Any]) -> npt.NDArray[Any]:
    height, width = min(SIDE, plane.shape[0]), min(SIDE, plane.shape[1])
    top, left = (plane.shape[0] - height) // 2, (plane.shape[1] - width) // 2
    return plane[top : top + height, left : left + width]
