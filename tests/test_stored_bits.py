"""Measured means of Rice-coded forms: read strictly, charged exactly, and they change nothing but storage."""

import math
from dataclasses import fields, replace
from fractions import Fraction

import numpy as np
import pytest
import test_counting
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from test_cost import LPDDR4, accelerators, chain, keeps, networks, options_st, shrunk
from test_energy_laws import energy, priced, tables

from wccsim.actions import Stage
from wccsim.cli import main
from wccsim.cost.network import network_cost
from wccsim.cost.options import CostOptions
from wccsim.cost.record import DramBits
from wccsim.counting.count import count_network
from wccsim.counting.options import CountingOptions
from wccsim.counting.stages import stage_counts
from wccsim.datapath.layer import simulate_layer
from wccsim.errors import WccsimError
from wccsim.hardware.accelerator_yaml import load_accelerator
from wccsim.hardware.energy_yaml import load_energy
from wccsim.network.model import Layer
from wccsim.stored_bits import StoredBits, parse_stored, stored_forms

QUARTER, HALF = Fraction(1, 4), Fraction(1, 2)
CODED = {"words": "rice", "word_bits": "2.5"}
means = st.fractions(1, 12, max_denominator=50)
divisors = st.sampled_from([1, 16, 64])


def coded(options, word_bits=None, index_bits=None):
    """The options with coded words, a coded index, or both."""
    words = {} if word_bits is None else {"words": "rice", "word_bits": word_bits}
    index = {} if index_bits is None else {"index": "rice", "index_bits": index_bits}
    return replace(options, **words, **index)


@pytest.mark.parametrize(
    ("given_", "means_"),
    [
        ("5.42", ((None, Fraction(271, 50)),)),
        (5.42, ((None, Fraction(271, 50)),)),
        (Fraction(7, 3), ((None, Fraction(7, 3)),)),
        (4, ((None, Fraction(4)),)),
        ("171491/31616", ((None, Fraction(171491, 31616)),)),
        ("1/4:5.42, 50%:4.6", ((QUARTER, Fraction(271, 50)), (HALF, Fraction(23, 5)))),
    ],
)
def test_means_are_read_exactly_and_written_back(given_, means_):
    found = parse_stored("word_bits", given_, None)
    assert found == StoredBits(means_)
    assert parse_stored("word_bits", str(found), None) == parse_stored("word_bits", found, None) == found


@pytest.mark.parametrize(
    "given_", ["", "x", "0", "-1", "1/0", "nan", "inf", "1e99999", True, None, b"4", "1/4:", ":3", "2:3",
               "1/4:3,25%:4", "1/4:3,5", [], "1/4:3:4", float("nan"), 6]
)  # fmt: skip
def test_what_is_no_mean_is_refused_in_one_line(given_):
    with pytest.raises(WccsimError) as refusal:
        parse_stored("index_bits", given_, 5)
    assert "\n" not in str(refusal.value)


@pytest.mark.parametrize(
    ("forms", "text"),
    [
        (("rice", None, "fixed", None), "index rice: its size depends on the data; give index_bits"),
        (("bitmap", None, "rice", None), "words rice: its size depends on the data; give word_bits"),
        (("bitmap", 1, "fixed", None), "index_bits is the measured mean of index rice; index is bitmap"),
        (("list", None, "fixed", 3), "word_bits is the measured mean of words rice; words is fixed"),
        (("gaps", None, "fixed", None), "index is 'gaps'; allowed: bitmap, list, rice"),
        (("bitmap", None, [], None), r"words is \[\]; allowed: fixed, rice"),
    ],
)
def test_a_form_and_its_mean_come_together(forms, text):
    with pytest.raises(WccsimError, match=text):
        stored_forms(*forms)
    names = ("index", "index_bits", "words", "word_bits")
    for options in (CostOptions, CountingOptions):
        with pytest.raises(WccsimError, match=text):
            options(**dict(zip(names, forms, strict=True)))


