"""Sizes against windows laid out one by one, and against PyTorch where it is installed."""

from itertools import product
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wccsim.errors import WccsimError
from wccsim.network import shapes
from wccsim.network.model import Layer, Shape
from wccsim.network.shapes import MAX_SIZE, Window, out_size


def source(channels: int, height: int, width: int, name: str = "input") -> Layer:
    shape = Shape(channels, height, width)
    return Layer(name, "input", (), shape, shape)


SMALL = st.integers(1, 6)
PADS = st.tuples(*[st.integers(0, 4)] * 4)


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 30), st.integers(0, 6), SMALL, SMALL, SMALL)
def test_out_size_counts_the_windows_that_fit(
    size: int, padding: int, kernel: int, stride: int, dilation: int
) -> None:
    starts = range(0, size + padding, stride)
    fitting = [start for start in starts if start + dilation * (kernel - 1) < size + padding]
    if fitting:
        assert out_size(size, padding, kernel, stride, dilation) == len(fitting)
    else:
        with pytest.raises(WccsimError, match="larger than the padded input"):
            out_size(size, padding, kernel, stride, dilation)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 12), st.integers(1, 12), SMALL, SMALL, SMALL, st.sampled_from([1, 2, 3]))
def test_macs_are_the_multiplications_of_the_loops(
    height: int, width: int, kernel: int, stride: int, dilation: int, groups: int
) -> None:
    """One multiplication for every output, input channel of its group, and tap."""
    window = Window((kernel, 1), (stride, 1), (dilation, 1), (2, 1, 0, 3))
    assume(dilation * (kernel - 1) + 1 <= height + 3)
    layer = shapes.conv("c", source(groups * 2, height, width), groups * 3, window, groups, bias=True)
    outputs = list(
        product(range(layer.out_shape.channels), range(layer.out_shape.height), range(layer.out_shape.width))
    )
    assert layer.macs == sum(1 for _ in product(outputs, range(2), range(kernel)))
    assert layer.params == len(list(product(range(groups * 3), range(2), range(kernel)))) + groups * 3


