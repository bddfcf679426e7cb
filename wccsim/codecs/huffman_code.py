"""Length-limited canonical Huffman codes by package-merge, and the streams made of them.

Lengths are optimal under the limit. Ties: a leaf before a package, leaves by (count, symbol).
Canonical codes are dealt by (length, symbol), most significant bit first.
Source: Larmore and Hirschberg, JACM 1990; docs/codecs.md, section "huffman".
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import Bytes, Words, get_bits, put_bits

Counts = npt.NDArray[np.int64]
Lengths = npt.NDArray[np.uint8]

LENGTH_BITS = 4  # one table entry: the length of a symbol's code, 0 where it has none
MAX_LENGTH = 15


@njit(cache=True)
def _package_merge(counts: Counts, limit: int, lengths: Counts) -> None:
    """Code lengths of `counts` (ascending, two or more, at most 2**limit of them)."""
    leaves = counts.size
    is_leaf = np.zeros((limit, 2 * leaves), np.bool_)
    sizes = np.zeros(limit, np.int64)
    weights = np.zeros(2 * leaves, np.int64)
    merged = np.zeros(2 * leaves, np.int64)
    held = 0
    for level in range(limit):
        packages = held // 2
        leaf = package = at = 0
        while leaf < leaves or package < packages:
            pair = weights[2 * package] + weights[2 * package + 1] if package < packages else 0
            if package >= packages or (leaf < leaves and counts[leaf] <= pair):
                merged[at] = counts[leaf]
                is_leaf[level, at] = True
                leaf += 1
            else:
                merged[at] = pair
                package += 1
            at += 1
        weights, merged = merged, weights
        held = at
        sizes[level] = at
    # The first 2n - 2 items of the last list, and of each list below what its packages hold.
    take = 2 * leaves - 2
    for level in range(limit - 1, -1, -1):
        chosen = 0
        for i in range(take):
            chosen += is_leaf[level, i]
        for leaf in range(chosen):
            lengths[leaf] += 1
        take = 2 * (take - chosen)


def code_lengths(counts: npt.NDArray[np.integer], limit: int) -> Lengths | None:
    """Lengths (0 for an absent symbol) of the optimal code of at most `limit` bits; None if too many.

    A single symbol gets length 1.
    """
    present = np.flatnonzero(counts)
    lengths = np.zeros(counts.size, np.uint8)
    if present.size > 1 << limit:
        return None
    if present.size == 1:
        lengths[present] = 1
        return lengths
    weights = counts[present].astype(np.int64)
    order = np.argsort(weights, kind="stable")
    found = np.zeros(present.size, np.int64)
    _package_merge(weights[order], limit, found)
    lengths[present[order]] = found
    return lengths


def canonical_codes(lengths: Lengths) -> npt.NDArray[np.int32]:
    """The code of each symbol, dealt in the order (length, symbol)."""
    codes = np.zeros(lengths.size, np.int32)
    code = previous = 0
    for symbol in sorted(np.flatnonzero(lengths).tolist(), key=lambda s: (int(lengths[s]), s)):
        code <<= int(lengths[symbol]) - previous
        previous = int(lengths[symbol])
        codes[symbol] = code
        code += 1
    return codes


def decode_tables(lengths: Lengths) -> tuple[Words, Words] | None:
    """(symbol, length) of every window of MAX_LENGTH bits; length 0 where no code fits.

    None where the lengths over-fill the code space, which no encoder writes.
    """
    present = np.flatnonzero(lengths)
    if sum(1 << (MAX_LENGTH - int(n)) for n in lengths[present]) > 1 << MAX_LENGTH:
        return None
    codes = canonical_codes(lengths)
    symbols = np.zeros(1 << MAX_LENGTH, np.int32)
    widths = np.zeros(1 << MAX_LENGTH, np.int32)
    for symbol in present.tolist():
        spare = MAX_LENGTH - int(lengths[symbol])
        start = int(codes[symbol]) << spare
        symbols[start : start + (1 << spare)] = symbol
        widths[start : start + (1 << spare)] = lengths[symbol]
    return symbols, widths


@njit(cache=True)
def write_symbols(symbols: Words, codes: Words, lengths: Lengths, out: Bytes, position: int) -> int:
    """Write the code of each symbol at `position`; the position after them."""
    for i in range(symbols.size):
        symbol = symbols[i]
        position = put_bits(out, position, np.int64(codes[symbol]), np.int64(lengths[symbol]))
    return position


@njit(cache=True)
def read_symbols(data: Bytes, position: int, limit: int, symbols: Words, widths: Words, out: Words) -> int:
    """Read `out.size` symbols; the position after them, -1 at an early end, -2 at no code."""
    for i in range(out.size):
        window = get_bits(data, position, MAX_LENGTH)
        if widths[window] == 0:
            return -2
        out[i] = symbols[window]
        position += widths[window]
        if position > limit:
            return -1
    return position


def coded_bits(counts: npt.NDArray[np.integer], lengths: Lengths) -> int:
    """Bits of all symbols: the sum of count times length."""
    return int((counts.astype(np.int64) * lengths.astype(np.int64)).sum())
