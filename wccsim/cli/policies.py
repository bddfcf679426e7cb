"""The options that say how a cost is priced, the same for every command that prices one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from wccsim.cost.options import COMPRESS_RULES, COMPUTE_RULES, HALO_RULES

Command = Callable[..., Any]


def policies(command: Command) -> Command:
    """The fields of `wccsim.cost.options.CostOptions`."""
    choices = (
        click.option(
            "--compress",
            type=click.Choice(tuple(COMPRESS_RULES)),
            default="consumer",
            show_default=True,
            help="Where maps are compressed on their way through DRAM.",
        ),
        click.option(
            "--halo",
            type=click.Choice(tuple(HALO_RULES)),
            default="refetch",
            show_default=True,
            help="What becomes of rows that two tiles of a 3x3 layer share.",
        ),
        click.option("--fuse", is_flag=True, help="Keep maps of 1x1 - depthwise - 1x1 on chip if they fit."),
        click.option("--index", type=click.Choice(("bitmap", "list")), default="bitmap", show_default=True),
        click.option("--selection", default="exact", show_default=True, metavar="exact|binned:M"),
        click.option(
            "--compute",
            type=click.Choice(tuple(COMPUTE_RULES)),
            default="table",
            show_default=True,
            help="Price operations by the energy table or by measured gates.",
        ),
        click.option("--allow-unsupported", is_flag=True, help="List operators not understood."),
    )
    for option in reversed(choices):
        command = option(command)
    return command
