"""Feature maps out of an ONNX model: the inputs of its convolutions, run on images, quantised to 8 bits.

Needs the extra `onnx` (onnx, onnxruntime, pillow).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.maps import write_arrays
from wccsim.quantise import quantise_map, quantise_weights

_LAYERS_PER_RUN = 8  # bounds the memory for outputs; the model is run once for so many layers
_MAX_MODEL_BYTES = 1 << 31


@dataclass(frozen=True, slots=True)
class Preprocessing:
    """How a photograph becomes the model's input: (pixel - mean) / deviation, RGB, pixels 0..255."""

    mean: tuple[float, ...] = (127.5,)
    deviation: tuple[float, ...] = (127.5,)
    size: tuple[int, int] | None = None  # height, width; None: the model's own, else the image's

    def __post_init__(self) -> None:
        for name, values in (("mean", self.mean), ("deviation", self.deviation)):
            if len(values) not in (1, 3) or not np.isfinite(values).all():
                raise WccsimError(f"{name} is {values}; allowed: one finite number, or three for R, G, B")
        if min(self.deviation) <= 0:
            raise WccsimError(f"deviation is {self.deviation}; allowed: positive numbers")


@dataclass(frozen=True, slots=True)
class Pointwise:
    """A convolution whose input is wanted. weights and bias are None where it is not a plain 1x1.

    number: its place among the model's convolutions, from 0: the depth.
    """

    number: int
    name: str
    tensor: str
    weights: npt.NDArray[np.float32] | None
    bias: npt.NDArray[np.float32] | None
    act: str


@dataclass(frozen=True, slots=True)
class Plan:
    """A model, checked: the convolutions, the input's name, its fixed height and width or None."""

    model: Any
    layers: tuple[Pointwise, ...]
    input_name: str
    fixed_size: tuple[int | None, int | None]


def plan_extraction(model_path: Path | str, layers: str | None = None) -> Plan:
    """Read and check an ONNX model; `layers` is a glob over convolution, weight and input tensor names.

    Without it: every 1x1 convolution with one group and stride 1. With it: every convolution that matches.
    """
    onnx = _extra("onnx")
    content = read_bytes(model_path, _MAX_MODEL_BYTES)
    try:
        model = onnx.load_model_from_string(content)
        onnx.load_external_data_for_model(model, str(Path(model_path).parent))
        onnx.checker.check_model(model)
    except Exception as problem:  # protobuf, onnx and the checker share no base class
        raise WccsimError(f"{model_path}: not a usable ONNX model ({_first_line(problem)})") from None
    graph = model.graph
    constants = {tensor.name for tensor in graph.initializer}
    inputs = [entry for entry in graph.input if entry.name not in constants]
    dims = [d.dim_value or None for d in inputs[0].type.tensor_type.shape.dim] if inputs else []
    if len(inputs) != 1 or len(dims) != 4 or dims[1] not in (None, 3):
        raise WccsimError(
            f"{model_path}: it has {len(inputs)} inputs, the first of {dims}; allowed: one image [N, 3, H, W]"
        )
    found = tuple(_convolutions(onnx, graph, layers))
    if not found:
        known = [node.name or node.output[0] for node in graph.node if node.op_type == "Conv"]
        wanted = f"matches {layers!r}" if layers else "is 1x1 with one group and stride 1"
        raise WccsimError(
            f"{model_path}: none of its {len(known)} convolutions {wanted}; "
            f"they are named {', '.join(known[:4])} ..."
        )
    return Plan(model, found, inputs[0].name, (dims[2], dims[3]))


