"""The report: written from its CSVs, the same bytes twice, a changed byte found."""

from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from test_compare_parts import natural_map

from wccsim.cli import main
from wccsim.compare import run
from wccsim.compare.run import compare_maps
from wccsim.default_maps import default_map_paths
from wccsim.errors import WccsimError
from wccsim.report import build as building
from wccsim.report.build import Part, build, draw, real_maps
from wccsim.report.check import compared
from wccsim.report.panels import panel_rows, panels_of

pytest.importorskip("matplotlib", reason="the report draws figures (extra plot)")
COMMITTED = Path(__file__).parent.parent / "reports" / "compare"


@pytest.fixture
def part(tmp_path: Path) -> Part:
    for name, shape in (("one_op001", (8, 40, 40)), ("two_op009", (12, 16, 16))):
        np.savez(tmp_path / f"{name}.npz", x=natural_map(shape), x_scale=np.float32(1))
    codecs = ("uniform", "wcc", "wcc+rice", "rice")
    return Part("made", tuple(sorted(tmp_path.glob("*.npz"))), codecs, "made maps", (2.0, 3.0))


def test_two_builds_give_the_same_bytes(part: Part, tmp_path: Path) -> None:
    build(part, tmp_path / "a", jobs=1, watch=lambda items, total: items)
    build(part, tmp_path / "b", jobs=2, watch=lambda items, total: items)
    assert compared(tmp_path / "a", tmp_path / "b").differs == ()
    names = sorted(path.name for path in (tmp_path / "a").iterdir())
    assert names == sorted([
        "comparison.csv", "comparison.csv.provenance.json", "crossover.csv", "index.html", "inputs.csv",
        "made_with.json", "network.csv", "picture.csv", "picture.png", "rate_distortion.svg", "switches.csv",
        "switches.svg",
    ])  # fmt: skip
    for path in (tmp_path / "a").glob("*.csv"):
        text = path.read_text()
        assert str(tmp_path) not in text and text.endswith("\n")


def test_figures_and_page_follow_the_csv(part: Part, tmp_path: Path) -> None:
    build(part, tmp_path / "a", jobs=1, watch=lambda items, total: items)
    before = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    text = (tmp_path / "a" / "comparison.csv").read_text()
    lines = text.splitlines()
    assert ",uniform,2.0,reached," in lines[1]
    lines[1] = lines[1].replace(",uniform,2.0,reached,", ",uniform,2.0,not reached,")
    (tmp_path / "a" / "comparison.csv").write_text("\n".join(lines) + "\n")
    draw(part, tmp_path / "a")
    after = {path.name: path.read_bytes() for path in (tmp_path / "a").iterdir()}
    changed = {name for name in before if before[name] != after[name]}
    assert {"comparison.csv", "crossover.csv", "rate_distortion.svg", "index.html"} <= changed
    assert "inputs.csv" not in changed and "picture.png" not in changed


@pytest.mark.parametrize("suffix", [".npz", ".npy"])
@pytest.mark.parametrize("rates", ["2,4", "3,4"])
def test_every_comparison_has_a_picture_and_says_where_wcc_wins(
    suffix: str, rates: str, tmp_path: Path
) -> None:
    x = natural_map((4, 40, 48))
    path = tmp_path / f"photo_op014_c4{suffix}"
    np.savez(path, x=x, x_scale=np.float32(1)) if suffix == ".npz" else np.save(path, x)
    page = tmp_path / "out.html"
    command = ["compare", str(path), "--bits", rates, "--codecs", "uniform,wcc,wcc-combined", "--jobs", "1"]
    done = CliRunner().invoke(main, [*command, "--html", str(page)])
    assert done.exit_code == 0, done.output
    said = " ".join(done.output.split())
    least = rates[0]
    assert f"At equal bits wcc loses less than uniform quantisation on 1 of 1 maps at {least} bits" in said
    assert "wcc-combined against uniform: ahead 1" in said
    assert max(map(len, done.output.splitlines())) <= 100
    text = page.read_text()
    assert "A channel, side by side" in text and "<th>depth</th>" in text and "<td>14</td>" in text
    rows = compare_maps([path], [float(r) for r in rates.split(",")], ["uniform", "wcc"])
    titles = [title for title, pixels in panels_of(panel_rows(rows, [path])) if pixels.shape == (40, 48)]
    assert [title.split(" (")[0] for title in titles[1:]] == [f"uniform, {least} bits", "WCC, same bits"]
    assert panel_rows([row for row in rows if row.codec == "wcc"], [path]) == []


