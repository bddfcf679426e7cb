"""Figures with matplotlib (extra `plot`), the same bytes for the same rows and the same matplotlib."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from wccsim.compare.rows import LOSSLESS, NEAREST, REACHED, Row
from wccsim.compare.summary import maps_of
from wccsim.errors import WccsimError
from wccsim.files import check_plot
from wccsim.report.canvas import canvas

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Colour, marker, line width: distinct for readers who see colours differently, the contest in front.
_STYLES: dict[str, tuple[str, str, float]] = {
    "uniform": ("#000000", "o", 2.2),
    "wcc": ("#0072b2", "s", 2.2),
    "wcc-combined": ("#d55e00", "D", 2.2),
    "apot": ("#7f7f7f", "v", 1.2),
    "mwq-style": ("#56b4e9", "P", 1.2),
    "dct-cm-style": ("#cc79a7", "^", 1.2),
    "dct8x8": ("#009e73", "X", 1.2),
    "klt": ("#e69f00", "<", 1.2),
    "huffman": ("#8c564b", ">", 1.2),
    "rice": ("#9467bd", "p", 1.2),
    "ebpc": ("#bcbd22", "h", 1.2),
    "deflate": ("#17becf", "*", 1.2),
    "zvc": ("#ff9896", "1", 1.2),
    "rlc": ("#98df8a", "2", 1.2),
    "csr": ("#c5b0d5", "3", 1.2),
    "dc-ac-style": ("#f7b6d2", "4", 1.2),
}
_OTHERS = ("#aaaaaa", ".", 0.9)
_DASHES = ("-", "--", ":", "-.", (0, (5, 1)), (0, (1, 1)))


def rate_distortion(rows: Sequence[Row], path: Path, *, columns: int = 3) -> None:
    """The mean over the maps and one panel a map: error to signal (log) over the bits really paid.

    Only rows within 1 % of their rate are drawn. A triangle on the axis is a lossless codec's natural size.
    """
    maps = maps_of(rows)
    if not maps:
        raise WccsimError("there is no row to draw")
    codecs = list(dict.fromkeys(row.codec for row in rows))
    panels = ([("mean over the maps", _mean_curves(rows, codecs))] if len(maps) > 1 else []) + [
        (first.map, {codec: _curve(rows, first.map, codec) for codec in codecs}) for first in maps
    ]
    columns, span = min(columns, len(panels)), _span(rows)
    lines = -(-len(panels) // columns)
    check_plot(path)
    from matplotlib.ticker import MaxNLocator

    with canvas(path, (4.3 * columns, 3.3 * lines + 0.9)) as figure:
        for number, (title, curves) in enumerate(panels):
            axes = figure.add_subplot(lines, columns, number + 1)
            _panel(axes, title, curves, [] if number == 0 and len(maps) > 1 else _naturals(rows, title))
            axes.set_xlim(*span)
            axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True))
            if number % columns == 0:
                axes.set_ylabel("error energy / signal energy")
            if number + columns >= len(panels):
                axes.set_xlabel("bits per value, all side bits counted")
        handles, labels = _legend(figure, codecs)
        figure.legend(
            handles,
            labels,
            loc="outside lower center",
            ncols=min(8, max(3, 2 * columns)),
            frameon=False,
            fontsize=8,
        )


def picture(panels: Sequence[tuple[str, npt.NDArray[np.int64]]], path: Path) -> None:
    """Maps side by side on one grey scale, pixel for pixel, with their titles."""
    if not panels:
        raise WccsimError("there is no map to draw")
    low, high = int(panels[0][1].min()), int(panels[0][1].max())
    with canvas(path, (3.6 * len(panels), 4.0)) as figure:
        for number, (title, values) in enumerate(panels):
            axes = figure.add_subplot(1, len(panels), number + 1)
            axes.imshow(values, cmap="gray", vmin=low, vmax=high, interpolation="nearest")
            axes.set_title(title, fontsize=9)
            axes.set_axis_off()


def improvements(
    labels: Sequence[str], rates: Sequence[float], gains: Sequence[Sequence[float]], path: Path
) -> None:
    """Bars: the mean gain of each switch over plain WCC, dB, one group a rate."""
    with canvas(path, (8.0, 4.2)) as figure:
        axes = figure.add_subplot(1, 1, 1)
        height = 0.8 / len(rates)
        shades = [str(0.15 + 0.6 * i / max(1, len(rates) - 1)) for i in range(len(rates))]
        for i, rate in enumerate(rates):
            places = [n + i * height for n in range(len(labels))]
            axes.barh(places, [gain[i] for gain in gains], height, color=shades[i], label=f"{rate:g} bits")
        axes.set_yticks([n + 0.4 - height / 2 for n in range(len(labels))], list(labels), fontsize=8)
        axes.invert_yaxis()
        axes.axvline(0, color="black", linewidth=0.8)
        axes.set_xlabel("mean SNR gain over plain WCC at equal bits (dB)")
        axes.legend(frameon=False, fontsize=8)


def figure_bytes(draw: Any, suffix: str) -> bytes:
    """What `draw(path)` writes, for a page that holds its figures."""
    import tempfile

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / f"figure{suffix}"
        draw(path)
        return path.read_bytes()


def _curve(rows: Sequence[Row], map_: str, codec: str) -> list[tuple[float, float]]:
    """(bits, dB) of the reached rates that lose something."""
    return sorted(
        (row.bits_per_value, row.snr_db)
        for row in rows
        if row.map == map_ and row.codec == codec and row.status == REACHED and math.isfinite(row.snr_db)
    )


def _mean_curves(rows: Sequence[Row], codecs: Sequence[str]) -> dict[str, list[tuple[float, float]]]:
    """Mean dB at each target that every map reaches with a loss."""
    count = len(maps_of(rows))
    curves: dict[str, list[tuple[float, float]]] = {}
    for codec in codecs:
        by_target: dict[float, list[float]] = {}
        for row in rows:
            if row.codec == codec and row.status == REACHED and row.target and math.isfinite(row.snr_db):
                by_target.setdefault(row.target, []).append(row.snr_db)
        curves[codec] = [(t, sum(v) / len(v)) for t, v in sorted(by_target.items()) if len(v) == count]
    return curves


def _span(rows: Sequence[Row]) -> tuple[float, float]:
    """The rates that every panel shows, so that panels compare by eye."""
    rates = [row.bits_per_value for row in rows if row.status != NEAREST]
    low, high = min(rates, default=2.0), max(rates, default=8.0)
    margin = max(0.25, 0.05 * (high - low))
    return low - margin, high + margin


def _naturals(rows: Sequence[Row], map_: str) -> list[tuple[str, float]]:
    return [(row.codec, row.bits_per_value) for row in rows if row.map == map_ and row.status == LOSSLESS]


def _panel(
    axes: Axes, title: str, curves: dict[str, list[tuple[float, float]]], naturals: list[tuple[str, float]]
) -> None:
    for codec, curve in curves.items():
        if curve:
            colour, marker, width = _STYLES.get(codec, _OTHERS)
            bits, decibels = zip(*curve, strict=True)
            errors = [10 ** (-value / 10) for value in decibels]
            axes.plot(
                bits, errors, color=colour, marker=marker, markersize=4, linewidth=width,
                linestyle=_dash(codec), zorder=2 + width,
            )  # fmt: skip
    axes.set_yscale("log")
    for codec, size in naturals:
        axes.plot(
            [size], [0.02], marker="^", markersize=6, color=_STYLES.get(codec, _OTHERS)[0],
            transform=axes.get_xaxis_transform(), linestyle="none", clip_on=False, zorder=9,
        )  # fmt: skip
    axes.grid(True, which="major", linewidth=0.4, color="#dddddd")
    axes.set_title(title, fontsize=8.5)
    axes.tick_params(labelsize=8)


def _dash(codec: str) -> Any:
    if codec in _STYLES:
        return "-"
    return _DASHES[1 + sum(codec.encode()) % (len(_DASHES) - 1)]


def _legend(figure: Figure, codecs: Sequence[str]) -> tuple[list[Any], list[str]]:
    from matplotlib.lines import Line2D

    handles = []
    for codec in codecs:
        colour, marker, width = _STYLES.get(codec, _OTHERS)
        handles.append(
            Line2D([], [], color=colour, marker=marker, markersize=4, linewidth=width, linestyle=_dash(codec))
        )
    triangle = Line2D([], [], color="#555555", marker="^", markersize=6, linestyle="none")
    return [*handles, triangle], [*codecs, "lossless size"]
