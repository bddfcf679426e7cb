"""The run: order, parallel equal to serial, resumed without loss, bad input in one line, the outputs."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from test_compare_parts import natural_map

from wccsim.cli import main
from wccsim.compare import run as runner
from wccsim.compare.catalog import METHODS, SWITCH_NAMES
from wccsim.compare.rows import COLUMNS, LOSSLESS, NEAREST, REACHED, Row, read_rows
from wccsim.compare.run import compare_maps
from wccsim.compare.store import appending, key_of, read_results
from wccsim.compare.summary import crossover, depth_of, winners
from wccsim.compare.switches import switch_rows
from wccsim.errors import WccsimError
from wccsim.maps import load_map
from wccsim.report.comparison import summary_text
from wccsim.report.conclusions import conclusions
from wccsim.report.panels import panels_of, read_panels
from wccsim.report.plots import picture as draw_picture

CODECS = ["uniform", "wcc", "apot", "rice"]


@pytest.fixture
def maps(tmp_path: Path) -> list[Path]:
    folder = tmp_path / "maps"
    folder.mkdir()
    rng = np.random.default_rng(2)
    for name, shape in (("early_op002", (8, 40, 48)), ("late_op020", (24, 16, 16))):
        np.savez(
            folder / f"{name}.npz",
            x=natural_map(shape),
            x_scale=np.float32(0.5),
            w=rng.integers(-127, 128, (4, shape[0])).astype(np.int8),
            w_scale=np.full(4, 0.01, np.float32),
        )
    return sorted(folder.iterdir())


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, ["compare", *map(str, arguments)])


def test_rows_come_in_the_order_of_maps_codecs_rates_whoever_computes_them(maps: list[Path]) -> None:
    serial = compare_maps(maps, (2, 4), CODECS)
    assert serial == compare_maps(maps, (2, 4), CODECS, jobs=2)
    assert [(row.map, row.codec, row.target) for row in serial] == [
        (path.stem, codec, target)
        for path in maps
        for codec in CODECS
        for target in ([None] if codec == "rice" else []) + [2.0, 4.0]
    ]
    apot = next(row for row in serial if row.codec == "apot" and row.target == 2)
    assert apot.status == NEAREST and apot.bits_per_value > 3
    assert {row.status for row in serial if row.codec == "rice" and row.target is None} == {LOSSLESS}
    assert all(row.status == REACHED for row in serial if row.codec == "uniform")


def test_the_pair_of_bits_and_bops(maps: list[Path]) -> None:
    """Uniform at b bits multiplies b-bit words; WCC only kept positions; a storage codec changes nothing."""
    rows = {
        (row.codec, row.target): row for row in compare_maps(maps[:1], (2, 4), ["uniform", "wcc", "dct8x8"])
    }
    dense = 8 * 40 * 48
    assert rows["uniform", 2.0].products == dense and rows["uniform", 2.0].operand_bits == 2
    assert rows["uniform", 2.0].dense_bops == 64 * 4 * dense
    wcc = rows["wcc", 2.0]
    kept = json.loads(wcc.setting)["keep"].partition("/")[0]
    assert wcc.products == 8 * int(kept) and wcc.operand_bits == 8
    haar = 4 * 8 * 40 * 48 * (16 + 4 + 1)  # eq. (12) of the paper, three levels, times 16
    assert wcc.layer_bops == 64 * 4 * wcc.products + haar // 16 * (8 + 4)
    assert rows["dct8x8", 2.0].products == dense and rows["dct8x8", 2.0].operand_bits == 8


def test_an_interrupted_run_resumes_and_computes_nothing_twice(
    maps: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store, done = tmp_path / "results.jsonl", []
    work = runner.work

    def interrupted(task: runner.Task) -> list[Row]:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(task.codec)
        return work(task)

    monkeypatch.setattr(runner, "work", interrupted)
    with pytest.raises(KeyboardInterrupt):
        compare_maps(maps, (2, 4), CODECS, store=store)
    with store.open("ab") as stream:  # the interruption cut a line
        stream.write(b'{"key": "abc", "resu')
    done.clear()
    done.append("as many as left")
    monkeypatch.setattr(runner, "work", lambda task: (done.append(task.codec), work(task))[1])
    rows = compare_maps(maps, (2, 4), CODECS, store=store)
    assert len(done) == 1 + 2 * len(CODECS) - 3
    assert rows == compare_maps(maps, (2, 4), CODECS)
    done.clear()
    assert compare_maps(maps, (2, 4), CODECS, store=store) == rows and not done


def test_a_key_changes_with_everything_a_result_depends_on() -> None:
    keys = {key_of(map="a", codec="b"), key_of(map="a", codec="c"), key_of(map="b", codec="b")}
    assert len(keys) == 3 and key_of(map="a", codec="b") in keys


def test_a_store_survives_damage(tmp_path: Path) -> None:
    path = tmp_path / "store"
    path.write_bytes(b'\xff\xfe\n[]\n"x"\n{"key": "a"}\n{"key": "a", "result": 1}\n{"cut')
    with appending(path) as appender:
        appender.add("b", [2])
    assert read_results(path) == {"a": 1, "b": [2]}
    with pytest.raises(WccsimError, match="cannot"):
        read_results(tmp_path)


def test_the_csv_reads_back_to_the_same_rows(maps: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out.csv"
    result = run(*maps, "--bits", "2,8", "--codecs", "uniform,wcc,rice", "--csv", out, "--jobs", 1)
    assert result.exit_code == 0, result.output
    assert read_rows(out) == compare_maps(maps, (2, 8), ["uniform", "wcc", "rice"])
    assert out.read_text().splitlines()[0].split(",") == list(COLUMNS)
    assert not (tmp_path / "out.csv.partial.jsonl").exists()
    provenance = json.loads((tmp_path / "out.csv.provenance.json").read_text())
    assert set(provenance["inputs_sha256"]) == {path.name for path in maps}


def test_plot_html_and_standard_output(maps: list[Path], tmp_path: Path) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    page, plot = tmp_path / "page.html", tmp_path / "plot.png"
    arguments = (maps[0].parent, "--bits", "2,4", "--codecs", "uniform,wcc,rice", "--jobs", 1)
    result = run(*arguments, "--csv", "-", "--html", page, "--plot", plot)
    assert result.exit_code == 0 and result.output.startswith("map,map_sha256"), result.output
    assert plot.read_bytes()[:4] == b"\x89PNG"
    text = page.read_text(encoding="utf-8")
    assert "http://" not in text and "https://" not in text and "<script" not in text
    for said in (
        "What the numbers say",
        "early_op002",
        "ahead up to",
        "data:image/svg+xml",
        "data:image/png",
    ):
        assert said in text
    assert run(*arguments, "--html", tmp_path / "again.html").exit_code == 0
    assert (tmp_path / "again.html").read_text(encoding="utf-8") == text


def test_a_picture_is_drawn_from_the_csv_beside_it_and_shows_what_the_codecs_decode(
    maps: list[Path], tmp_path: Path
) -> None:
    pytest.importorskip("matplotlib", reason="figures need the extra plot")
    picture, again = tmp_path / "side.png", tmp_path / "again.png"
    result = run(maps[0], "--bits", "2,4", "--codecs", "uniform,wcc", "--jobs", 1, "--picture", picture)
    assert result.exit_code == 0, result.output
    found = panels_of(read_panels(tmp_path / "side.png.csv"))
    draw_picture(found, again)
    assert again.read_bytes() == picture.read_bytes()
    x = load_map(maps[0]).x
    channel = int(found[0][0].rsplit(" ", 1)[1])
    np.testing.assert_array_equal(found[0][1], x[channel])
    for (_, pixels), codec in zip(found[1:], ("uniform", "wcc"), strict=True):
        np.testing.assert_array_equal(pixels, METHODS[codec].at(x, 2.0 * x.size).decoded[channel])


def test_the_crossover_table_holds_the_differences_of_the_rows(maps: list[Path], tmp_path: Path) -> None:
    csv_path, table = tmp_path / "rows.csv", tmp_path / "ahead.csv"
    arguments = ("--bits", "2,4", "--codecs", "uniform,wcc", "--jobs", 1, "--csv", csv_path)
    assert run(maps[0].parent, *arguments, "--crossover", table).exit_code == 0
    snr = {
        (row["map"], row["codec"], row["target"]): float(row["snr_db"])
        for row in csv.DictReader(csv_path.read_text().splitlines())
        if row["target"]
    }
    lines = list(csv.DictReader(table.read_text().splitlines()))
    assert [(line["map"], line["codec"]) for line in lines] == [("early_op002", "wcc"), ("late_op020", "wcc")]
    for line in lines:
        for rate in ("2", "4"):
            ahead = snr[line["map"], "wcc", f"{rate}.0"] - snr[line["map"], "uniform", f"{rate}.0"]
            assert float(line[f"ahead_db_at_{rate}"]) == pytest.approx(ahead, abs=1e-4)
    assert [int(line["depth"]) for line in lines] == [2, 20]


def test_npy_maps_with_a_scale(tmp_path: Path) -> None:
    np.save(tmp_path / "map.npy", natural_map((8, 24, 24)))
    result = run(tmp_path / "map.npy", "--scale", 0.1, "--bits", "4", "--codecs", "uniform", "--json", "-")
    assert result.exit_code == 0
    row = json.loads(result.output)["rows"][0]
    assert row["status"] == "reached" and row["out_mse"] is None and row["layer_bops"] is None


def test_what_is_wrong_is_said_in_one_line(maps: list[Path], tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    (tmp_path / "bad.npz").write_bytes(b"PK\x03\x04 no archive")
    np.savez(tmp_path / "early_op002.npz", x=natural_map((2, 4, 4)), x_scale=1.0)
    cases = [
        ((maps[0], "--bits", "two"), "numbers separated by commas"),
        ((maps[0], "--bits", "0"), "0.1 to 16"),
        ((maps[0], "--bits", "nan"), "finite"),
        ((maps[0], "--codecs", "unifrom"), "did you mean uniform"),
        ((maps[0], "--jobs", "-1"), "allowed: 1 to 256"),
        ((maps[0], tmp_path / "early_op002.npz"), "names tell the rows apart"),
        ((tmp_path / "none.npz",), "No such file"),
        ((tmp_path / "bad.npz",), "not a readable npz"),
        ((tmp_path / "empty",), "holds no npz"),
        ((maps[0], "--codecs", "uniform", "--plot", tmp_path / "plot.txt"), "the ending says the format"),
        ((maps[0], "--codecs", "uniform", "--csv", tmp_path / "no" / "out.csv"), "cannot"),
        ((maps[0], "--csv", "-", "--json", "-"), "only one"),
        ((maps[0], "--csv", "-", "--crossover", "-"), "only one"),
        ((maps[0], "--codecs", "uniform", "--crossover", "a.csv"), "--crossover needs uniform and wcc"),
        ((maps[0], "--codecs", "wcc", "--picture", tmp_path / "a.png"), "--picture needs uniform and wcc"),
        ((maps[0], "--picture", tmp_path / "a.txt"), "the ending says the format"),
        ((maps[0], "--picture", tmp_path / "a.png", "--csv", tmp_path / "a.png.csv"), "this name"),
    ]
    for arguments, said in cases:
        result = run(*arguments)
        assert result.exit_code == 2 and said in result.output, (arguments, result.output)
        assert result.output.count("\n") == 1 and "Traceback" not in result.output


def test_a_map_that_no_codec_brings_to_the_rate_is_still_listed() -> None:
    missed = [row("tiny", "uniform", 2.0, 5.0, NEAREST), row("big", "uniform", 2.0, 5.0)]
    text = summary_text(missed)
    assert "tiny" in text and "none within 1 %" in text and "1 of 2 rows did not reach" in text


def test_a_csv_that_is_none_is_refused_with_its_place(tmp_path: Path) -> None:
    path = tmp_path / "rows.csv"
    path.write_text("a,b\n1,2\n")
    with pytest.raises(WccsimError, match="columns"):
        read_rows(path)
    path.write_text(",".join(COLUMNS) + "\n" + ",".join("x" for _ in COLUMNS) + "\n")
    with pytest.raises(WccsimError, match=r"rows\.csv:2:1"):
        read_rows(path)


def row(
    map_: str, codec: str, target: float | None, snr: float, status: str = REACHED, size: int = 64
) -> Row:
    bits, sizes = target or 5.0, '{"index": 100, "payload": 900}'
    return Row(
        map_, "0", 16, size, size, 4, codec, target, status, bits, 1000, 1.0, snr, 3, 1.0, 1.0, snr, 0.0,
        50, 100, 10, 8.0, sizes, "{}",
    )  # fmt: skip


def test_the_crossover_is_where_the_difference_is_zero() -> None:
    rows = [row("m", "wcc", t, s) for t, s in ((2.0, 10.0), (4.0, 14.0), (6.0, 16.0))]
    rows += [row("m", "uniform", t, s) for t, s in ((2.0, 6.0), (4.0, 12.0), (6.0, 22.0))]
    found = crossover(rows, "m")
    assert found.ahead_db == {2.0: 4.0, 4.0: 2.0, 6.0: -6.0} and found.ahead_up_to == 4.5
    assert crossover(rows, "m", "uniform", "wcc").ahead_up_to is None
    lossless = [*rows[:5], row("m", "uniform", 6.0, float("inf"))]
    assert crossover(lossless, "m").ahead_up_to == 6.0
    assert crossover(rows[:2] + rows[3:5], "m").ahead_up_to == float("inf")
    assert winners(rows, "m")[6.0].codec == "uniform"


def test_fewer_bits_win_a_tie_then_the_codec_that_comes_first() -> None:
    def at(codec: str, bits: float) -> Row:
        return replace(row("m", codec, 2.0, 10.0), bits_per_value=bits)

    assert winners([at("wcc", 2.01), at("klt", 1.99)], "m")[2.0].codec == "klt"
    assert winners([at("klt", 1.99), at("wcc", 2.01)], "m")[2.0].codec == "klt"
    assert winners([at("wcc", 2.0), at("klt", 2.0)], "m")[2.0].codec == "wcc"


def test_a_depth_is_read_from_the_name_or_unknown() -> None:
    assert [depth_of(n) for n in ("v2_op014_c32", "a_block3_x", "k_Conv_12_c3", "my_map")] == [
        14,
        3,
        12,
        None,
    ]


def test_conclusions_follow_the_numbers_and_turn_with_them() -> None:
    """The same sentences from swapped numbers say the opposite: none is typed."""

    def said(ahead: str, behind: str) -> str:
        names = (("big", 256), ("small", 16))
        rows = [row(n, ahead, t, 20.0, size=s) for n, s in names for t in (2.0, 4.0)]
        return " ".join(
            conclusions(rows + [row(n, behind, t, 10.0, size=s) for n, s in names for t in (2.0, 4.0)])
        )

    won = "wcc loses less than uniform quantisation on 2 of 2 maps at 2 bits, 2 of 2 maps at 4 bits; "
    assert won + "it loses more on 0 at 2 bits, 0 at 4 bits." in said("wcc", "uniform")
    lost = "on 0 of 2 maps at 2 bits, 0 of 2 maps at 4 bits; it loses more on 2 at 2 bits, 2 at 4 bits."
    assert lost in said("uniform", "wcc")
    assert "At the rates measured here (2, 4 bits)" in said("wcc", "uniform")
    assert "so on 2 of 2 maps, and on 0 it is never ahead" in said("wcc", "uniform")
    assert "so on 0 of 2 maps, and on 2 it is never ahead" in said("uniform", "wcc")
    assert "below 32 x 32: 1/1 at 2" in said("wcc", "uniform") and "below 32 x 32: 0/1 at 2" in said(
        "uniform", "wcc"
    )
    assert "10.0 % of its bits" in said("wcc", "uniform")
    assert "2 bits: uniform on 2" in said("uniform", "wcc")


def test_gains_of_the_switches_are_differences_at_equal_bits() -> None:
    rows = [row("a", "wcc", 2.0, 10.0), row("b", "wcc", 2.0, 12.0), row("a", "wcc+rice", 2.0, 11.0)]
    rows += [
        row("b", "wcc+rice", 2.0, 15.0),
        row("a", "wcc+shift", 2.0, 30.0, NEAREST),
        row("b", "wcc+plain", 2.0, float("inf")),
    ]
    found = {(r.map, r.target): r for r in switch_rows(rows)}
    assert found["a", 2.0].gains_db == (None, None, None, 1.0, *[None] * 4)
    assert dict(zip(SWITCH_NAMES, found["b", 2.0].gains_db, strict=True))["wcc+plain"] == float("inf")
    assert found["mean", 2.0].gains_db == (None, None, None, 2.0, *[None] * 4)
    assert found["mean", 2.0].wcc_snr_db == 11.0
