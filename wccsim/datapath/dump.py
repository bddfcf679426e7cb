"""Every array of a run as npy files in one folder, written whole or not at all."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.folders import refuse_other_folder, replacing_folder

REPORT = "report.json"
FORMAT = "wccsim-dump"


def check_folder(folder: Path) -> None:
    """Refuse a folder that may not be replaced: one that is neither missing, empty nor a dump of ours."""
    refuse_other_folder(folder, _is_dump, "dump of wccsim")


def write_dump(folder: Path, arrays: dict[str, npt.NDArray[Any]], report: dict[str, Any]) -> None:
    """Write NAME.npy for each array and report.json into `folder`, in place of an earlier dump there."""
    check_folder(folder)
    text = json.dumps({"format": FORMAT, **report}, indent=1, ensure_ascii=False, allow_nan=False)
    with replacing_folder(folder) as fresh:
        for name, array in arrays.items():
            np.save(fresh / f"{name}.npy", array, allow_pickle=False)
        (fresh / REPORT).write_text(text + "\n", encoding="utf-8")


def _is_dump(folder: Path) -> bool:
    try:
        report = json.loads((folder / REPORT).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(report, dict) and report.get("format") == FORMAT