@given(st.integers(1, 10**9), st.integers(2, 8), means)
def test_a_total_is_the_mean_times_the_words_rounded_up(words, act_bits, mean):
    forms = CostOptions(words="rice", word_bits=mean).stored
    if mean > act_bits + 4:
        with pytest.raises(WccsimError, match="take at most"):
            forms.word_total(words, act_bits, QUARTER)
        return
    total = forms.word_total(words, act_bits, QUARTER)
    assert total - 1 < words * mean <= total
    assert CostOptions().stored.word_total(words, act_bits, QUARTER) == words * act_bits


def test_a_mean_for_each_keep_is_asked_for_by_name():
    forms = CostOptions(words="rice", word_bits="1/4:3,1/2:2.5").stored
    assert (forms.word_total(10, 8, QUARTER), forms.word_total(10, 8, HALF)) == (30, 25)
    with pytest.raises(WccsimError, match="word_bits has no mean for keep 1/8; given: keep 1/4, 1/2"):
        forms.word_total(10, 8, Fraction(1, 8))


def works(cost):
    """Everything of a network's cost but where its words lie."""
    return [
        (layer.macs, layer.layer, layer.latency.ideal, layer.latency.loss, layer.mapping_efficiency_percent)
        for layer in cost.layers
    ]


@settings(max_examples=40, deadline=None)
@given(networks(), keeps, options_st, accelerators, divisors, tables, st.integers(2, 8))
def test_a_mean_of_the_fixed_width_is_the_fixed_width(
    network, keep, options, machine, divisor, table, act_bits
):
    network, machine = network.configured(keep=keep, act_bits=act_bits), shrunk(machine, divisor)
    options = replace(options, index="bitmap")
    fixed = priced(network, machine, table, options)
    same = priced(network, machine, table, coded(options, act_bits, 1))
    assert same.layers == fixed.layers


@settings(max_examples=60, deadline=None)
@given(
    networks(), keeps, options_st, accelerators, divisors, st.lists(means, min_size=2, max_size=2), st.data()
)
def test_fewer_stored_bits_never_move_more_and_never_change_the_work(
    network, keep, options, machine, divisor, two, data
):
    network, machine = network.configured(keep=keep), shrunk(machine, divisor)
    index = [min(mean / 3, Fraction(5)) for mean in sorted(two)]
    what = data.draw(st.sampled_from(["words", "index", "both"]))
    costs = []
    for mean, flags in zip(sorted(two), index, strict=True):
        given_ = (None if what == "index" else mean, None if what == "words" else flags)
        costs.append(priced(network, machine, LPDDR4, coded(options, *given_)))
    fewer, more = costs
    assert fewer.dram_bits <= more.dram_bits
    assert works(fewer) == works(more) == works(priced(network, machine, LPDDR4, options))


@settings(max_examples=60, deadline=None)
@given(networks(), keeps, options_st, accelerators, divisors, tables, means)
def test_under_the_same_plan_only_what_crosses_dram_changes(
    network, keep, options, machine, divisor, table, mean
):
    """Buffers hold words of act_bits; the energy saved is exactly that of the DRAM bits saved."""
    network, machine = network.configured(keep=keep), shrunk(machine, divisor)
    fixed, packed = (priced(network, machine, table, one) for one in (options, coded(options, mean)))
    for one, other in zip(fixed.layers, packed.layers, strict=True):
        if inside(one) != inside(other):
            continue  # another plan moves the fewest bits now
        names = [field.name for field in fields(DramBits)]
        changed = {name for name in names if getattr(one.dram, name) != getattr(other.dram, name)}
        assert changed <= {"kept_read", "kept_write", "in_read", "out_write"}
        saved = (one.dram.read - other.dram.read) * Fraction(table.dram_read_pj_per_bit)
        saved += (one.dram.write - other.dram.write) * Fraction(table.dram_write_pj_per_bit)
        before, after = (
            energy(replace(cost, layers=(layer,))) for cost, layer in ((fixed, one), (packed, other))
        )
        assert before - after == saved


def inside(layer):
    """The tiling, and all that happens on chip: bits through the buffers and energy of computing."""
    stages = [(s.stage, s.sram_read_bits, s.sram_write_bits, s.compute_pj) for s in layer.stages]
    return layer.tiling, stages


