"""From what a user asks to a count: load, configure, count."""

from __future__ import annotations

import re
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from wccsim.counting.count import LayerCount, count_network
from wccsim.counting.gates import GateWeights, read_gates
from wccsim.counting.options import CountingOptions, configured
from wccsim.errors import WccsimError
from wccsim.network.catalog import load_network
from wccsim.network.model import Network
from wccsim.parameters import parse_keep


@dataclass(frozen=True, slots=True)
class NetworkCount:
    """A configured network, the rules it was counted under, and its counts."""

    network: Network
    options: CountingOptions
    counts: tuple[LayerCount, ...]
    asked: dict[str, str | int | float | bool | None]
    gates: GateWeights | None = None


def parse_size(text: str) -> tuple[int, int]:
    """(height, width) from "HxW". WccsimError for anything else."""
    match = re.fullmatch(r"\s*(\d{1,9})\s*[x×]\s*(\d{1,9})\s*", text)
    if not match or 0 in (int(match[1]), int(match[2])):
        raise WccsimError(f"input size {text!r}; allowed: HEIGHTxWIDTH in pixels, such as 512x1024")
    return int(match[1]), int(match[2])


def count(
    network: Network | Path | str,
    *,
    input_size: tuple[int, int] | str | None = None,
    allow_unsupported: bool = False,
    weight_bits: int | None = None,
    act_bits: int | None = None,
    keep: Fraction | float | str | None = None,
    levels: int | None = None,
    exempt_bits: int | None = None,
    **rules: Any,
) -> NetworkCount:
    """Count a network, a file, or a shipped network's name.

    `input_size` is (height, width) or "HxW". The bits, `keep` and `levels` override the network's
    own on every layer that is not exempt; `keep` reaches only layers that WCC can compress;
    `exempt_bits` is the width of the exempt layers instead of their own.
    `rules` are the fields of `CountingOptions`. WccsimError for anything that is not allowed.
    """
    known = CountingOptions.__dataclass_fields__
    unknown = [name for name in rules if name not in known]
    if unknown:
        raise WccsimError(f"counting rule {unknown[0]!r} is not known; allowed: {', '.join(known)}")
    options = CountingOptions(**rules)
    kept = None if keep is None else parse_keep(keep)
    size = parse_size(input_size) if isinstance(input_size, str) else input_size
    if isinstance(network, Network):
        if size is not None:
            raise WccsimError("input_size is for a name or a file; this network has its sizes resolved")
    else:
        network = load_network(network, input_size=size, allow_unsupported=allow_unsupported)
    changed = configured(
        network,
        weight_bits=weight_bits,
        act_bits=act_bits,
        keep=kept,
        levels=levels,
        exempt_bits=exempt_bits,
    )
    gates = read_gates() if options.definition == "gates" else None
    asked: dict[str, str | int | float | bool | None] = {
        "input": "x".join(map(str, size)) if size else None,
        "weight_bits": weight_bits,
        "act_bits": act_bits,
        "keep": None if kept is None else str(kept),
        "levels": levels,
        "exempt_bits": exempt_bits,
    }
    return NetworkCount(
        changed,
        options,
        count_network(changed, options, gates),
        {name: value for name, value in asked.items() if value is not None},
        gates,
    )
