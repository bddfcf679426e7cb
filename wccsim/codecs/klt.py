"""Transform coding by the Karhunen-Loeve transform over channels and Huffman codes."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from fractions import Fraction
from typing import Any, ClassVar

import numpy as np
import numpy.typing as npt
from numba import njit

from wccsim.bitstream import Bytes, Words, buffer_for, pack, place, put_bits, unpack
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
    check_integer,
    checked_map,
    damaged,
)
from wccsim.codecs.huffman_code import (
    LENGTH_BITS,
    canonical_codes,
    code_lengths,
    coded_bits,
    decode_tables,
    read_symbols,
    write_symbols,
)
from wccsim.codecs.klt_basis import (
    Matrix,
    expand,
    integer_basis,
    karhunen_loeve,
    map_of,
    project,
    vectors_of,
)
from wccsim.errors import WccsimError

MAX_LENGTH = 12
STEP_BITS = 16
MAX_DIMENSION = 2048  # a greater basis is not made: the map goes raw
STREAM_WORD_BITS = 16


@dataclass(frozen=True, slots=True)
class KltCalibration:
    """What a chip keeps of a layer: basis (int8, 1/128), mean, step, Huffman lengths.

    The step's unit is 1/256 of an LSB for 8-bit words, one LSB for 16-bit words.
    """

    dtype: str
    dimension: int
    basis: bytes
    mean: tuple[int, ...]
    step: int
    lengths: bytes

    def matrix(self) -> Matrix:
        """int8[D, D], one axis a row."""
        return np.frombuffer(self.basis, np.int8).reshape(self.dimension, self.dimension)


@njit(cache=True)
def _quantise(components: npt.NDArray[np.int32], multiplier: int, shift: int, limit: int) -> None:
    """In place: sgn(p) min(limit, (|p| m + 2^(shift-1)) >> shift)."""
    half = np.int64(1) << (shift - 1)
    flat = components.ravel()
    for i in range(flat.size):
        p = np.int64(flat[i])
        q = (abs(p) * multiplier + half) >> shift
        if q > limit:
            q = np.int64(limit)
        flat[i] = np.int32(q if p >= 0 else -q)


@dataclass(frozen=True, slots=True)
class Klt(Codec):
    """KLT of the C channels of `block` x `block` pixels, one quantiser step, canonical Huffman codes.

    Components are rounded to integers, then to codes of `bits` bits; zero is a code. `step` is in 1/256
    of an input LSB (in LSBs for 16-bit words); without it the greatest component just fits. The code
    has at most 12 bits. Mean, step, basis and table are in the stream, unless `calibrated(x)` has put
    those of a calibration map into the codec: then they are on the chip, and only the words are sent
    (the basis amortised).
    streams: one for the map, or one per component, each padded to 16 bits as the published FPGA does.
    """

    NAME: ClassVar[str] = "klt"
    ABOUT: ClassVar[str] = "KLT over channels and Huffman codes (Chmiel et al.)"
    SOURCE: ClassVar[str] = (
        "Chmiel et al., Feature Map Transform Coding, arXiv 1905.10830; "
        "CompressTeam/TransformCodingInference d8be3c7; integer departures in docs/codecs.md"
    )

    bits: int = 8
    step: int | None = None
    block: int = 1
    streams: str = "tensor"
    calibration: KltCalibration | None = field(default=None, metadata=MADE)

    def __post_init__(self) -> None:
        check_integer(self.NAME, "bits", self.bits, 2, 12)
        check_integer(self.NAME, "block", self.block, 1, 4)
        check_choice(self.NAME, "streams", self.streams, ("tensor", "component"))
        if self.step is not None:
            check_integer(self.NAME, "step", self.step, 1, (1 << STEP_BITS) - 1)
        if not isinstance(self.calibration, (KltCalibration, type(None))):
            raise WccsimError("klt: calibration is what calibrated(x) makes; call it on the codec")

    def calibrated(self, x: Map) -> Klt:
        """This codec with basis, mean, step and code table of `x` on the chip: amortised, not sent.

        Every symbol gets a code: the table is made from the counts of `x` plus one. WccsimError where
        C * block^2 exceeds 2048.
        """
        x = checked_map(x)
        found = self._calibrate(x, static=True)
        if found is None:
            raise WccsimError(
                f"klt: a basis of {x.shape[0] * self.block**2} dimensions; at most {MAX_DIMENSION} is made"
            )
        return replace(self, calibration=found[0])

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        dimension = shape[0] * self.block**2
        # MACs of an 8-bit basis. The forward ones are counted; a layer that folds the basis into its
        # weights saves them.
        bops = Fraction(dimension * 8 * value_bits)
        basis_bits = 8 * dimension * dimension if self.calibration else 0
        table_bits = (1 << self.bits) * (MAX_LENGTH + LENGTH_BITS)
        return CodecCost(
            encode_adds=Fraction(dimension),
            encode_multiplies=Fraction(dimension + 1),
            encode_bops=bops,
            encode_side_bops=Fraction(16 * (value_bits + 8)),
            decode_adds=Fraction(dimension),
            decode_multiplies=Fraction(dimension + 1),
            decode_bops=bops,
            decode_side_bops=Fraction(16 * self.bits),
            buffer_bits=24 * dimension + basis_bits + table_bits,
        )

    def _calibrate(self, x: Map, static: bool) -> tuple[KltCalibration, Words] | None:
        """Calibration on x and the codes of x; None where the basis would be too large."""
        dimension = x.shape[0] * self.block**2
        if dimension > MAX_DIMENSION or (not static and 8 * dimension**2 > 8 * x.nbytes):
            return None
        vectors = vectors_of(x, self.block)
        mean = (2 * vectors.sum(axis=1, dtype=np.int64) + vectors.shape[1]) // (2 * vectors.shape[1])
        centred = vectors - mean[:, None].astype(np.int32)
        basis = integer_basis(karhunen_loeve(centred))
        components = project(basis, vectors, mean.astype(np.int32))
        step = self.step or self._fitting_step(components, x.dtype)
        codes = self._codes(components, step, x.dtype)
        counts = np.bincount(self._symbols(codes), minlength=1 << self.bits) + static
        lengths = code_lengths(counts, MAX_LENGTH)
        if lengths is None:
            return None
        made = KltCalibration(
            x.dtype.name, dimension, basis.tobytes(), tuple(mean.tolist()), step, lengths.tobytes()
        )
        return made, codes

    def _fitting_step(self, components: Words, dtype: np.dtype[Any]) -> int:
        """The least step at which the greatest component fits a code."""
        greatest = int(np.abs(components).max())
        fitting = -(-(greatest << _fraction(dtype)) // ((1 << (self.bits - 1)) - 1))
        return min(max(1, fitting), (1 << STEP_BITS) - 1)

    def _codes(self, components: Words, step: int, dtype: np.dtype[Any]) -> Words:
        # m = round(2^s / step in LSBs): s = 16 for 8-bit words; 32 for 16-bit words, whose steps are long.
        shift = 16 if dtype.itemsize == 1 else 32
        multiplier = ((1 << (shift + _fraction(dtype) + 1)) // step + 1) >> 1
        _quantise(components, multiplier, shift, (1 << (self.bits - 1)) - 1)
        return components

    def _symbols(self, codes: Words) -> Words:
        return codes.ravel() & np.int32((1 << self.bits) - 1)

    def _coded(self, x: Map) -> tuple[KltCalibration, Words] | None:
        """The calibration in use and the codes int32[D, n] of x."""
        if self.calibration is None:
            return self._calibrate(x, static=False)
        known = self.calibration
        self._check_calibration(x.dtype, x.shape[0])
        mean = np.array(known.mean, np.int32)
        components = project(known.matrix(), vectors_of(x, self.block), mean)
        return known, self._codes(components, known.step, x.dtype)

    def _check_calibration(self, dtype: np.dtype[Any], channels: int) -> None:
        known = self.calibration
        if known and (dtype.name, channels * self.block**2) != (known.dtype, known.dimension):
            raise WccsimError(
                f"klt: calibrated for {known.dimension} dimensions of {known.dtype}, "
                f"not {channels * self.block**2} of {dtype}"
            )

    def _sizes(self, known: KltCalibration, codes: Words, value_bits: int) -> dict[str, int]:
        """Bits by part; the payload with the padding of its streams."""
        lengths = np.frombuffer(known.lengths, np.uint8)
        rows = codes if self.streams == "component" else codes.reshape(1, -1)
        payload = 0
        for row in rows:
            counts = np.bincount(self._symbols(row), minlength=lengths.size)
            bits = coded_bits(counts, lengths)
            payload += bits if self.streams == "tensor" else -(-bits // STREAM_WORD_BITS) * STREAM_WORD_BITS
        if self.calibration is not None:
            return {"payload": payload}
        basis = 8 * known.dimension**2 + value_bits * known.dimension + STEP_BITS
        return {"basis": basis, "table": LENGTH_BITS * lengths.size, "payload": payload}

    def _write(self, x: Map) -> Body | None:
        found = self._coded(x)
        if found is None:
            return None
        known, codes = found
        sizes = self._sizes(known, codes, 8 * x.dtype.itemsize)
        out = buffer_for(sum(sizes.values()) + 64)
        at = self._write_calibration(known, 8 * x.dtype.itemsize, out) if self.calibration is None else 0
        lengths = np.frombuffer(known.lengths, np.uint8)
        table = canonical_codes(lengths)
        for row in codes if self.streams == "component" else codes.reshape(1, -1):
            end = write_symbols(self._symbols(row), table, lengths, out, at)
            at = self._padded(at, end)
        return Body(out, sum(sizes.values()), sizes, known.step if self.calibration is not None else 0)

    def _padded(self, start: int, end: int) -> int:
        """Where the next stream starts."""
        if self.streams == "tensor":
            return end
        return start + -(-(end - start) // STREAM_WORD_BITS) * STREAM_WORD_BITS

    def _write_calibration(self, known: KltCalibration, value_bits: int, out: Bytes) -> int:
        at = 0
        for mean in known.mean:
            at = put_bits(out, at, mean, value_bits)
        at = put_bits(out, at, known.step, STEP_BITS)
        at = place(np.frombuffer(known.basis, np.uint8), 8 * len(known.basis), out, at)
        lengths = pack(np.frombuffer(known.lengths, np.uint8), LENGTH_BITS)
        return place(lengths, LENGTH_BITS * len(known.lengths), out, at)

    def _body_bits(self, x: Map) -> int | None:
        found = self._coded(x)
        return None if found is None else sum(self._sizes(*found, 8 * x.dtype.itemsize).values())

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        self._check_calibration(header.dtype, header.shape[0])
        known, at = (self.calibration, 0) if self.calibration else self._read_calibration(header, data)
        if header.parameter != (known.step if self.calibration else 0):
            damaged(f"its parameter {header.parameter} is not that of the calibration")
        tables = decode_tables(np.frombuffer(known.lengths, np.uint8))
        if tables is None or max(known.lengths) > MAX_LENGTH or known.step == 0:
            damaged("a step or code table that no encoder writes")
        positions = self._positions(header.shape)
        symbols = np.empty((known.dimension, positions), np.int32)
        rows = symbols if self.streams == "component" else symbols.reshape(1, -1)
        for row in rows:
            end = read_symbols(data, at, limit_bits, *tables, row)
            if end < 0:
                damaged("it ends early, or holds a code that is not in the table")
            at = self._padded(at, end)
        check_end(data, at, limit_bits)
        return self._reconstructed(known, symbols, header)

    def _read_calibration(self, header: Header, data: Bytes) -> tuple[KltCalibration, int]:
        value_bits, dimension = 8 * header.dtype.itemsize, header.shape[0] * self.block**2
        mean = unpack(data, 0, dimension, value_bits, header.signed)
        at = value_bits * dimension
        step = int(unpack(data, at, 1, STEP_BITS, signed=False)[0])
        at += STEP_BITS
        basis = data[at >> 3 : (at >> 3) + dimension**2].tobytes()
        at += 8 * dimension**2
        lengths = unpack(data, at, 1 << self.bits, LENGTH_BITS, signed=False).astype(np.uint8)
        known = KltCalibration(
            header.dtype.name, dimension, basis, tuple(mean.tolist()), step, lengths.tobytes()
        )
        return known, at + LENGTH_BITS * lengths.size

    def _reconstructed(self, known: KltCalibration, symbols: Words, header: Header) -> Map:
        half = np.int32(1 << (self.bits - 1))
        codes = (symbols ^ half) - half
        mean = np.array(known.mean, np.int32)
        fraction = _fraction(header.dtype)
        words = expand(known.matrix(), codes, known.step, fraction, mean, *bounds(header.dtype))
        return map_of(words.astype(header.dtype), header.shape, self.block).copy()

    def _positions(self, shape: Shape) -> int:
        return -(-shape[1] // self.block) * -(-shape[2] // self.block)

    def _least_bits(self, header: Header) -> int:
        dimension = header.shape[0] * self.block**2
        if self.calibration is None and dimension > MAX_DIMENSION:
            return MAX_DIMENSION**4  # no encoder writes it
        side = 8 * dimension**2 + (LENGTH_BITS << self.bits) if self.calibration is None else 0
        return side + dimension * self._positions(header.shape)


def _fraction(dtype: np.dtype[Any]) -> int:
    """Bits after the point of a step: Q8.8 for 8-bit words, Q16.0 for 16-bit words."""
    return 8 if dtype.itemsize == 1 else 0
