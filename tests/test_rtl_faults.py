"""The checks bite: every named fault, seeded alone, is seen."""

import pytest
from test_rtl_cosim import need_tools

from wccsim.errors import WccsimError
from wccsim.rtl.fault_list import PYTHON, VERILOG, Fault
from wccsim.rtl.faults import run_faults, seeded


def test_there_are_faults_enough_and_each_has_a_name() -> None:
    for faults in (VERILOG, PYTHON):
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
    assert [outcome.name for outcome in outcomes] == [fault.name for fault in PYTHON]


def test_a_fault_that_does_not_apply_once_is_refused() -> None:
    fault = Fault("never", "x.v", (("absent", "other"),))
    with pytest.raises(WccsimError, match=r"stands 0 times in x\.v, not once"):
        seeded(fault, "text")
    with pytest.raises(WccsimError, match="stands 2 times"):
        seeded(Fault("twice", "x.v", (("a", "b"),)), "a a")


def test_an_unknown_fault_is_one_line() -> None:
    with pytest.raises(WccsimError, match="there is no fault 'nonsense'"):
        list(run_faults(["nonsense"]))
