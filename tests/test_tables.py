"""Reports: what is written is what was counted, in every format."""

import csv
import io
import json
from fractions import Fraction
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim import WccsimError
from wccsim.report.tables import (
    Provenance,
    Report,
    csv_text,
    data_frame,
    exact_decimal,
    grouped,
    json_text,
    terminal_table,
    write_csv,
    write_json,
    write_parquet,
)

HUGE = 3 * 10**30
REPORT = Report(
    columns=("layer", "macs", "keep"),
    rows=[("a, quoted", HUGE, None), ("b", 7, Fraction(1, 4))],
    provenance=Provenance("bops", {"net.yaml": "ab" * 32}, {"counting": "true"}),
    totals={"macs": HUGE + 7, "by_kernel": {"1x1": 7}},
)


@given(st.fractions())
@settings(deadline=None, max_examples=100)
def test_an_exact_decimal_reads_back_as_the_same_number(value: Fraction) -> None:
    assert Fraction(exact_decimal(value)) == value


@given(st.one_of(st.integers(), st.fractions(max_denominator=64)))
@settings(deadline=None, max_examples=100)
def test_grouping_loses_no_digit(value: int | Fraction) -> None:
    assert Fraction(grouped(value).replace(",", "")) == value


@given(
    st.lists(
        st.tuples(
            st.text(st.characters(codec="ascii", exclude_categories=["C"]), max_size=80), st.integers()
        ),
        max_size=5,
    )
)
@settings(deadline=None, max_examples=50)
def test_a_table_is_at_most_100_columns_and_shortens_text_only(rows: list[tuple[str, int]]) -> None:
    rows = [(text, number % 10**40) for text, number in rows]
    shown = terminal_table(["layer", "MAC"], rows, total=["total", sum(n for _, n in rows)])
    assert all(len(line) <= 100 for line in shown.splitlines())
    assert all(f"{number:,}" in shown for _, number in rows)


def test_numbers_are_set_to_the_right_and_the_total_under_a_rule() -> None:
    assert terminal_table(["layer", "MAC"], [("a", 1000), ("b", 1)], total=("total", 1001)) == (
        "layer    MAC\n------------\na      1,000\nb          1\n------------\ntotal  1,001\n"
    )


def test_csv_is_plain_and_exact() -> None:
    rows = list(csv.reader(io.StringIO(csv_text(REPORT))))
    assert rows == [["layer", "macs", "keep"], ["a, quoted", str(HUGE), ""], ["b", "7", "0.25"]]


def test_json_names_its_provenance() -> None:
    content = json.loads(json_text(REPORT))
    assert content["inputs_sha256"] == {"net.yaml": "ab" * 32}
    assert content["settings"] == {"counting": "true"}
    assert content["version"] and content["tool"] == "wccsim"
    assert content["rows"][0] == {"layer": "a, quoted", "macs": HUGE, "keep": None}
    assert content["totals"] == {"macs": HUGE + 7, "by_kernel": {"1x1": 7}}


def test_a_data_frame_does_not_wrap() -> None:
    frame = data_frame(REPORT)
    assert frame["macs"].tolist() == [HUGE, 7]
    assert data_frame(Report(("n",), [(1,), (2,)], REPORT.provenance))["n"].dtype == "int64"
    assert frame.attrs["provenance"]["settings"] == {"counting": "true"}


def test_written_csv_has_its_provenance_beside_it(tmp_path: Path) -> None:
    write_csv(tmp_path / "x.csv", REPORT)
    assert (tmp_path / "x.csv").read_text() == csv_text(REPORT)
    beside = json.loads((tmp_path / "x.csv.provenance.json").read_text())
    assert beside == REPORT.provenance.as_dict()


def test_parquet_is_exact_and_carries_its_provenance(tmp_path: Path) -> None:
    parquet = pytest.importorskip("pyarrow.parquet", reason="the extra `parquet` is not installed")
    write_parquet(tmp_path / "x.parquet", REPORT)
    table = parquet.read_table(tmp_path / "x.parquet")
    assert [int(value) for value in table["macs"].to_pylist()] == [HUGE, 7]
    assert json.loads(table.schema.metadata[b"wccsim"]) == REPORT.provenance.as_dict()


@pytest.mark.parametrize("write", [write_csv, write_json, write_parquet])
def test_a_place_that_cannot_be_written_is_one_line_and_leaves_nothing(write, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    with pytest.raises(WccsimError, match="cannot write"):
        write(tmp_path / "missing" / "x", REPORT)
    with pytest.raises(WccsimError, match="it is a folder"):
        write(tmp_path, REPORT)
    assert list(tmp_path.iterdir()) == []


def test_parquet_does_not_go_to_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    with pytest.raises(WccsimError, match="not shown on a terminal"):
        write_parquet("-", REPORT)
