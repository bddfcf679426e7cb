"""A network as everything above sees it: a flat, ordered list of layers with every size resolved.

Readers (YAML, ONNX, SCALE-Sim CSV) build this; counting, cost and execution only read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from fractions import Fraction

CONVOLUTIONS = ("conv", "conv_transpose")
MULTIPLYING = (*CONVOLUTIONS, "fully_connected", "matmul")  # the operators that have MACs
OTHERS = (
    "input",
    "max_pool",
    "average_pool",
    "global_average_pool",
    "pad",
    "upsample",
    "add",
    "multiply",
    "concat",
    "activation",
    "reshape",
)
OPERATORS = (*MULTIPLYING, *OTHERS)


@dataclass(frozen=True, slots=True)
class Shape:
    """Channels, height, width of a feature map; a vector has height = width = 1."""

    channels: int
    height: int
    width: int

    @property
    def values(self) -> int:
        """Number of values."""
        return self.channels * self.height * self.width

    def __str__(self) -> str:
        return f"{self.channels}x{self.height}x{self.width}"


@dataclass(frozen=True, slots=True)
class Layer:
    """One resolved layer.

    `padding` is (top, bottom, left, right) zeros around the input of this operator.
    `module_padding` is what the published counting rule sees of it: (rows, columns), both sides
    added; it differs from `padding` where a framework pads at run time ("same" of TensorFlow).
    For `matmul`, in_shape is K x M x 1 and out_shape N x M x 1.
    `keep` is None where the layer does not use WCC. `act_bits` is the width of the input map.
    """

    name: str
    op: str
    inputs: tuple[str, ...]
    in_shape: Shape
    out_shape: Shape
    kernel: tuple[int, int] = (1, 1)
    stride: tuple[int, int] = (1, 1)
    dilation: tuple[int, int] = (1, 1)
    padding: tuple[int, int, int, int] = (0, 0, 0, 0)
    module_padding: tuple[int, int] = (0, 0)
    groups: int = 1
    bias: bool = False
    weight_bits: int = 8
    act_bits: int = 8
    keep: Fraction | None = None
    levels: int = 3
    part: str = ""  # e.g. "backbone", "head": for totals by part

    @property
    def multiplies(self) -> bool:
        """Whether this operator has multiply-accumulates."""
        return self.op in MULTIPLYING

    @property
    def pointwise(self) -> bool:
        """A dense 1x1 convolution of stride 1, the only kind WCC compresses."""
        return (
            self.op == "conv"
            and self.kernel == (1, 1)
            and self.stride == (1, 1)
            and self.groups == 1
            and not any(self.padding)
        )


@dataclass(frozen=True, slots=True)
class Network:
    """A named network: its layers in execution order, and where they come from."""

    name: str
    layers: tuple[Layer, ...]
    source: str = ""
    surrogate: bool = False
    unsupported: tuple[str, ...] = field(default=())
    sha256: str = ""

    @property
    def input_shape(self) -> Shape:
        """Shape of the first input."""
        return self.layers[0].in_shape
