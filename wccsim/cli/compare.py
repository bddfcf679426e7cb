"""`wccsim compare`: which compression loses least at the same number of bits really paid."""

from __future__ import annotations

import math
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from wccsim.cli.outputs import check_outputs
from wccsim.errors import WccsimError
from wccsim.files import check_plot, need_matplotlib

if TYPE_CHECKING:
    from wccsim.compare.rows import Row
    from wccsim.compare.weight_rows import WeightRow
    from wccsim.compare.weights import WeightGrid

_WEIGHT_CODECS = (
    "Comma-separated: uniform, apot, transform-quantization, block-quantization; default all but apot."
)
_PICTURE = "A channel, quantised, and after WCC at the same bits (.png, .svg or .pdf); pixels in PATH.csv."


@click.command()
@click.argument("maps", nargs=-1, type=click.Path(path_type=Path))
@click.option("--bits", default="2,3,4,6,8", show_default=True, help="Bits a value, comma-separated.")
@click.option("--codecs", metavar="NAMES", help="Comma-separated; default all. See `wccsim codecs`.")
@click.option("--weights", metavar="BITS", help="Code the layers' weights too: bits a weight, as 8,4,3.")
@click.option("--weight-codec", metavar="NAMES", help=_WEIGHT_CODECS)
@click.option("--scale", type=float, metavar="S", help="Real value of 1 in npy maps. An npz holds its own.")
@click.option("--csv", "csv_path", metavar="PATH", help='Write CSV to PATH, "-" for standard output.')
@click.option("--json", "json_path", metavar="PATH", help='Write JSON to PATH, "-" for standard output.')
@click.option("--plot", type=click.Path(path_type=Path), help="Rate-distortion plot (.png, .svg or .pdf).")
@click.option("--picture", type=click.Path(path_type=Path), help=_PICTURE)
@click.option("--crossover", metavar="PATH", help="CSV: how far WCC is ahead of uniform, up to which rate.")
@click.option("--html", type=click.Path(path_type=Path), help="One self-contained page with everything.")
@click.option("--jobs", type=int, default=0, metavar="N", help="Processes; 0 (default) is one a core.")
@click.option("--resume/--fresh", default=True, show_default=True, help="Use results of an interrupted run.")
@click.option("--store", type=click.Path(path_type=Path), help="Where results are kept meanwhile.")
def compare(
    maps: tuple[Path, ...],
    bits: str,
    codecs: str | None,
    weights: str | None,
    weight_codec: str | None,
    scale: float | None,
    csv_path: str | None,
    json_path: str | None,
    plot: Path | None,
    picture: Path | None,
    crossover: str | None,
    html: Path | None,
    jobs: int,
    resume: bool,
    store: Path | None,
) -> None:
    """Compress feature maps with every codec at equal bits and compare what is lost.

    MAPS are npz or npy files or folders of them (see `wccsim extract`); without any, the default maps that
    come with wccsim (photographs through a fixed filter bank). Every side bit is counted: the setting of
    each codec is searched until its total is the wanted bits a value within 1 %; where it cannot be, the
    row says so. Of several maps, a further table shows them as the layers of one network.

    With --weights the int8 weights of the 1x1 convolution that a map feeds are coded as well, and a second
    table shows the error after the convolution with both decoded; --csv out.csv writes it to
    out.weights.csv. --html has all tables and figures in one file; --plot, --picture and --crossover
    write one each.

    \b
    Examples:
      wccsim compare --bits 2,4 --codecs uniform,wcc
      wccsim compare maps/*.npz --csv out.csv --plot out.png --html out.html
      wccsim compare maps/ --codecs uniform,wcc --picture side.png --crossover ahead.csv
      wccsim compare maps/*.npz --bits 4 --codecs uniform,wcc --weights 8,4,3
    """
    from wccsim.compare.parallel import one_thread_each, process_count

    one_thread_each()
    count = process_count(jobs)
    free = check_outputs(csv_path, json_path, crossover)
    from wccsim.compare.run import compare_layers
    from wccsim.default_maps import default_map_paths
    from wccsim.progress import progress
    from wccsim.report.weight_column import weights_path

    grid = _grid(weights, weight_codec)
    if grid is not None and "-" in (csv_path, json_path):
        raise WccsimError("with --weights there are two tables: give --csv and --json a file")
    paths = _files(maps) or default_map_paths()
    kept = store or _store_beside(csv_path)
    files = [path for path in (csv_path, json_path) if path is not None]
    beside = [weights_path(path) for path in files] if grid is not None else []
    names = None if codecs is None else [name.strip() for name in codecs.split(",")]
    extra = [] if crossover is None else [crossover]
    extra += [] if picture is None else [str(picture), str(_pixels(picture))]
    _check_outputs([*files, *beside, *extra], plot, html, kept, paths)
    _check_views(picture, crossover, names)
    if kept and not resume:
        kept.unlink(missing_ok=True)

    def watch(items: Iterable[Any], total: int) -> Iterable[Any]:
        return progress(items, total, "compare")

    if grid is not None:
        _need_weights(paths, scale)
    found = compare_layers(
        paths, _rates(bits), names, weights=grid, scale=scale, jobs=count, store=kept, watch=watch
    )
    rows, weight_rows = [one.row for one in found], [row for one in found for row in one.weights]
    _write_tables(csv_path, json_path, rows, weight_rows, dict(_digests(paths, rows)))
    _draw(plot, html, rows, weight_rows, paths)
    _write_views(picture, crossover, rows, paths)
    if free:
        click.echo(_text(rows, weight_rows), nl=False)
    if store is None and kept is not None:
        kept.unlink(missing_ok=True)  # everything in it is now in the CSV


