"""Real weights for the layers of a stack: npz files, saved layers and ONNX models, matched to the layers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError
from wccsim.files import read_bytes
from wccsim.maps import MAX_BYTES, npz_names, read_npz
from wccsim.quantise import quantise_weights

if TYPE_CHECKING:
    from wccsim.network.model import Layer

Matrix = npt.NDArray[np.int8]
ALLOWED = (
    "an npz with arrays [O, C] or [O, C, 1, 1] of int8 or floats, a saved layer, a map with w, an ONNX model"
)
LIMIT = 127  # 8-bit weights on the symmetric grid


@dataclass(frozen=True, slots=True)
class Found:
    """One weight matrix, int8 [O, C], and the name that its file gives it, where it gives one."""

    name: str
    matrix: Matrix


@dataclass(frozen=True, slots=True)
class Weights:
    """Weights by layer name, and a line for each file that says what was taken from it."""

    by_layer: dict[str, Matrix]
    lines: tuple[str, ...]


def read_weights(given: Sequence[str], layers: Sequence[Layer]) -> Weights:
    """The weights in the files, each FILE or LAYER=FILE, for the dense 1x1 layers of a network.

    LAYER=FILE gives one layer the one matrix of the file. Of a FILE, matrices named like a layer go to it,
    others to layers of their shape, so that both orders are kept and as many as possible find one. A
    layer that has weights already is left as it is.

    Raises WccsimError, one line: what a file holds and what is allowed.
    """
    known = {layer.name: layer for layer in layers}
    taken: dict[str, Matrix] = {}
    lines = []
    for text in given:
        layer_name, by, path_text = text.partition("=")
        named = bool(by) and not Path(text).exists()
        path = Path(path_text if named else text)
        found = matrices_in(path)
        if named:
            matched = {layer_name: _only(path, found, layer_name, known)}
        else:
            free = [layer for layer in layers if layer.name not in taken]
            matched = _matched(path, found, free)
        taken |= matched
        lines.append(f"weights: {path}, {len(matched)} of its {len(found)} 1x1 matrices")
    return Weights(taken, tuple(lines))


def shape_of(layer: Layer) -> tuple[int, int]:
    """(outputs, inputs) of a layer's weights."""
    return layer.out_shape.channels, layer.in_shape.channels


def _only(path: Path, found: Sequence[Found], name: str, known: dict[str, Layer]) -> Matrix:
    if name not in known:
        raise WccsimError(f"the network has no 1x1 convolution called {name!r} to give weights to")
    wanted = shape_of(known[name])
    if len(found) != 1 or found[0].matrix.shape != wanted:
        raise WccsimError(f"{path}: it holds {_told(found)}; {name} takes one matrix {wanted}")
    return found[0].matrix


def _matched(path: Path, found: Sequence[Found], layers: Sequence[Layer]) -> dict[str, Matrix]:
    by_name = {layer.name: layer for layer in layers}
    matched = {}
    for one in found:
        if one.name in by_name:
            wanted = shape_of(by_name[one.name])
            if one.matrix.shape != wanted:
                raise WccsimError(f"{path}: {one.name} is {one.matrix.shape}; that layer takes {wanted}")
            matched[one.name] = one.matrix
    rest = [one for one in found if one.name not in matched]
    free = [layer for layer in layers if layer.name not in matched]
    pairs = common_order([one.matrix.shape for one in rest], [shape_of(layer) for layer in free])
    matched |= {free[j].name: rest[i].matrix for i, j in pairs}
    if not matched:
        raise WccsimError(f"{path}: no layer takes what it holds, {_told(found)}")
    return matched


def common_order(left: Sequence[object], right: Sequence[object]) -> list[tuple[int, int]]:
    """Places (i, j) of a longest common subsequence."""
    longest = np.zeros((len(left) + 1, len(right) + 1), np.int64)
    for i in range(len(left) - 1, -1, -1):
        for j in range(len(right) - 1, -1, -1):
            same = left[i] == right[j]
            longest[i, j] = longest[i + 1, j + 1] + 1 if same else max(longest[i + 1, j], longest[i, j + 1])
    i = j = 0
    pairs = []
    while i < len(left) and j < len(right):
        if left[i] == right[j]:
            pairs.append((i, j))
            i, j = i + 1, j + 1
        elif longest[i + 1, j] >= longest[i, j + 1]:
            i += 1
        else:
            j += 1
    return pairs


def _told(found: Sequence[Found]) -> str:
    names = [f"{one.name} {one.matrix.shape}" for one in found[:3]]
    return ", ".join(names) + (f" and {len(found) - 3} more" if len(found) > 3 else "")


def matrices_in(path: Path) -> list[Found]:
    """Every 1x1 weight matrix of a file, in its order."""
    found = _of_onnx(path) if path.suffix == ".onnx" else _of_npz(path)
    for one in found:
        if int(one.matrix.min()) < -LIMIT:
            raise WccsimError(f"{path}: {one.name} reaches -128; 8-bit weights are -{LIMIT} to {LIMIT}")
    return found


def _of_onnx(path: Path) -> list[Found]:
    from wccsim.extract import plan_extraction

    layers = plan_extraction(path).layers
    return [
        Found(layer.name, quantise_weights(layer.weights)[0])
        for layer in layers
        if layer.weights is not None and layer.weights.size
    ]


def _of_npz(path: Path) -> list[Found]:
    content = read_bytes(path, MAX_BYTES)
    try:
        names = npz_names(content)
    except WccsimError as problem:
        raise WccsimError(f"{path}: {problem}; allowed: {ALLOWED}") from None
    if {"header", "weights"} <= set(names):
        from wccsim.datapath.wcc_layer import WCCLayer

        return [Found("weights", WCCLayer.load(path).weights)]
    arrays = read_npz(path, ("w",) if {"x", "w"} <= set(names) else tuple(names))
    found = []
    for name, array in arrays.items():
        plain = array.ndim == 2 or (array.ndim == 4 and array.shape[2:] == (1, 1))
        if not plain or not array.size or (array.dtype != np.int8 and array.dtype.kind != "f"):
            continue
        matrix = array.reshape(array.shape[:2])
        try:
            own = matrix if matrix.dtype == np.int8 else quantise_weights(matrix.astype(np.float32))[0]
        except WccsimError as problem:
            raise WccsimError(f"{path}: {name}: {problem}") from None
        found.append(Found(name, np.ascontiguousarray(own)))
    if not found:
        held = ", ".join(f"{name} {array.dtype} {array.shape}" for name, array in list(arrays.items())[:3])
        raise WccsimError(f"{path}: it holds {held or 'nothing'}; allowed: {ALLOWED}")
    return found
