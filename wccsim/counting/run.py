"""From what a user asks to a count: load, configure, count."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, fields
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, Union

from wccsim.counting.count import LayerCount, count_network
from wccsim.counting.gates import GateWeights, read_gates
from wccsim.counting.options import CountingOptions, configured
from wccsim.errors import WccsimError
from wccsim.network.catalog import load_network
from wccsim.network.model import Network
from wccsim.parameters import parse_keep

if TYPE_CHECKING:
    from _typeshed import DataclassInstance

Setting = Union[str, int, float, bool, None]  # noqa: UP007 - an alias evaluated at run time
Options = TypeVar("Options", bound="DataclassInstance")


@dataclass(frozen=True, slots=True)
class NetworkCount:
    """A configured network, the rules it was counted under, and its counts."""

    network: Network
    options: CountingOptions
    counts: tuple[LayerCount, ...]
    asked: dict[str, Setting]
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
    options = options_of(CountingOptions, rules, "counting rule")
    changed, asked = asked_network(
        network,
        input_size=input_size,
        allow_unsupported=allow_unsupported,
        weight_bits=weight_bits,
        act_bits=act_bits,
        keep=keep,
        levels=levels,
        exempt_bits=exempt_bits,
    )
    gates = read_gates() if options.definition == "gates" else None
    return NetworkCount(changed, options, count_network(changed, options, gates), asked, gates)


def options_of(kind: type[Options], given: Mapping[str, Any], what: str) -> Options:
    """The dataclass `kind` of the given fields; WccsimError names a field that it has not, as a `what`."""
    known = [field.name for field in fields(kind)]
    unknown = [name for name in given if name not in known]
    if unknown:
        raise WccsimError(f"{what} {unknown[0]!r} is not known; allowed: {', '.join(known)}")
    return kind(**given)


def asked_network(
    network: Network | Path | str,
    *,
    input_size: tuple[int, int] | str | None,
    allow_unsupported: bool,
    keep: object,
    **settings: int | None,
) -> tuple[Network, dict[str, Setting]]:
    """The network, loaded and configured as in `count`, and what was asked of it, by name.

    `settings`: weight_bits, act_bits, levels and exempt_bits; what is None was not asked for. WccsimError
    also where levels are given and no layer uses WCC.
    """
    kept = None if keep is None else parse_keep(keep)
    size = parse_size(input_size) if isinstance(input_size, str) else input_size
    if not isinstance(network, Network):
        network = load_network(network, input_size=size, allow_unsupported=allow_unsupported)
    elif size is not None:
        raise WccsimError("input_size is for a name or a file; this network has its sizes resolved")
    given: dict[str, Setting] = {
        "input": "x".join(map(str, size)) if size else None,
        "weight_bits": settings.get("weight_bits"),
        "act_bits": settings.get("act_bits"),
        "keep": None if kept is None else str(kept),
        "levels": settings.get("levels"),
        "exempt_bits": settings.get("exempt_bits"),
    }
    asked: dict[str, Setting] = {name: value for name, value in given.items() if value is not None}
    changed = configured(network, keep=kept, **settings)
    if settings.get("levels") is not None and all(layer.keep is None for layer in changed.layers):
        raise WccsimError(
            f"levels is {settings['levels']}, but no layer of {network.name} uses WCC; give a keep"
        )
    return changed, asked
