"""Everything that is proved about the Verilog, with how and how long: `wccsim rtl prove`."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from wccsim.errors import WccsimError
from wccsim.rtl.smt import Obligation, obligations, prove
from wccsim.rtl.widths import check_widths

WIDTHS = "widths of every signal"


@dataclass(frozen=True, slots=True)
class Proof:
    """One claim, whether it holds, by which means, and the seconds it took."""

    name: str
    holds: bool
    means: str
    seconds: float

    def __str__(self) -> str:
        return f"{'proved' if self.holds else 'FAILED'}  {self.name}: {self.means}, {self.seconds:.1f} s"


def run_proofs(only: Sequence[str] = ()) -> Iterator[Proof]:
    """The proofs whose name holds one of `only`, all where it is empty, one after the other."""
    wanted = [one for one in obligations() if not only or any(part in one.name for part in only)]
    widths = not only or any(part in WIDTHS for part in only)
    if not wanted and not widths:
        names = ", ".join(dict.fromkeys(one.name.split(" ")[0] for one in obligations()))
        raise WccsimError(f"no proof's name holds {only[0]!r}; names begin with: widths, {names}")
    if widths:
        yield _widths()
    for one in wanted:
        began = time.perf_counter()
        holds = prove(one)
        yield Proof(one.name, holds, _means(one), time.perf_counter() - began)


def _widths() -> Proof:
    began = time.perf_counter()
    count, wrong = check_widths()
    means = f"{count:,} signals of all configurations, exact interval arithmetic"
    if wrong:
        means += f"; {len(wrong):,} do not fit, first {wrong[0]}"
    return Proof(WIDTHS, not wrong, means, time.perf_counter() - began)


def _means(one: Obligation) -> str:
    if one.free_product:
        return f"SMT, all inputs, for any product within its range, {len(one.split)} shifts apart"
    if one.top in ("requant", "multiply_add"):
        return "SMT, all inputs, the multiplication being the same term on both sides"
    return "SMT, all inputs"
