"""Multiscale wavelet quantisation, after the abstract of MWQ: all coefficients, a clip per sub-band."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.arith import Rounding, rounding_shift, saturate
from wccsim.bitstream import Bytes, buffer_for, get_bits, pack, place, put_bits, unpack
from wccsim.codecs.base import (
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    bounds,
    check_choice,
    check_end,
    check_integer,
    damaged,
)
from wccsim.codecs.mwq_bits import allocate, candidate_errors
from wccsim.datapath.haar import forward, inverse
from wccsim.datapath.pad import pad
from wccsim.datapath.subbands import Subband, subbands
from wccsim.parameters import MAX_LEVELS, padded

Int32 = npt.NDArray[np.int32]
CLIP_BITS = 16
WIDE_CLIP_BITS = 32  # where a coefficient may pass 16 bits
WIDTH_BITS = 4


@njit(cache=True)
def _quantise(coefficients: Int32, alpha: int, limit: int, out: Int32) -> None:
    """q = sgn(c) min(Q, round_half_away(|c| Q / alpha))."""
    for i in range(coefficients.size):
        c = np.int64(coefficients[i])
        q = (2 * abs(c) * limit + alpha) // (2 * alpha)
        if q > limit:
            q = np.int64(limit)
        out[i] = np.int32(q if c >= 0 else -q)


@njit(cache=True)
def _dequantise(codes: Int32, alpha: int, limit: int, out: Int32) -> bool:
    """round_half_away(q alpha / Q); False at a code outside -Q..Q."""
    for i in range(codes.size):
        q = np.int64(codes[i])
        if q < -limit:
            return False
        c = (2 * abs(q) * alpha + limit) // (2 * limit)
        out[i] = np.int32(c if q >= 0 else -c)
    return True


@dataclass(frozen=True, slots=True)
class Mwq(Codec):
    """Integer Haar, every coefficient kept, each sub-band its own clip and width.

    allocation "equal": `bits` for every sub-band; "greedy": as many bits in all, each next one where it
    takes most squared error off, 0 (a sub-band left out) or 2 to 15. Clips by least squared error over
    greatest * i / 32, i = 1..32. A sub-band costs 20 bits of side information (36 where coefficients
    pass 16 bits).
    """

    NAME: ClassVar[str] = "mwq-style"
    ABOUT: ClassVar[str] = "wavelet without shrinkage, a clip and a width per sub-band"
    SOURCE: ClassVar[str] = (
        "after the abstract of Sun et al., MWQ, arXiv 2103.05363; wavelet, levels and widths are ours"
    )

    bits: int = 4
    levels: int = 3
    allocation: str = "equal"

    def __post_init__(self) -> None:
        check_integer(self.NAME, "bits", self.bits, 2, 15)
        check_integer(self.NAME, "levels", self.levels, 1, MAX_LEVELS)
        check_choice(self.NAME, "allocation", self.allocation, ("equal", "greedy"))

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        grown = Fraction(padded(shape[1], self.levels) * padded(shape[2], self.levels), shape[1] * shape[2])
        haar = 4 * grown * sum(Fraction(1, 4**level) for level in range(self.levels))
        word = value_bits + 2 * self.levels
        return CodecCost(
            encode_adds=haar / 2,  # 8 a butterfly; the paper's BOPs count 16
            encode_multiplies=grown,
            encode_bops=haar * value_bits,
            encode_side_bops=grown * 16 * word,
            decode_adds=haar / 2,
            decode_multiplies=grown,
            decode_bops=haar * value_bits,
            decode_side_bops=grown * 16 * self.bits,
            buffer_bits=shape[2] * shape[0] * word << self.levels,
        )

    def _bands(self, shape: Shape) -> tuple[Subband, ...]:
        return subbands(padded(shape[1], self.levels), padded(shape[2], self.levels), self.levels)

    def _clip_bits(self, dtype: np.dtype[np.generic]) -> int:
        return CLIP_BITS if 8 * dtype.itemsize + 2 * self.levels <= CLIP_BITS else WIDE_CLIP_BITS

    def _settings(self, coefficients: Int32, bands: tuple[Subband, ...]) -> list[tuple[int, int]]:
        """(clip, width) of each sub-band."""
        channels = coefficients.shape[0]
        errors, clips = [], []
        widths = [self.bits] if self.allocation == "equal" else range(2, 16)
        for band in bands:
            found = candidate_errors(coefficients[(slice(None), *band.rectangle)], list(widths))
            clips.append({width: alpha for width, (alpha, _) in found.items()})
            # Errors compare on the orthonormal grid, whose square gain at level l is 4^l.
            errors.append({width: error / 4**band.level for width, (_, error) in found.items()})
        if self.allocation == "equal":
            return [(clip[self.bits], self.bits) for clip in clips]
        sizes = [channels * band.height * band.width for band in bands]
        zero = [
            float((coefficients[(slice(None), *b.rectangle)].astype(float) ** 2).sum()) / 4**b.level
            for b in bands
        ]
        chosen = allocate(sizes, zero, errors, self.bits * sum(sizes))
        return [(clip[width], width) if width else (0, 0) for clip, width in zip(clips, chosen, strict=True)]

    def _write(self, x: Map) -> Body:
        shape = (x.shape[0], x.shape[1], x.shape[2])
        bands, clip_bits = self._bands(shape), self._clip_bits(x.dtype)
        coefficients = forward(pad(x, self.levels), self.levels)
        settings = self._settings(coefficients, bands)
        sizes = self._sizes(shape, bands, settings, clip_bits)
        out = buffer_for(sum(sizes.values()) + 64)
        at = 0
        for alpha, width in settings:
            at = put_bits(out, at, alpha, clip_bits)
            at = put_bits(out, at, width, WIDTH_BITS)
        for band, (alpha, width) in zip(bands, settings, strict=True):
            if width:
                words = np.ascontiguousarray(coefficients[(slice(None), *band.rectangle)]).ravel()
                _quantise(words, alpha, (1 << (width - 1)) - 1, words)
                at = place(pack(words, width), words.size * width, out, at)
        return Body(out, sum(sizes.values()), sizes)

    def _sizes(
        self, shape: Shape, bands: tuple[Subband, ...], settings: list[tuple[int, int]], clip_bits: int
    ) -> dict[str, int]:
        payload = sum(shape[0] * b.height * b.width * w for b, (_, w) in zip(bands, settings, strict=True))
        return {"table": len(bands) * (clip_bits + WIDTH_BITS), "payload": payload}

    def _body_bits(self, x: Map) -> int:
        shape = (x.shape[0], x.shape[1], x.shape[2])
        bands, clip_bits = self._bands(shape), self._clip_bits(x.dtype)
        if self.allocation == "greedy":
            settings = self._settings(forward(pad(x, self.levels), self.levels), bands)
        else:
            settings = [(1, self.bits)] * len(bands)
        return sum(self._sizes(shape, bands, settings, clip_bits).values())

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        if header.parameter:
            damaged("the header's parameter is not zero")
        bands, clip_bits = self._bands(header.shape), self._clip_bits(header.dtype)
        entry = clip_bits + WIDTH_BITS
        settings = [
            (
                int(get_bits(data, entry * i, clip_bits)),
                int(get_bits(data, entry * i + clip_bits, WIDTH_BITS)),
            )
            for i in range(len(bands))
        ]
        self._check_settings(settings, clip_bits, header)
        check_end(data, sum(self._sizes(header.shape, bands, settings, clip_bits).values()), limit_bits)
        if not any(width for _, width in settings):
            return np.zeros(header.shape, header.dtype)
        height, width = padded(header.shape[1], self.levels), padded(header.shape[2], self.levels)
        grid = np.zeros((header.shape[0], height, width), np.int32)
        at = entry * len(bands)
        for band, (alpha, bits) in zip(bands, settings, strict=True):
            if bits:
                codes = unpack(data, at, header.shape[0] * band.height * band.width, bits, signed=True)
                at += codes.size * bits
                if not _dequantise(codes, alpha, (1 << (bits - 1)) - 1, codes):
                    damaged("a code outside the symmetric grid")
                part = codes.reshape(header.shape[0], band.height, band.width)
                grid[(slice(None), *band.rectangle)] = part << (self.levels - band.level)
        return self._pixels(grid, header)

    def _pixels(self, grid: Int32, header: Header) -> Map:
        """Pixels from words on the common grid 2^-L: the inverse brings 4^L times the pixel."""
        out = np.empty(header.shape, header.dtype)
        for channel in range(header.shape[0]):
            wide = inverse(grid[channel : channel + 1], self.levels)[0, : header.shape[1], : header.shape[2]]
            pixels = rounding_shift(wide.astype(np.int64), 2 * self.levels, Rounding.HALF_UP)
            out[channel] = saturate(pixels, *bounds(header.dtype))
        return out

    def _check_settings(self, settings: list[tuple[int, int]], clip_bits: int, header: Header) -> None:
        most = 1 << (8 * header.dtype.itemsize + 2 * self.levels)
        for alpha, width in settings:
            legal = width == self.bits if self.allocation == "equal" else width != 1
            if not legal or (alpha == 0) != (width == 0) or alpha > most:
                damaged(f"a sub-band of clip {alpha} and {width} bits")

    def _least_bits(self, header: Header) -> int:
        table = (3 * self.levels + 1) * (self._clip_bits(header.dtype) + WIDTH_BITS)
        return table + (header.values * self.bits if self.allocation == "equal" else 0)
