"""`wccsim report`: write the reports of the repository, or check that they regenerate byte for byte."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click

from wccsim.errors import WccsimError
from wccsim.files import need_matplotlib

PARTS = ("default", "real", "all")
REBUILD = "Only rebuild the default maps into FOLDER (extra images)."
_REAL = ("maps", "../shared/data/maps")  # beside the reports' repository, the first that exists


@click.command()
@click.option("--folder", type=click.Path(path_type=Path), default=Path("reports"), show_default=True)
@click.option("--check", is_flag=True, help="Regenerate elsewhere and compare the bytes.")
@click.option("--real", type=click.Path(path_type=Path), help="Folder of the maps that inputs.csv names.")
@click.option("--part", "chosen", type=click.Choice(PARTS), default="all", show_default=True)
@click.option("--maps", "rebuild", metavar="FOLDER", type=click.Path(path_type=Path), help=REBUILD)
@click.option("--jobs", type=int, default=0, metavar="N", help="Processes; 0 (default) is one a core.")
def report(
    folder: Path, check: bool, real: Path | None, chosen: str, rebuild: Path | None, jobs: int
) -> None:
    """Write reports/compare: every codec at equal bits on the default maps, and on real maps where present.

    Figures and pages are drawn from the CSVs beside them. With --check nothing is written: everything is
    regenerated in a temporary folder and compared byte for byte with what is committed; the exit code is 1
    where they differ. Only where another version of matplotlib or Pillow is installed may a figure differ,
    and that is said; numbers and words may not. Started again, an interrupted run goes on where it stopped.

    \b
    Examples:
      wccsim report
      wccsim report --check --part default
    """
    from wccsim.compare.parallel import one_thread_each, process_count

    one_thread_each()
    count = process_count(jobs)
    from wccsim.default_maps import default_map_paths, write_default_maps
    from wccsim.report.build import default_part, real_part

    if rebuild is not None:
        for path in write_default_maps(rebuild):
            click.echo(path)
        return
    need_matplotlib()
    target = folder / "compare"
    parts = [default_part(default_map_paths())] if chosen != "real" else []
    if chosen != "default":
        found = _real_maps(folder, target, real)
        if found:
            parts.append(real_part(found))
        elif chosen == "real":
            raise WccsimError("the real maps are absent; --real names their folder")
        else:
            click.echo(
                f"not regenerated: {target / 'real'} (the real maps are absent; --real names their folder)"
            )
    make = _check if check else _write
    if not all([make(part, target, count) for part in parts]):
        raise SystemExit(1)


def _real_maps(folder: Path, target: Path, asked: Path | None) -> tuple[Path, ...]:
    """The real maps in the folder asked for, else beside the repository; () where there are none beside."""
    from wccsim.report.build import real_maps

    if asked is not None and not asked.is_dir():
        raise WccsimError(f"--real is {asked}; it is no folder")
    found = real_maps(asked or _beside(folder), target / "real" / "inputs.csv")
    if asked is not None and not found:
        raise WccsimError(f"--real is {asked}; it holds no npz file")
    return found


def _write(part: Any, target: Path, jobs: int) -> bool:
    """Write the part; what an interrupted run has computed is used."""
    from wccsim.report.build import build

    try:
        (target / part.name).mkdir(parents=True, exist_ok=True)
    except OSError as problem:
        raise WccsimError(f"cannot write {target / part.name}: {problem.strerror}") from None
    store = target / f"{part.name}.partial.jsonl"
    build(part, target / part.name, jobs=jobs, watch=_watch, store=store)
    store.unlink(missing_ok=True)
    click.echo(f"written: {target / part.name} ({len(part.maps)} maps, {len(part.codecs)} codecs)")
    return True


def _check(part: Any, target: Path, jobs: int) -> bool:
    """Whether the part, made anew, is the committed one."""
    from wccsim.report.build import build
    from wccsim.report.check import compared

    committed = target / part.name
    if not committed.is_dir():
        raise WccsimError(f"{committed} is missing: there is nothing to compare with")
    store = target / f"{part.name}.check.partial.jsonl" if os.access(target, os.W_OK) else None
    with tempfile.TemporaryDirectory() as temporary:
        build(part, Path(temporary), jobs=jobs, watch=_watch, store=store)
        found = compared(Path(temporary), committed)
    if store is not None:
        store.unlink(missing_ok=True)
    if found.failed:
        names = [str(committed / name) for name in found.differs if name not in found.redrawn]
        click.echo(f"differs: {', '.join(names)}", err=True)
        if found.tools:
            click.echo(f"made with other tools: {', '.join(found.tools)}", err=True)
    elif found.differs:
        click.echo(f"same numbers and words: {committed}")
        click.echo(f"drawn by other tools ({', '.join(found.tools)}): {', '.join(found.redrawn)}")
    else:
        click.echo(f"same bytes: {committed}")
    return not found.failed


def _watch(items: Iterable[Any], total: int) -> Iterable[Any]:
    from wccsim.progress import progress

    return progress(items, total, "report")


def _beside(folder: Path) -> Path | None:
    root = folder.resolve().parent
    return next((root / name for name in _REAL if (root / name).is_dir()), None)
