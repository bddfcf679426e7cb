"""What the joint selection needs at once, and how much of it fits on chip."""

from __future__ import annotations

from dataclasses import dataclass

from wccsim.cost.views import TILED
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters


@dataclass(frozen=True, slots=True)
class SelectionMemory:
    """What stays on chip while the whole map is scored.

    coefficients_stay: the coefficients also outlive the gather, because no tile of the product needs
    their buffer, so the array may gather them again instead of reading them back.
    """

    index_fits: bool
    scores_fit: bool
    coefficients_fit: bool
    coefficients_stay: bool


def selection_memory(
    p: WccParameters, layer: Layer, accelerator: Accelerator, index_bits: int
) -> SelectionMemory:
    """Index first, then scores, then coefficients, into the buffers that hold them."""
    shape = layer.in_shape
    positions = p.positions(shape.height, shape.width)
    needs = {
        "index": index_bits,
        "score": positions * p.score_bits(shape.channels),
        "coefficient": shape.channels * positions * p.coefficient_bits(),
    }
    bounded = accelerator.wcc is not None and accelerator.wcc.selection_memory == "bounded"
    used: dict[str, int] = {}
    fits: dict[str, bool] = {}
    for tensor, bits in needs.items():
        buffer = accelerator.buffer_for(tensor)
        fits[tensor] = not bounded or used.get(buffer.name, 0) + bits <= buffer.size_bits
        if fits[tensor]:
            used[buffer.name] = used.get(buffer.name, 0) + bits
    shared = set(accelerator.buffer_for("coefficient").holds) & set(TILED)
    return SelectionMemory(
        fits["index"], fits["score"], fits["coefficient"], fits["coefficient"] and not (bounded and shared)
    )
