"""Conclusions in words, each computed from the rows: no sentence here knows how the comparison ends."""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Callable, Sequence

from wccsim.compare.rows import NEAREST, Row
from wccsim.compare.summary import crossover, depth_of, difference, maps_of, rows_of, winners
from wccsim.parameters import padded

# Pixels of a map: at least so many is the first class that fits.
_SIZES = (
    (128 * 128, "128 x 128 pixels and more"),
    (32 * 32, "32 x 32 to below 128 x 128"),
    (0, "below 32 x 32"),
)
_WIDTHS = ((64, "64 channels and more"), (24, "24 to 63 channels"), (0, "fewer than 24 channels"))
PAPER = (
    "The paper (Figure 1, with fine-tuning) draws the error of WCC below that of uniform quantisation at "
    "every rate from 2 to 8 bits"
)


def conclusions(rows: Sequence[Row], codec: str = "wcc") -> list[str]:
    """Sentences, in the order of the report; one that needs a codec which is not there is left out."""
    present = {row.codec for row in rows}
    said: list[str] = []
    if {codec, "uniform"} <= present:
        said += [_overall(rows, codec), _paper_claim(rows, codec)]
        said += _by_class(rows, codec, "resolution", _SIZES, lambda row: row.height * row.width)
        said += _by_class(rows, codec, "channel count", _WIDTHS, lambda row: row.channels)
        said += _by_class(rows, codec, "depth", _depth_classes(rows), lambda row: depth_of(row.map) or 0)
        said += _by_sign(rows, codec)
        said += [
            *_index_share(rows, codec),
            *_padding(rows, codec),
            *_ceiling(rows, codec),
            *_work(rows, codec),
        ]
    if {"wcc-combined", codec, "uniform"} <= present and codec != "wcc-combined":
        said += [_against(rows, "wcc-combined", "uniform"), _against(rows, "wcc-combined", codec)]
    said += _best(rows)
    said.append("Everything here is post-training: no network was fine-tuned for any codec.")
    return said


def verdict(rows: Sequence[Row], codec: str = "wcc") -> list[str]:
    """Those of the conclusions that say where `codec` wins and loses; [] where uniform is not beside it."""
    if not {codec, "uniform"} <= {row.codec for row in rows}:
        return []
    kept = ("At equal bits", "By ", "wcc-combined against uniform")
    return [sentence for sentence in conclusions(rows, codec) if sentence.startswith(kept)]


def targets_of(rows: Sequence[Row]) -> list[float]:
    """The rates, ascending."""
    return sorted({row.target for row in rows if row.target is not None})


def ahead_count(rows: Sequence[Row], codec: str, against: str, target: float) -> tuple[int, int, int]:
    """(maps where `codec` has the higher SNR, where the lower, maps where both reached the rate)."""
    gaps = []
    for first in maps_of(rows):
        ours, theirs = rows_of(rows, first.map, codec), rows_of(rows, first.map, against)
        if target in ours and target in theirs:
            gaps.append(difference(ours[target], theirs[target]))
    return sum(gap > 0 for gap in gaps), sum(gap < 0 for gap in gaps), len(gaps)


def _overall(rows: Sequence[Row], codec: str) -> str:
    wins, losses = [], []
    for target in targets_of(rows):
        ahead, behind, of = ahead_count(rows, codec, "uniform", target)
        if of:
            wins.append(f"{ahead} of {of} maps at {target:g} bits")
            losses.append(f"{behind} at {target:g} bits")
    if not wins:
        return f"At equal bits {codec} and uniform quantisation share no rate on any map."
    return (
        f"At equal bits {codec} loses less than uniform quantisation on {', '.join(wins)}; "
        f"it loses more on {', '.join(losses)}."
    )


def _paper_claim(rows: Sequence[Row], codec: str) -> str:
    maps = maps_of(rows)
    gaps = [crossover(rows, first.map, codec).ahead_db for first in maps]
    everywhere = sum(bool(gap) and all(value > 0 for value in gap.values()) for gap in gaps)
    never = sum(bool(gap) and all(value < 0 for value in gap.values()) for gap in gaps)
    found = f"so on {everywhere} of {len(maps)} maps, and on {never} it is never ahead"
    rates = ", ".join(f"{target:g}" for target in targets_of(rows))
    return f"{PAPER}. At the rates measured here ({rates} bits), without training, that is {found}."


def _by_class(
    rows: Sequence[Row],
    codec: str,
    what: str,
    classes: Sequence[tuple[int, str]],
    value: Callable[[Row], int],
) -> list[str]:
    """Where WCC wins by `what`, at the lowest rate and at 4 bits."""
    groups: dict[str, list[Row]] = {}
    for first in maps_of(rows):
        label = next(label for least, label in classes if value(first) >= least)
        groups.setdefault(label, []).append(first)
    if len(groups) < 2:
        return []
    parts = []
    for _, label in classes:
        inside = {first.map for first in groups.get(label, [])}
        chosen = [row for row in rows if row.map in inside]
        counts = []
        for target in targets_of(rows):
            ahead, _, of = ahead_count(chosen, codec, "uniform", target)
            if of:
                counts.append(f"{ahead}/{of} at {target:g}")
        if counts:
            parts.append(f"{label}: {', '.join(counts)}")
    return [f"By {what}, maps on which {codec} is ahead of uniform, at so many bits: {'; '.join(parts)}."]


