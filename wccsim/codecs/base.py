"""What every codec shares: the map it takes, the 64-bit header, the raw bypass, the cost record.

A stream is a 64-bit header and a body, most significant bit first:

    bypass 1 | 16-bit words 1 | signed 1 | reserved 1 | C-1 16 | H-1 14 | W-1 14 | parameter 16

`parameter` is the one number that a codec chose from the data (a clip, a step, a mode). The codec's
own settings are the layer's configuration: they are not sent, and decoding needs the same codec.
Source: the convention of docs/codecs.md, section "Conventions".
"""

from __future__ import annotations

import math
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from fractions import Fraction
from typing import Any, ClassVar, NoReturn

import numpy as np
import numpy.typing as npt

from wccsim.bitstream import Bytes, Words, bytes_for, pack, readable, unpack
from wccsim.errors import WccsimError

Map = npt.NDArray[Any]
Shape = tuple[int, int, int]

HEADER_BITS = 64
MAX_SIDES = (1 << 16, 1 << 14, 1 << 14)
MAX_VALUES = 1 << 28
MADE = {"made": True}  # marks a field that a method of the codec fills, not a setting
DTYPES = tuple(np.dtype(name) for name in ("uint8", "int8", "uint16", "int16"))


@dataclass(frozen=True, slots=True)
class Encoded:
    """One coded map. `bits` counts everything a memory would hold; `breakdown` says what they are.

    `payload` is the real stream, zero-padded to a whole byte: 8 * len(payload) - bits < 8.
    """

    payload: bytes
    bits: int
    breakdown: dict[str, int]


@dataclass(frozen=True, slots=True)
class CodecCost:
    """Work per value of the map, and the on-chip buffer. BOPs: b_w * b_a a multiply, b_a an add.

    `*_bops` is what the WCC paper's accounting sees: transforms and predictions, at the word's width;
    `*_side_bops` is what it leaves out for every method: scaling to a quantiser's grid, scores. Compares,
    shifts and table look-ups are free in both. Adds and multiplies count everything.
    """

    encode_adds: Fraction = Fraction(0)
    encode_multiplies: Fraction = Fraction(0)
    encode_bops: Fraction = Fraction(0)
    encode_side_bops: Fraction = Fraction(0)
    decode_adds: Fraction = Fraction(0)
    decode_multiplies: Fraction = Fraction(0)
    decode_bops: Fraction = Fraction(0)
    decode_side_bops: Fraction = Fraction(0)
    buffer_bits: int = 0


@dataclass(frozen=True, slots=True)
class Header:
    """The first 64 bits of a stream."""

    bypass: bool
    dtype: np.dtype[Any]
    shape: Shape
    parameter: int

    @property
    def values(self) -> int:
        """C * H * W."""
        channels, height, width = self.shape
        return channels * height * width

    @property
    def signed(self) -> bool:
        """Whether the words are two's complement."""
        return self.dtype.kind == "i"

    def to_bytes(self) -> bytes:
        """The header's 8 bytes."""
        channels, height, width = self.shape
        flags = self.bypass << 3 | (self.dtype.itemsize == 2) << 2 | self.signed << 1
        sides = (channels - 1) << 28 | (height - 1) << 14 | (width - 1)
        return (flags << 60 | sides << 16 | self.parameter).to_bytes(8, "big")


@dataclass(frozen=True, slots=True)
class Body:
    """What follows the header: `bits` bits in `data`, named in `breakdown`, and the header's parameter."""

    data: Bytes
    bits: int
    breakdown: dict[str, int]
    parameter: int = 0


def read_header(payload: bytes) -> Header:
    """The header of `payload`; WccsimError when it is cut or says what no encoder says."""
    if len(payload) < HEADER_BITS // 8:
        damaged(f"{len(payload)} bytes, shorter than the header")
    word = int.from_bytes(payload[:8], "big")
    flags, sides = word >> 60, word >> 16
    if flags & 1:
        damaged("the reserved bit of the header is set")
    dtype = np.dtype(("i" if flags & 2 else "u") + ("2" if flags & 4 else "1"))
    shape = ((sides >> 28 & 0xFFFF) + 1, (sides >> 14 & 0x3FFF) + 1, (sides & 0x3FFF) + 1)
    header = Header(bool(flags & 8), dtype, shape, word & 0xFFFF)
    if header.values > MAX_VALUES:
        damaged(f"the header declares {header.values} values, more than {MAX_VALUES}")
    return header