def _write_tables(
    csv_path: str | None,
    json_path: str | None,
    rows: list[Row],
    weight_rows: list[WeightRow],
    inputs: dict[str, str],
) -> None:
    """The rows as CSV and JSON where they are asked for; those of weights beside them."""
    from wccsim.report.comparison import report_of
    from wccsim.report.tables import write_csv, write_json
    from wccsim.report.weight_column import weight_report, weights_path

    for path, write in ((csv_path, write_csv), (json_path, write_json)):
        if path is not None:
            write(path, report_of(rows, inputs))
        if path is not None and weight_rows:
            write(weights_path(path), weight_report(weight_rows, inputs))


def _draw(
    plot: Path | None, html: Path | None, rows: list[Row], weight_rows: list[WeightRow], paths: list[Path]
) -> None:
    """The rate-distortion plot and the page where they are asked for."""
    if plot is not None:
        from wccsim.report.plots import rate_distortion

        rate_distortion(rows, plot)
    if html is not None:
        from wccsim.compare.network import network_rows
        from wccsim.report.html import write_comparison
        from wccsim.report.network_table import network_section
        from wccsim.report.weight_column import weight_section

        further = [*network_section(network_rows(rows)), *weight_section(weight_rows)]
        write_comparison(rows, paths, html, further=further)


def _pixels(picture: Path) -> Path:
    """Where the pixels of a picture go, from which it is drawn."""
    return picture.with_name(f"{picture.name}.csv")


def _check_views(picture: Path | None, crossover: str | None, names: list[str] | None) -> None:
    """Refuse a picture or a crossover table that these codecs cannot fill."""
    if picture is not None:
        check_plot(picture)
    for option, given in (("--picture", picture), ("--crossover", crossover)):
        if given is not None and names is not None and not {"uniform", "wcc"} <= set(names):
            raise WccsimError(f"{option} needs uniform and wcc; --codecs is {','.join(names)}")