def test_a_tiling_that_moves_fewer_bits_may_take_more_energy_on_chip():
    """Why fewer stored bits are no law of energy: tilings are chosen by DRAM bits alone."""
    edge = load_accelerator("edge_npu_wcc")
    sizes = iter((1024, 256, 64, 4096))
    machine = replace(edge, buffers=tuple(replace(b, size_bytes=next(sizes)) for b in edge.buffers))
    network = chain((128, 8, 8), (64, 1, 1, 1)).configured(keep=HALF, levels=2)
    fewer, more = (
        network_cost(network, machine, load_energy("hmc"), CostOptions(words="rice", word_bits=mean))
        for mean in ("1.3", "7.1")
    )
    assert fewer.dram_bits < more.dram_bits and fewer.part_pj("dram") < more.part_pj("dram")
    assert fewer.layers[-1].tiling != more.layers[-1].tiling
    assert fewer.sram_bits > more.sram_bits and fewer.energy_pj > more.energy_pj


def test_a_copy_that_crosses_dram_is_coded_there_and_not_in_the_buffers():
    """A layer whose kept words leave and come back twice, by hand."""
    edge = load_accelerator("edge_npu_wcc")
    sizes = {"input": 256, "weight": 2048, "output": 20_000, "wavelet": 1000}
    machine = replace(edge, buffers=tuple(replace(b, size_bytes=sizes[b.name]) for b in edge.buffers))
    network = chain((16, 8, 8), (200, 1, 1, 1)).configured(keep=HALF, levels=2)
    words = 16 * 32
    layers = [network_cost(network, machine, LPDDR4, options).layers[-1]
              for options in (CostOptions(), CostOptions(**CODED))]  # fmt: skip
    fixed, packed = layers
    assert fixed.tiling == packed.tiling and fixed.dram.kept_write == words * 8
    assert packed.dram.kept_write == words * 5 // 2
    assert packed.dram.kept_read * 16 == fixed.dram.kept_read * 5
    assert packed.sram_bits == fixed.sram_bits
    assert packed.energy_pj < fixed.energy_pj


@settings(max_examples=60, deadline=None)
@given(test_counting.networks(), test_counting.OPTIONS, means, st.fractions(0, 1, max_denominator=9))
def test_counts_charge_the_mean_and_nothing_else_changes(network, options, mean, less):
    mean = min([mean, *(layer.act_bits + 4 for layer in network.layers if layer.keep is not None)])
    less = min(less, mean / 2)
    fixed, more, fewer = (
        count_network(network, one) for one in (options, coded(options, mean), coded(options, mean - less))
    )
    for plain, one, other in zip(fixed, more, fewer, strict=True):
        assert (one.macs, one.executed_macs, one.bops) == (plain.macs, plain.executed_macs, plain.bops)
        assert other.traffic.bits <= one.traffic.bits
        assert one.traffic.index_bits == plain.traffic.index_bits
        if one.compressed is not None:
            exact = one.compressed.kept * one.layer.in_shape.channels * mean
            rounded = exact if options.padding == "published" else math.ceil(exact)
            assert one.compressed.payload_bits == rounded


@settings(max_examples=40, deadline=None)
@given(test_counting.networks(), test_counting.OPTIONS, st.integers(1, 16))
def test_counts_at_the_fixed_width_are_those_of_fixed_words(network, options, act_bits):
    network, options = network.configured(act_bits=act_bits), replace(options, index="bitmap")
    assert count_network(network, coded(options, act_bits, 1)) == count_network(network, options)


def test_what_a_run_measures_makes_the_count_of_its_layer_exact():
    """From the simulator's streams to the traffic of a network: the bits of the run, to the last one."""
    rng = np.random.default_rng(5)
    x = np.cumsum(rng.integers(-9, 10, (6, 24, 40)), axis=2).clip(-127, 127).astype(np.int8)
    weights = rng.integers(-127, 128, (4, 6)).astype(np.int8)
    scalers = dict(r1=(40000, 18), r2=(40000, 16), r3=(40000, 24))
    run = simulate_layer(x, weights, keep=QUARTER, index="rice", words="rice", **scalers)
    kept, positions = len(run.indices), run.kept.size
    options = CountingOptions(
        index="rice", index_bits=Fraction(run.index_bits, positions),
        words="rice", word_bits=Fraction(run.word_bits, 6 * kept),
    )  # fmt: skip
    network = chain((6, 24, 40), (4, 1, 1, 1)).configured(keep=QUARTER)
    counted = count_network(network, options)[-1]
    assert counted.compressed.payload_bits == run.word_bits
    assert counted.compressed.index_bits == run.index_bits
    assert counted.effective_bits_with_index == Fraction(run.word_bits + run.index_bits, x.size)
    by_stage = {one.stage: one.actions for one in stage_counts(counted.layer, options)}
    for stage in (Stage.BITMAP, Stage.REQUANTISE, Stage.MAC, Stage.ZERO_FILL):
        expected = run.counts[stage]
        assert by_stage[stage] == replace(expected, adds=by_stage[stage].adds), stage


