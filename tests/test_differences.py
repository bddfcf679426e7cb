"""The difference of two reports: what the order of rows and columns does not change, and what is."""

import json
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim import WccsimError
from wccsim.report.differences import Sheet, compare, difference_text, number, read_sheet

NAME = st.text("abc", min_size=1, max_size=3)


@st.composite
def sheets(draw: st.DrawFn) -> Sheet:
    columns = ("layer", *draw(st.lists(NAME.map(lambda n: "x" + n), unique=True, min_size=1, max_size=3)))
    names = draw(st.lists(NAME, max_size=5))
    cells = st.one_of(st.integers(-5, 5).map(str), st.just(""), NAME)
    rows = [(name, *draw(st.tuples(*[cells] * (len(columns) - 1)))) for name in names]
    return Sheet("a.csv", columns, tuple(rows))


@given(sheets(), st.randoms())
@settings(deadline=None, max_examples=60)
def test_order_is_no_difference(sheet: Sheet, random) -> None:  # type: ignore[no-untyped-def]
    order = list(range(len(sheet.columns)))
    random.shuffle(order)
    shuffled = Sheet(
        "b.csv",
        tuple(sheet.columns[i] for i in order),
        tuple(tuple(row[i] for i in order) for row in sheet.rows),
    )
    assert not compare(sheet, shuffled, ["layer"]).any


@given(sheets(), sheets())
@settings(deadline=None, max_examples=60)
def test_backwards_swaps_added_and_removed(a: Sheet, b: Sheet) -> None:
    there, back = compare(a, b), compare(b, a)
    assert (set(there.rows_added), set(there.columns_added)) == (
        set(back.rows_removed),
        set(back.columns_removed),
    )
    assert len(there.changes) == len(back.changes)
    assert there.any == back.any


def test_what_changed_is_named() -> None:
    a = Sheet("a", ("layer", "macs", "old"), (("x", "1000", ""), ("y", "5", ""), ("y", "6", "")))
    b = Sheet("b", ("layer", "new", "macs"), (("x", "", "1500"), ("y", "", "5.0"), ("z", "", "1")))
    found = compare(a, b)
    assert (found.columns_removed, found.columns_added) == (("old",), ("new",))
    assert (found.rows_removed, found.rows_added) == (("y #2",), ("z",))
    assert [(c.row, c.column, c.before, c.after, c.percent) for c in found.changes] == [
        ("x", "macs", "1000", "1500", 50)
    ]
    text = difference_text(a, b, found, 40)
    for part in (
        "rows added (1): z",
        "rows removed (1): y #2",
        "1,000",
        "1,500",
        "+50.00%",
        "1,011",
        "1,506",
    ):
        assert part in text
    assert "no difference" in difference_text(a, a, compare(a, a), 40)


def test_shown_cells_are_limited_and_the_rest_is_counted() -> None:
    a = Sheet("a", ("layer", "n"), tuple((str(i), "1") for i in range(50)))
    b = Sheet("b", ("layer", "n"), tuple((str(i), "2") for i in range(50)))
    assert "and 40 more changed cells" in difference_text(a, b, compare(a, b), 10)
    assert "more changed cells" not in difference_text(a, b, compare(a, b), None)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "is empty"),
        (b"a,b\n1,2\n1\n", r":3:1: 1 fields; the header has 2"),
        (b"a,a\n", "column 'a' is there twice"),
        (b"\xff\xfe\x00", "is not UTF-8"),
        (b'a,b\n"1,2\n', "not CSV"),
    ],
)
def test_what_is_no_csv_is_one_line_with_its_place(tmp_path: Path, content: bytes, message: str) -> None:
    path = tmp_path / "x.csv"
    path.write_bytes(content)
    with pytest.raises(WccsimError, match=message):
        read_sheet(path)


def test_a_missing_file_or_folder_is_one_line(tmp_path: Path) -> None:
    for path in (tmp_path, tmp_path / "none.csv"):
        with pytest.raises(WccsimError, match="cannot read"):
            read_sheet(path)


def test_reports_with_nothing_in_common_are_refused() -> None:
    with pytest.raises(WccsimError, match="no column in common"):
        compare(Sheet("a", ("x",), ()), Sheet("b", ("y",), ()))
    with pytest.raises(WccsimError, match="b has no column 'x'; it has y"):
        compare(Sheet("a", ("x",), ()), Sheet("b", ("y",), ()), ["x"])


@pytest.mark.parametrize("text", ["1e999999999", "1" * 500, "x", "", "nan", "1/0", "e5", "1e"])
def test_what_is_no_number_of_a_report_is_text(text: str) -> None:
    assert number(text) is None


def test_settings_that_changed_are_named_where_both_reports_say_them(tmp_path: Path) -> None:
    for name, counting in (("a", "true"), ("b", "paper")):
        (tmp_path / f"{name}.csv").write_text("layer,n\nx,1\n")
        beside = {"version": "1", "inputs_sha256": {"net": "00"}, "settings": {"counting": counting}}
        (tmp_path / f"{name}.csv.provenance.json").write_text(json.dumps(beside))
    a, b = read_sheet(tmp_path / "a.csv"), read_sheet(tmp_path / "b.csv")
    assert "counting: true > paper" in difference_text(a, b, compare(a, b), 40)
    for broken in ("", "{}", "[]", '{"version": 1, "inputs_sha256": [], "settings": 3}'):
        (tmp_path / "b.csv.provenance.json").write_text(broken)
        assert read_sheet(tmp_path / "b.csv").settings == {}
