"""What a simple analysis finds: classes and a structure whose sizes are known."""

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from SuperResolution3DLib.errors import GeometryError
from Training.evaluation.tissue import tissue_agreement


def a_head(ventricle: int = 6) -> np.ndarray:
    """A ball of two tissues with a dark cube in its middle, in air; noise parts no two classes."""
    axes = np.meshgrid(*(np.arange(size) - size / 2 for size in (50, 54, 52)), indexing="ij")
    radius = np.sqrt(sum(axis**2 for axis in axes))
    head = np.where(radius < 22, 60.0, 0.0)
    head[radius < 16] = 100
    head[tuple(slice(25 - ventricle, 25 + ventricle) for _ in range(3))] = 20
    return (head + np.random.default_rng(0).normal(0, 1, head.shape) * (head > 0)).astype(np.float32)


def test_the_same_volume_agrees_in_any_unit():
    hr = a_head()
    assert tissue_agreement(hr, hr) == {"tissue_dice": 1.0, "core_volume_error": 0.0}
    assert tissue_agreement(3 * hr + 10, hr)["tissue_dice"] == pytest.approx(1, abs=1e-3)


def test_the_error_of_the_structures_volume_is_the_one_that_was_made():
    found = tissue_agreement(a_head(5), a_head(6))
    assert found["core_volume_error"] == pytest.approx(100 * (1 - 10**3 / 12**3), abs=1)
    assert 0.9 < found["tissue_dice"] < 1


def test_a_blurred_volume_agrees_less_the_more_it_is_blurred():
    hr = a_head()
    dice = [tissue_agreement(gaussian_filter(hr, sigma), hr)["tissue_dice"] for sigma in (0.5, 1, 2, 3)]
    assert dice == sorted(dice, reverse=True)
    assert dice[-1] < 0.95


def test_a_structure_that_is_not_there_has_no_volume():
    assert "core_volume_error" not in tissue_agreement(a_head(0), a_head(0))


def test_volumes_of_other_shapes_are_refused():
    with pytest.raises(GeometryError):
        tissue_agreement(a_head()[1:], a_head())
