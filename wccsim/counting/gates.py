"""Bit operations weighed by gates: each operation times the NAND2 equivalents of the unit that does it.

The weights are measured by synthesis of the project's own Verilog (`wccsim rtl synth`) and live in
wccsim/rtl/syn/gates.json. A count under this definition is in gate-equivalent operations (GE-ops):
comparable with itself, not with `mac` or `uniq`.

Between two measured widths the weight is interpolated linearly, to the nearest whole gate
equivalent; outside them the width is refused: no weight is guessed. A multiply-accumulate is looked
up by the product of its two widths.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

from wccsim.counting.compressed import CompressedMap
from wccsim.counting.exact import Exact, whole
from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.network.model import Layer
from wccsim.parameters import WccParameters

GATES_JSON = Path(__file__).resolve().parent.parent / "rtl" / "syn" / "gates.json"
MADE_BY = "`wccsim rtl synth` measures them (it needs Yosys)"
UNITS = ("mac", "butterfly", "requantise", "square", "add", "compare")
ACCUMULATOR_BITS = 32


class MissingWeight(WccsimError):
    """A width that was not measured."""


@dataclass(frozen=True, slots=True)
class GateWeights:
    """Gate equivalents by unit and width.

    mac: by product of operand widths, a lane of the dot product with its 32-bit accumulation.
    butterfly: 4-pixel Haar butterfly, by input width. requantise: by input width (16-bit multiplier,
    8-bit result). square: squarer, by operand width. add, compare: one adder or comparator, by width.
    """

    mac: Mapping[int, int]
    butterfly: Mapping[int, int]
    requantise: Mapping[int, int]
    square: Mapping[int, int]
    add: Mapping[int, int]
    compare: Mapping[int, int]
    sha256: str = ""

    def of(self, unit: str, width: int) -> int:
        """Whole gate equivalents of `unit` at `width` bits; between measured widths to nearest, ties even."""
        measured: Mapping[int, int] = getattr(self, unit)
        below = max((known for known in measured if known <= width), default=None)
        above = min((known for known in measured if known >= width), default=None)
        if below is None or above is None:
            what = "product of widths" if unit == "mac" else "width"
            raise MissingWeight(
                f"no gate weight of {unit} at {what} {width}; measured: {min(measured)} to {max(measured)}"
            )
        low, high = Fraction(measured[below]), Fraction(measured[above])
        if below == above:
            return measured[below]
        return round(low + (high - low) * Fraction(width - below, above - below))


def dense_gates(gates: GateWeights, macs: Exact, out_values: int, weight_bits: int, act_bits: int) -> Exact:
    """GE-ops of a dense layer: its products with their accumulation, and one requantiser an output."""
    product = gates.of("mac", weight_bits * act_bits)
    return whole(macs * product + out_values * gates.of("requantise", ACCUMULATOR_BITS))


def wcc_stage_gates(
    gates: GateWeights,
    layer: Layer,
    executed: Exact,
    compressed: CompressedMap,
) -> dict[str, Exact]:
    """GE-ops of each stage of a WCC layer, for the exact Haar, the l2 score and exact selection.

    The last requantiser is charged once an output value, as in a dense layer: what the crop drops
    needs none. (The datapath requantises before it crops, and docs/actions.md counts that.)
    """
    assert layer.keep is not None
    p = WccParameters(
        keep=layer.keep,
        levels=layer.levels,
        in_bits=layer.act_bits,
        act_bits=layer.act_bits,
        weight_bits=layer.weight_bits,
    )
    inputs, outputs = layer.in_shape.channels, layer.out_shape.channels
    positions, kept = compressed.positions, compressed.kept
    score_bits = p.score_bits(inputs)
    passes = -(-score_bits // 8)
    return {
        "haar": inputs * _butterfly_gates(gates, positions, p, p.in_bits, 1),
        "score": inputs
        * positions
        * (gates.of("square", p.coefficient_bits()) + gates.of("add", score_bits)),
        "select": (passes + 1) * positions * gates.of("compare", 8),
        "requantise": inputs * kept * gates.of("requantise", p.coefficient_bits()),
        "mac": executed * gates.of("mac", layer.weight_bits * layer.act_bits),
        "requantise_sum": outputs * kept * gates.of("requantise", ACCUMULATOR_BITS),
        "inverse": outputs * _butterfly_gates(gates, positions, p, p.wavelet_bits, -1),
        "requantise_out": layer.out_shape.values * gates.of("requantise", p.inverse_bits()),
    }


def _butterfly_gates(
    gates: GateWeights, positions: int, p: WccParameters, first_bits: int, direction: int
) -> Fraction:
    """GE-ops of one channel's butterflies: level l has positions / 4^l of them.

    Forward, level 1 comes first and each level's words are 2 bits wider than the last; inverse,
    level L comes first and its words widen on the way to level 1, up to the width of the inverse.
    """
    gate_ops = Fraction(0)
    for step in range(p.levels):
        level = step + 1 if direction > 0 else p.levels - step
        width = first_bits + 2 * step if direction > 0 else min(first_bits + 2 * step, p.inverse_bits())
        gate_ops += Fraction(positions, 4**level) * gates.of("butterfly", width)
    return gate_ops


def read_gates(path: Path = GATES_JSON) -> GateWeights:
    """The measured weights. WccsimError, naming the command that makes the file, where it is missing."""
    if not path.is_file():
        raise WccsimError(f"definition gates needs {path.name}, which is not there; {MADE_BY}")
    content = read_bytes(path)
    try:
        units = json.loads(content)["units"]
        weights = {unit: {int(width): int(ge) for width, ge in units[unit].items()} for unit in UNITS}
        if not all(weights.values()) or any(ge < 0 for unit in weights.values() for ge in unit.values()):
            raise ValueError
    except (ValueError, KeyError, TypeError, AttributeError):
        raise WccsimError(f"{path} does not hold gate weights of {', '.join(UNITS)}; {MADE_BY}") from None
    return GateWeights(**weights, sha256=hashlib.sha256(content).hexdigest())
