"""Counting: the laws of totals and traffic, and the paper's example."""

from dataclasses import replace
from decimal import Decimal, getcontext
from fractions import Fraction
from typing import Any

from hypothesis import assume, given, settings
from hypothesis import strategies as st
from peer_layers import QUARTER, alone, peer_layer

from wccsim.counting.bops import bops_haar, bops_uniq
from wccsim.counting.count import LayerCount, count_network, total
from wccsim.counting.macs import macs
from wccsim.counting.options import CountingOptions, configured
from wccsim.counting.run import count
from wccsim.counting.stages import stage_counts
from wccsim.counting.traffic import network_traffic, unique_bits
from wccsim.network.model import Layer, Network, Shape

OPTIONS = st.builds(
    CountingOptions,
    counting=st.sampled_from(["paper", "true"]),
    definition=st.sampled_from(["mac", "uniq"]),
    padding=st.sampled_from(["padded", "published"]),
    maps=st.sampled_from(["compressed", "dense"]),
    index=st.sampled_from(["bitmap", "list"]),
    on_chip_bits=st.integers(0, 1 << 20),
)


@st.composite
def networks(draw: st.DrawFn) -> Network:
    """A random chain of convolutions, views and poolings with shortcuts, some layers with WCC."""
    channels = draw(st.integers(1, 4))
    shape = Shape(channels, draw(st.integers(1, 20)), draw(st.integers(1, 20)))
    layers = [Layer("input", "input", (), shape, shape)]
    for step in range(draw(st.integers(1, 7))):
        before = draw(st.sampled_from(layers))
        shape, name = before.out_shape, f"layer{step}"
        bits = {"act_bits": draw(st.integers(1, 16)), "weight_bits": draw(st.integers(1, 16))}
        kind = draw(st.sampled_from(["conv", "wcc", "activation", "pad", "add", "concat"]))
        if kind in ("conv", "wcc"):
            keep = draw(st.fractions(QUARTER, 1, max_denominator=9)) if kind == "wcc" else None
            out = replace_channels(shape, draw(st.integers(1, 4)))
            levels = draw(st.integers(1, 3))
            layer = Layer(
                name, "conv", (before.name,), shape, out, keep=keep, levels=levels, bias=step % 2 == 0, **bits
            )
        elif kind == "pad":
            out = Shape(shape.channels, shape.height + 2, shape.width + 2)
            layer = Layer(name, "pad", (before.name,), shape, out, padding=(1, 1, 1, 1), **bits)
        elif kind == "concat":
            mates = [
                x for x in layers if x.out_shape.height == shape.height and x.out_shape.width == shape.width
            ]
            other = draw(st.sampled_from(mates))
            out = replace_channels(shape, shape.channels + other.out_shape.channels)
            layer = Layer(name, "concat", (before.name, other.name), shape, out, **bits)
        elif kind == "add":
            other = draw(st.sampled_from([x for x in layers if x.out_shape == shape]))
            layer = Layer(name, "add", (before.name, other.name), shape, shape, **bits)
        else:
            layer = Layer(name, kind, (before.name,), shape, shape, **bits)
        layers.append(layer)
    return Network("random", tuple(layers))


def replace_channels(shape: Shape, channels: int) -> Shape:
    return Shape(channels, shape.height, shape.width)


# The laws.


@given(networks(), OPTIONS)
@settings(deadline=None, max_examples=100)
def test_totals_are_the_sum_of_the_leaves(network: Network, options: CountingOptions) -> None:
    counted = count(network, **{name: getattr(options, name) for name in options.__slots__})
    frame_total = total(counted.counts, lambda c: c.bops)
    assert frame_total == sum(c.bops_conv for c in counted.counts) + sum(c.bops_haar for c in counted.counts)
    for c in counted.counts:
        t = c.traffic
        assert t.bits == t.weight_bits + t.in_bits + t.out_bits + t.index_bits


@given(networks(), OPTIONS)
@settings(deadline=None, max_examples=150)
def test_unique_bits_cross_at_least_once(network: Network, options: CountingOptions) -> None:
    traffic = network_traffic(network.layers, options)
    assert unique_bits(network.layers, options) <= sum(t.bits for t in traffic.values())


@given(networks(), OPTIONS, st.integers(0, 1 << 20))
@settings(deadline=None, max_examples=150)
def test_more_memory_on_the_chip_never_costs_more(
    network: Network, options: CountingOptions, more: int
) -> None:
    large = replace(options, on_chip_bits=options.on_chip_bits + more)
    small_traffic = network_traffic(network.layers, options)
    large_traffic = network_traffic(network.layers, large)
    for layer in network.layers:
        a, b = small_traffic[layer.name], large_traffic[layer.name]
        assert b.in_bits <= a.in_bits and b.out_bits <= a.out_bits and b.index_bits <= a.index_bits


