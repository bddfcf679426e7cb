"""The commands: parse, call, print. Each command's module is imported only when it runs.

A WccsimError becomes one line on standard error and exit code 2, here and nowhere else; a closed
pipe and Ctrl-C end quietly.
"""

from __future__ import annotations

import os
import sys
from importlib import import_module
from typing import Any

import click

from wccsim import __version__
from wccsim.errors import WccsimError

# command: (module, one-line help). The module holds a click command named after the command,
# with "-" written "_" and a trailing "_" where Python keeps the word.
COMMANDS: dict[str, tuple[str, str]] = {
    "bops": ("wccsim.cli.count", "MACs, BOPs and memory traffic of a network, layer by layer."),
    "networks": ("wccsim.cli.networks", "List the shipped network descriptions."),
    "show": ("wccsim.cli.networks", "Show the layer table of a network."),
    "import": (
        "wccsim.cli.networks",
        "Turn an ONNX model or SCALE-Sim CSV into a YAML description.",
    ),
    "paper": ("wccsim.cli.paper", "Recompute the paper's tables beside the published numbers."),
    "diff": ("wccsim.cli.diff", "Show what changed between two CSV reports."),
    "simulate": ("wccsim.cli.simulate", "Run a WCC layer bit-exactly on a real feature map."),
    "rtl": ("wccsim.cli.rtl", "Export, co-simulate, prove and synthesise the Verilog."),
    "codecs": ("wccsim.cli.codecs", "List the feature-map codecs."),
    "compare": ("wccsim.cli.compare", "Compare compressions at equal bits on feature maps."),
    "extract": ("wccsim.cli.extract", "Extract feature maps from an ONNX model and images."),
    "report": ("wccsim.cli.report", "Regenerate the reports of the repository, or check them."),
    "accelerators": ("wccsim.cli.cost", "List the shipped accelerator descriptions."),
    "cost": ("wccsim.cli.cost", "Cycles, traffic and energy of a network on an accelerator."),
    "gemm": ("wccsim.cli.cost", "Cycles and accesses of one matrix product on an array."),
    "roofline": ("wccsim.cli.cost", "Operational intensity and attainable throughput per layer."),
    "sweep": ("wccsim.cli.explore", "Sweep keep, bits and levels; print the Pareto front."),
    "allocate": ("wccsim.cli.explore", "Choose keep and bits per layer under a budget."),
    "validate": ("wccsim.cli.validate", "Replay every check against peers, paper and Verilog."),
    "bench": ("wccsim.cli.bench", "Measure the simulator against its peers."),
}


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is asked for."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in COMMANDS:
            from difflib import get_close_matches

            near = get_close_matches(cmd_name, COMMANDS, 1)
            hint = f"; did you mean {near[0]!r}?" if near else ""
            raise click.UsageError(f"there is no command {cmd_name!r}{hint}; `wccsim --help` lists them")
        name = cmd_name.replace("-", "_")
        command = getattr(import_module(COMMANDS[cmd_name][0]), f"{name}_" if name == "import" else name)
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands from the table, importing none of them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])

    def main(self, *args: Any, **kwargs: Any) -> Any:
        """Run, and end with exit code 0, 2 (the user's mistake, one line) or 130 (interrupted)."""
        kwargs["standalone_mode"] = False
        try:
            sys.exit(super().main(*args, **kwargs) or 0)
        except click.ClickException as problem:
            if type(problem).__name__ == "NoArgsIsHelpError":  # since click 8.2; before, help is no exception
                click.echo(problem.format_message())
                sys.exit(0)
            context = getattr(problem, "ctx", None)
            where = f"{context.command_path}: " if context else "wccsim: "
            click.echo(f"{where}{problem.format_message()}", err=True)
            sys.exit(2)
        except WccsimError as problem:
            click.echo(f"wccsim: {problem}", err=True)
            sys.exit(2)
        except (click.Abort, KeyboardInterrupt):
            click.echo("wccsim: interrupted", err=True)
            sys.exit(130)
        except BrokenPipeError:  # the reader of our output left: nothing more to say to it
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(1)
        except OSError as problem:  # files raise WccsimError; what is left is a full standard output
            click.echo(f"wccsim: {problem.filename or 'standard output'}: {problem.strerror}", err=True)
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            sys.exit(2)


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="wccsim")
def main() -> None:
    """What wavelet-compressed convolution computes, bit for bit, and what it costs.

    \b
    Start here:
      wccsim bops mobilenetv2.yaml
      wccsim bops mobilenetv2.yaml --keep 25% --csv layers.csv
    """
