"""Maps, weights and multipliers for measurements: natural-like, seeded, calibrated to use every code."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.arith import multiplier_and_shift
from wccsim.datapath import plain
from wccsim.datapath.plan import Plan, make_plan
from wccsim.parameters import WccParameters

BASES = 8  # fields of 1/f noise that the channels of a map are rolled and mixed from
CROP = 64  # rows and columns that the multipliers are calibrated on
GREATEST_MULTIPLIER = 15.0  # of R2: above it the fast paths do not reach


@dataclass(frozen=True, slots=True)
class Job:
    """One layer to run: the checked plan and its input int8 [C, H, W]."""

    name: str
    plan: Plan
    x: npt.NDArray[np.int8]

    @property
    def dense_macs(self) -> int:
        """Multiply-accumulates of the dense 1x1 convolution."""
        p = self.plan
        return p.channels * p.out_channels * p.height * p.width

    @property
    def label(self) -> str:
        """Channels and size, as 16->96@512x1024."""
        p = self.plan
        return f"{p.channels}->{p.out_channels}@{p.height}x{p.width}"


def natural_map(channels: int, height: int, width: int, rng: np.random.Generator) -> npt.NDArray[np.int8]:
    """int8 [C, H, W] with a 1/f amplitude spectrum and a component that the channels share."""
    rows = np.fft.fftfreq(height)[:, None]
    columns = np.fft.rfftfreq(width)[None]
    falling = 1.0 / np.maximum(np.hypot(rows, columns), 1.0 / max(height, width))
    fields = []
    for _ in range(BASES + 1):
        phase = rng.standard_normal((*falling.shape, 2)).astype(np.float32).view(np.complex64)[..., 0]
        field = np.fft.irfft2(phase * falling, s=(height, width)).astype(np.float32)
        fields.append(field / max(float(field.std()), 1e-6))
    x = np.empty((channels, height, width), np.int8)
    for c in range(channels):
        shift = (int(rng.integers(height)), int(rng.integers(width)))
        own = np.roll(fields[c % BASES], shift, (0, 1))
        gain = float(rng.uniform(10, 45))
        x[c] = np.clip(np.rint(gain * (0.6 * fields[BASES] + 0.8 * own)), -128, 127)
    return x


def job(
    name: str,
    shape: tuple[int, int, int],
    outputs: int,
    parameters: WccParameters,
    seed: int,
    weights: npt.NDArray[np.int8] | None = None,
) -> Job:
    """A layer on a natural-like map [C, H, W]; random weights unless given; multipliers from a crop."""
    rng = np.random.default_rng(seed)
    x = natural_map(*shape, rng)
    if weights is None:
        weights = np.clip(np.rint(40 * rng.standard_normal((outputs, shape[0]))), -127, 127).astype(np.int8)
    r1, r2, r3 = calibrate(x[:, :CROP, :CROP], weights, parameters)
    bias = rng.integers(-2000, 2001, outputs) if parameters.bias else None
    return Job(name, make_plan(parameters, weights, shape, r1, r2, r3, bias), x)


def calibrate(
    x: npt.NDArray[Any], weights: npt.NDArray[np.int8], parameters: WccParameters
) -> tuple[Any, ...]:
    """r1, r2 (per output channel) and r3 for which q, y and out are full and clip below 1 % of the words."""
    p = replace(parameters, bias=False)
    x = np.ascontiguousarray(x)

    def run(r1: Any, r2: Any) -> tuple[Plan, plain.Arrays]:
        plan = make_plan(p, weights, x.shape, r1, r2, (1 << 15, 20))
        out = np.empty((len(weights), *x.shape[1:]), np.uint8 if p.out_unsigned else np.int8)
        return plan, plain.run(plan, x, out, True)

    def scaler(values: npt.NDArray[Any], high: int) -> tuple[int, int]:
        reach = max(float(np.quantile(np.abs(values), 0.995)), 1.0)
        return multiplier_and_shift(min(high / reach, GREATEST_MULTIPLIER))

    neutral = (1 << 15, 20)
    _, first = run(neutral, neutral)
    assert first.coefficients is not None
    r1 = scaler(first.coefficients[:, first.kept] / 2.0**p.levels, (1 << (p.act_bits - 1)) - 1)
    _, second = run(r1, neutral)
    assert second.acc is not None
    rows = [scaler(row, (1 << (p.wavelet_bits - 1)) - 1) for row in second.acc]
    r2 = tuple(np.array(part) for part in zip(*rows, strict=True))
    plan, third = run(r1, r2)
    assert third.y is not None
    words = plain.inverse_words(plan, third.y, np.flatnonzero(third.kept), slice(None))
    return r1, r2, scaler(words, 127)
