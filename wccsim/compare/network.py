"""Bits over a whole network: every layer at one rate, or spread over the layers at the same total.

The maps given are the layers. A layer's points are its measured rows; nothing is interpolated. Error is
noise over signal, after the layer's 1x1 convolution where every map has weights, else of the map; each
layer counts alike. Spreading walks the convex hulls of the layers' points, the steepest step first
(Lagrange), then spends what is left where it still fits, and is never worse than one rate for all.
"""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from dataclasses import dataclass

from wccsim.compare.rows import LOSSLESS, Row
from wccsim.compare.summary import USABLE, maps_of

NETWORK_COLUMNS = (
    "codec",
    "target",
    "error",
    "equal_bits_per_value",
    "equal_snr_db",
    "spread_bits_per_value",
    "spread_snr_db",
    "spread",
)


@dataclass(frozen=True, slots=True)
class NetworkRow:
    """One codec at one rate over all layers. None where a layer has no such row.

    error: "output" or "map", what is measured. *_snr_db: 10 log10 of one over the mean noise over signal.
    spread: JSON, the rate of each layer ("natural": lossless).
    """

    codec: str
    target: float
    error: str
    equal_bits_per_value: float | None
    equal_snr_db: float | None
    spread_bits_per_value: float | None
    spread_snr_db: float | None
    spread: str


@dataclass(frozen=True, slots=True)
class _Point:
    """What one layer pays and loses at one row."""

    bits: int
    noise: float
    target: float | None


def network_rows(rows: Sequence[Row]) -> list[NetworkRow]:
    """Codecs in order, targets ascending; [] for fewer than two maps."""
    maps = maps_of(rows)
    if len(maps) < 2:
        return []
    values = sum(first.channels * first.height * first.width for first in maps)
    output = all(first.out_snr_db is not None for first in maps)
    targets = sorted({row.target for row in rows if row.target is not None})
    found = []
    for codec in dict.fromkeys(row.codec for row in rows):
        layers = [_points(rows, first.map, codec, output) for first in maps]
        found += [
            _network_row(codec, target, layers, [first.map for first in maps], values, output)
            for target in targets
        ]
    return found


def _points(rows: Sequence[Row], map_: str, codec: str, output: bool) -> list[_Point]:
    """The measured points of one layer, the fewest bits first."""
    found = []
    for row in rows:
        if row.map == map_ and row.codec == codec and row.status in (*USABLE, LOSSLESS):
            snr_db = row.out_snr_db if output else row.snr_db
            assert snr_db is not None
            found.append(_Point(row.total_bits, math.pow(10.0, -snr_db / 10), row.target))
    return sorted(found, key=lambda point: (point.bits, point.noise))


def _network_row(
    codec: str, target: float, layers: list[list[_Point]], names: list[str], values: int, output: bool
) -> NetworkRow:
    same = [next((p for p in points if p.target == target), None) for points in layers]
    equal = [point for point in same if point is not None]
    whole = len(equal) == len(layers)
    budget = sum(point.bits for point in equal) if whole else math.floor(target * values)
    chosen = spread(layers, budget)
    if whole and (chosen is None or _noise(equal) < _noise(chosen)):
        chosen = equal
    rates = {} if chosen is None else {n: _rate(p) for n, p in zip(names, chosen, strict=True)}
    equal_bits, equal_snr_db = _measured(equal if whole else None, values)
    spread_bits, spread_snr_db = _measured(chosen, values)
    return NetworkRow(
        codec=codec,
        target=target,
        error="output" if output else "map",
        equal_bits_per_value=equal_bits,
        equal_snr_db=equal_snr_db,
        spread_bits_per_value=spread_bits,
        spread_snr_db=spread_snr_db,
        spread=json.dumps(rates),
    )


def spread(layers: Sequence[Sequence[_Point]], budget: int) -> list[_Point] | None:
    """One point of each layer, of little total noise, for at most `budget` bits; None where none fits."""
    if any(not points for points in layers):
        return None
    at = [0] * len(layers)
    hulls = [_hull(points) for points in layers]
    left = budget - sum(hull[0].bits for hull in hulls)
    if left < 0:
        return None
    steps = [
        ((hull[i].noise - hull[i + 1].noise) / (hull[i + 1].bits - hull[i].bits), -layer, -i)
        for layer, hull in enumerate(hulls)
        for i in range(len(hull) - 1)
    ]
    for _, minus_layer, minus_i in sorted(steps, reverse=True):
        layer, i = -minus_layer, -minus_i
        cost = hulls[layer][i + 1].bits - hulls[layer][i].bits
        if at[layer] == i and cost <= left:
            at[layer], left = i + 1, left - cost
    return _filled(layers, [hull[i] for hull, i in zip(hulls, at, strict=True)], left)


def _hull(points: Sequence[_Point]) -> list[_Point]:
    """The lower convex hull over bits: slopes rise, noise falls. `points` ascend in bits."""
    hull: list[_Point] = []
    for point in points:
        if hull and point.noise >= hull[-1].noise:
            continue
        while hull and hull[-1].bits == point.bits:
            hull.pop()
        while len(hull) > 1 and _slope(hull[-2], point) <= _slope(hull[-2], hull[-1]):
            hull.pop()
        hull.append(point)
    return hull


def _slope(first: _Point, second: _Point) -> float:
    return (second.noise - first.noise) / (second.bits - first.bits)


def _filled(layers: Sequence[Sequence[_Point]], chosen: list[_Point], left: int) -> list[_Point]:
    """What is left goes to the one change that takes off most noise, again and again."""
    while True:
        changes = [
            (chosen[n].noise - point.noise, -n, point)
            for n, points in enumerate(layers)
            for point in points
            if point.noise < chosen[n].noise and point.bits - chosen[n].bits <= left
        ]
        if not changes:
            return chosen
        _, minus_n, point = max(changes, key=lambda change: (change[0], change[1], -change[2].bits))
        left -= point.bits - chosen[-minus_n].bits
        chosen = [point if n == -minus_n else old for n, old in enumerate(chosen)]


def _noise(points: Sequence[_Point]) -> float:
    return math.fsum(point.noise for point in points)


def _measured(points: Sequence[_Point] | None, values: int) -> tuple[float | None, float | None]:
    """(bits a value, SNR in dB) of the network, four decimals: the same text on every machine."""
    if points is None:
        return None, None
    noise = _noise(points) / len(points)
    snr_db = round(-10 * math.log10(noise), 4) + 0.0 if noise > 0 else math.inf
    return round(sum(point.bits for point in points) / values, 4), snr_db


def _rate(point: _Point) -> float | str:
    return "natural" if point.target is None else point.target


def network_cells(rows: Sequence[NetworkRow]) -> list[tuple[str | float | None, ...]]:
    """As a table of NETWORK_COLUMNS."""
    return [tuple(getattr(row, name) for name in NETWORK_COLUMNS) for row in rows]
