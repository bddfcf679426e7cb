"""One self-contained page: inline figures, tables, no script and nothing fetched from a network."""

from __future__ import annotations

import base64
import math
from collections.abc import Sequence
from html import escape
from pathlib import Path
from typing import Any

from wccsim import __version__
from wccsim.compare.catalog import COMBINED_NAME, SWITCH_NAMES
from wccsim.compare.rows import NEAREST, Row
from wccsim.compare.summary import crossover, depth_of, maps_of, natural_sizes, rows_of
from wccsim.compare.switches import SwitchRow, switch_rows
from wccsim.files import write_text
from wccsim.report.conclusions import conclusions, targets_of
from wccsim.report.missed import missed_sentence
from wccsim.report.panels import PanelRow, panel_rows, panels_of
from wccsim.report.plots import figure_bytes, improvements, picture, rate_distortion

_STYLE = """
body{font:15px/1.5 system-ui,sans-serif;color:#1a1a1a;max-width:1180px;margin:2em auto;padding:0 1em}
h1{font-size:1.6em}h2{font-size:1.2em;margin-top:2em;border-bottom:1px solid #ccc}
table{border-collapse:collapse;font-size:13px;font-variant-numeric:tabular-nums;margin:.6em 0}
th,td{padding:2px 8px;border-bottom:1px solid #e4e4e4;text-align:right;white-space:nowrap}
th{white-space:normal}.scroll th:first-child,.scroll td:first-child{position:sticky;left:0;background:#fff}
th:first-child,td:first-child{text-align:left}thead th{border-bottom:1px solid #888;vertical-align:bottom}
.win{background:#dcefdc}.lose{background:#f6dedc}.best{font-weight:700}.none{color:#999}
img,svg{max-width:100%;height:auto}figure{margin:1em 0}figcaption{color:#555;font-size:13px}
details{margin:.4em 0}summary{cursor:pointer}.scroll{overflow-x:auto}code{font-size:.92em}
"""


def write_comparison(
    rows: Sequence[Row], paths: Sequence[Path], target: Path, preface: str = "", further: Sequence[str] = ()
) -> None:
    """The comparison of `rows` on the maps in `paths` as one page at `target`."""
    write_text(target, comparison_page(rows, panel_rows(rows, paths), preface, further))


def comparison_page(
    rows: Sequence[Row], panels: Sequence[PanelRow], preface: str = "", further: Sequence[str] = ()
) -> str:
    """The page: conclusions, figures and tables, all from `rows` and the pixels of `panels`.

    further: sections made elsewhere, before the inputs.
    """
    sections = [f"<p>{escape(preface)}</p>"] if preface else []
    sections += [
        section("What the numbers say", bullets([*conclusions(contest_of(rows)), missed_sentence(rows)])),
        section(
            "Rate and distortion",
            figure(lambda path: rate_distortion(contest_of(rows), path), ".svg", _RD_CAPTION),
        ),
        section("Where WCC wins and where it loses", crossover_table(rows)),
    ]
    if panels:
        shown = panels_of(panels)
        sections.append(
            section("A channel, side by side", figure(lambda p: picture(shown, p), ".png", _PICTURE_CAPTION))
        )
    switches = switch_rows(rows)
    if any(gain is not None for row in switches for gain in row.gains_db):
        bars = figure(lambda path: switch_figure(switches, path), ".svg", _SWITCH_CAPTION)
        sections.append(section("What each improvement of WCC buys", bars + switch_table(switches)))
    sections += [
        section("Lossless sizes, bits a value", lossless_table(rows)),
        section("Every map: SNR in dB at equal bits", snr_tables(contest_of(rows))),
        *further,
        section("Inputs", inputs_table(rows)),
    ]
    return page("Feature-map compression at equal bits", sections)


_RD_CAPTION = (
    "Error energy over signal energy (lower is better) against all bits paid, side bits included. "
    "Only settings within 1 % of their rate are drawn; triangles are lossless sizes."
)
_PICTURE_CAPTION = (
    "The middle of one channel: the map, uniform quantisation at few bits, and WCC that pays the same bits a "
    "value. Above each: the bits really paid, and the SNR over the whole map."
)


