"""Transform quantisation: the coding gain of theory, the budget, exact decoding, output error."""

from fractions import Fraction
from math import floor, log2
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

import wccsim
from wccsim.codecs.base import HEADER_BITS, Map
from wccsim.codecs.depths import BlockErrors, allocate
from wccsim.codecs.transform_quantization import TransformQuantization, factored_ratio
from wccsim.errors import WccsimError


def autoregressive(rho: float, rows: int, n: int, seed: int) -> npt.NDArray[np.float64]:
    """Gaussian rows whose covariance is rho^|i - j|."""
    covariance = rho ** np.abs(np.subtract.outer(np.arange(n), np.arange(n)))
    return np.random.default_rng(seed).multivariate_normal(np.zeros(n), covariance, rows)


def weights(seed: int = 0, out: int = 24, inputs: int = 32, taps: int = 1) -> Map:
    rows = autoregressive(0.9, out * taps, inputs, seed).reshape(out, taps, inputs).transpose(0, 2, 1)
    return np.clip(rows * 30, -127, 127).astype(np.int8)


def error(made: Any, x: Map) -> float:
    return float(((made.decode(made.encode(x)).astype(float) - x) ** 2).mean())


@pytest.mark.parametrize("bits", [3, 4, 5])
def test_the_rate_saved_at_equal_error_is_the_coding_gain(bits: int) -> None:
    """Half log2 G = 1.123 bits for AR(1), rho 0.9, n 16; power-of-two steps leave -0.15 .. +0.45."""
    n, rho = 16, 0.9
    theory = -(n - 1) / (2 * n) * log2(1 - rho**2)
    assert theory == pytest.approx(1.123, abs=0.001)
    x = np.rint(autoregressive(rho, 8192, n, 1) * 2000).astype(np.int16).reshape(8192, n, 1)
    plain, transformed = (
        wccsim.codec("transform-quantization", bits=bits, variant=v) for v in ("none", "row")
    )
    saved = 0.5 * log2(error(plain, x) / error(transformed, x))
    assert theory - 0.15 < saved < theory + 0.45


@pytest.mark.parametrize("variant", ["row", "column", "none"])
@pytest.mark.parametrize("bits", [1, "3/2", 2.5, 4, 6])
def test_the_budget_holds_and_more_bits_lose_less(variant: str, bits: Any) -> None:
    x = weights(taps=9)
    made = wccsim.codec("transform-quantization", bits=bits, variant=variant)
    more = wccsim.codec("transform-quantization", bits=Fraction(made.bits) + 1, variant=variant)  # type: ignore[attr-defined]
    assert made.encode(x).bits <= HEADER_BITS + Fraction(made.bits) * x.size  # type: ignore[attr-defined]
    assert error(more, x) < error(made, x)


