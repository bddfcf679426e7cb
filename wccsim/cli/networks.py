"""`wccsim networks`, `wccsim show`, `wccsim import`: what there is to count, and other ways in."""

from __future__ import annotations

from pathlib import Path

import click
from click.shell_completion import CompletionItem

from wccsim.counting.run import parse_size
from wccsim.errors import WccsimError
from wccsim.files import check_outputs, write_text
from wccsim.network.catalog import load_network, names
from wccsim.network.model import Layer, Network
from wccsim.report.terminal import Cell, terminal_table

LAYER_HEADERS = ("layer", "operator", "input\nCxHxW", "output\nCxHxW", "kernel", "groups", "MACs", "WCC")

LEGEND = "WCC: can = --keep applies here; a number = kept as described; exempt = keeps its bits, no WCC"


def _complete(context: click.Context, parameter: click.Parameter, incomplete: str) -> list[CompletionItem]:
    """Shipped names, then whatever files the shell finds."""
    found = [CompletionItem(name) for name in names() if name.startswith(incomplete)]
    return [*found, CompletionItem(incomplete, type="file")]


@click.command()
@click.option("--names", "only_names", is_flag=True, help="Print the names alone, one a line.")
def networks(only_names: bool) -> None:
    """List the shipped network descriptions.

    GMAC counts real outputs (--counting true), at the input size shown. A surrogate stands for a
    network whose layers are not published. Any of these names goes wherever a command takes NETWORK.

    \b
    Examples:
      wccsim networks
      wccsim networks --names
    """
    if only_names:
        click.echo("\n".join(names()))
        return
    rows: list[tuple[Cell, ...]] = []
    sources = []
    for name in names():
        network = load_network(name)
        sizes = " + ".join(str(layer.in_shape) for layer in network.layers if layer.op == "input")
        giga = f"{sum(layer.macs for layer in network.counted) / 1e9:,.3f}"
        mark = "surrogate" if network.surrogate else ""
        rows.append((name, sizes, giga, len(network.counted), mark))
        sources.append((name, network.source))
    headers = ("network", "input\nCxHxW", "GMAC", "layers\nwith MACs", "")
    align = ["left", "left", "right", "right", "left"]
    click.echo(terminal_table(headers, rows, align=align), nl=False)  # type: ignore[arg-type]
    click.echo("\nSources:")
    for name, source in sources:
        click.echo(_wrapped(f"{name}: {source}"))


