"""The WCC codec against a slow twin of its stream, its error bound, and its searched step."""

from fractions import Fraction
from typing import Any

import numpy as np
import pytest
from codec_inputs import bits_of
from hypothesis import given, settings
from hypothesis import strategies as st

import wccsim
from wccsim.arith import multiplier_and_shift
from wccsim.bitstream import readable
from wccsim.codecs.base import Header, Map
from wccsim.codecs.wcc import Wcc
from wccsim.errors import WccsimError


def haar_twin(image: list[list[int]], levels: int) -> list[list[int]]:
    """docs/datapath.md, section 2, by its definition."""
    out = [row[:] for row in image]
    height, width = len(image), len(image[0])
    for _ in range(levels):
        source = [row[:width] for row in out[:height]]
        height, width = height // 2, width // 2
        for y in range(height):
            for x in range(width):
                a, b = source[2 * y][2 * x : 2 * x + 2]
                c, d = source[2 * y + 1][2 * x : 2 * x + 2]
                out[y][x], out[y][x + width] = a + b + c + d, a + b - c - d
                out[y + height][x], out[y + height][x + width] = a - b + c - d, a - b - c + d
    return out


def level_of(y: int, x: int, height: int, width: int, levels: int) -> tuple[int, bool]:
    """(level, whether the band is LL) of a position of the Mallat layout."""
    for level in range(1, levels + 1):
        if y >= height >> level or x >= width >> level:
            return level, False
    return levels, True


