"""`wccsim bops`: MACs, BOPs and memory traffic of a network."""

from __future__ import annotations

from typing import Any

import click

from wccsim.cli.outputs import check_outputs, outputs, page_option, write_all
from wccsim.cli.policies import stored_forms
from wccsim.counting.bops import DEFINITIONS
from wccsim.counting.macs import COUNTINGS
from wccsim.counting.options import MAPS, PADDINGS
from wccsim.counting.run import count
from wccsim.report.count_text import count_text, stage_text
from wccsim.report.counts import count_report, stage_report


@click.command()
@click.argument("network")
@click.option("--input", "input_size", metavar="HxW", help="Input height and width, such as 512x1024.")
@click.option("--weight-bits", type=int, metavar="N", help="Weight width, on all layers not exempt.")
@click.option("--act-bits", type=int, metavar="N", help="Activation width, on all layers not exempt.")
@click.option("--exempt-bits", type=int, metavar="N", help="Width of the exempt layers, in place of theirs.")
@click.option(
    "--keep",
    "--shrinkage",
    "keep",
    metavar="FRACTION|PERCENT",
    help="Kept part of WCC layers: 0.25, 1/4 or 25%. (The paper calls it shrinkage.)",
)
@click.option("--levels", type=int, metavar="L", help="Haar levels of WCC layers, 1 to 5.")
@click.option("--counting", type=click.Choice(COUNTINGS), default="true", show_default=True)
@click.option("--definition", type=click.Choice(DEFINITIONS), default="mac", show_default=True)
@click.option(
    "--padding",
    type=click.Choice(PADDINGS),
    default="padded",
    show_default=True,
    help="Charge WCC maps padded to 2^L, or as published.",
)
@click.option(
    "--maps",
    type=click.Choice(MAPS),
    default="compressed",
    show_default=True,
    help="How the inputs of WCC layers cross memory.",
)
@stored_forms
@click.option("--on-chip-bits", type=int, default=0, show_default=True, help="Memory for maps on the chip.")
@click.option("--stages", is_flag=True, help="One row for every stage inside the WCC layers instead.")
@click.option("--allow-unsupported", is_flag=True, help="List operators not understood, do not refuse them.")
@outputs
@page_option
def bops(
    network: str,
    stages: bool,
    csv_path: str | None,
    json_path: str | None,
    parquet_path: str | None,
    html_path: str | None,
    **asked: Any,
) -> None:
    """MACs, BOPs and memory traffic of NETWORK, layer by layer.

    NETWORK is a YAML description, an ONNX model, a SCALE-Sim CSV, or a name from `wccsim networks`.
    Without --keep, WCC is used only where the description itself asks for it.

    \b
    Examples:
      wccsim bops mobilenetv2.yaml
      wccsim bops mobilenetv2 --keep 25% --counting paper --padding published
      wccsim bops mobilenetv2 --input 512x1024 --act-bits 4 --csv layers.csv
      wccsim bops mobilenetv2 --keep 25% --stages --json -
      wccsim bops mobilenetv2 --keep 25% --words rice --word-bits 5.42
    """
    free = check_outputs(csv_path, json_path, parquet_path, html_path, inputs=[network])
    counted = count(network, **asked)
    table = stage_report(counted) if stages else count_report(counted)
    if html_path is not None:
        from wccsim.report.page import write_page

        write_page(html_path, f"{counted.network.name}: MACs, BOPs and traffic", table)
    write_all(table, csv_path, None, parquet_path)
    write_all(table if stages else count_report(counted, full=True), json_path=json_path)
    if free:
        click.echo(stage_text(table) if stages else count_text(counted), nl=False)
