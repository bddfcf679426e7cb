"""Laws of energy, exact: prices as fractions, so that a law is not lost in the rounding of a sum.

Every figure of the model is a count times a price, and counts are exact integers. With prices that are
fractions (each the exact value of the table's float) the sums are exact too, and `<=` means what it says.
"""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from test_cost import accelerators, keeps, networks, options_st, shrunk

from wccsim.cost.network import NetworkCost, network_cost
from wccsim.errors import WccsimError
from wccsim.hardware.energy import DDR_PARAMETERS, EnergyTable
from wccsim.hardware.energy_yaml import energy_names, load_energy

tables = st.sampled_from([load_energy(name) for name in energy_names()])
PARTS = ("compute_pj", "sram_pj", "dram_pj")


class ExactTable(EnergyTable):
    """The same table, every price a Fraction with exactly the float's value."""

    def __getattribute__(self, name: str) -> Any:
        value = super().__getattribute__(name)
        if name in ("dram_read_pj_per_bit", "dram_write_pj_per_bit"):
            return Fraction(value)
        if name in ("add_pj", "compare_pj", "shift_pj", "multiply_pj", "sram_pj_per_bit"):
            return _exact(value)
        return value


def _exact(price: Callable[..., float]) -> Callable[..., Fraction]:
    return lambda *arguments: Fraction(price(*arguments))


def exact(table: EnergyTable) -> ExactTable:
    return ExactTable(table.name, table.title, table.rows)


def energy(cost: NetworkCost) -> Fraction:
    """The sum of all stages, exact; a stage without a part has a float 0 there, which is exact too."""
    return sum(
        (Fraction(getattr(stage, part)) for layer in cost.layers for stage in layer.stages for part in PARTS),
        Fraction(0),
    )


def priced(network, machine, table, options) -> NetworkCost:
    try:
        return network_cost(network, machine, exact(table), options)
    except WccsimError:
        assume(False)
        raise


@settings(max_examples=30, deadline=None)
@given(networks(), keeps, options_st, accelerators, st.sampled_from([1, 16, 64]), tables)
def test_the_floats_are_the_exact_energy_rounded(network, keep, options, machine, divisor, table):
    network, machine = network.configured(keep=keep), shrunk(machine, divisor)
    cost = priced(network, machine, table, options)
    rounded = network_cost(network, machine, table, options)
    assert rounded.energy_pj == pytest.approx(float(energy(cost)), rel=1e-12)
    for one, other in zip(cost.layers, rounded.layers, strict=True):
        kinds = {type(getattr(stage, part)) for stage in one.stages for part in PARTS}
        assert kinds <= {Fraction, float} and Fraction in kinds
        assert (one.latency, one.dram, one.sram_bits) == (other.latency, other.dram, other.sram_bits)


@settings(max_examples=40, deadline=None)
@given(
    networks(), keeps, options_st, accelerators, st.sampled_from([1, 16, 64]), tables,
    st.fractions(1, 20), st.fractions(1, 20),
)  # fmt: skip
def test_dearer_dram_costs_exactly_its_bits_more(
    network, keep, options, machine, divisor, table, read, write
):
    """What a table prices decides nothing: the same bits cross, at the new price."""
    network, machine = network.configured(keep=keep), shrunk(machine, divisor)

    class Dearer(ExactTable):
        @property
        def dram_read_pj_per_bit(self):
            return Fraction(table.dram_read_pj_per_bit) * read

        @property
        def dram_write_pj_per_bit(self):
            return Fraction(table.dram_write_pj_per_bit) * write

    before = priced(network, machine, table, options)
    after = network_cost(network, machine, Dearer(table.name, table.title, table.rows), options)
    reads, writes = (sum(getattr(c.dram, way) for c in before.layers) for way in ("read", "write"))
    more = reads * Fraction(table.dram_read_pj_per_bit) * (read - 1)
    more += writes * Fraction(table.dram_write_pj_per_bit) * (write - 1)
    assert energy(after) - energy(before) == more >= 0


@settings(max_examples=40, deadline=None)
@given(
    networks(), keeps, options_st, accelerators, st.sampled_from([1, 16, 64]), tables, st.data(),
    st.integers(2, 9),
)  # fmt: skip
def test_no_dearer_row_makes_anything_cheaper(network, keep, options, machine, divisor, table, data, factor):
    network, machine = network.configured(keep=keep), shrunk(machine, divisor)
    lessens = ("ddr_rate", "ddr_width")  # a faster or wider transfer takes less
    rows = [row for row in table.rows if row.component not in lessens]
    row = data.draw(st.sampled_from(rows))
    assert set(lessens) < set(DDR_PARAMETERS)
    dearer = replace(row, value=row.value * factor)
    changed = replace(table, rows=tuple(dearer if one is row else one for one in table.rows))
    cost = priced(network, machine, table, options)
    assert energy(cost) <= energy(priced(network, machine, changed, options))


@settings(max_examples=60, deadline=None)
@given(networks(), options_st, accelerators, st.sampled_from([1, 16, 64]), tables)
def test_fewer_kept_never_take_more_energy(network, options, machine, divisor, table):
    machine = shrunk(machine, divisor)
    costs = [
        energy(priced(network.configured(keep=keep), machine, table, options))
        for keep in (Fraction(1, 8), Fraction(1, 4), Fraction(1, 2), Fraction(1))
    ]
    assert costs == sorted(costs)


@settings(max_examples=60, deadline=None)
@given(networks(), keeps, options_st, accelerators, st.sampled_from([1, 16, 64]), tables,
       st.integers(2, 7), st.integers(2, 7))  # fmt: skip
def test_wider_words_never_take_less_energy(
    network, keep, options, machine, divisor, table, act_bits, weight_bits
):
    """Not with `producer`: a wider word may be what makes a map cross in another form."""
    assume(options.compress != "producer")
    machine = shrunk(machine, divisor)

    def at(act: int, weight: int) -> Fraction:
        wide = network.configured(keep=keep, act_bits=act, weight_bits=weight)
        return energy(priced(wide, machine, table, options))

    narrow = at(act_bits, weight_bits)
    assert narrow <= at(act_bits + 1, weight_bits)
    assert narrow <= at(act_bits, weight_bits + 1)
