"""The slow twin's score, selection, index memory and word memory: sections 3 and 4 of docs/datapath.md.

Part of tests/reference.py.
"""

from collections import Counter

from reference_haar import gain, word_bits


def ceil_log2(count):
    bits = 0
    while (1 << bits) < count:
        bits += 1
    return bits


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


# Section 4: word memory. A stream is a string of 0 and 1, in the order in which the bits are written.


def zig_zag(word):
    return 2 * word if word >= 0 else -2 * word - 1


def rice_word(value, parameter, width):
    """Eight ones and the value itself stand where the quotient would take eight ones or more."""
    quotient, low = divmod(value, 2**parameter)
    if quotient >= 8:
        return "1" * 8 + plain_word(value, width)
    return "1" * quotient + "0" + plain_word(low, parameter)


def plain_word(value, width):
    """`width` bits of two's complement, the highest first."""
    return "".join(str(value >> i & 1) for i in reversed(range(width)))


def encode_words(q, widths, coding):
    """The stream of the words q [C][k], the width of each position given."""
    if coding == "fixed":
        return "".join(plain_word(word, width) for row in q for word, width in zip(row, widths, strict=True))
    values, stream = [zig_zag(word) for row in q for word in row], ""
    for start in range(0, len(values), 16):
        block = values[start : start + 16]
        choices = [
            plain_word(parameter, 3) + "".join(rice_word(value, parameter, max(widths)) for value in block)
            for parameter in range(8)
        ]
        stream += min(choices, key=len)  # the first of the shortest
    return stream


def words_to_bytes(stream):
    filled = stream + "0" * (-len(stream) % 8)
    return bytes(int(filled[start : start + 8], 2) for start in range(0, len(filled), 8))
