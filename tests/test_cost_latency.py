"""Cycles of phases and transfers: against transfers moved cycle by cycle, and the three overlaps by hand."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.cost.latency import Moves, Phase, dram_cycles, layer_latency, phase, start_bits
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.model import OVERLAPS, Accelerator, Array, Buffer, Dram

# 5 bits a cycle from DRAM: no number of bits below divides evenly by accident.
MACHINE = replace(
    load_accelerator("edge_npu_wcc"),
    array=Array(3, 2, "ws"),
    clock_mhz=100.0,
    dram=Dram(width_bits=5, rate_mtransfers_per_s=100.0),
    buffers=(
        Buffer("maps", ("in", "out", "index"), 1 << 20, read_port_bits=16, write_port_bits=4),
        Buffer("rest", ("weight", "coefficient", "score"), 1 << 20, read_port_bits=8, write_port_bits=8),
    ),
)
PHASES = ("haar", "select", "gather", "array", "inverse")
moves_st = st.lists(
    st.builds(
        Moves, st.sampled_from(["in", "out", "index", "weight"]), st.integers(0, 99), st.integers(0, 99)
    ),
    max_size=5,
)


def cycles_of(bits: int, bits_a_cycle: Fraction) -> int:
    """Moves the bits cycle by cycle; the last cycle may move fewer."""
    cycles, left = 0, Fraction(bits)
    while left > 0:
        cycles, left = cycles + 1, left - bits_a_cycle
    return cycles


def run(machine: Accelerator, work: dict[str, int], reads: int, writes: int, first: int, last: int):
    phases = {name: Phase(cycles) for name, cycles in work.items()}
    return layer_latency(machine, work["array"] // 2, phases, reads, writes, first, last)


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 500), st.sampled_from(["3", "5", "0.7", "12.25"]))
def test_dram_moves_its_bits_in_the_cycles_of_a_walk(bits, rate):
    machine = replace(MACHINE, dram=Dram(1, 100 * float(rate)))
    assert dram_cycles(bits, machine) == cycles_of(bits, Fraction(rate))


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 40), moves_st)
def test_a_phase_waits_for_the_port_that_moves_longest(work, moves):
    """Ports of one buffer are shared by its tensors; reads and writes have a port each."""
    longest = 0
    for buffer in MACHINE.buffers:
        mine = [move for move in moves if move.tensor in buffer.holds]
        reads = cycles_of(sum(m.read_bits for m in mine), Fraction(buffer.read_port_bits))
        writes = cycles_of(sum(m.write_bits for m in mine), Fraction(buffer.write_port_bits))
        longest = max(longest, reads, writes)
    made = phase(work, moves, MACHINE)
    assert (made.work, made.ports, made.cycles) == (work, longest, max(work, longest))


def test_the_array_starts_with_a_fold_of_weights_and_a_column_of_inputs():
    assert start_bits(MACHINE, weight_bits=4, act_bits=8) == 3 * 2 * 4 + 3 * 8


work_st = st.fixed_dictionaries({name: st.integers(0, 300) for name in PHASES})
bits_st = st.integers(0, 4000)


@settings(max_examples=150, deadline=None)
@given(work_st, bits_st, bits_st, st.integers(0, 500), st.integers(0, 500), st.sampled_from(OVERLAPS))
def test_the_total_is_the_longer_of_work_and_transfers(work, reads, writes, first, last, overlap):
    """Nothing hides: work and transfers add up. Else what starts and ends the layer frames the rest."""
    machine = replace(MACHINE, overlap=overlap)
    found = run(machine, work, reads, writes, first, last)
    busy = sum(work.values())
    if overlap == "pipelined":
        busy = work["haar"] + work["select"] + max(work["gather"], work["array"], work["inverse"])
    rate = Fraction(5)
    if overlap == "none":
        assert found.total == busy + cycles_of(reads, rate) + cycles_of(writes, rate)
    else:
        frame = cycles_of(min(first, reads), rate) + cycles_of(min(last, writes), rate)
        assert found.total == max(frame + busy, cycles_of(reads + writes, rate))
    assert found.ideal + found.loss == work["array"]
    assert found.ideal + found.loss + found.stages == busy


@pytest.mark.parametrize("overlap", OVERLAPS)
def test_a_port_that_is_too_narrow_stalls_by_what_it_is_late(overlap):
    phases = {"array": Phase(10, ports=14), "haar": Phase(20, ports=5)}
    found = layer_latency(replace(MACHINE, overlap=overlap), 10, phases, 0, 0, 0, 0)
    assert (found.stall, found.total) == (4, 34)
