"""The inputs that the vectors in golden/codecs were made from: integers only, no library's generator."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

GOLDEN = Path(__file__).parent / "golden" / "codecs"


def golden(name: str) -> dict[str, Any]:
    """One vector file."""
    content: dict[str, Any] = json.loads((GOLDEN / f"{name}.json").read_text(encoding="utf-8"))
    return content


def draws(seed: int) -> Iterator[int]:
    """The 32-bit linear congruential generator of Numerical Recipes, endless."""
    state = seed
    while True:
        state = (1664525 * state + 1013904223) % 2**32
        yield state


def sparse(count: int, seed: int, threshold: int, *, signed: bool) -> list[int]:
    """A zero where the first 8 bits drawn are below `threshold`, else 8 more bits, never zero."""
    stream, values = draws(seed), []
    for _ in range(count):
        word = 0 if next(stream) >> 24 < threshold else (next(stream) >> 24) or 1
        values.append(word - 256 if signed and word > 127 else word)
    return values


def smooth_map(channels: int, height: int, width: int, seed: int, *, relu: bool) -> list[int]:
    """A plane, a disc and 3 bits of noise per channel, limited to 0..127 or -128..127."""
    stream, values = draws(seed), []

    def bits(count: int) -> int:
        return next(stream) >> (32 - count)

    for _ in range(channels):
        slope_x, slope_y, offset = bits(4) - 8, bits(4) - 8, bits(6) - 32
        disc = 24 if bits(1) else -24
        for y in range(height):
            for x in range(width):
                inside = (x - width // 2) ** 2 + (y - height // 2) ** 2 <= (height // 4) ** 2
                plane = (slope_x * x + slope_y * y) >> 2
                value = plane + offset + disc * inside + bits(3) - 4
                values.append(max(0 if relu else -128, min(127, value)))
    return values


INPUTS: dict[str, list[int]] = {
    "zeros20": [0] * 20,
    "const8": [5] * 8,
    "ramp16": list(range(1, 17)),
    "alt16": [1, -1] * 8,
    "mixed24": [0, 0, 7, 7, 8, 0, -3, 127, -128, 1, 0, 0, 0, 2, 2, 2, 0, 64, 32, 0, 0, 0, 0, 9],
    "run40": [3, *[0] * 40, 3],
    "run16": [3, *[0] * 16, 3],
    "run17": [3, *[0] * 17, 3],
    "sparse_s8_256": sparse(256, 1, 128, signed=True),
    "sparse_u7_256": [word >> 1 for word in sparse(256, 2, 128, signed=False)],
    "dense_s8_256": sparse(256, 3, 0, signed=True),
    "fmap_relu_4x16x16": smooth_map(4, 16, 16, 7, relu=True),
    "fmap_signed_8x8x8": smooth_map(8, 8, 8, 11, relu=False),
    "fmap_signed_16x16x16": smooth_map(16, 16, 16, 13, relu=False),
}


def fingerprint(values: list[int]) -> str:
    """sha256 over the values as 16-bit little-endian words, as the vector files give it."""
    words = b"".join(value.to_bytes(2, "little", signed=True) for value in values)
    return hashlib.sha256(words).hexdigest()


def bits_of(payload: bytes, start: int, count: int) -> str:
    """`count` bits of `payload` from bit `start`, as text."""
    return f"{int.from_bytes(payload, 'big'):0{8 * len(payload)}b}"[start : start + count]


def hex_of(bits: str) -> str:
    """The vector files' notation: hexadecimal, the last digit padded with zeros."""
    whole = bits + "0" * (-len(bits) % 4)
    return f"{int(whole, 2):0{len(whole) // 4}x}" if whole else ""
