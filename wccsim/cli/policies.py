"""The options that say how a cost is priced, the same for every command that prices one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import click

from wccsim.cost.options import COMPRESS_RULES, COMPUTE_RULES, HALO_RULES
from wccsim.parameters import INDEX_FORMATS, WORD_FORMATS

Command = Callable[..., Any]


def stored_forms(command: Command) -> Command:
    """How the index and the kept words are stored, with the measured means of what is Rice coded."""
    choices = (
        click.option("--index", type=click.Choice(INDEX_FORMATS), default="bitmap", show_default=True),
        click.option(
            "--index-bits",
            metavar="MEAN",
            help="Of --index rice: bits a position, as `simulate --explain` measures; 0.83 or 1637/1976.",
        ),
        click.option(
            "--words",
            type=click.Choice(WORD_FORMATS),
            default="fixed",
            show_default=True,
            help="How kept words are stored.",
        ),
        click.option(
            "--word-bits",
            metavar="MEAN",
            help="Of --words rice: bits a kept word, measured likewise; 5.42, or by keep 1/4:5.42,1/2:4.6.",
        ),
    )
    for option in reversed(choices):
        command = option(command)
    return command


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
        stored_forms,
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