_SWITCH_CAPTION = (
    "Mean SNR gain of each switch over plain WCC at equal bits, alone and all together (wcc-combined), over "
    "the maps where both reach the rate and lose something."
)


def contest_of(rows: Sequence[Row]) -> list[Row]:
    """The rows without the single switches of WCC, which have a table of their own."""
    return [row for row in rows if row.codec not in SWITCH_NAMES or row.codec == COMBINED_NAME]


def page(title: str, sections: Sequence[str], rests_on: str = "the rows of the CSV beside this page") -> str:
    """A whole document; `rests_on` ends the sentence that says what its figures are computed from."""
    return (
        f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>\n'
        f'<meta name="viewport" content="width=device-width">\n<style>{_STYLE}</style></head>\n<body>\n'
        f"<h1>{escape(title)}</h1>\n<p>wccsim {escape(__version__)}. Every figure and sentence is computed "
        f"from {escape(rests_on)}.</p>\n" + "\n".join(sections) + "\n</body></html>\n"
    )


def section(title: str, body: str) -> str:
    """A heading and what stands under it."""
    return f"<h2>{escape(title)}</h2>\n{body}"


def bullets(sentences: Sequence[str]) -> str:
    """A list."""
    return "<ul>" + "".join(f"<li>{escape(sentence)}</li>\n" for sentence in sentences) + "</ul>"


def figure(draw: Any, suffix: str, caption: str) -> str:
    """An inline figure. An SVG goes in as an image too, so that its ids cannot meet another's."""
    kind = {".svg": "image/svg+xml", ".png": "image/png"}[suffix]
    data = base64.b64encode(figure_bytes(draw, suffix)).decode("ascii")
    return (
        f'<figure><img alt="{escape(caption)}" src="data:{kind};base64,{data}">'
        f"<figcaption>{escape(caption)}</figcaption></figure>"
    )


