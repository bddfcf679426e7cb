"""Where a report goes: --csv, --json, --parquet and --html, the same for every command that has them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

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


def one_on_standard_output(*paths: str | None) -> bool:
    """Whether standard output is free for a text. UsageError where two reports would go there."""
    if paths.count("-") > 1:
        raise click.UsageError("only one of --csv, --json, --parquet and --html can go to standard output")
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
