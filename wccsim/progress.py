"""Progress of long work on a terminal; silence everywhere else."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterable, Iterator
from typing import TypeVar

Item = TypeVar("Item")
_PLAIN_INTERVAL_S = 0.5


def progress(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    """`items`, with a bar on standard error while it is a terminal (rich where installed, else plain)."""
    if not sys.stderr.isatty():
        yield from items
        return
    try:
        from rich.console import Console
        from rich.progress import track
    except ImportError:
        yield from _plain(items, total, label)
        return
    yield from track(items, label, total=total, console=Console(stderr=True), transient=True)


def _plain(items: Iterable[Item], total: int, label: str) -> Iterator[Item]:
    """One line, rewritten at most twice a second and wiped at the end."""
    shown = 0.0
    try:
        for done, item in enumerate(items):
            if time.monotonic() - shown > _PLAIN_INTERVAL_S:
                shown = time.monotonic()
                print(f"\r{label} {done}/{total}", end="", file=sys.stderr, flush=True)
            yield item
    finally:
        print("\r\x1b[K", end="", file=sys.stderr, flush=True)
