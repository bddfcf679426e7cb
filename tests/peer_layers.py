"""The layers that other tools counted, from tests/golden/peers, and one layer counted alone."""

import csv
from fractions import Fraction
from pathlib import Path
from typing import Any

from wccsim.counting.count import LayerCount, count_network
from wccsim.counting.options import CountingOptions
from wccsim.network.model import Layer, Network, Shape

PEERS = Path(__file__).parent / "golden" / "peers"
QUARTER = Fraction(1, 4)


def rows(name: str) -> list[dict[str, str]]:
    with (PEERS / name).open(newline="") as lines:
        return list(csv.DictReader(lines))


def peer_layer(name: str, weight_bits: int = 8, act_bits: int = 8) -> Layer:
    """A layer of the peers' list: padding already inside its height and width."""
    row = next(row for row in rows("layers.csv") if row["layer"] == name)
    return Layer(
        name,
        "conv",
        ("input",),
        Shape(int(row["Cin"]), int(row["H_in_padded"]), int(row["W_in_padded"])),
        Shape(int(row["Cout"]), int(row["H_out"]), int(row["W_out"])),
        kernel=(int(row["Kh"]), int(row["Kw"])),
        stride=(int(row["stride"]),) * 2,
        groups=int(row["groups"]),
        weight_bits=weight_bits,
        act_bits=act_bits,
    )


def alone(layer: Layer, **options: Any) -> LayerCount:
    before = Layer("input", "input", (), layer.in_shape, layer.in_shape)
    return count_network(Network("one", (before, layer)), CountingOptions(**options))[0]
