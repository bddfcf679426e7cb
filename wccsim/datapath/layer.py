"""One WCC layer on integers, exactly as the accelerator computes it: `simulate_layer`.

Specification: docs/datapath.md. Guide with an example: docs/simulate.md.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.actions import ActionCounts, Stage
from wccsim.arith import IntFormat
from wccsim.datapath import bitmap
from wccsim.datapath.count import run_actions
from wccsim.datapath.engine import choose
from wccsim.datapath.fused import Workspace, aligned
from wccsim.datapath.plain import Arrays
from wccsim.datapath.plan import Plan, make_plan
from wccsim.datapath.words import encode as encode_words
from wccsim.datapath.words import word_widths
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters, parse_keep

INPUT_TYPES = ("int8", "int16", "uint8", "uint16")
OUT_TYPES = ("int8", "uint8")


@dataclass(frozen=True, slots=True)
class LayerResult:
    """Every array of one layer; with a batch each array has a leading axis B.

    N: padded positions, flat Mallat order; k: kept ones. coefficients int32 [C, N]; energy int64 [N], None in
    a plain layer (levels 0), whose coefficients are the input words in raster order and all kept;
    kept bool [N]; indices int64 [k], increasing; q int8 [C, k]; acc and y int32 [Cout, k]; out int8 or
    uint8 [Cout, H, W]. coefficients, q, acc and y are None where only outputs were asked for.
    counts: actions per stage, over the whole batch; index_bits, word_bits: sizes of the index memory and of
    the stored kept words, likewise. path and path_reason: which kernels ran.
    """

    coefficients: npt.NDArray[np.int32] | None
    energy: npt.NDArray[np.int64] | None
    kept: npt.NDArray[np.bool_]
    indices: npt.NDArray[np.int64]
    q: npt.NDArray[np.int8] | None
    acc: npt.NDArray[np.int32] | None
    y: npt.NDArray[np.int32] | None
    out: npt.NDArray[Any]
    counts: dict[Stage, ActionCounts]
    index_bits: int
    word_bits: int
    parameters: WccParameters
    path: str
    path_reason: str


def simulate_layer(
    x: npt.NDArray[Any],
    weights: npt.NDArray[Any],
    *,
    keep: Fraction | float | int | str,
    levels: int = 3,
    act_bits: int = 8,
    weight_bits: int = 8,
    r1: tuple[Any, Any],
    r2: tuple[Any, Any],
    r3: tuple[Any, Any],
    yw: int = 16,
    bias: Any = None,
    relu: bool = False,
    out_dtype: str = "int8",
    selection: str = "exact",
    score: str = "l2",
    haar: str = "exact",
    index: str = "bitmap",
    words: str = "fixed",
    requantise_mode: str = "single",
    per_level_shift: tuple[int, ...] = (),
    detail_bits: int | None = None,
    kept_bits: int | None = None,
    out: npt.NDArray[Any] | None = None,
    outputs_only: bool = False,
    path: str | None = None,
    workspace: Workspace | None = None,
) -> LayerResult:
    """Run a 1x1 WCC layer bit-exactly on x, an integer map [C, H, W] or a batch [B, C, H, W].

    x is int8, int16, uint8 or uint16; `act_bits` is its nominal width: a signed map has b = act_bits, an
    unsigned one is carried as b = act_bits + 1, and b is 2 to 16. weights: integers [Cout, C] on the
    symmetric grid of `weight_bits`. keep: a fraction, 0 < keep <= 1, as Fraction, number or "25%".
    levels: 1 to 5, or 0 for a plain layer: with keep=1, x itself is quantised by R1 and convolved, with no
    transform, selection or index (section 12). Kept coefficients have min(act_bits, 8) bits unless
    `kept_bits` (2 to 8) says otherwise; `detail_bits` narrows those of the LH, HL and HH bands further.

    r1, r2, r3 are (M, s), y = clamp((v * M + 2**(s-1)) >> s), 2**15 <= M < 2**16; r2 and r3 may hold arrays,
    one value per output channel. In mode `tflite_double` M is Q31 and s the right shift after the high
    multiply. R1 shifts by s + gain + per_level_shift, R2 by s - per_level_shift, R3 by s (section 5).
    yw: bits of a word after R2, 8 to 16. bias: an integer, or one per output channel, added to every LL_L
    word on R2's grid; a real bias B is round(B / s_y * 2**bias_gain), `WccParameters.bias_gain`
    (section 7). relu clamps R3 at 0; out_dtype "uint8" needs it.

    selection: "exact" or "binned:m". score: "l2", "l1" or "max". haar: "exact", "orthonormal_floor",
    "orthonormal_half_up", "orthonormal_half_even" or "lifting". index: "bitmap", "list" or "rice". words: the
    stored form of the kept words, "fixed" or "rice", whose size is counted from the words themselves, by the
    plain kernels.
    out: an array to write the output into. outputs_only: leave the inner arrays out. path: force a set
    of kernels.

    Raises WccsimError for anything outside these, and for a configuration that could overflow.
    """
    images, _ = _images(x)
    if not isinstance(outputs_only, bool):
        raise WccsimError(f"outputs_only is {outputs_only!r:.60}; allowed: True or False")
    act_bits, levels, weight_bits, yw = (_plain_int(value) for value in (act_bits, levels, weight_bits, yw))
    parameters = WccParameters(
        keep=parse_keep(keep),
        levels=levels,
        in_bits=_in_bits(act_bits, images.dtype),
        act_bits=min(act_bits, 8) if kept_bits is None else _plain_int(kept_bits),
        weight_bits=weight_bits,
        wavelet_bits=yw,
        haar=haar,  # type: ignore[arg-type]  # checked by WccParameters
        score=score,  # type: ignore[arg-type]
        selection=selection,
        index=index,  # type: ignore[arg-type]
        words=words,  # type: ignore[arg-type]
        requantise_mode=requantise_mode,  # type: ignore[arg-type]
        per_level_shift=_shifts(per_level_shift),
        detail_bits=_plain_int(detail_bits),
        bias=bias is not None,
        relu=bool(relu) if isinstance(relu, np.bool_) else relu,
        out_unsigned=_out_unsigned(out_dtype),
    )
    plan = make_plan(parameters, weights, images.shape[1:], r1, r2, r3, bias)
    return run_plan(plan, x, out=out, outputs_only=outputs_only, path=path, workspace=workspace)


def run_plan(
    plan: Plan,
    x: npt.NDArray[Any],
    *,
    out: npt.NDArray[Any] | None = None,
    outputs_only: bool = False,
    path: str | None = None,
    workspace: Workspace | None = None,
) -> LayerResult:
    """Run a checked plan on x [C, H, W] or [B, C, H, W] of its shape; arguments as in `simulate_layer`."""
    images, batched = _images(x)
    p = plan.parameters
    if images.shape[1:] != (plan.channels, plan.height, plan.width):
        raise WccsimError(
            f"x is {x.shape}; this layer takes [C, H, W] = {(plan.channels, plan.height, plan.width)}"
        )
    _check_values(images, p.in_bits)
    target = _target(plan, images, batched, out)
    inner = not outputs_only or p.words == "rice"  # the size of coded words is that of these words
    choice = choose(plan, inner, path, unsigned=images.dtype.kind == "u")
    runs, counts, index_bits, word_bits = [], [], 0, 0
    for image, room in zip(images, target, strict=True):
        arrays = choice.run(plan, image, room, inner, workspace)
        index, words = _index_bits(plan, arrays), _word_bits(plan, arrays)
        counts.append(run_actions(plan, arrays, index, words))
        runs.append(Arrays(arrays.energy, arrays.kept, arrays.out) if outputs_only else arrays)
        index_bits, word_bits = index_bits + index, word_bits + words
    indices = [np.flatnonzero(arrays.kept) for arrays in runs]

    def together(parts: list[Any]) -> Any:
        if parts[0] is None:
            return None
        return np.stack(parts) if batched else parts[0]

    return LayerResult(
        coefficients=together([arrays.coefficients for arrays in runs]),
        energy=together([arrays.energy for arrays in runs]),
        kept=together([arrays.kept for arrays in runs]),
        indices=together(indices),
        q=together([arrays.q for arrays in runs]),
        acc=together([arrays.acc for arrays in runs]),
        y=together([arrays.y for arrays in runs]),
        out=target if batched else target[0],
        counts={stage: sum((count[stage] for count in counts), ActionCounts()) for stage in Stage},
        index_bits=index_bits,
        word_bits=word_bits,
        parameters=p,
        path=choice.name,
        path_reason=choice.reason,
    )


def _images(x: npt.NDArray[Any]) -> tuple[npt.NDArray[Any], bool]:
    """x as a contiguous batch [B, C, H, W] in the machine's byte order, and whether it came as one."""
    if not isinstance(x, np.ndarray) or x.dtype.newbyteorder("=").name not in INPUT_TYPES:
        what = x.dtype if isinstance(x, np.ndarray) else type(x).__name__
        raise WccsimError(f"x has type {what}; allowed: {', '.join(INPUT_TYPES)} (quantise float maps first)")
    if x.ndim not in (3, 4) or not x.size:
        raise WccsimError(f"x has shape {x.shape}; allowed: [C, H, W] or [B, C, H, W], no axis empty")
    images = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
    return (images, True) if x.ndim == 4 else (images[None], False)


