"""Every map through every codec at every rate: in parallel, resumable, in a fixed order."""

from __future__ import annotations

import signal
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import asdict, astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from wccsim.compare.catalog import DEFAULT, method
from wccsim.compare.metrics import Reference
from wccsim.compare.rows import COLUMNS, Row, row_of
from wccsim.compare.store import appending, key_of, read_results
from wccsim.errors import WccsimError
from wccsim.maps import load_map

DEFAULT_TARGETS = (2.0, 3.0, 4.0, 6.0, 8.0)
MAX_TARGETS = 64
Watch = Callable[[Iterable[Any], int], Iterable[Any]]
Target = float | None


@dataclass(frozen=True, slots=True)
class Task:
    """One map and one codec at the rates still to be computed; None is the natural size."""

    path: Path
    scale: float | None
    codec: str
    targets: tuple[Target, ...]


def compare_maps(
    paths: Sequence[Path],
    targets: Sequence[float] = DEFAULT_TARGETS,
    codecs: Sequence[str] | None = None,
    *,
    scale: float | None = None,
    jobs: int = 1,
    store: Path | None = None,
    watch: Watch = lambda items, total: items,
) -> list[Row]:
    """Rows in the order of maps, codecs, targets; a lossless codec's natural size comes first.

    codecs: names of `wccsim.compare.catalog.METHODS`, by default DEFAULT. scale: of npy maps.
    jobs: processes. store: results are read from and appended to this file. watch: wraps the iteration
    over finished tasks.
    """
    wanted, rates = _checked(paths, targets, codecs, jobs)
    digests = {path: load_map(path, scale=scale if path.suffix == ".npy" else None).sha256 for path in paths}
    known = read_results(store) if store else {}
    found: dict[tuple[Path, str, Target], Row] = {}
    tasks = []
    for path in paths:
        for name in wanted:
            rows: tuple[Target, ...] = (None, *rates) if method(name).lossless else rates
            keys = {target: _key(digests[path], scale, name, target) for target in rows}
            found |= {
                (path, name, t): Row(**{**known[k], "map": path.stem}) for t, k in keys.items() if k in known
            }
            missing = tuple(target for target, key in keys.items() if key not in known)
            if missing:
                tasks.append(Task(path, scale if path.suffix == ".npy" else None, name, missing))
    with appending(store) as appender:
        for task, rows_done in watch(_finished(tasks, jobs), len(tasks)):
            for target, row in zip(task.targets, rows_done, strict=True):
                found[task.path, task.codec, target] = row
                appender.add(_key(digests[task.path], scale, task.codec, target), asdict(row))
    return [
        found[path, name, target]
        for path in paths
        for name in wanted
        for target in (None, *rates)
        if (path, name, target) in found
    ]


def cells(rows: Sequence[Row]) -> list[tuple[Any, ...]]:
    """The rows as tuples in the order of COLUMNS; a natural size has the target "natural"."""
    position = COLUMNS.index("target")
    tuples = [astuple(row) for row in rows]
    return [
        (*t[:position], "natural" if t[position] is None else t[position], *t[position + 1 :]) for t in tuples
    ]


def work(task: Task) -> list[Row]:
    """The rows of one task, in the order of its targets."""
    reference = _reference(task.path, task.scale)
    x, chosen = reference.map_.x, method(task.codec)
    natural = chosen.natural(x) if chosen.lossless else None
    rows = []
    for target in task.targets:
        point = natural if target is None else chosen.at(x, target * x.size, natural)
        assert point is not None
        rows.append(row_of(reference, task.codec, target, point))
    return rows


@lru_cache(maxsize=2)
def _reference(path: Path, scale: float | None) -> Reference:
    return Reference.of(load_map(path, scale=scale))


def _key(digest: str, scale: float | None, codec: str, target: Target) -> str:
    return key_of(map=digest, scale=scale, codec=codec, target=target)


def _checked(
    paths: Sequence[Path], targets: Sequence[float], codecs: Sequence[str] | None, jobs: int
) -> tuple[tuple[str, ...], tuple[float, ...]]:
    """Codec names and rates, checked before anything runs."""
    stems = [path.stem for path in paths]
    twice = sorted({stem for stem in stems if stems.count(stem) > 1})
    if twice:
        raise WccsimError(f"two maps are named {twice[0]!r}; names tell the rows apart")
    if not 1 <= len(targets) <= MAX_TARGETS or any(not 0.1 <= target <= 16 for target in targets):
        raise WccsimError(
            f"bits a value are {list(targets)}; allowed: 1 to {MAX_TARGETS} numbers, 0.1 to 16 each"
        )
    if not 1 <= jobs <= 256:
        raise WccsimError(f"jobs is {jobs}; allowed: 1 to 256 processes")
    wanted = DEFAULT if codecs is None else tuple(dict.fromkeys(codecs))
    for name in wanted:
        method(name)
    return wanted, tuple(dict.fromkeys(float(target) for target in targets))


def _finished(tasks: Sequence[Task], jobs: int) -> Iterator[tuple[Task, list[Row]]]:
    """Each task and its rows as they are done. An interruption cancels what has not begun."""
    if jobs == 1 or len(tasks) < 2:
        for task in tasks:
            yield task, work(task)
        return
    pool = ProcessPoolExecutor(min(jobs, len(tasks)), initializer=_ignore_interrupts)
    try:
        running = {pool.submit(work, task): task for task in tasks}
        for done in as_completed(running):
            yield running[done], done.result()
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _ignore_interrupts() -> None:
    """Ctrl-C reaches every process of the terminal; only the parent answers it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
