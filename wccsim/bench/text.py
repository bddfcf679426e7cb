"""The measurements as text for a terminal."""

from __future__ import annotations

from collections.abc import Sequence

from wccsim.bench.layers import Measured
from wccsim.bench.limits import Limit, Peaks
from wccsim.bench.machine import machine_lines
from wccsim.bench.peers import ONNXRUNTIME, PYTORCH
from wccsim.bench.stack import StackRow
from wccsim.bench.timing import geometric_mean
from wccsim.report.terminal import Cell, terminal_table


def _ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2f}"


def _ratio(value: float | None) -> str | None:
    return None if value is None else f"{value:.2f}"


def layers_text(rows: Sequence[Measured], not_run: Sequence[str], threads: int) -> str:
    """Times of every contender, then the ratios of every path with their geometric means."""
    names = list(rows[0].times)
    times = terminal_table(
        ["layer", *(_two_lines(name) for name in names)],
        [
            [row.job.label, *(f"{_ms(row.times[n].best)} ({_ms(row.times[n].median)})" for n in names)]
            for row in rows
        ],
    )
    parts = [*machine_lines(threads), "ms, best call (median)", "", times]
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
    return _ending(parts, not_run)


def _two_lines(name: str) -> str:
    words = name.split()
    middle = (len(words) + 1) // 2
    return " ".join(words[:middle]) + "\n" + " ".join(words[middle:])


def stack_text(title: str, rows: Sequence[StackRow], not_run: Sequence[str], threads: int) -> str:
    """One line a layer, totals, the share of each stage."""
    body: list[list[Cell]] = [
        [
            row.job.name,
            row.job.label,
            row.path,
            _ms(row.own.best),
            None if row.peer is None else _ms(row.peer.best),
            None if row.peer is None else f"{row.peer.best / row.own.best:.2f}",
            None if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.1f}",
        ]
        for row in rows
    ]
    own = sum(row.own.best for row in rows)
    peer = sum(row.peer.best for row in rows if row.peer) if all(row.peer for row in rows) else None
    peaks = [row.peak_bytes for row in rows if row.peak_bytes is not None]
    total: list[Cell] = [
        "total",
        f"{len(rows)} layers",
        None,
        _ms(own),
        None if peer is None else _ms(peer),
        None if peer is None else f"{peer / own:.2f}",
        f"{max(peaks) / 1e6:.1f}" if peaks else None,
    ]
    heads = ["layer", "shape", "path", "wccsim\nms", f"{ONNXRUNTIME}\nms", "times\nfaster", "peak\nMB"]
    parts = [title, *machine_lines(threads), "", terminal_table(heads, body, total=total)]
    spent: dict[str, float] = {}
    for row in rows:
        for cost in row.stages:
            spent[cost.name] = spent.get(cost.name, 0.0) + cost.seconds
    if spent:
        whole = sum(spent.values())
        table: list[list[Cell]] = [[name, _ms(s), f"{100 * s / whole:.1f}"] for name, s in spent.items()]
        parts += [
            "",
            "stages alone, portable kernels, one thread",
            terminal_table(["stage", "ms", "%"], table),
        ]
    return _ending(parts, not_run)


def limits_text(rows: Sequence[tuple[str, Limit]], peaks: Peaks) -> str:
    """The measured peaks, then every stage with its time, its bounds and the ratio to the greater one."""
    roof: list[list[Cell]] = [
        ["memory read", f"{peaks.read_bytes / 1e9:.1f}", "GB/s"],
        ["memory write", f"{peaks.write_bytes / 1e9:.1f}", "GB/s"],
    ]
    roof += [[name, f"{rate / 1e9:.2f}", "10^9/s, in cache"] for name, rate in peaks.rates.items()]
    body: list[list[Cell]] = [
        [
            label,
            limit.stage.name,
            _ms(limit.stage.seconds),
            f"{limit.stage.bytes / 1e6:.2f}",
            f"{limit.stage.ops / 1e6:.2f}",
            limit.stage.kind,
            _ms(limit.memory_s),
            _ms(limit.compute_s),
            f"{limit.share:.2f}",
        ]
        for label, limit in rows
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
    parts = [*machine_lines(1), "", terminal_table(["what", "rate", "unit"], roof), ""]
    return _ending([*parts, terminal_table(heads, body)], [])


def _ending(parts: Sequence[str], not_run: Sequence[str]) -> str:
    lines = [part.rstrip("\n") for part in parts]
    if not_run:
        lines += ["", *dict.fromkeys(not_run)]
    return "\n".join(lines) + "\n"
