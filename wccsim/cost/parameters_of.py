"""The WCC parameters that a layer's own settings and the pricing policies stand for."""

from __future__ import annotations

from wccsim.cost.options import CostOptions
from wccsim.errors import WccsimError
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters


def parameters_of(layer: Layer, options: CostOptions) -> WccParameters:
    """The WCC parameters of a layer under the options; words of fixed widths, as they lie on chip.

    Raises WccsimError, naming the layer, where hardware has no such width, no position would be kept or a
    Rice-coded form has no measured mean for the layer's keep.
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
        index_of(p, layer, options)
        options.stored.word_mean(p.act_bits, p.keep)
        return p
    except WccsimError as problem:
        raise WccsimError(f"layer {layer.name}: {problem}") from None


def index_of(p: WccParameters, layer: Layer, options: CostOptions) -> int:
    """Bits of the index of a WCC layer's input map."""
    height, width = layer.in_shape.height, layer.in_shape.width
    return options.stored.index_total(p.positions(height, width), p.kept(height, width), p.keep)


def words_of(p: WccParameters, layer: Layer, options: CostOptions) -> int:
    """Bits of the kept words of a WCC layer's input map as they lie in DRAM."""
    words = p.kept(layer.in_shape.height, layer.in_shape.width) * layer.in_shape.channels
    return options.stored.word_total(words, p.act_bits, p.keep)
