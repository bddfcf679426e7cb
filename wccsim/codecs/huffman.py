"""Huffman coding of the words or of their differences along a row."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import ClassVar

import numpy as np

from wccsim.bitstream import Bytes, Words, buffer_for, pack, unpack
from wccsim.codecs.base import (
    Body,
    Codec,
    CodecCost,
    Header,
    Map,
    Shape,
    check_choice,
    check_end,
    check_integer,
    damaged,
)
from wccsim.codecs.huffman_code import (
    LENGTH_BITS,
    MAX_LENGTH,
    Counts,
    canonical_codes,
    code_lengths,
    coded_bits,
    decode_tables,
    read_symbols,
    write_symbols,
)


@dataclass(frozen=True, slots=True)
class Huffman(Codec):
    """A canonical code of at most `max_length` bits over the 2^w words, made for the map itself.

    The table, 4 bits a symbol, is part of the stream. predictor "left" codes x - left modulo 2^w
    instead of x. A map of more than 2^max_length distinct symbols goes raw.
    """

    NAME: ClassVar[str] = "huffman"
    ABOUT: ClassVar[str] = "length-limited Huffman code of words or residuals"
    SOURCE: ClassVar[str] = "Huffman 1952; length limit by package-merge (Larmore and Hirschberg 1990)"
    LOSSLESS: ClassVar[bool] = True

    predictor: str = "none"
    max_length: int = 12
    word_bits: int | None = None

    def __post_init__(self) -> None:
        check_choice(self.NAME, "predictor", self.predictor, ("left", "none"))
        check_integer(self.NAME, "max_length", self.max_length, 1, MAX_LENGTH)
        if self.word_bits is not None:
            check_integer(self.NAME, "word_bits", self.word_bits, 1, 16)

    def cost(self, shape: Shape, value_bits: int = 8) -> CodecCost:
        adds = Fraction(self.predictor == "left")
        table_bits = (1 << (self.word_bits or value_bits)) * (self.max_length + LENGTH_BITS)
        return CodecCost(
            encode_adds=adds,
            encode_bops=adds * value_bits,
            decode_adds=adds,
            decode_bops=adds * value_bits,
            buffer_bits=table_bits,
        )

    def _symbols(self, x: Map) -> tuple[Words, Counts]:
        """Symbols 0..2^w - 1, flat, and their counts."""
        words = x.astype(np.int32)
        if self.predictor == "left":
            words[..., 1:] -= x[..., :-1]
        width = self._word_bits(x.dtype)
        symbols = words.ravel() & ((1 << width) - 1)
        return symbols, np.bincount(symbols, minlength=1 << width)

    def _write(self, x: Map) -> Body | None:
        symbols, counts = self._symbols(x)
        lengths = code_lengths(counts, self.max_length)
        if lengths is None:
            return None
        payload_bits, table_bits = coded_bits(counts, lengths), LENGTH_BITS * lengths.size
        out = buffer_for(table_bits + payload_bits)
        table = pack(lengths, LENGTH_BITS)
        out[: table.size] = table
        write_symbols(symbols, canonical_codes(lengths), lengths, out, table_bits)
        return Body(out, table_bits + payload_bits, {"table": table_bits, "payload": payload_bits})

    def _body_bits(self, x: Map) -> int | None:
        _, counts = self._symbols(x)
        lengths = code_lengths(counts, self.max_length)
        return None if lengths is None else coded_bits(counts, lengths) + LENGTH_BITS * lengths.size

    def _read(self, header: Header, data: Bytes, limit_bits: int) -> Map:
        width = self._word_bits(header.dtype)
        lengths = unpack(data, 0, 1 << width, LENGTH_BITS, signed=False).astype(np.uint8)
        tables = decode_tables(lengths)
        if tables is None or int(lengths.max()) > self.max_length:
            damaged("a code table that no encoder writes")
        symbols = np.empty(header.values, np.int32)
        end = read_symbols(data, LENGTH_BITS << width, limit_bits, *tables, symbols)
        if end == -2:
            damaged("a code that is not in the table")
        check_end(data, end, limit_bits)
        return self._words(symbols, header, width)

    def _words(self, symbols: Words, header: Header, width: int) -> Map:
        """Undo the prediction modulo 2^w and the two's complement."""
        if self.predictor == "left":
            rows = symbols.reshape(-1, header.shape[2])
            # Sums stay below 2^14 columns * 2^16, inside int32.
            symbols = np.cumsum(rows, axis=1, dtype=np.int32).ravel() & np.int32((1 << width) - 1)
        if header.signed:
            half = np.int32(1 << (width - 1))
            symbols = (symbols ^ half) - half
        return symbols.astype(header.dtype).reshape(header.shape)

    def _least_bits(self, header: Header) -> int:
        return header.values + (LENGTH_BITS << self._word_bits(header.dtype))
