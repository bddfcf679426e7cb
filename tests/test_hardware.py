"""Accelerators and energy tables: the shipped files, strict reading, and prices by hand."""

import csv
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.hardware.accelerator_yaml import SHIPPED, accelerator_names, load_accelerator
from wccsim.hardware.energy_yaml import SHIPPED as TABLES
from wccsim.hardware.energy_yaml import energy_names, load_energy

PEERS = Path(__file__).parent.parent / "wccsim" / "data" / "peers"


def test_the_named_accelerators_are_shipped_and_price_their_dram():
    assert accelerator_names() == ["ddr3_fpga", "edge_npu_wcc", "eyeriss_like", "tpu_like"]
    for name in accelerator_names():
        accelerator = load_accelerator(name)
        assert accelerator.name == name and accelerator.source
        assert load_energy(accelerator.energy).dram_read_pj_per_bit > 0


def edit(tmp_path: Path, old: str, new: str, source: Path = SHIPPED / "edge_npu_wcc.yaml") -> Path:
    text = source.read_text()
    assert text.count(old) >= 1
    path = tmp_path / "a.yaml"
    path.write_text(text.replace(old, new, 1))
    return path


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("rows: 16", "rows: 0", 7, "array.rows: 0 was given; allowed: 1 to"),
        ("dataflow: dot", "dataflow: rs", 7, "allowed: ws, os, is, dot"),
        ("overlap: none", "overlap: some", 9, "allowed: none, double_buffered, pipelined"),
        ("clock_mhz: 500", "clock_mhz: fast", 5, "a number"),
        ("clock_mhz: 500", "clock_mhz: 0", 5, "allowed"),
        ("clock_mhz: 500", "clok_mhz: 500", 5, "unknown key 'clok_mhz'"),
        ("energy: lpddr4", "", 2, "key 'energy' is missing"),
        ("holds: [in]", "holds: [weight]", 12, "'weight' lies in buffer"),
        ("holds: [in]", "holds: []", 11, "an empty list"),
        ("[coefficient, score, index]", "[coefficient, score]", 11, "none holds index"),
        ("size_bytes: 262144", "size_bytes: -1", 11, "allowed: 1 to"),
        ("haar_lanes: 16", "haar_lanes: 1.5", 8, "an integer"),
        ("selection_memory: bounded", "selection_memory: huge", 8, "allowed: bounded, unbounded"),
        ("accumulator: 32", "accumulate: 32", 6, "unknown key 'accumulate'"),
        ("bits: {activation: 8, weight: 8, ", "bits: {activation: 8, ", 6, "'weight' is missing"),
    ],
)
def test_a_mistake_is_named_with_its_line(tmp_path, old, new, line, says):
    path = edit(tmp_path, old, new)
    with pytest.raises(WccsimError) as refusal:
        load_accelerator(path)
    assert str(refusal.value).startswith(f"{path}:{line}:")
    assert says in str(refusal.value)


def test_what_is_not_there_is_said_in_one_line(tmp_path):
    for given_name in ("edge", str(tmp_path / "no.yaml"), str(tmp_path)):
        with pytest.raises(WccsimError) as refusal:
            load_accelerator(given_name)
        assert "\n" not in str(refusal.value)
    with pytest.raises(WccsimError, match="neither shipped"):
        load_energy("ddr9")


def test_every_row_of_every_table_has_value_unit_source_and_node():
    assert {"lpddr4", "ddr3", "ddr3_script_k4", "ddr3_script_k1"} <= set(energy_names())
    for name in energy_names():
        for row in load_energy(name).rows:
            assert row.value > 0 and row.unit and row.source and row.node


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("source:", "sauce:", "unknown key 'sauce'"),
        ("unit: pJ/bit", "unit: pJ", "allowed: pJ/bit"),
        ("value: 8", "value: -8", "allowed"),
        ("value: 8", "value: 0", "more than 0"),
        ("base: base_horowitz_45nm", "base: nowhere", "is not a shipped table"),
        ("component: dram_read", "component: dram", "allowed: add"),
        ("base: base_horowitz_45nm\n", "", "no row prices add, multiply"),
        ("value: 8,", "value: 8, width_bits: 8,", "has no width_bits"),
    ],
)
def test_a_mistake_in_an_energy_table_is_named_with_its_place(tmp_path, old, new, says):
    path = edit(tmp_path, old, new, TABLES / "lpddr4.yaml")
    with pytest.raises(WccsimError) as refusal:
        load_energy(path)
    assert str(refusal.value).startswith(f"{path}:") and says in str(refusal.value)


