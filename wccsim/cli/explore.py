"""`wccsim sweep` and `wccsim allocate`: the search for the best setting."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

from wccsim.cli.outputs import check_outputs, outputs, page_option, write_all
from wccsim.cli.policies import policies
from wccsim.cost.options import CostOptions
from wccsim.counting.run import parse_size
from wccsim.explore.allocate import parse_budget
from wccsim.explore.choices import OBJECTIVES
from wccsim.explore.grid import Grid, parse_integers, parse_keeps
from wccsim.files import sha256_of
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import load_energy
from wccsim.network.catalog import load_network

Command = Callable[..., Any]


def common(command: Command) -> Command:
    """The options that both commands take."""
    choices = (
        click.option("--accelerator", default="edge_npu_wcc", show_default=True, metavar="NAME|YAML"),
        click.option("--energy", metavar="NAME|YAML", help="Energy table; default: the accelerator's own."),
        click.option(
            "--keep", default="dense,1,.5,.25,.125", show_default=True, metavar="LIST",
            help="Kept fractions; dense is no WCC; .05..1:20 is 20 even steps.",
        ),
        click.option("--act-bits", default="8", show_default=True, metavar="LIST", help="As 4,6,8 or 4..8."),
        click.option("--weight-bits", default="8", show_default=True, metavar="LIST"),
        click.option("--levels", default="3", show_default=True, metavar="LIST", help="As 1..4."),
        click.option("--input", "input_size", metavar="HxW", help="Input height and width, as 512x1024."),
        click.option(
            "--curves", metavar="CSV",
            help="Measured curves of `wccsim compare --csv` (codecs wcc and uniform); without: a proxy.",
        ),
    )  # fmt: skip
    command = policies(page_option(outputs(command)))
    for option in reversed(choices):
        command = option(command)
    return command


def _asked(network: str, asked: dict[str, Any]) -> tuple[Any, Grid]:
    """The job without settings, and the grid."""
    from wccsim.explore.distortion import Distortion, read_curves
    from wccsim.explore.price import Job

    size = None if asked["input_size"] is None else parse_size(asked["input_size"])
    machine = load_accelerator(asked["accelerator"])
    grid = Grid(
        parse_keeps(asked["keep"]),
        parse_integers(asked["act_bits"], "act_bits"),
        parse_integers(asked["weight_bits"], "weight_bits"),
        parse_integers(asked["levels"], "levels"),
    )
    job = Job(
        load_network(network, input_size=size, allow_unsupported=asked["allow_unsupported"]),
        machine,
        load_energy(asked["energy"] or machine.energy),
        CostOptions(**{name: asked[name] for name in CostOptions.__dataclass_fields__}),
        Distortion(read_curves(asked["curves"]) if asked["curves"] else ()),
        (),
    )
    return job, grid


def _files_read(asked: dict[str, Any]) -> list[str | None]:
    """The further files that the options name, which no output may replace."""
    return [asked["accelerator"], asked["energy"], asked["curves"]]


def _settings(asked: dict[str, Any]) -> dict[str, str]:
    return {name: asked[name] for name in ("keep", "act_bits", "weight_bits", "levels")}


@click.command()
@click.argument("network")
@common
@click.option("--objective", type=click.Choice(tuple(OBJECTIVES)), default="energy", show_default=True)
@click.option("--plot", "plot_path", metavar="PATH", help="Draw the front into PATH (.png, .svg, .pdf).")
@click.option("--jobs", default=1, show_default=True, metavar="N", help="Processes on this machine.")
@click.option("--dask", metavar="ADDRESS", help="Scheduler of a dask cluster, as tcp://10.0.0.1:8786.")
@click.option("--parts", metavar="FOLDER", help="Keep layer-points as Parquet there; go on where it stopped.")
def sweep(
    network: str,
    objective: str,
    plot_path: str | None,
    jobs: int,
    dask: str | None,
    parts: str | None,
    csv_path: str | None,
    json_path: str | None,
    parquet_path: str | None,
    html_path: str | None,
    **asked: Any,
) -> None:
    """Price NETWORK under every combination of keep, bits and levels; print the Pareto front.

    One setting holds for all layers at a time (`wccsim allocate` chooses per layer). Distortion is
    that of the feature maps, from measured curves where given.

    \b
    Examples:
      wccsim sweep mobilenetv2_imagenet --keep dense,1,.5,.25,.125 --act-bits 4,6,8 --levels 1..4
      wccsim sweep mobilenetv2_imagenet --keep .05..1:20 --objective cycles --csv points.csv --plot front.png
      wccsim sweep mobilenetv2_imagenet --compress producer --fuse --compute gates --levels 1..4
      wccsim sweep mobilenetv2 --keep .01..1:200 --act-bits 4..8 --levels 1..4 --jobs 4 --parts sweep/
    """
    inputs = [network, *_files_read(asked)]
    free = check_outputs(csv_path, json_path, parquet_path, html_path, inputs=inputs, plot=plot_path)
    if dask and jobs != 1:
        raise click.UsageError("--dask and --jobs are two places to run; choose one")
    from wccsim.explore.cluster import dask_executor, local_executor
    from wccsim.explore.sweep import sweep as run
    from wccsim.report.explored import provenance, sweep_report, sweep_text
    from wccsim.report.pareto_plot import write_pareto_plot

    job, grid = _asked(network, asked)
    with dask_executor(dask) if dask else local_executor(jobs) as executor:
        swept = run(job, grid, executor, Path(parts) if parts else None)
    digest = sha256_of(asked["curves"]) if asked["curves"] else None
    report = sweep_report(swept, job, provenance(job, "sweep", digest, **_settings(asked)))
    if plot_path is not None:
        write_pareto_plot(plot_path, report, objective)
    if html_path is not None:
        from wccsim.report.sweep_page import write_sweep_page

        write_sweep_page(html_path, report, objective)
    write_all(report, csv_path, json_path, parquet_path)
    if free:
        click.echo(sweep_text(report, objective), nl=False)


@click.command()
@click.argument("network")
@click.option(
    "--budget",
    required=True,
    metavar="WHAT=AMOUNT",
    help="bops=673e9, cycles=5e6, energy=2.5mJ (default pJ) or traffic=1e8 (DRAM bits).",
)
@common
def allocate(
    network: str,
    budget: str,
    csv_path: str | None,
    json_path: str | None,
    parquet_path: str | None,
    html_path: str | None,
    **asked: Any,
) -> None:
    """Choose keep, bits and levels for each layer of NETWORK under a budget.

    Prints what it gains over the best single setting, and over the paper's rule of 25 % on large
    maps and 50 % on small ones.

    \b
    Examples:
      wccsim allocate mobilenetv2_imagenet --budget bops=10e9
      wccsim allocate mobilenetv2_imagenet --budget energy=2.5mJ --act-bits 4,6,8 --csv layers.csv
      wccsim allocate deeplabv3plus_mobilenetv2 --budget bops=673e9 --keep 1,.75,.5,.25,.125
    """
    inputs = [network, *_files_read(asked)]
    free = check_outputs(csv_path, json_path, parquet_path, html_path, inputs=inputs)
    from wccsim.explore.allocate import allocate as run
    from wccsim.report.explored import allocation_report, allocation_text, provenance

    objective, amount = parse_budget(budget)
    job, grid = _asked(network, asked)
    found = run(job, grid, objective, amount)
    digest = sha256_of(asked["curves"]) if asked["curves"] else None
    source = provenance(job, "allocate", digest, budget=budget, **_settings(asked))
    report = allocation_report(found, job, source)
    if html_path is not None:
        from wccsim.report.page import write_page

        write_page(html_path, f"{job.network.name} on {job.accelerator.name} within {budget}", report)
    write_all(report, csv_path, json_path, parquet_path)
    if free:
        click.echo(allocation_text(found, report), nl=False)
