"""What the fast paths share: which plans they cover, the numbers their kernels take, their scratch memory."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan
from wccsim.datapath.portable_forward import _pad_channels, _score_strips
from wccsim.datapath.strips import Strips, bit_reversed, select, strips_of
from wccsim.datapath.workers import share, thread_count

SPLIT = 11  # bits that `_requantise` splits off
LEAST_SHIFT, GREATEST_SHIFT = SPLIT + 1, 41
VALUE_BITS = 25  # magnitude of what `_requantise` takes


def why_not(plan: Plan, inner: bool, unsigned: bool) -> str | None:
    """Why the fast paths cannot run `plan` on signed or unsigned maps; None: they can.

    Each condition is one of their proofs.
    """
    p = plan.parameters
    largest_sum = plan.channels * ((1 << (p.act_bits - 1)) - 1) * ((1 << (p.weight_bits - 1)) - 1)
    shifts = np.concatenate([plan.r1_shift, plan.r2_shift.reshape(-1), plan.r3.shift])
    conditions = [
        (inner, "the inner arrays are asked for"),
        (sys.byteorder != "little", "this machine is big-endian"),
        (p.in_bits > 8 + unsigned, f"activations of {p.in_bits - unsigned} bits do not fit a byte"),
        (p.haar != "exact", f"haar is {p.haar}"),
        (p.score != "l2", f"the score is {p.score}"),
        (p.detail_bits is not None, "the words of the detail bands are narrower"),
        (p.requantise_mode != "single", f"the requantise mode is {p.requantise_mode}"),
        (p.coefficient_bits() > 16, f"coefficients have {p.coefficient_bits()} bits, more than 16"),
        (largest_sum >= 1 << VALUE_BITS, f"sums of {plan.channels} channels may need more than 26 bits"),
        (int(shifts.min()) < LEAST_SHIFT, f"a requantiser shifts by less than {LEAST_SHIFT}"),
        (int(shifts.max()) > GREATEST_SHIFT, f"a requantiser shifts by more than {GREATEST_SHIFT}"),
    ]
    return next((reason for obstacle, reason in conditions if obstacle), None)


@dataclass(frozen=True, slots=True)
class Fused:
    """A plan as the kernels take it; every number has the kernels' own type.

    flip, offset: an unsigned map is read as x - 128, see `_forward_strip`. batch[l]: channels, an even
    number, whose squares of level l fit 32 bits together. order: flat index base and step of each word of
    a strip, the rows of level 1, R1's shift and R2's relief of each word. r1: (M, greatest q). r2, r3:
    int32 [Cout, 2], M and the shift. All shifts are less SPLIT. bias: int32 [Cout].
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
        batch=np.array([((1 << 32) - 1) // square // 2 * 2 for square in squares], np.int64),
        order=(
            strips.base,
            strips.step,
            bit_reversed(1 << (p.levels - 1)),
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
    """Words of a strip; of all its LL bands (even, so that pairs fit); of whole panels of a strip."""
    words = plan.padded_width << plan.parameters.levels
    lows = sum(words >> 2 * level for level in range(1, plan.parameters.levels + 1))
    return words, lows + lows % 2, -(-words // panel) * panel


Shapes = Mapping[str, tuple[Any, tuple[int, ...]]]


@dataclass(frozen=True, slots=True)
class Room:
    """What one run works with. scores: int64 [strips, words]; scratch: per name, [threads, ...].

    weights: packed for the path's own tile. padded: int8 [C, HP, WP], room for a map that needs padding.
    """

    fused: Fused
    threads: int
    scores: npt.NDArray[np.int64]
    scratch: dict[str, npt.NDArray[Any]]
    weights: npt.NDArray[Any]
    padded: npt.NDArray[np.int8] | None


@dataclass(frozen=True, slots=True)
class Kernels:
    """What a fast path brings: its name, its scratch arrays, its order of the weights and its layer kernel.

    shapes(plan) lists the scratch arrays of one thread in the order in which `layer_strips` takes them;
    `squares` and `bins`, the last, belong to the score.
    """

    path: str
    shapes: Callable[[Plan], Shapes]
    pack: Callable[[npt.NDArray[np.int8]], npt.NDArray[Any]]
    layer_strips: Callable[..., None]


class Workspace:
    """Memory that the fast paths keep from call to call, and the number of threads they use.

    Hand one to `simulate_layer` or `run_plan` again and again: scratch arrays are made anew only where a
    shape changes, and a plan that comes back is not prepared twice. One call at a time.
    threads: at most so many; None: WCCSIM_THREADS, else all that the processor offers.
    """

    def __init__(self, threads: int | None = None) -> None:
        self.threads = thread_count(threads)
        self._arrays: dict[str, npt.NDArray[Any]] = {}
        self._last: tuple[Plan, bool, str, Room] | None = None

    def room(
        self,
        plan: Plan,
        unsigned: bool,
        kernels: Kernels,
    ) -> Room:
        """Scratch arrays for each thread as the kernels ask for them, and the plan prepared."""
        if self._last is not None and self._last[0] is plan and self._last[1:3] == (unsigned, kernels.path):
            return self._last[3]
        fused = prepare(plan, unsigned)
        threads = min(self.threads, fused.strips.count)
        scratch = {
            name: self._array(name, dtype, (threads, *shape))
            for name, (dtype, shape) in kernels.shapes(plan).items()
        }
        scores = self._array("scores", np.int64, (fused.strips.count, fused.strips.words))
        padded = None
        if (plan.height, plan.width) != (plan.padded_height, plan.padded_width):
            whole = plan.channels, plan.padded_height, plan.padded_width
            padded = self._array("padded", np.int8, whole)
        room = Room(fused, threads, scores, scratch, kernels.pack(plan.weights), padded)
        self._last = plan, unsigned, kernels.path, room
        return room

    def _array(self, name: str, dtype: Any, shape: tuple[int, ...]) -> npt.NDArray[Any]:
        held = self._arrays.get(name)
        if held is None or held.shape != shape or held.dtype != dtype:
            self._arrays.pop(name, None)  # freed before the new one is made
            held = self._arrays[name] = np.empty(shape, dtype)
        return held

    @property
    def nbytes(self) -> int:
        """Bytes reserved; pages never written take no memory."""
        return sum(array.nbytes for array in self._arrays.values())


def as_bytes(plan: Plan, x: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """x as int8, or as uint8 where the plan's 9 bits carry an unsigned byte; `why_not` saw to the rest."""
    return x.astype(np.int8 if plan.parameters.in_bits <= 8 else np.uint8, copy=False)


def pairs_of_pixels(plan: Plan, x: npt.NDArray[Any], room: Room) -> npt.NDArray[np.int16]:
    """x int8 or uint8 [C, H, W] as words of two pixels; a map that needs padding is copied into the room."""
    image = np.ascontiguousarray(x).view(np.int8)
    if room.padded is None:
        return image.view(np.int16)
    counter, padded = np.zeros(1, np.int64), room.padded
    share(room.threads, lambda _: _pad_channels(counter, image, padded))
    return padded.view(np.int16)


def execute(
    kernels: Kernels, plan: Plan, x: npt.NDArray[Any], out: npt.NDArray[Any], workspace: Workspace | None
) -> Arrays:
    """One image x [C, H, W] through `plan` into `out` [Cout, H, W]; `workspace` is reused where given."""
    x = as_bytes(plan, x)
    room = (workspace or Workspace()).room(plan, x.dtype == np.uint8, kernels)
    f, scratch = room.fused, room.scratch
    image = pairs_of_pixels(plan, x, room)
    energy, kept = np.empty(plan.positions, np.int64), np.empty(plan.positions, np.bool_)
    first, second = np.zeros(1, np.int64), np.zeros(1, np.int64)  # the next strip to be claimed

    def score(thread: int) -> None:
        words, lows, squares, bins = (scratch[n][thread] for n in ("words", "lows", "squares", "bins"))
        _score_strips(
            first,
            image,
            f.levels,
            f.flip,
            f.offset,
            f.order[2],
            f.batch,
            words,
            lows,
            squares,
            room.scores,
            bins,
        )

    def layer(thread: int) -> None:
        kernels.layer_strips(
            second,
            image,
            room.scores,
            f.order,
            (f.levels, f.flip, f.offset, *f.r1, f.y_limit, f.low, f.high),
            threshold,
            room.weights,
            f.r2,
            f.r3,
            f.bias,
            tuple(array[thread] for array in scratch.values()),
            energy,
            kept,
            out.view(np.int8),
        )

    scratch["bins"][:] = 0  # a thread that never begins counts nothing
    share(room.threads, score)
    bins = scratch["bins"].sum(axis=0)
    chosen = select(room.scores, bins, plan.kept, plan.parameters.mantissa_bits, f.strips)
    threshold = chosen.low, chosen.high, chosen.last
    share(room.threads, layer)
    return Arrays(energy, kept, out)
