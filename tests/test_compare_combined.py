"""The combined mode is behind nothing it is made of: uniform quantisation, plain WCC, any one switch."""

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compare_parts import natural_map

from wccsim.codecs.distortion import squared_error
from wccsim.compare.catalog import COMBINED_NAME, METHODS, SWITCH_NAMES
from wccsim.compare.rows import read_rows
from wccsim.compare.search import within
from wccsim.compare.study import Study
from wccsim.compare.summary import maps_of, rows_of
from wccsim.compare.wavelet import COMBINED, PLAIN, SWITCHES
from wccsim.default_maps import default_map_paths
from wccsim.maps import load_map

NAMES = ("uniform", PLAIN.name, *SWITCH_NAMES)
COMMITTED = Path(__file__).parent.parent / "reports" / "compare"
KINDS = ("natural", "noise", "sparse", "constant", "few values")


def map_of(kind: str, shape: tuple[int, int, int], dtype: Any, seed: int) -> npt.NDArray[Any]:
    rng, span = np.random.default_rng(seed), np.iinfo(dtype)
    if kind == "natural":
        return natural_map(shape, unsigned=dtype == np.uint8, seed=seed)
    x = rng.integers(span.min, span.max, shape, endpoint=True)
    if kind == "sparse":
        x[rng.random(shape) < 0.9] = 0
    if kind == "constant":
        x[:] = rng.integers(span.min, span.max, endpoint=True)
    if kind == "few values":
        x = rng.integers(0, 3, shape)
    return x.astype(dtype)


def errors_at(x: npt.NDArray[Any], target_bits: float) -> dict[str, int]:
    """Squared error of each method that counts at the rate, decoded from its real stream."""
    found = {}
    for name in NAMES:
        point = METHODS[name].at(x, target_bits)
        assert point.bits == sum(point.breakdown.values())
        error = squared_error(x, point.decoded)
        if within(point.bits, target_bits) or (error == 0 and point.bits < target_bits):
            found[name] = error
    return found


@settings(max_examples=30, deadline=None)
@given(
    kind=st.sampled_from(KINDS),
    shape=st.tuples(st.integers(1, 20), st.integers(1, 40), st.integers(1, 40)),
    dtype=st.sampled_from([np.int8, np.uint8]),
    rate=st.sampled_from([0.7, 2.0, 3.0, 4.0, 6.0, 8.0]),
    seed=st.integers(0, 999),
)
def test_behind_nothing_on_any_map(kind: str, shape: Any, dtype: Any, rate: float, seed: int) -> None:
    x = map_of(kind, shape, dtype, seed)
    errors = errors_at(x, rate * x.size)
    if errors:
        assert errors.get(COMBINED_NAME, np.inf) <= min(errors.values())


@pytest.mark.parametrize("name", ["astronaut_block3", "chelsea_block5", "coffee_block4"])
def test_ahead_of_plain_wcc_on_natural_maps(name: str) -> None:
    x = load_map(next(path for path in default_map_paths() if name in path.stem)).x
    for rate in (2.0, 4.0):
        errors = errors_at(x, rate * x.size)
        assert errors[COMBINED_NAME] <= min(errors.values())
        assert errors[COMBINED_NAME] < errors[PLAIN.name]


def test_on_a_large_map_which_is_searched_on_a_sample() -> None:
    x = natural_map((8, 256, 320))
    errors = errors_at(x, 2.0 * x.size)
    assert errors[COMBINED_NAME] <= min(errors.values())
    assert {"uniform", PLAIN.name, COMBINED_NAME} <= set(errors)


@settings(max_examples=15, deadline=None)
@given(st.sampled_from(KINDS), st.sampled_from([(12, 30, 33), (40, 7, 7)]), st.integers(0, 99))
def test_what_is_chosen_is_what_is_coded(kind: str, shape: Any, seed: int) -> None:
    """Sizes and errors that decide are those of the stream that is then written."""
    x = map_of(kind, shape, np.int8, seed)
    for chosen in (PLAIN, *SWITCHES, COMBINED):
        candidate = chosen.choice(Study(x), 3.0 * x.size)
        point = chosen.at(x, 3.0 * x.size)
        assert (point.bits, squared_error(x, point.decoded)) == (candidate.bits, candidate.squared_error)


@pytest.mark.parametrize("part", ["default", "real"])
def test_behind_nothing_in_the_reports(part: str) -> None:
    path = COMMITTED / part / "comparison.csv"
    if not path.is_file():
        pytest.skip(f"no reports/compare/{part} in this copy of the project")
    rows = read_rows(path)
    compared = 0
    for first in maps_of(rows):
        combined = rows_of(rows, first.map, COMBINED_NAME)
        for name in NAMES:
            for target, row in rows_of(rows, first.map, name).items():
                assert combined[target].mse <= row.mse, (first.map, name, target)
                assert name != PLAIN.name or combined[target].mse < row.mse or row.mse == 0
                compared += 1
    assert compared > 7 * len(NAMES)