def run(*words):
    done = CliRunner().invoke(main, list(map(str, words)))
    return done.exit_code, done.stdout, done.stderr


SWEEP = ("sweep", "mobilenetv3_small", "--objective", "traffic")
ALLOCATE = ("allocate", "mobilenetv3_small", "--budget", "traffic=1e9")
BOPS, COST = (("bops", "mobilenetv2", "--keep", "25%"), ("cost", "mobilenetv2", "--keep", "25%"))
WORDS, INDEX = ("--words", "rice", "--word-bits"), ("--index", "rice", "--index-bits")


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ((*BOPS, "--words", "rice"), "give word_bits"),
        ((*COST, "--index", "rice"), "give index_bits"),
        ((*COST, "--word-bits", "3"), "words is fixed"),
        ((*BOPS, *WORDS, "abc"), "is not a number"),
        ((*COST, *INDEX, "6"), "at most 5"),
        ((*COST, *WORDS, "13"), "at most 12"),
        ((*BOPS, *WORDS, "13"), "at most 12"),
        ((*BOPS, *WORDS, "1/2:3"), "no mean for keep 1/4"),
        ((*SWEEP, *WORDS, "5"), "one mean for 4 keeps"),
        ((*SWEEP, "--keep", ".5", *WORDS, "5", "--act-bits", "4,8"), "act_bits is 4, 8"),
        ((*SWEEP, "--keep", ".5", *INDEX, ".5", "--levels", "1..3"), "levels is 1, 2, 3"),
        ((*SWEEP, "--keep", ".5,1", *WORDS, ".5:5"), "no mean for keep 1;"),
        ((*ALLOCATE, *WORDS, "5"), "one mean for 4 keeps"),
    ],
)
def test_what_was_not_measured_is_refused_in_one_line(words, text):
    code, out, err = run(*words)
    assert code == 2 and text in err and err.count("\n") == 1 and not out


def test_the_commands_take_the_means_and_name_them():
    options = ("--words", "rice", "--word-bits", "5.42", "--index", "rice", "--index-bits", "1637/1976")
    for command in ("bops", "cost"):
        code, out, _ = run(command, "mobilenetv3_small", "--keep", "25%", *options, "--json", "-")
        assert code == 0
        assert (
            '"word_bits": "271/50"' in out and '"index_bits": "1637/1976"' in out and '"words": "rice"' in out
        )
        code, out, _ = run(command, "mobilenetv3_small", "--keep", "25%", "--json", "-")
        assert code == 0 and "word_bits" not in out.split('"rows"')[0].replace("dram", "")
    by_keep = ("--words", "rice", "--word-bits", "1/2:4.6,1/4:5.4")
    code, out, _ = run(*SWEEP, "--keep", "dense,.5,.25", *by_keep)
    assert code == 0 and "on the front" in out


def test_a_layer_that_keeps_nothing_else_is_named():
    layer = chain((6, 24, 40), (4, 1, 1, 1)).configured(keep=Fraction(1, 8)).layers[-1]
    assert isinstance(layer, Layer)
    network = chain((6, 24, 40), (4, 1, 1, 1)).configured(keep=Fraction(1, 8))
    for price in (
        lambda: count_network(network, CountingOptions(words="rice", word_bits="1/4:3")),
        lambda: network_cost(
            network, load_accelerator("edge_npu_wcc"), LPDDR4, CostOptions(words="rice", word_bits="1/4:3")
        ),
    ):
        with pytest.raises(WccsimError, match=f"layer {layer.name}: word_bits has no mean for keep 1/8"):
            price()
