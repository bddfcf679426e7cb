"""The DRAM traffic of one WCC layer, walked word by word: the slow, obvious twin of wccsim.cost.wcc.

Every word that crosses is one addition to a counter. What fits on chip is decided by filling each
buffer in the stated order; which tiles there are, in which order, and whether the index may stay are
told. Nothing here comes from wccsim.
"""

from collections import Counter
from dataclasses import dataclass
from itertools import product


@dataclass(frozen=True)
class Machine:
    """sizes: bits of each buffer by name; holds: the buffer of each tensor; bounded: memory is finite."""

    sizes: dict
    holds: dict
    bounded: bool


@dataclass(frozen=True)
class Layer:
    """Widths in bits. stored: bits of the map as it lies in DRAM, one entry a word; [] if it is on chip.

    form: "kept" where the stored words are the kept coefficients. index: bits of the layer's index, one
    entry a word; in_index, out_index: of the indices that cross with the maps.
    """

    channels: int
    outputs: int
    positions: int
    kept: int
    kept_words: list  # [k][C]: bits of each kept word where it crosses DRAM
    weight_bits: int
    coefficient_bits: int
    score_bits: int
    word_bits: int
    sum_bits: int
    binned: bool
    stored: list
    form: str
    index: list
    in_index: list
    out_index: list
    out_words: list


@dataclass(frozen=True)
class Tiles:
    """Tile sizes and the loops from the outermost in; index_inside: told, where it fits at all.

    copy: what the array needs again is read as a copy of the kept words; else from the map.
    """

    rows: int
    out_channels: int
    in_channels: int
    order: str
    index_inside: bool
    copy: bool


def resident(layer, machine):
    """Which of index, scores, coefficients fit, filled in this order; and whether coefficients stay."""
    used = Counter()
    fits = {}
    for tensor, words in (
        ("index", layer.index),
        ("score", [layer.score_bits for _ in range(layer.positions)]),
        ("coefficient", [layer.coefficient_bits for _ in range(layer.channels * layer.positions)]),
    ):
        buffer = machine.holds[tensor]
        needed = sum(words)
        fits[tensor] = not machine.bounded or used[buffer] + needed <= machine.sizes[buffer]
        used[buffer] += needed if fits[tensor] else 0
    tiled = {machine.holds[tensor] for tensor in ("in", "weight", "out")}
    stays = fits["coefficient"] and not (machine.bounded and machine.holds["coefficient"] in tiled)
    return fits, stays


def run(layer, machine, tiles):
    """(bits by tensor and direction, how often the Haar runs, how often the gather runs)."""
    dram, runs = Counter(), Counter()
    fits, stays = resident(layer, machine)
    index_inside = fits["index"] and tiles.index_inside

    def transform():
        runs["haar"] += 1
        if layer.form != "kept":
            for bits in layer.stored:
                dram["in_read"] += bits

    def read_index():
        if not index_inside:
            for bits in layer.index:
                dram["index_read"] += bits

    def gather(there):
        """Coefficients that are not there any more are made again from the map."""
        if not there:
            transform()
        runs["gather"] += 1
        read_index()

    transform()
    _select(layer, fits, dram)
    for bits in layer.in_index:
        dram["index_read"] += bits
    if not index_inside:
        for bits in layer.index:
            dram["index_write"] += bits
    gather(there=fits["coefficient"])
    _product(layer, tiles, stays, dram, gather)
    read_index()  # the zero-fill
    for bits in layer.out_words:
        dram["out_write"] += bits
    for bits in layer.out_index:
        dram["index_write"] += bits
    return dram, runs


def _select(layer, fits, dram):
    """Scores that do not fit are written once and read by every pass over them."""
    if fits["score"]:
        return
    for _ in range(layer.positions):
        dram["score_write"] += layer.score_bits
    sweeps, left = 1, layer.score_bits  # the marking pass
    while left > 0 and not layer.binned:
        sweeps, left = sweeps + 1, left - 8
    for _ in range(sweeps + layer.binned):
        for _ in range(layer.positions):
            dram["score_read"] += layer.score_bits


def _product(layer, tiles, stays, dram, gather):
    """The loops over tiles; one tile of each tensor is on chip at a time."""
    sizes = {"m": (layer.kept, tiles.rows), "n": (layer.outputs, tiles.out_channels),
             "k": (layer.channels, tiles.in_channels)}  # fmt: skip
    loops = []
    for loop in tiles.order:
        size, tile = sizes[loop]
        loops.append(range(0, size, tile))
    visits, held, added = Counter(), {}, Counter()
    sweep = 1
    for point in product(*loops):
        at = dict(zip(tiles.order, point, strict=True))
        span = {loop: range(at[loop], min(at[loop] + sizes[loop][1], sizes[loop][0])) for loop in at}
        place = at["m"], at["k"]
        if held.get("in") != place:
            held["in"] = place
            visits[place] += 1
            again = visits[place] > 1
            first_of_its_sweep = visits[place] > sweep
            sweep = max(sweep, visits[place])
            words = [layer.kept_words[row][channel] for row in span["m"] for channel in span["k"]]
            if layer.form == "kept":
                dram["in_read"] += sum(words)
            elif again and (stays or not tiles.copy):
                if first_of_its_sweep:  # the whole gather runs again, from the coefficients or the map
                    gather(there=stays)
            elif again:
                dram["kept_read"] += sum(words)
                if visits[place] == 2:  # it was written when it left for the first time
                    dram["kept_write"] += sum(words)
        if held.get("weight") != (at["k"], at["n"]):
            held["weight"] = at["k"], at["n"]
            dram["weight_read"] += sum(layer.weight_bits for _ in span["k"] for _ in span["n"])
        sums = [(row, out) for row in span["m"] for out in span["n"]]
        if held.get("out") != (at["m"], at["n"]):
            for element in held.get("sums", ()):
                if added[element] < layer.channels:
                    dram["partial_write"] += layer.sum_bits
            dram["partial_read"] += sum(layer.sum_bits for element in sums if added[element])
            held["out"], held["sums"] = (at["m"], at["n"]), sums
        for element in sums:
            added[element] += len(span["k"])
