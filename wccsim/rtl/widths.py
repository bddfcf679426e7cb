"""No signal can leave its stated width: exact interval arithmetic over every configuration.

The greatest and least value of each signal follow from those of its inputs, in exact integers; the stated
widths are those of WccParameters, from which p.vh is made. Every L, b, YW, width of kept coefficients and
weights, score and bias is tried; of the channel counts every power of two and the greatest: a width
depends on ceil(log2 C) alone, and the greatest C of each is the worst.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from wccsim.parameters import MAX_IN_CHANNELS, MAX_SCORE_BITS, SCORES, WccParameters

Interval = tuple[int, int]
CHANNELS = (*(1 << i for i in range(18) if 1 << i <= MAX_IN_CHANNELS), MAX_IN_CHANNELS)


@dataclass(frozen=True, slots=True)
class Signal:
    """A signal's exact range in one configuration and the width stated for it."""

    name: str
    interval: Interval
    bits: int
    signed: bool = True

    @property
    def fits(self) -> bool:
        """Whether the whole range lies in the width."""
        low, high = (
            (-(1 << (self.bits - 1)), (1 << (self.bits - 1)) - 1)
            if self.signed
            else (0, (1 << self.bits) - 1)
        )
        return low <= self.interval[0] and self.interval[1] <= high


def signed_range(bits: int) -> Interval:
    """All of a two's complement word."""
    return -(1 << (bits - 1)), (1 << (bits - 1)) - 1


def symmetric(bits: int) -> Interval:
    """The symmetric grid of `bits` bits."""
    return 1 - (1 << (bits - 1)), (1 << (bits - 1)) - 1


def shifted(interval: Interval, by: int) -> Interval:
    """The range after a left shift."""
    return interval[0] << by, interval[1] << by


def butterfly_range(a: Interval, b: Interval, c: Interval, d: Interval) -> Interval:
    """The least interval that holds all four outputs of a butterfly: any signs of b, c, d with a."""
    spread = [max(abs(low), abs(high)) for low, high in (b, c, d)]
    # The worst output adds or subtracts each input; a sum keeps asymmetric ends, a difference swaps them.
    low = min(
        a[0] + b[0] + c[0] + d[0],
        a[0] + b[0] - c[1] - d[1],
        a[0] - b[1] + c[0] - d[1],
        a[0] - b[1] - c[1] + d[0],
    )
    high = max(
        a[1] + b[1] + c[1] + d[1],
        a[1] + b[1] - c[0] - d[0],
        a[1] - b[0] + c[1] - d[0],
        a[1] - b[0] - c[0] + d[1],
    )
    assert -low <= -a[0] + sum(spread) and high <= a[1] + sum(spread)
    return low, high


def transform_signals(p: WccParameters) -> Iterator[Signal]:
    """Forward: coefficients of each level and the aligned words of the score."""
    pixel = signed_range(p.in_bits)
    for level in range(1, p.levels + 1):
        everything = butterfly_range(pixel, pixel, pixel, pixel)
        yield Signal(f"coefficients of level {level}", everything, p.coefficient_bits(level))
        yield Signal("stored coefficient", everything, p.coefficient_bits())
        yield Signal("aligned coefficient", shifted(everything, p.levels - level), p.coefficient_bits())
        pixel = 4 * pixel[0], 4 * pixel[1]
        yield Signal(f"LL of level {level}", pixel, p.coefficient_bits(level))


def score_signals(p: WccParameters, channels: int) -> Iterator[Signal]:
    """The joint score: every aligned magnitude is at most 2^(CW-1)."""
    greatest = 1 << (p.coefficient_bits() - 1)
    most = {"l2": channels * greatest**2, "l1": channels * greatest, "max": greatest}[p.score]
    yield Signal(f"{p.score} score", (0, most), p.score_bits(channels), signed=False)


def array_signals(p: WccParameters, channels: int) -> Iterator[Signal]:
    """Products and sums of the array."""
    product = symmetric(p.act_bits)[1] * symmetric(p.weight_bits)[1]
    yield Signal("product", (-product, product), p.act_bits + p.weight_bits)
    total = channels * product
    yield Signal("accumulator", (-total, total), p.accumulator_bits(channels))
    yield Signal("32-bit accumulator", (-total, total), 32)
    for lanes in (1, 2, 3, 4, 8, 64):
        dot = lanes * product
        yield Signal("dot product", (-dot, dot), p.act_bits + p.weight_bits + (lanes - 1).bit_length())


def inverse_signals(p: WccParameters) -> Iterator[Signal]:
    """Inverse with its aligned details and the bias, everything in one width."""
    detail = symmetric(p.wavelet_bits)
    bias = (p.bias_format().min, p.bias_format().max) if p.bias else (0, 0)
    approximation = detail[0] + bias[0], detail[1] + bias[1]
    yield Signal("LL with bias", approximation, p.inverse_bits())
    for level in range(p.levels, 0, -1):
        aligned = shifted(detail, p.levels - level)
        yield Signal(f"aligned detail of level {level}", aligned, p.inverse_bits())
        approximation = butterfly_range(approximation, aligned, aligned, aligned)
        yield Signal(f"approximation {level - 1}", approximation, p.inverse_bits())


def requantiser_signals(p: WccParameters) -> Iterator[Signal]:
    """Products of the requantisers, and t + 1 of the rounding."""
    for name, bits in (("R1", p.coefficient_bits()), ("R2", 32), ("R3", p.inverse_bits())):
        low, high = signed_range(bits)
        top = (1 << 16) - 1
        yield Signal(f"{name} product", (low * top, high * top), bits + 17)
        yield Signal(f"{name} product + 1", (low * top + 1, high * top + 1), bits + 18)
        top = (1 << 31) - 1
        low, high = signed_range(32)
        yield Signal(f"{name} double product and nudge", (low * top, high * top + (1 << 30)), 64)
        yield Signal(f"{name} double product, as assumed", (low * top, high * top), 63 + 1)


def check_widths() -> tuple[int, list[str]]:
    """(signals checked, those that do not fit) over every configuration."""
    wrong: list[str] = []
    count = 0

    def note(signals: Iterator[Signal], p: WccParameters) -> None:
        nonlocal count
        for signal in signals:
            count += 1
            if not signal.fits:
                wrong.append(f"{signal.name}: {signal.interval} in {signal.bits} bits, {p}")

    for levels in range(1, 6):
        for in_bits in range(2, 17):
            p = WccParameters(levels=levels, in_bits=in_bits)
            note(transform_signals(p), p)
            for score in SCORES:
                p = WccParameters(levels=levels, in_bits=in_bits, score=score)  # type: ignore[arg-type]
                allowed = [c for c in CHANNELS if p.score_bits(c) <= MAX_SCORE_BITS]
                for channels in allowed:
                    note(score_signals(p, channels), p)
        for wavelet_bits in range(8, 17):
            for bias in (False, True):
                p = WccParameters(levels=levels, wavelet_bits=wavelet_bits, bias=bias)
                note(inverse_signals(p), p)
                note(requantiser_signals(p), p)
    for act_bits in range(2, 9):
        for weight_bits in range(2, 9):
            p = WccParameters(act_bits=act_bits, weight_bits=weight_bits)
            for channels in CHANNELS:
                note(array_signals(p, channels), p)
    return count, wrong
