"""The slow, obvious twin of the datapath: a whole WCC layer in pure Python integers.

It follows docs/datapath.md section by section, value by value, shares no code with `wccsim` beyond
the dataclass and the enumeration that hold the counts, and adds one to a count for each operation
it does. Arrays are nested lists. Speed is not a goal.
"""

from collections import Counter
from dataclasses import dataclass, field
from fractions import Fraction

from wccsim.actions import ActionCounts, Stage


@dataclass(frozen=True)
class Layer:
    """What one layer is set to; the fields are those of docs/datapath.md."""

    keep: Fraction = Fraction(1, 4)
    levels: int = 3
    in_bits: int = 8
    kept_bits: int = 8
    weight_bits: int = 8
    yw: int = 16
    haar: str = "exact"
    score: str = "l2"
    selection: str = "exact"
    index: str = "bitmap"
    mode: str = "single"
    per_level_shift: tuple = ()
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
    energy: list  # [N]
    kept: list  # [N] of bool
    indices: list  # [k]
    index_bits: int
    index_payload: bytes
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


def ceil_log2(count):
    bits = 0
    while (1 << bits) < count:
        bits += 1
    return bits


# Section 1: padding.


def pad(channel, levels):
    """[H][W] to [HP][WP], zeros right and bottom."""
    step = 1 << levels
    height, width = len(channel), len(channel[0])
    padded_height = (height + step - 1) // step * step
    padded_width = (width + step - 1) // step * step
    rows = [list(row) + [0] * (padded_width - width) for row in channel]
    return rows + [[0] * padded_width for _ in range(padded_height - height)]


# Section 2: Haar, forward.


def half(total, haar, tally):
    """`total` / 2 in the rounding of an orthonormal variant."""
    tally["shifts"] += 1
    if haar == "orthonormal_floor":
        return total >> 1
    tally["adds"] += 1
    if haar == "orthonormal_half_up":
        return (total + 1) >> 1
    quotient, rest = divmod(total, 2)
    return quotient + 1 if rest and quotient % 2 else quotient


def butterfly(a, b, c, d, tally):
    """The 4x4 Hadamard of a 2x2 block: eight additions."""
    top, bottom, left, right = a + b, c + d, a - b, c - d
    tally["adds"] += 4
    tally["adds"] += 4
    return top + bottom, top - bottom, left + right, left - right


def lift(first, second, tally):
    """S-transform of a pair: (floor of the mean, difference)."""
    difference = first - second
    mean = second + (difference >> 1)
    tally["adds"] += 2
    tally["shifts"] += 1
    return mean, difference


def forward_block(a, b, c, d, haar, tally):
    """(LL, LH, HL, HH) of the block a b / c d."""
    if haar == "lifting":
        mean_top, difference_top = lift(a, b, tally)
        mean_bottom, difference_bottom = lift(c, d, tally)
        ll, lh = lift(mean_top, mean_bottom, tally)
        hl, hh = lift(difference_top, difference_bottom, tally)
        return ll, lh, hl, hh
    bands = butterfly(a, b, c, d, tally)
    if haar.startswith("orthonormal"):
        bands = tuple(half(band, haar, tally) for band in bands)
    return bands


def word_bits(layer, level):
    """Width of a coefficient of `level`."""
    if layer.haar == "exact":
        return layer.in_bits + 2 * level
    return layer.in_bits + (level if layer.haar.startswith("orthonormal") else 2)


