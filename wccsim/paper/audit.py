"""Every published number beside the recomputed one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from fractions import Fraction

from wccsim.counting.bops import bops_haar
from wccsim.counting.count import LayerCount, count_network, total
from wccsim.counting.exact import Exact, whole
from wccsim.network.model import Layer, Network, Shape
from wccsim.paper.published import (
    INLINE_MEGA_BOPS,
    TABLE3_TOTALS,
    Setting,
    Table3Row,
    settings,
    table3,
)
from wccsim.paper.rules import PUBLISHED, RULES, counts, network

GIGA, MEGA = 10**9, 10**6
TABLE3_NETWORK = "mobilenetv2"


@dataclass(frozen=True, slots=True)
class AuditRow:
    """One published number. `published` is the printed text; `computed` is exact, in the same unit."""

    table: str
    row: str
    published: str
    computed: Fraction

    @property
    def gap_percent(self) -> Fraction:
        """(computed - published) / published, in percent."""
        return (self.computed / Fraction(self.published) - 1) * 100

    @property
    def verdict(self) -> str:
        """How the printed digits follow from the computed number, or that they do not."""
        decimals = len(self.published.partition(".")[2])
        scaled, printed = self.computed * 10**decimals, Fraction(self.published) * 10**decimals
        if scaled == printed:
            return "equal"
        ways = [
            name
            for name, value in (
                ("rounded", math.floor(scaled + Fraction(1, 2))),
                ("truncated", math.floor(scaled)),
            )
            if value == printed
        ]
        return f"equal, {' or '.join(ways)}" if ways else "differs"


def audit() -> tuple[AuditRow, ...]:
    """All tables, in the paper's order; the inline example after Table 3."""
    rows = [row for table in RULES if table.startswith("Table") for row in _table(table)]
    rows += [*_table3(), *_inline()]
    rows += [row for table in RULES if not table.startswith("Table") for row in _table(table)]
    return tuple(rows)


def misprinted_sizes() -> tuple[tuple[Table3Row, Layer], ...]:
    """The rows of Table 3 whose printed height and width are not those of the network."""
    layers = {layer.name: layer for layer in network(TABLE3_NETWORK).layers}
    return tuple(
        (row, layers[row.name])
        for row in table3()
        if (row.height, row.width) != (layers[row.name].in_shape.height, layers[row.name].in_shape.width)
    )


def bops_giga(setting: Setting) -> Fraction:
    """BOPs of a row in 10^9, exact."""
    return Fraction(total(counts(setting), lambda c: c.bops)) / GIGA


def inline_example() -> LayerCount:
    """Section 4.1: 160 -> 960 channels on 34 x 34, 8 bits, three levels, everything kept."""
    shape = Shape(160, 34, 34)
    layers = (
        Layer("input", "input", (), shape, shape),
        Layer("example", "conv", ("input",), shape, Shape(960, 34, 34), keep=Fraction(1)),
    )
    return count_network(Network("inline example", layers), PUBLISHED)[0]


def _table(table: str) -> list[AuditRow]:
    return [AuditRow(table, s.row, s.printed, bops_giga(s)) for s in settings(table)]


def _table3() -> list[AuditRow]:
    counted = {c.layer.name: c for c in count_network(network(TABLE3_NETWORK), PUBLISHED)}
    rows = [
        AuditRow("Table 3", row.name, str(row.macs), Fraction(counted[row.name].macs)) for row in table3()
    ]
    for kernel, printed in TABLE3_TOTALS.items():
        of_kernel = [c for c in counted.values() if c.layer.kernel == (kernel, kernel)]
        computed = Fraction(total(of_kernel, lambda c: c.macs))
        rows.append(AuditRow("Table 3", f"total {kernel}x{kernel}", str(printed), computed))
    return rows


def _inline() -> list[AuditRow]:
    example = inline_example()
    computed: dict[str, Exact] = {"convolution": example.bops_conv, "Haar": example.bops_haar}
    return [
        AuditRow("Section 4.1", f"160 > 960, 34x34: {what}", printed, Fraction(computed[what]) / MEGA)
        for what, printed in INLINE_MEGA_BOPS.items()
    ]


def inline_with_ratio(ratios: tuple[Fraction, ...]) -> Exact:
    """The inline example's Haar if level l weighed ratios[l-1] instead of 1 / 4^(l-1)."""
    example = inline_example().layer
    values = example.in_shape.values + example.out_shape.values
    return whole(bops_haar(values, 1, example.act_bits) * sum(ratios, Fraction(0)))