def damaged(why: str) -> NoReturn:
    """Raise: the stream is not one that this codec writes."""
    raise WccsimError(f"the stream cannot be decoded: {why}")


def checked_map(x: object) -> Map:
    """`x` as a C-contiguous integer map [C, H, W]; WccsimError when it is none."""
    if not isinstance(x, np.ndarray):
        raise WccsimError(f"a codec takes a NumPy array [C, H, W], not {type(x).__name__}")
    if x.dtype.newbyteorder("=") not in DTYPES:
        raise WccsimError(f"a codec takes int8, uint8, int16 or uint16, not {x.dtype}")
    if x.ndim != 3 or x.size == 0:
        raise WccsimError(f"a codec takes a non-empty array [C, H, W], not shape {list(x.shape)}")
    if any(side > most for side, most in zip(x.shape, MAX_SIDES, strict=True)) or x.size > MAX_VALUES:
        raise WccsimError(
            f"a map of shape {list(x.shape)} is too large; allowed: C to 65536, H and W to 16384, "
            f"{MAX_VALUES} values"
        )
    return np.ascontiguousarray(x, dtype=x.dtype.newbyteorder("="))


def bounds(dtype: np.dtype[Any], word_bits: int | None = None) -> tuple[int, int]:
    """Smallest and greatest word of `word_bits` bits (default: the dtype's), signed as `dtype` is."""
    bits = word_bits or 8 * dtype.itemsize
    return (-(1 << (bits - 1)), (1 << (bits - 1)) - 1) if dtype.kind == "i" else (0, (1 << bits) - 1)


def widened(x: Map) -> Words:
    """`x` flat, as int32: the width every kernel works at."""
    return x.ravel().astype(np.int32)


def narrowed(flat: npt.NDArray[np.integer], header: Header) -> Map:
    """The map of `header` from flat words that already fit its dtype."""
    return flat.astype(header.dtype).reshape(header.shape)