def test_real_maps_are_known_by_their_digest(tmp_path: Path) -> None:
    folder = tmp_path / "maps"
    folder.mkdir()
    np.savez(folder / "a.npz", x=natural_map((2, 8, 8)), x_scale=np.float32(1))
    listed = tmp_path / "inputs.csv"
    assert real_maps(folder, listed) == (folder / "a.npz",)
    listed.write_text(f"map,sha256\na,{building.sha256_of(folder / 'a.npz')}\n")
    assert real_maps(folder, listed) == (folder / "a.npz",)
    np.savez(folder / "a.npz", x=natural_map((2, 8, 8), seed=9), x_scale=np.float32(1))
    with pytest.raises(WccsimError, match="not the map"):
        real_maps(folder, listed)
    assert real_maps(None, listed) == real_maps(tmp_path / "absent", listed) == ()


def test_check_compares_and_says_what_it_could_not(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "default_part", lambda maps: part)
    folder = tmp_path / "nested" / "reports"
    folder.mkdir(parents=True)

    def called(*arguments: str) -> tuple[int, str]:
        result = CliRunner().invoke(main, ["report", "--folder", str(folder), "--jobs", "1", *arguments])
        return result.exit_code, result.output

    assert called("--check", "--part", "default")[0] == 2
    for arguments, said in (
        (("--real", str(tmp_path / "absent")), "it is no folder"),
        (("--real", str(tmp_path / "nested")), "it holds no npz file"),
        (("--part", "real"), "the real maps are absent"),
        (("--jobs", "-1"), "jobs is -1; allowed"),
    ):
        code, text = called(*arguments)
        assert code == 2 and said in text and text.count("\n") == 1
        assert not (folder / "compare").exists()
    code, text = called()
    assert code == 0 and "not regenerated" in text and "written" in text
    assert called("--check", "--part", "default") == (0, f"same bytes: {folder / 'compare' / 'made'}\n")
    assert not list(folder.rglob("*.partial.jsonl"))
    figure = folder / "compare" / "made" / "rate_distortion.svg"
    drawn = figure.read_bytes()
    figure.write_text("<svg/>")
    code, text = called("--check", "--part", "default")
    assert code == 1 and text == f"differs: {figure}\n"
    figure.write_bytes(drawn)
    changed = folder / "compare" / "made" / "comparison.csv"
    changed.write_text(changed.read_text().replace("reached", "Reached", 1))
    code, text = called("--check", "--part", "default")
    assert code == 1 and "comparison.csv" in text


def test_an_interrupted_check_goes_on_where_it_stopped(
    part: Part, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(building, "default_part", lambda maps: part)
    command = ["report", "--part", "default", "--folder", str(tmp_path / "reports"), "--jobs", "1"]
    assert CliRunner().invoke(main, command).exit_code == 0
    done: list[str] = []

    def interrupted(task: run.Task) -> list[run.Result]:
        if len(done) == 3:
            raise KeyboardInterrupt
        done.append(task.codec)
        return work(task)

    work = run.work
    monkeypatch.setattr(run, "work", interrupted)
    assert CliRunner().invoke(main, [*command, "--check"]).exit_code == 130
    left = tmp_path / "reports" / "compare" / "made.check.partial.jsonl"
    assert left.is_file()
    again: list[str] = []

    def counted(task: run.Task) -> list[run.Result]:
        again.append(task.codec)
        return work(task)

    monkeypatch.setattr(run, "work", counted)
    result = CliRunner().invoke(main, [*command, "--check"])
    assert result.exit_code == 0 and "same bytes" in result.output
    assert len(again) == len(part.maps) * len(part.codecs) - 3 and not left.exists()


def test_rebuilding_the_default_maps_by_command(tmp_path: Path) -> None:
    pytest.importorskip("skimage", reason="rebuilding the default maps needs scikit-image (extra images)")
    result = CliRunner().invoke(main, ["report", "--maps", str(tmp_path / "maps")])
    assert result.exit_code == 0
    assert {path.name for path in (tmp_path / "maps").iterdir()} == {
        path.name for path in default_map_paths()
    }


@pytest.mark.parametrize("name", ["default", "real"])
def test_the_committed_pages_and_tables_follow_from_the_committed_csv(name: str, tmp_path: Path) -> None:
    """Without computing the comparison again: tables drawn from comparison.csv are the committed ones."""
    folder = COMMITTED / name
    if not (folder / "picture.csv").is_file():
        pytest.skip(f"no reports/compare/{name} in this copy of the project")
    for source in ("comparison.csv", "picture.csv"):
        (tmp_path / source).write_bytes((folder / source).read_bytes())
    draw(Part(name, (), (), ""), tmp_path)
    for table in ("switches.csv", "crossover.csv", "network.csv"):
        assert (tmp_path / table).read_bytes() == (folder / table).read_bytes()