def forward(channel, layer, tally):
    """[HP][WP] to the Mallat layout [HP][WP]."""
    image = [list(row) for row in channel]
    word = word_bits(layer, layer.levels)
    height, width = len(image), len(image[0])
    for level in range(1, layer.levels + 1):
        source = [row[:width] for row in image[:height]]
        for i in range(height // 2):
            for j in range(width // 2):
                block = (
                    source[2 * i][2 * j],
                    source[2 * i][2 * j + 1],
                    source[2 * i + 1][2 * j],
                    source[2 * i + 1][2 * j + 1],
                )
                if level > 1:
                    tally["coefficient_read_bits"] += 4 * word
                bands = forward_block(*block, layer.haar, tally)
                tally["coefficient_write_bits"] += 4 * word
                image[i][j] = bands[0]
                image[i][width // 2 + j] = bands[1]
                image[height // 2 + i][j] = bands[2]
                image[height // 2 + i][width // 2 + j] = bands[3]
        height, width = height // 2, width // 2
    return image


def place(row, column, padded_height, padded_width, levels):
    """(level, band) of a position of the Mallat layout."""
    for level in range(1, levels + 1):
        below, right = row >= padded_height >> level, column >= padded_width >> level
        if below or right:
            return level, ("LL", "LH", "HL", "HH")[2 * below + right]
    return levels, "LL"


def gain(layer, level, band):
    """g: a coefficient is the orthonormal one times 2**g."""
    if layer.haar == "exact":
        return level
    if layer.haar.startswith("orthonormal"):
        return 0
    return {"LL": -level, "LH": 1 - level, "HL": 1 - level, "HH": 2 - level}[band]


# Section 3: score and selection.


def greatest_gain(layer):
    return layer.levels if layer.haar == "exact" else 0 if layer.haar.startswith("orthonormal") else 1


def score_bits(layer, channels):
    aligned = {"exact": 2 * layer.levels, "lifting": layer.levels + 1}.get(layer.haar, layer.levels)
    word = layer.in_bits + aligned
    if layer.score == "l2":
        return 2 * (word - 1) + ceil_log2(channels) + 1
    return word + (ceil_log2(channels) if layer.score == "l1" else 0)


def scores(coefficients, places, layer, tally):
    """The joint score of every position."""
    word, total_bits = word_bits(layer, layer.levels), score_bits(layer, len(coefficients))
    energy = []
    for position, (level, band) in enumerate(places):
        align = greatest_gain(layer) - gain(layer, level, band)
        total = 0
        for channel in coefficients:
            value = channel[position]
            tally["coefficient_read_bits"] += word
            if align:
                value <<= align
                tally["shifts"] += 1
            if layer.score == "l2":
                total += value * value
                tally["multiplies"] += 1
                tally["adds"] += 1
                continue
            magnitude = -value if value < 0 else value
            tally["compares"] += 1
            if layer.score == "l1":
                total += magnitude
                tally["adds"] += 1
            else:
                total = magnitude if magnitude > total else total
                tally["compares"] += 1
        assert total < 1 << total_bits
        energy.append(total)
        tally["score_write_bits"] += total_bits
    return energy


def select_exact(energy, k, bits, tally):
    """MSD radix select with 8-bit digits, as hardware does it: kept flags, ties to the lowest index."""
    passes = (bits + 7) // 8
    prefix, need = 0, k
    for digit in reversed(range(passes)):
        bins = [0] * 256
        for value in energy:
            tally["score_read_bits"] += bits
            tally["compares"] += 1
            if value >> 8 * (digit + 1) == prefix:
                bins[value >> 8 * digit & 255] += 1
        chosen = None
        for symbol in reversed(range(256)):
            tally["adds"] += 1
            if chosen is None and need <= bins[symbol]:
                chosen = symbol
            elif chosen is None:
                need -= bins[symbol]
        prefix = prefix << 8 | chosen
    kept = []
    for value in energy:  # `prefix` is now the k-th greatest score, `need` how many equal to it fit
        tally["score_read_bits"] += bits
        tally["compares"] += 1
        kept.append(value > prefix or (value == prefix and need > 0))
        need -= value == prefix
    return kept


def bin_of(value, mantissa_bits):
    """Leading-one exponent and the bits after it; 0 for 0."""
    if value == 0:
        return 0
    exponent = value.bit_length() - 1
    mantissa = (value << mantissa_bits >> exponent) - (1 << mantissa_bits)
    return (exponent + 1) << mantissa_bits | mantissa


def select_binned(energy, k, mantissa_bits, bits, tally):
    """One histogram pass, one raster pass."""
    bins = Counter()
    for value in energy:
        tally["score_read_bits"] += bits
        tally["compares"] += 1
        bins[bin_of(value, mantissa_bits)] += 1
    need, boundary = k, None
    for exponent_and_mantissa in reversed(range(64 << mantissa_bits)):
        tally["adds"] += 1
        if boundary is None and need <= bins[exponent_and_mantissa]:
            boundary = exponent_and_mantissa
        elif boundary is None:
            need -= bins[exponent_and_mantissa]
    kept = []
    for value in energy:
        tally["score_read_bits"] += bits
        tally["compares"] += 1
        key = bin_of(value, mantissa_bits)
        kept.append(key > boundary or (key == boundary and need > 0))
        need -= key == boundary
    return kept


# Section 4: index memory. A stream is a list of bits; bit i of the stream is bit i % 8 of byte i // 8.


def number(value, bits):
    """`value` as `bits` bits, the lowest first."""
    return [value >> i & 1 for i in range(bits)]


def to_bytes(stream):
    return bytes(
        sum(bit << i for i, bit in enumerate(stream[start : start + 8])) for start in range(0, len(stream), 8)
    )


def rice(flags, complement, parameter):
    """Gaps between set flags (the last gap reaches the end) in Rice code."""
    stream, gap = [complement, *number(parameter, 3)], 0
    for flag in [*(flag ^ complement for flag in flags), None]:
        if flag == 0:
            gap += 1
        elif flag == 1 or gap:
            stream += [1] * (gap >> parameter) + [0] + number(gap, parameter)
            gap = 0
    return stream


def encode_index(kept, places, layer):
    """The stream of bits of the index memory."""
    if layer.index == "bitmap":
        return [int(flag) for flag in kept]
    if layer.index == "list":
        width = ceil_log2(len(kept))
        return [bit for i, flag in enumerate(kept) if flag for bit in number(i, width)]
    bands = [(layer.levels, "LL")]
    bands += [(level, band) for level in range(layer.levels, 0, -1) for band in ("LH", "HL", "HH")]
    stream = []
    for band in bands:
        flags = [int(flag) for flag, where in zip(kept, places, strict=True) if where == band]
        choices = [rice(flags, complement, parameter) for complement in (0, 1) for parameter in range(8)]
        stream += min(choices, key=len)  # the first of the shortest
    return stream


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


# Section 7: inverse.


def inverse_block(a, lh, hl, hh, level, layer, tally):
    """The 2x2 block of level `level` - 1."""
    if layer.haar == "lifting":

        def unlift(mean, difference):
            tally["adds"] += 2
            tally["shifts"] += 1
            second = mean - (difference >> 1)
            return second + difference, second

        mean_top, mean_bottom = unlift(a, lh)
        difference_top, difference_bottom = unlift(hl, hh)
        return *unlift(mean_top, difference_top), *unlift(mean_bottom, difference_bottom)
    if layer.haar == "exact" and level < layer.levels:
        lh, hl, hh = (word << (layer.levels - level) for word in (lh, hl, hh))
        tally["shifts"] += 3
    a, b, c, d = butterfly(a, lh, hl, hh, tally)
    if layer.haar.startswith("orthonormal"):
        a, b, c, d = (half(value, layer.haar, tally) for value in (a, b, c, d))
    return a, b, c, d


def inverse_growth(layer):
    """Bits that the inverse adds to YW, without bias."""
    if layer.haar == "exact":
        return 2 if layer.levels == 1 else layer.levels + 2
    if layer.haar == "lifting":
        return 2 if layer.levels <= 2 else 3
    return 1 if layer.levels == 1 else 2


def inverse(image, bias, layer, tally):
    """Mallat layout of words to pixels, [HP][WP]."""
    image = [list(row) for row in image]
    height, width = len(image) >> layer.levels, len(image[0]) >> layer.levels
    word = layer.yw + inverse_growth(layer) + (layer.bias is not None)
    if layer.bias is not None:
        for row in image[:height]:
            for j in range(width):
                row[j] += bias
                tally["adds"] += 1
    for level in range(layer.levels, 0, -1):
        source = [row[: 2 * width] for row in image[: 2 * height]]
        for i in range(height):
            for j in range(width):
                if level < layer.levels:
                    tally["wavelet_read_bits"] += word
                block = inverse_block(
                    source[i][j],
                    source[i][width + j],
                    source[height + i][j],
                    source[height + i][width + j],
                    level,
                    layer,
                    tally,
                )
                if level > 1:
                    tally["wavelet_write_bits"] += 4 * word
                assert all(-(1 << (word - 1)) <= value < 1 << (word - 1) for value in block)
                image[2 * i][2 * j], image[2 * i][2 * j + 1] = block[:2]
                image[2 * i + 1][2 * j], image[2 * i + 1][2 * j + 1] = block[2:]
        height, width = 2 * height, 2 * width
    return image


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

    energy = scores(coefficients, places, layer, tally[Stage.SCORE])
    k = layer.keep.numerator * len(energy) // layer.keep.denominator
    bits = score_bits(layer, len(x))
    if layer.selection == "exact":
        kept = select_exact(energy, k, bits, tally[Stage.SELECT])
    else:
        mantissa_bits = int(layer.selection.split(":")[1])
        kept = select_binned(energy, k, mantissa_bits, bits, tally[Stage.SELECT])
    indices = [i for i, flag in enumerate(kept) if flag]
    stream = encode_index(kept, places, layer)
    tally[Stage.BITMAP]["index_write_bits"] += len(stream)

    q = quantise_kept(coefficients, indices, places, len(stream), layer, tally[Stage.REQUANTISE])
    acc = multiply_accumulate(q, weights, layer, tally[Stage.MAC])
    y = requantise_sums(acc, indices, places, layer, tally[Stage.REQUANTISE_SUM])

    out = []
    tally[Stage.ZERO_FILL]["index_read_bits"] += len(stream)
    for channel in range(len(weights)):
        flat = [0] * len(energy)
        for j, i in enumerate(indices):
            flat[i] = y[channel][j]
            tally[Stage.ZERO_FILL]["wavelet_read_bits"] += layer.yw
        rows = [flat[i * padded_width : (i + 1) * padded_width] for i in range(padded_height)]
        bias = layer.bias[channel] if isinstance(layer.bias, (list, tuple)) else layer.bias
        pixels = inverse(rows, bias, layer, tally[Stage.INVERSE])
        out.append(requantise_out(pixels, channel, height, width, layer, tally[Stage.REQUANTISE_OUT]))
    return Outcome(
        coefficients, energy, kept, indices, len(stream), to_bytes(stream), q, acc, y, out, tally.result()
    )


def level_shift(layer, level):
    return layer.per_level_shift[level - 1] if layer.per_level_shift else 0


def quantise_kept(coefficients, indices, places, index_bits, layer, tally):
    """Gather and R1: [C][k]."""
    tally["index_read_bits"] += index_bits
    multiplier, shift = layer.r1
    limit = (1 << (layer.kept_bits - 1)) - 1
    word = word_bits(layer, layer.levels)
    q = []
    for channel in coefficients:
        row = []
        for i in indices:
            level, band = places[i]
            total = shift + gain(layer, level, band) + level_shift(layer, level)
            tally["coefficient_read_bits"] += word
            row.append(requantise(channel[i], multiplier, total, -limit, limit, layer.mode, tally))
            tally["kept_write_bits"] += layer.kept_bits
        q.append(row)
    return q


def multiply_accumulate(q, weights, layer, tally):
    """[Cout][k]."""
    tally["kept_read_bits"] += layer.kept_bits * len(q) * len(q[0])
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
