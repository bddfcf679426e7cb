"""The layers that the Verilog is checked on: docs/datapath.md, section 8.5, one named case each."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from fractions import Fraction
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.arith import multiplier_and_shift, q31_multiplier_and_shift
from wccsim.datapath.plan import Plan, make_plan
from wccsim.errors import WccsimError
from wccsim.parameters import WccParameters, parse_keep

CONTENTS = ("random", "smooth", "minimum", "impulse", "ties", "constant")
BIASES = ("none", "random", "maximal")
SCALES = ("any", "powers")
MAX_SIZE = {
    "channels": 4096,
    "out_channels": 4096,
    "height": 1024,
    "width": 1024,
    "p_lanes": 64,
    "q_lanes": 64,
}


@dataclass(frozen=True, slots=True)
class Case:
    """One layer with made-up data: shapes, lanes, settings, what the map holds and the seed.

    content: what x holds; bias: which bias words; scales: "any" multipliers or only "powers" of two, which
    make ties frequent. settings: fields of WccParameters.
    """

    name: str
    channels: int = 6
    out_channels: int = 5
    height: int = 16
    width: int = 16
    p_lanes: int = 4
    q_lanes: int = 4
    content: str = "random"
    bias: str = "none"
    scales: str = "any"
    seed: int = 1
    settings: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, most in MAX_SIZE.items():
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= most:
                raise WccsimError(f"{name} is {value!r}; allowed: integers 1 to {most}")
        if isinstance(self.seed, bool) or not isinstance(self.seed, int):
            raise WccsimError(f"seed is {self.seed!r}; allowed: an integer")
        for name, allowed in (("content", CONTENTS), ("bias", BIASES), ("scales", SCALES)):
            value = getattr(self, name)
            if value not in allowed:
                raise WccsimError(f"{name} is {value!r}; allowed: {', '.join(allowed)}")

    def parameters(self) -> WccParameters:
        """The settings as WccParameters; `keep` may be written 1/4, 0.25 or 25%."""
        return parameters_from({**self.settings, "bias": self.bias != "none"})


def parameters_from(settings: Mapping[str, Any]) -> WccParameters:
    """WccParameters from plain values; WccsimError names what is unknown."""
    allowed = {f.name for f in fields(WccParameters)}
    for name in settings:
        if name not in allowed:
            raise WccsimError(f"setting {name!r} is not known; allowed: {', '.join(sorted(allowed))}")
    values = dict(settings)
    values["keep"] = parse_keep(values.get("keep", Fraction(1, 4)))
    shifts = values.get("per_level_shift", ())
    if not isinstance(shifts, (list, tuple)):
        raise WccsimError(f"per_level_shift is {shifts!r}; allowed: a list of integers")
    values["per_level_shift"] = tuple(shifts)
    for name in ("relu", "bias", "out_unsigned"):
        if not isinstance(values.get(name, False), bool):
            raise WccsimError(f"{name} is {values[name]!r}; allowed: true, false")
    if not isinstance(values.get("selection", "exact"), str):
        raise WccsimError(f"selection is {values['selection']!r}; allowed: exact, binned:0 to binned:8")
    return WccParameters(**values)


def case_from(given: Any, name: str) -> Case:
    """A case from the object of a JSON file; settings stand beside the shapes."""
    if not isinstance(given, dict):
        raise WccsimError("a layer's JSON is an object with shapes and settings")
    own = {f.name for f in fields(Case)} - {"settings", "name"}
    settings = {key: value for key, value in given.items() if key not in own}
    return Case(name=name, settings=settings, **{key: given[key] for key in given if key in own})


def build(case: Case) -> tuple[Plan, npt.NDArray[Any]]:
    """The checked plan and the map of a case; the same arrays for the same case, on every machine."""
    p = case.parameters()
    p.kept(case.height, case.width)
    rng = random.Random(case.seed)
    x = _content(case, p, rng)
    limit = (1 << (p.weight_bits - 1)) - 1
    codes = [[rng.randint(-limit, limit) for _ in range(case.channels)] for _ in range(case.out_channels)]
    weights = np.array(codes, np.int8)
    if case.content in ("minimum", "impulse"):  # the greatest sums: all weights at the limit
        weights = np.where(weights < 0, -limit, limit).astype(np.int8)
    r1, r2, r3 = _scalers(case, p, rng)
    return make_plan(p, weights, x.shape, r1, r2, r3, _bias(case, p, rng)), x


def _content(case: Case, p: WccParameters, rng: random.Random) -> npt.NDArray[Any]:
    shape = case.channels, case.height, case.width
    low, high = -(1 << (p.in_bits - 1)), (1 << (p.in_bits - 1)) - 1
    count = shape[0] * shape[1] * shape[2]
    if case.content == "minimum":
        values = np.full(count, low)
    elif case.content == "constant":
        values = np.full(count, high // 2)
    elif case.content == "impulse":
        values = np.zeros(count, np.int64)
        values[:: max(1, case.width * case.height // 3)] = high
    elif case.content == "ties":
        values = np.array([rng.choice((0, 0, low // 4, high // 4)) for _ in range(count)])
    elif case.content == "smooth":
        c, r, s = np.indices(shape)
        ramp = (r * 5 + s * 3 + c * 7) % (high + 1) - (c % 3) * (high // 3)
        values = ramp.ravel() + np.array([rng.randint(-2, 2) for _ in range(count)])
    else:
        values = np.array([rng.randint(low, high) for _ in range(count)])
    clipped: npt.NDArray[Any] = np.clip(values, low, high).astype(np.int16 if p.in_bits > 8 else np.int8)
    return clipped.reshape(shape)


def _scalers(case: Case, p: WccParameters, rng: random.Random) -> tuple[Any, Any, Any]:
    """Multipliers that use the whole range of every stage and clamp some words."""
    pair = q31_multiplier_and_shift if p.requantise_mode == "tflite_double" else multiplier_and_shift

    def convert(real: float) -> tuple[int, int]:
        return pair(2.0 ** math.floor(math.log2(real)) if case.scales == "powers" else real)

    act, word = (1 << (p.act_bits - 1)) - 1, (1 << (p.wavelet_bits - 1)) - 1
    weight = (1 << (p.weight_bits - 1)) - 1
    r1 = convert(act / (1 << (p.in_bits - 1)) * rng.uniform(0.5, 1.2))
    spread = [rng.uniform(1, 4) / case.channels**0.5 for _ in range(case.out_channels)]
    r2 = [convert(word / (act * weight) * factor) for factor in spread]
    top = 127 / (word << p.levels)
    r3 = [convert(top * rng.uniform(0.5, 3)) for _ in range(case.out_channels)]
    return r1, tuple(zip(*r2, strict=True)), tuple(zip(*r3, strict=True))


def _bias(case: Case, p: WccParameters, rng: random.Random) -> list[int] | None:
    allowed = p.bias_format()
    if case.bias == "none":
        return None
    if case.bias == "maximal":
        return [(allowed.max, allowed.min)[o % 2] for o in range(case.out_channels)]
    return [rng.randint(allowed.min // 4, allowed.max // 4) for _ in range(case.out_channels)]


# The shipped sets, each named for what it is there to show.
CASES = (
    Case("random"),
    Case("one-level", settings={"levels": 1}, height=6, width=10),
    Case("two-levels-bias", settings={"levels": 2, "wavelet_bits": 12}, bias="random", width=20),
    Case("four-levels", settings={"levels": 4, "relu": True}, height=32, width=16, channels=3),
    Case(
        "five-levels",
        settings={"levels": 5},
        height=32,
        width=32,
        channels=2,
        out_channels=2,
        bias="random",
    ),
    Case("padding", settings={"keep": "30%"}, height=13, width=21, bias="random"),
    Case("all-minimum", content="minimum", bias="maximal"),
    Case("saturated-impulse", content="impulse", settings={"keep": "1/2"}, bias="maximal"),
    Case("ties", content="ties", settings={"levels": 2, "keep": "1/3"}),
    Case("constant", content="constant", settings={"relu": True}),
    Case("one-kept", settings={"keep": "1/256"}),
    Case("all-kept", settings={"keep": 1, "levels": 2}, height=8, width=12),
    Case(
        "odd-lanes",
        channels=7,
        out_channels=9,
        p_lanes=3,
        q_lanes=2,
        settings={"relu": True, "out_unsigned": True},
    ),
    Case("one-lane", channels=3, out_channels=2, p_lanes=1, q_lanes=1, settings={"levels": 2}),
    Case("requantiser-ties", scales="powers", bias="random", settings={"levels": 2}),
    Case("narrow", settings={"in_bits": 4, "act_bits": 4, "weight_bits": 4, "wavelet_bits": 8, "levels": 2}),
    Case(
        "two-bits",
        settings={"in_bits": 2, "act_bits": 2, "weight_bits": 2, "wavelet_bits": 8, "levels": 1},
    ),
    Case(
        "wide",
        settings={"in_bits": 16, "levels": 5, "score": "l1"},
        height=32,
        width=32,
        channels=3,
        out_channels=3,
    ),
    Case(
        "nine-bits",
        content="smooth",
        settings={"in_bits": 9, "relu": True, "out_unsigned": True},
        bias="random",
    ),
    Case("binned-3", settings={"selection": "binned:3"}, content="smooth"),
    Case("binned-0", settings={"selection": "binned:0", "levels": 2}),
    Case("binned-5", settings={"selection": "binned:5", "levels": 2}),
    Case("score-max", settings={"score": "max", "levels": 2}),
    Case("level-shift", content="smooth", settings={"per_level_shift": [0, 1, 2], "wavelet_bits": 16}),
    Case("double-rounding", settings={"requantise_mode": "tflite_double", "levels": 2}, bias="random"),
)
