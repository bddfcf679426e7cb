# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The vector path's part of the selection: the histogram of the scores, and the scores of one bin.

Bins of `strips.BINS_BITS` mantissa bits: with z leading zeros, the score's bits from the leading one on are
128..255 in its top eight, and the bin is (62 - z) * 128 more than they say: 0 for scores 0 and 1, and never
lower for a greater score. `strips.select` does the rest.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import njit, types

from wccsim.datapath.lanes import Array, Code, Vector, kernel
from wccsim.datapath.portable_forward import I64, U

FLAGS = 64  # positions in a word of a mask
LANES = 8  # scores of 64 bits in a register


def _bins(code: Code, scores: Vector) -> Vector:
    zeros = scores.at_least(code.constant(64, 1)).leading_zeros()
    top = (scores.at_least(code.constant(64, 1)) << zeros).shifted_in_zeros(code.constant(64, 56))
    return top + ((code.constant(64, 62) - zeros) << code.constant(64, 7))


def _bin_scores(code: Code, scores: Array, at: Any, found: Array) -> None:
    """The bins of FLAGS scores at scores[at:], into found[0:]."""
    for part in range(FLAGS // LANES):
        place = code.plus(at, part * LANES)
        code.store(_bins(code, code.load(scores, place, 64)), found, code.integer(part * LANES))


def _collect_some(code: Code, scores: Array, at: Any, left: Any, chosen: Any, found: Array, to: Any) -> Any:
    """Scores of a bin among the first `left` of LANES at scores[at:], packed to found[to:]; how many."""
    held = code.load(scores, at, 64)
    mask = code.builder.and_(_bins(code, held).mask_equal(code.spread(chosen, 64)), code.first(left, LANES))
    code.store(code.compressed(held, mask), found, to)
    return code.builder.zext(code.builder.ctpop(mask), left.type)


def _reached(code: Code, scores: Any, at: Any, bound: Any) -> Any:
    """A bit for each of the FLAGS scores at scores[at:]: it reaches the bound."""
    least, builder, mask = code.spread(bound, 64), code.builder, None
    for part in range(FLAGS // LANES):
        found = code.load(scores, code.plus(at, LANES * part), 64).mask_at_least(least)
        bits = builder.shl(builder.zext(found, ir.IntType(64)), ir.Constant(ir.IntType(64), LANES * part))
        mask = bits if mask is None else builder.or_(mask, bits)
    return mask


def _first_bits(code, count):
    return code.first(count, FLAGS)


reached = kernel(_reached, types.int64)
first_bits = kernel(_first_bits, types.int64)
bin_scores = kernel(_bin_scores)
collect_block = kernel(_collect_some, types.int64)


@njit(cache=True)
def _count_strip(scores, at, words, found, bins):
    """Add the scores of one strip, scores[at:at + words] of a flat array, to the histogram."""
    for i in range(0, words, FLAGS):
        bin_scores(scores, at + i, found)
        for j in range(min(FLAGS, words - i)):
            bins[U(found[U(j)])] += 1


@njit(cache=True)
def _collect(scores, chosen, found):
    """Scores of one bin, into `found`."""
    flat, count = scores.reshape(-1), I64(0)
    for i in range(0, flat.size, LANES):
        count += collect_block(flat, I64(i), I64(flat.size - i), chosen, found, count)


@njit(cache=True)
def _tied(scores, low, high, base, step, found):
    """Flat indices of the scores in low..high-1, into `found`."""
    flat, words, count = scores.reshape(-1), scores.shape[1], 0
    for i in range(0, flat.size, FLAGS):
        mask = reached(flat, i, low) & ~reached(flat, i, high) & first_bits(flat.size - i)
        bit = 0
        while mask != 0:
            if mask & I64(1):
                strip, word = divmod(i + bit, words)
                found[U(count)] = base[U(word)] + strip * step[U(word)]
                count += 1
            mask = (mask >> I64(1)) & I64(0x7FFFFFFFFFFFFFFF)
            bit += 1
