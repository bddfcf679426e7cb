"""`wccsim validate`: the checks against peers, paper and Verilog, replayed here."""

from __future__ import annotations

import sys

import click

from wccsim.cli.outputs import check_outputs, outputs, page_option, write_all
from wccsim.report.tables import Provenance, Report
from wccsim.validate import GROUPS, Check


@click.command()
@click.option("--only", type=click.Choice(tuple(GROUPS)), multiple=True, help="Run these groups alone.")
@click.option("--failures", is_flag=True, help="Print only the lines that fail, and the summary.")
@outputs
@page_option
def validate(only: tuple[str, ...], failures: bool, html_path: str | None, **paths: str | None) -> None:
    """Replay every check against recorded peers, the paper and the Verilog's cycle counts.

    One line a check: PASS or FAIL, what was recorded, what wccsim computes here and now. The exit
    code is 1 where one fails.

    \b
    Examples:
      wccsim validate
      wccsim validate --only scalesim --only zigzag
    """
    quiet = not check_outputs(*paths.values(), html_path)
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
    if html_path is not None:
        from wccsim.report.page import write_page

        write_page(html_path, "wccsim against peers, paper and Verilog", report)
    write_all(report, **paths)
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
