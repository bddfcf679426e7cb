"""Sizes of what is stored in a form whose size depends on the data: measured as a mean, then given.

A Rice-coded index or Rice-coded words have no closed form. `wccsim simulate` measures their mean bits on real
maps, as exact fractions; counts and costs take the mean and charge each layer's total, rounded up to a bit.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from wccsim.errors import WccsimError
from wccsim.formats import bit_length_of_count
from wccsim.parameters import INDEX_FORMATS, WORD_FORMATS, parse_keep

# What Rice codes can take (docs/datapath.md, section 4): a block of one word, a sub-band of one position.
MOST_ABOVE_WIDTH = 4
MOST_A_POSITION = 5


@dataclass(frozen=True, slots=True)
class StoredBits:
    """Mean bits of one stored item: (None, mean) for every keep, or one (keep, mean) for each keep."""

    means: tuple[tuple[Fraction | None, Fraction], ...]

    def of(self, what: str, keep: Fraction) -> Fraction:
        """The mean at `keep`; WccsimError, calling the option `what`, where none is given."""
        for known, mean in self.means:
            if known is None or known == keep:
                return mean
        given = ", ".join(str(known) for known, _ in self.means)
        raise WccsimError(f"{what} has no mean for keep {keep}; given: keep {given}")

    def __str__(self) -> str:
        return ",".join(f"{keep}:{mean}" if keep is not None else str(mean) for keep, mean in self.means)


@dataclass(frozen=True, slots=True)
class StoredForms:
    """How index and kept words are stored: formats, and measured means for those that are Rice coded."""

    index: str = "bitmap"
    index_bits: StoredBits | None = None
    words: str = "fixed"
    word_bits: StoredBits | None = None

    def index_total(self, positions: int, kept: int, keep: Fraction) -> int:
        """Bits of an index of `kept` of `positions` positions; a measured mean times N, rounded up."""
        if self.index_bits is not None:
            return math.ceil(positions * self.index_bits.of("index_bits", keep))
        return positions if self.index == "bitmap" else kept * bit_length_of_count(positions)

    def word_total(self, words: int, act_bits: int, keep: Fraction) -> int:
        """Bits of `words` stored kept words of `act_bits`; a measured mean times their number, rounded up."""
        if self.word_bits is None:
            return words * act_bits
        return math.ceil(words * self.word_mean(act_bits, keep))

    def word_mean(self, act_bits: int, keep: Fraction) -> Fraction:
        """Mean bits of a stored kept word. WccsimError for a mean that no Rice-coded word can have."""
        if self.word_bits is None:
            return Fraction(act_bits)
        mean = self.word_bits.of("word_bits", keep)
        if mean > act_bits + MOST_ABOVE_WIDTH:
            raise WccsimError(
                f"word_bits is {mean}; Rice-coded words of {act_bits} bits take at most "
                f"{act_bits + MOST_ABOVE_WIDTH}"
            )
        return mean

    def as_settings(self) -> dict[str, str]:
        """The forms that are not of fixed size, for a report's provenance."""
        given = {"index_bits": self.index_bits, "words": self.words, "word_bits": self.word_bits}
        return {name: str(value) for name, value in given.items() if value not in (None, "fixed")}


def stored_forms(index: object, index_bits: object, words: object, word_bits: object) -> StoredForms:
    """The checked forms: a Rice-coded one comes with its measured mean, and no other has one."""
    for what, form, allowed in (("index", index, INDEX_FORMATS), ("words", words, WORD_FORMATS)):
        if not isinstance(form, str) or form not in allowed:
            raise WccsimError(f"{what} is {form!r:.60}; allowed: {', '.join(allowed)}")
    asked = (
        ("index", index, "index_bits", index_bits, "a position of the padded map"),
        ("words", words, "word_bits", word_bits, "a kept word"),
    )
    for what, form, name, mean, item in asked:
        if form == "rice" and mean is None:
            raise WccsimError(
                f"{what} rice: its size depends on the data; give {name}, its mean bits {item}, "
                "as `wccsim simulate --explain` measures it"
            )
        if form != "rice" and mean is not None:
            raise WccsimError(f"{name} is the measured mean of {what} rice; {what} is {form}")
    return StoredForms(
        str(index),
        None if index_bits is None else parse_stored("index_bits", index_bits, MOST_A_POSITION),
        str(words),
        None if word_bits is None else parse_stored("word_bits", word_bits, None),
    )


def parse_stored(what: str, given: object, most: int | None) -> StoredBits:
    """Means from a number, "5.42", "171491/31616", or by keep, "1/4:5.42,1/2:4.6".

    A float is read by its decimal text. WccsimError for what is no number, not above 0 or above `most`.
    """
    if isinstance(given, StoredBits):
        parts: list[tuple[Fraction | None, object]] = list(given.means)
    elif isinstance(given, str) and ":" in given:
        pairs = [part.partition(":") for part in given.split(",")]
        parts = [(parse_keep(keep), mean) for keep, _, mean in pairs]
    else:
        parts = [(None, given)]
    means = tuple((keep, _mean(what, mean, most)) for keep, mean in parts)
    keeps = [keep for keep, _ in means]
    if len(set(keeps)) < len(keeps) or not keeps:
        raise WccsimError(f"{what} {given!s:.60} names a keep twice")
    return StoredBits(means)


def _mean(what: str, given: object, most: int | None) -> Fraction:
    limit = "" if most is None else f" and at most {most}"
    allowed = (
        f"{what} is mean bits above 0{limit}, such as 5.42 or 171491/31616, or by keep, 1/4:5.42,1/2:4.6"
    )
    try:
        if isinstance(given, bool) or not isinstance(given, (Fraction, int, float, str)):
            raise ValueError
        # A long exponent would be expanded digit by digit.
        if isinstance(given, str) and re.search(r"[eE][+-]?\d{4}", given):
            raise ValueError
        mean = Fraction(repr(given)) if isinstance(given, float) else Fraction(given)
    except (ValueError, ZeroDivisionError):
        raise WccsimError(f"{what} {given!r:.60} is not a number; {allowed}") from None
    if mean <= 0 or (most is not None and mean > most):
        raise WccsimError(f"{what} {given!r:.60} is out of range; {allowed}")
    return mean
