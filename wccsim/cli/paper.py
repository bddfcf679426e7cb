"""`wccsim paper`: the published tables, recomputed."""

from __future__ import annotations

import click

from wccsim.report.paper import paper_report, paper_text
from wccsim.report.tables import write_csv, write_json, write_parquet


@click.command()
@click.option("--csv", "csv_path", metavar="PATH", help='Write CSV to PATH, "-" for standard output.')
@click.option("--json", "json_path", metavar="PATH", help='Write JSON to PATH, "-" for standard output.')
@click.option(
    "--parquet", "parquet_path", metavar="PATH", help='Write Parquet to PATH, "-" for standard output.'
)
def paper(csv_path: str | None, json_path: str | None, parquet_path: str | None) -> None:
    """Recompute every number of the WCC paper's Tables 1, 2 and 3, its inline example and the
    camera-ready rows: published beside computed beside gap, and where the paper contradicts itself.

    \b
    Examples:
      wccsim paper
      wccsim paper --csv audit.csv
    """
    paths = (csv_path, json_path, parquet_path)
    if paths.count("-") > 1:
        raise click.UsageError("only one of --csv, --json and --parquet can go to standard output")
    if csv_path is not None:
        write_csv(csv_path, paper_report())
    if json_path is not None:
        write_json(json_path, paper_report())
    if parquet_path is not None:
        write_parquet(parquet_path, paper_report())
    if "-" not in paths:
        click.echo(paper_text(), nl=False)
