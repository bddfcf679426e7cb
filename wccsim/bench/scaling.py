"""Time of a layer against its pixels and its channels, which should lie on a straight line."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wccsim.bench.inputs import job
from wccsim.bench.layers import path_call
from wccsim.bench.timing import interleaved
from wccsim.datapath.engine import choose
from wccsim.datapath.fused import Workspace
from wccsim.parameters import WccParameters
from wccsim.report.canvas import canvas

if TYPE_CHECKING:
    from matplotlib.figure import Figure

HEIGHTS = (64, 128, 256, 512, 1024)
CHANNELS = (16, 32, 64, 128, 256)
DOTS_PER_INCH = 120
WIDTH, FIXED_CHANNELS, FIXED_HEIGHT, OUTPUTS = 512, 64, 128, 64


@dataclass(frozen=True, slots=True)
class Point:
    """One size: the quantity that grows ("pixels" or "input channels"), its value and the seconds."""

    axis: str
    size: int
    seconds: float


def points(parameters: WccParameters, threads: int, rounds: int) -> Iterator[Point]:
    """Layers with growing height, then with growing input channels; all else fixed."""
    sizes = [("pixels", FIXED_CHANNELS, height) for height in HEIGHTS]
    sizes += [("input channels", channels, FIXED_HEIGHT) for channels in CHANNELS]
    for axis, channels, height in sizes:
        one = job(axis, (channels, height, WIDTH), OUTPUTS, parameters, seed=height)
        name = choose(one.plan, False).name
        times = interleaved({name: path_call(one, name, Workspace(threads))}, rounds)[name]
        yield Point(axis, height * WIDTH if axis == "pixels" else channels, times.best)


def scaling_plot(found: list[Point], path: Path) -> None:
    """Both curves, with the straight line through the origin and the greatest size."""
    with canvas(path, (9, 4), DOTS_PER_INCH) as figure:
        _curves(figure, found)


def _curves(figure: Figure, found: list[Point]) -> None:
    for axes, axis in zip(figure.subplots(1, 2), ("pixels", "input channels"), strict=True):
        own = [point for point in found if point.axis == axis]
        last = own[-1]
        plot: Any = axes
        plot.plot([p.size for p in own], [p.seconds * 1e3 for p in own], "o-", label="measured")
        plot.plot([0, last.size], [0, last.seconds * 1e3], "k:", label="proportional")
        plot.set(xlabel=axis, ylabel="ms", xlim=(0, None), ylim=(0, None))
        plot.legend()
