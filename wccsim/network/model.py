"""A network as everything above sees it: a flat, ordered list of layers with every size resolved.

Readers (YAML, ONNX, SCALE-Sim CSV) build this; counting, cost and execution only read it.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
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
    "slice",
    "unsupported",  # an operator no reader understands; only where the user allowed it
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
    A `matmul` of `groups` g is g products side by side; with two inputs it has no weights.
    `keep` is None where the layer does not use WCC. `act_bits` is the width of the input map.
    `wcc` False forbids WCC on this layer; `exempt` layers keep their bits and never use WCC,
    whatever is asked of the network as a whole. `counted` False describes a layer that is outside
    the published count: it gives its shape to the layers after it and is in no row and no total.
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
    function: str = ""  # of an activation, or the operator that is not understood
    wcc: bool = True
    exempt: bool = False
    counted: bool = True

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

    @property
    def compressible(self) -> bool:
        """Whether WCC may be used here."""
        return self.pointwise and self.wcc and not self.exempt

    @property
    def macs(self) -> int:
        """Multiply-accumulates: of all real outputs (transposed convolution: of all inputs)."""
        if not self.multiplies:
            return 0
        shape = self.in_shape if self.op == "conv_transpose" else self.out_shape
        return self._products * shape.height * shape.width

    @property
    def params(self) -> int:
        """Weights and biases; none where both factors of a product are maps."""
        if not self.multiplies or (self.op == "matmul" and len(self.inputs) == 2):
            return 0
        return self._products + (self.out_shape.channels if self.bias else 0)

    @property
    def _products(self) -> int:
        rows, columns = self.kernel
        return rows * columns * (self.in_shape.channels // self.groups) * self.out_shape.channels


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

    @property
    def counted(self) -> tuple[Layer, ...]:
        """The layers that have multiply-accumulates and are counted: one row each."""
        return tuple(layer for layer in self.layers if layer.multiplies and layer.counted)

    def configured(
        self,
        *,
        weight_bits: int | None = None,
        act_bits: int | None = None,
        keep: Fraction | None = None,
        levels: int | None = None,
    ) -> Network:
        """The network with these settings on every layer but the exempt ones; None leaves as is.

        `keep` reaches the layers that may use WCC (`Layer.compressible`) and no other.
        """

        def configure(layer: Layer) -> Layer:
            if layer.exempt:
                return layer
            return replace(
                layer,
                weight_bits=weight_bits if weight_bits and layer.multiplies else layer.weight_bits,
                act_bits=act_bits or layer.act_bits,
                keep=keep if keep is not None and layer.compressible else layer.keep,
                levels=levels if levels and layer.multiplies else layer.levels,
            )

        return replace(self, layers=tuple(configure(layer) for layer in self.layers))
