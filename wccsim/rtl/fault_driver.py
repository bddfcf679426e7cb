"""The child process of the Python faults: runs a copy of the package, broken one fault at a time.

`python -m wccsim.rtl.fault_driver WORK` with WORK/wccsim the copy and WORK first on the path. Reads the
faults from WORK/faults.json; prints one JSON line per fault: its name and what was found, or null. What is
right is what the plain path makes of the whole package; without a fault every path must agree with it, or
what a fault changes could not be told.
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
FAST_ARRAYS = ("energy", "kept", "out")  # what a fast path leaves behind


def claim(counter: Any) -> int:
    """The intrinsic of `workers`, interpreted, for one thread."""
    counter[0] += 1
    return int(counter[0]) - 1


def prefetch(array: Any, at: int) -> None:
    """The intrinsic of `workers`: a hint that changes nothing."""


def mac_tile(panels: Any, panel_at: int, weights: Any, weights_at: int, sums: Any, pairs: int) -> None:
    """The intrinsic of `product`, from its docstring: pairs of int16 in words of 32 bits."""
    product = importlib.import_module("wccsim.datapath.product")
    panel, rows = product.PANEL, product.ROWS
    left = weights[weights_at : weights_at + pairs * rows].view(np.int16).reshape(pairs, rows, 2)
    right = panels[panel_at : panel_at + pairs * panel].view(np.int16).reshape(pairs, panel, 2)
    exact = np.einsum("prk,pjk->rj", left.astype(np.int64), right.astype(np.int64))
    sums[: rows * panel] = exact.astype(np.int32).reshape(-1)


INTRINSICS = {twin.__name__: twin for twin in (claim, prefetch, mac_tile)}


def interpret_intrinsics() -> None:
    """In every module of the datapath that uses an intrinsic, its twin takes its place."""
    importlib.import_module("wccsim.datapath.portable")
    for name, module in list(sys.modules.items()):
        if name.startswith("wccsim.datapath."):
            for intrinsic, twin in INTRINSICS.items():
                if hasattr(module, intrinsic):
                    setattr(module, intrinsic, twin)


def forget_package() -> None:
    """So that the next import reads the files again."""
    for name in [name for name in sys.modules if name == "wccsim" or name.startswith("wccsim.")]:
        del sys.modules[name]


def run_cases(names: list[str], path: str) -> dict[str, Any]:
    """The arrays of the named cases on a path, by a fresh import of the package."""
    forget_package()
    fast = path != "plain"
    if fast:
        interpret_intrinsics()
    sets, layer = (importlib.import_module(f"wccsim.rtl.{name}") for name in ("sets", "fault_cases"))
    run_plan = importlib.import_module("wccsim.datapath.layer").run_plan
    found = {}
    for name in names:
        plan, x = sets.build(layer.case_of(name))
        result = run_plan(plan, x, path=path, outputs_only=fast)
        if result.path != path:
            raise RuntimeError(f"case {name} does not run on path {path}: {result.path_reason}")
        found[name] = {array: getattr(result, array) for array in (FAST_ARRAYS if fast else ARRAYS)}
    return found


def first_difference(expected: dict[str, Any], got: dict[str, Any]) -> str | None:
    """Case, stage and index of the first word that differs."""
    for case, arrays in got.items():
        for stage, wrong in arrays.items():
            right = expected[case][stage]
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
    right = run_cases(sorted({case for fault in faults for case in fault["cases"]}), "plain")
    for path in sorted({fault["path"] for fault in faults} - {"plain"}):
        cases = sorted({case for fault in faults if fault["path"] == path for case in fault["cases"]})
        if difference := first_difference(right, run_cases(cases, path)):
            raise SystemExit(
                f"path {path}, interpreted and without a fault, differs from plain: {difference}"
            )
    for fault in faults:
        path = work / "wccsim" / fault["file"]
        whole = path.read_text(encoding="utf-8")
        text = whole
        for old, new in fault["edits"]:
            text = text.replace(old, new)
        path.write_text(text, encoding="utf-8")
        try:
            found = first_difference(right, run_cases(fault["cases"], fault["path"]))
        except Exception as problem:  # a crash is noticed too
            found = f"stopped by {type(problem).__name__}: {problem}"
        path.write_text(whole, encoding="utf-8")
        print(json.dumps({"name": fault["name"], "found": found}), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
