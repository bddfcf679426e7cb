"""Maps out of a model: what the runtime computes, quantised; every bad input in one line."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.cli import main
from wccsim.errors import WccsimError
from wccsim.maps import load_map
from wccsim.quantise import quantise_map, quantise_weights

onnx = pytest.importorskip("onnx", reason="extraction needs the extra onnx")
runtime = pytest.importorskip("onnxruntime", reason="extraction needs the extra onnx")
images = pytest.importorskip("PIL.Image", reason="extraction needs the extra onnx")


@pytest.fixture
def model(tmp_path: Path) -> Path:
    """image -> 3x3 stride 2 -> relu -> 1x1 -> clip 0..6 -> depthwise 3x3 -> 1x1 -> out."""
    rng = np.random.default_rng(7)
    node, tensor = onnx.helper.make_node, onnx.numpy_helper.from_array
    shapes = {"w0": (4, 3, 3, 3), "w1": (6, 4, 1, 1), "b1": (6,), "w2": (6, 1, 3, 3), "w3": (2, 6, 1, 1)}
    constants = {name: rng.standard_normal(shape).astype(np.float32) for name, shape in shapes.items()}
    constants |= {"zero": np.float32(0), "six": np.float32(6)}
    graph = onnx.helper.make_graph(
        [
            node("Conv", ["image", "w0"], ["a"], "stem", strides=[2, 2], pads=[1, 1, 1, 1]),
            node("Relu", ["a"], ["b"]),
            node("Conv", ["b", "w1", "b1"], ["c"], "expand"),
            node("Clip", ["c", "zero", "six"], ["d"]),
            node("Conv", ["d", "w2"], ["e"], "depthwise", group=6, pads=[1, 1, 1, 1]),
            node("Conv", ["e", "w3"], ["out"], "project"),
        ],
        "net",
        [onnx.helper.make_tensor_value_info("image", 1, ["n", 3, "h", "w"])],
        [onnx.helper.make_tensor_value_info("out", 1, ["n", 2, "i", "j"])],
        [tensor(np.asarray(value), name) for name, value in constants.items()],
    )
    built = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 17)], ir_version=8)
    onnx.save(built, tmp_path / "net.onnx")
    pixels = rng.integers(0, 256, (50, 70, 3), dtype=np.uint8)
    images.fromarray(pixels).save(tmp_path / "photo.png")
    return tmp_path / "net.onnx"


def run(*arguments: Any) -> Any:
    return CliRunner().invoke(main, ["extract", *map(str, arguments)])


def test_the_inputs_of_the_pointwise_convolutions(model: Path) -> None:
    folder = model.parent
    result = run(model, folder / "photo.png", "-o", folder / "maps")
    assert result.exit_code == 0 and "2 maps of 2 layers" in result.output
    assert sorted(path.name for path in (folder / "maps").iterdir()) == [
        "photo_op001_expand_c4_16x32.npz",
        "photo_op003_project_c6_16x32.npz",
    ]
    found = load_map(folder / "maps" / "photo_op001_expand_c4_16x32.npz")
    assert found.x.dtype == np.uint8 and found.act == "relu6" and found.weights is not None
    assert load_map(folder / "maps" / "photo_op003_project_c6_16x32.npz").x.dtype == np.int8
    # The stranger: the runtime's own tensor, on the image cut by hand.
    pixels = np.asarray(images.open(folder / "photo.png"), np.float32)[9:41, 3:67]
    loaded = onnx.load(model)
    for name in "bc":
        loaded.graph.output.append(onnx.helper.make_empty_tensor_value_info(name))
    session = runtime.InferenceSession(loaded.SerializeToString())
    b, c = session.run(["b", "c"], {"image": (pixels.transpose(2, 0, 1)[None] - 127.5) / np.float32(127.5)})
    step = found.x_scale
    inside = b[0] < 255 * step
    assert np.abs(found.x * step - b[0])[inside].max() <= 0.5001 * step
    assert found.weight_scale is not None and found.bias is not None
    real = found.weights * found.weight_scale[:, None]
    ours = np.einsum("oc,chw->ohw", real, found.x * step) + found.bias[:, None, None]
    assert 10 * np.log10(np.mean(c[0] ** 2) / np.mean((ours - c[0]) ** 2)) > 30


def test_a_glob_takes_any_convolution_and_only_pointwise_ones_bring_weights(model: Path) -> None:
    folder = model.parent
    assert run(model, folder / "photo.png", "-o", folder / "maps", "--layers", "depth*").exit_code == 0
    (path,) = (folder / "maps").iterdir()
    assert path.name.startswith("photo_op002_depthwise") and load_map(path).weights is None


def test_resize_covers_and_cuts_the_centre(model: Path) -> None:
    folder = model.parent
    result = run(model, folder / "photo.png", "-o", folder / "m", "--resize", "24x96", "--mean", "0,0,0")
    assert result.exit_code == 0
    assert (folder / "m" / "photo_op001_expand_c4_12x48.npz").exists()


def test_what_is_wrong_is_said_in_one_line(model: Path) -> None:
    folder, photo = model.parent, model.parent / "photo.png"
    (folder / "bad.png").write_bytes(photo.read_bytes()[:200])
    (folder / "bad.onnx").write_bytes(model.read_bytes()[:100])
    (folder / "again").mkdir()
    (folder / "again" / "photo.png").write_bytes(photo.read_bytes())
    (folder / "file").write_text("")
    cases = [
        ((folder / "none.onnx", photo), "No such file"),
        ((folder / "bad.onnx", photo), "not a usable ONNX model"),
        ((photo, photo), "not a usable ONNX model"),
        ((folder, photo), "directory"),
        ((model, folder / "none.png"), "No such file"),
        ((model, folder / "bad.png"), "not an image"),
        ((model, model), "not an image"),
        ((model, photo, folder / "again" / "photo.png"), "same name"),
        ((model, photo, "--layers", "x*"), "none of its 4 convolutions matches 'x*'"),
        ((model, photo, "--resize", "12"), "allowed: HxW"),
        ((model, photo, "--mean", "a"), "allowed: one number"),
        ((model, photo, "--std", "0"), "allowed: positive numbers"),
        ((model, photo, "--std", "1,-1,1"), "allowed: positive numbers"),
        ((model, photo, "--mean", "1,2"), "three for R, G, B"),
    ]
    for arguments, said in cases:
        result = run(*arguments, "-o", folder / "maps")
        assert result.exit_code == 2 and said in result.output and result.output.count("\n") == 1, (
            result.output
        )
        assert not (folder / "maps").exists()  # nothing was begun
    result = run(model, photo, "-o", folder / "file")
    assert result.exit_code == 2 and "cannot write" in result.output


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 1000), spread=st.sampled_from([1e-3, 1.0, 1e4]), signed=st.booleans())
def test_no_clip_of_the_grid_quantises_better(seed: int, spread: float, signed: bool) -> None:
    """The histogram may only cost the last percent."""
    x = (np.random.default_rng(seed).standard_normal((3, 9, 11)) ** 3 * spread).astype(np.float32)
    x = x if signed else np.abs(x)
    found, scale = quantise_map(x)
    error = np.square(x - found * scale).sum()
    top, peak = (127 if x.min() < 0 else 255), np.abs(x).max()
    for i in range(1, 61):
        step = peak * i / 60 / top
        assert error <= 1.01 * np.square(x - step * np.clip(np.rint(x / step), -top, top)).sum()


def test_degenerate_maps_and_weights() -> None:
    found, scale = quantise_map(np.zeros((1, 2, 2), np.float32))
    assert not found.any() and scale == 1
    with pytest.raises(WccsimError, match="not finite"):
        quantise_map(np.full((1, 1, 1), np.nan, np.float32))
    weights, scales = quantise_weights(np.array([[0, 0], [1, -3]], np.float32))
    assert weights.tolist() == [[0, 0], [42, -127]] and scales[0] == 1
