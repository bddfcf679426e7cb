"""Layers for the tests of the datapath: drawn by hypothesis, run by the simulator and by the slow twin."""

from dataclasses import dataclass, replace
from fractions import Fraction

import numpy as np
import reference
from hypothesis import strategies as st

from wccsim.datapath.layer import run_plan
from wccsim.datapath.plan import make_plan
from wccsim.parameters import HAAR_VARIANTS, WccParameters

PATTERNS = ("random", "minimum", "impulse", "ties", "constant", "checkerboard", "smooth")
UNIT = dict(r1=(1 << 15, 15), r2=(1 << 15, 15), r3=(1 << 15, 18))


@dataclass(frozen=True)
class Case:
    """Everything one layer needs."""

    parameters: WccParameters
    x: np.ndarray
    weights: np.ndarray
    r1: tuple
    r2: tuple
    r3: tuple
    bias: object

    def plan(self):
        return make_plan(
            self.parameters, self.weights, self.x.shape[-3:], self.r1, self.r2, self.r3, self.bias
        )

    def run(self, **options):
        return run_plan(self.plan(), self.x, **options)

    def twin(self):
        """The same layer by the slow twin, on one image."""
        p = self.parameters
        layer = reference.Layer(
            keep=p.keep,
            levels=p.levels,
            in_bits=p.in_bits,
            kept_bits=p.act_bits,
            weight_bits=p.weight_bits,
            yw=p.wavelet_bits,
            haar=p.haar,
            score=p.score,
            selection=p.selection,
            index=p.index,
            words=p.words,
            mode=p.requantise_mode,
            per_level_shift=p.per_level_shift,
            detail_bits=p.detail_bits,
            relu=p.relu,
            out_unsigned=p.out_unsigned,
            r1=self.r1,
            r2=pairs(self.r2, len(self.weights)),
            r3=pairs(self.r3, len(self.weights)),
            bias=None if self.bias is None else np.broadcast_to(self.bias, len(self.weights)).tolist(),
        )
        return reference.run(self.x.tolist(), self.weights.tolist(), layer)


def pairs(scaler, outputs):
    """(M, s), of integers or arrays, as a list of pairs of Python integers."""
    multiplier, shift = (np.broadcast_to(part, outputs).tolist() for part in scaler)
    return list(zip(multiplier, shift, strict=True))


