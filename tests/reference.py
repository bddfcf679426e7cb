"""The slow, obvious twin of the datapath: a whole WCC layer in pure Python integers.

It follows docs/datapath.md section by section, value by value, shares no code with `wccsim` beyond
the dataclass and the enumeration that hold the counts, and adds one to a count for each operation
it does. Arrays are nested lists. Speed is not a goal. The transform is in reference_haar.py, score,
selection, index memory and word memory in reference_select.py.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from reference_haar import forward, gain, inverse, pad, place, word_bits
from reference_select import (
    encode_index,
    encode_words,
    score_bits,
    scores,
    select_binned,
    select_exact,
    to_bytes,
    words_to_bytes,
)

from wccsim.actions import ActionCounts, Stage

__all__ = [
    "Layer",
    "Outcome",
    "encode_index",
    "encode_words",
    "forward",
    "inverse",
    "pad",
    "place",
    "run",
    "scores",
    "to_bytes",
    "words_to_bytes",
]


@dataclass(frozen=True)
class Layer:
    """What one layer is set to; the fields are those of docs/datapath.md."""

    keep: Fraction = Fraction(1, 4)
    levels: int = 3  # 0: a plain layer, section 12
    in_bits: int = 8
    kept_bits: int = 8
    weight_bits: int = 8
    yw: int = 16
    haar: str = "exact"
    score: str = "l2"
    selection: str = "exact"
    index: str = "bitmap"
    words: str = "fixed"
    mode: str = "single"
    per_level_shift: tuple = ()
    detail_bits: object = None  # None, or the narrower width of LH, HL and HH words
    relu: bool = False
    out_unsigned: bool = False
    r1: tuple = (32768, 15)
    r2: tuple = (32768, 15)  # one pair, or a list of pairs, one per output channel
    r3: tuple = (32768, 15)  # likewise
    bias: object = None  # None, one integer, or a list of integers per output channel


@dataclass
class Outcome:
    """Every array of docs/datapath.md, as nested lists, and the counts."""

    coefficients: list  # [C][N], flat Mallat order
    energy: object  # [N]; None in a plain layer
    kept: list  # [N] of bool
    indices: list  # [k]
    index_bits: int
    index_payload: bytes
    word_bits: int
    word_payload: bytes
    q: list  # [C][k]
    acc: list  # [Cout][k]
    y: list  # [Cout][k]
    out: list  # [Cout][H][W]
    counts: dict = field(default_factory=dict)


class Tally:
    """Counts of one run: `tally[stage]` is a Counter over the fields of ActionCounts."""

    def __init__(self):
        self.stages = {stage: Counter() for stage in Stage}

    def __getitem__(self, stage):
        return self.stages[stage]

    def result(self):
        return {stage: ActionCounts(**counter) for stage, counter in self.stages.items()}


# Section 5: requantisers.


def requantise(value, multiplier, shift, low, high, mode, tally):
    """One rounding, then the clamp."""
    if mode == "single":
        assert 1 <= shift <= 63
        result = (value * multiplier + (1 << (shift - 1))) >> shift
        tally["multiplies"] += 1
        tally["adds"] += 1
        tally["shifts"] += 1
    else:
        result = double_rounding(value << max(0, -shift), multiplier, max(0, shift))
        tally["multiplies"] += 1
        tally["adds"] += 2
        tally["shifts"] += 2
    tally["compares"] += 2
    return min(max(result, low), high)


def double_rounding(value, multiplier, shift):
    """Saturating rounding doubling high multiply, then rounding division by 2**shift, ties away."""
    assert -(1 << 31) <= value < 1 << 31
    if value == multiplier == -(1 << 31):
        high = (1 << 31) - 1
    else:
        product = value * multiplier
        nudged = product + ((1 << 30) if product >= 0 else 1 - (1 << 30))
        high = abs(nudged) >> 31  # the division truncates towards zero
        high = high if nudged >= 0 else -high
    magnitude = (abs(high) + ((1 << shift) >> 1)) >> shift
    return magnitude if high >= 0 else -magnitude


def pair_of(pairs, channel):
    """(M, s) of an output channel."""
    return pairs[channel] if isinstance(pairs[0], (tuple, list)) else pairs


# The whole layer.


def run(x, weights, layer):
    """One image x [C][H][W] through weights [Cout][C]."""
    tally = Tally()
    height, width = len(x[0]), len(x[0][0])
    for channel in x:
        for row in channel:
            for _ in row:
                tally[Stage.PAD]["input_read_bits"] += layer.in_bits
    images = [forward(pad(channel, layer.levels), layer, tally[Stage.HAAR]) for channel in x]
    padded_height, padded_width = len(images[0]), len(images[0][0])
    coefficients = [[value for row in image for value in row] for image in images]
    places = [
        place(i, j, padded_height, padded_width, layer.levels)
        for i in range(padded_height)
        for j in range(padded_width)
    ]

    if layer.levels == 0:
        energy, kept, stream = None, [True] * len(places), []
    else:
        energy = scores(coefficients, places, layer, tally[Stage.SCORE])
        kept = choose(energy, score_bits(layer, len(x)), layer, tally[Stage.SELECT])
        stream = encode_index(kept, places, layer)
    indices = [i for i, flag in enumerate(kept) if flag]
    tally[Stage.BITMAP]["index_write_bits"] += len(stream)

    q = quantise_kept(coefficients, indices, places, len(stream), layer, tally[Stage.REQUANTISE])
    stored = encode_words(q, [kept_width(layer, places[i][1]) for i in indices], layer.words)
    for _ in stored:
        tally[Stage.REQUANTISE]["kept_write_bits"] += 1
        tally[Stage.MAC]["kept_read_bits"] += 1
    acc = multiply_accumulate(q, weights, layer, tally[Stage.MAC])
    y = requantise_sums(acc, indices, places, layer, tally[Stage.REQUANTISE_SUM])

    out = []
    tally[Stage.ZERO_FILL]["index_read_bits"] += len(stream)
    for channel in range(len(weights)):
        flat = [0] * len(places)
        for j, i in enumerate(indices):
            flat[i] = y[channel][j]
            if layer.levels:
                tally[Stage.ZERO_FILL]["wavelet_read_bits"] += layer.yw
        rows = [flat[i * padded_width : (i + 1) * padded_width] for i in range(padded_height)]
        bias = layer.bias[channel] if isinstance(layer.bias, (list, tuple)) else layer.bias
        pixels = inverse(rows, bias, layer, tally[Stage.INVERSE])
        out.append(requantise_out(pixels, channel, height, width, layer, tally[Stage.REQUANTISE_OUT]))
    return Outcome(
        coefficients,
        energy,
        kept,
        indices,
        len(stream),
        to_bytes(stream),
        len(stored),
        words_to_bytes(stored),
        q,
        acc,
        y,
        out,
        tally.result(),
    )


def choose(energy, bits, layer, tally):
    """Section 3: the flags of the k kept positions."""
    k = layer.keep.numerator * len(energy) // layer.keep.denominator
    if layer.selection == "exact":
        return select_exact(energy, k, bits, tally)
    mantissa_bits = int(layer.selection.split(":")[1])
    return select_binned(energy, k, mantissa_bits, bits, tally)


def level_shift(layer, level):
    return layer.per_level_shift[level - 1] if layer.per_level_shift else 0


def kept_width(layer, band):
    return layer.kept_bits if band == "LL" or layer.detail_bits is None else layer.detail_bits


def quantise_kept(coefficients, indices, places, index_bits, layer, tally):
    """Gather and R1: [C][k]."""
    tally["index_read_bits"] += index_bits
    multiplier, shift = layer.r1
    word = word_bits(layer, layer.levels)
    q = []
    for channel in coefficients:
        row = []
        for i in indices:
            level, band = places[i]
            total = shift + gain(layer, level, band) + level_shift(layer, level)
            if layer.levels:  # a plain layer's words come as they are read
                tally["coefficient_read_bits"] += word
            limit = (1 << (kept_width(layer, band) - 1)) - 1
            row.append(requantise(channel[i], multiplier, total, -limit, limit, layer.mode, tally))
        q.append(row)
    return q


def multiply_accumulate(q, weights, layer, tally):
    """[Cout][k]."""
    acc = []
    for row in weights:
        tally["weight_read_bits"] += layer.weight_bits * len(row)
        sums = []
        for j in range(len(q[0])):
            total = 0
            for c, weight in enumerate(row):
                total += weight * q[c][j]
                tally["macs"] += 1
            assert -(1 << 31) <= total < 1 << 31
            sums.append(total)
        acc.append(sums)
    return acc


def requantise_sums(acc, indices, places, layer, tally):
    """R2: [Cout][k]. Lifting words go back to the gain of their own sub-band (section 7)."""
    limit = (1 << (layer.yw - 1)) - 1
    y = []
    for channel, sums in enumerate(acc):
        multiplier, shift = pair_of(layer.r2, channel)
        row = []
        for j, i in enumerate(indices):
            level, band = places[i]
            total = shift - level_shift(layer, level)
            if layer.haar == "lifting":
                total -= gain(layer, level, band)
            row.append(requantise(sums[j], multiplier, total, -limit, limit, layer.mode, tally))
            if layer.levels:  # a plain layer's words go to R3 as they come
                tally["wavelet_write_bits"] += layer.yw
        y.append(row)
    return y


def requantise_out(pixels, channel, height, width, layer, tally):
    """R3 on every padded position, then the crop: [H][W]."""
    low = 0 if layer.relu else -128
    high = 255 if layer.out_unsigned else 127
    multiplier, shift = pair_of(layer.r3, channel)
    rows = [
        [requantise(value, multiplier, shift, low, high, layer.mode, tally) for value in row]
        for row in pixels
    ]
    cropped = [row[:width] for row in rows[:height]]
    tally["output_write_bits"] += sum(8 for row in cropped for _ in row)
    return cropped
