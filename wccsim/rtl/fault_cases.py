"""The layers that faults are looked for on: shipped cases, and a few that bring one fault to light."""

from __future__ import annotations

from wccsim.errors import WccsimError
from wccsim.rtl.sets import CASES, Case

EXTRA = (
    Case("one-kept-bias", bias="random", settings={"keep": "1/128"}),
    Case("wide-score", settings={"in_bits": 16, "levels": 2}, content="minimum"),
)


def case_of(name: str) -> Case:
    """The case of this name; WccsimError where there is none."""
    for case in (*CASES, *EXTRA):
        if case.name == name:
            return case
    raise WccsimError(f"there is no case {name!r}")
