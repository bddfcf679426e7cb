"""What the vector path's kernels take: which plans they cover, the numbers of a plan, scratch sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from wccsim.datapath import vector_matrix
from wccsim.datapath.fused import Shapes, first_that_holds, greatest_sum, why_not
from wccsim.datapath.plan import Plan
from wccsim.datapath.strips import BINS, Strips, row_order
from wccsim.datapath.vector_forward import BLOCK, PIXELS
from wccsim.datapath.vector_gather import GROUP, LEAST_SHIFT
from wccsim.datapath.vector_product import ROWS, requantisers
from wccsim.datapath.vector_select import FLAGS

SIGNS = 0x80808080  # makes q + 128 of four bytes q: vpdpbusd's first operand has no sign
GREATEST_SHIFT = 46  # of R2 and R3
GREATEST_WORD_SHIFT = 31  # of R1, for words of at most 15 bits; for 16 bits:
GREATEST_FULL_SHIFT = 24
VALUE_BITS = 30  # magnitude of what R2 and R3 take


def raised(shift: Any) -> Any:
    """How far a word is first shifted left, so that its requantiser shifts by LEAST_SHIFT or more."""
    return np.maximum(0, LEAST_SHIFT - np.asarray(shift))


def obstacle(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why these kernels cannot run `plan` on signed or unsigned maps; None: they can. Proofs' conditions."""
    reason = why_not(plan, inner, unsigned)
    if reason is not None:
        return reason
    p = plan.parameters
    word_bits = p.in_bits + 2 * np.array(_levels(p.levels)) + raised(plan.r1_shift)
    word_most = np.where(word_bits > 15, GREATEST_FULL_SHIFT, GREATEST_WORD_SHIFT)
    sum_raise, pixel_raise = int(raised(plan.r2_shift).max()), int(raised(plan.r3.shift).max())
    most = max(int(plan.r2_shift.max()) + sum_raise, int(plan.r3.shift.max()) + pixel_raise)
    return first_that_holds(
        [
            (int(word_bits.max()) > 16, "R1 shifts by too little for words of 16 bits"),
            (bool((plan.r1_shift > word_most).any()), "R1 shifts by too much for words of 16 bits"),
            (
                greatest_sum(plan) << sum_raise >= 1 << VALUE_BITS,
                f"R2 shifts by too little for sums of {plan.channels} channels",
            ),
            (p.inverse_bits() + pixel_raise > VALUE_BITS + 1, "R3 shifts by too little"),
            (most > GREATEST_SHIFT, f"R2 or R3 shifts by more than {GREATEST_SHIFT}"),
        ]
    )


def _levels(levels: int) -> list[int]:
    """The level of each sub-band, in the order of `subbands`."""
    return [levels] + [level for level in range(levels, 0, -1) for _ in range(3)]


class Layout(NamedTuple):
    """Where things lie.

    rows: the order of the pairs of rows of a strip. tops: see `tops_of`. base, step: as in
    `Strips`. pieces: see `pieces_of`. shifts, ups, reliefs: int16, of each position of a strip: R1's shift
    less 16 and, in the high byte, how far the word is raised before; the shift to the last level's grid, and
    as far as R3's words are raised; R2's relief.
    """

    rows: npt.NDArray[np.int64]
    tops: npt.NDArray[np.int64]
    base: npt.NDArray[np.int64]
    step: npt.NDArray[np.int64]
    pieces: npt.NDArray[np.int64]
    shifts: npt.NDArray[np.int16]
    ups: npt.NDArray[np.int16]
    reliefs: npt.NDArray[np.int16]


