"""`wccsim rtl`: the Verilog of the datapath, exported, co-simulated, broken on purpose, proved, weighed."""

from __future__ import annotations

import math
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import click

from wccsim.cli.subcommands import Subcommands
from wccsim.errors import WccsimError
from wccsim.files import check_outputs


@click.group(cls=Subcommands)
def rtl() -> None:
    """Export, co-simulate, prove and synthesise the Verilog.

    \b
    Examples:
      wccsim rtl export set --layer map.npz --keep 25% --crop 64
      wccsim rtl check set --simulator icarus
      wccsim rtl check
    """


@rtl.command()
@click.argument("out", type=click.Path(path_type=Path))
@click.option(
    "--layer", required=True, metavar="JSON|NPZ", help="A layer's JSON (docs/rtl.md) or a feature map."
)
@click.option("--keep", metavar="FRACTION|PERCENT", help="Kept part of the positions: 0.25, 1/4 or 25%.")
@click.option("--levels", type=int, help="Haar levels, 1 to 5.")
@click.option("--selection", help='"exact" or "binned:m".')
@click.option("--crop", type=click.IntRange(min=1), help="Of a map: the top left square of this side.")
@click.option("--max-channels", type=click.IntRange(min=1), help="Of a map: the leading channels.")
@click.option("--p-lanes", type=click.IntRange(1, 64), help="Input lanes P.")
@click.option("--q-lanes", type=click.IntRange(1, 64), help="Output lanes Q.")
@click.option("--seed", type=int, help="Of made-up data.")
def export(out: Path, layer: str, **asked: Any) -> None:
    """Write a layer's inputs, constants and expected words into folder OUT.

    \b
    Example:
      wccsim rtl export set --layer layer.json --keep 1/4
    """
    from wccsim.rtl.export import write_set

    given = {name: value for name, value in asked.items() if value is not None}
    found = _layer(Path(layer), given)
    lanes = {"p_lanes": found.p_lanes, "q_lanes": found.q_lanes}
    manifest = write_set(found.plan, found.x, out, **lanes, source=found.source)
    click.echo(
        f"{out}: {len(manifest['files']) + 1} files, "
        f"{manifest['kept']:,} of {manifest['positions']:,} positions kept"
    )
    click.echo(
        "expected cycles: " + ", ".join(f"{name} {count:,}" for name, count in manifest["cycles"].items())
    )


def _layer(path: Path, given: dict[str, Any]) -> Any:
    from wccsim.parameters import parse_keep
    from wccsim.rtl.layers import layer_from_json, layer_from_map

    if path.suffix == ".json":
        for name in ("crop", "max_channels"):
            if name in given:
                raise WccsimError(
                    f"--{name.replace('_', '-')} is for a feature map; {path.name} is a JSON layer"
                )
        return layer_from_json(path, given)
    settings: dict[str, Any] = {n: given.pop(n) for n in ("levels", "selection") if n in given}
    settings["keep"] = parse_keep(given.pop("keep", "1/4"))
    return layer_from_map(path, settings, **given)


@rtl.command()
@click.argument("sets", nargs=-1, metavar="[SETS]...")
@click.option(
    "--simulator",
    type=click.Choice(("icarus", "verilator", "both", "netlist")),
    default="both",
    show_default=True,
)
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, max=1e6, min_open=True),
    default=600.0,
    show_default=True,
    metavar="SECONDS",
    help="Of one build or one run.",
)
@click.option("--verbose", is_flag=True, help="One line for every stage.")
def check(sets: tuple[str, ...], simulator: str, timeout: float, verbose: bool) -> None:
    """Run the Verilog on exported sets and compare every stage, word by word.

    SETS are folders that `wccsim rtl export` wrote or names of shipped cases; all shipped cases where none
    is given. `--simulator netlist` needs no Debian package: it synthesises every combinational block
    with pyosys (pip install 'wccsim[rtl]') and compares its gates with the simulator. Exit code 1 where
    anything differs.

    \b
    Examples:
      wccsim rtl check
      wccsim rtl check --simulator netlist
      wccsim rtl check set ties odd-lanes --simulator icarus --verbose
    """
    from wccsim.rtl.cosim import SIMULATORS, TOOLS
    from wccsim.rtl.cosim import check as check_sets
    from wccsim.rtl.process import build_folder, need

    if math.isnan(timeout):  # which no range refuses
        raise click.UsageError("--timeout is nan; allowed: seconds, above 0")
    if simulator == "netlist":
        _check_netlists(sets)
        return
    chosen = SIMULATORS if simulator == "both" else (simulator,)
    need(*dict.fromkeys(tool for name in chosen for tool in TOOLS[name]))
    wrong = 0
    with ExitStack() as stack:
        folders = _folders(sets, stack.enter_context(build_folder()))
        for name in chosen:
            for verdict in check_sets(folders, name, timeout):
                wrong += not verdict.equal
                _print_verdict(verdict, verbose)
    if wrong:
        click.echo(f"{wrong} of {len(folders) * len(chosen)} runs differ")
        sys.exit(1)
    click.echo(f"{len(folders) * len(chosen)} runs, no mismatch")


