"""`wccsim bench`: the simulator beside its peers, layer by layer, and each stage beside its bound."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import Any

import click

from wccsim.cli.outputs import check_outputs
from wccsim.cli.subcommands import Subcommands

_keep = click.option("--keep", default="25%", show_default=True, help="Kept part of the positions.")
_levels = click.option("--levels", type=int, default=3, show_default=True, help="Haar levels, 1 to 5.")
_threads = click.option("--threads", type=int, help="Threads of every contender; default: all.")
_rounds = click.option(
    "--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds of calls."
)
_plot = click.option(
    "--plot",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="Write a plot (.png, .svg, .pdf); needs matplotlib.",
)


@click.group(cls=Subcommands)
def bench() -> None:
    """Measure the simulator against its peers, in one run, calls taken in turn.

    The peers, PyTorch and ONNX Runtime, come with the extra `bench`; one that is missing is named as not run.

    \b
    Examples:
      wccsim bench layers
      wccsim bench stack deeplabv3plus_mobilenetv2 --keep 25%
      wccsim bench limits --plot roofline.png
      wccsim bench scaling --plot scaling.png
    """


def _parameters(asked: dict[str, Any]) -> Any:
    from wccsim.errors import WccsimError
    from wccsim.parameters import WccParameters, parse_keep

    if not 1 <= asked["levels"] <= 5:
        raise WccsimError(
            f"--levels is {asked['levels']}; allowed: 1 to 5 (0, a plain layer, has no transform to measure)"
        )
    return WccParameters(keep=parse_keep(asked["keep"]), levels=asked["levels"], bias=True)


def _thread_count(asked: dict[str, Any]) -> int:
    from wccsim.datapath.workers import thread_count

    return thread_count(asked["threads"])


@bench.command()
@_keep
@_levels
@_threads
@_rounds
@click.option("--no-peers", is_flag=True, help="Time only wccsim.")
@click.option("--processor-time", is_flag=True, help="Not wall time; on a busy machine, with --threads 1.")
def layers(**asked: Any) -> None:
    """Five 1x1 layers: every path, ONNX Runtime's dense convolution, the published layer in PyTorch.

    \b
    Example:
      wccsim bench layers --rounds 5
      wccsim bench layers --threads 1 --processor-time
    """
    import time

    from wccsim.bench.layers import LAYERS, jobs, measure
    from wccsim.bench.text import layers_text
    from wccsim.compiling import compile_notice
    from wccsim.progress import progress

    threads = _thread_count(asked)
    clock = time.process_time if asked["processor_time"] else time.perf_counter
    rows, not_run = [], []
    with compile_notice():
        for one in progress(jobs(_parameters(asked)), len(LAYERS), "layers"):
            measured, absent = measure(
                one, threads, asked["rounds"], peers=not asked["no_peers"], clock=clock
            )
            rows.append(measured)
            not_run += absent
    click.echo(layers_text(rows, not_run, threads), nl=False)


@bench.command()
@click.argument("network")
@_keep
@_levels
@_threads
@click.option("--rounds", type=click.IntRange(1), default=2, show_default=True, help="Rounds of calls.")
@click.option("--input", "size", default="1024x2048", show_default=True, help="HEIGHTxWIDTH of the image.")
@click.option(
    "--weights",
    metavar="[LAYER=]FILE",
    multiple=True,
    help="Real weights, matched by name, else by shape in file order: an npz, a saved layer, an ONNX model.",
)
def stack(**asked: Any) -> None:
    """Every dense 1x1 convolution of NETWORK, bit-exactly, beside ONNX Runtime's dense int8 layers.

    Maps are synthetic and natural-like; multipliers are set from them. Layers without given weights get
    random ones.

    \b
    Examples:
      wccsim bench stack deeplabv3plus_mobilenetv2 --keep 25%
      wccsim bench stack mobilenetv2 --input 224x224 --rounds 1
      wccsim bench stack mobilenetv2 --weights model.onnx --weights "InvRes2 conv1=layer.npz"
    """
    from wccsim.bench.stack import pointwise_layers, run_stack
    from wccsim.bench.stack_text import stack_text
    from wccsim.bench.weights import read_weights
    from wccsim.compiling import compile_notice
    from wccsim.network.catalog import load_network
    from wccsim.progress import progress

    size = _size(asked["size"])
    network = load_network(asked["network"], input_size=size)
    weights = read_weights(asked["weights"], pointwise_layers(network))
    threads = _thread_count(asked)
    with compile_notice():
        found, count, not_run = run_stack(
            network, _parameters(asked), threads, asked["rounds"], weights.by_layer
        )
        rows = list(progress(found, count, network.name))
    title = f"{network.name} at {size[0]}x{size[1]}, keep {asked['keep']}, L = {asked['levels']}"
    click.echo(stack_text(title, rows, weights.lines, not_run, threads), nl=False)


def _size(given: str) -> tuple[int, int]:
    from wccsim.errors import WccsimError

    height, by, width = given.partition("x")
    if not (by and height.isdecimal() and width.isdecimal()):
        raise WccsimError(f"--input is {given!r}; allowed: HEIGHTxWIDTH, such as 1024x2048")
    return int(height), int(width)


@bench.command()
@_keep
@_levels
@click.option("--threads", type=int, default=1, show_default=True, help="Threads that share a stage.")
@click.option("--path", metavar="PATH", help="matrix, vector or portable; default: the one that runs.")
@click.option("--rounds", type=click.IntRange(1), default=5, show_default=True, help="Rounds of calls.")
@_plot
def limits(**asked: Any) -> None:
    """Each stage of the five layers alone, beside what bounds it.

    The bounds are bytes over measured bandwidth and operations over the best rate of the stage's own kernel
    in the first-level cache. A sentence says why where a stage takes more than 1.3 times the greater one.

    \b
    Examples:
      wccsim bench limits --plot roofline.png
      wccsim bench limits --path portable --threads 2
    """
    from wccsim.bench import limits as measuring
    from wccsim.bench.bandwidth import measure_bandwidth
    from wccsim.bench.layers import LAYERS, jobs
    from wccsim.bench.limits_text import limits_text
    from wccsim.bench.roofline import roofline_plot
    from wccsim.bench.stages import checked_name, path_of
    from wccsim.compiling import compile_notice
    from wccsim.progress import progress

    plot = asked["plot"]
    check_outputs(plot=plot)
    parameters, threads, path = _parameters(asked), _thread_count(asked), checked_name(asked["path"])
    with compile_notice():
        found, wholes = [], {}
        for layer in progress(jobs(parameters), len(LAYERS), "layers"):
            own = path_of(layer, path)
            found += measuring.measure(layer, own, threads, asked["rounds"])
            wholes[layer.label] = measuring.whole_seconds(layer, own, threads, asked["rounds"])
        suited = measuring.best_measured(found, parameters, threads, asked["rounds"])
        bandwidth = measure_bandwidth(threads)
    rates = measuring.peak_rates(found + suited)
    rows = [measuring.limit_of(one, rates, bandwidth) for one in found]
    if plot:
        roofline_plot(rows, rates, bandwidth, plot)
    click.echo(limits_text(rows, wholes, rates, bandwidth, threads), nl=False)


@bench.command()
@_keep
@_levels
@_threads
@_rounds
@_plot
def scaling(**asked: Any) -> None:
    """Time against pixels and against input channels.

    \b
    Example:
      wccsim bench scaling --plot scaling.png
    """
    from wccsim.bench.scaling import CHANNELS, HEIGHTS, points, scaling_plot
    from wccsim.compiling import compile_notice
    from wccsim.progress import progress
    from wccsim.report.terminal import terminal_table

    plot = asked["plot"]
    check_outputs(plot=plot)
    threads = _thread_count(asked)
    with compile_notice():
        measured = points(_parameters(asked), threads, asked["rounds"])
        found = list(progress(measured, len(HEIGHTS) + len(CHANNELS), "sizes"))
    if plot:
        scaling_plot(found, plot)
    rows: list[list[str | int | float | Fraction | None]] = [
        [p.axis, p.size, f"{p.seconds * 1e3:.2f}", f"{p.seconds / p.size * 1e9:.2f}"] for p in found
    ]
    click.echo(terminal_table(["grows", "size", "ms", "ns per unit"], rows), nl=False)
