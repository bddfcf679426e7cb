"""The roofline plot: one panel a stage, a point a layer, under the roofs of the stage's kernel."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from wccsim.bench.bandwidth import Bandwidth
from wccsim.bench.limits import Limit
from wccsim.report.canvas import canvas

AREAS = ((1 << 20, "-"), (1 << 28, ":"))  # bytes whose read bandwidth is drawn, and how: a cache, memory
MARKERS = {"matrix": "s", "vector": "o", "portable": "^"}
COLUMNS = 3
DOTS_PER_INCH = 120
TICKS = (1.0, 2.0, 5.0)


def roofline_plot(
    rows: Sequence[Limit], rates: Mapping[tuple[str, str], float], bandwidth: Bandwidth, path: Path
) -> None:
    """Operations a second over operations a byte; the roofs are the kernel's best rate and the bandwidths."""
    stages = list(dict.fromkeys(row.stage.name for row in rows))
    labels = list(dict.fromkeys(row.measured.label for row in rows))
    colours = {label: f"C{number}" for number, label in enumerate(labels)}
    lines = -(-len(stages) // COLUMNS)
    with canvas(path, (4 * COLUMNS, 3.1 * lines + 1), DOTS_PER_INCH) as figure:
        panels: Any = figure.subplots(lines, COLUMNS, squeeze=False)
        for panel in panels.flat[len(stages) :]:
            panel.set_axis_off()
        for panel, stage in zip(panels.flat, stages, strict=False):
            own = [row for row in rows if row.stage.name == stage]
            _panel(panel, own, colours, rates, bandwidth)
            panel.set_title(stage, fontsize=10)
        figure.supxlabel("operations per byte moved", fontsize=10)
        figure.legend(handles=_key(rows, colours, bandwidth), loc="outside upper center", ncols=4, fontsize=9)


def _key(rows: Sequence[Limit], colours: Mapping[str, str], bandwidth: Bandwidth) -> list[Any]:
    from matplotlib.lines import Line2D

    layers = [
        Line2D([], [], color=colour, marker="o", ls="", label=label) for label, colour in colours.items()
    ]
    paths = [
        Line2D([], [], color="0.4", marker=MARKERS[path], ls="", label=f"{path} path")
        for path in dict.fromkeys(row.measured.path for row in rows)
    ]
    roofs = [
        Line2D([], [], color="k", ls=style, lw=1, label=f"read from {_nearest(bandwidth, area) >> 20} MiB")
        for area, style in AREAS
    ]
    return [*layers, *paths, *roofs]


def _nearest(bandwidth: Bandwidth, area: int) -> int:
    return min(bandwidth.read, key=lambda measured: abs(measured - area))


def _panel(
    axes: Any,
    rows: Sequence[Limit],
    colours: Mapping[str, str],
    rates: Mapping[tuple[str, str], float],
    bandwidth: Bandwidth,
) -> None:
    from matplotlib.ticker import FuncFormatter, LogLocator, NullLocator

    intensities = [row.stage.ops / row.stage.bytes for row in rows]
    speeds = [row.stage.ops / row.stage.seconds / 1e9 for row in rows]
    line = np.geomspace(min(intensities) / 5, max(intensities) * 5, 200)
    peaks = {row.measured.probe.kernels: rates[row.measured.key] for row in rows}
    for kernels, peak in peaks.items():
        for area, style in AREAS:
            slope = bandwidth.read[_nearest(bandwidth, area)]
            axes.plot(line, np.minimum(line * slope, peak) / 1e9, color="k", ls=style, lw=1)
        if len(peaks) > 1:
            axes.annotate(
                kernels, (line[-1], peak / 1e9), ha="right", va="bottom", fontsize=7
            )  # whose roof it is
    for row, x, y in zip(rows, intensities, speeds, strict=True):
        axes.plot(x, y, MARKERS[row.measured.path], ms=6, color=colours[row.measured.label], alpha=0.85)
    axes.set(xscale="log", yscale="log", xlim=(line[0], line[-1]))
    axes.set_ylim(min(speeds) / 2.5, max(max(peaks.values()) / 1e9, *speeds) * 1.6)
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_locator(LogLocator(subs=TICKS))
        axis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
        axis.set_minor_locator(NullLocator())
    axes.set_ylabel(f"10^9 {rows[0].stage.kind} per second", fontsize=9)
    axes.tick_params(labelsize=8)
