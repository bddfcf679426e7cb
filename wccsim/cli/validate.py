"""`wccsim validate`: the checks against peers, paper and Verilog, replayed here."""

from __future__ import annotations

import sys

import click

from wccsim.report.tables import Provenance, Report, write_csv, write_json
from wccsim.validate import GROUPS, Check


@click.command()
@click.option("--only", type=click.Choice(tuple(GROUPS)), multiple=True, help="Run these groups alone.")
@click.option("--failures", is_flag=True, help="Print only the lines that fail, and the summary.")
@click.option("--csv", "csv_path", metavar="PATH", help='Write CSV to PATH, "-" for standard output.')
@click.option("--json", "json_path", metavar="PATH", help='Write JSON to PATH, "-" for standard output.')
def validate(only: tuple[str, ...], failures: bool, csv_path: str | None, json_path: str | None) -> None:
    """Replay every check against recorded peers, the paper and the Verilog's cycle counts.

    One line a check: PASS or FAIL, what was recorded, what wccsim computes here and now. The exit
    code is 1 where one fails.

    \b
    Examples:
      wccsim validate
      wccsim validate --only scalesim --only zigzag
    """
    if (csv_path, json_path) == ("-", "-"):
        raise click.UsageError("only one of --csv and --json can go to standard output")
    quiet = "-" in (csv_path, json_path)
    checks: list[Check] = []
    for name, group in GROUPS.items():
        for check in group() if not only or name in only else ():
            checks.append(check)
            if not quiet and not (failures and check.passed):
                click.echo(line(check))
    failed = sum(not check.passed for check in checks)
    columns = ("group", "check", "expected", "computed", "passed")
    cells = [(c.group, c.name, c.expected, c.computed, "PASS" if c.passed else "FAIL") for c in checks]
    report = Report(columns, cells, Provenance("validate"), {"checks": len(checks), "failed": failed})
    if csv_path is not None:
        write_csv(csv_path, report)
    if json_path is not None:
        write_json(json_path, report)
    if not quiet:
        click.echo(f"{len(checks) - failed} of {len(checks)} checks pass")
    if failed:
        sys.exit(1)


def line(check: Check) -> str:
    """PASS or FAIL, the witness, the check, and both figures where they differ."""
    figures = (
        check.computed if check.expected == check.computed else f"{check.computed}; recorded {check.expected}"
    )
    return f"{'PASS' if check.passed else 'FAIL'} {check.group}: {check.name}: {figures}"