def _depth_classes(rows: Sequence[Row]) -> Sequence[tuple[int, str]]:
    """Two halves, where every map's name tells its depth."""
    depths = sorted(depth for first in maps_of(rows) if (depth := depth_of(first.map)) is not None)
    if len(depths) < len(maps_of(rows)):
        return ((0, "any depth"),)
    middle = depths[len(depths) // 2]
    return ((middle, f"layer {middle} and later"), (0, f"before layer {middle}"))


def _by_sign(rows: Sequence[Row], codec: str) -> list[str]:
    """After ReLU a map has many zeros; the name says nothing, the share of zeros does."""
    dense: list[str] = []
    sparse: list[str] = []
    for first in maps_of(rows):
        zeros = any(
            row.map == first.map and row.codec == "zvc" and row.target is None and row.bits_per_value < 7
            for row in rows
        )
        (sparse if zeros else dense).append(first.map)
    if not sparse or not dense:
        return []
    parts = []
    for label, names in (
        ("maps that zero-value compression shrinks below 7 bits", sparse),
        ("the others", dense),
    ):
        chosen = [row for row in rows if row.map in names]
        low = targets_of(rows)[0]
        ahead, _, of = ahead_count(chosen, codec, "uniform", low)
        parts.append(f"{ahead} of {of} of {label}")
    return [f"By sparsity, at {low:g} bits {codec} is ahead on {' and on '.join(parts)}."]


def _index_share(rows: Sequence[Row], codec: str) -> list[str]:
    """What the index memory takes of WCC's bits, at the lowest rate and at the highest."""
    shares: dict[float, list[tuple[float, Row]]] = {}
    for row in rows:
        if row.codec == codec and row.target is not None and row.status != NEAREST:
            index = json.loads(row.breakdown).get("index")
            if index is not None:
                shares.setdefault(row.target, []).append((index / row.total_bits, row))
    if not shares:
        return []
    low, high = min(shares), max(shares)
    worst, where = max(shares[low], key=lambda pair: pair[0])
    mean_low = sum(share for share, _ in shares[low]) / len(shares[low])
    mean_high = sum(share for share, _ in shares[high]) / len(shares[high])
    return [
        (
            f"The index of {codec} takes {100 * mean_low:.1f} % of its bits at {low:g} bits a value and "
            f"{100 * mean_high:.1f} % at {high:g}; most on {where.map} with {where.channels} channels "
            f"({100 * worst:.1f} % at {low:g} bits)."
        )
    ]


def _padding(rows: Sequence[Row], codec: str) -> list[str]:
    """What padding to multiples of 8 adds to the positions that are coded."""
    added = [
        (padded(first.height, 3) * padded(first.width, 3) / (first.height * first.width) - 1, first)
        for first in maps_of(rows)
    ]
    hit = [pair for pair in added if pair[0] > 0]
    if not hit:
        return []
    worst, where = max(hit, key=lambda pair: pair[0])
    return [
        (
            f"Padding to multiples of 8 (three levels) adds positions on {len(hit)} of {len(added)} maps, "
            f"at worst {100 * worst:.0f} % on {where.map}."
        )
    ]


def _ceiling(rows: Sequence[Row], codec: str) -> list[str]:
    """Uniform quantisation at 8 bits loses nothing; what does WCC?"""
    high = targets_of(rows)[-1]
    found = [
        row.snr_db for row in rows if row.codec == codec and row.target == high and row.status != NEAREST
    ]
    lossy = [value for value in found if math.isfinite(value)]
    if not found:
        return []
    return [
        f"At {high:g} bits {codec} is lossy on {len(lossy)} of {len(found)} maps"
        + (f", with {min(lossy):.1f} to {max(lossy):.1f} dB." if lossy else ".")
    ]


def _work(rows: Sequence[Row], codec: str) -> list[str]:
    """The other half of the pair: BOPs of the layer over the 8/8 convolution."""
    parts = []
    for target in targets_of(rows):
        for name in (codec, "uniform"):
            ratios = [
                row.layer_bops / row.dense_bops
                for row in rows
                if row.codec == name
                and row.target == target
                and row.layer_bops
                and row.dense_bops
                and row.status != NEAREST
            ]
            if ratios:
                parts.append(f"{name} {sum(ratios) / len(ratios):.2f} at {target:g} bits")
    if not parts:
        return []
    return [f"BOPs of the layer over those of the 8/8 convolution, mean over the maps: {', '.join(parts)}."]


def _against(rows: Sequence[Row], codec: str, against: str) -> str:
    parts, worst = [], (math.inf, "", 0.0)
    for target in targets_of(rows):
        ahead, behind, of = ahead_count(rows, codec, against, target)
        gaps = []
        for first in maps_of(rows):
            ours, theirs = rows_of(rows, first.map, codec), rows_of(rows, first.map, against)
            if target in ours and target in theirs:
                gaps.append(difference(ours[target], theirs[target]))
                worst = min(worst, (gaps[-1], first.map, target))
        finite = [gap for gap in gaps if math.isfinite(gap)]
        mean = f" (mean {math.fsum(finite) / len(finite):+.1f} dB)" if finite else ""
        if of:
            counts = f"ahead {ahead}, equal {of - ahead - behind}, behind {behind} of {of}"
            parts.append(f"{counts} at {target:g} bits{mean}")
    gap, where = worst[0], f"on {worst[1]} at {worst[2]:g} bits"
    end = f" Its worst case is {gap:+.2f} dB, {where}." if math.isfinite(gap) else ""
    return f"{codec} against {against}: {'; '.join(parts) or 'no rate in common'}.{end}"


def _best(rows: Sequence[Row]) -> list[str]:
    """Who loses least, codecs of every kind together."""
    parts = []
    for target in targets_of(rows):
        names = Counter(
            best[target].codec
            for best in (winners(rows, first.map) for first in maps_of(rows))
            if target in best
        )
        if names:
            parts.append(
                f"{target:g} bits: " + ", ".join(f"{name} on {count}" for name, count in names.most_common(3))
            )
    return [f"The codec that loses least, whatever its work: {'; '.join(parts)}."] if parts else []
