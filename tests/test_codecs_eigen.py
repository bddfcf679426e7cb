"""The eigenvectors that the KLT and transform quantisation share."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wccsim.codecs.eigen import MOST_BY_JACOBI, principal_axes


@settings(max_examples=40, deadline=None)
@given(
    size=st.integers(1, 24),
    rank=st.integers(0, 30),
    seed=st.integers(0, 999),
    scale=st.sampled_from([1, 1e6]),
)
def test_axes_are_orthonormal_and_diagonalise(size: int, rank: int, seed: int, scale: float) -> None:
    factor = np.random.default_rng(seed).integers(-100, 101, (size, rank)) * scale
    covariance = factor @ factor.T
    axes = principal_axes(covariance)
    assert np.abs(axes @ axes.T - np.eye(size)).max() < 1e-12
    found = axes @ covariance @ axes.T
    greatest = max(1.0, float(np.abs(covariance).max()))
    assert np.abs(found - np.diag(np.diag(found))).max() < 1e-11 * size * greatest
    values = np.linalg.eigvalsh(covariance)[::-1]
    assert np.abs(np.diag(found) - values).max() < 1e-11 * size * greatest


@pytest.mark.parametrize("size", [64, MOST_BY_JACOBI, MOST_BY_JACOBI + 1])
def test_large_ones_too_and_signs_are_fixed(size: int) -> None:
    factor = np.random.default_rng(1).normal(0, 1, (size, 2 * size))
    axes = principal_axes(factor @ factor.T)
    assert np.abs(axes @ axes.T - np.eye(size)).max() < 1e-11
    assert np.all(axes[np.arange(size), np.argmax(np.abs(axes), axis=1)] > 0)


def test_jacobi_and_lapack_find_the_same_axes() -> None:
    factor = np.random.default_rng(2).normal(0, 1, (40, 80)) * np.geomspace(1, 30, 40)[:, None]
    covariance = factor @ factor.T
    columns = np.linalg.eigh(covariance)[1][:, ::-1]
    assert np.abs(np.abs(principal_axes(covariance) @ columns) - np.eye(40)).max() < 1e-9


def test_a_zero_covariance_has_the_unit_axes() -> None:
    assert np.array_equal(principal_axes(np.zeros((5, 5))), np.eye(5))
