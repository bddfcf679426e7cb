"""How each table counts its network: the settings that every row stands for.

One rule serves all tables, `counting paper` and `padding published`: a layer costs MAC * bw * ba, a
WCC layer keep * MAC * bw * ba plus eq. (12). The tables differ only in what they do with the first
and last layers and in what the other convolutions of a WCC row get; that is stated here, nothing
is fitted.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from typing import Literal

from wccsim.counting.count import LayerCount, count_network
from wccsim.counting.options import CountingOptions
from wccsim.network.catalog import load_network
from wccsim.network.model import Layer, Network
from wccsim.paper.published import Setting, percent

PUBLISHED = CountingOptions(counting="paper", definition="mac", padding="published")
FULL_BITS = 32
TABLE2_FINE_HEIGHT = 44  # "25%-50%" and "2-4": the low value on maps of 1/8 resolution and finer


@dataclass(frozen=True, slots=True)
class TableRule:
    """network: shipped name. exempt: what the row does with the layers the text calls unmodified.

    other_act_bits: activation width of the convolutions outside WCC in a WCC row; None: the row's.
    inferred: what no text states and the printed rows suggest.
    """

    network: str
    exempt: Literal["left out", "at 32/32", "as the rest"]
    other_act_bits: int | None = None
    inferred: str = ""


RULES = {
    "Table 1 Cityscapes": TableRule("deeplabv3plus_mobilenetv2", "left out"),
    "Table 1 VOC": TableRule("deeplabv3plus_mobilenetv2_voc", "left out"),
    "Table 2": TableRule(
        "bts_resnext50",
        "as the rest",
        other_act_bits=4,
        inferred="that width, that '25%-50%' and '2-4' mean the low value on inputs of 44 rows and more, and "
        "which layers use WCC: the 1x1 convolutions of stride 1 of the encoder and the dense ASPP, none of "
        "stride 2 and none of the local planar guidance",
    ),
    "monodepth2": TableRule("monodepth2_mobilenetv2", "at 32/32"),
    "EfficientDet": TableRule(
        "tf_efficientdet_d1",
        "at 32/32",
        inferred="that the resampling to P6 is quantised but does not use WCC",
    ),
}


def rule_text(table: str) -> str:
    """The rule of a table in words."""
    rule = RULES[table]
    counted = [layer for layer in network(rule.network).layers if layer.counted]
    wcc = [layer for layer in counted if layer.compressible]
    share = 100 * sum(layer.macs for layer in wcc) / sum(layer.macs for layer in counted)
    text = f"{rule.network}; first, last and other unmodified layers {rule.exempt}"
    text += f"; WCC on {len(wcc)} layers, {share:.1f}% of the MAC of the whole network"
    if rule.other_act_bits:
        text += f"; in WCC rows every other convolution at 8/{rule.other_act_bits}"
    if rule.inferred:
        text += f". Inferred from the rows, stated nowhere: {rule.inferred}"
    return text


@cache
def network(name: str) -> Network:
    """A shipped network, read once."""
    return load_network(name)


def counts(setting: Setting) -> tuple[LayerCount, ...]:
    """The layers of a row's network, each counted at the row's settings."""
    rule = RULES[setting.table]
    plain = network(rule.network)
    layers = tuple(_configured(layer, setting, rule) for layer in plain.layers)
    return count_network(replace(plain, layers=layers), PUBLISHED)


def _configured(layer: Layer, setting: Setting, rule: TableRule) -> Layer:
    if layer.exempt and layer.multiplies and rule.exempt != "as the rest":
        if rule.exempt == "left out":
            return replace(layer, counted=False)
        return replace(layer, weight_bits=FULL_BITS, act_bits=FULL_BITS)
    keep = _keep(layer, setting)
    return replace(
        layer, weight_bits=setting.weight_bits, act_bits=_act_bits(layer, setting, rule), keep=keep
    )


def _keep(layer: Layer, setting: Setting) -> Fraction | None:
    if not setting.shrinkage_percent or not layer.compressible:
        return None
    fine, _, coarse = setting.shrinkage_percent.partition("-")
    return percent(fine if _is_fine(layer) or not coarse else coarse)


def _act_bits(layer: Layer, setting: Setting, rule: TableRule) -> int:
    fine, _, coarse = setting.act_bits.partition("-")
    if setting.shrinkage_percent and not layer.compressible and rule.other_act_bits:
        return rule.other_act_bits
    low = layer.compressible and _is_fine(layer)
    return int(fine if low or not coarse else coarse)


def _is_fine(layer: Layer) -> bool:
    return layer.in_shape.height >= TABLE2_FINE_HEIGHT
