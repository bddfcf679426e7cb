"""The proofs hold, and they fail where the Verilog or the width is wrong."""

from dataclasses import replace

import pytest
from test_rtl_cosim import need_tools

from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters
from wccsim.rtl.prove import run_proofs
from wccsim.rtl.smt import binned_key, butterfly, multiply_add, obligations, prove, rounding, single
from wccsim.rtl.widths import Signal, butterfly_range, check_widths, inverse_signals, signed_range


def test_no_signal_leaves_its_width() -> None:
    count, wrong = check_widths()
    assert wrong == [] and count > 10_000


def test_one_bit_less_would_not_do() -> None:
    assert not Signal("LL of level 3", (-(128 << 6), 127 << 6), 13).fits
    narrow = [replace(s, bits=s.bits - 1) for s in inverse_signals(WccParameters(levels=3))]
    assert not all(signal.fits for signal in narrow)


def test_the_range_of_a_butterfly_is_attained() -> None:
    low, high = butterfly_range(*[signed_range(8)] * 4)
    assert (low, high) == (-512, 510)  # all -128; a = b = 127, c = d = -128 gives 510


@pytest.mark.rtl
@pytest.mark.parametrize(
    "one",
    [*butterfly(8), rounding(31, 8, -127, 127), single(14, 8, -127, 127), single(32, 16, -32767, 32767),
     single(22, 8, 0, 255), multiply_add(8, 8), binned_key(37, 3)],
    ids=lambda one: one.name,
)  # fmt: skip
def test_the_block_equals_the_specification_for_all_inputs(one) -> None:
    need_tools("yosys", "z3")
    assert prove(one)


@pytest.mark.rtl
def test_a_wrong_specification_is_refuted() -> None:
    need_tools("yosys", "z3")
    assert not prove(replace(butterfly(8)[1], specification=butterfly(8)[2].specification))
    assert not prove(
        replace(rounding(31, 8, -127, 127), specification=rounding(31, 8, -128, 127).specification)
    )


@pytest.mark.rtl
def test_a_double_requantiser_at_a_few_shifts() -> None:
    """All 63 shifts at three widths: `wccsim rtl prove`."""
    need_tools("yosys", "z3")
    [one] = [one for one in obligations() if one.name.startswith("requantiser double 14")]
    assert prove(replace(one, split=(-31, -1, 0, 1, 7, 31)))


def test_every_kind_of_block_has_a_proof() -> None:
    names = " ".join(one.name for one in obligations())
    for kind in (
        "butterfly",
        "requantiser single",
        "requantiser double",
        "clamp",
        "multiply-add 8x8",
        "binned key",
    ):
        assert kind in names


def test_an_unknown_block_is_one_line() -> None:
    with pytest.raises(WccsimError, match="no proof's name holds 'nonsense'"):
        list(run_proofs(["nonsense"]))
