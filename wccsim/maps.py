"""Feature maps from npz and npy files, read without trusting the file.

An npz holds `x` int8, uint8 or int16 [C, H, W] and `x_scale` (the real value is x * x_scale); where the map
feeds a 1x1 convolution also `w` int8 [O, C], `w_scale` [O], `bias` float [O] (real units) and `act`
("relu6", "relu" or "none", what follows the convolution). Other members are ignored. An npy holds `x` alone.

No pickle is ever loaded; a member's shape, type and size are checked from its header before a byte of
its data is unpacked, so that neither a zip bomb nor a false header can take more than `MAX_BYTES`.
"""

from __future__ import annotations

import hashlib
import io
import math
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from tokenize import TokenError
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError
from wccsim.files import read_bytes, replacing
from wccsim.quantise import SMALLEST_SCALE, quantise_weights

MAX_BYTES = 1 << 31  # of one unpacked array
MAX_HEADER_BYTES = 10_000
ALLOWED = ("int8", "uint8", "int16")
MEMBERS = ("x", "x_scale", "w", "w_scale", "bias", "act")
ACTIVATIONS = ("none", "relu", "relu6")
# What numpy's header parser lets through for hostile text.
_BAD_HEADER = (
    ValueError,
    KeyError,
    OverflowError,
    SyntaxError,
    TypeError,
    RecursionError,
    MemoryError,
    TokenError,
)


@dataclass(frozen=True, slots=True)
class FeatureMap:
    """One feature map and, where it feeds a 1x1 convolution, that convolution's weights.

    x: int8, uint8 or int16 [C, H, W]; the real value is x * x_scale. weights: int8 [O, C] with the real value
    w * weight_scale[o]; bias: float64 [O] in real units. All three are None for a map alone.
    sha256 names the file's content.
    """

    x: npt.NDArray[Any]
    x_scale: float
    weights: npt.NDArray[np.int8] | None
    weight_scale: npt.NDArray[np.float64] | None
    bias: npt.NDArray[np.float64] | None
    act: str
    name: str
    sha256: str

    @property
    def in_bits(self) -> int:
        """Width of the signed word that carries a value: an unsigned u-bit map needs u + 1."""
        return 8 * self.x.dtype.itemsize + (self.x.dtype.kind == "u")


def load_map(path: Path | str, *, scale: float | None = None) -> FeatureMap:
    """The feature map in `path` (.npz or .npy); `scale` is the real value of 1 in an npy (default 1).

    Raises WccsimError, one line naming the file, for anything that is not such a map: a missing, truncated or
    hostile file, a pickle, a float or empty array, a scale that is not positive and finite.
    """
    path = Path(path)
    content = read_bytes(path, MAX_BYTES)
    sha256 = hashlib.sha256(content).hexdigest()
    try:
        if content[:6] == b"\x93NUMPY":
            members: dict[str, npt.NDArray[Any]] = {"x": _array(content, "x")}
            members["x_scale"] = np.asarray(1.0 if scale is None else scale)
        elif scale is not None:
            raise WccsimError("a scale is only for npy files; an npz holds x_scale")
        else:
            members = _members(content, MEMBERS)
        return _feature_map(members, path.stem, sha256)
    except WccsimError as problem:
        raise WccsimError(f"{path}: {problem}") from None


def with_weights(feature_map: FeatureMap, path: Path | str) -> FeatureMap:
    """The map with the 1x1 convolution whose weights are the npy at `path`: no bias, no activation.

    int8 [O, C] or [O, C, 1, 1] is taken as it is, with scale 1; floats are quantised to 8 bits, one
    scale per output channel. Raises WccsimError, one line naming the file, for anything else, and where
    the map has weights of its own.
    """
    if feature_map.weights is not None:
        raise WccsimError(f"{feature_map.name} holds its own weights w; {path} is not needed")
    try:
        content = read_bytes(path, MAX_BYTES)
        weights = _array(content, "weights")
        channels = feature_map.x.shape[0]
        if weights.ndim == 4 and weights.shape[2:] == (1, 1):
            weights = weights.reshape(weights.shape[:2])
        if weights.ndim != 2 or not weights.size or weights.shape[1] != channels:
            raise WccsimError(f"weights have shape {weights.shape}; allowed: [O, {channels}] for this map")
        if weights.dtype.kind == "f":
            codes, scale = quantise_weights(weights.astype(np.float32))
        elif weights.dtype == np.int8:
            codes, scale = np.ascontiguousarray(weights), np.ones(len(weights), np.float32)
        else:
            raise WccsimError(f"weights have type {weights.dtype}; allowed: int8, float32, float64")
    except WccsimError as problem:
        text = str(problem)
        raise WccsimError(text if str(path) in text else f"{path}: {text}") from None
    outputs = len(codes)
    return replace(feature_map, weights=codes, weight_scale=scale.astype(np.float64), bias=np.zeros(outputs))


def write_arrays(path: Path, arrays: dict[str, Any]) -> None:
    """Write `arrays` as a compressed npz, whole or not at all."""
    with replacing(path) as temporary, temporary.open("wb") as stream:
        np.savez_compressed(stream, **arrays)


