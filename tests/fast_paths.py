"""Calibrated layers for the tests of the fast paths, and the comparison of a path with plain."""

from dataclasses import replace
from fractions import Fraction

import numpy as np
from datapath_cases import fill, finish
from hypothesis import HealthCheck, settings

from wccsim.arith import multiplier_and_shift
from wccsim.datapath import plain
from wccsim.parameters import WccParameters

COVERED = {"haar": "exact", "score": "l2", "requantise_mode": "single", "words": "fixed"}
EVERY = settings(deadline=None, max_examples=60, suppress_health_check=[HealthCheck.too_slow])


def both(case, path="portable", workspace=None):
    """The same layer by the path and by plain, and what the path gave."""
    expected = case.run(path="plain")
    found = case.run(path=path, outputs_only=True, workspace=workspace)
    assert found.path == path, found.path_reason
    for name in ("energy", "kept", "indices", "out"):
        np.testing.assert_array_equal(getattr(found, name), getattr(expected, name), err_msg=name)
    assert found.counts == expected.counts
    return found, expected


def layer(shape, outputs=5, pattern="random", seed=0, unsigned=False, keep=Fraction(1, 4), **fields):
    """A calibrated case of the given shape."""
    p = WccParameters(keep=keep, in_bits=9 if unsigned else 8, bias=True, **fields)
    rng = np.random.default_rng(seed)
    low, high = (0, 255) if unsigned else (-128, 127)
    x = fill(pattern, shape, low, high, rng).astype(np.uint8 if unsigned else np.int8)
    return calibrated(finish(p, x, outputs, rng, per_channel=True))


def calibrated(case):
    """The same case with multipliers set so that q, y and out are full and saturate a little."""
    p = case.parameters

    def scaler(values, high, share):
        reach = max(float(np.quantile(np.abs(values), share)), 1.0)
        return multiplier_and_shift(min(high / reach, 15.0))  # a greater one is not covered

    def shift_for(result):
        plan = case.plan()
        words = plain.inverse_words(plan, result.y, result.indices, slice(None))
        return scaler(words, 127, 0.995)

    first = case.run(path="plain")
    levels = np.array([1 << p.level_shift(1)])
    multiplier, shift = scaler(first.coefficients[:, first.indices] / 2.0**p.levels / levels, 127, 0.99)
    case = replace(case, r1=(multiplier, shift))
    second = case.run(path="plain")
    r2 = [scaler(row, (1 << (p.wavelet_bits - 1)) - 1, 0.99) for row in second.acc]
    case = replace(case, r2=tuple(np.array(part) for part in zip(*r2, strict=True)))
    case = replace(case, bias=np.clip(case.bias, -2000, 2000))
    return replace(case, r3=shift_for(case.run(path="plain")))