@pytest.mark.parametrize("variant", ["row", "column"])
def test_decoding_is_the_exact_product_rounded_half_up(variant: str) -> None:
    x = weights(1, out=5, inputs=12, taps=2)
    made = TransformQuantization(bits=4, variant=variant)
    t, s, chosen = made._plan(x)  # type: ignore[misc]
    assert s is not None
    exact = np.zeros(t.shape, object)
    for k in range(t.shape[1]):
        # Eight blocks of 12 or 5 components: the first d mod 8 hold one more.
        d = t.shape[1]
        count = min(8, d)
        edges = np.cumsum([0] + [d // count + (b < d % count) for b in range(count)])
        block = int(np.searchsorted(edges, k, side="right")) - 1
        (depth_t, step_t), (depth_s, step_s) = ((c.depth, c.exponent) for c in chosen[block])
        for p in range(t.shape[0]):
            for c in range(d):
                exact[p, c] += restored(t[p, k], depth_t, step_t) * restored(s[k, c], depth_s, step_s)
    rounded = np.vectorize(lambda v: max(-128, min(127, floor(v + Fraction(1, 2)))))(exact)
    assert np.array_equal(made._matrix(made.decode(made.encode(x))), rounded)


def restored(value: float, depth: int, exponent: int) -> Fraction:
    """Delta clip(round(v / Delta)), 0 where the depth is 0."""
    if depth == 0:
        return Fraction(0)
    step = Fraction(2) ** exponent
    scaled = abs(Fraction(value)) / step
    code = floor(scaled + Fraction(1, 2)) * (1 if value >= 0 else -1)
    return step * max(-(2 ** (depth - 1)), min(2 ** (depth - 1) - 1, code))


@pytest.mark.parametrize(("variant", "at_most"), [("none", 0.6), ("row", 1.02)])
def test_knowing_the_inputs_lowers_the_output_error(variant: str, at_most: float) -> None:
    """Blocks of inputs differ in gain; a transform of white weights mixes them and leaves little."""
    rng = np.random.default_rng(5)
    gains = np.geomspace(60, 0.5, 32)
    x = np.clip(rng.normal(0, 1, (32, 20, 20)) * gains[:, None, None], -128, 127).astype(np.int8)
    w = np.clip(rng.normal(0, 30, (24, 32, 1)), -127, 127).astype(np.int8)
    blind = wccsim.codec("transform-quantization", bits=3, variant=variant)
    assert isinstance(blind, TransformQuantization)

    def output_error(made: TransformQuantization) -> float:
        difference = made.decode(made.encode(w)).astype(float)[:, :, 0] - w[:, :, 0]
        return float(((difference @ x.reshape(32, -1)) ** 2).mean())

    assert output_error(blind.with_inputs(x)) < at_most * output_error(blind)


def test_the_dealer_spends_where_the_error_is() -> None:
    steep = BlockErrors(10, (100.0, 25.0, 6.0, 1.5, 0.4, 0.1, 0.0, 0.0, 0.0), tuple(range(9)))
    flat = BlockErrors(10, (4.0, 1.0, 0.3, 0.1, 0.0, 0.0, 0.0, 0.0, 0.0), tuple(range(9)))
    depths = [t.depth for t, _ in allocate([(steep, None), (flat, None)], 40)]
    assert depths == [3, 1]
    assert [t.depth for t, _ in allocate([(steep, None), (flat, None)], 0)] == [0, 0]
    assert [t.depth for t, _ in allocate([(steep, None), (flat, None)], 1000)] == [6, 4]


def test_the_factored_layer_multiplies_as_the_paper_says() -> None:
    """Column: (n k + a b m k) / (a b m n); row by symmetry."""
    assert factored_ratio((64, 32, 9), "column", 16) == Fraction(64 * 16 + 9 * 32 * 16, 9 * 32 * 64)
    assert factored_ratio((64, 32, 9), "row", 16) == Fraction(32 * 16 + 9 * 16 * 64, 9 * 32 * 64)


def test_not_idempotent_in_general() -> None:
    """The transform of the decoded weights is another transform."""
    made, x = wccsim.codec("transform-quantization", bits=2), weights(3)
    y = made.decode(made.encode(x))
    assert not np.array_equal(made.decode(made.encode(y)), y)


def test_settings_that_cannot_be_are_refused() -> None:
    for given, why in [
        ({"bits": 0}, "allowed: 0 < bits <= 8"),
        ({"bits": "many"}, "allowed: 0 < bits <= 8"),
        ({"variant": "both"}, "allowed: row, column, none"),
        ({"input_covariance": 3}, "what with_inputs"),
        ({"input_covariance": b"", "variant": "column"}, "not column"),
    ]:
        with pytest.raises(WccsimError, match=why):
            TransformQuantization(**given)
    with pytest.raises(WccsimError, match="with_inputs had 3 channels, the weights 32"):
        TransformQuantization().with_inputs(np.zeros((3, 2, 2), np.int8)).encode(weights())
