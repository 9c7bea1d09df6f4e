"""Consistent interpolation: held against SciPy's spline and NumPy's pseudoinverse, and against a plain spline."""

from pathlib import Path

import numpy as np
import pytest
from scipy.interpolate import CubicSpline

from SuperResolution3DLib.forward.consistent_interpolation import (
    DEFAULT_NOISE,
    WORST_CONDITION,
    back_projection,
    consistent_matrix,
    regularisation,
    spline_matrix,
)
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.volumes.volume import read_volume

SAMPLE = Path(__file__).parents[2] / "Resources" / "SampleData" / "t1-brain-niimath-crop.nii.gz"
CENTRES = np.array([1.5, 4.6, 7.4, 10.5, 13.6])  # mm, uneven


def a_profile(thickness=3.0, shape="gaussian", target=0.7) -> SliceProfile:
    return SliceProfile.over_slices(shape, thickness, CENTRES, target)


def splined(profile: SliceProfile) -> np.ndarray:
    return spline_matrix(np.array(profile.centres), profile.hr_centres)


def test_the_spline_is_scipys_natural_one_and_repeats_the_outermost_slices():
    slices = np.random.default_rng(2).normal(size=5)
    positions = np.linspace(0, 15.1, 50)
    expected = CubicSpline(CENTRES, slices, bc_type="natural")(positions)
    expected[positions < 1.5], expected[positions > 13.6] = slices[0], slices[-1]
    np.testing.assert_allclose(spline_matrix(CENTRES, positions) @ slices, expected, atol=1e-12)


@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
@pytest.mark.parametrize("thickness", [0.9, 2.4, 3.0])
def test_interpolated_slices_measured_anew_are_those_that_were_measured(shape, thickness):
    profile = a_profile(thickness, shape)
    matrix = profile.matrix()
    interpolation = consistent_matrix(matrix, splined(profile))
    np.testing.assert_allclose(matrix @ interpolation, np.eye(5), atol=1e-12)
    expected = splined(profile) + np.linalg.pinv(matrix) @ (np.eye(5) - matrix @ splined(profile))
    np.testing.assert_allclose(interpolation, expected, atol=1e-12)


@pytest.mark.parametrize("noise", [0.0, DEFAULT_NOISE])
def test_a_constant_stays_constant(noise):
    profile = a_profile()
    interpolation = consistent_matrix(profile.matrix(), splined(profile), noise)
    np.testing.assert_allclose(interpolation.sum(axis=1), 1, atol=1e-12)


@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
@pytest.mark.parametrize("thickness", [0.5, 3.0, 6.0, 9.0])
@pytest.mark.parametrize("target", [0.3, 1.0, 2.0])
def test_overlapping_slices_are_regularised_just_enough_for_the_condition_number(shape, thickness, target):
    matrix = a_profile(thickness, shape, target).matrix()
    gram, eps = matrix @ matrix.T, regularisation(matrix)
    if thickness <= 3.0:
        assert eps == 0
    if np.linalg.cond(gram) <= WORST_CONDITION:
        assert eps == 0
    else:
        assert np.linalg.cond(gram + eps * np.eye(5)) == pytest.approx(WORST_CONDITION, rel=1e-6)
    expected = matrix.T @ np.linalg.inv(gram + eps * np.eye(5))
    np.testing.assert_allclose(back_projection(matrix), expected, atol=1e-9)


def test_noise_is_a_share_of_the_mean_diagonal():
    matrix = a_profile().matrix()
    assert regularisation(matrix, 0.5) == pytest.approx(0.5 * np.mean(np.diag(matrix @ matrix.T)))


@pytest.mark.parametrize(
    ("shape", "noise", "gain"),
    [("gaussian", 0.0, 0.9), ("gaussian", DEFAULT_NOISE, 0.4), ("rectangular", DEFAULT_NOISE, 0.2)],
)
@pytest.mark.parametrize("factor", [3, 4])
def test_real_anatomy_is_closer_than_by_a_spline_whichever_profile_was_true(shape, noise, gain, factor):
    hr = read_volume(SAMPLE).canonical().array.astype(np.float64)
    true, kept = SliceProfile.over_volume(shape, factor, factor, len(hr), 1.0)
    hr = hr[kept].reshape(true.hr_size, -1)
    slices = true.matrix() @ hr
    assumed = SliceProfile("gaussian", factor, true.centres, true.hr_size, 1.0)
    consistent = consistent_matrix(assumed.matrix(), splined(assumed), noise) @ slices
    errors = [np.mean((result - hr) ** 2) for result in (splined(assumed) @ slices, consistent)]
    assert 10 * np.log10(errors[0] / errors[1]) > gain


@pytest.mark.parametrize("offset", np.linspace(0, 6, 7))
def test_an_edge_is_overshot_by_a_few_percent_only(offset):
    profile = SliceProfile("gaussian", 6.0, tuple(3 + 6.0 * np.arange(12)), 72, 1.0)
    edge = np.clip(np.arange(72) - 36 + offset, 0, 1)
    result = consistent_matrix(profile.matrix(), splined(profile), DEFAULT_NOISE) @ (profile.matrix() @ edge)
    assert max(result.max() - 1, -result.min()) < 0.08
