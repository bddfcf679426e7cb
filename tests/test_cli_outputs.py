"""Outputs are checked before any work: what is named in vain costs no minutes, and no input is destroyed."""

import os
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

from wccsim.cli import main
from wccsim.errors import WccsimError
from wccsim.files import check_outputs, check_plot

NETWORK = "name: n\ninput: 3x8x8\nlayers:\n  - {conv: a, out: 4}\n  - {conv: b, out: 4}\n"


@pytest.fixture(autouse=True)
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "net.yaml").write_text(NETWORK)
    (tmp_path / "folder").mkdir()
    random = np.random.default_rng(1)
    arrays = {
        "x": random.integers(-128, 128, (4, 16, 16), dtype=np.int8),
        "x_scale": np.float32(0.1),
        "w": random.integers(-127, 128, (3, 4), dtype=np.int8),
        "w_scale": np.full(3, 0.01, np.float32),
    }
    np.savez("map.npz", **arrays)
    return tmp_path


def state(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def refused(*arguments: str) -> str:
    done = CliRunner().invoke(main, list(arguments))
    assert done.exit_code == 2 and done.output.count("\n") == 1 and "Traceback" not in done.output, (
        done.output
    )
    return done.output


COMPARE = ("compare", "map.npz", "--bits", "4", "--codecs", "uniform")
SIMULATE = ("simulate", "map.npz", "--keep", "25%")
COMMANDS = (
    ("bops", "net.yaml"),
    ("cost", "net.yaml"),
    ("roofline", "net.yaml"),
    ("sweep", "net.yaml"),
    ("allocate", "net.yaml", "--budget", "bops=1e9"),
    ("paper",),
    ("validate",),
    ("accelerators",),
    ("gemm", "3x4x5"),
    COMPARE,
    SIMULATE,
)


@pytest.mark.parametrize("command", COMMANDS, ids=lambda command: str(command[0]))
@pytest.mark.parametrize("output", ["folder", "missing/out.json", ""])
def test_an_output_that_cannot_be_written_is_refused_and_nothing_is_left(
    command: tuple[str, ...], output: str, workplace: Path
) -> None:
    before = state(workplace)
    said = refused(*command, "--json", output)
    assert output in said and ("cannot write" in said or "empty name" in said)
    assert state(workplace) == before


@pytest.mark.parametrize("command", COMMANDS[:5], ids=lambda command: str(command[0]))
@pytest.mark.parametrize("option", ["--csv", "--json", "--parquet", "--html"])
def test_no_command_replaces_the_network_it_reads(
    command: tuple[str, ...], option: str, workplace: Path
) -> None:
    assert "it is an input" in refused(*command, option, str(workplace / "folder" / ".." / "net.yaml"))
    assert Path("net.yaml").read_text() == NETWORK


@pytest.mark.parametrize(
    "arguments",
    [
        (*COMPARE, "--csv", "map.npz"),
        (*COMPARE, "--json", "map.npz"),
        (*COMPARE, "--html", "map.npz"),
        (*COMPARE, "--store", "map.npz"),
        (*COMPARE, "--store", "map.npz", "--fresh"),
        (*COMPARE, "--weights", "4", "--csv", "map.csv", "--json", "map.weights.csv"),
        (*SIMULATE, "--json", "map.npz"),
        (*SIMULATE, "--save-layer", "map.npz"),
        (*SIMULATE, "--json", "one", "--save-layer", "one"),
        ("diff", "net.yaml", "net.yaml", "--csv", "net.yaml"),
        ("import", "net.yaml", "-o", "net.yaml"),
        ("bops", "net.yaml", "--csv", "one", "--json", "./one"),
    ],
)
def test_no_output_replaces_an_input_or_another_output(arguments: tuple[str, ...], workplace: Path) -> None:
    before = state(workplace)
    said = refused(*arguments)
    assert "it is an input" in said or "two outputs have this name" in said
    assert state(workplace) == before


@pytest.mark.parametrize("fresh", ["--fresh", "--resume"])
def test_a_file_that_is_no_store_is_neither_deleted_nor_appended_to(fresh: str, workplace: Path) -> None:
    Path("notes.txt").write_text("mine")
    before = state(workplace)
    assert "no store of results" in refused(*COMPARE, "--store", "notes.txt", fresh)
    assert "it is a folder" in refused(*COMPARE, "--store", "folder", fresh)
    assert state(workplace) == before
    for cut in ("", '{"ke', '{"key": "0"'):  # what an interruption may leave
        Path("store").write_text(cut)
        done = CliRunner().invoke(main, [*COMPARE, "--store", "store", fresh])
        assert done.exit_code == 0, done.output


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("plot.txt", "the ending says the format"),
        ("plot", "allowed: .png"),
        ("missing/a.png", "folder missing"),
    ],
)
def test_a_plot_that_cannot_be_drawn_is_refused_before_the_work(
    name: str, said: str, workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    pytest.importorskip("matplotlib", reason="a plot is refused for want of matplotlib first (extra plot)")
    before = state(workplace)
    for command in (COMPARE, ("roofline", "net.yaml"), ("sweep", "net.yaml")):
        assert said in refused(*command, "--plot", name)
    assert state(workplace) == before


def test_drawing_without_matplotlib_is_refused_before_the_work(
    workplace: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("wccsim.files.find_spec", lambda name: None)
    before = state(workplace)
    for arguments in (
        (*COMPARE, "--plot", "a.png"),
        (*COMPARE, "--html", "a.html"),
        ("roofline", "net.yaml", "--plot", "a.png"),
        ("report", "--part", "default"),
    ):
        assert "pip install 'wccsim[plot]'" in refused(*arguments)
    assert state(workplace) == before
    with pytest.raises(WccsimError, match="matplotlib"):
        check_plot("a.png")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("rtl", "synth", "--out", "missing/gates.json"), "the folder missing does not exist"),
        (("rtl", "synth", "--out", "folder"), "it is a folder"),
        (("rtl", "check", "folder", "--timeout", "nan"), "--timeout is nan"),
        (("rtl", "check", "folder", "--timeout", "inf"), "range"),
    ],
)
def test_what_takes_minutes_is_refused_before_it_starts(arguments: tuple[str, ...], said: str) -> None:
    assert said in refused(*arguments)


def test_a_list_and_one_description_are_not_both_printed() -> None:
    assert "ask for one" in refused("accelerators", "--show", "edge_npu_wcc", "--csv", "list.csv")
    assert not Path("list.csv").exists()


def test_standard_output_and_devices_pass_and_links_are_seen_through(workplace: Path) -> None:
    check_outputs(["-", "-", "new.csv"], ["net.yaml"])
    if Path("/dev/null").is_char_device():
        check_outputs(["/dev/null", "/dev/null"])
    Path("link.yaml").symlink_to("net.yaml")
    with pytest.raises(WccsimError, match="it is an input"):
        check_outputs(["link.yaml"], ["net.yaml"])
    with pytest.raises(WccsimError, match="cannot write"):
        check_outputs(["a" * 5000])


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_the_right_to_write_is_refused(workplace: Path) -> None:
    (workplace / "folder").chmod(0o555)
    assert "may not be written" in refused("bops", "net.yaml", "--csv", "folder/out.csv")
