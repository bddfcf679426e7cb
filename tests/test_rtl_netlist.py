"""Synthesised gates compute what the simulator computes, and the gate weights are those of the Verilog."""

import json

import numpy as np
import pytest
from test_rtl_cosim import need_tools

from wccsim.errors import WccsimError
from wccsim.rtl.netlist import VECTORS, Check, checks, run, run_blocks, synthesised
from wccsim.rtl.synth import GATES_JSON, Block, blocks, cells, units, weigh

pytest.importorskip("pyosys", reason="pyosys is not installed: pip install 'wccsim[rtl]'")


def test_every_block_agrees_on_every_vector() -> None:
    verdicts = list(run_blocks())
    assert [str(verdict) for verdict in verdicts if verdict.first] == []
    names = " ".join(verdict.block for verdict in verdicts)
    assert all(
        word in names for word in ("multiplier 8x8, exhaustive", "butterfly", "requantiser", "score", "key")
    )


def test_the_vectors_are_as_many_as_promised() -> None:
    for check in checks():
        count = len(next(iter(check.vectors.values())))
        exhaustive = {"multiplier": 65_536, "lane_score": sum(1 << bits for bits in (10, 12, 14))}
        assert count == exhaustive[check.top] if check.top in exhaustive else count >= VECTORS, check.block


def test_a_wrong_expectation_is_noticed() -> None:
    vectors = {"a": np.array([3, -3]), "b": np.array([5, 5])}
    wrong = Check("wrong", "multiplier", {"AW": 8, "BW": 8}, vectors, {"product": np.array([15, -16])})
    assert "first product at a = -3, b = 5" in str(run(wrong))


def test_a_parameter_that_is_not_there_is_refused() -> None:
    with pytest.raises(WccsimError, match="has no parameter ABSENT"):
        synthesised("multiplier", {"ABSENT": 1})


def test_gates_json_holds_every_block_and_says_how() -> None:
    gates = json.loads(GATES_JSON.read_text())
    assert gates["schema"] == 1 and gates["tool"].startswith("Yosys ") and gates["cells"] == cells()
    assert gates["cells"]["NAND2"] == 1
    wanted: dict[str, set[str]] = {}
    for block in blocks():
        wanted.setdefault(block.name, set()).add(block.size)
    assert {name: set(sizes) for name, sizes in gates["blocks"].items()} == wanted
    assert gates["units"] == units(gates["blocks"])


def test_the_weights_grow_with_the_width() -> None:
    gates = json.loads(GATES_JSON.read_text())["blocks"]
    for name in ("butterfly", "squarer", "adder", "comparator", "shift_requantiser"):
        sizes = sorted(gates[name], key=int)
        assert sorted(gates[name].values()) == [gates[name][size] for size in sizes], name


# docs/datapath.md section 10, measured by another hand on another Verilog with the same Yosys.
SECTION_10 = {
    ("multiplier", "8x8"): 558, ("multiply_add", "8x8"): 804, ("multiply_accumulate", "8x8"): 980,
    ("dot_product_mac", "8x8"): 711, ("multiplier", "6x8"): 422, ("multiply_add", "4x8"): 454,
    ("butterfly", "4"): 209, ("butterfly", "8"): 427, ("butterfly", "16"): 848,
    ("requantiser", "14x16"): 2260, ("requantiser", "22x16"): 3719, ("requantiser", "32x16"): 5095,
    ("squarer", "8"): 408, ("squarer", "11"): 882, ("squarer", "14"): 1536,
}  # fmt: skip


@pytest.mark.parametrize(("block", "size"), SECTION_10)
def test_the_weights_are_near_those_of_the_specification(block: str, size: str) -> None:
    """Within 15 %: the mapper's area moves by up to 7 % with nothing but the order of its input."""
    measured = json.loads(GATES_JSON.read_text())["blocks"][block][size]
    assert measured == pytest.approx(SECTION_10[block, size], rel=0.15)


@pytest.mark.rtl
def test_the_committed_weight_is_what_synthesis_gives(tmp_path) -> None:
    need_tools("yosys")
    gates = json.loads(GATES_JSON.read_text())
    again = weigh(Block("multiplier", "6x8", "multiplier", {"AW": 6, "BW": 8}), tmp_path)
    # Another Yosys maps a little differently.
    assert again == pytest.approx(gates["blocks"]["multiplier"]["6x8"], rel=0.15)
