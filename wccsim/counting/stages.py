"""One WCC layer opened: its bit operations and its actions, stage by stage."""

from __future__ import annotations

from dataclasses import dataclass

from wccsim.actions import ActionCounts, Stage
from wccsim.analytic import wcc_actions
from wccsim.counting.count import stage_bops
from wccsim.counting.exact import Exact
from wccsim.counting.gates import GateWeights
from wccsim.counting.options import CountingOptions
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters


@dataclass(frozen=True, slots=True)
class StageCount:
    """The bit operations and the actions of one stage of one layer."""

    layer: Layer
    stage: Stage
    bops: Exact
    actions: ActionCounts

    @property
    def bits_read(self) -> int:
        """Bits read from all memories by this stage."""
        return self.actions.read_bits

    @property
    def bits_written(self) -> int:
        """Bits written to all memories by this stage."""
        return self.actions.write_bits


def parameters_of(layer: Layer, options: CountingOptions) -> WccParameters:
    """The WCC parameters that a layer's own settings stand for, everything else at its default."""
    assert layer.keep is not None
    return WccParameters(
        keep=layer.keep,
        levels=layer.levels,
        in_bits=layer.act_bits,
        act_bits=layer.act_bits,
        weight_bits=layer.weight_bits,
        index=options.index,
        words=options.words,
        bias=layer.bias,
    )


def stage_counts(
    layer: Layer, options: CountingOptions, gates: GateWeights | None = None
) -> tuple[StageCount, ...]:
    """All stages of a WCC layer, in order (docs/actions.md); WccsimError where hardware has no such width."""
    bops = stage_bops(layer, options, gates)
    shape = layer.in_shape
    p = parameters_of(layer, options)
    kept, forms = p.kept(shape.height, shape.width), options.stored
    actions = wcc_actions(
        p,
        shape.channels,
        layer.out_shape.channels,
        shape.height,
        shape.width,
        index_bits=forms.index_total(p.positions(shape.height, shape.width), kept, p.keep),
        word_bits=forms.word_total(kept * shape.channels, p.act_bits, p.keep),
    )
    return tuple(
        StageCount(layer, stage, bops.get(stage.value, 0), counts) for stage, counts in actions.items()
    )