def _check_netlists(sets: tuple[str, ...]) -> None:
    from wccsim.rtl.netlist import run_blocks

    if sets:
        raise WccsimError("--simulator netlist checks blocks, not sets; drop the names of sets")
    wrong = 0
    for verdict in run_blocks():
        wrong += verdict.first is not None
        click.echo(str(verdict))
    if wrong:
        click.echo(f"{wrong} blocks differ")
        sys.exit(1)
    click.echo("no mismatch")


def _print_verdict(verdict: Any, verbose: bool) -> None:
    first = verdict.first_divergence
    words = sum(stage.words for stage in verdict.stages)
    click.echo(f"{verdict.name} on {verdict.simulator}: {first if first else f'{words:,} words equal'}")
    if verbose:
        for stage in verdict.stages:
            click.echo(f"  {stage}")


def _folders(names: tuple[str, ...], work: Path) -> list[Path]:
    """The folders of the sets; a shipped case is exported into `work` first."""
    from wccsim.rtl.export import write_set
    from wccsim.rtl.sets import CASES, build

    shipped = {case.name: case for case in CASES}
    folders = []
    for name in names or shipped:
        if Path(name).is_dir():
            folders.append(Path(name))
            continue
        if name not in shipped:
            raise WccsimError(f"{name!r} is no folder and no shipped case; cases: {', '.join(shipped)}")
        case = shipped[name]
        plan, x = build(case)
        source = {"case": name, "seed": case.seed}
        write_set(plan, x, work / name, p_lanes=case.p_lanes, q_lanes=case.q_lanes, source=source)
        folders.append(work / name)
    return folders


@rtl.command()
@click.argument("names", nargs=-1, metavar="[NAMES]...")
@click.option("--where", type=click.Choice(("verilog", "python", "both")), default="both", show_default=True)
def faults(names: tuple[str, ...], where: str) -> None:
    """Seed named faults into the Verilog, the Python stages and the portable kernels; say which are caught.

    All faults where no NAMES are given.

    Exit code 1 where one is missed.

    \b
    Example:
      wccsim rtl faults --where verilog
    """
    from wccsim.rtl.faults import run_faults

    missed = 0
    for outcome in run_faults(names, where):
        missed += not outcome.caught
        click.echo(str(outcome))
    click.echo(f"{missed} missed" if missed else "every fault was caught")
    if missed:
        sys.exit(1)


@rtl.command()
@click.option("--block", "only", multiple=True, metavar="NAME", help="Only proofs whose name holds NAME.")
def prove(only: tuple[str, ...]) -> None:
    """Prove the combinational blocks and the stated widths; print what and how long.

    \b
    Example:
      wccsim rtl prove --block widths
    """
    from wccsim.rtl.prove import run_proofs

    failed = 0
    for proof in run_proofs(only):
        failed += not proof.holds
        click.echo(str(proof))
    click.echo(f"{failed} failed" if failed else "all proved")
    if failed:
        sys.exit(1)


@rtl.command()
@click.option(
    "--out", type=click.Path(path_type=Path), help="Where to write; the shipped gates.json by default."
)
def synth(out: Path | None) -> None:
    """Synthesise every block with Yosys and write gates.json.

    \b
    Example:
      wccsim rtl synth --out gates.json
    """
    from wccsim.rtl.synth import GATES_JSON, write_gates

    check_outputs([out or GATES_JSON])
    gates = write_gates(out or GATES_JSON, click.echo)
    click.echo(
        f"{gates['tool']}: {sum(map(len, gates['blocks'].values()))} blocks in {out or GATES_JSON.name}"
    )