def table(headers: Sequence[str], lines: Sequence[Sequence[Any]]) -> str:
    """A table; a cell is text, or (text, class). A header may break after an underscore."""
    head = "".join(f"<th>{escape(header).replace('_', '_<wbr>')}</th>" for header in headers)
    body = "".join("<tr>" + "".join(_cell(cell) for cell in line) + "</tr>\n" for line in lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead>\n<tbody>{body}</tbody></table></div>'


def crossover_table(rows: Sequence[Row], codec: str = "wcc") -> str:
    """SNR(WCC) - SNR(uniform) by map, the largest maps first."""
    codecs = [name for name in (codec, "wcc-combined") if any(row.codec == name for row in rows)]
    if not codecs or not any(row.codec == "uniform" for row in rows):
        return "<p>Needs the codecs uniform and wcc.</p>"
    targets, tables = targets_of(rows), []
    deep = any(depth_of(first.map) is not None for first in maps_of(rows))
    for name in codecs:
        lines = []
        for first in sorted(maps_of(rows), key=lambda row: -row.height * row.width):
            found = crossover(rows, first.map, name)
            gaps = [_gap(found.ahead_db.get(target)) for target in targets]
            number = depth_of(first.map)
            depth = ["" if number is None else str(number)] if deep else []
            size = [f"{first.height} x {first.width}", str(first.channels), *depth]
            lines.append([first.map, *size, *gaps, _up_to(found.ahead_up_to)])
        sizes = ["pixels", "channels", *(["depth"] if deep else [])]
        headers = ["map", *sizes, *(f"{t:g} bits" for t in targets), f"{name} ahead up to"]
        tables.append(f"<p>SNR({name}) − SNR(uniform), dB, by resolution:</p>" + table(headers, lines))
    return "".join(tables)


def switch_table(switches: Sequence[SwitchRow]) -> str:
    """Gains over plain WCC, dB."""
    lines = [
        [row.map, f"{row.target:g}", _decibels_of(row.uniform_snr_db), _decibels_of(row.wcc_snr_db)]
        + [_gain(gain) for gain in row.gains_db]
        for row in switches
    ]
    headers = ["map", "bits", "uniform SNR", "wcc SNR", *(f"{name} gain" for name in SWITCH_NAMES)]
    return f"<details><summary>every map and rate (dB)</summary>{table(headers, lines)}</details>"


def switch_figure(switches: Sequence[SwitchRow], path: Path) -> None:
    """The bars of the means."""
    means = [row for row in switches if row.map == "mean"]
    gains = [[row.gains_db[i] or 0.0 for row in means] for i in range(len(SWITCH_NAMES))]
    improvements(SWITCH_NAMES, [row.target for row in means], gains, path)


def lossless_table(rows: Sequence[Row]) -> str:
    """Natural size of each lossless codec."""
    maps = maps_of(rows)
    sizes = {first.map: natural_sizes(rows, first.map) for first in maps}
    codecs = list(dict.fromkeys(name for found in sizes.values() for name in found))
    if not codecs:
        return "<p>No lossless codec was compared.</p>"
    lines = []
    for first in maps:
        found = sizes[first.map]
        least = min(found.values(), default=0.0)
        lines.append(
            [
                first.map,
                *(
                    (f"{found[c]:.2f}", "best" if found[c] == least else "") if c in found else ""
                    for c in codecs
                ),
            ]
        )
    return table(["map", *codecs], lines)


def snr_tables(rows: Sequence[Row]) -> str:
    """One folded table a map: codecs by rate, SNR on the map / after the convolution, and BOPs."""
    parts = []
    targets = targets_of(rows)
    for first in maps_of(rows):
        codecs = list(dict.fromkeys(row.codec for row in rows if row.map == first.map))
        lines = []
        for codec in codecs:
            reached = rows_of(rows, first.map, codec)
            missed = {
                r.target: r for r in rows if r.map == first.map and r.codec == codec and r.status == NEAREST
            }
            lines.append([codec, *(_pair(reached.get(t), missed.get(t)) for t in targets)])
        headers = ["codec", *(f"{t:g} bits: SNR | after conv | BOPs" for t in targets)]
        parts.append(f"<details><summary>{escape(first.map)}</summary>{table(headers, lines)}</details>")
    return "".join(parts)


def inputs_table(rows: Sequence[Row]) -> str:
    """What was compressed."""
    lines = [
        [
            row.map,
            f"{row.channels} x {row.height} x {row.width}",
            "" if row.out_channels is None else str(row.out_channels),
            row.map_sha256[:16],
        ]
        for row in maps_of(rows)
    ]
    return table(["map", "C x H x W", "outputs of the 1x1", "sha256"], lines)


def decibels(value: float) -> str:
    """dB, or what an infinite one means."""
    if math.isinf(value):
        return "lossless" if value > 0 else "−∞"
    return f"{value:.2f}"


def _cell(cell: Any) -> str:
    text, kind = cell if isinstance(cell, tuple) else (cell, "")
    return f'<td class="{kind}">{escape(str(text))}</td>' if kind else f"<td>{escape(str(text))}</td>"


def _decibels_of(value: float | None) -> str:
    return "" if value is None else decibels(value)


def _gain(value: float | None) -> tuple[str, str]:
    if value is None:
        return "", "none"
    text = "lossless" if value == math.inf else f"{value:+.2f}"
    return text, "win" if value > 0.005 else "lose" if value < -0.005 else ""


def _gap(value: float | None) -> tuple[str, str]:
    if value is None:
        return "", "none"
    text = "uniform lossless" if value == -math.inf else f"{value:+.1f}"
    return text, "win" if value > 0 else "lose" if value < 0 else ""


def _up_to(rate: float | None) -> str:
    if rate is None:
        return "never"
    return "all rates" if math.isinf(rate) else f"{rate:.1f} bits"


def _pair(row: Row | None, missed: Row | None) -> Any:
    if row is None:
        return (f"(nearest {missed.bits_per_value:.2f} b)", "none") if missed else ("", "none")
    after = "" if row.out_snr_db is None else decibels(row.out_snr_db)
    work = "" if row.layer_bops is None or not row.dense_bops else f"{row.layer_bops / row.dense_bops:.2f}"
    return f"{decibels(row.snr_db)} | {after} | {work}"
