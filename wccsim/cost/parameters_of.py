"""The WCC parameters that a layer's own settings and the pricing policies stand for."""

from __future__ import annotations

from wccsim.cost.options import CostOptions
from wccsim.errors import WccsimError
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters


def parameters_of(layer: Layer, options: CostOptions) -> WccParameters:
    """The WCC parameters of a layer under the options.

    Raises WccsimError, naming the layer, where hardware has no such width or no position would be kept.
    """
    assert layer.keep is not None
    try:
        p = WccParameters(
            keep=layer.keep,
            levels=layer.levels,
            in_bits=layer.act_bits,
            act_bits=layer.act_bits,
            weight_bits=layer.weight_bits,
            index=options.index,
            selection=options.selection,
            bias=layer.bias,
        )
        p.kept(layer.in_shape.height, layer.in_shape.width)
        return p
    except WccsimError as problem:
        raise WccsimError(f"layer {layer.name}: {problem}") from None