class Numbers(NamedTuple):
    """Single numbers of a plan. channels, height, width: of the map; columns: words of a row of level 1;
    strip_rows: rows of a strip.

    offset: what is added to a pixel to make it unsigned. multiplier, q_limit: R1's M as a signed word, the
    greatest q. signs: changes the top bits of four bytes, or none. sum_raise: how far a sum is raised before
    R2. y_limit: the greatest y. low: the clamp of R3 where `unsigned` is not set. matrix: AMX tiles;
    tile_rows: output channels of a tile.
    """

    channels: int
    height: int
    width: int
    columns: int
    levels: int
    strip_rows: int
    offset: int
    multiplier: int
    q_limit: int
    signs: int
    sum_raise: int
    y_limit: int
    low: int
    unsigned: bool
    matrix: bool
    tile_rows: int


class Scalers(NamedTuple):
    """r2, r3: `vector_product.requantisers`. bias: int32 [Cout], raised like R3's words."""

    r2: npt.NDArray[np.int32]
    r3: npt.NDArray[np.int32]
    bias: npt.NDArray[np.int32]


class Own(NamedTuple):
    """Scratch arrays of one thread, see `shapes`.

    Taking an array out of a tuple counts a reference, which two threads fight over: what runs for each
    channel takes arrays, and tuples of numbers only.
    """

    words: npt.NDArray[np.int16]
    lows: npt.NDArray[np.int16]
    masks: npt.NDArray[np.int64]
    halves: npt.NDArray[np.int64]
    quarters: npt.NDArray[np.int64]
    flags: npt.NDArray[np.int8]
    shifts: npt.NDArray[np.int16]
    ups: npt.NDArray[np.int16]
    reliefs: npt.NDArray[np.int16]
    four: npt.NDArray[np.int16]
    panels: npt.NDArray[np.int32]
    sums: npt.NDArray[np.int32]
    y: npt.NDArray[np.int32]
    wide: npt.NDArray[np.int32]
    low_bands: npt.NDArray[np.int32]
    next_wide: npt.NDArray[np.int32]
    next_low_bands: npt.NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan as the kernels take it. batch[l]: channels, an even number, whose squares of level l fit 32
    bits.

    tile_shapes: see `vector_matrix.tile_shapes`.
    """

    layout: Layout
    numbers: Numbers
    scalers: Scalers
    batch: npt.NDArray[np.int64]
    tile_shapes: npt.NDArray[np.uint8]


def pieces_of(strips: Strips) -> npt.NDArray[np.int64]:
    """int64 [n, 4], runs of words that are neighbours in flat order too: start, length, base, step."""
    ends = np.flatnonzero((np.diff(strips.base) != 1) | (np.diff(strips.step) != 0)) + 1
    starts = np.concatenate([[0], ends])
    lengths = np.diff(np.concatenate([starts, [strips.words]]))
    return np.stack([starts, lengths, strips.base[starts], strips.step[starts]], axis=1)


def tops_of(rows: npt.NDArray[np.int64], width: int) -> npt.NDArray[np.int64]:
    """Where, from a strip's first pixel, each block of level 1 begins; empty: rows are no whole blocks."""
    if width % PIXELS:
        return np.empty(0, np.int64)
    return (2 * rows[:, None] * width + np.arange(0, width, PIXELS)).reshape(-1)


def _per_position(strips: Strips, words: int, values: Any) -> npt.NDArray[np.int16]:
    """int16 [words]: a value for each sub-band as one for each position of a strip."""
    found = np.zeros(words, np.int16)
    found[: strips.words] = np.asarray(values)[strips.subband]
    return found


