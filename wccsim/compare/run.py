"""Every map through every codec at every rate: in parallel, resumable, in a fixed order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, astuple, dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any

from wccsim.compare.catalog import DEFAULT, method
from wccsim.compare.metrics import Reference
from wccsim.compare.parallel import finished, process_count
from wccsim.compare.rows import COLUMNS, Row, row_of
from wccsim.compare.store import appending, key_of, read_results
from wccsim.compare.weight_rows import WeightRow, weight_rows
from wccsim.compare.weights import CodedWeights, WeightGrid, codings
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
    weights: WeightGrid | None = None


@dataclass(frozen=True, slots=True)
class Result:
    """A row of the comparison, and the rows of the weight column beside it."""

    row: Row
    weights: tuple[WeightRow, ...] = ()

    def stored(self) -> dict[str, Any]:
        """As it waits on disk."""
        return {**asdict(self.row), "weights": [asdict(row) for row in self.weights]}

    @classmethod
    def of_stored(cls, stored: dict[str, Any], name: str) -> Result:
        """The inverse of `stored`, for the map called `name` now."""
        named = {**stored, "map": name}
        weights = tuple(WeightRow(**{**row, "map": name}) for row in named.pop("weights"))
        return cls(Row(**named), weights)


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
    found = compare_layers(
        paths, targets, codecs, weights=None, scale=scale, jobs=jobs, store=store, watch=watch
    )
    return [result.row for result in found]


def compare_layers(
    paths: Sequence[Path],
    targets: Sequence[float] = DEFAULT_TARGETS,
    codecs: Sequence[str] | None = None,
    *,
    weights: WeightGrid | None,
    scale: float | None = None,
    jobs: int = 1,
    store: Path | None = None,
    watch: Watch = lambda items, total: items,
) -> list[Result]:
    """As `compare_maps`, each row with the rows of the weight column that `weights` asks for beside it."""
    wanted, rates = _checked(paths, targets, codecs, jobs)
    digests = {path: load_map(path, scale=scale if path.suffix == ".npy" else None).sha256 for path in paths}
    known = read_results(store) if store else {}
    found: dict[tuple[Path, str, Target], Result] = {}
    tasks = []
    for path in paths:
        for name in wanted:
            rows: tuple[Target, ...] = (None, *rates) if method(name).lossless else rates
            keys = {target: _key(digests[path], scale, name, target, weights) for target in rows}
            found |= {
                (path, name, t): Result.of_stored(known[k], path.stem) for t, k in keys.items() if k in known
            }
            missing = tuple(target for target, key in keys.items() if key not in known)
            if missing:
                tasks.append(Task(path, scale if path.suffix == ".npy" else None, name, missing, weights))
    with appending(store) as appender:
        for task, results in watch(finished(work, tasks, jobs), len(tasks)):
            for target, result in zip(task.targets, results, strict=True):
                found[task.path, task.codec, target] = result
                key = _key(digests[task.path], scale, task.codec, target, weights)
                appender.add(key, result.stored())
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


def work(task: Task) -> list[Result]:
    """The results of one task, in the order of its targets."""
    reference = _reference(task.path, task.scale)
    x, chosen = reference.map_.x, method(task.codec)
    natural = chosen.natural(x) if chosen.lossless else None
    results = []
    for target in task.targets:
        point = natural if target is None else chosen.at(x, target * x.size, natural)
        assert point is not None
        row = row_of(reference, task.codec, target, point)
        coded: Sequence[CodedWeights] = ()
        if task.weights is not None and task.weights.wanted(task.codec, target):
            coded = _codings(task.path, task.scale, task.weights)
        results.append(Result(row, tuple(weight_rows(reference, row, point, coded))))
    return results


@lru_cache(maxsize=2)
def _reference(path: Path, scale: float | None) -> Reference:
    return Reference.of(load_map(path, scale=scale))


@lru_cache(maxsize=2)
def _codings(path: Path, scale: float | None, grid: WeightGrid) -> list[CodedWeights]:
    return codings(_reference(path, scale).map_, grid)


def _key(digest: str, scale: float | None, codec: str, target: Target, weights: WeightGrid | None) -> str:
    grid = None if weights is None else asdict(weights)
    return key_of(map=digest, scale=scale, codec=codec, target=target, weights=grid)


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
    process_count(jobs)
    wanted = DEFAULT if codecs is None else tuple(dict.fromkeys(codecs))
    for name in wanted:
        method(name)
    return wanted, tuple(dict.fromkeys(float(target) for target in targets))
