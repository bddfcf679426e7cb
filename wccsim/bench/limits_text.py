"""Stages and their bounds as text for a terminal, with a sentence for each stage far from its bound."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from wccsim.bench.bandwidth import Bandwidth
from wccsim.bench.limits import EXCESS, Limit, reason
from wccsim.bench.machine import machine_lines
from wccsim.bench.text import ending, ms
from wccsim.report.terminal import Cell, terminal_table

TOLD_AREAS = (1 << 15, 1 << 20, 1 << 24, 1 << 28)  # bytes


def limits_text(
    rows: Sequence[Limit],
    wholes: Mapping[str, float],
    rates: Mapping[tuple[str, str], float],
    bandwidth: Bandwidth,
    threads: int,
) -> str:
    """The measured peaks, every stage with its time, its bounds and the ratio to the greater one, and why.

    wholes: seconds of every layer, run as a whole.
    """
    roof: list[list[Cell]] = []
    for what, measured in (("read", bandwidth.read), ("written", bandwidth.write)):
        roof += [
            [f"{what}, an area of {area >> 10} KiB", f"{measured[area] / 1e9:.1f}", "GB/s"]
            for area in TOLD_AREAS
            if area in measured
        ]
    kinds = {row.measured.key: row.stage.kind for row in rows}
    roof += [
        [f"{name} ({kernels})", f"{rates[kernels, name] / 1e9:.2f}", f"10^9 {kind}/s, the kernel in cache"]
        for (kernels, name), kind in kinds.items()
    ]
    heads = [
        "layer",
        "stage",
        "ms",
        "MB",
        "10^6\nops",
        "of",
        "memory\nbound ms",
        "compute\nbound ms",
        "over\nbound",
    ]
    parts = [*machine_lines(threads), "", terminal_table(["what", "rate", "unit"], roof), ""]
    parts.append(terminal_table(heads, [_line(row) for row in rows]))
    parts += ["", _sums(rows, wholes)]
    reasons = [text for row in rows if (text := reason(row)) is not None]
    if reasons:
        parts += [
            "",
            f"{len(reasons)} of {len(rows)} stages take more than {EXCESS} times their bound:",
            *reasons,
        ]
    else:
        parts += ["", f"no stage takes more than {EXCESS} times its bound"]
    return ending(parts, [])


def _sums(rows: Sequence[Limit], wholes: Mapping[str, float]) -> str:
    """Of every layer the sum of its stages beside the layer as it runs."""
    body: list[list[Cell]] = []
    for label, whole in wholes.items():
        own = [row for row in rows if row.measured.label == label]
        summed = sum(row.stage.seconds for row in own)
        bounds = sum(max(row.memory_s, row.compute_s) for row in own)
        body.append([label, own[0].measured.path, ms(summed), ms(whole), ms(bounds), f"{whole / bounds:.2f}"])
    heads = ["layer", "path", "stages\nms", "whole layer\nms", "bounds\nms", "whole over\nbounds"]
    return terminal_table(heads, body)


def _line(row: Limit) -> list[Cell]:
    return [
        row.measured.label,
        row.stage.name,
        ms(row.stage.seconds),
        f"{row.stage.bytes / 1e6:.2f}",
        f"{row.stage.ops / 1e6:.2f}",
        row.stage.kind,
        ms(row.memory_s),
        ms(row.compute_s),
        f"{row.share:.2f}",
    ]
