"""The search for many layers at once, held to the search for one; small numbers make ties common."""

import numpy as np
from hypothesis import example, given, settings
from hypothesis import strategies as st

from wccsim.cost.tiling_vector import best_tilings
from wccsim.tiling import Capacity, InSweep, Nest, best_tiling

few = st.integers(1, 4)
points = st.tuples(st.integers(1, 7), few, few, few, few, st.tuples(*[st.integers(0, 12)] * 3))
SHARES = st.sampled_from(
    [(("in", "weight", "out"),), (("in", "out"), ("weight",)), (("in",), ("weight", "out"))]
)


# Twice the input or four times the weights: 28 bits either way, and only one of the two happens.
TIE = (4, 1, 2, 3, 2, (12, 12, 0))


@example([TIE], 4, 4, (1000, 4), (("in", "weight"), ("out",)))
@settings(max_examples=200, deadline=None)
@given(st.lists(points, min_size=1, max_size=6), few, few, st.tuples(*[st.integers(1, 40)] * 2), SHARES)
def test_every_point_has_the_tiling_that_it_has_alone(given_points, word_bits, partial_bits, sizes, shares):
    limits = sizes[: len(shares)]
    rows, ci, co, act, weight, sweeps = (list(column) for column in zip(*given_points, strict=True))
    found = best_tilings(
        *(np.array(column) for column in (rows, ci, co, act, weight)),
        word_bits,
        partial_bits,
        [np.full(len(rows), limit) for limit in limits],
        shares,
        tuple(np.array(column) for column in zip(*sweeps, strict=True)),
    )
    for at, sweep in enumerate(sweeps):
        nest = Nest(
            rows[at], rows[at], ci[at], co[at], in_row_bits=act[at], pair_bits=weight[at],
            out_row_bits=word_bits, partial_row_bits=partial_bits, in_sweep_bits=InSweep(*sweep),
        )  # fmt: skip
        alone = best_tiling(nest, Capacity(limits, shares))
        assert bool(found.found[at]) == (alone is not None)
        if alone is not None:
            traffic = alone[1]
            assert (
                found.in_read[at], found.in_write[at], found.weight_read[at], found.partial[at],
                found.in_passes[at],
            ) == (
                traffic.in_read_bits, traffic.in_write_bits, traffic.weight_read_bits,
                traffic.partial_write_bits, traffic.in_passes,
            )  # fmt: skip
