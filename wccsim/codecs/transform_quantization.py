"""Transform quantisation of weights: a KLT of the weight matrix, blocks of their own depth and step."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from itertools import pairwise
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt

from wccsim.arith import Rounding, rounding_shift
from wccsim.bitstream import Bytes, buffer_for, get_bits, pack, place, put_bits, unpack
from wccsim.codecs.base import (
    MADE,
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    bounds,
    check_choice,
    check_end,
    checked_map,
    damaged,
)
from wccsim.codecs.depths import MAX_DEPTH, STEPS, Choice, allocate, block_errors, codes
from wccsim.codecs.eigen import principal_axes
from wccsim.errors import WccsimError

Float = npt.NDArray[np.float64]

BLOCKS = 8
BLOCK_BITS = 8  # depth 4, exponent 4
MAX_DIMENSION = 2048  # a greater transform is not made: the weights go raw
S_EXPONENT = -(STEPS - 1)  # steps of S: 2^-15 .. 1


@dataclass(frozen=True, slots=True)
class TransformQuantization(Codec):
    """Weights [out, in, taps] as T = W U and S = U^-1, both in 8 blocks of depth 0..8.

    A kernel [out, in, kh, kw] is passed as [out, in, kh * kw], a 1x1 layer as [out, in, 1]. variant
    "row" transforms the inputs (a 1x1 layer before), "column" the outputs (after); "none" is the block
    quantiser alone. `bits` is the average depth paid per weight, S included; steps are powers of two.
    Depths and steps are chosen on the weights' squared error, or, after `with_inputs(x)`, on that of
    the layer's output. The transform comes from a float eigensolver, once, offline; decoding is exact
    integer arithmetic.
    """

    NAME: ClassVar[str] = "transform-quantization"
    ABOUT: ClassVar[str] = "KLT of weights (not maps), blocks of their own depth"
    SOURCE: ClassVar[str] = "Young, Zhe, Taubman, Girod, Transform Quantization, TPAMI 2021, arXiv 2009.01174"

    bits: Fraction | float | int = 4
    variant: str = "row"
    input_covariance: bytes | None = field(default=None, metadata=MADE)

    def __post_init__(self) -> None:
        check_choice(self.NAME, "variant", self.variant, ("row", "column", "none"))
        try:
            bits = Fraction(repr(self.bits) if isinstance(self.bits, float) else self.bits)
        except (TypeError, ValueError):
            bits = Fraction(-1)
        if not 0 < bits <= MAX_DEPTH:
            raise WccsimError(f"{self.NAME}: bits is {self.bits!r}; allowed: 0 < bits <= {MAX_DEPTH}")
        object.__setattr__(self, "bits", bits)
        if not isinstance(self.input_covariance, (bytes, type(None))):
            raise WccsimError(f"{self.NAME}: input_covariance is what with_inputs(x) makes")
        if self.input_covariance is not None and self.variant == "column":
            raise WccsimError(f"{self.NAME}: with_inputs serves the variants row and none, not column")

    def with_inputs(self, x: Map) -> TransformQuantization:
        """This codec, choosing depths and steps on the output error for inputs like the map x [C, H, W]."""
        vectors = checked_map(x).reshape(x.shape[0], -1).astype(np.float64)
        return replace(self, input_covariance=(vectors @ vectors.T / vectors.shape[1]).tobytes())

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        """Decoding rebuilds each weight once, when weights are loaded: d MACs, d the transform's size."""
        size = 0 if self.variant == "none" else shape[1] if self.variant == "row" else shape[0]
        return CodecCost(
            decode_adds=Fraction(size),
            decode_multiplies=Fraction(size),
            decode_bops=Fraction(size * MAX_DEPTH * MAX_DEPTH),
            buffer_bits=size * size * MAX_DEPTH,
        )

    def _matrix(self, x: Map) -> npt.NDArray[Any]:
        """Weights as [p, d], d the transformed side."""
        if self.variant == "column":
            return x.reshape(x.shape[0], -1).T
        return x.transpose(0, 2, 1).reshape(-1, x.shape[1])

    def _weights(self, matrix: npt.NDArray[Any], shape: Shape) -> npt.NDArray[Any]:
        """The inverse of `_matrix`."""
        if self.variant == "column":
            return matrix.T.reshape(shape)
        return matrix.reshape(shape[0], shape[2], shape[1]).transpose(0, 2, 1)

    def _covariance(self, d: int) -> Float:
        """Of the inputs: identity where they are not known."""
        if self.input_covariance is None:
            return np.eye(d)
        found = np.frombuffer(self.input_covariance, np.float64)
        if found.size != d * d:
            raise WccsimError(
                f"{self.NAME}: with_inputs had {round(found.size**0.5)} channels, the weights {d}"
            )
        return found.reshape(d, d)

    def _plan(self, x: Map) -> tuple[Float, Float | None, list[tuple[Choice, Choice]]] | None:
        """(T [p, d], S [d, d] or None, depths and steps of each block); None where d is too large."""
        matrix = self._matrix(x).astype(np.float64)
        d = matrix.shape[1]
        if d > MAX_DIMENSION:
            return None
        covariance = self._covariance(d)
        s: Float | None = None
        t = matrix
        if self.variant != "none":
            s = principal_axes(matrix.T @ matrix)
            t = matrix @ s.T
        # What an error in component k of T does to the output, and one in row k of S, to first order.
        gains = np.diag(covariance if s is None else s @ covariance @ s.T)
        inputs, energies = np.diag(covariance), (t**2).sum(axis=0)
        blocks = []
        for part in _parts(d):
            of_t = block_errors(t[:, part], gains[part], _first_exponent(x.dtype))
            of_s = None
            if s is not None:
                of_s = block_errors(s[part], energies[part, None] * inputs, S_EXPONENT)
            blocks.append((of_t, of_s))
        side = BLOCK_BITS * len(blocks) * (2 if s is not None else 1)
        return t, s, allocate(blocks, max(0, int(Fraction(self.bits) * x.size) - side))

    def _write(self, x: Map) -> Body | None:
        plan = self._plan(x)
        if plan is None:
            return None
        t, s, chosen = plan
        sizes = self._sizes(t.shape[0], t.shape[1], chosen)
        out = buffer_for(sum(sizes.values()) + 64)
        at, first = 0, _first_exponent(x.dtype)
        for of_t, of_s in chosen:
            at = _put_choice(out, at, of_t, first)
            at = _put_choice(out, at, of_s, S_EXPONENT) if s is not None else at
        for part, (of_t, _) in zip(_parts(t.shape[1]), chosen, strict=True):
            at = _put_block(out, at, t[:, part], of_t)
        for part, (_, of_s) in zip(_parts(t.shape[1]), chosen, strict=True):
            at = _put_block(out, at, s[part], of_s) if s is not None else at
        return Body(out, sum(sizes.values()), sizes)

    def _sizes(self, p: int, d: int, chosen: list[tuple[Choice, Choice]]) -> dict[str, int]:
        lengths = [part.stop - part.start for part in _parts(d)]
        payload = sum(p * n * t.depth for n, (t, _) in zip(lengths, chosen, strict=True))
        if self.variant == "none":
            return {"table": BLOCK_BITS * len(lengths), "payload": payload}
        basis = sum(d * n * s.depth for n, (_, s) in zip(lengths, chosen, strict=True))
        return {"table": 2 * BLOCK_BITS * len(lengths), "payload": payload, "basis": basis}

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        if header.parameter:
            damaged("the header's parameter is not zero")
        n, m, taps = header.shape
        p, d = (m * taps, n) if self.variant == "column" else (n * taps, m)
        if d > MAX_DIMENSION:
            damaged(f"a transform of {d} dimensions")
        parts, first = _parts(d), _first_exponent(header.dtype)
        chosen, at = [], 0
        for _ in parts:
            of_t, of_s = _get_choice(data, at, first), Choice(0, 0)
            at += BLOCK_BITS
            if self.variant != "none":
                of_s = _get_choice(data, at, S_EXPONENT)
                at += BLOCK_BITS
            chosen.append((of_t, of_s))
        check_end(data, sum(self._sizes(p, d, chosen).values()), limit_bits)
        if not any(of_t.depth for of_t, _ in chosen):
            return np.zeros(header.shape, header.dtype)
        words = self._product(data, at, p, d, chosen, first)
        low, high = bounds(header.dtype)
        return self._weights(np.clip(words, low, high).astype(header.dtype), header.shape).copy()

    def _product(
        self, data: Bytes, at: int, p: int, d: int, chosen: list[tuple[Choice, Choice]], first: int
    ) -> npt.NDArray[np.int64]:
        """[p, d] of T S, rounded half up from the grid 2^(first - 15).

        A product of codes is below 2^14 and d at most 2^11, so float64 sums are whole and exact.
        """
        t_blocks, s_blocks = [], []
        for part, (of_t, _) in zip(_parts(d), chosen, strict=True):
            t_blocks.append(_get_block(data, at, p, part.stop - part.start, of_t.depth))
            at += p * (part.stop - part.start) * of_t.depth
        for part, (_, of_s) in zip(_parts(d), chosen, strict=True):
            s_blocks.append(_get_block(data, at, part.stop - part.start, d, of_s.depth))
            at += d * (part.stop - part.start) * of_s.depth
        total = np.zeros((p, d), np.int64)
        for part, t, s, (of_t, of_s) in zip(_parts(d), t_blocks, s_blocks, chosen, strict=True):
            if self.variant == "none":
                total[:, part] = t.astype(np.int64) << (of_t.exponent - first - S_EXPONENT)
            elif of_t.depth and of_s.depth:
                product = (t.astype(np.float64) @ s.astype(np.float64)).astype(np.int64)
                total += product << (of_t.exponent - first + of_s.exponent - S_EXPONENT)
        fraction = -(first + S_EXPONENT)
        return rounding_shift(total, fraction, Rounding.HALF_UP)

    def _least_bits(self, header: Header) -> int:
        return BLOCK_BITS


