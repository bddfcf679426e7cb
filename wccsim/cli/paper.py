"""`wccsim paper`: the published tables, recomputed."""

from __future__ import annotations

import click

from wccsim.report.paper import paper_report, paper_text
from wccsim.report.tables import write_csv, write_json


@click.command()
@click.option("--csv", "csv_path", metavar="PATH", help='Write CSV to PATH, "-" for standard output.')
@click.option("--json", "json_path", metavar="PATH", help='Write JSON to PATH, "-" for standard output.')
def paper(csv_path: str | None, json_path: str | None) -> None:
    """Recompute every number of the WCC paper's Tables 1, 2 and 3, its inline example and the
    camera-ready rows: published beside computed beside gap, and where the paper contradicts itself.

    \b
    Examples:
      wccsim paper
      wccsim paper --csv audit.csv
    """
    if (csv_path, json_path) == ("-", "-"):
        raise click.UsageError("only one of --csv and --json can go to standard output")
    if csv_path is not None:
        write_csv(csv_path, paper_report())
    if json_path is not None:
        write_json(json_path, paper_report())
    if "-" not in (csv_path, json_path):
        click.echo(paper_text(), nl=False)