def prepare(plan: Plan, strips: Strips, unsigned: bool, matrix: bool = False) -> Prepared:
    """The kernels' view of a plan that `obstacle` lets pass, on int8 or uint8 maps; matrix: AMX tiles."""
    p = plan.parameters
    squares = [1 << 2 * (p.in_bits - 1 + 2 * level) for level in range(p.levels + 1)]
    sum_raise, pixel_raise = int(raised(plan.r2_shift).max()), int(raised(plan.r3.shift).max())
    bias = np.zeros(plan.out_channels, np.int32) if plan.bias is None else plan.bias << pixel_raise
    return Prepared(
        layout=_layout(plan, strips, pixel_raise),
        numbers=Numbers(
            channels=plan.channels,
            height=plan.height,
            width=plan.width,
            columns=plan.padded_width // 2,
            levels=p.levels,
            strip_rows=strips.rows,
            offset=0 if unsigned else 1 << (p.in_bits - 1),
            multiplier=int(plan.r1.multiplier[0]) - (1 << 16),
            q_limit=(1 << (p.act_bits - 1)) - 1,
            signs=0 if matrix else SIGNS,
            sum_raise=sum_raise,
            y_limit=(1 << (p.wavelet_bits - 1)) - 1,
            low=plan.out_range[0],
            unsigned=p.out_unsigned,
            matrix=matrix,
            tile_rows=vector_matrix.ROWS if matrix else ROWS,
        ),
        scalers=Scalers(
            requantisers(plan.out_channels, plan.r2.multiplier, plan.r2.shift + sum_raise),
            requantisers(plan.out_channels, plan.r3.multiplier, plan.r3.shift + pixel_raise),
            bias,
        ),
        batch=np.array([((1 << 32) - 1) // square // 2 * 2 for square in squares], np.int64),
        tile_shapes=vector_matrix.tile_shapes(),
    )


def _layout(plan: Plan, strips: Strips, pixel_raise: int) -> Layout:
    levels, rows = strips.levels, row_order(strips.groups, strips.levels - 1)
    words = -(-strips.words // FLAGS) * FLAGS
    word_raise = raised(plan.r1_shift)
    return Layout(
        rows=rows,
        tops=tops_of(rows, plan.width),
        base=strips.base,
        step=strips.step,
        pieces=pieces_of(strips),
        shifts=_per_position(strips, words, plan.r1_shift + word_raise - 16 | word_raise << 8),
        ups=_per_position(strips, words, levels - np.array(_levels(levels)) + pixel_raise),
        reliefs=_per_position(strips, words, plan.r2.shift[0] - plan.r2_shift[0]),
    )


def shapes(plan: Plan, strips: Strips) -> Shapes:
    """The scratch arrays of one thread: dtype and shape, with room where a block may reach behind an end."""
    words = strips.words
    flags = -(-words // FLAGS)
    slots = -(-words // GROUP) * GROUP + BLOCK
    columns = -(-(plan.padded_width // 2) // BLOCK) * BLOCK
    squares = 3 * columns * (strips.rows // 2) + (words >> 2) + (3 * strips.levels + 1) * BLOCK
    return {
        "words": (np.int16, (flags * FLAGS,)),
        "lows": (np.int16, (2 * ((words >> 1) + 4 * BLOCK),)),
        "masks": (np.int64, (flags,)),
        "halves": (np.int64, (2 * flags, 3)),
        "quarters": (np.int64, (4 * flags, 3)),
        "flags": (np.int8, (flags * FLAGS,)),
        "shifts": (np.int16, (slots + BLOCK,)),
        "ups": (np.int16, (slots + BLOCK,)),
        "reliefs": (np.int16, (slots + BLOCK,)),
        "four": (np.int16, (4 * slots,)),
        "panels": (np.int32, (slots * -(-plan.channels // 4) + vector_matrix.FOURS * GROUP,)),
        "sums": (np.int32, (vector_matrix.ROWS * GROUP,)),
        "y": (np.int32, (max(ROWS, vector_matrix.ROWS) * slots + BLOCK,)),
        "wide": (np.int32, (flags * FLAGS + 2 * BLOCK,)),
        "low_bands": (np.int32, ((words >> 1) + 4 * BLOCK,)),
        "next_wide": (np.int32, (flags * FLAGS + 2 * BLOCK,)),
        "next_low_bands": (np.int32, ((words >> 1) + 4 * BLOCK,)),
        "squares": (np.int32, (squares,)),
        "binned": (np.int64, (FLAGS,)),
        "bins": (np.int32, (BINS,)),
    }
