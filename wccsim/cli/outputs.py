"""Where a report goes: --csv, --json, --parquet and --html, the same for every command that has them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import click

from wccsim import files
from wccsim.report.tables import Report, write_csv, write_json, write_parquet

Command = Callable[..., Any]


def outputs(command: Command) -> Command:
    """The options --csv, --json and --parquet."""
    for name, kind in (("parquet", "Parquet"), ("json", "JSON"), ("csv", "CSV")):
        about = f'Write {kind} to PATH, "-" for standard output.'
        command = click.option(f"--{name}", f"{name}_path", metavar="PATH", help=about)(command)
    return command


def page_option(command: Command) -> Command:
    """The option --html."""
    about = "One self-contained page with everything."
    return click.option("--html", "html_path", metavar="PATH", help=about)(command)


def check_outputs(
    *paths: str | None, inputs: Iterable[str | None] = (), plot: Path | str | None = None
) -> bool:
    """Whether standard output is free for a text; refuses outputs that could not be written, before any work.

    UsageError where two reports would go to standard output; WccsimError as `wccsim.files.check_outputs` and
    `check_plot`. `inputs` are the paths and names that the command reads.
    """
    if paths.count("-") > 1:
        raise click.UsageError("only one of --csv, --json, --parquet and --html can go to standard output")
    if plot is not None:
        files.check_plot(plot)
    given = [path for path in (*paths, plot) if path is not None]
    files.check_outputs(given, [path for path in inputs if path])
    return "-" not in paths


def write_all(
    report: Report,
    csv_path: str | None = None,
    json_path: str | None = None,
    parquet_path: str | None = None,
) -> None:
    """Write the asked files."""
    if csv_path is not None:
        write_csv(csv_path, report)
    if json_path is not None:
        write_json(json_path, report)
    if parquet_path is not None:
        write_parquet(parquet_path, report)
