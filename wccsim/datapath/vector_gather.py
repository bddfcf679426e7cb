# mypy: disallow-untyped-defs=False, disallow-untyped-calls=False
# Kernels state their types in their docstrings: numba infers them.

"""The middle of the vector path: which words a strip keeps, their gather, and R1, in AVX-512 registers.

A strip's flags are a bit mask, 64 positions a word. vpcompressw moves the kept words of a block together
under its mask; where they go is the number of bits set before it, counted once a strip for all channels.
R1 takes four channels at once and leaves panels: for every four channels, GROUP words of four bytes, q or q +
128, the lanes in the order of vpunpck, which R2 undoes by itself (`vector_product`).

R1 in 16 bits. M is the multiplier, 2**15 <= M < 2**16; as a signed word it is M - 2**16, so that vpmulhw(c,
M) + c is floor(c M / 2**16), exactly. 2**(s-1) is a multiple of 2**16 for s >= 17, and floors nest: q is
(floor(c M / 2**16) + 2**(s-17)) >> (s-16). A level that shifts by less has its words raised: c 2**e for c, s
+ e for s. The sum fits where c 2**e has at most 15 bits and s <= 31; with 16 bits and s <= 24 a sum that
saturates is one that the clamp cuts anyway (`vector_plan.obstacle` checks).
"""

from __future__ import annotations

from llvmlite import ir
from numba import njit, types

from wccsim.datapath.lanes import kernel
from wccsim.datapath.portable_forward import I64, U
from wccsim.datapath.vector_forward import BLOCK, _forward_strip
from wccsim.datapath.vector_select import FLAGS, first_bits, reached

GROUP = 32  # positions of a panel, in two registers of 32-bit lanes
LEAST_SHIFT = 17


def _bits_set(code, mask):
    return code.builder.ctpop(mask)


def _spread_flags(code, mask, flags, at):
    """One byte, 0 or 1, for each bit of the mask."""
    code.store(code.where_set(mask, code.constant(8, 1)), flags, at)


def _compress_block(code, words, at, mask, target, to):
    """The words of a block whose bit is set, side by side, to target[to:]; BLOCK words are written."""
    code.store(
        code.compressed(code.load(words, at, 16), code.builder.trunc(mask, ir.IntType(BLOCK))), target, to
    )


def _requantise_four(code, four, slots, j, shifts, multiplier, limit, signs, panels, at):
    """R1 of GROUP words of four channels, four[j + c * slots], into a group's two registers at panels[at].

    signs: 0x80808080 makes q + 128 of q, whose top bit it changes; 0 leaves q.
    """
    factor, most, one = code.spread(multiplier, 16), code.spread(limit, 16), code.constant(16, 1)
    both = code.load(shifts, j, 16)
    shift, raised = both & code.constant(16, 255), both >> code.constant(16, 8)
    half = one << (shift - one)
    least = code.constant(16, 0) - most
    bytes_of = []
    for _ in range(4):
        c = code.load(four, j, 16) << raised
        scaled = code.sum_saturating(code.high_product(c, factor) + c, half) >> shift
        bytes_of.append(scaled.at_least(least).at_most(most))
        j = code.builder.add(j, slots)
    low_byte, eight = code.constant(16, 255), code.constant(16, 8)
    pairs = [(bytes_of[i] & low_byte) | (bytes_of[i + 1] << eight) for i in (0, 2)]
    for part, words in enumerate(pairs[0].interleaved(pairs[1])):
        code.store(words.seen_as(32) ^ code.spread(signs, 32), panels, code.plus(at, part * GROUP // 2))


bits_set = kernel(_bits_set, types.int64)
spread_flags = kernel(_spread_flags)
compress_block = kernel(_compress_block)
requantise_four = kernel(_requantise_four)


@njit(cache=True)
def _settle_ties(mask, base, step, strip, first, last):
    """The mask without the ties that lie behind `last`; `mask` holds ties only."""
    kept = I64(0)
    for bit in range(FLAGS):
        i = first + bit
        if mask >> I64(bit) & I64(1) and base[U(i)] + strip * step[U(i)] <= last:
            kept |= I64(1) << I64(bit)
    return kept


@njit(cache=True)
def _mark_strip(scores, strip, words, base, step, threshold, masks):
    """The masks of one strip; scores is flat."""
    low, high, last = threshold
    for block in range(masks.size):
        at, inside = strip * words + block * FLAGS, first_bits(words - block * FLAGS)
        mask = reached(scores, at, high) & inside
        if low < high:
            tied = reached(scores, at, low) & inside & ~mask
            if tied != 0:
                mask |= _settle_ties(tied, base, step, strip, block * FLAGS, last)
        masks[block] = mask


@njit(cache=True)
def _list_parts(masks, width, parts):
    """Each `width` positions with a kept one: the first, the mask, kept words before. Kept words, parts."""
    count, found = I64(0), 0
    for block in range(masks.size):
        for start in range(0, FLAGS, width):
            mask = (masks[block] >> I64(start)) & ((I64(1) << I64(width)) - I64(1))
            parts[U(found), 0] = block * FLAGS + start
            parts[U(found), 1] = mask
            parts[U(found), 2] = count
            found += mask != 0
            count += bits_set(mask)
    return count, found


@njit(cache=True)
def _write_marks(scores, strip, words, pieces, masks, flags, energy, kept):
    """Scores and flags of one strip in flat order. pieces: int64 [n, 4] of `vector_plan.pieces_of`."""
    for block in range(masks.size):
        spread_flags(masks[block], flags, block * FLAGS)
    for piece in range(pieces.shape[0]):
        start, count, base, step = pieces[piece, 0], pieces[piece, 1], pieces[piece, 2], pieces[piece, 3]
        source, target = strip * words + start, base + strip * step
        for i in range(count):
            energy[U(target + i)] = scores[U(source + i)]
        for i in range(count):
            kept[U(target + i)] = flags[U(start + i)]


@njit(cache=True)
def _compress_strip(words, parts, count, target, to):
    """The kept words of a strip, side by side, to target[to:]; parts of BLOCK positions."""
    for i in range(count):
        compress_block(words, parts[U(i), 0], parts[U(i), 1], target, to + parts[U(i), 2])


@njit(cache=True)
def _gather_strip(image, strip, layout, numbers, half_count, count, own):
    """Haar, gather and R1 of one strip: own.panels, [group][four channels][GROUP], flat; whole groups."""
    rows, tops, words, lows, halves = layout.rows, layout.tops, own.words, own.lows, own.halves
    four, shifts, panels = own.four, own.shifts, own.panels
    channels, slots, fours = numbers.channels, four.size // 4, (numbers.channels + 3) // 4
    for c in range(channels):
        _forward_strip(image, c, strip, numbers, rows, tops, words, lows)
        _compress_strip(words, halves, half_count, four, c % 4 * slots)
        if c + 1 == channels:
            four[(c % 4 + 1) * slots :] = 0
        if c + 1 == channels or c % 4 == 3:
            for j in range(0, count, GROUP):
                requantise_four(
                    four, slots, j, shifts, numbers.multiplier, numbers.q_limit, numbers.signs, panels,
                    j * fours + c // 4 * GROUP,
                )  # fmt: skip
