"""The child process of the Python faults: runs a copy of the package, broken one fault at a time.

`python -m wccsim.rtl.fault_driver WORK` with WORK/wccsim the copy and WORK first on the path. Reads the
faults from WORK/faults.json; prints one JSON line per fault: its name and what was found, or null.
"""

from __future__ import annotations

import importlib
import json
import sys
import warnings
from pathlib import Path
from typing import Any

import numpy as np

ARRAYS = ("coefficients", "energy", "kept", "q", "acc", "y", "out")


def forget_package() -> None:
    """So that the next import reads the files again."""
    for name in [name for name in sys.modules if name == "wccsim" or name.startswith("wccsim.")]:
        del sys.modules[name]


def run_cases(names: list[str]) -> dict[str, Any]:
    """The arrays of the named cases on the plain path, by a fresh import of the package."""
    forget_package()
    sets, layer = (importlib.import_module(f"wccsim.rtl.{name}") for name in ("sets", "fault_cases"))
    run_plan = importlib.import_module("wccsim.datapath.layer").run_plan
    found = {}
    for name in names:
        plan, x = sets.build(layer.case_of(name))
        result = run_plan(plan, x, path="plain")
        found[name] = {array: getattr(result, array) for array in ARRAYS}
    return found


def first_difference(expected: dict[str, Any], got: dict[str, Any]) -> str | None:
    """Case, stage and index of the first word that differs."""
    for case, arrays in expected.items():
        for stage, right in arrays.items():
            wrong = got[case][stage]
            if right.shape != wrong.shape:
                return f"{case}: {stage} has shape {wrong.shape}, expected {right.shape}"
            if not np.array_equal(right, wrong):
                index = tuple(int(i) for i in np.argwhere(right != wrong)[0])
                words = f"expected {right[index]}, got {wrong[index]}"
                return f"{case}: {stage} first differs at {list(index)}: {words}"
    return None


def main(work: Path) -> None:
    """Every fault of WORK/faults.json, one JSON line each."""
    warnings.simplefilter("ignore")  # a fault may overflow; what counts is what comes out
    sys.dont_write_bytecode = True
    faults = json.loads((work / "faults.json").read_text(encoding="utf-8"))
    right = run_cases(sorted({case for fault in faults for case in fault["cases"]}))
    for fault in faults:
        path = work / "wccsim" / fault["file"]
        whole = path.read_text(encoding="utf-8")
        text = whole
        for old, new in fault["edits"]:
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        try:
            found = first_difference(
                {case: right[case] for case in fault["cases"]}, run_cases(fault["cases"])
            )
        except Exception as problem:  # a crash is noticed too
            found = f"stopped by {type(problem).__name__}: {problem}"
        path.write_text(whole, encoding="utf-8")
        print(json.dumps({"name": fault["name"], "found": found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
