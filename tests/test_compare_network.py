"""Bits over a network: against every possible choice, and never worse than one rate for all."""

import itertools
import json
import math
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from test_compare_parts import natural_map
from test_compare_run import row

from wccsim.cli import main
from wccsim.compare.network import NetworkRow, _hull, _Point, network_rows, spread
from wccsim.compare.rows import LOSSLESS, NEAREST, Row
from wccsim.report.network_table import network_conclusions, network_section, network_text

layers_of = st.lists(
    st.lists(st.tuples(st.integers(1, 60), st.integers(0, 40)), min_size=1, max_size=5),
    min_size=1,
    max_size=4,
)


def points(given_: list[list[tuple[int, int]]]) -> list[list[_Point]]:
    return [
        sorted(
            (_Point(bits, float(noise), float(bits)) for bits, noise in layer),
            key=lambda p: (p.bits, p.noise),
        )
        for layer in given_
    ]


def least(layers: list[list[_Point]], budget: int) -> float | None:
    """The least noise of all choices within the budget."""
    fits = [
        sum(point.noise for point in choice)
        for choice in itertools.product(*layers)
        if sum(point.bits for point in choice) <= budget
    ]
    return min(fits, default=None)


@settings(max_examples=200, deadline=None)
@given(layers_of, st.integers(0, 250))
def test_a_spread_fits_its_budget_and_exists_where_one_does(
    given_: list[list[tuple[int, int]]], budget: int
) -> None:
    layers = points(given_)
    found, best = spread(layers, budget), least(layers, budget)
    if best is None:
        assert found is None
        return
    assert found is not None
    assert sum(point.bits for point in found) <= budget
    assert all(point in layer for point, layer in zip(found, layers, strict=True))
    # What is left over is less than any single change that would help still costs.
    left = budget - sum(point.bits for point in found)
    for point, layer in zip(found, layers, strict=True):
        assert not any(p.noise < point.noise and p.bits - point.bits <= left for p in layer)


@settings(max_examples=200, deadline=None)
@given(layers_of, st.integers(0, 12))
def test_at_the_corners_of_the_hull_no_choice_is_better(
    given_: list[list[tuple[int, int]]], price: int
) -> None:
    """Lagrange: a choice that minimises noise + price * bits is the best at its own total of bits."""
    layers = points(given_)
    priced = [min(layer, key=lambda p: (p.noise + price * p.bits / 4, p.bits)) for layer in layers]
    budget = sum(point.bits for point in priced)
    found = spread(layers, budget)
    assert found is not None
    best = least(layers, budget)
    assert best is not None
    unique = len({(p.noise + price * p.bits / 4) for layer in layers for p in layer}) == sum(map(len, layers))
    if unique:  # without ties the walk down the hulls passes this very choice
        assert sum(point.noise for point in found) == pytest.approx(best)


@settings(max_examples=200, deadline=None)
@given(layers_of)
def test_the_hull_holds_the_best_point_at_every_price_and_no_other(
    given_: list[list[tuple[int, int]]],
) -> None:
    for layer in points(given_):
        hull = _hull(layer)
        gains = [(a.noise - b.noise) / (b.bits - a.bits) for a, b in itertools.pairwise(hull)]
        assert gains == sorted(set(gains), reverse=True) and all(gain > 0 for gain in gains)
        for price in [0.0, 1e-3, 1e3, *gains, *(gain / 2 for gain in gains), *(gain * 1.5 for gain in gains)]:
            best = min(p.noise + price * p.bits for p in layer)
            assert min(p.noise + price * p.bits for p in hull) == pytest.approx(best, rel=1e-12)


def layer_rows(name: str, snrs: dict[float, float], codec: str = "wcc", size: int = 10) -> list[Row]:
    """Rows of `size` x `size` maps of 16 channels; total bits are the rate times the values."""
    made = []
    for target, snr_db in snrs.items():
        one = row(name, codec, target, snr_db, size=size)
        cells = {field: getattr(one, field) for field in one.__dataclass_fields__}
        made.append(Row(**{**cells, "total_bits": int(target * 16 * size * size)}))
    return made


def test_spreading_by_hand() -> None:
    """Two layers alike in size: the one that gains more takes the bits of the other."""
    rows = layer_rows("a", {2.0: 10.0, 4.0: 20.0, 6.0: 40.0}) + layer_rows(
        "b", {2.0: 29.0, 4.0: 30.0, 6.0: 31.0}
    )
    found = {one.target: one for one in network_rows(rows)}
    four = found[4.0]
    assert four.error == "output" and four.equal_bits_per_value == four.spread_bits_per_value == 4.0
    assert four.equal_snr_db == pytest.approx(-10 * math.log10((0.01 + 0.001) / 2), abs=1e-4)
    assert json.loads(four.spread) == {"a": 6.0, "b": 2.0}
    assert four.spread_snr_db == pytest.approx(-10 * math.log10((1e-4 + 10**-2.9) / 2), abs=1e-4)
    for target in (2.0, 6.0):  # nothing below, nothing above
        assert found[target].spread_snr_db == found[target].equal_snr_db


