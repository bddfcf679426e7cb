"""What the portable path's kernels take: which plans they cover, the numbers of a plan, scratch sizes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.fused import Room, first_that_holds, greatest_sum, why_not
from wccsim.datapath.plan import Plan
from wccsim.datapath.portable_forward import _pad_channels
from wccsim.datapath.strips import Strips, row_order
from wccsim.datapath.workers import share

SPLIT = 11  # bits that `_requantise` splits off
LEAST_SHIFT, GREATEST_SHIFT = SPLIT + 1, 41
VALUE_BITS = 25  # magnitude of what `_requantise` takes


def covers(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why this path cannot run `plan` on signed or unsigned maps; None: it can. The proofs' conditions."""
    shared = why_not(plan, inner, unsigned)
    if shared is not None:
        return shared
    shifts = np.concatenate([plan.r1_shift, plan.r2_shift.reshape(-1), plan.r3.shift])
    return first_that_holds(
        [
            (
                greatest_sum(plan) >= 1 << VALUE_BITS,
                f"sums of {plan.channels} channels may need more than {VALUE_BITS + 1} bits",
            ),
            (int(shifts.min()) < LEAST_SHIFT, f"a requantiser shifts by less than {LEAST_SHIFT}"),
            (int(shifts.max()) > GREATEST_SHIFT, f"a requantiser shifts by more than {GREATEST_SHIFT}"),
        ]
    )


@dataclass(frozen=True, slots=True)
class Prepared:
    """A plan as the kernels take it; every number has the kernels' own type.

    flip, offset: an unsigned map is read as x - 128, see `_forward_strip`. batch[l]: channels, an even
    number, whose squares of level l fit 32 bits together. order: flat index base and step of each word of
    a strip, the rows of level 1, R1's shift and R2's relief of each word. r1: (M, greatest q). r2, r3:
    int32 [Cout, 2], M and the shift. All shifts are less SPLIT. bias: int32 [Cout].
    """

    levels: int
    flip: np.int16
    offset: np.int32
    batch: npt.NDArray[np.int64]
    order: tuple[npt.NDArray[Any], ...]
    r1: tuple[np.int32, np.int32]
    r2: npt.NDArray[np.int32]
    r3: npt.NDArray[np.int32]
    bias: npt.NDArray[np.int32]
    y_limit: np.int32
    low: np.int32
    high: np.int32


def _per_output(plan: Plan, multiplier: npt.NDArray[Any], shift: npt.NDArray[Any]) -> npt.NDArray[np.int32]:
    """int32 [Cout, 2]: M and the shift less SPLIT."""
    pairs = np.empty((plan.out_channels, 2), np.int32)
    pairs[:, 0], pairs[:, 1] = multiplier, shift - SPLIT
    return pairs


def prepare(plan: Plan, strips: Strips, unsigned: bool) -> Prepared:
    """The kernels' view of a plan that `covers` lets pass, for int8 or uint8 maps."""
    p = plan.parameters
    squares = [1 << 2 * (p.in_bits - 1 + 2 * level) for level in range(p.levels + 1)]
    relief = plan.r2.shift[0] - plan.r2_shift[0]
    low, high = plan.out_range
    return Prepared(
        levels=p.levels,
        flip=np.uint16(0x8080).astype(np.int16) if unsigned else np.int16(0),
        offset=np.int32(128 << 2 * p.levels if unsigned else 0),
        batch=np.array([((1 << 32) - 1) // square // 2 * 2 for square in squares], np.int64),
        order=(
            strips.base,
            strips.step,
            row_order(strips.groups, p.levels - 1),
            (plan.r1_shift - SPLIT).astype(np.int32)[strips.subband],
            relief.astype(np.int32)[strips.subband],
        ),
        r1=(np.int32(plan.r1.multiplier[0]), np.int32((1 << (p.act_bits - 1)) - 1)),
        r2=_per_output(plan, plan.r2.multiplier, plan.r2.shift),
        r3=_per_output(plan, plan.r3.multiplier, plan.r3.shift),
        bias=np.zeros(plan.out_channels, np.int32) if plan.bias is None else plan.bias.copy(),
        y_limit=np.int32((1 << (p.wavelet_bits - 1)) - 1),
        low=np.int32(low),
        high=np.int32(high),
    )


def scratch_sizes(strips: Strips, panel: int) -> tuple[int, int, int]:
    """Words of a strip; of all its LL bands (even, so that pairs fit); of whole panels of a strip."""
    words = strips.words
    lows = sum(words >> 2 * level for level in range(1, strips.levels + 1))
    return words, lows + lows % 2, -(-words // panel) * panel


def pairs_of_pixels(x: npt.NDArray[Any], room: Room) -> npt.NDArray[np.int16]:
    """x int8 or uint8 [C, H, W] as words of two pixels; a map that needs padding is copied into the room."""
    image = np.ascontiguousarray(x).view(np.int8)
    if room.padded is None:
        return image.view(np.int16)
    counter, padded = np.zeros(1, np.int64), room.padded
    share(room.threads, lambda _: _pad_channels(counter, image, padded))
    return padded.view(np.int16)
