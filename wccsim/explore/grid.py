"""The settings of a sweep, and the text forms that the command line takes."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import product

from wccsim.errors import WccsimError
from wccsim.parameters import MAX_LEVELS, parse_keep

MAX_POINTS = 100_000_000


@dataclass(frozen=True, slots=True)
class Setting:
    """One setting of a whole network; `keep` None leaves every layer dense."""

    keep: Fraction | None
    act_bits: int
    weight_bits: int
    levels: int


@dataclass(frozen=True, slots=True)
class Grid:
    """All combinations of these values."""

    keep: tuple[Fraction | None, ...]
    act_bits: tuple[int, ...] = (8,)
    weight_bits: tuple[int, ...] = (8,)
    levels: tuple[int, ...] = (3,)

    def __post_init__(self) -> None:
        for what, values, low, high in (
            ("act_bits", self.act_bits, 2, 8),
            ("weight_bits", self.weight_bits, 2, 8),
            ("levels", self.levels, 1, MAX_LEVELS),
        ):
            if not values or not all(low <= value <= high for value in values):
                raise WccsimError(f"{what}: {_listed(values)} was given; allowed: {low} to {high}")
        if not self.keep:
            raise WccsimError("keep: nothing was given; allowed: fractions such as 1,.5,.25, and dense")

    def __len__(self) -> int:
        dense = None in self.keep
        one_width = (len(self.keep) - dense) * len(self.levels) + dense
        return one_width * len(self.act_bits) * len(self.weight_bits)

    def settings(self) -> Iterator[Setting]:
        """Every setting: widths outermost, so that a part of the sweep shares its dense layers."""
        for act, weight, keep, levels in product(self.act_bits, self.weight_bits, self.keep, self.levels):
            if keep is not None or levels == self.levels[0]:  # without WCC, levels mean nothing
                yield Setting(keep, act, weight, levels)


def _listed(values: tuple[int, ...]) -> str:
    return ", ".join(map(str, values)) or "nothing"


def parse_integers(text: str, what: str) -> tuple[int, ...]:
    """ "4,6,8", "1..4" or both mixed: distinct integers in the order given."""
    values: list[int] = []
    for part in text.split(","):
        match = re.fullmatch(r"\s*(\d{1,6})(?:\.\.(\d{1,6}))?\s*", part)
        if not match:
            raise WccsimError(f"{what}: {part!r} was given; allowed: integers and ranges, as 4,6,8 or 1..4")
        first, last = int(match[1]), int(match[2] or match[1])
        if last < first or last - first > 1000:
            raise WccsimError(f"{what}: the range {part.strip()} is empty or too long")
        values += range(first, last + 1)
    return tuple(dict.fromkeys(values))


def parse_keeps(text: str) -> tuple[Fraction | None, ...]:
    """ "1,.5,25%,dense": kept fractions; "dense" stands for no WCC at all. "1/16..1:16" is 16 even steps."""
    values: list[Fraction | None] = []
    for part in text.split(","):
        steps = re.fullmatch(r"\s*(\S+)\.\.(\S+):(\d{1,6})\s*", part)
        if part.strip() == "dense":
            values.append(None)
        elif steps and int(steps[3]) >= 2:
            low, high, count = parse_keep(steps[1]), parse_keep(steps[2]), int(steps[3])
            values += [low + (high - low) * i / (count - 1) for i in range(count)]
        else:
            values.append(parse_keep(part.strip()))
    return tuple(dict.fromkeys(values))
