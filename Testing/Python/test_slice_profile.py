"""Slice profiles: held against brute force and SciPy, at borders, half-voxel phases, odd sizes and uneven positions."""

import numpy as np
import pytest
from scipy.stats import norm, truncnorm

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.volumes.slice_positions import mean_spacing

EVEN = (0.0, 4.0, 8.0, 12.0, 16.0)
UNEVEN = (7.0, 11.1, 14.9, 19.2, 23.0)  # by up to 7.5 %, not from 0
SIGMA = 1 / (2 * np.sqrt(2 * np.log(2)))


def a_profile(shape="gaussian", thickness=4.0, centres=EVEN, target=0.9) -> SliceProfile:
    return SliceProfile.over_slices(shape, thickness, centres, target)


def by_brute_force(profile: SliceProfile, samples: int = 4000) -> np.ndarray:
    """Sample each profile densely, far beyond the grid, and count what falls into each voxel."""
    offsets = (np.arange(samples) + 0.5) / samples
    if profile.shape == "rectangular":
        points = (offsets - 0.5) * profile.thickness
    else:
        points = truncnorm.ppf(offsets, -3, 3) * SIGMA * profile.thickness
    matrix = np.zeros((profile.lr_size, profile.hr_size))
    for row, centre in enumerate(profile.centres):
        voxels = np.clip(np.floor((centre + points) / profile.hr_spacing), 0, profile.hr_size - 1).astype(int)
        np.add.at(matrix[row], voxels, 1 / samples)
    return matrix


@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
@pytest.mark.parametrize("thickness", [1.3, 4.0, 6.5])
@pytest.mark.parametrize("centres", [EVEN, UNEVEN])
@pytest.mark.parametrize("target", [0.37, 1.0, 1.6])
def test_a_profile_is_integrated_over_each_voxel_as_brute_force_does(shape, thickness, centres, target):
    profile = a_profile(shape, thickness, centres, target)
    np.testing.assert_allclose(profile.matrix(), by_brute_force(profile), atol=1e-3)


def test_a_gaussian_voxel_holds_what_scipy_says():
    profile = a_profile("gaussian", 3.0, target=0.5)
    edges = np.arange(profile.hr_size + 1) * profile.hr_spacing
    middle = profile.centres[2]
    expected = np.diff(norm.cdf(edges, middle, 3.0 * SIGMA)) / (norm.cdf(3) - norm.cdf(-3))
    inside = np.abs(profile.hr_centres - middle) < 3.0
    np.testing.assert_allclose(profile.matrix()[2, inside], expected[inside], atol=1e-12)
    assert profile.matrix()[2, np.abs(profile.hr_centres - middle) > 3 * 3.0 * SIGMA + 0.5].max() == 0


@pytest.mark.parametrize("shape", ["gaussian", "rectangular"])
def test_partial_voxels_and_borders_by_hand(shape):
    profile = SliceProfile(shape, 2.0, (1.0, 3.25, 5.5), 6, 1.0)
    if shape == "rectangular":  # from 0 to 2, from 2.25 to 4.25, and from 4.5 to 6.5, of which 0.5 lies outside
        expected = [[0.5, 0.5, 0, 0, 0, 0], [0, 0, 0.375, 0.5, 0.125, 0], [0, 0, 0, 0, 0.25, 0.75]]
        np.testing.assert_allclose(profile.matrix(), expected, atol=1e-12)
    np.testing.assert_allclose(profile.matrix().sum(axis=1), 1, atol=1e-14)
    np.testing.assert_allclose(profile.matrix() @ np.full(6, 812.5), 812.5)


@pytest.mark.parametrize("num_slices", [4, 5])
@pytest.mark.parametrize("target", [0.8, 0.5, 1.1])  # odd and even numbers of voxels, centres on voxels and between
def test_an_even_stack_looks_the_same_from_its_other_end(num_slices, target):
    matrix = a_profile(centres=tuple(4.0 * np.arange(num_slices)), target=target).matrix()
    np.testing.assert_allclose(matrix, matrix[::-1, ::-1], atol=1e-12)


@pytest.mark.parametrize(("num_slices", "spacing", "target"), [(30, 3.3, 1.0), (19, 3.6, 0.5625), (23, 6.0, 0.8)])
def test_the_grid_has_the_slices_field_of_view(num_slices, spacing, target):
    profile = a_profile(thickness=spacing, centres=spacing * np.arange(num_slices), target=target)
    assert profile.hr_size * profile.hr_spacing == pytest.approx(num_slices * spacing, abs=1e-9)
    assert profile.centres[0] == pytest.approx(spacing / 2)
    assert abs(profile.hr_spacing - target) <= target / profile.hr_size


def test_slices_over_a_volume_are_centred_on_the_voxels_kept():
    profile, kept = SliceProfile.over_volume("gaussian", 5.0, 6.0, 40, 1.0)
    assert (profile.lr_size, kept) == (6, slice(2, 38))
    assert profile.centres == (3.0, 9.0, 15.0, 21.0, 27.0, 33.0)
    assert profile.gap == pytest.approx(1.0)


def test_slices_that_end_within_a_voxel_keep_that_voxel():
    profile, kept = SliceProfile.over_volume("gaussian", 3.0, 3.0, 150, 0.8681)
    assert (profile.lr_size, kept) == (43, slice(0, 149))
    outside = profile.hr_size * profile.hr_spacing - 43 * 3.0
    assert 0 <= outside < 0.8681
    assert profile.centres[0] - 1.5 == pytest.approx(outside / 2)


@pytest.mark.parametrize("thickness", [0.0, -1.0, 12.01, float("nan")])
def test_an_impossible_thickness_is_refused(thickness):
    with pytest.raises(InputError, match=r"above 0 and at most 3 spacings, 12 mm"):
        a_profile(thickness=thickness)


def test_slices_more_than_a_tenth_off_are_refused_by_number():
    with pytest.raises(GeometryError, match=r"5 mm between slices 1 and 2 where 4 mm .*slices 1 and 2, 2 and 3"):
        mean_spacing((0.0, 4.0, 9.0, 12.0, 16.0))
    with pytest.raises(GeometryError, match="unevenly: -4 mm"):
        mean_spacing((8.0, 4.0, 0.0))
    with pytest.raises(GeometryError, match="2 slices at least, not 1"):
        mean_spacing((8.0,))


def test_other_impossible_slices_are_refused():
    with pytest.raises(InputError, match="one of gaussian, rectangular, not 'boxy'"):
        a_profile("boxy")
    with pytest.raises(GeometryError, match="every 30 mm do not fit twice into 40 mm"):
        SliceProfile.over_volume("gaussian", 5.0, 30.0, 40, 1.0)
    with pytest.raises(InputError, match="above 0 mm, not -2 mm"):
        SliceProfile.over_volume("gaussian", 5.0, -2.0, 40, 1.0)
    with pytest.raises(ValueError, match="2 voxels at least"):
        SliceProfile("gaussian", 4.0, EVEN, 1, 20.0)
