"""The roofline as a picture, one roof and one mark for each layer and variant; and as a page with it."""

from __future__ import annotations

from pathlib import Path

from wccsim.files import check_plot, replacing
from wccsim.report.costs import ROOF
from wccsim.report.page import drawn, write_page
from wccsim.report.tables import Report

MARKS = {"dense": ("o", "#4477aa"), "quantised": ("s", "#ccbb44"), "wcc": ("^", "#ee6677")}


CAPTION = "Throughput that each layer achieves, over its operational intensity, under the machine's roof."


def write_roofline_page(path: Path | str, report: Report) -> None:
    """The picture and every point of `roofline_report` as one self-contained page."""
    name, machine = list(report.provenance.inputs)[:2]
    plot = drawn("Roofline", lambda target: write_roofline_plot(target, report), CAPTION)
    write_page(path, f"Roofline of {name} on {machine}", report, [plot])


def write_roofline_plot(path: Path | str, report: Report) -> None:
    """Draw the report of `roofline_report` into `path` (PNG, SVG or PDF, by its ending)."""
    check_plot(path)
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    matplotlib.rcParams["svg.hashsalt"] = "wccsim"
    peak, memory, ridge = (float(str(report.totals[name])) for name in ROOF)
    figure = Figure(figsize=(8, 5), layout="constrained")
    axes = figure.add_subplot()
    column = {name: index for index, name in enumerate(report.columns)}
    intensities = [float(row[column["intensity_macs_per_bit"]]) for row in report.rows]  # type: ignore[arg-type]
    low = min([*intensities, ridge]) / 2
    high = max([*intensities, ridge]) * 2
    axes.plot(
        [low, ridge, high],
        [low * memory / 1e9, peak / 1e9, peak / 1e9],
        color="black",
        linewidth=1.5,
        label=f"roof: {peak / 1e9:g} GMAC/s, {memory / 1e9:g} Gbit/s",
    )
    for variant, (mark, colour) in MARKS.items():
        rows = [row for row in report.rows if row[column["variant"]] == variant]
        if not rows:
            continue
        axes.scatter(
            [float(row[column["intensity_macs_per_bit"]]) for row in rows],  # type: ignore[arg-type]
            [float(row[column["achieved_macs_per_s"]]) / 1e9 for row in rows],  # type: ignore[arg-type]
            marker=mark,
            s=28,
            facecolors="none",
            edgecolors=colour,
            label=f"{variant}: achieved by each layer",
        )
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("operational intensity (MAC per DRAM bit)")
    axes.set_ylabel("throughput (GMAC/s)")
    inputs = list(report.provenance.inputs)
    axes.set_title(f"{inputs[0]} on {inputs[1]}")
    axes.grid(True, which="major", linewidth=0.4)
    axes.legend(loc="lower right")
    with replacing(path) as temporary:
        metadata = {"Date": None} if Path(path).suffix == ".svg" else None
        figure.savefig(temporary, format=Path(path).suffix[1:], dpi=150, metadata=metadata)
