"""The five layers beside their peers as text for a terminal, and what the tables of this package share."""

from __future__ import annotations

from collections.abc import Sequence

from wccsim.bench.layers import CHOSEN, Measured
from wccsim.bench.machine import machine_lines
from wccsim.bench.peers import ONNXRUNTIME, PYTORCH
from wccsim.bench.timing import geometric_mean
from wccsim.datapath.engine import PATHS
from wccsim.report.terminal import Cell, terminal_table


def ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _ratio(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def layers_text(rows: Sequence[Measured], not_run: Sequence[str], threads: int) -> str:
    """Times of every contender, then the ratios of every path with their geometric means."""
    names = list(rows[0].times)
    heads = ["layer", *(_two_lines(name) for name in names)]
    best = terminal_table(heads, [[r.job.label, *(ms(r.times[n].best) for n in names)] for r in rows])
    typical = terminal_table(heads, [[r.job.label, *(ms(r.times[n].median) for n in names)] for r in rows])
    parts = [
        *machine_lines(threads),
        *(f"chosen: {row.chosen:8} for {row.job.label}" for row in rows),
        "",
        *("ms, best call", best, "", "ms, median", typical),
    ]
    for path in [name for name in names if not name.startswith((ONNXRUNTIME, PYTORCH))]:
        body: list[list[Cell]] = []
        means: list[Cell] = ["geometric mean"]
        columns = [(peer, median) for peer in (ONNXRUNTIME, PYTORCH) for median in (False, True)]
        for row in rows:
            body.append([row.job.label, *(_ratio(row.ratio(peer, path, median)) for peer, median in columns)])
        for peer, median in columns:
            ratios = [row.ratio(peer, path, median) for row in rows]
            known = [ratio for ratio in ratios if ratio is not None]
            means.append(_ratio(geometric_mean(known) if len(known) == len(rows) else None))
        heads = [f"{peer}\n{'median' if median else 'best'}" for peer, median in columns]
        parts += [
            "",
            f"times faster than the peer: {path}",
            terminal_table(["layer", *heads], body, total=means),
        ]
    if any(row.peak_bytes for row in rows):
        memory: list[list[Cell]] = [
            [
                row.job.label,
                f"{row.payload_bytes / 1e6:.2f}",
                None if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.2f}",
                None if row.peak_bytes is None else f"{row.peak_bytes / row.payload_bytes:.2f}",
            ]
            for row in rows
        ]
        heads = ["layer", "input + output + kept\nMB", "peak\nMB", "ratio\n(goal: at most 3)"]
        parts += ["", terminal_table(heads, memory)]
    summary = summary_lines(rows)
    return ending([*parts, "", *summary] if summary else parts, not_run)


def summary_lines(rows: Sequence[Measured]) -> list[str]:
    """For each path that ran every layer, by best call: both geometric means, and its slowest layer."""
    lines = []
    for path in [name for name in (CHOSEN, *PATHS) if all(name in row.times for row in rows)]:
        told = []
        for peer in (ONNXRUNTIME, PYTORCH):
            ratios = [ratio for row in rows if (ratio := row.ratio(peer, path)) is not None]
            if len(ratios) < len(rows):
                continue
            slowest = min(range(len(rows)), key=ratios.__getitem__)
            told.append(
                f"{geometric_mean(ratios):.2f} times {peer}, "
                f"slowest layer {rows[slowest].job.label} at {ratios[slowest]:.2f}, "
                f"{sum(ratio < 1 for ratio in ratios)} of {len(rows)} layers slower than it"
            )
        lines += [f"{path}, geometric mean by best call: {text}" for text in told]
    return lines


def _two_lines(name: str) -> str:
    words = name.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]) + "\n" + " ".join(words[middle:])


def ending(parts: Sequence[str], not_run: Sequence[str]) -> str:
    lines = [part.rstrip("\n") for part in parts]
    if not_run:
        lines += ["", *dict.fromkeys(not_run)]
    return "\n".join(lines) + "\n"
