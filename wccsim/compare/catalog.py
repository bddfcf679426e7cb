"""The methods that are compared, by name, in the order of the report."""

from __future__ import annotations

from difflib import get_close_matches

from wccsim.compare.karhunen_loeve import Klt
from wccsim.compare.methods import FixedWidth, Lossless, Method, Searched
from wccsim.compare.wavelet import COMBINED, PLAIN, SWITCHES
from wccsim.errors import WccsimError

_ALL: tuple[Method, ...] = (
    FixedWidth("uniform", least=1, most=8, least_signed=2),
    PLAIN,
    COMBINED,
    FixedWidth("apot", least=2, most=6, least_signed=3),
    Searched("mwq-style", "mwq-style", "bits", range(15, 1, -1), units=(1, 8), allocation="greedy"),
    Searched("dct-cm-style", "dct-cm-style", "qp", range(52), units=(8, 1)),
    Searched("dct8x8", "dct8x8", "qp", range(52), units=(1, 8)),
    Klt("klt", amortised=False),
    Klt("klt-amortised", amortised=True),
    Lossless("zvc", fixed_words=True),
    Lossless("rlc", fixed_words=True),
    Lossless("csr", fixed_words=True),
    Lossless("ebpc", fixed_words=False),
    Lossless("rice", fixed_words=False),
    Lossless("huffman", fixed_words=False),
    Lossless("dc-ac-style", fixed_words=False),
    Lossless("deflate", fixed_words=False),
)
METHODS: dict[str, Method] = {entry.name: entry for entry in (*_ALL, *SWITCHES)}
DEFAULT = tuple(entry.name for entry in _ALL)  # the single switches are for the report's table
COMBINED_NAME = COMBINED.name
SWITCH_NAMES = (*(entry.name for entry in SWITCHES), COMBINED_NAME)

# What a name that is no codec's own stands for.
ABOUT = {
    "klt-amortised": "klt whose basis and code table are on the chip and not paid for",
    "wcc+shift": "wcc with a power of two of the quantiser's step per level",
    "wcc+levels": "wcc with 1 to 5 levels, chosen for the map",
    "wcc+keep": "wcc with 3- to 8-bit words, more or fewer positions kept",
    "wcc+rice": "wcc with a Rice-coded index",
    "wcc+rice-words": "wcc with Rice-coded words",
    "wcc+detail": "wcc with narrower words in the LH, HL and HH bands",
    "wcc+plain": "wcc, or plain uniform quantisation where that loses less",
    "wcc-combined": "wcc with all of these switches, each where it loses less",
}


def method(name: str) -> Method:
    """The method `name`; WccsimError with the names allowed."""
    if name not in METHODS:
        near = get_close_matches(name, METHODS, n=1)
        hint = f"; did you mean {near[0]}?" if near else ";"
        raise WccsimError(f"unknown codec {name!r}{hint} allowed: {', '.join(METHODS)}")
    return METHODS[name]