def _in_bits(act_bits: int, dtype: np.dtype[Any]) -> int:
    """b: the signed width that carries a value of nominally `act_bits` bits."""
    if isinstance(act_bits, bool) or not isinstance(act_bits, int) or not 1 <= act_bits <= 16:
        raise WccsimError(f"act_bits is {act_bits!r}; allowed: integers 2 to 16 (unsigned maps: 1 to 15)")
    in_bits = act_bits + (dtype.kind == "u")
    if not 2 <= in_bits <= 16:
        raise WccsimError(
            f"{dtype} activations of {act_bits} bits need a signed word of {in_bits} bits; allowed: 2 to 16"
        )
    return in_bits


def _plain_int(value: Any) -> Any:
    """NumPy's integers as Python's; anything else as it is, to be refused by name where it is no integer."""
    return int(value) if isinstance(value, np.integer) else value


def _shifts(given: Any) -> tuple[Any, ...]:
    row = isinstance(given, (tuple, list)) or (isinstance(given, np.ndarray) and given.ndim == 1)
    if not row:
        raise WccsimError(f"per_level_shift is {given!r:.60}; allowed: one integer per level")
    return tuple(_plain_int(shift) for shift in given)


def _out_unsigned(out_dtype: Any) -> bool:
    name = out_dtype if isinstance(out_dtype, str) else getattr(out_dtype, "__name__", str(out_dtype))
    if name not in OUT_TYPES:
        raise WccsimError(f"out_dtype is {out_dtype!r}; allowed: {', '.join(OUT_TYPES)}")
    return str(name) == "uint8"


