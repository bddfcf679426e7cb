"""What the fast paths share: which plans they cover, the numbers their kernels take, their scratch memory."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import numba
import numpy as np
import numpy.typing as npt

from wccsim.datapath.plan import Plan
from wccsim.datapath.strips import Strips, strips_of
from wccsim.errors import WccsimError

VARIABLE = "WCCSIM_THREADS"
SPLIT = 11  # bits that `_requantise` splits off
LEAST_SHIFT, GREATEST_SHIFT = SPLIT + 1, 41
VALUE_BITS = 25  # magnitude of what `_requantise` takes


def why_not(plan: Plan, inner: bool) -> str | None:
    """Why the fast paths cannot run `plan`; None: they can. Each condition is one of their proofs."""
    p = plan.parameters
    largest_sum = plan.channels * ((1 << (p.act_bits - 1)) - 1) * ((1 << (p.weight_bits - 1)) - 1)
    shifts = np.concatenate([plan.r1_shift, plan.r2_shift.reshape(-1), plan.r3.shift])
    conditions = [
        (inner, "the inner arrays are asked for"),
        (sys.byteorder != "little", "this machine is big-endian"),
        (p.haar != "exact", f"haar is {p.haar}"),
        (p.score != "l2", f"the score is {p.score}"),
        (p.requantise_mode != "single", f"the requantise mode is {p.requantise_mode}"),
        (p.coefficient_bits() > 16, f"coefficients have {p.coefficient_bits()} bits, more than 16"),
        (largest_sum >= 1 << VALUE_BITS, f"sums of {plan.channels} channels may need more than 26 bits"),
        (int(shifts.min()) < LEAST_SHIFT, f"a requantiser shifts by less than {LEAST_SHIFT}"),
        (int(shifts.max()) > GREATEST_SHIFT, f"a requantiser shifts by more than {GREATEST_SHIFT}"),
    ]
    return next((reason for obstacle, reason in conditions if obstacle), None)


def thread_count(asked: int | None = None) -> int:
    """Threads to use: `asked`, else WCCSIM_THREADS, else all the processor offers."""
    given: Any = asked if asked is not None else os.environ.get(VARIABLE) or numba.config.NUMBA_NUM_THREADS
    most = int(numba.config.NUMBA_NUM_THREADS)
    try:
        count = int(given)
    except ValueError:
        count = 0
    if not 1 <= count <= most:
        raise WccsimError(f"threads ({VARIABLE}) is {given!r}; allowed: 1 to {most}")
    return count


@contextmanager
def threads(count: int) -> Iterator[None]:
    """Numba's parallel loops inside use `count` threads."""
    before = numba.get_num_threads()
    numba.set_num_threads(count)
    try:
        yield
    finally:
        numba.set_num_threads(before)


@dataclass(frozen=True, slots=True)
class Fused:
    """A plan as the kernels take it; every number has the kernels' own type.

    flip, offset: an unsigned map is read as x - 128, see `_forward_strip`. batch[l]: channels whose squares
    of level l fit 32 bits together. order: flat index base and step, R1's shift and R2's relief of
    each word of a strip. r1: (M, greatest q). r2, r3: int32 [Cout, 2], M and the shift. All
    shifts are less SPLIT. bias: int32 [Cout].
    """

    strips: Strips
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


def prepare(plan: Plan, unsigned: bool) -> Fused:
    """The kernels' view of a plan that `why_not` lets pass, for int8 or uint8 maps."""
    p = plan.parameters
    strips = strips_of(p.levels, plan.padded_height, plan.padded_width)
    squares = [1 << 2 * (p.in_bits - 1 + 2 * level) for level in range(p.levels + 1)]
    relief = plan.r2.shift[0] - plan.r2_shift[0]
    low, high = plan.out_range
    return Fused(
        strips=strips,
        levels=p.levels,
        flip=np.uint16(0x8080).astype(np.int16) if unsigned else np.int16(0),
        offset=np.int32(128 << 2 * p.levels if unsigned else 0),
        batch=np.array([((1 << 31) - 1) // square for square in squares], np.int64),
        order=(
            strips.base,
            strips.step,
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


def scratch_sizes(plan: Plan, panel: int) -> tuple[int, int, int]:
    """Words of a strip; of its first LL band (even, so that pairs fit); of whole panels of a strip."""
    words = plan.padded_width << plan.parameters.levels
    quarter = -(-words // 8) * 2
    return words, quarter, -(-words // panel) * panel


@dataclass(frozen=True, slots=True)
class Workspace:
    """Everything a fast path allocates for one plan, output excepted; reusable, one user at a time.

    scores: int64 [strips, words]; squares: int32 [threads, words]; weights: packed for the path's tile.
    """

    fused: Fused
    threads: int
    scores: npt.NDArray[np.int64]
    squares: npt.NDArray[np.int32]
    scratch: tuple[npt.NDArray[Any], ...]
    weights: npt.NDArray[Any]

    @staticmethod
    def of(
        plan: Plan,
        unsigned: bool,
        threads: int,
        shapes: list[tuple[Any, tuple[int, ...]]],
        weights: npt.NDArray[Any],
    ) -> Workspace:
        """Scratch arrays of the given dtypes and shapes, one for each thread."""
        fused = prepare(plan, unsigned)
        count = max(1, min(threads, fused.strips.count))
        return Workspace(
            fused=fused,
            threads=count,
            scores=np.empty((fused.strips.count, fused.strips.words), np.int64),
            squares=np.empty((count, fused.strips.words), np.int32),
            scratch=tuple(np.empty((count, *shape), dtype) for dtype, shape in shapes),
            weights=weights,
        )


def pairs_of_pixels(plan: Plan, x: npt.NDArray[Any]) -> npt.NDArray[np.int16]:
    """x int8 or uint8 [C, H, W], zeros added where the map is padded, as words of two pixels."""
    if (plan.height, plan.width) != (plan.padded_height, plan.padded_width):
        padded = np.zeros((plan.channels, plan.padded_height, plan.padded_width), x.dtype)
        padded[:, : plan.height, : plan.width] = x
        x = padded
    return np.ascontiguousarray(x).view(np.int16)
