"""`wccsim paper`: the published tables, recomputed."""

from __future__ import annotations

import click

from wccsim.cli.outputs import check_outputs, outputs, page_option, write_all
from wccsim.report.paper import paper_report, paper_text


@click.command()
@outputs
@page_option
def paper(html_path: str | None, **paths: str | None) -> None:
    """Recompute every number of the WCC paper's Tables 1, 2 and 3, its inline example and the
    camera-ready rows: published beside computed beside gap, and where the paper contradicts itself.

    \b
    Examples:
      wccsim paper
      wccsim paper --csv audit.csv --html audit.html
    """
    free = check_outputs(*paths.values(), html_path)
    if html_path is not None:
        from wccsim.report.page import write_page

        write_page(html_path, "The WCC paper, recomputed", paper_report())
    if any(path is not None for path in paths.values()):
        write_all(paper_report(), **paths)
    if free:
        click.echo(paper_text(), nl=False)
