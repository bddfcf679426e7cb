"""One plot of a cost report: its canvas, its title and how it is saved (extra `plot`)."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from wccsim.files import check_plot, replacing
from wccsim.report.tables import Report

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SIZE_INCHES = (8, 5)
DOTS_PER_INCH = 150


@contextmanager
def one_plot(path: Path | str, report: Report) -> Iterator[Axes]:
    """Axes titled with the report's network and accelerator, written to `path` when the block ends.

    The ending says the format (PNG, SVG or PDF); an SVG is the same for the same report. WccsimError for
    another ending, and where matplotlib is missing.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.figure import Figure

    suffix = Path(path).suffix
    with matplotlib.rc_context({"svg.hashsalt": "wccsim"}):
        figure = Figure(figsize=SIZE_INCHES, layout="constrained")
        axes = figure.add_subplot()
        yield axes
        network, accelerator = list(report.provenance.inputs)[:2]
        axes.set_title(f"{network} on {accelerator}")
        with replacing(path) as temporary:
            metadata = {"Date": None} if suffix == ".svg" else None
            figure.savefig(temporary, format=suffix[1:], dpi=DOTS_PER_INCH, metadata=metadata)