def stream_twin(x: Map, made: Wcc, alpha: int) -> str:
    """The body's bits for one clip and a bitmap: shift, bitmap, then each channel's kept words."""
    levels, unit = made.levels, 1 << made.levels
    height, width = (-(-side // unit) * unit for side in x.shape[1:])
    padded = np.zeros((x.shape[0], height, width), int)
    padded[:, : x.shape[1], : x.shape[2]] = x
    coefficients = [haar_twin(channel.tolist(), levels) for channel in padded]
    places = [(y, z) for y in range(height) for z in range(width)]
    level = {p: level_of(*p, height, width, levels) for p in places}
    score = {p: sum((c[p[0]][p[1]] << (levels - level[p][0])) ** 2 for c in coefficients) for p in places}
    kept = sorted(sorted(places, key=lambda p: -score[p])[: int(Fraction(made.keep) * len(places))])
    multiplier, shift = multiplier_and_shift((2 ** (made.bits - 1) - 1) / alpha)
    out = f"{shift:06b}" + "".join("1" if p in set(kept) else "0" for p in places)
    for channel in coefficients:
        for p in kept:
            bits = made.bits if level[p][1] else made.detail_bits or made.bits
            limit = 2 ** (bits - 1) - 1
            s = shift + level[p][0]
            q = max(-limit, min(limit, (channel[p[0]][p[1]] * multiplier + (1 << (s - 1))) >> s))
            out += f"{q & (2**bits - 1):0{bits}b}"
    return out


@settings(max_examples=20, deadline=None)
@given(
    shape=st.tuples(st.integers(1, 3), st.integers(1, 17), st.integers(1, 17)),
    levels=st.integers(1, 3),
    keep=st.sampled_from(["1", "1/2", "1/3", "0.3"]),
    widths=st.sampled_from([(8, None), (6, 3), (3, 2)]),
    alpha=st.integers(1, 2000),
    dtype=st.sampled_from([np.int8, np.uint8]),
    seed=st.integers(0, 99),
)
def test_the_stream_equals_the_twin(
    shape: Any, levels: int, keep: str, widths: Any, alpha: int, dtype: Any, seed: int
) -> None:
    span = np.iinfo(dtype)
    x = np.random.default_rng(seed).integers(span.min, span.max, shape, endpoint=True).astype(dtype)
    made = Wcc(keep=keep, levels=levels, bits=widths[0], detail_bits=widths[1], alpha=alpha)
    body = made._write(x)
    assert bits_of(body.data.tobytes(), 0, body.bits) == stream_twin(x, made, alpha)


def decoded(made: Wcc, x: Map) -> Map:
    """Decoded from the codec's own body, even where the whole map would go raw."""
    body = made._write(x)
    header = Header(False, x.dtype, (x.shape[0], x.shape[1], x.shape[2]), body.parameter)
    return made._read(header, readable(body.data), 8 * len(body.data))


@pytest.mark.parametrize("levels", [1, 2, 3, 4, 5])
@pytest.mark.parametrize("index", ["bitmap", "list", "rice"])
def test_with_everything_kept_the_error_stays_inside_its_bound(levels: int, index: str) -> None:
    """A pixel sums one LL error over 2^L and three detail errors over 2^l at each level, step / 2 each."""
    x = np.random.default_rng(1).integers(-100, 101, (2, 21, 37)).astype(np.int16)
    alpha, bits = 100 << levels, 12
    y = decoded(Wcc(keep=1, levels=levels, bits=bits, alpha=alpha, index=index), x)
    half = alpha / 2047 / 2
    bound = half * (2.0**-levels + sum(3 * 2.0**-level for level in range(1, levels + 1))) + 0.5
    assert np.abs(y.astype(int) - x).max() <= bound + 100 * 2.0**-14


@pytest.mark.parametrize("per_level_shift", [False, True])
@pytest.mark.parametrize("detail_bits", [None, 4])
def test_every_index_memory_and_padding_decodes_to_the_same_words(
    per_level_shift: bool, detail_bits: int | None
) -> None:
    rng = np.random.default_rng(3)
    ramp = np.add.outer(np.arange(45), np.arange(61))[None] + rng.integers(-3, 4, (4, 45, 61))
    x = ramp.astype(np.uint8)
    options = {"per_level_shift": per_level_shift, "detail_bits": detail_bits}
    maps = [decoded(Wcc(keep="30%", index=index, **options), x) for index in ("bitmap", "list", "rice")]  # type: ignore[arg-type]
    assert np.array_equal(maps[0], maps[1]) and np.array_equal(maps[0], maps[2])


def rice_twin(words: list[int], raw: int) -> str:
    """Zig-zag, 3 bits of parameter per 16 words, unary quotient, escape to `raw` bits at 8."""
    mapped = [2 * q if q >= 0 else -2 * q - 1 for q in words]

    def block(part: list[int], k: int) -> str:
        low = [f"{m & ((1 << k) - 1):0{k}b}" if k else "" for m in part]
        pairs = zip(part, low, strict=True)
        return f"{k:03b}" + "".join(
            "1" * (m >> k) + "0" + bits if m >> k < 8 else "1" * 8 + f"{m:0{raw}b}" for m, bits in pairs
        )

    parts = [mapped[i : i + 16] for i in range(0, len(mapped), 16)]
    return "".join(min((block(part, k) for k in range(8)), key=len) for part in parts)


@pytest.mark.parametrize("options", [{}, {"detail_bits": 4}, {"per_level_shift": True, "levels": 2}])
def test_rice_coded_words_are_the_same_words_in_fewer_bits(options: Any) -> None:
    x = smooth(5)
    fixed, rice = (Wcc(keep="1/2", words=words, **options) for words in ("fixed", "rice"))
    words, body = rice.quantised(rice.transformed(x)).words, rice._write(x)
    text = bits_of(body.data.tobytes(), 0, body.bits)
    assert text.endswith(twin := rice_twin(words.ravel().tolist(), 8))
    assert len(twin) == body.breakdown["parameters"] + body.breakdown["payload"]
    assert np.array_equal(decoded(fixed, x), decoded(rice, x))
    assert rice.size(x) == rice.encode(x).bits < fixed.size(x)


def error(made: Wcc, x: Map) -> int:
    return int(((decoded(made, x).astype(int) - x) ** 2).sum())


def smooth(seed: int, shape: tuple[int, int, int] = (3, 40, 48)) -> Map:
    rng = np.random.default_rng(seed)
    base = np.cumsum(np.cumsum(rng.normal(0, 1, shape), 1), 2)
    return np.clip(base / np.abs(base).max() * 110 + rng.normal(0, 4, shape), -128, 127).astype(np.int8)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("bits", [2, 3, 8])
def test_the_searched_step_is_as_good_as_any_clip_tried(seed: int, bits: int) -> None:
    """The search is on coefficients; pixels differ by their rounding and the range's limits only."""
    x = smooth(seed)
    least = min(
        error(Wcc(bits=bits, alpha=alpha), x) for alpha in np.geomspace(20, 2000, 60).astype(int).tolist()
    )
    assert error(Wcc(bits=bits), x) <= 1.02 * least


@pytest.mark.parametrize("seed", range(3))
def test_per_level_shifts_never_lose_to_one_step(seed: int) -> None:
    x = smooth(seed)
    for bits in (3, 4, 8):
        one, several = (error(Wcc(bits=bits, keep="1/2", per_level_shift=p), x) for p in (False, True))
        assert several <= 1.02 * one


def test_sizes_are_the_formulas_of_the_index_memory() -> None:
    x = smooth(0, (5, 30, 50))  # padded to 32 x 56 = 1792 positions, 448 kept
    assert Wcc().encode(x).breakdown == {
        "header": 64,
        "scale": 6,
        "index": 1792,
        "payload": 448 * 5 * 8,
    }
    assert Wcc(index="list").encode(x).breakdown["index"] == 448 * 11
    assert Wcc(index="rice").encode(x).breakdown["index"] < 1792


def test_idempotent_with_all_kept_one_clip_and_nothing_clipped() -> None:
    """Rounding pixels moves an orthonormal coefficient of level l by at most 2^l / 2: 4 of a step of 12."""
    made = Wcc(keep=1, alpha=12 * 127, bits=8)
    for seed in range(4):
        x = np.random.default_rng(seed).integers(-90, 91, (2, 24, 40)).astype(np.int16)
        y = decoded(made, x)
        assert np.array_equal(decoded(made, y), y)


def test_not_idempotent_in_general() -> None:
    """Below keep = 1 rounding noise competes with the smallest kept coefficients for the positions."""
    made = Wcc(keep="1/4")
    x = np.random.default_rng(0).integers(-128, 128, (3, 32, 32)).astype(np.int8)
    y = decoded(made, x)
    assert not np.array_equal(decoded(made, y), y)


def test_settings_that_cannot_be_are_refused() -> None:
    for given_settings, why in [
        ({"keep": 0}, "keep 0 is out of range"),
        ({"keep": "half"}, "not a number"),
        ({"levels": 6}, "integers 1 to 5"),
        ({"detail_bits": 9}, "integers 2 to 8"),
        ({"index": "tree"}, "allowed: bitmap, list, rice"),
        ({"words": "huffman"}, "allowed: fixed, rice"),
        ({"per_level_shift": 3}, "allowed: True, False"),
        ({"per_level_shift": True, "alpha": 3}, "give one"),
    ]:
        with pytest.raises(WccsimError, match=why):
            wccsim.codec("wcc", **given_settings)
    with pytest.raises(WccsimError, match="alpha is 300000; with 2 bits allowed: to 262144"):
        wccsim.codec("wcc", bits=2, alpha=300_000).encode(np.zeros((1, 4, 4), np.int8))
    with pytest.raises(WccsimError, match="keeps none"):
        wccsim.codec("wcc", keep="1/100").encode(np.zeros((1, 4, 4), np.int8))


@pytest.mark.parametrize("levels", [1, 3, 5])
def test_the_longest_step_allowed_decodes(levels: int) -> None:
    alpha = min(1 << 20, 1 << (15 + levels))
    x = np.random.default_rng(0).integers(-32768, 32768, (1, 32, 32)).astype(np.int16)
    y = decoded(Wcc(keep=1, bits=2, levels=levels, alpha=alpha), x)
    assert y.shape == x.shape