def _write_views(picture: Path | None, crossover: str | None, rows: list[Row], paths: list[Path]) -> None:
    """The crossover table, and a channel side by side, where they are asked for."""
    from wccsim.files import write_text

    if crossover is not None:
        from wccsim.report.crossovers import crossovers_csv

        write_text(crossover, crossovers_csv(rows))
    if picture is not None:
        from wccsim.report import panels, plots

        found = panels.panel_rows(rows, paths)
        if not found:
            raise WccsimError("--picture: uniform and wcc share no rate on any map")
        write_text(_pixels(picture), panels.panels_csv(found))
        plots.picture(panels.panels_of(found), picture)


def _text(rows: list[Row], weight_rows: list[WeightRow]) -> str:
    """The tables for a terminal: by map, over the network, with weights; and where WCC wins, in words."""
    from wccsim.compare.network import network_rows
    from wccsim.report.comparison import summary_text, verdict_text
    from wccsim.report.network_table import network_text
    from wccsim.report.weight_column import weight_text

    tables = [summary_text(rows), network_text(network_rows(rows)), weight_text(weight_rows)]
    return "\n".join(text for text in (*tables, verdict_text(rows)) if text)


def _check_outputs(
    tables: list[str], plot: Path | None, html: Path | None, store: Path | None, maps: list[Path]
) -> None:
    """Refuse what could not be written when the work is done: minutes later, with many maps."""
    from wccsim.compare.store import check_store

    check_outputs(*tables, None if html is None else str(html), inputs=map(str, maps), plot=plot)
    if html is not None:
        need_matplotlib()
    if store is not None:
        check_outputs(str(store), *tables, inputs=map(str, maps))
        check_store(store)


def _rates(text: str, option: str = "--bits") -> list[float]:
    try:
        rates = [float(part) for part in text.split(",")]
    except ValueError:
        raise WccsimError(
            f"{option} is {text!r}; allowed: numbers separated by commas, such as 2,3,4"
        ) from None
    if not all(math.isfinite(rate) for rate in rates):
        raise WccsimError(f"{option} is {text!r}; allowed: finite numbers")
    return rates


def _grid(bits: str | None, names: str | None) -> WeightGrid | None:
    """What --weights and --weight-codec ask for."""
    from wccsim.compare.weights import DEFAULT_WEIGHT_CODECS, WeightGrid

    if bits is None:
        if names is not None:
            raise WccsimError("--weight-codec needs --weights, the bits a weight")
        return None
    chosen = DEFAULT_WEIGHT_CODECS if names is None else tuple(name.strip() for name in names.split(","))
    return WeightGrid(tuple(dict.fromkeys(_rates(bits, "--weights"))), tuple(dict.fromkeys(chosen)))


def _need_weights(paths: list[Path], scale: float | None) -> None:
    """Refuse --weights where no map says which layer it feeds."""
    from wccsim.maps import load_map

    maps = (load_map(path, scale=scale if path.suffix == ".npy" else None) for path in paths)
    if all(map_.weights is None for map_ in maps):
        raise WccsimError(
            f"--weights: none of the {len(paths)} maps holds its layer's weights (arrays w and w_scale)"
        )


def _files(given: tuple[Path, ...]) -> list[Path]:
    """The files named, and the npz and npy files of the folders named."""
    files: list[Path] = []
    for path in given:
        if path.is_dir():
            inside = sorted(p for p in path.iterdir() if p.suffix in (".npz", ".npy"))
            if not inside:
                raise WccsimError(f"{path} holds no npz or npy file")
            files += inside
        else:
            files.append(path)
    return files


def _store_beside(csv_path: str | None) -> Path | None:
    """Results wait beside the CSV until it is written; without a CSV there is no such place."""
    return None if csv_path in (None, "-") else Path(f"{csv_path}.partial.jsonl")


def _digests(paths: list[Path], rows: list[Any]) -> Iterable[tuple[str, str]]:
    digests = {row.map: row.map_sha256 for row in rows}
    return [(path.name, digests[path.stem]) for path in paths]
