"""Sweeps: all settings of a grid, here or on other machines, resumable, the same in any order."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from concurrent.futures import Executor, as_completed
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np

from wccsim import __version__
from wccsim.cost.pricing import prices_of
from wccsim.errors import WccsimError
from wccsim.explore.grid import MAX_POINTS, Grid, Setting
from wccsim.explore.price import COLUMNS, Column, Job, Part, check_measured, price_part
from wccsim.files import replacing

SETTINGS_A_PART = 4096


@dataclass(frozen=True, slots=True)
class Sweep:
    """Totals of the network under every setting, in the grid's order."""

    settings: tuple[Setting, ...]
    totals: dict[str, Column]
    layer_points: int

    def pareto(self, objective: str) -> Column:
        """Whether each setting is on the front of (distortion, objective): nothing is better in both."""
        return pareto_front(self.totals["distortion"], self.totals[objective])


def pareto_front(first: Column, second: Column) -> Column:
    """True where no other point is at most as great in both and less in one. Equal points all stay."""
    order = np.lexsort((second, first))
    front = np.zeros(len(first), dtype=bool)
    best, best_first = np.inf, np.nan
    for index in order:
        value = second[index]
        if value < best or (value == best and first[index] == best_first):
            front[index] = True
            best, best_first = value, first[index]
    return front


def jobs_of(template: Job, grid: Grid) -> list[Job]:
    """The grid cut into parts of equal widths and bounded size."""
    layers = len(template.network.layers)
    if len(grid) * layers > MAX_POINTS:
        raise WccsimError(
            f"{len(grid)} settings of {layers} layers are more than {MAX_POINTS} layer-points; cut the grid"
        )
    by_width: dict[tuple[int, int], list[Setting]] = {}
    for setting in grid.settings():
        by_width.setdefault((setting.act_bits, setting.weight_bits), []).append(setting)
    return [
        Job(
            template.network, template.accelerator, template.table, template.options, template.distortion,
            tuple(settings[start : start + SETTINGS_A_PART]),
        )
        for settings in by_width.values()
        for start in range(0, len(settings), SETTINGS_A_PART)
    ]  # fmt: skip


def sweep(template: Job, grid: Grid, executor: Executor | None = None, parts: Path | None = None) -> Sweep:
    """Price every setting of `grid` (the template's own settings are ignored).

    `executor`: any concurrent.futures executor, a dask client's `get_executor()` too; without one the
    work runs here. `parts`: a folder of Parquet files, one a part, written whole and named by what it
    rests on; a part found there is read, not priced. Results do not depend on either.
    """
    from wccsim.progress import progress

    check_measured(template.options, grid)
    jobs = jobs_of(template, grid)
    done: dict[int, Part] = {}
    if parts is not None:
        _folder(parts)
        found = ((index, read_part(parts, job)) for index, job in enumerate(jobs))
        done = {index: part for index, part in found if part is not None}
    waiting = [index for index in range(len(jobs)) if index not in done]
    for index, part in progress(_priced(jobs, waiting, executor), len(waiting), "sweep"):
        done[index] = part
        if parts is not None:
            write_part(parts, jobs[index], part)
    totals = [done[index].totals() for index in range(len(jobs))]
    return Sweep(
        tuple(setting for job in jobs for setting in job.settings),
        {name: np.concatenate([total[name] for total in totals]) for name in COLUMNS},
        sum(len(part.values["macs"]) for part in done.values()),
    )


def _priced(jobs: list[Job], waiting: list[int], executor: Executor | None) -> Iterator[tuple[int, Part]]:
    """Parts as they are finished."""
    if executor is None:
        for index in waiting:
            yield index, price_part(jobs[index])
        return
    futures = {executor.submit(price_part, jobs[index]): index for index in waiting}
    try:
        for future in as_completed(futures):
            yield futures[future], future.result()
    finally:
        for future in futures:
            future.cancel()


def _folder(parts: Path) -> None:
    try:
        parts.mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise WccsimError(f"cannot use the folder {parts}: {problem.strerror}") from None


def key_of(job: Job) -> str:
    """sha256 over everything a part's figures rest on, this program's version included."""
    gates = prices_of(job.table, job.options).gates
    rests_on = {
        "version": __version__,
        "network": repr(job.network.layers),
        "accelerator": repr(job.accelerator),
        "table": repr((job.table.name, job.table.rows)),
        "options": repr(job.options),
        "gates": gates.sha256 if gates else "",
        "distortion": repr(job.distortion),
        "settings": repr(job.settings),
    }
    return hashlib.sha256(json.dumps(rests_on).encode()).hexdigest()


def write_part(folder: Path, job: Job, part: Part) -> Path:
    """One Parquet file of layer-points, written whole or not at all."""
    pyarrow, parquet = _pyarrow()
    path = folder / f"part-{key_of(job)[:32]}.parquet"
    settings = [s for s in part.settings for _ in part.layers]
    table = pyarrow.table(
        {
            "layer": list(part.layers) * len(part.settings),
            "keep": ["dense" if s.keep is None else str(s.keep) for s in settings],
            "act_bits": [s.act_bits for s in settings],
            "weight_bits": [s.weight_bits for s in settings],
            "levels": [s.levels for s in settings],
            **part.values,
        }
    ).replace_schema_metadata({"wccsim_key": key_of(job), "wccsim_version": __version__})
    with replacing(path) as temporary:
        parquet.write_table(table, temporary)
    return path


def read_part(folder: Path, job: Job) -> Part | None:
    """A part priced before, or None; a file that is damaged or of another job counts as none."""
    pyarrow, parquet = _pyarrow()
    path = folder / f"part-{key_of(job)[:32]}.parquet"
    if not path.is_file():
        return None
    try:
        table = parquet.read_table(path)
        if (table.schema.metadata or {}).get(b"wccsim_key") != key_of(job).encode():
            return None
        values = {name: table[name].to_numpy() for name in COLUMNS}
        count = table.num_rows // len(job.settings)
        layers = tuple(table["layer"].slice(0, count).to_pylist())
    except (OSError, KeyError, pyarrow.ArrowException):
        return None
    return Part(layers, job.settings, values)


def _pyarrow() -> tuple[Any, Any]:
    try:
        import pyarrow
        import pyarrow.parquet
    except ImportError:
        raise WccsimError("--parts writes Parquet and needs pyarrow: pip install 'wccsim[parquet]'") from None
    return pyarrow, pyarrow.parquet


def keep_text(keep: Fraction | None) -> str:
    """How a report names it."""
    return "dense" if keep is None else str(keep)
