"""From what a user asks to a pricing: load, configure, price dense, quantised and WCC."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wccsim.cost.network import NetworkCost, network_cost, quantised_equivalent, without_wcc
from wccsim.cost.options import CostOptions
from wccsim.counting.run import Setting, asked_network, options_of
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import energy_names, load_energy
from wccsim.hardware.model import Accelerator
from wccsim.network.model import Network

DENSE, QUANTISED, WCC = "dense", "quantised", "wcc"


@dataclass(frozen=True, slots=True)
class CostComparison:
    """The same network dense, quantised to WCC's payload, and with WCC, on one accelerator."""

    network: Network
    accelerator: Accelerator
    options: CostOptions
    variants: dict[str, NetworkCost]
    asked: dict[str, Setting]


def cost(
    network: Network | Path | str,
    accelerator: Accelerator | Path | str = "edge_npu_wcc",
    *,
    keep: object = None,
    levels: int | None = None,
    weight_bits: int | None = None,
    act_bits: int | None = None,
    input_size: tuple[int, int] | str | None = None,
    allow_unsupported: bool = False,
    energy: Path | str | None = None,
    **policies: Any,
) -> CostComparison:
    """Price a network on an accelerator: dense and, where layers use WCC, quantised and WCC.

    `keep`, `levels`, the bits and `input_size` are those of `wccsim bops`; `energy` is a table's name
    or path, by default the accelerator's own; `policies` are the fields of `CostOptions`.
    """
    options = options_of(CostOptions, policies, "policy")
    machine = accelerator if isinstance(accelerator, Accelerator) else load_accelerator(accelerator)
    table = load_energy(machine.energy if energy is None else energy)
    changed, asked = asked_network(
        network,
        input_size=input_size,
        allow_unsupported=allow_unsupported,
        weight_bits=weight_bits,
        act_bits=act_bits,
        keep=keep,
        levels=levels,
    )
    variants = {DENSE: network_cost(without_wcc(changed), machine, table, options)}
    if any(layer.keep is not None for layer in changed.layers):
        variants[QUANTISED] = network_cost(quantised_equivalent(changed), machine, table, options)
        variants[WCC] = network_cost(changed, machine, table, options)
    return CostComparison(changed, machine, options, variants, asked)


@dataclass(frozen=True, slots=True)
class EnergySpread:
    """One energy table's verdict: picojoules of each variant."""

    table: str
    dram_read_pj_per_bit: float
    energy_pj: dict[str, float]

    def saved_percent(self, against: str) -> float:
        """What WCC saves against another variant; negative where it costs more."""
        return 100 * (1 - self.energy_pj[WCC] / self.energy_pj[against])


def energy_spread(comparison: CostComparison) -> tuple[EnergySpread, ...]:
    """The comparison under every shipped energy table, from the cheapest DRAM to the dearest."""
    spread = []
    for name in energy_names():
        table = load_energy(name)
        energy = {
            variant: network_cost(priced.network, comparison.accelerator, table, comparison.options).energy_pj
            for variant, priced in comparison.variants.items()
        }
        spread.append(EnergySpread(name, table.dram_read_pj_per_bit, energy))
    return tuple(sorted(spread, key=lambda row: row.dram_read_pj_per_bit))


def verdict(spread: tuple[EnergySpread, ...], against: str) -> str:
    """Whether WCC still wins across the spread, in one sentence made of the figures."""
    saved = [(row.saved_percent(against), row.table) for row in spread]
    (least, worst), (most, best) = min(saved), max(saved)
    low, high = spread[0].dram_read_pj_per_bit, spread[-1].dram_read_pj_per_bit
    prices = f"from {low:.3g} to {high:.3g} pJ per DRAM bit"
    wins = sum(share > 0 for share, _ in saved)
    if wins == len(saved):
        return (
            f"Against {against}, WCC saves energy under all {wins} tables, {prices}: "
            f"{least:.1f} % ({worst}) to {most:.1f} % ({best})."
        )
    if wins == 0:
        return (
            f"Against {against}, WCC saves no energy under any of {len(saved)} tables, {prices}: it costs "
            f"{-most:.1f} % ({best}) to {-least:.1f} % ({worst}) more."
        )
    return (
        f"Against {against}, the answer depends on the table, {prices}: WCC saves under {wins} of "
        f"{len(saved)}, at best {most:.1f} % ({best}), at worst it costs {-least:.1f} % more ({worst})."
    )
