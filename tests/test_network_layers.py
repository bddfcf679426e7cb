"""The shipped networks against the published layer lists, layer by layer."""

import csv
from fractions import Fraction
from pathlib import Path

import pytest
import yaml

import wccsim
from wccsim.network import catalog
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


# name: (list, total of its convolutions as the list states it)
WORKLOADS = {
    "qmap_compression": ("qmap_net", 481.311e9),
    "neighcnn_surrogate": ("neighcnn_surrogate_idcnn", 14.571e9),
    "pframe_surrogate": ("pframe_surrogate_dvc", 752.716e9),
}


@pytest.mark.parametrize("name", WORKLOADS)
def test_a_workload_equals_its_extracted_list(name: str) -> None:
    golden, total = WORKLOADS[name]
    rows = yaml.safe_load((GOLDEN / f"{golden}.yaml").read_text())["layers"]
    network = wccsim.load_network(name)
    assert network.surrogate == ("surrogate" in name)
    assert [layer.name for layer in network.counted] == [row["name"] for row in rows]
    for layer, row in zip(network.counted, rows, strict=True):
        before, after = layer.in_shape, layer.out_shape
        assert (before.channels, before.height, before.width) == (row["cin"], row["hin"], row["win"]), layer
        assert (after.channels, after.height, after.width) == (row["cout"], row["hout"], row["wout"]), layer
        assert (layer.kernel[0], layer.stride[0], layer.macs) == (row["k"], row["stride"], row["macs"]), layer
        assert layer.op == ("conv_transpose" if row["op"] == "convT" else "conv"), layer
        assert layer.part in (row["part"], ""), layer
    assert sum(layer.macs for layer in network.counted) == pytest.approx(total, rel=1e-4)


# MACs and parameters as their sources print them, and half a unit of the last printed digit.
PUBLISHED = {
    # torchvision 0.15 and later: `_ops` of the weights' metadata (GFLOPS in its documentation, which are
    # multiply-adds), models/resnet.py, mobilenetv2.py, mobilenetv3.py.
    "resnet18": (1.814e9, 0.0005e9),
    "resnet34": (3.664e9, 0.0005e9),
    "resnet50": (4.089e9, 0.0005e9),
    "mobilenetv2_imagenet": (0.301e9, 0.0005e9),
    "mobilenetv3_small": (0.057e9, 0.0005e9),
}


@pytest.mark.parametrize("name", PUBLISHED)
def test_macs_are_the_published_ones(name: str) -> None:
    total, tolerance = PUBLISHED[name]
    assert abs(sum(layer.macs for layer in wccsim.load_network(name).counted) - total) <= tolerance


# Trainable parameters as the sources print them; batch normalisation, which is folded into the
# convolutions here, has two a channel of every convolution without a bias.
PARAMETERS = {
    "resnet18": 11_689_512,  # torchvision: num_params of the weights' metadata
    "resnet34": 21_797_672,
    "resnet50": 25_557_032,
    "mobilenetv2_imagenet": 3_504_872 + 1281,  # torchvision has no background class: 1280 weights, one bias
    "mobilenetv3_small": 2_542_856,
    "edsr": 1_369_859,  # 1.37 M: EDSR-PyTorch, baseline x2
}


@pytest.mark.parametrize("name", PARAMETERS)
def test_parameters_are_the_published_ones(name: str) -> None:
    layers = wccsim.load_network(name).counted
    normalised = sum(2 * layer.out_shape.channels for layer in layers if not layer.bias)
    assert sum(layer.params for layer in layers) + normalised == PARAMETERS[name]


def test_fast_scnn_has_the_published_size() -> None:
    """1.11 million parameters: Poudel et al., BMVC 2019, its comparison on Cityscapes."""
    layers = wccsim.load_network("fastscnn").counted
    assert round(sum(layer.params for layer in layers) / 1e6, 2) == 1.11


def test_edsr_is_its_closed_form() -> None:
    """33 convolutions 64 > 64 and one each 3 > 64, 64 > 256 before the shuffle; 64 > 3 at the double size."""
    taps_small = 3 * 64 + 33 * 64 * 64 + 64 * 256
    macs = 9 * (360 * 640 * taps_small + 720 * 1280 * 64 * 3)
    assert sum(layer.macs for layer in wccsim.load_network("edsr").counted) == macs


def test_unet_is_its_closed_form() -> None:
    """Each scale s of width c = 64 * 2**s: two 3x3 convolutions down, one 2x2 and two 3x3 up."""
    size, macs = 512, 0
    for scale in range(5):
        width, pixels = 64 << scale, (size >> scale) ** 2
        narrower = 1 if scale == 0 else width // 2
        macs += 9 * pixels * (narrower * width + width * width)
        if scale < 4:
            macs += 4 * (pixels // 4) * (2 * width) * width + 9 * pixels * (2 * width * width + width * width)
    macs += size * size * 64 * 2
    assert sum(layer.macs for layer in wccsim.load_network("unet").counted) == macs


def test_every_shipped_network_says_where_it_comes_from() -> None:
    for name in catalog.names():
        network = wccsim.load_network(name)
        assert network.name == name
        assert len(network.source) > 20, name
        assert network.surrogate == name.endswith("_surrogate")


def test_no_promised_network_is_missing() -> None:
    assert {
        "mobilenetv2",
        "mobilenetv2_imagenet",
        "deeplabv3plus_mobilenetv2",
        "deeplabv3plus_mobilenetv2_voc",
        "bts_resnext50",
        "monodepth2_mobilenetv2",
        "tf_efficientdet_d1",
        "resnet18",
        "resnet34",
        "resnet50",
        "mobilenetv3_small",
        "unet",
        "edsr",
        "fastscnn",
        "qmap_compression",
        "neighcnn_surrogate",
        "pframe_surrogate",
    } <= set(catalog.names())