def test_a_user_table_overrides_its_base(tmp_path):
    row = "{component: add, width_bits: 8, value: 9, unit: fJ, node: x, source: y}"
    path = edit(tmp_path, "rows:", f"rows:\n  - {row}", TABLES / "lpddr4.yaml")
    assert load_energy(path).add_pj(8) == pytest.approx(0.009)
    assert load_energy(path).multiply_pj(8, 8) == load_energy("lpddr4").multiply_pj(8, 8)


def test_published_prices_come_back():
    table = load_energy("lpddr4")
    assert (table.add_pj(8), table.add_pj(16), table.add_pj(32)) == (0.03, 0.05, 0.1)
    assert (table.multiply_pj(8, 8), table.multiply_pj(32, 32)) == (0.2, 3.1)
    assert table.sram_pj_per_bit(8192) * 64 == pytest.approx(10)
    assert table.sram_pj_per_bit(1 << 20) * 64 == pytest.approx(100)
    assert load_energy("dram_640pj_per_32bit").dram_read_pj_per_bit == 20
    zigzag = load_energy("zigzag_tpu_like")
    assert (zigzag.dram_read_pj_per_bit * 64, zigzag.dram_write_pj_per_bit * 64) == (700, 750)


def test_between_two_rows_a_price_lies_on_their_line_and_outside_in_proportion():
    table = load_energy("lpddr4")
    assert table.add_pj(12) == pytest.approx((0.03 + 0.05) / 2)
    assert table.add_pj(4) == pytest.approx(0.03 / 2) and table.add_pj(64) == pytest.approx(2 * 0.1)
    assert table.multiply_pj(8, 4) == pytest.approx(0.2 / 2)
    assert table.multiply_pj(14, 16) == pytest.approx(0.2 + (3.1 - 0.2) * (14 * 16 - 64) / (1024 - 64))


def test_the_ddr3_scripts_prices_per_bit():
    published, physical = load_energy("ddr3_script_k4"), load_energy("ddr3_script_k1")
    assert published.dram_read_pj_per_bit == pytest.approx(77.392, abs=1e-3)
    assert published.dram_write_pj_per_bit == pytest.approx(63.321, abs=1e-3)
    assert physical.dram_read_pj_per_bit * 4 == pytest.approx(published.dram_read_pj_per_bit)


def test_the_five_example_energies_of_transform_coding_to_the_last_bit():
    script = load_energy("ddr3_script_k4").ddr_script
    with (PEERS / "transform_coding_example.csv").open() as file:
        for row in csv.DictReader(file):
            joules = script.layer_joules(
                int(row["values_in"]), float(row["bits_in"]), int(row["values_out"]), float(row["bits_out"])
            )
            assert joules == float(row["energy_j"])


def test_the_spread_of_dram_energies_is_tenfold_and_more():
    reads = [load_energy(name).dram_read_pj_per_bit for name in energy_names()]
    assert max(reads) / min(reads) > 10


@settings(max_examples=80, deadline=None)
@given(st.integers(1, 64), st.integers(1, 64), st.integers(1, 1 << 30), st.sampled_from(energy_names()))
def test_wider_and_larger_never_costs_less(width, other, size, name):
    table = load_energy(name)
    assert table.multiply_pj(width, other) < table.multiply_pj(width + 1, other)
    for price in (table.add_pj, table.compare_pj, table.shift_pj):
        assert price(width) < price(width + 1)
    assert table.sram_pj_per_bit(size) <= table.sram_pj_per_bit(2 * size) * (1 + 1e-12)
    assert table.mac_pj(8, 4, 32) < table.mac_pj(8, 8, 32)