@given(networks(), OPTIONS, st.fractions(QUARTER, 1, max_denominator=9))
@settings(deadline=None, max_examples=100)
def test_keeping_more_never_costs_less(network: Network, options: CountingOptions, keep: Fraction) -> None:
    assume(keep < 1)
    less = count_network(configured(network, keep=keep), options)
    more = count_network(configured(network, keep=Fraction(1)), options)
    for a, b in zip(less, more, strict=True):
        assert a.bops <= b.bops and a.traffic.bits <= b.traffic.bits


@given(networks(), OPTIONS)
@settings(deadline=None, max_examples=60)
def test_stages_add_up_to_the_layer(network: Network, options: CountingOptions) -> None:
    for c in count_network(network, options):
        if c.layer.keep is not None and 2 <= c.layer.act_bits <= 8 and 2 <= c.layer.weight_bits <= 8:
            stages = stage_counts(c.layer, options)
            assert sum(s.bops for s in stages) == c.bops
            if options.padding == "padded":
                assert sum(s.actions.macs for s in stages) == c.executed_macs


@given(st.integers(1, 300), st.integers(1, 300), st.integers(1, 50), st.integers(1, 50), st.integers(1, 3))
@settings(deadline=None, max_examples=60)
def test_padded_haar_is_the_published_sum_on_the_padded_map(
    inputs: int, outputs: int, height: int, width: int, levels: int
) -> None:
    shape = Shape(inputs, height, width)
    layer = Layer(
        "x", "conv", ("input",), shape, replace_channels(shape, outputs), keep=Fraction(1), levels=levels
    )
    step = 1 << levels
    rounded = Shape(inputs, -(-height // step) * step, -(-width // step) * step)
    whole = replace(layer, in_shape=rounded, out_shape=replace_channels(rounded, outputs))
    assert alone(layer).bops_haar == alone(whole, padding="published").bops_haar
    assert alone(layer).executed_macs == alone(whole, padding="published").executed_macs


@given(st.integers(1, 1 << 40), st.integers(1, 16), st.integers(1, 16), st.integers(1, 1 << 14))
@settings(deadline=None, max_examples=100)
def test_uniq_rounds_its_one_logarithm_to_nearest(m: int, bw: int, ba: int, taps: int) -> None:
    getcontext().prec = 80
    exact = Decimal(m) * (Decimal(taps).ln() / Decimal(2).ln()) + m * (bw * ba + bw + ba)
    assert abs(Decimal(int(bops_uniq(m, bw, ba, taps))) - exact) <= Decimal("0.5") + Decimal("1e-30")


def test_uniq_is_exact_where_the_logarithm_is() -> None:
    """64 input channels, 1x1: log2 64 = 6; 8 * 8 + 8 + 8 + 6 = 86 for each product."""
    assert bops_uniq(1000, 8, 8, 64) == 86_000


@given(networks(), OPTIONS)
@settings(deadline=None, max_examples=60)
def test_a_network_turned_by_a_right_angle_counts_the_same(
    network: Network, options: CountingOptions
) -> None:
    turned = Network("turned", tuple(turned_layer(layer) for layer in network.layers))
    for a, b in zip(count_network(network, options), count_network(turned, options), strict=True):
        assert replace(b, layer=a.layer) == a


def turned_layer(layer: Layer) -> Layer:
    """The layer with rows and columns exchanged."""
    top, bottom, left, right = layer.padding
    return replace(
        layer,
        in_shape=Shape(layer.in_shape.channels, layer.in_shape.width, layer.in_shape.height),
        out_shape=Shape(layer.out_shape.channels, layer.out_shape.width, layer.out_shape.height),
        kernel=layer.kernel[::-1],
        stride=layer.stride[::-1],
        dilation=layer.dilation[::-1],
        padding=(left, right, top, bottom),
        module_padding=layer.module_padding[::-1],
    )


PAIRS = st.tuples(st.integers(1, 4), st.integers(1, 4))


@given(PAIRS, PAIRS, PAIRS, PAIRS, st.tuples(st.integers(4, 40), st.integers(4, 40)))
@settings(deadline=None, max_examples=100)
def test_the_published_rule_is_a_product_over_the_axes(
    kernel: tuple[int, int],
    stride: tuple[int, int],
    dilation: tuple[int, int],
    padding: tuple[int, int],
    size: tuple[int, int],
) -> None:
    """Cin Cout k^2 times (H + 2p - d (k - 1)) / s of each axis (the formula of `wccsim.counting.macs`)."""
    layer = Layer(
        "layer", "conv", ("input",), Shape(3, *size), Shape(5, 1, 1), kernel, stride, dilation,
        module_padding=padding,
    )  # fmt: skip
    rows, columns = (
        Fraction(max(size[i] + padding[i] - dilation[i] * (kernel[i] - 1), 0), stride[i]) for i in (0, 1)
    )
    assert macs(layer, "paper") == 3 * 5 * kernel[0] * kernel[1] * rows * columns
    assert macs(turned_layer(layer), "paper") == macs(layer, "paper")


# The paper's example (section 4.1) and what padding does to it.


def example(**options: Any) -> LayerCount:
    layer = replace(peer_layer("paper160x960"), keep=options.pop("keep", QUARTER))
    return alone(layer, **options)


def test_the_papers_example() -> None:
    assert example(keep=None).bops == 11_363_942_400
    published = example(padding="published")
    assert published.bops_conv == 11_363_942_400 // 4
    assert published.bops_haar == 54_378_240 == 7_768_320 + 46_609_920
    assert published.executed_macs == 160 * 960 * 289


def test_padding_34_to_40_keeps_400_positions_instead_of_289() -> None:
    padded = example()
    assert padded.executed_macs == 160 * 960 * 400
    assert padded.bops_haar == bops_haar(1120 * 1600, 3, 8)
    assert padded.compressed is not None
    assert (padded.compressed.positions, padded.compressed.kept) == (1600, 400)


def test_effective_bits_pay_for_the_index() -> None:
    """25 % of 8 bits is 2; one bitmap for 160 channels adds 1/160; padding scales both by 1600/1156."""
    published, padded = example(padding="published"), example()
    assert (published.effective_bits, published.effective_bits_with_index) == (2, 2 + Fraction(1, 160))
    growth = Fraction(1600, 1156)
    assert padded.effective_bits == 2 * growth
    assert padded.effective_bits_with_index == (2 + Fraction(1, 160)) * growth
    assert example(keep=None).effective_bits is None


def test_an_index_list_costs_its_kept_positions() -> None:
    counted = example(index="list")
    assert counted.compressed is not None
    assert counted.compressed.index_bits == 400 * 11  # ceil(log2 1600)


def test_a_published_list_has_an_entry_for_a_part_of_a_position() -> None:
    """keep 25 % of 3 x 3 is 2.25 positions: the payload stays exact, the list needs 3 entries of 4 bits."""
    shape = Shape(1, 3, 3)
    layer = Layer("layer", "conv", ("input",), shape, shape, keep=QUARTER)
    found = alone(layer, index="list", padding="published").compressed
    assert found is not None
    assert (found.kept, found.payload_bits, found.index_bits) == (Fraction(9, 4), 18, 3 * 4)


def test_a_product_of_two_maps_is_as_wide_as_the_maps() -> None:
    """Both factors are activations: the width of weights does not enter."""
    first, second = Shape(6, 4, 1), Shape(5, 6, 1)
    layers = (
        Layer("first", "input", (), first, first),
        Layer("second", "input", (), second, second),
        Layer("product", "matmul", ("first", "second"), first, Shape(5, 4, 1), weight_bits=3),
    )
    counted = count_network(Network("n", layers), CountingOptions())[0]
    assert (counted.macs, counted.bops, counted.params) == (4 * 6 * 5, 4 * 6 * 5 * 8 * 8, 0)


def test_compressed_maps_cross_memory_with_their_index() -> None:
    layer = replace(peer_layer("paper160x960"), keep=QUARTER)
    t = alone(layer).traffic
    assert (t.weight_bits, t.in_bits, t.out_bits, t.index_bits) == (
        160 * 960 * 8,
        400 * 160 * 8,
        34 * 34 * 960 * 8,
        1600,
    )
    dense = alone(layer, maps="dense").traffic
    assert (dense.in_bits, dense.index_bits) == (34 * 34 * 160 * 8, 0)


def test_the_maker_of_a_compressed_map_writes_that_form_and_the_whole_only_where_it_is_read() -> None:
    shape = Shape(4, 8, 8)
    maker = Layer("maker", "conv", ("input",), shape, shape)
    reader = Layer("reader", "conv", ("maker",), shape, shape, keep=QUARTER)
    shortcut = Layer("sum", "add", ("maker", "reader"), shape, shape)
    before = Layer("input", "input", (), shape, shape)
    options = CountingOptions()
    chain = network_traffic((before, maker, reader), options)
    assert (chain["maker"].out_bits, chain["maker"].index_bits) == (16 * 4 * 8, 64)
    residual = network_traffic((before, maker, reader, shortcut), options)
    assert residual["maker"].out_bits == 16 * 4 * 8 + 64 * 4 * 8
    assert residual["sum"].in_bits == 2 * 64 * 4 * 8


def test_views_move_nothing_and_have_no_row() -> None:
    counted = count("mobilenetv2")
    assert not [c for c in counted.counts if c.layer.op in ("pad", "input")]


def test_concatenated_maps_are_read_at_the_width_each_is_stored_at() -> None:
    shape = Shape(1, 4, 4)
    before = Layer("input", "input", (), shape, shape)
    wide = Layer("wide", "conv", ("input",), shape, shape)
    narrow = Layer("narrow", "conv", ("input",), shape, shape)
    other = Layer("other", "conv", ("wide",), shape, shape, act_bits=16)
    both = Layer("both", "concat", ("wide", "narrow"), shape, Shape(2, 4, 4))
    reader = Layer("reader", "conv", ("both",), Shape(2, 4, 4), shape)
    traffic = network_traffic((before, wide, narrow, other, both, reader), CountingOptions())
    assert traffic["wide"].out_bits == 16 * 16  # its widest reader takes 16 bits
    assert traffic["reader"].in_bits == 16 * 16 + 16 * 8


def test_the_parts_of_one_compressed_map_pay_for_one_index() -> None:
    """Each maker writes its channels of the 16 kept positions; one bitmap of 64 positions crosses."""
    shape = Shape(1, 8, 8)
    before = Layer("input", "input", (), shape, shape)
    one = Layer("one", "conv", ("input",), shape, shape)
    three = Layer("three", "conv", ("input",), shape, Shape(3, 8, 8))
    both = Layer("both", "concat", ("one", "three"), shape, Shape(4, 8, 8))
    reader = Layer("reader", "conv", ("both",), Shape(4, 8, 8), shape, keep=QUARTER)
    traffic = network_traffic((before, one, three, both, reader), CountingOptions())
    assert (traffic["one"].out_bits, traffic["three"].out_bits) == (16 * 8, 3 * 16 * 8)
    assert traffic["one"].index_bits + traffic["three"].index_bits == 64
    assert (traffic["reader"].in_bits, traffic["reader"].index_bits) == (4 * 16 * 8, 64)


def test_a_cut_of_maps_is_read_without_what_stays_on_the_chip() -> None:
    """`first` stays, the input never does; a slice of both reads what `first` does not hold."""
    shape = Shape(2, 4, 4)
    before = Layer("input", "input", (), shape, shape)
    first = Layer("first", "conv", ("input",), shape, shape)
    both = Layer("both", "concat", ("input", "first"), shape, Shape(4, 4, 4))

    def read_bits(channels: int, on_chip_bits: int) -> Any:
        cut = Layer("cut", "slice", ("both",), Shape(4, 4, 4), Shape(channels, 4, 4))
        reader = Layer("reader", "conv", ("cut",), Shape(channels, 4, 4), Shape(1, 1, 1))
        layers = (before, first, both, cut, reader)
        return network_traffic(layers, CountingOptions(on_chip_bits=on_chip_bits))["reader"].in_bits

    assert read_bits(3, 0) == 3 * 16 * 8
    assert read_bits(3, 1 << 20) == (3 - 2) * 16 * 8
    assert read_bits(1, 1 << 20) == 0


def test_no_residency_spares_the_larger_of_two_forms_of_an_input() -> None:
    shape = Shape(4, 8, 8)
    before = Layer("input", "input", (), shape, shape)
    small = Layer("small", "conv", ("input",), shape, shape, keep=QUARTER)
    large = Layer("large", "conv", ("input",), shape, shape, keep=Fraction(1, 2))
    weights, results = 2 * 4 * 4 * 8, 2 * shape.values * 8
    assert unique_bits((before, small, large), CountingOptions()) == weights + results + 32 * 4 * 8


def test_a_padded_map_is_read_as_large_as_its_reader_says() -> None:
    shape, grown = Shape(1, 4, 4), Shape(1, 6, 6)
    before = Layer("input", "input", (), shape, shape)
    maker = Layer("maker", "conv", ("input",), shape, shape)
    pad = Layer("pad", "pad", ("maker",), shape, grown, padding=(1, 1, 1, 1))
    reader = Layer("reader", "conv", ("pad",), grown, grown)
    traffic = network_traffic((before, maker, pad, reader), CountingOptions())
    assert (traffic["maker"].out_bits, traffic["pad"].bits, traffic["reader"].in_bits) == (128, 0, 36 * 8)


def test_a_map_that_fits_stays_on_the_chip() -> None:
    shape = Shape(1, 4, 4)
    before = Layer("input", "input", (), shape, shape)
    first = Layer("first", "conv", ("input",), shape, shape)
    second = Layer("second", "conv", ("first",), shape, shape)
    both = (before, first, second)
    # While `first` lives, the input, it and the result are alive: 2 or 3 maps of 128 bits.
    fits = network_traffic(both, CountingOptions(on_chip_bits=256))
    misses = network_traffic(both, CountingOptions(on_chip_bits=255))
    assert (fits["first"].out_bits, fits["second"].in_bits) == (0, 0)
    assert (misses["first"].out_bits, misses["second"].in_bits) == (128, 128)
    assert fits["first"].in_bits == fits["second"].out_bits == 128
