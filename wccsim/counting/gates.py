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
EXPONENT_BITS = 6  # of a binned key: the place of the leading one of a score of up to 63 bits


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


def wcc_unit_gates(gates: GateWeights, p: WccParameters, in_channels: int) -> dict[str, Exact]:
    """GE-ops of one unit of work in each stage, for the exact Haar and the l2 score.

    haar, score, inverse: one position of one channel. select: one position, in all its passes over the
    scores, a digit or a key compared in each; the scan of the bins is not charged. The others: one word.
    """
    score_bits = p.score_bits(in_channels)
    m = p.mantissa_bits
    passes, key_bits = (-(-score_bits // 8) + 1, 8) if m is None else (2, EXPONENT_BITS + m)
    return {
        "haar": _butterfly_gates(gates, p, p.in_bits, 1),
        "score": gates.of("square", p.coefficient_bits()) + gates.of("add", score_bits),
        "select": passes * gates.of("compare", key_bits),
        "requantise": gates.of("requantise", p.coefficient_bits()),
        "mac": gates.of("mac", p.weight_bits * p.act_bits),
        "requantise_sum": gates.of("requantise", ACCUMULATOR_BITS),
        "inverse": _butterfly_gates(gates, p, p.wavelet_bits, -1),
        "requantise_out": gates.of("requantise", p.inverse_bits()),
    }


def wcc_stage_gates(
    gates: GateWeights,
    p: WccParameters,
    layer: Layer,
    executed: Exact,
    compressed: CompressedMap,
) -> dict[str, Exact]:
    """GE-ops of each stage of a WCC layer, for the exact Haar and the l2 score.

    The last requantiser is charged once an output value, as in a dense layer: what the crop drops
    needs none. (The datapath requantises before it crops, and docs/actions.md counts that.)
    """
    inputs, outputs = layer.in_shape.channels, layer.out_shape.channels
    positions, kept = compressed.positions, compressed.kept
    units: dict[str, Exact] = {
        "haar": inputs * positions,
        "score": inputs * positions,
        "select": positions,
        "requantise": inputs * kept,
        "mac": executed,
        "requantise_sum": outputs * kept,
        "inverse": outputs * positions,
        "requantise_out": layer.out_shape.values,
    }
    weights = wcc_unit_gates(gates, p, inputs)
    return {stage: weights[stage] * count for stage, count in units.items()}


def _butterfly_gates(gates: GateWeights, p: WccParameters, first_bits: int, direction: int) -> Fraction:
    """GE-ops of the butterflies of one position of one channel: level l has 4^-l of one.

    Forward, level 1 comes first and each level's words are 2 bits wider than the last; inverse,
    level L comes first and its words widen on the way to level 1, up to the width of the inverse.
    """
    gate_ops = Fraction(0)
    for step in range(p.levels):
        level = step + 1 if direction > 0 else p.levels - step
        width = first_bits + 2 * step if direction > 0 else min(first_bits + 2 * step, p.inverse_bits())
        gate_ops += Fraction(gates.of("butterfly", width), 4**level)
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
