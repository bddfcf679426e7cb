"""One plot of a cost report: its canvas, its title and how it is saved (extra `plot`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wccsim.report.canvas import canvas
from wccsim.report.tables import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (8, 5)
DOTS_PER_INCH = 150


@contextmanager
def one_plot(path: Path | str, report: Report) -> Iterator[Axes]:
    """Axes titled with the report's network and accelerator, written to `path` when the block ends.

    WccsimError as `canvas`.
    """
    with canvas(path, SIZE_INCHES, DOTS_PER_INCH) as figure:
        axes = figure.add_subplot()
        yield axes
        network, accelerator = list(report.provenance.inputs)[:2]
        axes.set_title(f"{network} on {accelerator}")
