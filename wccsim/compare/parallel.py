"""Work on several processes that ends at once, and whole, when it is interrupted.

The workers never answer Ctrl-C, which reaches every process of a terminal: the parent does, and ends them.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from contextlib import contextmanager
from multiprocessing import active_children
from typing import TypeVar

from wccsim.errors import WccsimError
from wccsim.processors import processors

Item = TypeVar("Item")
Result = TypeVar("Result")


MAX_PROCESSES = 256


def process_count(asked: int) -> int:
    """How many processes `--jobs` asks for; 0 is one for each core that this process may use."""
    if not 0 <= asked <= MAX_PROCESSES:
        raise WccsimError(f"jobs is {asked}; allowed: 1 to {MAX_PROCESSES} processes, 0 for one a core")
    return asked or min(processors(), MAX_PROCESSES)


def finished(
    work: Callable[[Item], Result], items: Sequence[Item], jobs: int
) -> Iterator[tuple[Item, Result]]:
    """Each item and `work(item)`, as they are done, on `jobs` processes.

    WccsimError where a process ends without a result, which is what a machine out of memory does.
    """
    if jobs == 1 or len(items) < 2:
        for item in items:
            yield item, work(item)
        return
    before = set(active_children())
    pool = ProcessPoolExecutor(min(jobs, len(items)), initializer=_ignore_interrupts)
    ended = False
    try:
        with _interrupts_held():  # a worker starts deaf: nothing reaches it before it ignores interrupts
            running = {pool.submit(work, item): item for item in items}
        for done in as_completed(running):
            yield running[done], done.result()
        ended = True
    except BrokenProcessPool:
        raise WccsimError(
            "a process ended without a result (out of memory?); fewer --jobs need less"
        ) from None
    finally:
        if not ended:
            for process in set(active_children()) - before:
                process.terminate()
        pool.shutdown(wait=True, cancel_futures=True)


def one_thread_each() -> None:
    """Matrix products on one thread: the processes fill the machine. Takes effect before NumPy is loaded.

    What the environment says already stands.
    """
    for name in ("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "VECLIB_MAXIMUM_THREADS"):
        os.environ.setdefault(name, "1")


@contextmanager
def _interrupts_held() -> Iterator[None]:
    """SIGINT waits until the block ends, where the system can hold it."""
    if not hasattr(signal, "pthread_sigmask"):
        yield
        return
    held = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, held)


def _ignore_interrupts() -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)