def _wrapped(text: str) -> str:
    from textwrap import fill

    return fill(text, 100, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


@click.command()
@click.argument("network", shell_complete=_complete)
@click.option("--input", "input_size", metavar="HxW", help="Input height and width, such as 512x1024.")
@click.option(
    "--all", "everything", is_flag=True, help="Also the layers without MACs, and those not counted."
)
@click.option("--allow-unsupported", is_flag=True, help="List operators not understood, do not refuse them.")
def show(network: str, input_size: str | None, everything: bool, allow_unsupported: bool) -> None:
    """Show the layer table of NETWORK: operators, sizes, MACs of real outputs, where WCC may be used.

    NETWORK is a YAML description, an ONNX model, a SCALE-Sim CSV, or a name from `wccsim networks`.

    \b
    Examples:
      wccsim show mobilenetv2_imagenet
      wccsim show resnet50 --input 256x256 --all
    """
    size = None if input_size is None else parse_size(input_size)
    loaded = load_network(network, input_size=size, allow_unsupported=allow_unsupported)
    shown = loaded.layers if everything else loaded.counted
    mark = "; SURROGATE, the layers of the network itself are not published" if loaded.surrogate else ""
    click.echo(f"{loaded.name}{mark}")
    if loaded.source:
        click.echo(_wrapped(loaded.source))
    total = (
        "total",
        f"{len(loaded.counted)} counted",
        "",
        "",
        "",
        "",
        sum(x.macs for x in loaded.counted),
        "",
    )
    align = ["left", "left", "right", "right", "left", "right", "right", "left"]
    rows = [_row(layer) for layer in shown]
    click.echo(terminal_table(LAYER_HEADERS, rows, total=total, align=align), nl=False)  # type: ignore[arg-type]
    click.echo(LEGEND)
    if aside := [layer.name for layer in loaded.layers if layer.multiplies and not layer.counted]:
        click.echo(f"Not counted, by the description: {', '.join(aside)}")
    if loaded.unsupported:
        click.echo(f"Not understood, and not counted: {', '.join(loaded.unsupported)}")


def _row(layer: Layer) -> tuple[Cell, ...]:
    kernel = "x".join(map(str, layer.kernel)) if layer.kernel != (1, 1) or layer.op == "conv" else ""
    if layer.stride != (1, 1):
        kernel += (
            f" /{layer.stride[0]}"
            if len(set(layer.stride)) == 1
            else f" /{layer.stride[0]}x{layer.stride[1]}"
        )
    if layer.dilation != (1, 1):
        kernel += f" d{layer.dilation[0]}"
    if layer.keep is not None:
        wcc = f"{float(layer.keep):.4g}"
    else:
        wcc = "can" if layer.compressible else "exempt" if layer.exempt else ""
    macs = layer.macs if layer.multiplies and layer.counted else None
    if layer.multiplies and not layer.counted:
        wcc = "not counted"
    groups = layer.groups if layer.multiplies else None
    return (layer.name, layer.op, str(layer.in_shape), str(layer.out_shape), kernel, groups, macs, wcc)


@click.command("import")
@click.argument("model", shell_complete=_complete)
@click.option("-o", "--output", default="-", metavar="PATH", help="Where to write; - is standard output.")
@click.option(
    "--to",
    "form",
    type=click.Choice(["yaml", "scalesim", "scalesim-gemm"]),
    help="What to write; by default what PATH ends in says: .csv is scalesim, anything else YAML.",
)
@click.option("--input", "input_size", metavar="HxW", help="Input height and width, such as 512x1024.")
@click.option("--allow-unsupported", is_flag=True, help="Write operators not understood as such.")
def import_(
    model: str, output: str, form: str | None, input_size: str | None, allow_unsupported: bool
) -> None:
    """Turn MODEL (ONNX, SCALE-Sim CSV, YAML, or a shipped name) into YAML or a SCALE-Sim topology.

    ONNX needs the extra: pip install "wccsim[onnx]". Reading the written YAML gives the same layers.

    \b
    Examples:
      wccsim import model.onnx --input 224x224 -o net.yaml
      wccsim import topology.csv -o net.yaml
      wccsim import resnet18 --to scalesim
      wccsim import resnet18 -o resnet18.csv
    """
    if form is None:
        form = "scalesim" if Path(output).suffix.lower() == ".csv" else "yaml"
    check_outputs([output], [model])
    size = None if input_size is None else parse_size(input_size)
    network = load_network(model, input_size=size, allow_unsupported=allow_unsupported)
    write_text(output, _text(network, form))
    if network.surrogate and form != "yaml":
        click.echo(f"note: {network.name} is a surrogate; a topology has no place to say so", err=True)
    from wccsim.network.scalesim import rounded_up

    if Path(model).suffix.lower() == ".csv" and (found := rounded_up(network)):
        more = " and others" if len(found) > 5 else ""
        listed = ", ".join(found[:5])
        click.echo(f"note: rounded down here and up in SCALE-Sim: the output of {listed}{more}", err=True)


def _text(network: Network, form: str) -> str:
    if form == "yaml":
        from wccsim.network.writer import yaml_text

        return yaml_text(network)
    from wccsim.network.scalesim import csv_text

    if network.unsupported:
        raise WccsimError(
            f"a topology has no place for what is not understood: {', '.join(network.unsupported)}"
        )
    return csv_text(network, "gemm" if form.endswith("gemm") else "conv")
