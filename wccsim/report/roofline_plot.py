"""The roofline as a picture, one roof and one mark for each layer and variant; and as a page with it."""

from __future__ import annotations

from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from wccsim.report.costs import ROOF
from wccsim.report.one_plot import one_plot
from wccsim.report.page import drawn, write_page
from wccsim.report.tables import Report
from wccsim.report.terminal import Cell

if TYPE_CHECKING:
    from matplotlib.axes import Axes

MARKS = {"dense": ("o", "#4477aa"), "quantised": ("s", "#ccbb44"), "wcc": ("^", "#ee6677")}
CAPTION = "Throughput that each layer achieves, over its operational intensity, under the machine's roof."


def write_roofline_page(path: Path | str, report: Report) -> None:
    """The picture and every point of `roofline_report` as one self-contained page."""
    name, machine = list(report.provenance.inputs)[:2]
    plot = drawn("Roofline", lambda target: write_roofline_plot(target, report), CAPTION)
    write_page(path, f"Roofline of {name} on {machine}", report, [plot])


def write_roofline_plot(path: Path | str, report: Report) -> None:
    """Draw the report of `roofline_report` into `path` (PNG, SVG or PDF, by its ending)."""
    with one_plot(path, report) as axes:
        _draw_roof(axes, report)
        for variant, (mark, colour) in MARKS.items():
            intensity, achieved = _marks_of(report, variant)
            if intensity:
                label = f"{variant}: achieved by each layer"
                axes.scatter(
                    intensity, achieved, marker=mark, s=28, facecolors="none", edgecolors=colour, label=label
                )
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xlabel("operational intensity (MAC per DRAM bit)")
        axes.set_ylabel("throughput (GMAC/s)")
        axes.grid(True, which="major", linewidth=0.4)
        axes.legend(loc="lower right")


def _draw_roof(axes: Axes, report: Report) -> None:
    """Memory up to the ridge, the peak from there on; half and twice the intensities that occur."""
    peak, memory, ridge = (float(str(report.totals[name])) for name in ROOF)
    at = report.columns.index("intensity_macs_per_bit")
    intensities = [ridge, *(_number(row[at]) for row in report.rows)]
    low, high = min(intensities) / 2, max(intensities) * 2
    axes.plot(
        [low, ridge, high],
        [low * memory / 1e9, peak / 1e9, peak / 1e9],
        color="black",
        linewidth=1.5,
        label=f"roof: {peak / 1e9:g} GMAC/s, {memory / 1e9:g} Gbit/s",
    )


def _marks_of(report: Report, variant: str) -> tuple[list[float], list[float]]:
    """Intensity and achieved GMAC/s of each layer under `variant`."""
    names = ("variant", "intensity_macs_per_bit", "achieved_macs_per_s")
    which, intensity, achieved = (report.columns.index(name) for name in names)
    rows = [row for row in report.rows if row[which] == variant]
    return [_number(row[intensity]) for row in rows], [_number(row[achieved]) / 1e9 for row in rows]


def _number(cell: Cell) -> float:
    assert isinstance(cell, (int, float, Fraction))
    return float(cell)
