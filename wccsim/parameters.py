"""The parameters of one WCC layer: one object configures the simulator, the counts and the Verilog.

Widths follow docs/datapath.md; every formula names its section. Shapes are not stored here: each
method takes what it needs, so one object serves every layer with the same settings.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from fractions import Fraction
from typing import Literal

from wccsim.errors import WccsimError
from wccsim.formats import IntFormat, bit_length_of_count

HaarVariant = Literal["exact", "orthonormal_floor", "orthonormal_half_up", "orthonormal_half_even", "lifting"]
Score = Literal["l2", "l1", "max"]
RequantiseMode = Literal["single", "tflite_double"]
IndexFormat = Literal["bitmap", "list", "rice"]
WordFormat = Literal["fixed", "rice"]

HAAR_VARIANTS = (
    "exact",
    "orthonormal_floor",
    "orthonormal_half_up",
    "orthonormal_half_even",
    "lifting",
)
SCORES = ("l2", "l1", "max")
REQUANTISE_MODES = ("single", "tflite_double")
INDEX_FORMATS = ("bitmap", "list", "rice")
WORD_FORMATS = ("fixed", "rice")

MAX_LEVELS = 5
MAX_LEVEL_SHIFT = 15
MAX_SCORE_BITS = 63
MAX_IN_CHANNELS = 133_144  # docs/datapath.md section 6: C * 127 * 127 stays inside int32


def parse_keep(given: object) -> Fraction:
    """The kept fraction, exact, from a Fraction, int, float, "1/4", "0.25" or "25%".

    A float is read by its decimal text, so 0.1 is one tenth. Refuses anything outside 0 < keep <= 1.
    """
    allowed = "keep is a fraction, 0 < keep <= 1, such as 0.25, 1/4 or 25%"
    try:
        if isinstance(given, bool) or not isinstance(given, (Fraction, int, float, str)):
            raise ValueError
        # A long exponent would be expanded digit by digit.
        if isinstance(given, str) and re.search(r"[eE][+-]?\d{4}", given):
            raise ValueError
        if isinstance(given, str) and given.strip().endswith("%"):
            keep = Fraction(given.strip()[:-1]) / 100
        else:
            keep = Fraction(repr(given)) if isinstance(given, float) else Fraction(given)
    except (ValueError, ZeroDivisionError):
        raise WccsimError(f"keep {given!r} is not a number; {allowed}") from None
    if not 0 < keep <= 1:
        percent = f" (did you mean {given}%?)" if 1 < keep <= 100 and "%" not in str(given) else ""
        raise WccsimError(f"keep {given!r} is out of range{percent}; {allowed}")
    return keep


def padded(size: int, levels: int) -> int:
    """`size` rounded up to a multiple of 2**levels (section 1)."""
    return -(-size >> levels) << levels


def butterflies(positions: int, levels: int) -> int:
    """Butterflies of one channel: the sum over levels of positions / 4**level."""
    return sum(positions >> (2 * level) for level in range(1, levels + 1))


@dataclass(frozen=True, slots=True)
class WccParameters:
    """Everything but the data, the shapes and the scales.

    in_bits: width b of the signed input words (an unsigned u-bit map is carried as b = u + 1).
    act_bits: width of a kept coefficient after R1. weight_bits: width of a weight.
    wavelet_bits: width YW of a word after R2. `per_level_shift[l-1]` is added to R1's shift at
    level l and taken off in R2. `selection` is "exact" or "binned:m", m mantissa bits. `detail_bits`, where
    given, narrows the kept words of the bands LH, HL and HH: same step, tighter clamp of R1. `words` is how
    kept words are stored between R1 and the MAC array (section 4); its operands are the same either way.

    levels 0 is a plain layer (section 12): R1 quantises the input words themselves to act_bits, every
    position is multiplied, and there is no transform, score, selection or index. Then keep is 1, and what
    sets those stages stays at its default.
    """

    keep: Fraction = Fraction(1, 4)
    levels: int = 3
    in_bits: int = 8
    act_bits: int = 8
    weight_bits: int = 8
    wavelet_bits: int = 16
    haar: HaarVariant = "exact"
    score: Score = "l2"
    selection: str = "exact"
    index: IndexFormat = "bitmap"
    words: WordFormat = "fixed"
    requantise_mode: RequantiseMode = "single"
    per_level_shift: tuple[int, ...] = ()
    detail_bits: int | None = None
    bias: bool = False
    relu: bool = False
    out_unsigned: bool = False

    def __post_init__(self) -> None:
        _in_range("levels", self.levels, 0, MAX_LEVELS)
        _in_range("input bits", self.in_bits, 2, 16)
        _in_range("act_bits after R1", self.act_bits, 2, 8)
        _in_range("weight_bits", self.weight_bits, 2, 8)
        _in_range("yw (wavelet bits)", self.wavelet_bits, 8, 16)
        _one_of("haar", self.haar, HAAR_VARIANTS)
        _one_of("score", self.score, SCORES)
        _one_of("requantise mode", self.requantise_mode, REQUANTISE_MODES)
        _one_of("index", self.index, INDEX_FORMATS)
        _one_of("words", self.words, WORD_FORMATS)
        for what, flag in (("bias", self.bias), ("relu", self.relu), ("out_unsigned", self.out_unsigned)):
            if not isinstance(flag, bool):
                raise WccsimError(f"{what} is {flag!r:.60}; allowed: True or False")
        known = isinstance(self.selection, str) and re.fullmatch(r"exact|binned:[0-8]", self.selection)
        if not known:
            raise WccsimError(
                f"selection {self.selection!r} is not known; allowed: exact, binned:0 to binned:8"
            )
        if not isinstance(self.keep, (Fraction, int)) or not 0 < self.keep <= 1:
            raise WccsimError(f"keep {self.keep} is out of range; 0 < keep <= 1")
        if self.per_level_shift and len(self.per_level_shift) != self.levels:
            raise WccsimError(
                f"per_level_shift has {len(self.per_level_shift)} entries for {self.levels} levels"
            )
        for shift in self.per_level_shift:
            _in_range("an entry of per_level_shift", shift, 0, MAX_LEVEL_SHIFT)
        if self.detail_bits is not None:
            _in_range("detail_bits", self.detail_bits, 2, self.act_bits)
        if self.out_unsigned and not self.relu:
            raise WccsimError("an unsigned output needs relu; allowed without relu: int8")
        if self.plain:
            self._check_plain()

    def _check_plain(self) -> None:
        """Refuse settings of stages that a plain layer does not have."""
        if self.keep != 1:
            raise WccsimError(
                f"levels 0 is a plain layer, which keeps every position; keep is {self.keep}, not 1"
            )
        for name in ("haar", "score", "selection", "index", "per_level_shift", "detail_bits"):
            given, usual = getattr(self, name), type(self).__dataclass_fields__[name].default
            if given != usual:
                raise WccsimError(
                    f"levels 0 is a plain layer, without the stage that {name} sets; drop {given!r}"
                )

    @property
    def plain(self) -> bool:
        """Whether this is a plainly quantised layer: no transform, every position, no index (section 12)."""
        return self.levels == 0

    @property
    def mantissa_bits(self) -> int | None:
        """m of "binned:m", None for exact selection."""
        return None if self.selection == "exact" else int(self.selection.partition(":")[2])

    def level_shift(self, level: int) -> int:
        """The extra power of two of R1 at `level` (0 without per_level_shift)."""
        return self.per_level_shift[level - 1] if self.per_level_shift else 0

    def kept_bits(self, band: str) -> int:
        """Width of a kept word of the band "LL", "LH", "HL" or "HH"."""
        return self.act_bits if band == "LL" or self.detail_bits is None else self.detail_bits

    def kept_word_bits(self, kept: int, approximations: int | None = None) -> int:
        """Bits of one channel's `kept` words of fixed widths, `approximations` of them in LL.

        Without detail_bits the split does not matter; with it, it depends on the data and must be given.
        """
        if self.detail_bits is None:
            return kept * self.act_bits
        if approximations is None:
            raise WccsimError(
                "with detail_bits the size of the kept words depends on the data; give how many lie in LL"
            )
        return approximations * self.act_bits + (kept - approximations) * self.detail_bits

    def positions(self, height: int, width: int) -> int:
        """N: positions of the padded map."""
        return padded(height, self.levels) * padded(width, self.levels)

    def kept(self, height: int, width: int) -> int:
        """k = floor(keep * N), refused when 0 (section 3)."""
        count = math.floor(self.keep * self.positions(height, width))
        if count < 1:
            raise WccsimError(
                f"keep {self.keep} of {self.positions(height, width)} positions keeps none; "
                "at least one position must be kept"
            )
        return count

    def gain(self, level: int, band: str = "LL") -> int:
        """g: a coefficient of this sub-band is the orthonormal one of eq. (3) times 2**g (section 2).

        The exact Haar doubles at each level, in every band. The S-transform's mean halves along each
        axis and its difference does not, so only there the bands of a level differ.
        """
        if self.haar == "exact":
            return level
        if self.haar == "lifting":
            return {"LL": -level, "LH": 1 - level, "HL": 1 - level, "HH": 2 - level}[band]
        return 0

    def coefficient_bits(self, level: int | None = None) -> int:
        """Width of a coefficient of `level` (default: the storage word CW of the last; section 2).

        Exact growth adds 2 bits a level, halving 1. Lifting (S-transform: averages keep the range,
        each difference adds one bit in each direction) holds every band in b + 2 bits.
        """
        level = self.levels if level is None else level
        if self.haar == "exact":
            return self.in_bits + 2 * level
        return self.in_bits + level if self.haar.startswith("orthonormal") else self.in_bits + 2

    def alignment_shift(self, level: int, band: str = "LL") -> int:
        """Left shift that brings a sub-band's coefficients onto the common grid of the score (section 3).

        The common grid is the finest: level L's (exact), HH_1's (lifting), every band's (orthonormal).
        """
        return self._greatest_gain() - self.gain(level, band)

    def aligned_bits(self) -> int:
        """Width of a coefficient on the common grid: the widest over the sub-bands (section 3)."""
        return self.in_bits + self.levels + 1 if self.haar == "lifting" else self.coefficient_bits()

    def _greatest_gain(self) -> int:
        return self.levels if self.haar == "exact" else 1 if self.haar == "lifting" else 0

    def score_bits(self, in_channels: int) -> int:
        """Width of the joint score over `in_channels` channels (section 3)."""
        word = self.aligned_bits()
        if self.score == "l2":
            return 2 * (word - 1) + bit_length_of_count(in_channels) + 1
        return word + (bit_length_of_count(in_channels) if self.score == "l1" else 0)

    def accumulator_bits(self, in_channels: int) -> int:
        """Width of the MAC accumulator (section 6): both operands on their symmetric grids."""
        return (self.act_bits - 1) + (self.weight_bits - 1) + bit_length_of_count(in_channels) + 1

    def inverse_bits(self) -> int:
        """Width of the widest word of the inverse (section 7), bias included.

        With Y the greatest word after R2, the exact inverse reaches (3 * 2**L - 2) Y, the lifting one
        below (1 + 5L/4) Y + L, the orthonormal one 2 Y at L = 1 and below 3 Y always.
        """
        if self.plain:
            growth = 0
        elif self.haar == "exact":
            growth = self.levels + 2 if self.levels >= 2 else 2
        elif self.haar == "lifting":
            growth = 2 if self.levels <= 2 else 3
        else:
            growth = 1 if self.levels == 1 else 2
        return self.wavelet_bits + growth + (1 if self.bias else 0)

    def bias_format(self) -> IntFormat:
        """Format of the bias word added to LL_L: as wide as the inverse without it (section 7)."""
        return IntFormat(self.inverse_bits() - (1 if self.bias else 0))

    def bias_gain(self) -> int:
        """log2 of the LL_L word that a spatially constant 1 (on the grid of y) gives (section 7)."""
        return 0 if self.haar == "lifting" else self.levels

    def output_gain(self) -> int:
        """log2 of the gain of the inverse's pixels over the grid of y, taken off by R3 (section 5)."""
        return self.levels if self.haar == "exact" else 0

    def out_format(self) -> IntFormat:
        """Format of an output word."""
        return IntFormat(8, signed=not self.out_unsigned)

    def index_bits(self, positions: int, kept: int) -> int:
        """Bits of the index memory: closed forms for bitmap and list (section 4); a plain layer has none."""
        if self.plain:
            return 0
        if self.index == "bitmap":
            return positions
        if self.index == "list":
            return kept * bit_length_of_count(positions)
        raise WccsimError("the size of a Rice-coded index depends on the data; encode it to know")


def _in_range(what: str, given: int, low: int, high: int) -> None:
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise WccsimError(f"{what} is {given!r}; allowed: integers {low} to {high}")


def _one_of(what: str, given: object, allowed: tuple[str, ...]) -> None:
    if not isinstance(given, str) or given not in allowed:
        raise WccsimError(f"{what} is {given!r}; allowed: {', '.join(allowed)}")
