"""Every report as one page: self-contained, whole, and the figures are the report's own."""

import re
from fractions import Fraction
from html import unescape
from pathlib import Path

import pytest
from click.testing import CliRunner

from wccsim.cli import main
from wccsim.report import page as page_module
from wccsim.report.page import drawn, totals_table, write_page
from wccsim.report.tables import Provenance, Report

COMMANDS = {
    "bops": ("bops", "mobilenetv3_small", "--keep", "25%"),
    "stages": ("bops", "mobilenetv3_small", "--keep", "25%", "--stages"),
    "cost": ("cost", "mobilenetv3_small", "--keep", "25%"),
    "roofline": ("roofline", "mobilenetv3_small", "--keep", "25%"),
    "sweep": ("sweep", "mobilenetv3_small", "--keep", "dense,1/4"),
    "allocate": ("allocate", "mobilenetv3_small", "--budget", "bops=3e9"),
    "paper": ("paper",),
    "validate": ("validate", "--only", "rtl"),
}
DRAWN = ("roofline", "sweep")


def run(*arguments) -> str:
    result = CliRunner().invoke(main, [str(argument) for argument in arguments])
    assert result.exit_code == 0, result.output
    return result.output


def cells(text: str) -> list[str]:
    return [unescape(cell) for cell in re.findall(r"<td[^>]*>(.*?)</td>", text)]


@pytest.mark.parametrize("name", COMMANDS)
def test_a_page_is_self_contained_and_holds_every_row(name: str, tmp_path: Path) -> None:
    if name in DRAWN:
        pytest.importorskip("matplotlib")
    page, csv = tmp_path / "page.html", tmp_path / "rows.csv"
    printed = run(*COMMANDS[name], "--html", page, "--csv", csv)
    assert printed == run(*COMMANDS[name])
    text = page.read_text(encoding="utf-8")
    assert text.startswith("<!doctype html>") and text.endswith("</html>\n")
    assert not re.search(r"<script|<link|https?://[^<\s]*\.(js|css|png|svg)|src=\"(?!data:)", text)
    assert ("data:image/svg+xml;base64," in text) == (name in DRAWN)
    shown = set(cells(text))
    header, *rows = csv.read_text(encoding="utf-8").splitlines()
    heads = {unescape(head.replace("<wbr>", "")) for head in re.findall(r"<th>(.*?)</th>", text)}
    assert heads >= set(header.split(","))
    assert not re.search(r"<th>[^<]*\w_\w", text)  # a long name may break, or the table leaves the page
    assert all(row.split(",")[0].strip('"') in shown for row in rows)


def test_two_reports_on_standard_output_are_refused(tmp_path: Path) -> None:
    for command in (COMMANDS["bops"], COMMANDS["sweep"], COMMANDS["validate"], COMMANDS["paper"]):
        result = CliRunner().invoke(main, [*command, "--html", "-", "--csv", "-"])
        assert result.exit_code == 2 and "only one of" in result.output
    assert run(*COMMANDS["bops"], "--html", "-").startswith("<!doctype html>")


def test_text_from_a_file_cannot_become_markup(tmp_path: Path) -> None:
    report = Report(("a<b",), [("<script>x</script>",)], Provenance("x", {"<i>": "0"}), {"<t>": 1}, ("<n>",))
    write_page(tmp_path / "p.html", "<title>", report)
    text = (tmp_path / "p.html").read_text()
    assert "<script" not in text and "<i>" not in text and "<n>" not in text and "<t>" not in text


def test_totals_that_are_tables_and_fractions_are_shown() -> None:
    report = Report((), [], Provenance("x"), {"a": Fraction(1, 3), "dense": {"macs": 7}, "wcc": {"bops": 8}})
    text = totals_table(report)
    assert cells(text) == ["a", "0.3333", "dense", "7", "", "wcc", "", "8"]


def test_very_many_rows_are_cut_and_the_page_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "MOST_ROWS", 3)
    write_page(tmp_path / "p.html", "t", Report(("n",), [(i,) for i in range(10)], Provenance("x")))
    text = (tmp_path / "p.html").read_text()
    assert cells(text) == ["0", "1", "2"] and "The first 3 of 10 rows" in text


def test_without_matplotlib_the_page_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(page_module, "find_spec", lambda name: None)
    assert "wccsim[plot]" in drawn("Title", lambda path: None, "caption")
