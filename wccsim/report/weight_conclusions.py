"""Sentences on the weight column, each computed from its rows."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence

from wccsim.compare.rows import NEAREST
from wccsim.compare.weight_rows import WeightRow
from wccsim.compare.weights import AS_GIVEN, TRANSFORM

Key = tuple[str, str, float | None]
NOT_MORE = 1.01  # of the bits of the other: what counts as paying no more


def weight_conclusions(rows: Sequence[WeightRow]) -> list[str]:
    """What the codings of the weights lose, who loses least, and what they leave of the maps' contest."""
    rows = [row for row in rows if row.status != NEAREST]
    said: list[str] = []
    for target in sorted({row.weight_target for row in rows if row.weight_codec != AS_GIVEN}, reverse=True):
        here = [row for row in rows if row.weight_target == target and row.weight_codec != AS_GIVEN]
        said += [_losses(rows, here, target), _bound(here, target)]
    return [*said, *_against_uniform(rows), *_basis(rows), *_contest(rows)]


def weight_codecs_of(rows: Sequence[WeightRow]) -> list[str]:
    """Codings of the weights in order, without the words as given."""
    return list(dict.fromkeys(row.weight_codec for row in rows if row.weight_codec != AS_GIVEN))


def _key(row: WeightRow) -> Key:
    return row.map, row.codec, row.target


def _losses(rows: Sequence[WeightRow], here: Sequence[WeightRow], target: float) -> str:
    """Mean SNR after the convolution below that with the weights as given."""
    given = {_key(row): row.out_snr_db for row in rows if row.weight_codec == AS_GIVEN}
    parts = []
    for codec in weight_codecs_of(here):
        lost = [
            given[_key(row)] - row.out_snr_db
            for row in here
            if row.weight_codec == codec and math.isfinite(given[_key(row)]) and math.isfinite(row.out_snr_db)
        ]
        if lost:
            parts.append(f"{codec} {math.fsum(lost) / len(lost):.2f} dB (worst {max(lost):.2f})")
    cost = "; ".join(parts) or "nothing that can be measured"
    return f"At {target:g} bits a weight, what coding the weights costs after the convolution, mean: {cost}."


def _bound(here: Sequence[WeightRow], target: float) -> str:
    """Whether the weights or the map lose more."""
    parts = []
    for codec in weight_codecs_of(here):
        mine = [row for row in here if row.weight_codec == codec]
        more = sum(row.weights_out_snr_db < row.map_out_snr_db for row in mine)
        parts.append(f"{codec} on {more} of {len(mine)}")
    return f"Weights at {target:g} bits lose more than the coded map does: {', '.join(parts)} rows."


def _against_uniform(rows: Sequence[WeightRow]) -> list[str]:
    """Each coding against uniform words, where it pays no more bits."""
    uniform = {(_key(row), row.weight_target): row for row in rows if row.weight_codec == "uniform"}
    said = []
    for codec in weight_codecs_of(rows):
        parts = []
        for target in sorted({row.weight_target for row in rows if row.weight_codec == codec}, reverse=True):
            pairs = [
                (row, uniform[_key(row), target])
                for row in rows
                if row.weight_codec == codec
                and (_key(row), target) in uniform
                and row.weight_target == target
            ]
            fair = [(a, b) for a, b in pairs if a.weight_total_bits <= NOT_MORE * b.weight_total_bits]
            ahead = sum(a.out_snr_db > b.out_snr_db for a, b in fair)
            if fair:
                parts.append(f"{ahead} of {len(fair)} at {target:g} bits")
        if codec != "uniform" and parts:
            said.append(
                f"{codec} of the weights loses less than uniform words, paying no more bits, on "
                f"{', '.join(parts)}."
            )
    return said


def _basis(rows: Sequence[WeightRow]) -> list[str]:
    """What the transform itself takes of the bits."""
    shares = []
    for row in rows:
        parts = json.loads(row.weight_breakdown) if row.weight_codec == TRANSFORM else {}
        if "basis" in parts:
            shares.append(parts["basis"] / row.weight_total_bits)
    if not shares:
        return []
    mean, low, high = math.fsum(shares) / len(shares), min(shares), max(shares)
    return [
        (
            f"The transform of {TRANSFORM} takes {100 * mean:.0f} % of its bits (mean of {len(shares)} rows; "
            f"{100 * low:.0f} % to {100 * high:.0f} %)."
        )
    ]


def _contest(rows: Sequence[WeightRow], codec: str = "wcc-combined", against: str = "uniform") -> list[str]:
    """On how many maps the combined mode stays ahead of uniform maps under the same coded weights."""
    found: dict[tuple[str, float], list[float]] = {}
    ours = {
        (row.map, row.target, row.weight_codec, row.weight_target): row for row in rows if row.codec == codec
    }
    for row in rows:
        if row.codec == against:
            mine = ours.get((row.map, row.target, row.weight_codec, row.weight_target))
            if mine is not None and row.out_snr_db != mine.out_snr_db:
                found.setdefault((row.weight_codec, row.weight_target), []).append(
                    mine.out_snr_db - row.out_snr_db
                )
    parts = [
        f"{name} {target:g} bits {sum(gap > 0 for gap in gaps)} of {len(gaps)}"
        for (name, target), gaps in found.items()
    ]
    if not parts:
        return []
    return [
        (
            f"{codec} maps against {against} maps under the same weights, ahead after the convolution where "
            f"they differ: {'; '.join(parts)}."
        )
    ]