def factored_ratio(shape: Shape, variant: str, kept: int) -> Fraction:
    """Multiplications of the factored layer over those of the plain one, `kept` components not zero.

    shape is [out, in, taps]; the 1x1 layer of the transform runs beside the layer of T.
    """
    n, m, taps = shape
    if variant == "row":
        return Fraction(m * kept + taps * kept * n, taps * m * n)
    return Fraction(n * kept + taps * m * kept, taps * m * n)


def _parts(d: int) -> list[slice]:
    """Up to 8 slices of 0..d, as equal as can be, the longer ones first."""
    count = min(BLOCKS, d)
    edges = [0]
    for block in range(count):
        edges.append(edges[-1] + d // count + (block < d % count))
    return [slice(a, b) for a, b in pairwise(edges)]


def _first_exponent(dtype: np.dtype[Any]) -> int:
    """Of T's 16 steps: 2^-4 .. 2^11 LSBs for 8-bit weights, 1 .. 2^15 for 16-bit ones."""
    return -4 if dtype.itemsize == 1 else 0


def _put_choice(out: Bytes, at: int, choice: Choice, first: int) -> int:
    exponent = choice.exponent - first if choice.depth else 0
    return int(put_bits(out, at, choice.depth << 4 | exponent, BLOCK_BITS))


def _get_choice(data: Bytes, at: int, first: int) -> Choice:
    field = int(get_bits(data, at, BLOCK_BITS))
    if field >> 4 > MAX_DEPTH:
        damaged(f"a block of {field >> 4} bits")
    return Choice(field >> 4, (field & 15) + first)


def _put_block(out: Bytes, at: int, values: Float, choice: Choice) -> int:
    if not choice.depth:
        return at
    words = codes(values, choice.depth, choice.exponent).astype(np.int32)
    return place(pack(words & ((1 << choice.depth) - 1), choice.depth), words.size * choice.depth, out, at)


def _get_block(data: Bytes, at: int, rows: int, columns: int, depth: int) -> npt.NDArray[np.int32]:
    if not depth:
        return np.zeros((rows, columns), np.int32)
    return unpack(data, at, rows * columns, depth, signed=True).reshape(rows, columns)
