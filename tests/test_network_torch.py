"""PyTorch's own FLOP counter as a witness: of models it exports to ONNX, and of every shipped network."""

import warnings
from pathlib import Path
from typing import Any

import pytest

from wccsim.network import catalog
from wccsim.network.catalog import load_network
from wccsim.network.model import Layer

torch = pytest.importorskip("torch", reason="PyTorch is not installed")
pytest.importorskip("onnx", reason='onnx is not installed; pip install "wccsim[onnx]"')
nn = torch.nn


class Convolutional(nn.Module):  # type: ignore[name-defined,misc]
    """Groups, strides, dilation, a transposed convolution, squeeze-excite, sizes computed in the graph."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 16, 3, 2, 1, bias=False), nn.BatchNorm2d(16), nn.ReLU6())
        self.grouped = nn.Conv2d(16, 16, 3, 1, 2, dilation=2, groups=4)
        self.depthwise = nn.Conv2d(16, 32, (3, 5), (2, 1), (1, 2), groups=16)
        squeeze = [nn.AdaptiveAvgPool2d(1), nn.Conv2d(32, 8, 1), nn.SiLU(), nn.Conv2d(8, 32, 1), nn.Sigmoid()]
        self.squeeze = nn.Sequential(*squeeze)
        self.up = nn.ConvTranspose2d(32, 12, 3, 2, 1, output_padding=1)
        self.dense = nn.Linear(12, 10)

    def forward(self, x: Any) -> Any:
        x = self.stem(x)
        x = self.depthwise(self.grouped(x) + x)
        x = nn.functional.hardswish(self.up(x * self.squeeze(x)))
        x = nn.functional.max_pool2d(x, 3, 2, 1, ceil_mode=True)
        first, second = x.chunk(2, 1)
        x = nn.functional.interpolate(torch.cat([second, first], 1), scale_factor=2.0, mode="nearest")
        return self.dense(x.mean((2, 3)))


class Attention(nn.Module):  # type: ignore[name-defined,misc]
    """Patches, four heads, a feed-forward layer, layer normalisation, the first token classified."""

    def __init__(self) -> None:
        super().__init__()
        self.patches, self.qkv = nn.Conv2d(3, 32, 8, 8), nn.Linear(32, 96)
        self.norm, self.wide, self.narrow = nn.LayerNorm(32), nn.Linear(32, 64), nn.Linear(64, 32)
        self.classes = nn.Linear(32, 10)

    def forward(self, x: Any) -> Any:
        x = self.patches(x).flatten(2).transpose(1, 2)
        q, k, v = self.qkv(self.norm(x)).reshape(1, -1, 3, 4, 8).permute(2, 0, 3, 1, 4)
        scores = (q @ k.transpose(2, 3) / 8**0.5).softmax(-1)
        x = x + (scores @ v).transpose(1, 2).reshape(1, -1, 32)
        x = x + self.narrow(nn.functional.gelu(self.wide(x)))
        return self.classes(x[:, 0])


@pytest.mark.parametrize("kind", [Convolutional, Attention])
@pytest.mark.parametrize("size", [(64, 64), (48, 80)])
def test_macs_are_half_the_flops_that_pytorch_counts(
    tmp_path: Path, kind: Any, size: tuple[int, int]
) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    network, image, path = kind().eval(), torch.zeros(1, 3, *size), tmp_path / "m.onnx"
    counter = FlopCounterMode(display=False)
    with counter, torch.no_grad():
        network(image)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the exporter's own deprecations
        torch.onnx.export(network, (image,), path, opset_version=17, dynamo=False)
    found = load_network(path)
    assert 2 * sum(layer.macs for layer in found.counted) == counter.get_total_flops()
    assert found.unsupported == ()


def ran(layer: Layer) -> tuple[int, ...]:
    """The output's shape as PyTorch makes it, on tensors without data."""
    before, taps = layer.in_shape, layer.kernel
    x = torch.empty(1, before.channels, before.height, before.width, device="meta")
    keys = {"stride": layer.stride, "dilation": layer.dilation, "groups": layer.groups}
    top, bottom, left, right = layer.padding
    if layer.op == "conv_transpose":
        weight = torch.empty(before.channels, layer.out_shape.channels // layer.groups, *taps, device="meta")
        wanted = (layer.out_shape.height, layer.out_shape.width)
        plain = torch.nn.functional.conv_transpose2d(x, weight, padding=(top, left), **keys).shape[2:]
        extra = tuple(size - found for size, found in zip(wanted, plain, strict=True))
        y = torch.nn.functional.conv_transpose2d(x, weight, padding=(top, left), output_padding=extra, **keys)
    else:
        x = torch.nn.functional.pad(x, (left, right, top, bottom))
        weight = torch.empty(layer.out_shape.channels, before.channels // layer.groups, *taps, device="meta")
        y = torch.nn.functional.conv2d(x, weight, **keys)
    return tuple(y.shape[1:])


@pytest.mark.parametrize("name", catalog.names())
def test_every_layer_of_a_shipped_network_has_pytorchs_size_and_flops(name: str) -> None:
    from torch.utils.flop_counter import FlopCounterMode

    for layer in load_network(name).layers:
        if layer.multiplies:
            with FlopCounterMode(display=False) as counter:
                shape = ran(layer)
            assert shape == (layer.out_shape.channels, layer.out_shape.height, layer.out_shape.width), layer
            once = 2 if layer.op == "conv_transpose" else 1  # it ran twice, once for the plain size
            assert counter.get_total_flops() == 2 * once * layer.macs, layer