def test_rates_that_a_layer_does_not_reach_are_not_used() -> None:
    rows = layer_rows("a", {2.0: 10.0, 4.0: 20.0}) + layer_rows("b", {2.0: 12.0})
    rows.append(row("b", "wcc", 4.0, 90.0, NEAREST))
    found = {one.target: one for one in network_rows(rows)}
    assert found[4.0].equal_snr_db is None and json.loads(found[4.0].spread) == {"a": 4.0, "b": 2.0}
    alone = network_rows(rows[:2])
    assert alone == []


def test_a_lossless_size_is_a_point_like_another() -> None:
    rows = layer_rows("a", {2.0: 10.0, 8.0: 20.0}, "zvc") + layer_rows("b", {2.0: 12.0, 8.0: 25.0}, "zvc")
    natural = row("a", "zvc", None, math.inf, LOSSLESS)
    cells = {field: getattr(natural, field) for field in natural.__dataclass_fields__}
    rows.append(Row(**{**cells, "total_bits": 5 * 1600}))
    found = {one.target: one for one in network_rows(rows)}
    assert json.loads(found[8.0].spread) == {"a": "natural", "b": 8.0}
    assert found[8.0].spread_snr_db is not None and found[8.0].equal_snr_db is not None
    assert found[8.0].spread_snr_db > found[8.0].equal_snr_db


@settings(max_examples=60, deadline=None)
@given(st.lists(st.lists(st.integers(-5, 60), min_size=4, max_size=4), min_size=2, max_size=5))
def test_spread_is_never_worse_and_never_pays_more_than_one_rate_for_all(tables: list[list[int]]) -> None:
    rows = [
        one
        for n, snrs in enumerate(tables)
        for one in layer_rows(
            f"m{n}", dict(zip((2.0, 3.0, 4.0, 6.0), map(float, snrs), strict=True)), size=8 + n
        )
    ]
    for found in network_rows(rows):
        assert found.equal_snr_db is not None and found.spread_snr_db is not None
        assert found.spread_snr_db >= found.equal_snr_db
        assert found.spread_bits_per_value <= found.equal_bits_per_value  # type: ignore[operator]


def test_sentences_follow_the_rows() -> None:
    def said(uniform: float, wcc: float, spread_wcc: float) -> str:
        rows = [
            NetworkRow("uniform", 4.0, "output", 4.0, uniform, 4.0, uniform, "{}"),
            NetworkRow("wcc", 4.0, "output", 4.0, wcc, 4.0, spread_wcc, "{}"),
        ]
        assert "Over the network" in network_section(rows)[0] and "wcc" in network_text(rows)
        return " ".join(network_conclusions(rows))

    assert "Every layer at one rate, least lost over the network: uniform at 4 bits (20.00 dB)" in said(
        20, 10, 25
    )
    assert "Bits spread over the layers, least lost over the network: wcc at 4 bits (25.00 dB)" in said(
        20, 10, 25
    )
    assert "one rate, least lost over the network: wcc at 4 bits (30.00 dB)" in said(20, 30, 30)
    assert "Spreading the bits of wcc over the layers gains +15.00 dB at 4 bits" in said(20, 10, 25)
    assert "Spreading the bits of wcc over the layers gains nothing at 4 bits" in said(20, 30, 30)
    assert "1 of 2 codecs lose nothing at 4 bits" in said(math.inf, 10, 25)
    assert network_section([]) == [] and network_text([]) == ""


def test_the_command_prints_the_network(tmp_path: Path) -> None:
    for name, shape in (("a", (6, 24, 24)), ("b", (4, 32, 16))):
        np.savez(tmp_path / f"{name}.npz", x=natural_map(shape), x_scale=1.0)
    arguments = ["compare", "--bits", "2,3,5", "--codecs", "uniform,wcc", "--jobs", "1"]
    both = CliRunner().invoke(main, [*arguments, str(tmp_path)])
    assert both.exit_code == 0 and "over the network" in both.output and "SNR in dB of the map" in both.output
    one = CliRunner().invoke(main, [*arguments, str(tmp_path / "a.npz")])
    assert one.exit_code == 0 and "over the network" not in one.output