class Codec(ABC):
    """One codec with its settings. Subclasses are frozen dataclasses; their fields are the settings."""

    __slots__ = ()

    NAME: ClassVar[str]
    ABOUT: ClassVar[str]
    SOURCE: ClassVar[str]
    LOSSLESS: ClassVar[bool] = False

    @property
    def lossless(self) -> bool:
        """Whether decode(encode(x)) equals x for every x."""
        return self.LOSSLESS

    def encode(self, x: Map) -> Encoded:
        """Code an integer map [C, H, W] (int8, uint8, int16, uint16) into a real bit stream.

        A body longer than the raw words is replaced by them (the bypass flag), so that no map costs
        more than its raw size and the header. Raises WccsimError for anything but such a map.
        """
        x = checked_map(x)
        self._check_words(x)
        body = self._write(x)
        raw_bits = x.size * self._word_bits(x.dtype)
        bypass = body is None or body.bits > raw_bits
        if body is None or bypass:
            body = Body(pack(x, self._word_bits(x.dtype)), raw_bits, {"raw": raw_bits})
        header = Header(bypass, x.dtype, (x.shape[0], x.shape[1], x.shape[2]), body.parameter)
        payload = header.to_bytes() + body.data[: bytes_for(body.bits)].tobytes()
        return Encoded(payload, HEADER_BITS + body.bits, {"header": HEADER_BITS, **body.breakdown})

    def decode(self, encoded: Encoded) -> Map:
        """The map that `encoded` stands for, in its own dtype and shape [C, H, W].

        Only the payload is read. Raises WccsimError for a stream that this codec, with these
        settings, does not write; never allocates more than the payload's length accounts for.
        """
        payload = getattr(encoded, "payload", None)
        if not isinstance(payload, bytes):
            raise WccsimError(f"decode takes what encode returned, not {type(encoded).__name__}")
        header = read_header(payload)
        body = payload[HEADER_BITS // 8 :]
        if header.bypass:
            return self._read_raw(header, body)
        if self._least_bits(header) > 8 * len(body):
            damaged(f"{header.values} values cannot be in a body of {len(body)} bytes")
        return self._read(header, readable(body), 8 * len(body))

    def size(self, x: Map) -> int:
        """`encode(x).bits`, without writing the stream where that is cheaper."""
        x = checked_map(x)
        self._check_words(x)
        raw_bits = x.size * self._word_bits(x.dtype)
        body_bits = self._body_bits(x)
        return HEADER_BITS + (raw_bits if body_bits is None else min(raw_bits, body_bits))

    @abstractmethod
    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        """Work per value and buffer of a map of `shape` [C, H, W] and `value_bits` a word."""

    @abstractmethod
    def _write(self, x: Map) -> Body | None:
        """The body of a checked map; None where the format cannot hold it (then it goes raw)."""

    @abstractmethod
    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        """The map from a `readable` body of at most `limit_bits` bits."""

    @abstractmethod
    def _least_bits(self, header: Header) -> int:
        """No body of such a map is shorter: checked before anything is allocated."""

    def _body_bits(self, x: Map) -> int | None:
        body = self._write(x)
        return None if body is None else body.bits

    def _word_bits(self, dtype: np.dtype[Any]) -> int:
        """Bits of a raw word: the setting `word_bits` where a codec has it, never above the dtype's."""
        return min(getattr(self, "word_bits", None) or 16, 8 * dtype.itemsize)

    def _check_words(self, x: Map) -> None:
        word_bits = getattr(self, "word_bits", None)
        if word_bits is None:
            return
        low, high = bounds(x.dtype, self._word_bits(x.dtype))
        if int(x.min()) < low or int(x.max()) > high:
            raise WccsimError(
                f"{self.NAME} with word_bits={word_bits} takes {low} to {high}; "
                f"the map holds {int(x.min())} to {int(x.max())}"
            )

    def _read_raw(self, header: Header, body: bytes) -> Map:
        width = self._word_bits(header.dtype)
        if len(body) != bytes_for(header.values * width):
            damaged(f"{len(body)} bytes of raw words, not {bytes_for(header.values * width)}")
        data = readable(body)
        check_end(data, header.values * width, 8 * len(body))
        if width == 16:
            flat: npt.NDArray[Any] = np.frombuffer(body, ">u2").astype(np.uint16).view(header.dtype)
            return flat.reshape(header.shape).copy()
        return narrowed(unpack(data, 0, header.values, width, header.signed), header)


def check_end(data: Bytes, position: int, limit_bits: int) -> None:
    """Refuse a body that ends before or after `position`, or whose padding is not zero."""
    if position < 0 or position > limit_bits:
        damaged("it ends before the last value")
    if bytes_for(position) * 8 != limit_bits:
        damaged(f"{limit_bits // 8 - bytes_for(position)} bytes follow the last value")
    if position & 7 and int(data[position >> 3]) & ((1 << (8 - (position & 7))) - 1):
        damaged("the padding is not zero")


def average_bits(bits_per_value: Sequence[float], values: Sequence[int]) -> float:
    """Bits per value over several maps: each counts by its number of values."""
    return math.fsum(b * v for b, v in zip(bits_per_value, values, strict=True)) / sum(values)


def check_integer(codec: str, what: str, given: object, low: int, high: int) -> None:
    """Refuse a setting that is no integer in low..high."""
    if isinstance(given, bool) or not isinstance(given, int) or not low <= given <= high:
        raise WccsimError(f"{codec}: {what} is {given!r}; allowed: integers {low} to {high}")


def check_choice(codec: str, what: str, given: object, allowed: tuple[str, ...]) -> None:
    """Refuse a setting that is not one of the names allowed."""
    if given not in allowed:
        raise WccsimError(f"{codec}: {what} is {given!r}; allowed: {', '.join(allowed)}")
