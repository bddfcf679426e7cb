"""The seam: which set of kernels runs a plan.

A path is a pair of functions, `covers(plan, inner, unsigned)`, which says why it cannot run a plan (None: it
can), and `run(plan, x, out, inner, workspace)`, which returns `plain.Arrays`. All paths give the same bits.
PATHS lists them, the fastest first; the plain path comes last and covers everything. The environment
variable WCCSIM_PATH names one to be used instead of the first that fits; where that one does not cover a
plan, plain does.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any

import numpy.typing as npt

from wccsim.datapath.fused import Workspace
from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.errors import WccsimError

VARIABLE = "WCCSIM_PATH"
# name: module with `covers` and `run`, imported on first use. Fastest first.
PATHS: dict[str, str] = {
    "matrix": "wccsim.datapath.matrix",
    "vector": "wccsim.datapath.vector",
    "portable": "wccsim.datapath.portable",
    "plain": "wccsim.datapath.plain",
}


# With fewer channels more than half of an AMX tile is padding, and its sums' way through memory costs more.
MATRIX_CHANNELS = 33


def _reluctance(name: str, plan: Plan) -> str | None:
    """Why a path that could run the plan is left for the next one, which is faster there; None: it is not."""
    if name == "matrix" and plan.channels < MATRIX_CHANNELS:
        return f"{plan.channels} channels fill less than half of a tile"
    return None


@dataclass(frozen=True, slots=True)
class Choice:
    """The path that runs a plan, and why."""

    name: str
    reason: str
    run: Callable[[Plan, npt.NDArray[Any], npt.NDArray[Any], bool, Workspace | None], Arrays]


def choose(plan: Plan, inner: bool, wanted: str | None = None, *, unsigned: bool = False) -> Choice:
    """The path for `plan` on signed or unsigned maps: `wanted`, else WCCSIM_PATH, else the first fit."""
    if wanted is None:
        wanted = os.environ.get(VARIABLE) or None
    if wanted is not None and (not isinstance(wanted, str) or wanted not in PATHS):
        raise WccsimError(f"the path (argument or {VARIABLE}) is {wanted!r:.60}; allowed: {', '.join(PATHS)}")
    passed: list[str] = []
    for name in [wanted] if wanted else PATHS:
        path = import_module(PATHS[name])
        obstacle = _beyond_fast_paths(plan, name) or path.covers(plan, inner, unsigned)
        if obstacle is None and not wanted:
            obstacle = _reluctance(name, plan)
        if obstacle is None:
            reason = (
                f"{VARIABLE} or the caller asked for it" if wanted else "the first that covers this layer"
            )
            return Choice(name, "; ".join([reason, *passed]), path.run)
        passed.append(f"not {name}: {obstacle}")
    plain = import_module(PATHS["plain"])
    return Choice("plain", "; ".join(passed), plain.run)


def _beyond_fast_paths(plan: Plan, name: str) -> str | None:
    """Why a plain layer, or one whose stored size depends on its words, does not run on a fast path."""
    if name == "plain":
        return None
    if plan.parameters.plain:
        return "levels 0, a plain layer: the fast paths are built round the transform"
    if plan.parameters.words != "fixed":
        return f"words {plan.parameters.words}: their size is that of the words, which fast paths never store"
    return None
