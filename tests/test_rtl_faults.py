"""The checks bite: every named fault, seeded alone, is seen."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import asdict
from pathlib import Path

import pytest
from test_rtl_cosim import need_tools

from wccsim.errors import WccsimError
from wccsim.rtl.fast_fault_list import PORTABLE
from wccsim.rtl.fault_list import PYTHON, VERILOG, Fault
from wccsim.rtl.faults import PACKAGE, run_faults, seeded


def test_there_are_faults_enough_and_each_has_a_name() -> None:
    for faults in (VERILOG, PYTHON, PORTABLE):
        assert len(faults) >= 16 and len({fault.name for fault in faults}) == len(faults)


@pytest.mark.rtl
def test_every_verilog_fault_is_caught() -> None:
    need_tools("iverilog", "vvp")
    outcomes = list(run_faults(where="verilog"))
    assert [str(outcome) for outcome in outcomes if not outcome.caught] == []
    assert [outcome.name for outcome in outcomes] == [fault.name for fault in VERILOG]


def test_every_python_fault_is_caught() -> None:
    outcomes = list(run_faults(where="python"))
    assert [str(outcome) for outcome in outcomes if not outcome.caught] == []
    assert [outcome.name for outcome in outcomes] == [fault.name for fault in (*PYTHON, *PORTABLE)]


@pytest.mark.parametrize("fault", (*PYTHON, *PORTABLE), ids=lambda fault: fault.name)
def test_every_fault_still_applies_to_its_file(fault: Fault) -> None:
    """An edit of a kernel may take a fault's place away: then the fault must follow, here by name."""
    text = (PACKAGE / fault.file).read_text(encoding="utf-8")
    assert seeded(fault, text) != text


def test_a_path_that_errs_without_a_fault_is_no_catch(tmp_path: Path) -> None:
    """What would be `caught` on a path that is wrong anyway proves nothing: the run ends, and says why."""
    shutil.copytree(PACKAGE, tmp_path / "wccsim", ignore=shutil.ignore_patterns("__pycache__", "data"))
    kernel = tmp_path / "wccsim" / "datapath" / "portable.py"
    kernel.write_text(kernel.read_text().replace("I32(coarse + fine) + half", "I32(coarse + fine)"))
    (tmp_path / "faults.json").write_text(json.dumps([asdict(PORTABLE[0])]))
    done = subprocess.run(
        [sys.executable, "-m", "wccsim.rtl.fault_driver", str(tmp_path)],
        env={**os.environ, "NUMBA_DISABLE_JIT": "1", "WCCSIM_THREADS": "1", "PYTHONPATH": str(tmp_path)},
        cwd=tmp_path, capture_output=True, text=True, timeout=120,
    )  # fmt: skip
    assert done.returncode == 1 and done.stdout == ""
    assert "path portable, interpreted and without a fault, differs from plain" in done.stderr


def test_a_fault_that_does_not_apply_once_is_refused() -> None:
    fault = Fault("never", "x.v", (("absent", "other"),))
    with pytest.raises(WccsimError, match=r"stands 0 times in x\.v, not once"):
        seeded(fault, "text")
    with pytest.raises(WccsimError, match="stands 2 times"):
        seeded(Fault("twice", "x.v", (("a", "b"),)), "a a")


def test_an_unknown_fault_is_one_line() -> None:
    with pytest.raises(WccsimError, match="there is no fault 'nonsense'"):
        list(run_faults(["nonsense"]))
