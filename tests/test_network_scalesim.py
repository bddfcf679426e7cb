"""SCALE-Sim topologies both ways: the same rows back, the same MACs, and a place for every mistake."""

import csv
import io

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.network import catalog, scalesim
from wccsim.network.description import parse_network
from wccsim.network.scalesim import CONV_HEADER, FORMS, GEMM_HEADER, csv_text, parse, rounded_up
from wccsim.network.writer import yaml_text

CONV = "Layer name, IFMAP Height, IFMAP Width, Filter Height, Filter Width, Channels, Num Filter, Strides,\n"
GEMM = "Layer, M, N, K,\n"


def test_both_forms_are_read_with_and_without_the_comma_at_the_end() -> None:
    text = CONV + "Conv1, 224, 224, 7, 7, 3, 64, 2,\nDP2, 112,112,3,3,64,1,1\n\n"
    conv, depthwise = parse(text.encode(), "t.csv").counted
    assert (conv.name, conv.out_shape.channels, conv.out_shape.height, conv.groups) == ("Conv1", 64, 109, 1)
    assert conv.macs == 109 * 109 * 64 * 3 * 49
    assert (depthwise.groups, depthwise.out_shape.channels, depthwise.macs) == (64, 64, 110 * 110 * 64 * 9)
    (product,) = parse((GEMM + "g, 128, 64, 32\n").encode(), "t.csv").counted
    assert (product.op, product.macs, product.params) == ("matmul", 128 * 64 * 32, 64 * 32)


def test_the_last_field_counts_without_a_comma_after_it() -> None:
    """SCALE-Sim itself drops it (`split(',')[:-1]`): the stride of such a row is lost there."""
    with_comma = parse((CONV + "a, 9, 9, 3, 3, 2, 4, 2,\n").encode(), "t.csv").layers
    assert parse((CONV + "a, 9, 9, 3, 3, 2, 4, 2\n").encode(), "t.csv").layers == with_comma
    assert with_comma[-1].stride == (2, 2)


def test_the_output_is_rounded_down_where_scale_sim_rounds_up() -> None:
    """20x20, 3x3, stride 2: SCALE-Sim 3.0.0 has 10x10 outputs, frameworks have 9x9."""
    network = parse((CONV + "a, 20, 20, 3, 3, 1, 1, 2,\nb, 21, 21, 3, 3, 1, 1, 2,\n").encode(), "t.csv")
    assert [layer.out_shape.height for layer in network.counted] == [9, 10]
    assert rounded_up(network) == ["a"]


NAMES = st.lists(st.text("abcxyz019_.", min_size=1, max_size=6), min_size=1, max_size=6, unique=True)


@st.composite
def conv_rows(draw: st.DrawFn) -> list[tuple[object, ...]]:
    """Rows whose sizes leave no rest, so that both roundings agree."""
    rows: list[tuple[object, ...]] = []
    for name in draw(NAMES):
        depthwise, stride = draw(st.booleans()), draw(st.integers(1, 4))
        kernel = draw(st.tuples(st.integers(1, 7), st.integers(1, 7)))
        sizes = [(draw(st.integers(1, 9)) - 1) * stride + taps for taps in kernel]
        channels = draw(st.integers(2, 64))
        filters = 1 if depthwise else draw(st.integers(1, 64))
        rows.append((f"{name}_DP" if depthwise else name, *sizes, *kernel, channels, filters, stride))
    return rows


@settings(max_examples=100, deadline=None)
@given(conv_rows())
def test_convolution_rows_come_back_unchanged(rows: list[tuple[object, ...]]) -> None:
    text = CONV + "".join(", ".join(map(str, row)) + ",\n" for row in rows)
    network = parse(text.encode(), "t.csv")
    written = list(csv.reader(io.StringIO(csv_text(network))))
    assert written[0] == [*CONV_HEADER, ""]
    assert written[1:] == [[*map(str, row), ""] for row in rows]
    again = parse_network(yaml_text(network).encode(), "x")  # the YAML of it is the same network
    assert again.layers == network.layers


@settings(max_examples=50, deadline=None)
@given(NAMES, st.tuples(*[st.integers(1, 5000)] * 3))
def test_matrix_rows_come_back_unchanged(names: list[str], sizes: tuple[int, int, int]) -> None:
    text = GEMM + "".join(f"{name},{','.join(map(str, sizes))},\n" for name in names)
    written = list(csv.reader(io.StringIO(csv_text(parse(text.encode(), "t.csv"), "gemm"))))
    assert written == [[*GEMM_HEADER, ""], *([name, *map(str, sizes), ""] for name in names)]


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("name", [n for n in catalog.names() if n != "tf_efficientdet_d1"])
def test_a_network_keeps_its_macs_and_no_size_is_rounded(name: str, form: str) -> None:
    network = catalog.load_network(name)
    topology = parse(csv_text(network, form).encode(), "t.csv")
    multiplying = [layer for layer in network.layers if layer.multiplies]
    assert sum(layer.macs for layer in topology.layers) == sum(layer.macs for layer in multiplying)
    assert rounded_up(topology) == []