@settings(max_examples=200, deadline=None)
@given(st.integers(1, 40), SMALL, SMALL, SMALL)
def test_same_gives_the_size_over_the_stride_rounded_up(
    size: int, kernel: int, stride: int, dilation: int
) -> None:
    for rule in ("same", "same_lower"):
        window = Window((kernel, kernel), (stride, stride), (dilation, dilation), rule)
        before, after, module = window.axis(0, size)
        assert out_size(size, before + after, kernel, stride, dilation) == -(-size // stride)
        assert 0 <= (after - before if rule == "same" else before - after) <= 1
        assert module in (0, before + after)
        # No smaller padding gives that size.
        if before + after:
            with_less = size + before + after - 1 - dilation * (kernel - 1) - 1
            assert with_less < 0 or with_less // stride + 1 < -(-size // stride)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 40), st.sampled_from([1, 3, 5, 7]), SMALL)
def test_symmetric_keeps_the_size_at_stride_1(size: int, kernel: int, dilation: int) -> None:
    before, after, module = Window((kernel, 1), dilation=(dilation, 1), padding="symmetric").axis(0, size)
    assert before == after and module == before + after
    assert out_size(size, before + after, kernel, 1, dilation) == size


@settings(max_examples=100, deadline=None)
@given(st.integers(1, 20), SMALL, SMALL, SMALL, st.integers(0, 3), st.integers(0, 3))
def test_a_transposed_convolution_undoes_the_size_of_a_convolution(
    size: int, kernel: int, stride: int, dilation: int, before: int, after: int
) -> None:
    extent = dilation * (kernel - 1) + 1
    assume(extent <= size + before + after and max(before, after) < extent)
    out = out_size(size, before + after, kernel, stride, dilation)
    rest = (size + before + after - extent) % stride
    assume(rest < max(stride, dilation))
    window = Window((kernel, 1), (stride, 1), (dilation, 1), (before, after, 0, 0))
    layer = shapes.conv_transpose("t", source(2, out, 1), 3, window, 1, (rest, 0))
    assert layer.out_shape == Shape(3, size, 1)
    assert layer.macs == 2 * 3 * kernel * out  # every input meets every tap


CASES = st.fixed_dictionaries(
    {
        "size": st.tuples(st.integers(4, 14), st.integers(4, 14)),
        "kernel": st.tuples(st.integers(1, 4), st.integers(1, 4)),
        "stride": st.tuples(st.integers(1, 3), st.integers(1, 3)),
        "dilation": st.tuples(st.integers(1, 2), st.integers(1, 2)),
        "padding": st.tuples(st.integers(0, 2), st.integers(0, 2)),
        "groups": st.sampled_from([1, 2]),
    }
)


def window_of(case: dict[str, Any]) -> Window:
    rows, columns = case["padding"]
    return Window(case["kernel"], case["stride"], case["dilation"], (rows, rows, columns, columns))


@settings(max_examples=60, deadline=None)
@given(CASES)
def test_convolutions_have_pytorchs_sizes(case: dict[str, Any]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    extents = [d * (k - 1) + 1 for d, k in zip(case["dilation"], case["kernel"], strict=True)]
    assume(all(e <= s + 2 * p for e, s, p in zip(extents, case["size"], case["padding"], strict=True)))
    given_map = source(4, *case["size"])
    keys = {key: case[key] for key in ("stride", "padding", "dilation", "groups")}
    theirs = torch.nn.Conv2d(4, 6, case["kernel"], **keys)(torch.zeros(1, 4, *case["size"])).shape
    ours = shapes.conv("c", given_map, 6, window_of(case), case["groups"]).out_shape
    assert tuple(theirs[1:]) == (ours.channels, ours.height, ours.width)


@settings(max_examples=60, deadline=None)
@given(CASES, st.tuples(st.integers(0, 2), st.integers(0, 2)))
def test_transposed_convolutions_have_pytorchs_sizes(case: dict[str, Any], extra: tuple[int, int]) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    assume(all(e < max(s, d) for e, s, d in zip(extra, case["stride"], case["dilation"], strict=True)))
    keys = {key: case[key] for key in ("stride", "padding", "dilation", "groups")}
    module = torch.nn.ConvTranspose2d(4, 6, case["kernel"], output_padding=extra, **keys)
    try:
        theirs = tuple(module(torch.zeros(1, 4, *case["size"])).shape[1:])
    except RuntimeError:  # an output without rows or columns
        theirs = ()
    try:
        ours = shapes.conv_transpose(
            "t", source(4, *case["size"]), 6, window_of(case), case["groups"], extra
        ).out_shape
    except WccsimError:
        assert not theirs or min(theirs) < 1
    else:
        assert theirs == (ours.channels, ours.height, ours.width)


@settings(max_examples=60, deadline=None)
@given(CASES, st.booleans())
def test_pooling_has_pytorchs_sizes(case: dict[str, Any], ceil: bool) -> None:
    torch = pytest.importorskip("torch", reason="PyTorch is not installed")
    extents = [d * (k - 1) + 1 for d, k in zip(case["dilation"], case["kernel"], strict=True)]
    assume(all(e <= s + 2 * p for e, s, p in zip(extents, case["size"], case["padding"], strict=True)))
    assume(
        all(2 * p <= k for p, k in zip(case["padding"], case["kernel"], strict=True))
    )  # PyTorch's own rule
    keys = {key: case[key] for key in ("stride", "padding", "dilation")}
    theirs = torch.nn.MaxPool2d(case["kernel"], ceil_mode=ceil, **keys)(
        torch.zeros(1, 4, *case["size"])
    ).shape
    ours = shapes.pool("p", "max_pool", source(4, *case["size"]), window_of(case), ceil).out_shape
    assert tuple(theirs[1:]) == (ours.channels, ours.height, ours.width)


def test_elementwise_broadcasts_as_numpy_does() -> None:
    numpy = pytest.importorskip("numpy")
    for first, second in product(product((1, 3), (1, 4), (1, 5)), repeat=2):
        layers = [source(*first, name="a"), source(*second, name="b")]
        ours = shapes.elementwise("s", "add", layers).out_shape
        assert numpy.broadcast_shapes(first, second) == (ours.channels, ours.height, ours.width)
    with pytest.raises(WccsimError, match="given: a 3x4x5, b 2x4x5"):
        shapes.elementwise("s", "add", [source(3, 4, 5, "a"), source(2, 4, 5, "b")])


def test_matmul_counts_m_n_k() -> None:
    layer = shapes.matmul("m", [source(12, 7, 1)], 20, groups=4, bias=True)
    assert layer.macs == 4 * (3 * 5 * 7)
    assert layer.params == 4 * 3 * 5 + 20
    of_maps = shapes.matmul("m", [source(12, 7, 1, "a"), source(20, 3, 1, "b")], 20, groups=4)
    assert (of_maps.macs, of_maps.params) == (layer.macs, 0)


REFUSED = {
    "3 groups do not divide the 4 input channels": lambda: shapes.conv("c", source(4, 4, 4), 6, Window(), 3),
    "4 groups do not divide the 6 output channels": lambda: shapes.conv("c", source(4, 4, 4), 6, Window(), 4),
    "kernel extent 9 is larger than the padded input of 6": lambda: shapes.conv(
        "c", source(1, 4, 4), 1, Window((5, 1), dilation=(2, 1), padding=(1, 1, 0, 0))
    ),
    "padding 'symmetric' needs an odd extent": lambda: shapes.conv(
        "c", source(1, 4, 4), 1, Window((2, 2), padding="symmetric")
    ),
    "a transposed convolution needs numbers": lambda: shapes.conv_transpose(
        "c", source(1, 4, 4), 1, Window((2, 2), padding="same")
    ),
    "it must be smaller than stride or dilation": lambda: shapes.conv_transpose(
        "c", source(1, 4, 4), 1, Window((2, 2)), 1, (1, 0)
    ),
    "every size must be at least 1": lambda: shapes.conv_transpose(
        "c", source(1, 1, 1), 1, Window((2, 2), padding=(1, 1, 1, 1))
    ),
    "allowed: at most": lambda: shapes.pad("p", source(1, 4, 4), (MAX_SIZE, 0, 0, 0)),
    "has 48 values and cannot become 5x1x1 with 5": lambda: shapes.mapped(
        "r", "reshape", source(3, 4, 4), Shape(5, 1, 1)
    ),
    "no size may grow": lambda: shapes.mapped("r", "slice", source(3, 4, 4), Shape(3, 5, 4)),
    "makes it smaller": lambda: shapes.mapped("r", "upsample", source(3, 4, 4), Shape(3, 3, 4)),
    "one height and width; given: a 1x2x2, b 1x2x3": lambda: shapes.concat(
        "c", [source(1, 2, 2, "a"), source(1, 2, 3, "b")]
    ),
    "flatten it first": lambda: shapes.fully_connected("f", source(1, 2, 2), 3),
    "reshape it first": lambda: shapes.matmul("m", [source(1, 2, 2)], 3),
    "needs a second map of 6x2x1": lambda: shapes.matmul("m", [source(4, 5, 1), source(6, 3, 1)], 6, 2),
}


@pytest.mark.parametrize("said", REFUSED)
def test_what_cannot_be_is_refused(said: str) -> None:
    with pytest.raises(WccsimError) as caught:
        REFUSED[said]()
    assert said in str(caught.value)


def test_only_what_is_the_same_for_every_size_is_declared_by_the_module() -> None:
    """(before, after, declared): stride 1 and an odd kernel; else the framework pads at run time."""
    found = [
        Window((kernel, kernel), (stride, stride), padding="same").axis(0, 8)
        for kernel, stride in ((3, 1), (2, 1), (3, 2))
    ]
    assert found == [(1, 1, 2), (0, 1, 0), (0, 1, 0)]


def test_a_transposed_convolution_declares_rows_and_columns_apart() -> None:
    source = Layer("input", "input", (), Shape(2, 8, 8), Shape(2, 8, 8))
    made = shapes.conv_transpose("up", source, 3, Window((4, 4), (2, 2), padding=(1, 0, 2, 1)))
    assert made.module_padding == (1, 3)
    assert made.out_shape == Shape(3, 7 * 2 + 4 - 1, 7 * 2 + 4 - 3)