def extract(plan: Plan, images: list[Path], folder: Path, preprocessing: Preprocessing) -> Iterator[Path]:
    """Run the model on each image and write one npz a layer and image into `folder`; yields each path.

    A name tells the image, the convolution's number and name and the shape: names sort by depth. An npz holds
    x, x_scale and, for a plain 1x1 convolution, w, w_scale, bias and act (see `wccsim.maps`).
    """
    stems = [image.stem for image in images]
    if len(set(stems)) < len(stems):
        raise WccsimError("two images have the same name; their maps would overwrite each other")
    for image in images:
        with _opened(image):
            pass  # what is no image is found before the first map is written
    groups = [plan.layers[i : i + _LAYERS_PER_RUN] for i in range(0, len(plan.layers), _LAYERS_PER_RUN)]
    sessions = [_session(plan, group) for group in groups]
    for image in images:
        data = load_image(image, preprocessing, plan.fixed_size)
        try:
            folder.mkdir(parents=True, exist_ok=True)
        except OSError as problem:
            raise WccsimError(f"cannot write {folder}: {problem.strerror}") from None
        for group, session in zip(groups, sessions, strict=True):
            for layer, map_ in zip(group, _run(session, plan.input_name, data, group, image), strict=True):
                yield _write(folder, image, layer, map_)


