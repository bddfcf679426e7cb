"""Says on a terminal that numba is compiling kernels, once, and how long it took."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def compile_notice() -> Iterator[None]:
    """Around work that may compile: two lines on standard error where it is a terminal, else nothing."""
    if not sys.stderr.isatty():
        yield
        return
    from numba.core import event

    class _Notice(event.Listener):  # type: ignore[misc]  # numba's classes are untyped
        depth = 0
        started = spent_s = 0.0

        def on_start(self, event: Any) -> None:
            if not self.spent_s and not self.depth:
                print("wccsim: compiling kernels, once on this machine ...", file=sys.stderr, flush=True)
            if not self.depth:
                self.started = time.monotonic()
            self.depth += 1

        def on_end(self, event: Any) -> None:
            self.depth -= 1
            if not self.depth:
                self.spent_s += time.monotonic() - self.started

    notice = _Notice()
    with event.install_listener("numba:compile", notice):
        yield
    if notice.spent_s:
        print(f"wccsim: compiled in {notice.spent_s:.1f} s; later runs use the cache", file=sys.stderr)
