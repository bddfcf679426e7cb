"""`wccsim accelerators`, `cost`, `gemm`, `roofline`: what a network costs on a described machine."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import click

from wccsim.cli.outputs import check_outputs, outputs, page_option, write_all
from wccsim.cli.policies import policies
from wccsim.cost.run import cost as price
from wccsim.errors import WccsimError
from wccsim.files import write_text
from wccsim.hardware.accelerator_yaml import SHIPPED, accelerator_names, load_accelerator
from wccsim.hardware.energy_yaml import SHIPPED as TABLES
from wccsim.hardware.energy_yaml import energy_names, load_energy
from wccsim.report import costs
from wccsim.report.tables import Provenance, Report
from wccsim.report.terminal import Cell, terminal_table
from wccsim.systolic import DATAFLOWS, SYSTOLIC, GemmCount, as_scalesim_reports, gemm_count

Command = Callable[..., Any]


def machine_and_network(command: Command) -> Command:
    """The options that say what is priced and how."""
    choices = (
        click.option("--accelerator", default="edge_npu_wcc", show_default=True, metavar="NAME|YAML"),
        click.option("--keep", metavar="FRACTION|PERCENT", help="Kept part of WCC layers: 0.25, 1/4 or 25%."),
        click.option("--levels", type=int, metavar="L", help="Haar levels of WCC layers, 1 to 5."),
        click.option("--weight-bits", type=int, metavar="N", help="Weight width, on all layers not exempt."),
        click.option("--act-bits", type=int, metavar="N", help="Activation width, on all layers not exempt."),
        click.option("--input", "input_size", metavar="HxW", help="Input height and width, as 512x1024."),
    )  # fmt: skip
    command = policies(command)
    for option in reversed(choices):
        command = option(command)
    return command


@click.command()
@click.option(
    "--show", metavar="NAME", help="Print that accelerator's or energy table's YAML, to start from."
)
@outputs
def accelerators(show: str | None, **paths: str | None) -> None:
    """List the shipped accelerator descriptions and energy tables, with their sources.

    \b
    Examples:
      wccsim accelerators
      wccsim accelerators --show edge_npu_wcc > mine.yaml
      wccsim accelerators --csv -
    """
    if show is not None and any(path is not None for path in paths.values()):
        raise click.UsageError("--show prints YAML; --csv, --json and --parquet write the list: ask for one")
    free = check_outputs(*paths.values())
    if show is not None:
        click.echo(_shipped_text(show), nl=False)
        return
    machines = [load_accelerator(name) for name in accelerator_names()]
    columns = ("accelerator", "title", "dataflow", "rows", "columns", "clock_mhz", "buffer_bytes",
               "dram_bits_per_s", "peak_macs_per_s", "overlap", "energy_table", "source")  # fmt: skip
    rows: list[tuple[Cell, ...]] = [
        (
            m.name, m.title, m.array.dataflow, m.array.rows, m.array.columns, m.clock_mhz,
            sum(b.size_bytes for b in m.buffers), m.dram.width_bits * m.dram.rate_mtransfers_per_s * 1e6,
            m.peak_macs_per_s, m.overlap, m.energy, m.source,
        )
        for m in machines
    ]  # fmt: skip
    report = Report(columns, rows, Provenance("accelerators", {m.name: m.sha256 for m in machines}))
    write_all(report, **paths)
    if not free:
        return
    heads = ["accelerator", "dataflow", "array", "MHz", "buffers\nKiB", "DRAM\nGbit/s", "peak\nGMAC/s",
             "overlap", "energy"]  # fmt: skip
    shown = [
        (
            m.name, m.array.dataflow, f"{m.array.rows}x{m.array.columns}", m.clock_mhz,
            sum(b.size_bytes for b in m.buffers) / 1024,
            m.dram.width_bits * m.dram.rate_mtransfers_per_s / 1e3,
            m.peak_macs_per_s / 1e9, m.overlap, m.energy,
        )
        for m in machines
    ]  # fmt: skip
    click.echo(terminal_table(heads, shown))
    for m in machines:
        click.echo(f"{m.name}: {m.source}")
    click.echo("\nenergy tables (--energy):")
    for name in energy_names():
        table = load_energy(name)
        click.echo(f"  {name}: {table.title}")
    click.echo("\nTo describe your own: wccsim accelerators --show NAME > mine.yaml (docs/accelerators.md)")


def _shipped_text(name: str) -> str:
    """The YAML of a shipped accelerator or energy table."""
    if name in accelerator_names():
        return (SHIPPED / f"{name}.yaml").read_text(encoding="utf-8")
    tables = sorted(path.stem for path in TABLES.glob("*.yaml"))
    if name in tables:
        return (TABLES / f"{name}.yaml").read_text(encoding="utf-8")
    raise WccsimError(f"{name!r} does not ship; allowed: {', '.join([*accelerator_names(), *tables])}")


@click.command()
@click.argument("network")
@machine_and_network
@click.option("--energy", metavar="NAME|YAML|all", help="Energy table; all = every one, with a verdict.")
@click.option("--stages", is_flag=True, help="One row for every stage of every layer.")
@page_option
@outputs
def cost(
    network: str,
    accelerator: str,
    energy: str | None,
    stages: bool,
    html_path: str | None,
    csv_path: str | None,
    json_path: str | None,
    parquet_path: str | None,
    **asked: Any,
) -> None:
    """Cycles, traffic and energy of NETWORK on an accelerator, layer by layer and stage by stage.

    With --keep, WCC stands beside the dense network and beside the dense network whose maps are
    quantised to WCC's payload.

    \b
    Examples:
      wccsim cost mobilenetv2_imagenet --keep 25%
      wccsim cost mobilenetv2_imagenet --keep 25% --accelerator tpu_like --energy all
      wccsim cost mobilenetv2_imagenet --keep 1/4 --compress producer --fuse --stages --csv stages.csv
    """
    inputs = [network, accelerator, energy]
    free = check_outputs(csv_path, json_path, parquet_path, html_path, inputs=inputs)
    every = energy == "all"
    comparison = price(network, accelerator, energy=None if every else energy, **asked)
    if every and len(comparison.variants) < 3:
        raise WccsimError("--energy all compares WCC with dense; --keep says what WCC keeps")
    if every and stages:
        raise click.UsageError("--stages and --energy all are two reports; ask for one")
    if every:
        report = costs.spread_report(comparison)
    else:
        report = costs.stage_report(comparison) if stages else costs.cost_report(comparison)
    if html_path is not None:
        from wccsim.report.cost_page import write_cost_page

        write_cost_page(comparison, html_path)
    write_all(report, csv_path, json_path, parquet_path)
    if free:
        if every:
            click.echo(costs.spread_text(report), nl=False)
        else:
            click.echo(costs.stage_text(comparison) if stages else costs.cost_text(comparison), nl=False)


@click.command()
@click.argument("product", metavar="MxKxN")
@click.option("--array", "array", default="32x32", show_default=True, metavar="RxC")
@click.option(
    "--dataflow",
    type=click.Choice(DATAFLOWS),
    default="ws",
    show_default=True,
    help="Weight, output or input stationary; dot: the P x Q dot-product array of the RTL.",
)
@click.option("--as-scalesim", is_flag=True, help="Show beside ours what SCALE-Sim 3.0.0 would print.")
@click.option("--json", "json_path", metavar="PATH", help='Write JSON to PATH, "-" for standard output.')
def gemm(product: str, array: str, dataflow: str, as_scalesim: bool, json_path: str | None) -> None:
    """Cycles, accesses and utilisation of one matrix product, M x K times K x N.

    \b
    Examples:
      wccsim gemm 2048x27x32 --array 32x32 --dataflow ws
      wccsim gemm 289x160x960 --dataflow dot --array 16x16 --json -
    """
    check_outputs(json_path)
    m, k, n = _sizes(product, 3, "MxKxN, as 2048x27x32")
    rows, columns = _sizes(array, 2, "RxC, as 32x32")
    count = gemm_count(m, k, n, rows, columns, dataflow)
    if json_path is not None:
        write_text(json_path, json.dumps(_gemm_json(count), indent=1) + "\n")
    if json_path == "-":
        return
    lines: list[tuple[Cell, ...]] = list(_gemm_lines(count))
    heads = [f"{m}x{k}x{n} on {rows}x{columns} {dataflow}", "wccsim"]
    if as_scalesim:
        if dataflow not in SYSTOLIC:
            raise click.UsageError(f"SCALE-Sim has no dataflow {dataflow}; allowed: {', '.join(SYSTOLIC)}")
        tool = as_scalesim_reports(m, k, n, rows, columns, dataflow)
        beside: list[Cell] = [
            None, tool.total_cycles, None, tool.overall_utilization_percent,
            tool.compute_utilization_percent, tool.mapping_efficiency_percent, tool.sram_ifmap_reads,
            tool.sram_filter_reads, tool.sram_ofmap_writes,
        ]  # fmt: skip
        heads.append("SCALE-Sim prints")
        lines = [(*line, cell) for line, cell in zip(lines, beside, strict=True)]
    click.echo(terminal_table(heads, lines, align=["left", *["right"] * (len(heads) - 1)]), nl=False)  # type: ignore[list-item]


def _gemm_json(count: GemmCount) -> dict[str, int | float]:
    return {
        "cycles": count.cycles,
        "utilization_percent": count.utilization_percent,
        "mapping_efficiency_percent": count.mapping_efficiency_percent,
        "sram_in_reads": count.sram_in_reads,
        "sram_weight_reads": count.sram_weight_reads,
        "sram_out_writes": count.sram_out_writes,
    }


def _gemm_lines(count: GemmCount) -> tuple[tuple[str, int | float], ...]:
    """With nothing to wait for, the array is busy all the time: compute and overall utilisation agree."""
    return (
        ("MACs", count.macs),
        ("cycles", count.cycles),
        ("ideal cycles", count.ideal_cycles),
        ("overall utilisation, %", count.utilization_percent),
        ("compute utilisation, %", count.utilization_percent),
        ("mapping efficiency, %", count.mapping_efficiency_percent),
        ("SRAM input reads, words", count.sram_in_reads),
        ("SRAM weight reads, words", count.sram_weight_reads),
        ("SRAM output writes, words", count.sram_out_writes),
    )


def _sizes(text: str, count: int, allowed: str) -> list[int]:
    parts = re.split(r"[x×]", text.strip())
    if len(parts) != count or not all(re.fullmatch(r"\d{1,30}", part) for part in parts):
        raise WccsimError(f"{text!r} was given; allowed: {allowed}")
    return [int(part) for part in parts]


@click.command()
@click.argument("network")
@machine_and_network
@click.option("--plot", "plot_path", metavar="PATH", help="Draw the roofline into PATH (.png, .svg, .pdf).")
@page_option
@outputs
def roofline(
    network: str,
    accelerator: str,
    plot_path: str | None,
    html_path: str | None,
    csv_path: str | None,
    json_path: str | None,
    parquet_path: str | None,
    **asked: Any,
) -> None:
    """Operational intensity and attainable throughput of every layer, dense and WCC.

    \b
    Examples:
      wccsim roofline mobilenetv2_imagenet --keep 25% --csv -
      wccsim roofline mobilenetv2_imagenet --keep 25% --accelerator tpu_like --plot roofline.svg
    """
    inputs = [network, accelerator]
    free = check_outputs(csv_path, json_path, parquet_path, html_path, inputs=inputs, plot=plot_path)
    report = costs.roofline_report(price(network, accelerator, **asked))
    if plot_path is not None:
        from wccsim.report.roofline_plot import write_roofline_plot

        write_roofline_plot(plot_path, report)
    if html_path is not None:
        from wccsim.report.roofline_plot import write_roofline_page

        write_roofline_page(html_path, report)
    write_all(report, csv_path, json_path, parquet_path)
    if free:
        click.echo(costs.roofline_text(report), nl=False)
