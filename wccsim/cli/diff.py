"""`wccsim diff`: what changed between two CSV reports."""

from __future__ import annotations

import click

from wccsim.cli.outputs import check_outputs
from wccsim.report.differences import compare, difference_report, difference_text, read_sheet
from wccsim.report.tables import write_csv, write_json

SHOWN_CELLS = 40


@click.command()
@click.argument("before", metavar="A.CSV")
@click.argument("after", metavar="B.CSV")
@click.option("--key", multiple=True, metavar="COLUMN", help="Column that tells rows apart; may be repeated.")
@click.option("--all", "show_all", is_flag=True, help=f"Show all changed cells, not the first {SHOWN_CELLS}.")
@click.option("--exit-code", is_flag=True, help="End with 1 where the reports differ.")
@click.option("--csv", "csv_path", metavar="PATH", help='Write the changes as CSV, "-" for standard output.')
@click.option(
    "--json", "json_path", metavar="PATH", help='Write the changes as JSON, "-" for standard output.'
)
def diff(
    before: str,
    after: str,
    key: tuple[str, ...],
    show_all: bool,
    exit_code: bool,
    csv_path: str | None,
    json_path: str | None,
) -> None:
    """Show what changed from report A.CSV to report B.CSV: rows, cells and totals.

    The order of rows and columns does not matter.

    \b
    Example:
      wccsim bops mobilenetv2 --csv dense.csv
      wccsim bops mobilenetv2 --keep 25% --csv wcc.csv
      wccsim diff dense.csv wcc.csv
    """
    free = check_outputs(csv_path, json_path, inputs=[before, after])
    old, new = read_sheet(before), read_sheet(after)
    found = compare(old, new, key)
    report = difference_report(old, new, found)
    if csv_path is not None:
        write_csv(csv_path, report)
    if json_path is not None:
        write_json(json_path, report)
    if free:
        click.echo(difference_text(old, new, found, None if show_all else SHOWN_CELLS), nl=False)
    if exit_code and found.any:
        click.get_current_context().exit(1)
