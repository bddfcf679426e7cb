"""The default maps: regenerated to the same arrays, and what their docstring says."""

from dataclasses import replace

import numpy as np
import pytest

from wccsim import default_maps
from wccsim.maps import load_map


def test_every_recipe_ships_and_nothing_else() -> None:
    assert {path.stem for path in default_maps.default_map_paths()} == {r.name for r in default_maps.RECIPES}
    assert sum(path.stat().st_size for path in default_maps.default_map_paths()) < 1_500_000


@pytest.mark.parametrize("recipe", default_maps.RECIPES, ids=lambda recipe: recipe.name)
def test_rebuilding_gives_the_same_arrays(recipe: default_maps.Recipe) -> None:
    pytest.importorskip("skimage", reason="rebuilding the default maps needs scikit-image (extra images)")
    built = default_maps.build(recipe, default_maps.image_of(recipe.image))
    with np.load(default_maps.FOLDER / f"{recipe.name}.npz") as shipped:
        assert sorted(shipped) == sorted(built)
        for name, array in built.items():
            assert np.asarray(array).dtype == shipped[name].dtype
            assert np.asarray(array).tobytes() == shipped[name].tobytes(), name


def test_every_map_feeds_a_pointwise_convolution() -> None:
    for path in default_maps.default_map_paths():
        found = load_map(path)
        assert found.weights is not None and found.weights.shape[1] == found.x.shape[0]
        height, width = found.name.rpartition("_")[2].split("x")
        assert found.x.shape[1:] == (int(height), int(width))


def test_an_image_changed_by_one_step_changes_the_map() -> None:
    """The comparison above can fail."""
    recipe = replace(default_maps.RECIPES[-1], height=32, width=32)
    image = np.arange(32 * 32 * 3, dtype=np.uint64).astype(np.uint8).reshape(32, 32, 3)
    touched = image.copy()
    touched[16, 16, 0] ^= 64
    assert (default_maps.build(recipe, image)["x"] != default_maps.build(recipe, touched)["x"]).any()


def test_the_clip_is_the_best_of_all_candidates() -> None:
    rng = np.random.default_rng(3)
    x = (rng.standard_normal((2, 16, 16)) ** 3 * 300).astype(np.int64)
    found, clip = default_maps._least_error_clip(x, 127)
    error = np.square(x - found * (clip / 127.0)).sum()
    for candidate in range(1, 61):
        other = max(1, int(np.abs(x).max()) * candidate // 60)
        levels = np.clip(np.round(x * 127 / other), -127, 127)
        assert error <= np.square(x - levels * other / 127).sum() * (1 + 1e-9)
