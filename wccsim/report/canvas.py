"""The canvas of every figure (extra `plot`): the same bytes for the same content and the same matplotlib."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wccsim.files import check_plot, replacing

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_SETTINGS: Any = {"svg.hashsalt": "wccsim", "svg.fonttype": "path", "font.family": "DejaVu Sans"}
_NO_DATE_NO_MAKER: dict[str, dict[str, Any]] = {
    ".svg": {"Date": None, "Creator": None},
    ".png": {"Software": None},
    ".pdf": {"CreationDate": None, "Producer": None, "Creator": None},
}


@contextmanager
def canvas(path: Path | str, size_inches: tuple[float, float], dots_per_inch: int = 110) -> Iterator[Figure]:
    """A figure written to `path`, whole or not at all, when the block ends; nothing of the day is in it.

    The ending says the format (PNG, SVG or PDF). WccsimError for another ending, and where matplotlib is
    missing.
    """
    check_plot(path)
    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    suffix = Path(path).suffix
    with matplotlib.rc_context(_SETTINGS):
        figure = Figure(figsize=size_inches, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        with replacing(path) as temporary:
            metadata = _NO_DATE_NO_MAKER[suffix]
            figure.savefig(temporary, dpi=dots_per_inch, metadata=metadata, format=suffix[1:])
