"""`wccsim bops`: MACs, BOPs and memory traffic of a network."""

from __future__ import annotations

from typing import Any

import click

from wccsim.counting.bops import DEFINITIONS
from wccsim.counting.macs import COUNTINGS
from wccsim.counting.options import INDEXES, MAPS, PADDINGS
from wccsim.counting.run import count
from wccsim.report.count_text import count_text, stage_text
from wccsim.report.counts import count_report, stage_report
from wccsim.report.tables import write_csv, write_json, write_parquet

EXCLUSIVE = "only one of --csv, --json and --parquet can go to standard output"


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
@click.option("--index", type=click.Choice(INDEXES), default="bitmap", show_default=True)
@click.option("--on-chip-bits", type=int, default=0, show_default=True, help="Memory for maps on the chip.")
@click.option("--stages", is_flag=True, help="One row for every stage inside the WCC layers instead.")
@click.option("--allow-unsupported", is_flag=True, help="List operators not understood, do not refuse them.")
@click.option("--csv", "csv_path", metavar="PATH", help='Write CSV to PATH, "-" for standard output.')
@click.option("--json", "json_path", metavar="PATH", help='Write JSON to PATH, "-" for standard output.')
@click.option(
    "--parquet", "parquet_path", metavar="PATH", help='Write Parquet to PATH, "-" for standard output.'
)
def bops(
    network: str,
    stages: bool,
    csv_path: str | None,
    json_path: str | None,
    parquet_path: str | None,
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
    """
    paths = (csv_path, json_path, parquet_path)
    if paths.count("-") > 1:
        raise click.UsageError(EXCLUSIVE)
    counted = count(network, **asked)
    table = stage_report(counted) if stages else count_report(counted)
    if csv_path is not None:
        write_csv(csv_path, table)
    if json_path is not None:
        write_json(json_path, table if stages else count_report(counted, full=True))
    if parquet_path is not None:
        write_parquet(parquet_path, table)
    if "-" not in paths:
        click.echo(stage_text(table) if stages else count_text(counted), nl=False)
