"""Every array of a run as npy files in one folder, written whole or not at all."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError

REPORT = "report.json"
FORMAT = "wccsim-dump"


def check_folder(folder: Path) -> None:
    """Refuse a folder that may not be replaced: one that is neither missing, empty nor a dump of ours."""
    if not folder.parent.is_dir():
        raise WccsimError(f"cannot write {folder}: the folder {folder.parent} does not exist")
    try:
        if folder.is_symlink() or (folder.exists() and not folder.is_dir()):
            raise WccsimError(f"cannot write {folder}: it is no folder")
        if folder.is_dir() and any(folder.iterdir()) and not _is_dump(folder):
            raise WccsimError(f"cannot write {folder}: it is not empty and no dump of wccsim")
    except OSError as problem:
        raise WccsimError(f"cannot write {folder}: {problem.strerror}") from None


def write_dump(folder: Path, arrays: dict[str, npt.NDArray[Any]], report: dict[str, Any]) -> None:
    """Write NAME.npy for each array and report.json into `folder`, in place of an earlier dump there."""
    check_folder(folder)
    try:
        workplace = Path(tempfile.mkdtemp(dir=folder.parent, prefix=f".{folder.name}."))
    except OSError as problem:
        raise WccsimError(f"cannot write {folder}: {problem.strerror}") from None
    try:
        fresh, old = workplace / "new", workplace / "old"
        fresh.mkdir()
        for name, array in arrays.items():
            np.save(fresh / f"{name}.npy", array, allow_pickle=False)
        text = json.dumps({"format": FORMAT, **report}, indent=1, ensure_ascii=False, allow_nan=False)
        (fresh / REPORT).write_text(text + "\n", encoding="utf-8")
        if folder.exists():
            folder.rename(old)
        fresh.rename(folder)
    except OSError as problem:
        raise WccsimError(f"cannot write {folder}: {problem.strerror}") from None
    finally:
        if old.exists() and not folder.exists():
            old.rename(folder)
        shutil.rmtree(workplace, ignore_errors=True)


def _is_dump(folder: Path) -> bool:
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and report.get("format") == FORMAT