def load_image(
    path: Path, preprocessing: Preprocessing, fixed_size: tuple[int | None, int | None] = (None, None)
) -> npt.NDArray[np.float32]:
    """The image as float32 [1, 3, H, W].

    With a size, the image is scaled (bicubic) to cover it and cut to its centre; without one, and where the
    model leaves the size open, the image is cut to the multiples of 32 that fit.
    """
    resampling = _extra("PIL.Image").Resampling.BICUBIC
    with _opened(path) as opened:
        picture = opened.convert("RGB")
    wanted = preprocessing.size or fixed_size
    height, width = (
        w or max(32, side // 32 * 32) for w, side in zip(wanted, picture.size[::-1], strict=True)
    )
    scale = max(height / picture.height, width / picture.width)
    if scale > 1 or preprocessing.size:
        size = (max(width, round(picture.width * scale)), max(height, round(picture.height * scale)))
        picture = picture.resize(size, resampling)
    left, top = (picture.width - width) // 2, (picture.height - height) // 2
    pixels = np.asarray(picture.crop((left, top, left + width, top + height)), np.float32)
    mean = np.array(preprocessing.mean, np.float32)
    deviation = np.array(preprocessing.deviation, np.float32)
    return np.ascontiguousarray(((pixels - mean) / deviation).transpose(2, 0, 1)[None])


@contextmanager
def _opened(path: Path) -> Iterator[Any]:
    """The image, its header read; WccsimError where opening it, or decoding it in the block, fails."""
    images, errors = _extra("PIL.Image"), _extra("PIL")
    try:
        with images.open(path) as opened:
            yield opened
    except (
        OSError,
        errors.UnidentifiedImageError,
        images.DecompressionBombError,
        ValueError,
        SyntaxError,
    ) as problem:
        reason = getattr(problem, "strerror", None) or "not an image that Pillow can read"
        raise WccsimError(f"cannot read {path}: {reason}") from None


def _convolutions(onnx: Any, graph: Any, glob: str | None) -> Iterator[Pointwise]:
    """The wanted convolutions in graph order, each input tensor once a convolution."""
    constants = {tensor.name: tensor for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant" and node.attribute and node.attribute[0].name == "value":
            constants[node.output[0]] = node.attribute[0].t
    for number, node in enumerate(node for node in graph.node if node.op_type == "Conv"):
        attributes = {a.name: onnx.helper.get_attribute_value(a) for a in node.attribute}
        weights = _constant(onnx, constants, node.input[1])
        plain = (
            weights is not None
            and weights.shape[2:] == (1, 1)
            and attributes.get("group", 1) == 1
            and set(attributes.get("strides", [1])) == {1}
            and not any(attributes.get("pads", [0]))
        )
        name = node.name or node.output[0]
        names = (name, node.input[0], node.input[1], node.output[0])
        if any(fnmatchcase(n, glob) for n in names) if glob else plain:
            bias = _constant(onnx, constants, node.input[2]) if len(node.input) > 2 and plain else None
            matrix = weights[:, :, 0, 0] if plain and weights is not None else None
            act = _activation(onnx, graph, constants, node.output[0])
            yield Pointwise(number, name, node.input[0], matrix, bias, act)


def _constant(onnx: Any, constants: dict[str, Any], name: str) -> npt.NDArray[np.float32] | None:
    if name not in constants:
        return None
    array: npt.NDArray[Any] = onnx.numpy_helper.to_array(constants[name])
    return array.astype(np.float32)


def _activation(onnx: Any, graph: Any, constants: dict[str, Any], tensor: str) -> str:
    """What reads `tensor`: "relu", "relu6" or "none" (anything else)."""
    readers = [node for node in graph.node if tensor in node.input]
    if len(readers) != 1:
        return "none"
    if readers[0].op_type == "Relu":
        return "relu"
    bounds = [_constant(onnx, constants, name) for name in readers[0].input[1:3]]
    six = readers[0].op_type == "Clip" and [None if b is None else float(b) for b in bounds] == [0.0, 6.0]
    return "relu6" if six else "none"


def _session(plan: Plan, group: tuple[Pointwise, ...]) -> Any:
    """A runtime session of the model whose outputs are the tensors of `group`."""
    onnx, runtime = _extra("onnx"), _extra("onnxruntime")
    model = onnx.ModelProto()
    model.CopyFrom(plan.model)
    del model.graph.output[:]
    for tensor in dict.fromkeys(layer.tensor for layer in group):
        model.graph.output.append(onnx.helper.make_empty_tensor_value_info(tensor))
    options = runtime.SessionOptions()
    options.log_severity_level = 4
    try:
        return runtime.InferenceSession(
            model.SerializeToString(), options, providers=["CPUExecutionProvider"]
        )
    except Exception as problem:  # the runtime's errors share no base class but Exception
        raise WccsimError(f"ONNX Runtime refuses the model: {_first_line(problem)}") from None


def _run(
    session: Any, input_name: str, data: npt.NDArray[np.float32], group: tuple[Pointwise, ...], image: Path
) -> list[npt.NDArray[np.float32]]:
    """The maps of `group`, float32 [C, H, W]."""
    tensors = list(dict.fromkeys(layer.tensor for layer in group))
    try:
        outputs = dict(zip(tensors, session.run(tensors, {input_name: data}), strict=True))
    except Exception as problem:  # as above
        raise WccsimError(
            f"{image}: the model does not run on a {data.shape} input: {_first_line(problem)}"
        ) from None
    for name, array in outputs.items():
        if array.ndim != 4:
            raise WccsimError(f"{image}: tensor {name} is not a feature map: shape {array.shape}")
    return [outputs[layer.tensor][0] for layer in group]


def _write(folder: Path, image: Path, layer: Pointwise, map_: npt.NDArray[np.float32]) -> Path:
    """Quantise one map and its weights and write them."""
    try:
        x, x_scale = quantise_map(map_)
        arrays: dict[str, Any] = {"x": x, "x_scale": np.float32(x_scale), "act": np.array(layer.act)}
        if layer.weights is not None:
            weights, scale = quantise_weights(layer.weights)
            bias = np.zeros(len(weights), np.float32) if layer.bias is None else layer.bias
            arrays |= {"w": weights, "w_scale": scale, "bias": bias}
    except WccsimError as problem:
        raise WccsimError(f"{image}, layer {layer.name}: {problem}") from None
    channels, height, width = x.shape
    safe = re.sub(r"[^A-Za-z0-9._-]+", "_", layer.name).strip("_.") or "layer"
    path = folder / f"{image.stem}_op{layer.number:03}_{safe}_c{channels}_{height}x{width}.npz"
    write_arrays(path, arrays)
    return path


def _extra(module: str) -> Any:
    """An optional module, or how to get it."""
    from importlib import import_module

    try:
        return import_module(module)
    except ImportError:
        raise WccsimError(
            f"extracting maps needs {module.partition('.')[0]}: pip install 'wccsim[onnx]'"
        ) from None


def _first_line(problem: Exception) -> str:
    return (str(problem).strip().splitlines() or [type(problem).__name__])[0][:160]
