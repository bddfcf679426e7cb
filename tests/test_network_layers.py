"""The shipped networks against the published layer lists, layer by layer."""

import csv
from fractions import Fraction
from pathlib import Path

import pytest

import wccsim
from wccsim.network.model import Layer

GOLDEN = Path(__file__).parent / "golden" / "layers"
LISTS = {
    "mobilenetv2": "mobilenetv2_cityscapes",
    "deeplabv3plus_mobilenetv2": "deeplabv3plus_mobilenetv2_cityscapes",
    "deeplabv3plus_mobilenetv2_voc": "deeplabv3plus_mobilenetv2_voc",
    "bts_resnext50": "bts_resnext50_kitti",
    "monodepth2_mobilenetv2": "monodepth2_mobilenetv2_kitti",
    "tf_efficientdet_d1": "tf_efficientdet_d1_coco",
}


def published_macs(layer: Layer) -> Fraction:
    """Rule 1 of the paper: valid positions of the module's own padding, over the stride, no floor."""
    macs = Fraction(layer.in_shape.channels // layer.groups * layer.out_shape.channels)
    for axis, size in enumerate((layer.in_shape.height, layer.in_shape.width)):
        kernel = layer.kernel[axis]
        valid = size + layer.module_padding[axis] - layer.dilation[axis] * (kernel - 1)
        macs *= kernel * Fraction(valid, layer.stride[axis])
    return macs


@pytest.mark.parametrize("name", LISTS)
def test_a_shipped_network_equals_its_published_list(name: str) -> None:
    with (GOLDEN / f"{LISTS[name]}.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    layers = wccsim.load_network(name).counted
    assert [layer.name for layer in layers] == [row["name"] for row in rows]
    for layer, row in zip(layers, rows, strict=True):
        pad = int(row["pad"])
        assert {
            "cin": layer.in_shape.channels,
            "cout": layer.out_shape.channels,
            "kh": layer.kernel[0],
            "kw": layer.kernel[1],
            "groups": layer.groups,
            "stride": layer.stride[0],
            "dilation": layer.dilation[0],
            "h_in": layer.in_shape.height,
            "w_in": layer.in_shape.width,
            "h_out": layer.out_shape.height,
            "w_out": layer.out_shape.width,
            "mac_paper": int(published_macs(layer)),
            "mac_true": layer.macs,
        } == {key: int(row[key]) for key in row if key not in ("name", "type", "pad", "quantised", "wcc")}, (
            layer
        )
        assert layer.module_padding == (2 * pad, 2 * pad), layer
        assert layer.exempt == (row["quantised"] == "no"), layer
        assert layer.compressible == (row["wcc"] == "yes"), layer


def test_table_3_totals_are_the_published_ones() -> None:
    """18,022,413,312 in the 1x1 and 1,056,190,968 in the 3x3 convolutions."""
    layers = wccsim.load_network("mobilenetv2.yaml").counted
    assert sum(published_macs(layer) for layer in layers if layer.kernel == (1, 1)) == 18_022_413_312
    assert sum(published_macs(layer) for layer in layers if layer.kernel == (3, 3)) == 1_056_190_968
