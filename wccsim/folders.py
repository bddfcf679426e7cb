"""Writing folders whole or not at all, and only over what is our own."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from wccsim.errors import WccsimError


def refuse_other_folder(folder: Path, is_ours: Callable[[Path], bool], what: str) -> None:
    """WccsimError unless `folder` may be replaced: it is missing, empty, or `is_ours` says so.

    `what` names what of ours it could be, for the message. A link is never replaced.
    """
    if not folder.parent.is_dir():
        raise WccsimError(f"cannot write {folder}: the folder {folder.parent} does not exist")
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise WccsimError(f"cannot write {folder}: it is no folder")
        if folder.is_dir() and any(folder.iterdir()) and not is_ours(folder):
            raise WccsimError(f"cannot write {folder}: it is not empty and no {what}")
    except OSError as problem:
        raise WccsimError(f"cannot write {folder}: {problem.strerror}") from None


@contextmanager
def replacing_folder(folder: Path) -> Iterator[Path]:
    """An empty folder beside `folder` that takes its place when the block ends without an error.

    What stood at `folder` before is untouched unless the block succeeds, and comes back where the last
    rename fails. Raises WccsimError where nothing may be written there.
    """
    try:
        workplace = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as problem:
        raise WccsimError(f"cannot write {folder}: {problem.strerror}") from None
    fresh, old = workplace / "new", workplace / "old"
    try:
        fresh.mkdir()
        yield fresh
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as problem:
        raise WccsimError(f"cannot write {folder}: {problem.strerror}") from None
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(workplace, ignore_errors=True)
