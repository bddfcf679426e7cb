"""The default feature maps: photographs through a fixed bank of integer filters.

What they are: three photographs that the scikit-image wheel carries (`astronaut`, NASA, public domain;
`coffee` and `chelsea`, CC0, as its data pages state), sent through blocks of a 1x1 channel mix with fixed
pseudo-random weights, 3x3 derivative filters, striding and ReLU, all in integers, then quantised to 8 bits
by the least-error clip. What they are not: activations of a trained network. They keep what matters to a
codec (smooth at high resolution, busier and sparser with depth, correlated channels) and nothing more;
for conclusions about a network, extract its own maps (`wccsim extract`).

Every step is exact integer arithmetic, so that `build` gives the same arrays on every machine; the shipped
npz files in wccsim/data/maps are compared with it by a test.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from wccsim.errors import WccsimError
from wccsim.maps import write_arrays

FOLDER = Path(__file__).parent / "data" / "maps"
IntArray = npt.NDArray[np.int64]

_SMOOTH, _SLOPE, _CURVE = (1, 2, 1), (-1, 0, 1), (-1, 2, -1)
# (vertical, horizontal) factors of the separable 3x3 filters, smoothest first.
_FILTERS = (
    (_SMOOTH, _SMOOTH),
    (_SMOOTH, _SLOPE),
    (_SLOPE, _SMOOTH),
    (_SMOOTH, _SMOOTH),
    (_SLOPE, _SLOPE),
    (_SMOOTH, _CURVE),
    (_CURVE, _SMOOTH),
    (_CURVE, _CURVE),
)
_CLIP_CANDIDATES = 60


@dataclass(frozen=True, slots=True)
class Recipe:
    """One map: the image, its crop, (channels, stride) of each block, ReLU at the end or not."""

    image: str
    height: int
    width: int
    blocks: tuple[tuple[int, int], ...]  # (channels, stride)
    relu: bool
    out_channels: int  # of the 1x1 convolution that reads the map

    @property
    def name(self) -> str:
        """`image_blockN_cC_HxW`, with the sizes of the map itself."""
        height, width = self.height, self.width
        for _, stride in self.blocks:
            height, width = -(-height // stride), -(-width // stride)
        kind = "relu" if self.relu else "linear"
        return f"{self.image}_block{len(self.blocks)}_{kind}_c{self.blocks[-1][0]}_{height}x{width}"


RECIPES = (
    Recipe("astronaut", 512, 512, ((16, 2),), False, 96),
    Recipe("coffee", 400, 600, ((12, 2), (24, 2)), False, 144),
    Recipe("chelsea", 300, 448, ((12, 2), (24, 2)), True, 24),
    Recipe("astronaut", 512, 512, ((16, 2), (24, 2), (32, 2)), False, 192),
    Recipe("coffee", 384, 576, ((16, 2), (24, 2), (32, 2), (64, 2)), True, 64),
    Recipe("chelsea", 224, 224, ((16, 2), (24, 2), (32, 2), (64, 2), (96, 1)), False, 128),
    Recipe("astronaut", 224, 224, ((16, 2), (24, 2), (32, 2), (64, 2), (160, 2)), True, 160),
)


def default_map_paths() -> list[Path]:
    """The shipped npz files, by name."""
    return sorted(FOLDER.glob("*.npz"))


def write_default_maps(folder: Path) -> list[Path]:
    """Build every map and write it as npz into `folder`; needs scikit-image (extra `images`)."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = []
    for recipe in RECIPES:
        path = folder / f"{recipe.name}.npz"
        write_arrays(path, build(recipe, image_of(recipe.image)))
        paths.append(path)
    return paths


def image_of(name: str) -> npt.NDArray[np.uint8]:
    """The photograph, uint8 [height, width, 3], as the scikit-image wheel carries it."""
    try:
        from skimage import data
    except ImportError:
        raise WccsimError(
            "rebuilding the default maps needs scikit-image: pip install 'wccsim[images]'"
        ) from None
    image: npt.NDArray[np.uint8] = getattr(data, name)()
    return image