def _check_values(images: npt.NDArray[Any], in_bits: int) -> None:
    """Refuse values outside the input's width; a type that cannot hold any is not searched."""
    allowed = IntFormat(in_bits) if images.dtype.kind == "i" else IntFormat(in_bits - 1, signed=False)
    limits = np.iinfo(images.dtype)
    if limits.min >= allowed.min and limits.max <= allowed.max:
        return
    low, high = int(images.min()), int(images.max())
    if low < allowed.min or high > allowed.max:
        raise WccsimError(f"x reaches {low}..{high}; {allowed} activations are {allowed.min}..{allowed.max}")


def _target(
    plan: Plan, images: npt.NDArray[Any], batched: bool, out: npt.NDArray[Any] | None
) -> npt.NDArray[Any]:
    """[B, Cout, H, W] to write into: `out` seen as a batch, or a new array."""
    dtype = np.dtype(np.uint8 if plan.parameters.out_unsigned else np.int8)
    one = (plan.out_channels, plan.height, plan.width)
    shape = (len(images), *one)
    if out is None:
        return aligned(dtype, shape)
    wanted = shape if batched else one
    usable = isinstance(out, np.ndarray) and out.flags.c_contiguous and out.flags.writeable
    if not usable or out.dtype != dtype or out.shape != wanted:
        raise WccsimError(f"out must be a writeable C-contiguous {dtype} array of shape {wanted}")
    if np.may_share_memory(out, images):
        raise WccsimError("out shares memory with x")
    return out.reshape(shape)


def _index_bits(plan: Plan, arrays: Arrays) -> int:
    """Size of the index memory: closed form, or what the Rice encoder writes."""
    p = plan.parameters
    if p.index != "rice":
        return p.index_bits(plan.positions, plan.kept)
    size = (plan.padded_height, plan.padded_width, p.levels)
    return bitmap.encode(arrays.kept, p.index, *size).bits


def _word_bits(plan: Plan, arrays: Arrays) -> int:
    """Size of the stored kept words: closed form, or what the Rice encoder writes."""
    p = plan.parameters
    if p.words == "fixed" and p.detail_bits is None:
        return plan.channels * p.kept_word_bits(plan.kept)
    indices = np.flatnonzero(arrays.kept)
    widths = word_widths(p, plan.padded_height, plan.padded_width, indices)
    if p.words == "fixed":
        return plan.channels * int(widths.sum())
    assert arrays.q is not None
    return encode_words(arrays.q, widths, p.words).bits
