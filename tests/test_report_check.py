"""The check of a report: any byte counts where the tools are the same, numbers and words count everywhere."""

import json
from pathlib import Path

import pytest

from wccsim.report.check import TOOLS_FILE, compared, tools

pytest.importorskip("matplotlib", reason="the report is made with matplotlib (extra plot)")
PAGE = '<p>ahead on 3 maps</p><img alt="a" src="data:image/png;base64,AAAA"><p>end</p>'


def folders(tmp_path: Path, **changes: str | None) -> tuple[Path, Path]:
    """A report made here, and a committed copy with `changes` by file stem; None removes the file."""
    files = {
        "comparison.csv": "a,b\n1,2\n",
        "index.html": PAGE,
        "picture.png": "one",
        "switches.svg": "<svg/>",
        TOOLS_FILE: tools(),
    }
    made, committed = tmp_path / "made", tmp_path / "committed"
    for folder in (made, committed):
        folder.mkdir(parents=True)
        for name, text in files.items():
            changed = changes.get(name.split(".")[0], text) if folder == committed else text
            if changed is not None:
                (folder / name).write_text(changed)
    return made, committed


def of_other(tool: str) -> str:
    return json.dumps({**json.loads(tools()), tool: "0.0.1"})


@pytest.mark.parametrize(
    "changes",
    [
        {"comparison": "a,b\n1,3\n"},
        {"index": PAGE.replace("3 maps", "4 maps")},
        {"index": PAGE.replace("AAAA", "AAAB")},
        {"picture": "two"},
        {"switches": "<svg />"},
        {"switches": None},
    ],
)
def test_with_the_same_tools_any_byte_fails(changes: dict[str, str | None], tmp_path: Path) -> None:
    found = compared(*folders(tmp_path, **changes))
    assert found.failed and found.redrawn == () and found.tools == ()
    assert [name.split(".")[0] for name in found.differs] == list(changes)


@pytest.mark.parametrize("tool", ["matplotlib", "pillow"])
def test_other_drawing_tools_excuse_figures_and_nothing_else(tool: str, tmp_path: Path) -> None:
    drawn = {"picture": "two", "switches": "<svg />", "index": PAGE.replace("AAAA", "AAAB")}
    found = compared(*folders(tmp_path / "a", made_with=of_other(tool), **drawn))
    assert not found.failed and found.redrawn == found.differs and len(found.differs) == 3
    assert found.tools[0].startswith(f"{tool} 0.0.1, here ")
    for number, change in enumerate([
        {"comparison": "a,b\n1,3\n"},
        {"index": PAGE.replace("3 maps", "4 maps")},
        {"picture": None},
    ]):  # fmt: skip
        found = compared(*folders(tmp_path / str(number), made_with=of_other(tool), **change))
        assert found.failed


def test_another_zlib_is_named_and_excuses_no_figure(tmp_path: Path) -> None:
    found = compared(*folders(tmp_path, made_with=of_other("zlib"), picture="two"))
    assert found.failed and found.tools[0].startswith("zlib 0.0.1")


@pytest.mark.parametrize("text", [None, "{", "[1]", '{"matplotlib": "9'])
def test_a_report_that_does_not_say_its_tools_is_held_to_every_byte(text: str | None, tmp_path: Path) -> None:
    found = compared(*folders(tmp_path, made_with=text, picture="two"))
    assert found.failed and not found.redrawn


def test_a_file_that_is_only_committed_fails(tmp_path: Path) -> None:
    made, committed = folders(tmp_path)
    assert not compared(made, committed).differs
    (committed / "old.csv").write_text("left over")
    assert compared(made, committed).differs == ("old.csv",)
