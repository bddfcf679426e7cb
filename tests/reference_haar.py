"""The slow twin's transform: padding, the Haar variants forward and inverse, places in the Mallat layout.

Part of tests/reference.py; sections 1, 2 and 7 of docs/datapath.md.
"""


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
    if layer.levels == 0:
        return 0
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