def fill(pattern, shape, low, high, rng):
    """An integer map of the named pattern with values low..high."""
    height, width = shape[1:]
    if pattern == "random":
        return rng.integers(low, high + 1, shape)
    if pattern == "minimum":
        return np.full(shape, low)
    if pattern == "impulse":
        x = np.zeros(shape, np.int64)
        x[:, height // 2, width // 2] = high
        return x
    if pattern == "ties":
        return rng.integers(max(low, -1), min(high, 1) + 1, shape)
    if pattern == "constant":
        return np.full(shape, rng.integers(low, high + 1))
    rows, columns = np.indices((height, width))
    if pattern == "checkerboard":
        return np.broadcast_to(np.where((rows + columns) % 2, low, high), shape)
    ramp = (rows + 2 * columns) * (high - low) // (height + 2 * width) + low
    return np.clip(ramp + rng.integers(-3, 4, shape), low, high)


def scaler(rng, real, mode):
    """A normalised (M, s) near the multiplier `real`."""
    bits = 31 if mode == "tflite_double" else 16
    exponent = int(np.floor(np.log2(real)))
    shift = bits - 1 - exponent - (31 if bits == 31 else 0)
    return int(rng.integers(1 << (bits - 1), 1 << bits)), shift


@st.composite
def cases(draw, max_size=13, max_channels=4, **fixed):
    """A layer with everything drawn but what `fixed` (fields of WccParameters) says."""
    levels = fixed.get("levels", draw(st.integers(1, 5)))
    mode = draw(st.sampled_from(("single", "tflite_double")))
    relu = draw(st.booleans())
    shifts = st.tuples(*[st.integers(0, 3)] * levels)
    chosen = dict(
        keep=Fraction(draw(st.integers(1, 16)), 16),
        levels=levels,
        in_bits=draw(st.integers(2, 16)),
        act_bits=draw(st.integers(2, 8)),
        weight_bits=draw(st.integers(2, 8)),
        wavelet_bits=draw(st.integers(8, 16)),
        haar=draw(st.sampled_from(HAAR_VARIANTS)),
        score=draw(st.sampled_from(("l2", "l1", "max"))),
        selection=draw(st.sampled_from(("exact", "exact", "binned:3", "binned:0", "binned:6"))),
        index=draw(st.sampled_from(("bitmap", "list", "rice"))),
        words=draw(st.sampled_from(("fixed", "rice"))),
        requantise_mode=mode,
        per_level_shift=draw(st.one_of(st.just(()), shifts)),
        bias=draw(st.booleans()),
        relu=relu,
        out_unsigned=relu and draw(st.booleans()),
    )
    chosen["detail_bits"] = draw(st.none() | st.integers(2, chosen["act_bits"]))
    p = WccParameters(**{**chosen, **fixed})
    height, width = draw(st.integers(1, max_size)), draw(st.integers(1, max_size))
    # At least one position is kept.
    p = replace(p, keep=max(p.keep, Fraction(1, p.positions(height, width))))
    shape = (draw(st.integers(1, max_channels)), height, width)
    rng = np.random.default_rng(draw(st.integers(0, 1 << 32)))
    unsigned = draw(st.booleans())
    low, high = (
        (0, (1 << (p.in_bits - 1)) - 1) if unsigned else (-(1 << (p.in_bits - 1)), (1 << (p.in_bits - 1)) - 1)
    )
    x = fill(draw(st.sampled_from(PATTERNS)), shape, low, high, rng)
    x = x.astype(np.uint16 if unsigned else np.int16)
    return finish(p, x, draw(st.integers(1, 4)), rng, per_channel=draw(st.booleans()))


def finish(p, x, outputs, rng, per_channel=False):
    """A case on x with random weights and multipliers that make most ranges full and some saturate."""
    limit = (1 << (p.weight_bits - 1)) - 1
    weights = rng.integers(-limit, limit + 1, (outputs, x.shape[-3])).astype(np.int8)
    mode = p.requantise_mode
    # A greatest orthonormal coefficient, 2**(in_bits - 1 + levels), lands near the greatest kept word.
    r1 = scaler(rng, 2.0 ** (p.act_bits - p.in_bits - p.levels + int(rng.integers(0, 3))), mode)
    r2 = [
        scaler(rng, 2.0 ** (p.wavelet_bits - p.act_bits - p.weight_bits - int(rng.integers(0, 2))), mode)
        for _ in range(outputs)
    ]
    r3 = [
        scaler(rng, 2.0 ** (8 - p.wavelet_bits - p.output_gain() - int(rng.integers(0, 3))), mode)
        for _ in range(outputs)
    ]
    columns = [tuple(np.array(part) for part in zip(*many, strict=True)) for many in (r2, r3)]
    r2, r3 = columns if per_channel else (r2[0], r3[0])
    bias = None
    if p.bias:
        extreme = p.bias_format()
        bias = rng.integers(extreme.min, extreme.max + 1, outputs)
        bias[0] = rng.choice([extreme.min, extreme.max])
    return Case(p, x, weights, clear(r1, p, mode), clear(r2, p, mode), clear(r3, p, mode), bias)


def clear(pair, p, mode):
    """The pair with its shift moved where every sub-band's total shift is allowed."""
    multiplier, shift = pair
    slack = 9 + 15 * bool(p.per_level_shift)
    if mode == "single":
        return multiplier, np.clip(shift, slack, 63 - slack) if isinstance(shift, np.ndarray) else min(
            max(shift, slack), 63 - slack
        )
    return multiplier, np.clip(shift, 0, 12) if isinstance(shift, np.ndarray) else min(max(shift, 0), 12)


def assert_same(result, twin):
    """Every array and every count of the result equals the twin's."""
    for name in ("coefficients", "energy", "kept", "indices", "q", "acc", "y", "out"):
        np.testing.assert_array_equal(getattr(result, name), np.array(getattr(twin, name)), err_msg=name)
    assert (result.index_bits, result.word_bits) == (twin.index_bits, twin.word_bits)
    assert result.counts == twin.counts
