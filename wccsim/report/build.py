"""`reports/compare`: the comparison on the default maps, and on real maps where they are at hand.

Each part is a folder: comparison.csv, switches.csv, crossover.csv, network.csv, picture.csv, for layers
with weights weights.csv, and drawn from these the figures and index.html. Nothing in them depends on the
day or the machine.
"""

from __future__ import annotations

import csv
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wccsim.compare.catalog import DEFAULT, SWITCH_NAMES
from wccsim.compare.network import NETWORK_COLUMNS, network_cells, network_rows
from wccsim.compare.rows import read_rows, read_table
from wccsim.compare.run import Watch, compare_layers
from wccsim.compare.summary import maps_of
from wccsim.compare.switches import SWITCH_COLUMNS, switch_cells, switch_rows
from wccsim.compare.weight_rows import WeightRow
from wccsim.compare.weights import WeightGrid
from wccsim.errors import WccsimError
from wccsim.files import sha256_of, write_text
from wccsim.report.check import TOOLS_FILE, tools
from wccsim.report.comparison import report_of
from wccsim.report.crossovers import crossovers_csv
from wccsim.report.html import comparison_page, contest_of, switch_figure
from wccsim.report.network_table import network_section
from wccsim.report.panels import panel_rows, panels_csv, panels_of, read_panels
from wccsim.report.plain_csv import plain_csv
from wccsim.report.plots import picture, rate_distortion
from wccsim.report.tables import write_csv
from wccsim.report.weight_column import weight_report, weight_section

RATES = (2.0, 3.0, 4.0, 6.0, 8.0)
ALL_CODECS = tuple(dict.fromkeys([*DEFAULT, *SWITCH_NAMES]))
REAL_WEIGHTS = WeightGrid(
    (8.0, 4.0, 3.0, 2.0), map_codecs=("uniform", "wcc", "wcc-combined"), map_targets=(4.0,)
)
WEIGHTS_FILE = "weights.csv"


@dataclass(frozen=True, slots=True)
class Part:
    """A folder of the report: its maps, its codecs, and what the page says of them.

    weights: the codings of the layers' weights for the weight column, where the maps have weights.
    """

    name: str
    maps: tuple[Path, ...]
    codecs: tuple[str, ...]
    preface: str
    rates: tuple[float, ...] = RATES
    weights: WeightGrid | None = None


def default_part(maps: Sequence[Path]) -> Part:
    """All codecs and switches on the default maps."""
    return Part(
        "default",
        tuple(maps),
        ALL_CODECS,
        "Maps: photographs through a fixed bank of integer filters (wccsim/data/maps), not activations of a "
        "trained network.",
    )


def real_part(maps: Sequence[Path]) -> Part:
    """All codecs and switches on real maps, and the weight column of the contest."""
    return Part(
        "real",
        tuple(maps),
        ALL_CODECS,
        "Maps: inputs of 1x1 convolutions of MobileNetV2 (int8 weights), one image each; see inputs.csv.",
        weights=REAL_WEIGHTS,
    )


def real_maps(folder: Path | None, listed: Path) -> tuple[Path, ...]:
    """The npz files in `folder` that `listed`, the committed inputs.csv, names by sha256.

    () where there is no folder; WccsimError where a file named there is missing or another. Without a list
    every npz of the folder.
    """
    if folder is None or not folder.is_dir():
        return ()
    if not listed.is_file():
        return tuple(sorted(folder.glob("*.npz")))
    paths = []
    for line in list(csv.reader(listed.read_text(encoding="utf-8").splitlines()))[1:]:
        path = folder / f"{line[0]}.npz"
        if not path.is_file() or sha256_of(path) != line[1]:
            raise WccsimError(f"{path} is missing or is not the map that {listed} names by its sha256")
        paths.append(path)
    return tuple(paths)


def build(part: Part, folder: Path, *, jobs: int, watch: Watch, store: Path | None = None) -> None:
    """Compute `part` and write its files into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    found = compare_layers(
        part.maps, part.rates, part.codecs, weights=part.weights, jobs=jobs, watch=watch, store=store
    )
    rows, weights = [result.row for result in found], [row for result in found for row in result.weights]
    inputs = {f"{row.map}.npz": row.map_sha256 for row in maps_of(rows)}
    write_csv(folder / "comparison.csv", report_of(rows, inputs))
    if weights:
        write_csv(folder / WEIGHTS_FILE, weight_report(weights, inputs))
    panels = panel_rows(rows, part.maps)
    write_text(folder / "picture.csv", panels_csv(panels))
    write_text(folder / TOOLS_FILE, tools())
    maps = [(row.map, row.map_sha256) for row in maps_of(rows)]
    write_text(folder / "inputs.csv", plain_csv(("map", "sha256"), maps))
    draw(part, folder)


def draw(part: Part, folder: Path) -> None:
    """Every table, figure and page of a part, from the CSVs that `build` computes into `folder` alone."""
    rows = read_rows(folder / "comparison.csv")
    listed = folder / WEIGHTS_FILE
    weights = read_table(listed, WeightRow) if listed.is_file() else []
    panels = read_panels(folder / "picture.csv")
    contest = contest_of(rows)
    switches = switch_rows(rows)
    write_text(folder / "switches.csv", plain_csv(SWITCH_COLUMNS, switch_cells(switches)))
    write_text(folder / "crossover.csv", crossovers_csv(contest))
    write_text(folder / "network.csv", plain_csv(NETWORK_COLUMNS, network_cells(network_rows(rows))))
    rate_distortion(contest, folder / "rate_distortion.svg")
    switch_figure(switches, folder / "switches.svg")
    if panels:
        picture(panels_of(panels), folder / "picture.png")
    further = [*network_section(network_rows(contest)), *weight_section(weights)]
    page = comparison_page(rows, panels, part.preface, further)
    write_text(folder / "index.html", page)