def build(recipe: Recipe, image: npt.NDArray[np.uint8]) -> dict[str, npt.NDArray[Any]]:
    """The arrays of one map, in the layout of `wccsim.maps`; exact on every machine."""
    top, left = (image.shape[0] - recipe.height) // 2, (image.shape[1] - recipe.width) // 2
    x = image[top : top + recipe.height, left : left + recipe.width].astype(np.int64).transpose(2, 0, 1)
    x -= 128
    for number, (channels, stride) in enumerate(recipe.blocks):
        last = number == len(recipe.blocks) - 1
        x = _block(x, channels, stride, number, relu=recipe.relu if last else number % 2 == 1)
    quantised, clip = _least_error_clip(x, 255 if recipe.relu else 127)
    weights = _weights(recipe.out_channels, x.shape[0], seed=len(recipe.blocks) + 16)
    return {
        "x": quantised,
        "x_scale": np.array(clip / (255 if recipe.relu else 127) / 256, np.float32),
        "w": weights,
        "w_scale": np.full(recipe.out_channels, 1 / 256, np.float32),
        "bias": np.zeros(recipe.out_channels, np.float32),
        "act": np.array("none" if recipe.relu else "relu6"),
    }


def _block(x: IntArray, channels: int, stride: int, seed: int, *, relu: bool) -> IntArray:
    """1x1 mix, one 3x3 filter a channel, stride, normalisation to a mean magnitude near 256, ReLU."""
    mixed = np.tensordot(_weights(channels, x.shape[0], seed).astype(np.int64), x, axes=1)
    mixed -= mixed.sum(axis=(1, 2), keepdims=True) // (mixed.shape[1] * mixed.shape[2])
    filtered = np.stack(
        [_separable(plane, *_FILTERS[number % len(_FILTERS)]) for number, plane in enumerate(mixed)]
    )[:, ::stride, ::stride]
    magnitude = np.abs(filtered).sum(axis=(1, 2), keepdims=True) // (filtered.shape[1] * filtered.shape[2])
    scaled = filtered * 256 // np.maximum(magnitude, 1)
    result: IntArray = np.maximum(scaled, 0) if relu else scaled
    return result


def _separable(plane: IntArray, vertical: tuple[int, ...], horizontal: tuple[int, ...]) -> IntArray:
    """3x3 correlation with the outer product of the two factors; edges are repeated."""
    rows = np.pad(plane, ((1, 1), (0, 0)), mode="edge")
    down = sum(factor * rows[i : i + plane.shape[0]] for i, factor in enumerate(vertical))
    columns = np.pad(np.asarray(down), ((0, 0), (1, 1)), mode="edge")
    across = sum(factor * columns[:, i : i + plane.shape[1]] for i, factor in enumerate(horizontal))
    return np.asarray(across)


def _weights(outputs: int, inputs: int, seed: int) -> npt.NDArray[np.int8]:
    """int8 [outputs, inputs], sums of two draws of a congruential generator (1664525, 1013904223)."""
    state, drawn = (seed + 1) * 2654435761 % 2**32, []
    for _ in range(2 * outputs * inputs):
        state = (state * 1664525 + 1013904223) % 2**32
        drawn.append((state >> 16) % 127 - 63)
    pairs = np.array(drawn).reshape(outputs, inputs, 2)
    weights: npt.NDArray[np.int8] = pairs.sum(axis=2).astype(np.int8)
    return weights


def _least_error_clip(x: IntArray, top: int) -> tuple[npt.NDArray[Any], int]:
    """(uint8 or int8 map, clip) for the clip max * i / 60 of least squared error, the smallest on ties."""
    peak = int(np.abs(x).max())
    best: tuple[int, int] | None = None
    for i in range(1, _CLIP_CANDIDATES + 1):
        clip = max(1, peak * i // _CLIP_CANDIDATES)
        error = x * top - _levels(x, clip, top) * clip
        squared = _sum_of_squares(error)
        if best is None or squared < best[0]:
            best = squared, clip
    assert best is not None
    return _levels(x, best[1], top).astype(np.uint8 if top == 255 else np.int8), best[1]


def _sum_of_squares(values: IntArray) -> int:
    """Exact: each square is split into two halves of 32 bits, so that neither sum can overflow int64."""
    squares = values * values
    return (int((squares >> 32).sum()) << 32) + int((squares & 0xFFFFFFFF).sum())


def _levels(x: IntArray, clip: int, top: int) -> IntArray:
    """x * top / clip rounded half away from zero, limited to +-top."""
    levels: IntArray = np.sign(x) * np.minimum(top, (2 * np.abs(x) * top + clip) // (2 * clip))
    return levels
