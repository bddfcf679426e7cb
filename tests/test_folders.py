"""Folders are replaced whole or not at all, and never anybody else's."""

from pathlib import Path

import pytest

from wccsim.errors import WccsimError
from wccsim.folders import refuse_other_folder, replacing_folder


def content(folder: Path) -> dict[str, str]:
    return {path.name: path.read_text() for path in folder.iterdir()}


def test_the_new_folder_takes_the_place_of_the_old(tmp_path):
    target = tmp_path / "target"
    for text in ("first", "second"):
        with replacing_folder(target) as fresh:
            (fresh / f"{text}.txt").write_text(text)
    assert content(target) == {"second.txt": "second"}
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    "problem", [OSError(28, "No space left on device"), KeyboardInterrupt(), ValueError()]
)
def test_what_fails_on_the_way_leaves_the_old_folder(tmp_path, problem):
    target = tmp_path / "target"
    target.mkdir()
    (target / "old.txt").write_text("old")
    raised = WccsimError if isinstance(problem, OSError) else type(problem)
    with pytest.raises(raised) as refusal, replacing_folder(target) as fresh:
        (fresh / "new.txt").write_text("new")
        raise problem
    assert content(target) == {"old.txt": "old"} and list(tmp_path.iterdir()) == [target]
    if raised is WccsimError:
        assert str(refusal.value) == f"cannot write {target}: No space left on device"


def test_where_the_last_rename_fails_the_old_folder_comes_back(tmp_path, monkeypatch):
    target = tmp_path / "target"
    target.mkdir()
    (target / "old.txt").write_text("old")
    rename = Path.rename

    def failing(self: Path, to: Path) -> Path:
        if self.name == "new":
            raise OSError(5, "Input/output error")
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", failing)
    with pytest.raises(WccsimError, match="Input/output error"), replacing_folder(target) as fresh:
        (fresh / "new.txt").write_text("new")
    assert content(target) == {"old.txt": "old"} and list(tmp_path.iterdir()) == [target]


def test_only_what_is_missing_empty_or_ours_may_be_replaced(tmp_path):
    def refuse(folder: Path) -> None:
        refuse_other_folder(folder, lambda given: (given / "ours").exists(), "set of ours")

    refuse(tmp_path / "missing")
    folder = tmp_path / "folder"
    folder.mkdir()
    refuse(folder)
    (folder / "thesis.txt").write_text("years of work")
    with pytest.raises(WccsimError, match="not empty and no set of ours"):
        refuse(folder)
    (folder / "ours").touch()
    refuse(folder)
    (tmp_path / "link").symlink_to(folder)
    for other in (tmp_path / "link", folder / "thesis.txt"):
        with pytest.raises(WccsimError, match="it is no folder"):
            refuse(other)
    with pytest.raises(WccsimError, match="does not exist"):
        refuse(tmp_path / "no" / "folder")
