"""What a user gives to a count: options, sizes, rules, and what comes back."""

import doctest
import re
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from peer_layers import QUARTER, peer_layer

import wccsim
from wccsim import WccsimError, load_network
from wccsim.actions import Stage
from wccsim.analytic import wcc_actions
from wccsim.counting.macs import macs
from wccsim.counting.options import CountingOptions
from wccsim.counting.run import count, parse_size
from wccsim.counting.stages import parameters_of
from wccsim.network.model import Layer, Shape


def test_the_stride_rule_may_leave_a_fraction_and_says_so_exactly() -> None:
    layer = Layer("x", "conv", ("input",), Shape(1, 4, 4), Shape(1, 1, 1), kernel=(3, 3), stride=(3, 3))
    assert macs(layer, "paper") == Fraction(9 * 4, 9) == 4
    odd = replace(layer, in_shape=Shape(1, 5, 4), stride=(2, 2))
    assert macs(odd, "paper") == Fraction(27, 2)


def test_options_override_all_but_exempt_layers() -> None:
    counted = count("deeplabv3plus_mobilenetv2_voc", weight_bits=4, act_bits=6, keep="12.5%", levels=2)
    for c in counted.counts:
        if c.layer.exempt:
            assert c.layer.keep is None and (c.layer.weight_bits, c.layer.act_bits) == (32, 32)
        elif c.layer.multiplies:
            assert (c.layer.weight_bits, c.layer.act_bits) == (4, 6)
            assert (c.layer.keep == Fraction(1, 8)) == c.layer.pointwise


def test_without_keep_there_is_no_wcc() -> None:
    assert all(c.layer.keep is None for c in count("mobilenetv2").counts)


def test_a_data_frame_has_the_columns_of_the_csv_and_does_not_wrap() -> None:
    from wccsim.report.counts import COLUMNS

    frame = wccsim.bops("mobilenetv2", counting="paper", input_size=(1024, 2048))
    assert list(frame.columns) == list(COLUMNS)
    by_kernel = frame.groupby("kernel_height").macs.sum()
    assert (by_kernel[1], by_kernel[3]) == (18_022_413_312, 1_056_190_968)  # the totals of Table 3
    huge = wccsim.bops("mobilenetv2", weight_bits=64, act_bits=64, input_size=(4096, 65536))
    assert sum(huge.bops) == sum(huge.macs.astype(object)) * 64 * 64


def test_the_examples_for_python_run() -> None:
    import wccsim.report.counts

    done = doctest.testmod(wccsim.report.counts)
    assert done.attempted > 1 and done.failed == 0
    page = (Path(__file__).parent.parent / "docs" / "counting.md").read_text()
    (block,) = re.findall(r"^```python\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    exec(block, {})


def test_actions_under_a_rice_coded_index_are_not_guessed() -> None:
    layer = replace(peer_layer("exp1"), keep=QUARTER)
    p = replace(parameters_of(layer, CountingOptions()), index="rice")
    with pytest.raises(WccsimError, match="Rice"):
        wcc_actions(p, 1, 1, 8, 8)[Stage.BITMAP]


@pytest.mark.parametrize("text", ["0x5", "abc", "5", "-1x3", "1x2x3", "", "1.5x2", "9999999999x1"])
def test_an_input_size_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(WccsimError, match="allowed: HEIGHTxWIDTH"):
        parse_size(text)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"definition": "flops"}, "definition is 'flops'; allowed: mac, uniq, gates"),
        ({"counting": "both"}, "counting is 'both'; allowed: paper, true"),
        ({"levels": 9}, "levels is 9; allowed: integers from 1 to 5"),
        ({"levels": 3}, "levels is 3, but no layer of mobilenetv2 uses WCC; give a keep"),
        ({"weight_bits": 0}, "weight_bits is 0; allowed: integers from 1 to 64"),
        ({"act_bits": 65}, "act_bits is 65; allowed: integers from 1 to 64"),
        ({"keep": 0}, "keep 0 is out of range"),
        ({"keep": "200%"}, "keep '200%' is out of range"),
        ({"on_chip_bits": -1}, "on_chip_bits is -1; allowed: integers from 0"),
        ({"kepe": 1}, "counting rule 'kepe' is not known"),
        ({"keep": "1/100000"}, "keeps none"),
    ],
)
def test_a_rule_that_is_not_allowed_is_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(WccsimError, match=message):
        count("mobilenetv2", input_size=(64, 64), **options)


def test_a_network_in_hand_keeps_its_size() -> None:
    with pytest.raises(WccsimError, match="has its sizes resolved"):
        count(load_network("mobilenetv2"), input_size="64x64")