def read_npz(path: Path | str, names: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """The arrays called `names` that the npz at `path` holds, read as carefully as a feature map.

    Raises WccsimError, one line naming the file; a name that is missing is left out.
    """
    try:
        return _members(read_bytes(path, MAX_BYTES), names)
    except WccsimError as problem:
        text = str(problem)
        raise WccsimError(text if str(path) in text else f"{path}: {text}") from None


def npz_names(content: bytes) -> tuple[str, ...]:
    """The names of the arrays in the bytes of an npz. WccsimError, one line, where they are none."""
    with _archive(content) as archive:
        names = archive.namelist()
    return tuple(name.removesuffix(".npy") for name in names if name.endswith(".npy"))


@contextmanager
def _archive(content: bytes) -> Iterator[zipfile.ZipFile]:
    """The zip archive of these bytes; whatever is wrong with it while it is read is told in one line."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            yield archive
    except (
        zipfile.BadZipFile, zlib.error, EOFError, ValueError, NotImplementedError, RuntimeError, OSError,
    ) as problem:  # fmt: skip
        raise WccsimError(f"not a readable npz file ({problem})") from None


def _members(content: bytes, wanted: tuple[str, ...]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of an npz that are called `wanted`."""
    found = {}
    with _archive(content) as archive:
        for name in wanted:
            try:
                info = archive.getinfo(f"{name}.npy")
            except KeyError:
                continue
            if info.file_size > MAX_BYTES:
                raise WccsimError(f"array {name!r} unpacks to {info.file_size} bytes; at most {MAX_BYTES}")
            found[name] = _member(archive, info, name)
    return found


def _member(archive: zipfile.ZipFile, info: zipfile.ZipInfo, name: str) -> npt.NDArray[Any]:
    """One array of the archive: its header is checked before the rest is unpacked."""
    with archive.open(info) as stream:
        _header(stream.read(MAX_HEADER_BYTES + 16), name, info.file_size)
    return _array(archive.read(info), name)


def _header(start: bytes, name: str, size_bytes: int) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """(shape, Fortran order, dtype, offset of the data); refuses what is not plain numbers of that size."""
    stream = io.BytesIO(start)
    read = {(1, 0): np.lib.format.read_array_header_1_0, (2, 0): np.lib.format.read_array_header_2_0}
    try:
        magic = np.lib.format.read_magic(stream)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of headers written by Python 2, which are read all the same
            shape, fortran, dtype = read[magic](stream, max_header_size=MAX_HEADER_BYTES)
    except _BAD_HEADER:
        raise WccsimError(f"array {name!r} has no readable npy header") from None
    if dtype.hasobject or dtype.kind not in "biufU":
        raise WccsimError(f"array {name!r} has type {dtype}; only plain numbers are read, never pickles")
    if any(extent < 0 for extent in shape):
        raise WccsimError(f"array {name!r} has the shape {shape}")
    if math.prod(shape) * dtype.itemsize != size_bytes - stream.tell():
        raise WccsimError(f"array {name!r} is truncated or its header is false: shape {shape} of {dtype}")
    return shape, fortran, dtype, stream.tell()


def _array(content: bytes, name: str) -> npt.NDArray[Any]:
    """The array in the npy bytes `content`."""
    start = content[: MAX_HEADER_BYTES + 16]
    shape, fortran, dtype, offset = _header(start, name, len(content))
    flat = np.frombuffer(content, dtype, offset=offset)
    return flat.reshape(shape, order="F" if fortran else "C")


def _feature_map(found: dict[str, npt.NDArray[Any]], name: str, sha256: str) -> FeatureMap:
    """The checked map made of the arrays `found`."""
    if "x" not in found or "x_scale" not in found:
        raise WccsimError("a feature map needs the arrays x and x_scale")
    x = found["x"]
    if x.dtype.newbyteorder("=").name not in ALLOWED:
        raise WccsimError(
            f"x has type {x.dtype}; allowed: {', '.join(ALLOWED)} (quantise float maps first: "
            "wccsim.quantise.quantise_map gives the integers and their scale)"
        )
    if x.ndim != 3 or not x.size:
        raise WccsimError(f"x has shape {x.shape}; allowed: [C, H, W] with no empty axis")
    x = np.ascontiguousarray(x, x.dtype.newbyteorder("="))
    x_scale = float(_positive(found["x_scale"], "x_scale", 1)[0])
    act = str(found["act"]) if "act" in found else "none"
    if act not in ACTIVATIONS:
        raise WccsimError(f"act is {act[:40]!r}; allowed: {', '.join(ACTIVATIONS)}")
    if "w" not in found:
        return FeatureMap(x, x_scale, None, None, None, act, name, sha256)
    weights = found["w"]
    if weights.dtype != np.int8 or weights.ndim != 2 or not weights.size or weights.shape[1] != x.shape[0]:
        raise WccsimError(f"w is {weights.dtype} {weights.shape}; allowed: int8 [O, {x.shape[0]}]")
    if "w_scale" not in found:
        raise WccsimError("w needs w_scale")
    outputs = weights.shape[0]
    weight_scale = _positive(found["w_scale"], "w_scale", outputs)
    bias = _finite(found.get("bias", np.zeros(outputs)), "bias", outputs)
    return FeatureMap(x, x_scale, np.ascontiguousarray(weights), weight_scale, bias, act, name, sha256)


def _finite(values: npt.NDArray[Any], name: str, count: int) -> npt.NDArray[np.float64]:
    if values.size != count or values.dtype.kind not in "iuf":
        raise WccsimError(f"{name} is {values.dtype} {values.shape}; allowed: {count} real number(s)")
    flat = values.astype(np.float64).reshape(count)
    if not np.isfinite(flat).all():
        raise WccsimError(f"{name} holds a value that is not finite")
    return flat


def _positive(values: npt.NDArray[Any], name: str, count: int) -> npt.NDArray[np.float64]:
    flat = _finite(values, name, count)
    if not (flat > 0).all():
        raise WccsimError(f"{name} holds {flat.min()}; a scale is positive")
    wrong = flat[(flat <= SMALLEST_SCALE) | (flat >= 1 / SMALLEST_SCALE)]
    if wrong.size:
        raise WccsimError(f"{name} holds {wrong[0]:g}; allowed: {SMALLEST_SCALE:g} to {1 / SMALLEST_SCALE:g}")
    return flat
