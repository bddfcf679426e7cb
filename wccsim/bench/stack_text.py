"""A stack of layers as text for a terminal: a line a layer, totals, the share of each stage."""

from __future__ import annotations

from collections.abc import Sequence

from wccsim.bench.machine import machine_lines
from wccsim.bench.peers import ONNXRUNTIME
from wccsim.bench.stack import StackRow, stage_shares
from wccsim.bench.text import ending, ms
from wccsim.report.terminal import Cell, terminal_table


def stack_text(
    title: str, rows: Sequence[StackRow], notes: Sequence[str], not_run: Sequence[str], threads: int
) -> str:
    """notes: where the weights come from."""
    heads = [
        "layer",
        "shape",
        "weights",
        "path",
        "wccsim\nms",
        f"{ONNXRUNTIME}\nms",
        "times\nfaster",
        "peak\nMB",
    ]
    body = [_line(row) for row in rows]
    given = sum(row.given for row in rows)
    parts = [title, *machine_lines(threads), ""]
    parts += [*notes, f"{given} of {len(rows)} layers run on given weights, the others on random ones", ""]
    parts.append(terminal_table(heads, body, total=_total(rows)))
    shares = stage_shares(rows)
    if shares:
        paths = ", ".join(dict.fromkeys(row.path for row in rows if row.stages))
        table: list[list[Cell]] = [[name, ms(taken), f"{100 * share:.1f}"] for name, taken, share in shares]
        whole: list[Cell] = ["total", ms(sum(taken for _, taken, _ in shares)), None]
        count = sum(bool(row.stages) for row in rows)
        parts += [
            "",
            f"stages alone, one thread, {count} of {len(rows)} layers, paths: {paths}",
            terminal_table(["stage", "ms", "%"], table, total=whole),
        ]
    return ending(parts, not_run)


def _line(row: StackRow) -> list[Cell]:
    return [
        row.job.name,
        row.job.label,
        "given" if row.given else "random",
        row.path,
        ms(row.own.best),
        None if row.peer is None else ms(row.peer.best),
        None if row.peer is None else f"{row.peer.best / row.own.best:.2f}",
        None if row.peak_bytes is None else f"{row.peak_bytes / 1e6:.1f}",
    ]


def _total(rows: Sequence[StackRow]) -> list[Cell]:
    own = sum(row.own.best for row in rows)
    peer = sum(row.peer.best for row in rows if row.peer) if all(row.peer for row in rows) else None
    peaks = [row.peak_bytes for row in rows if row.peak_bytes is not None]
    return [
        "total",
        f"{len(rows)} layers",
        None,
        None,
        ms(own),
        None if peer is None else ms(peer),
        None if peer is None else f"{peer / own:.2f}",
        f"{max(peaks) / 1e6:.1f}" if peaks else None,
    ]