def test_groups_and_other_operators_become_rows_scale_sim_has() -> None:
    text = (
        "name: n\ninput: 4x6x6\nlayers:\n  - {conv: g, out: 8, kernel: 3, groups: 2}\n"
        "  - {depthwise: 'a,DP', out: 16, kernel: 3, dilation: 2, padding: 2, stride: 2}\n"
        "  - {conv: HDPE, out: 2, kernel: 3, dilation: 2, padding: symmetric}\n"
        "  - {conv_transpose: t, out: 3, kernel: 2, stride: 2}\n  - {flatten: f}\n"
        "  - {fully_connected: d, out: 5}\n"
        "  - {reshape: r, from: input, shape: 12x12x1}\n  - {matmul: m, out: 6, groups: 3}\n"
    )
    rows = csv_text(parse_network(text.encode(), "x")).splitlines()[1:]
    assert rows == [
        "g_0,6,6,3,3,2,4,1,",
        "g_1,6,6,3,3,2,4,1,",
        "a;DP_0,5,5,3,3,8,1,2,",
        "a;DP_1,5,5,3,3,8,1,2,",
        "HDpE,4,4,3,3,16,2,1,",
        "t,2,2,1,1,2,12,1,",
        "d,1,1,1,1,48,5,1,",
        "m_0,12,1,1,1,4,2,1,",
        "m_1,12,1,1,1,4,2,1,",
        "m_2,12,1,1,1,4,2,1,",
    ]


def test_what_scale_sim_cannot_say_is_refused() -> None:
    text = "name: n\ninput: 4x6x6\nlayers:\n  - {conv: c, out: 8, stride: [1, 2]}\n"
    with pytest.raises(WccsimError, match="c: stride 1x2; SCALE-Sim has one stride for both directions"):
        csv_text(parse_network(text.encode(), "x"))


def test_the_rows_written_are_bounded() -> None:
    text = "name: n\ninput: 4000000x1x1\nlayers:\n  - {conv: c, out: 2000000, groups: 2000000}\n"
    with pytest.raises(WccsimError, match="c: 2000000 groups are as many rows; at most 100000 are written"):
        csv_text(parse_network(text.encode(), "x"))
    with pytest.raises(WccsimError, match="needs more than 100000 rows in SCALE-Sim's gemm form"):
        text = "name: n\ninput: 60000x1x1\nlayers:\n  - {depthwise: a}\n  - {depthwise: b}\n"
        csv_text(parse_network(text.encode(), "x"), "gemm")


ERRORS = {
    "": "t.csv:1:1: a header and at least one layer are needed",
    CONV: "t.csv:1:1: a header and at least one layer",
    "a, b, c\nd, 1, 2\n": "t.csv:1:1: the header has 3 fields; allowed: Layer name, IFMAP Height",
    "a, 9, 9, 3, 3, 2, 4, 2,\nb, 9, 9, 3, 3, 2, 4, 2,\n": "t.csv:1:1: the first row is a layer",
    CONV + "a, 9, 9, 3, 3, 2, 4,\n": "t.csv:2:1: 7 fields were given; 8 are needed",
    CONV + "a, 9, 9, 3, 3, 2, 4, 2, 1:2,\n": "t.csv:2:1: 9 fields were given; 8 are needed",
    CONV + "a, 9, x, 3, 3, 2, 4, 2,\n": "t.csv:2:6: IFMAP Width: 'x' was given; an integer 1 to",
    CONV + "a, 9, 9, 3, 3, 2, 0, 2,\n": "t.csv:2:18: Num Filter: '0' was given",
    CONV + "a, 9, 9, 3, 3, 2, 4, -2,\n": "t.csv:2:21: Strides: '-2' was given",
    CONV + "a, 9, 9, 3, 3, 2, 4, 1.5,\n": "t.csv:2:21: Strides: '1.5' was given",
    CONV + "a, 2, 9, 3, 3, 2, 4, 2,\n": "t.csv:2:1: a: kernel extent 3 is larger than the padded input of 2",
    CONV + "aDP, 9, 9, 3, 3, 2, 4, 2,\n": "t.csv:2:1: aDP: Num Filter is 4; a depthwise layer (DP in",
    CONV + "a, 9, 9, 3, 3, 2, 4, 2,\n" * 2: "t.csv:3:1: the name 'a input' was given twice",
    CONV + ", 9, 9, 3, 3, 2, 4, 2,\n": "t.csv:2:1: a layer needs a name",
    GEMM + "a, 1, 2, 99999999999999,\n": "t.csv:2:9: K: '99999999999999' was given",
    CONV + 'a, "9, 9, 3\n': "t.csv:",
}


@pytest.mark.parametrize("text", ERRORS)
def test_a_mistake_is_named_where_it_stands(text: str) -> None:
    with pytest.raises(WccsimError) as caught:
        parse(text.encode(), "t.csv")
    assert str(caught.value).startswith(ERRORS[text])


@settings(max_examples=200, deadline=None)
@given(
    st.binary(max_size=80)
    | st.text(',0123456789 aDP\n"', max_size=80).map(lambda tail: (CONV + tail).encode())
)
def test_any_bytes_are_a_network_or_one_clear_line(content: bytes) -> None:
    try:
        scalesim.parse(content, "t.csv")
    except WccsimError as problem:
        assert str(problem).startswith("t.csv:") and "\n" not in str(problem)
