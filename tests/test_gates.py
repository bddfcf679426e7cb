"""Gate-weighted counts: the weights by width, and what they say of the paper's example."""

import json
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import pytest

from wccsim import WccsimError
from wccsim.counting.count import LayerCount, count_network, stage_bops
from wccsim.counting.gates import GATES_JSON, GateWeights, read_gates
from wccsim.counting.options import CountingOptions, configured
from wccsim.network.model import Layer, Network, Shape

# Figures of an independent feasibility synthesis of such blocks (Yosys 0.23, area, NAND2 = 1 GE).
STUDY = GateWeights(
    mac={16: 297, 32: 426, 48: 596, 64: 711},
    butterfly={4: 209, 6: 324, 8: 427, 10: 545, 12: 660, 14: 744, 16: 848, 22: 1160},
    requantise={14: 2260, 22: 3719, 32: 5095},
    square={8: 408, 11: 882, 14: 1536},
    add={8: 50, 64: 400},
    compare={8: 30, 64: 240},
)


def example(keep: Fraction | None, gates: GateWeights = STUDY, **options: str) -> LayerCount:
    """The paper's 160 -> 960 channels on 34 x 34, 8 bits."""
    shape = Shape(160, 34, 34)
    layers = (
        Layer("input", "input", (), shape, shape),
        Layer("layer", "conv", ("input",), shape, Shape(960, 34, 34), keep=keep),
    )
    chosen = CountingOptions(definition="gates", **options)  # type: ignore[arg-type]
    return count_network(Network("example", layers), chosen, gates)[0]


def saving(gates: GateWeights, padding: str) -> float:
    return float(Fraction(example(None, gates).bops) / example(Fraction(1, 4), gates, padding=padding).bops)


def test_what_bops_leave_out_on_the_papers_example() -> None:
    """BOPs say 3.93x; the study found 3.47x in gates and 2.59x once the padding to 40x40 is charged."""
    assert saving(STUDY, "published") == pytest.approx(3.47, abs=0.03)
    assert saving(STUDY, "padded") == pytest.approx(2.59, abs=0.03)


@pytest.mark.skipif(
    not GATES_JSON.is_file(), reason="gates.json is made by `wccsim rtl synth`, which needs Yosys"
)
def test_the_projects_own_gates_say_the_same() -> None:
    gates = read_gates()
    assert len(gates.sha256) == 64
    assert saving(gates, "published") == pytest.approx(3.5, abs=0.15)
    assert saving(gates, "padded") == pytest.approx(2.6, abs=0.15)


def test_stages_add_up_under_gates_too() -> None:
    counted = example(Fraction(1, 4))
    stages = stage_bops(counted.layer, CountingOptions(definition="gates"), STUDY)
    assert sum(stages.values()) == counted.bops
    assert counted.bops_conv == stages["mac"] + stages["requantise_sum"]


def test_a_stage_worked_by_hand() -> None:
    """R1 on 160 channels and 400 kept positions: one requantiser of 14-bit words each."""
    stages = stage_bops(example(Fraction(1, 4)).layer, CountingOptions(definition="gates"), STUDY)
    assert stages["requantise"] == 160 * 400 * 2260
    assert stages["mac"] == 160 * 960 * 400 * 711
    # Level l has 1600 / 4^l butterflies a channel, of 8, 10 and 12 bits.
    assert stages["haar"] == 160 * (400 * 427 + 100 * 545 + 25 * 660)


def test_the_inverse_of_five_levels_is_no_wider_than_its_widest_word() -> None:
    """Words of 16 bits widen by 2 a level to 22; at level 1 the inverse needs 23, not 24 bits.

    A butterfly of w bits weighs w here, and level l has 1024 / 4^l of them in each of the 3 channels.
    """
    gates = replace(STUDY, butterfly={width: width for width in range(8, 30)})
    gates = replace(gates, square={8: 1, 64: 1}, requantise={8: 1, 64: 1})
    shape = Shape(2, 32, 32)
    layer = Layer("layer", "conv", ("input",), shape, Shape(3, 32, 32), keep=Fraction(1, 4), levels=5)
    stages = stage_bops(layer, CountingOptions(definition="gates"), gates)
    assert stages["inverse"] == 3 * (1 * 16 + 4 * 18 + 16 * 20 + 64 * 22 + 256 * 23)
    assert stages["haar"] == 2 * (256 * 8 + 64 * 10 + 16 * 12 + 4 * 14 + 1 * 16)


def test_between_measured_widths_is_linear_and_outside_is_refused() -> None:
    assert STUDY.of("butterfly", 8) == 427
    assert STUDY.of("butterfly", 9) == Fraction(427 + 545, 2)
    assert STUDY.of("butterfly", 7) == 376  # 375.5: to nearest, a tie to the even one
    assert STUDY.of("requantise", 21) == 3537  # 3536.625
    with pytest.raises(WccsimError, match="no gate weight of butterfly at width 3; measured: 4 to 22"):
        STUDY.of("butterfly", 3)
    with pytest.raises(WccsimError, match="no gate weight of mac at product of widths 1024"):
        STUDY.of("mac", 1024)


def test_a_layer_without_products_costs_no_gates() -> None:
    shape = Shape(1, 4, 4)
    before = Layer("input", "input", (), shape, shape)
    add = Layer("sum", "add", ("input", "input"), shape, shape)
    counted = count_network(Network("n", (before, add)), CountingOptions(definition="gates"), STUDY)
    assert counted[0].bops == 0


@pytest.mark.parametrize(
    "content", ["", "{}", '{"units": {"mac": {}}}', '{"units": {"mac": {"8x8": 1}}}', "[1]"]
)
def test_a_file_that_is_none_is_one_line(tmp_path: Path, content: str) -> None:
    (tmp_path / "gates.json").write_text(content)
    with pytest.raises(WccsimError, match="does not hold gate weights"):
        read_gates(tmp_path / "gates.json")
    with pytest.raises(WccsimError, match="wccsim rtl synth"):
        read_gates(tmp_path / "none.json")


def test_the_file_reads_back(tmp_path: Path) -> None:
    names = ("mac", "butterfly", "requantise", "square", "add", "compare")
    units = {name: {str(k): v for k, v in getattr(STUDY, name).items()} for name in names}
    (tmp_path / "gates.json").write_text(json.dumps({"units": units}))
    assert replace(read_gates(tmp_path / "gates.json"), sha256="") == STUDY


def test_an_exempt_layer_of_32_bits_is_named_with_the_way_out() -> None:
    shape = Shape(1, 4, 4)
    before = Layer("input", "input", (), shape, shape)
    stem = Layer("stem", "conv", ("input",), shape, shape, weight_bits=32, act_bits=32, exempt=True)
    with pytest.raises(WccsimError, match=r"layer stem: no gate weight of mac .* --exempt-bits"):
        count_network(Network("n", (before, stem)), CountingOptions(definition="gates"), STUDY)
    eight = configured(Network("n", (before, stem)), exempt_bits=8)
    assert count_network(eight, CountingOptions(definition="gates"), STUDY)[0].bops == 16 * (711 + 5095)
