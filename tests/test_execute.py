"""The float reference really runs the layers; what it counted is what the closed forms say."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from wccsim import WccsimError, load_network
from wccsim.counting.macs import macs, taps, weights
from wccsim.execute import execute_layer, execute_network, random_weights
from wccsim.network import shapes
from wccsim.network.model import Layer, Shape
from wccsim.network.shapes import Window

SMALL = st.integers(1, 3)
PAIR = st.tuples(SMALL, SMALL)
RANDOM = np.random.default_rng(5)


def source(channels: int, height: int, width: int, name: str = "input") -> Layer:
    shape = Shape(channels, height, width)
    return Layer(name, "input", (), shape, shape)


def map_of(layer: Layer) -> np.ndarray:  # type: ignore[type-arg]
    shape = layer.out_shape
    return RANDOM.standard_normal((shape.channels, shape.height, shape.width))


@st.composite
def convolutions(draw: st.DrawFn, transposed: bool = False) -> tuple[Layer, Layer]:
    groups = draw(SMALL)
    before = source(groups * draw(SMALL), draw(st.integers(1, 9)), draw(st.integers(1, 9)))
    rules = [] if transposed else ["valid", "same", "same_lower", "symmetric"]
    numbers = st.tuples(*[st.integers(0, 2)] * 4)
    window = Window(draw(PAIR), draw(PAIR), draw(PAIR), draw(st.one_of(numbers, *map(st.just, rules))))
    build = shapes.conv_transpose if transposed else shapes.conv
    try:
        layer = build("layer", before, groups * draw(SMALL), window, groups)
    except WccsimError:
        assume(False)
    return before, layer


def checked(before: Layer, layer: Layer, *others: np.ndarray) -> None:  # type: ignore[type-arg]
    two_maps = len(layer.inputs) == 2
    done = execute_layer(
        layer, [map_of(before), *others], None if two_maps else random_weights(layer, RANDOM)
    )
    out = layer.out_shape
    assert done.output.shape == (out.channels, out.height, out.width)
    assert done.macs == macs(layer, "true")


@given(convolutions())
@settings(deadline=None, max_examples=150)
def test_a_convolution_does_what_the_closed_form_counts(pair: tuple[Layer, Layer]) -> None:
    checked(*pair)


@given(convolutions(transposed=True))
@settings(deadline=None, max_examples=150)
def test_a_transposed_convolution_does_what_the_closed_form_counts(pair: tuple[Layer, Layer]) -> None:
    checked(*pair)


@given(SMALL, SMALL, SMALL, SMALL)
@settings(deadline=None, max_examples=30)
def test_matrix_products_do_what_the_closed_form_counts(groups: int, k: int, n: int, m: int) -> None:
    before = source(groups * k, m, 1)
    checked(before, shapes.matmul("layer", [before], groups * n, groups))
    second = source(groups * n, k, 1, "second")
    checked(before, shapes.matmul("layer", [before, second], groups * n, groups), map_of(second))
    vector = source(groups * k, 1, 1)
    checked(vector, shapes.fully_connected("layer", vector, n))


@given(convolutions())
@settings(deadline=None, max_examples=80)
def test_the_papers_rule_is_the_true_count_where_the_stride_divides_the_valid_positions(
    pair: tuple[Layer, Layer],
) -> None:
    layer = pair[1]
    assume(sum(layer.padding[:2]) == layer.module_padding[0])
    assume(sum(layer.padding[2:]) == layer.module_padding[1])
    sizes = (layer.in_shape.height, layer.in_shape.width)
    for axis, size in enumerate(sizes):
        valid = size + layer.module_padding[axis] - layer.dilation[axis] * (layer.kernel[axis] - 1)
        assume(valid % layer.stride[axis] == 0)
    assert macs(layer, "paper") == macs(layer, "true")


@given(convolutions())
@settings(deadline=None, max_examples=40)
def test_parameters_are_the_weights_that_ran(pair: tuple[Layer, Layer]) -> None:
    layer = pair[1]
    assert random_weights(layer, RANDOM).size == weights(layer) == taps(layer) * layer.out_shape.channels


@given(convolutions())
@settings(deadline=None, max_examples=40)
def test_values_equal_torch(pair: tuple[Layer, Layer]) -> None:
    torch = pytest.importorskip("torch", reason="the extra `bench` is not installed")
    before, layer = pair
    x, w = map_of(before), random_weights(layer, RANDOM)
    top, bottom, left, right = layer.padding
    padded = torch.nn.functional.pad(torch.from_numpy(x), (left, right, top, bottom))
    theirs = torch.nn.functional.conv2d(
        padded[None],
        torch.from_numpy(w),
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
    )
    ours = execute_layer(layer, [x], w).output
    np.testing.assert_allclose(ours, theirs[0].numpy()[:, : ours.shape[1], : ours.shape[2]], atol=1e-9)


@given(convolutions(transposed=True))
@settings(deadline=None, max_examples=40)
def test_transposed_values_equal_torch(pair: tuple[Layer, Layer]) -> None:
    torch = pytest.importorskip("torch", reason="the extra `bench` is not installed")
    before, layer = pair
    x, w = map_of(before), random_weights(layer, RANDOM)
    outs, ins = layer.out_shape.channels // layer.groups, w.shape[1]
    # torch keeps transposed weights as [in, out / groups, rows, columns].
    theirs_w = w.reshape(layer.groups, outs, ins, *layer.kernel).swapaxes(1, 2)
    theirs_w = theirs_w.reshape(layer.groups * ins, outs, *layer.kernel)
    theirs = torch.nn.functional.conv_transpose2d(
        torch.from_numpy(x)[None],
        torch.from_numpy(theirs_w.copy()),
        stride=layer.stride,
        dilation=layer.dilation,
        groups=layer.groups,
    )[0].numpy()
    top, _, left, _ = layer.padding
    ours = execute_layer(layer, [x], w).output
    np.testing.assert_allclose(
        ours, theirs[:, top : top + ours.shape[1], left : left + ours.shape[2]], atol=1e-9
    )


@pytest.mark.parametrize(
    ("name", "size"), [("mobilenetv2", (32, 48)), ("resnet18", (32, 32)), ("unet", (16, 16))]
)
def test_a_whole_network_runs_and_counts_itself(name: str, size: tuple[int, int]) -> None:
    """Every operator at once; shapes as inferred, every count as predicted, totals the sums."""
    network = load_network(name, input_size=size)
    done = execute_network(network)
    for layer in network.layers:
        out = layer.out_shape
        assert done[layer.name].output.shape == (out.channels, out.height, out.width), layer.name
        assert done[layer.name].macs == macs(layer, "true"), layer.name


def test_an_operator_that_cannot_run_is_named() -> None:
    layer = replace(source(1, 2, 2), name="odd", op="unsupported", inputs=("input",))
    with pytest.raises(WccsimError, match="layer odd: operator unsupported cannot be executed"):
        execute_layer(layer, [np.zeros((1, 2, 2))])


def test_a_layer_too_large_to_execute_is_refused_before_it_starts() -> None:
    before = source(1 << 12, 1 << 10, 1 << 10)
    layer = shapes.conv("huge", before, 1 << 12, Window())
    with pytest.raises(WccsimError, match="layer huge has 17,592,186,044,416 products"):
        execute_layer(layer, [])


def test_missing_weights_are_named() -> None:
    before = source(1, 2, 2)
    with pytest.raises(WccsimError, match="layer c: conv needs weights"):
        execute_layer(shapes.conv("c", before, 1, Window()), [map_of(before)])


@given(st.sampled_from(["max", "average"]), PAIR, PAIR, st.integers(3, 8), st.integers(3, 8))
@settings(deadline=None, max_examples=30)
def test_pooling_equals_torch(
    kind: str, kernel: tuple[int, int], stride: tuple[int, int], height: int, width: int
) -> None:
    torch = pytest.importorskip("torch", reason="the extra `bench` is not installed")
    before = source(2, height, width)
    out = Shape(2, (height - kernel[0]) // stride[0] + 1, (width - kernel[1]) // stride[1] + 1)
    layer = Layer("p", f"{kind}_pool", ("input",), before.out_shape, out, kernel=kernel, stride=stride)
    x = map_of(before)
    theirs = {"max": torch.nn.functional.max_pool2d, "average": torch.nn.functional.avg_pool2d}[kind]
    done = execute_layer(layer, [x])
    np.testing.assert_allclose(done.output, theirs(torch.from_numpy(x)[None], kernel, stride)[0].numpy())
    assert done.macs == 0


def test_upsampling_is_nearest_neighbour_as_torch() -> None:
    torch = pytest.importorskip("torch", reason="the extra `bench` is not installed")
    before = source(2, 3, 5)
    layer = Layer("u", "upsample", ("input",), before.out_shape, Shape(2, 6, 10))
    x = map_of(before)
    theirs = torch.nn.functional.interpolate(torch.from_numpy(x)[None], scale_factor=2, mode="nearest")
    np.testing.assert_array_equal(execute_layer(layer, [x]).output, theirs[0].numpy())
