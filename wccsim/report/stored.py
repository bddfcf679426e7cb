"""What a run stores between its stages, as real streams: the index memory and the word memory."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath import bitmap, words
from wccsim.datapath.layer import LayerResult
from wccsim.datapath.plan import Plan
from wccsim.errors import WccsimError
from wccsim.parameters import INDEX_FORMATS, WORD_FORMATS


@dataclass(frozen=True, slots=True)
class Stored:
    """Both memories of one image in every format; each was decoded and compared with what it holds.

    index: by format, empty in a plain layer, which has none. channels, kept, positions: C, k, N of the layer;
    values: those of its input map.
    """

    word_format: str
    index_format: str
    words: dict[str, words.WordMemory]
    index: dict[str, bitmap.IndexMemory]
    channels: int
    kept: int
    positions: int
    values: int

    @property
    def word_bits(self) -> int:
        """Bits of the word memory in the layer's format."""
        return self.words[self.word_format].bits

    @property
    def index_bits(self) -> int:
        """Bits of the index memory in the layer's format."""
        return self.index[self.index_format].bits if self.index else 0

    def bits_per_word(self, name: str) -> Fraction:
        """Mean bits of a kept word in the named format."""
        return Fraction(self.words[name].bits, self.channels * self.kept)

    def bits_per_position(self, name: str) -> Fraction:
        """Mean bits of the index of the named format for each position of the padded map."""
        return Fraction(self.index[name].bits, self.positions)

    @property
    def bits_per_value(self) -> Fraction:
        """Words and index together, for each value of the input map."""
        return Fraction(self.word_bits + self.index_bits, self.values)


def stored_of(plan: Plan, result: LayerResult) -> Stored:
    """The memories of a run on one image with its inner arrays.

    WccsimError where a stream does not decode to what it holds, or is not as long as was counted.
    """
    p, height, width = plan.parameters, plan.padded_height, plan.padded_width
    assert result.q is not None
    widths = words.word_widths(p, height, width, result.indices)
    held = {name: words.encode(result.q, widths, name) for name in WORD_FORMATS}
    indices = {} if p.plain else {
        name: bitmap.encode(result.kept, name, height, width, p.levels) for name in INDEX_FORMATS
    }  # fmt: skip
    for name, memory in held.items():
        _check(np.array_equal(words.decode(memory), result.q), f"{name} words")
    for name, index in indices.items():
        _check(np.array_equal(bitmap.decode(index), result.kept), f"{name} index")
    sizes = plan.channels, plan.kept, plan.positions, plan.channels * plan.height * plan.width
    stored = Stored(p.words, p.index, held, indices, *sizes)
    _check((stored.word_bits, stored.index_bits) == (result.word_bits, result.index_bits), "counted bits")
    return stored


def _check(holds: bool, what: str) -> None:
    if not holds:
        raise WccsimError(f"the {what} differ from what was stored: a fault of wccsim, please report it")


def line(stored: Stored) -> str:
    """The size of the word memory, a line."""
    mean = float(stored.bits_per_word(stored.word_format))
    beside = "" if stored.word_format == "fixed" else f" (fixed: {stored.words['fixed'].bits:,})"
    index = "with the index " if stored.index else ""
    return (
        f"words {stored.word_format}: {stored.word_bits:,} bits{beside}, {mean:.4g} a word; "
        f"{index}{float(stored.bits_per_value):.4g} bits a value of the map\n"
    )


def explanation(stored: Stored) -> str:
    """Both memories in every format, and the measured means as options of the cost model."""
    lines = [f"stored   words: {_sizes(stored.words)}\n"]
    options = f"--words rice --word-bits {stored.bits_per_word('rice')}"
    if stored.index:
        lines.append(f"         index: {_sizes(stored.index)}\n")
        options += f" --index rice --index-bits {stored.bits_per_position('rice')}"
    return "".join(lines) + f"         as options of wccsim cost and bops:\n         {options}\n"


def _sizes(memories: dict[str, Any]) -> str:
    return ", ".join(f"{name} {memory.bits:,} bits" for name, memory in memories.items())


def as_json(stored: Stored) -> dict[str, Any]:
    """Bits of both memories in every format; the means are exact fractions, as text."""
    return {
        "word_bits": {name: memory.bits for name, memory in stored.words.items()},
        "bits_per_word": {name: str(stored.bits_per_word(name)) for name in stored.words},
        "index_bits": {name: memory.bits for name, memory in stored.index.items()},
        "index_bits_per_position": {name: str(stored.bits_per_position(name)) for name in stored.index},
        "bits_per_value": float(stored.bits_per_value),
    }


def streams(stored: Stored) -> dict[str, npt.NDArray[np.uint8]]:
    """The memories as bytes, in the layer's formats: `words`, and `index` where there is one."""
    payloads = {"words": stored.words[stored.word_format].payload}
    if stored.index:
        payloads["index"] = stored.index[stored.index_format].payload
    return {name: np.frombuffer(payload, np.uint8) for name, payload in payloads.items()}
