"""Grids in space: scales, phases, orientations, boxes."""

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.volumes.geometry import (
    Orientation,
    check_affine,
    contained_box,
    crop_affine,
    grid_phase,
    lr_affine,
    sr_affine,
    voxel_spacing,
)

ORIENTATIONS = ["RAS", "LPS", "PIR", "ASL", "SRA", "LIA", "IPL"]
SCALES = [(4, 4, 4), (4, 1, 1), (2, 3, 1)]


def at(affine, i, j, k):
    """Return the point in RAS mm of a voxel index, whole or not."""
    return (affine @ (i, j, k, 1))[:3]


def stored_as(axcodes, array, affine):
    """Return the same anatomy with its axes stored in another order, by nibabel."""
    image = nibabel.Nifti1Image(array.T, affine)
    change = nibabel.orientations.ornt_transform(
        nibabel.orientations.io_orientation(affine), nibabel.orientations.axcodes2ornt(axcodes)
    )
    turned = image.as_reoriented(change)
    return np.asarray(turned.dataobj).T, turned.affine


@pytest.mark.parametrize(("factor", "phase"), [(1, 0), (2, 0.5), (3, 1), (4, 1.5)])
def test_center_phase_is_the_middle_of_the_hr_voxels_and_corner_phase_is_the_first(factor, phase):
    assert grid_phase(factor, "center") == phase
    assert grid_phase(factor, "corner") == 0


@pytest.mark.parametrize(("factor", "grid", "message"), [(0, "center", "at least 1"), (2, "middle", "'middle'")])
def test_a_wrong_factor_or_grid_name_is_a_programming_error(factor, grid, message):
    with pytest.raises(ValueError, match=message):
        grid_phase(factor, grid)


@pytest.mark.parametrize("scale", SCALES)
def test_center_sr_grid_covers_the_same_field_of_view_as_the_lr_grid(a_phantom, scale):
    size_d, size_h, size_w = a_phantom.array.shape
    affine = sr_affine(a_phantom.affine, scale, "center")
    for low_k in (True, False):
        for low_j in (True, False):
            for low_i in (True, False):
                lr_corner = [-0.5 if low else n - 0.5 for low, n in ((low_i, size_w), (low_j, size_h), (low_k, size_d))]
                sr_sizes = (size_w * scale[2], size_h * scale[1], size_d * scale[0])
                sr_corner = [-0.5 if low else n - 0.5 for low, n in zip((low_i, low_j, low_k), sr_sizes, strict=True)]
                np.testing.assert_allclose(at(affine, *sr_corner), at(a_phantom.affine, *lr_corner), atol=1e-12)


@pytest.mark.parametrize("scale", SCALES)
def test_corner_lr_voxel_i_lies_on_sr_voxel_s_times_i(a_phantom, scale):
    affine = sr_affine(a_phantom.affine, scale, "corner")
    for i, j, k in [(0, 0, 0), (1, 2, 3), (10, 16, 12)]:
        on_sr = at(affine, i * scale[2], j * scale[1], k * scale[0])
        np.testing.assert_allclose(on_sr, at(a_phantom.affine, i, j, k), atol=1e-12)


def test_mixing_the_grids_moves_anatomy_by_one_and_a_half_hr_voxels_at_x4(a_phantom):
    center = sr_affine(a_phantom.affine, (4, 4, 4), "center")
    corner = sr_affine(a_phantom.affine, (4, 4, 4), "corner")
    np.testing.assert_allclose(np.linalg.inv(center) @ corner[:, 3], (1.5, 1.5, 1.5, 1), atol=1e-12)


@pytest.mark.parametrize("grid", ["center", "corner"])
@pytest.mark.parametrize("scale", SCALES)
def test_lr_affine_undoes_sr_affine(a_phantom, scale, grid):
    there = sr_affine(a_phantom.affine, scale, grid)
    np.testing.assert_allclose(lr_affine(there, scale, grid), a_phantom.affine, atol=1e-12)


def test_lr_affine_follows_the_voxels_that_degrading_drops(a_phantom):
    affine = lr_affine(a_phantom.affine, (4, 2, 3), "center", start=(1, 0, 2))
    # LR voxel 0 is the middle of HR voxels 1..4 along K, 0..1 along J and 2..4 along I.
    np.testing.assert_allclose(at(affine, 0, 0, 0), at(a_phantom.affine, 3, 0.5, 2.5), atol=1e-12)


def test_a_cropped_volume_begins_at_the_voxel_where_it_was_cut(a_phantom):
    affine = crop_affine(a_phantom.affine, (3, 5, 2))
    np.testing.assert_allclose(at(affine, 0, 0, 0), at(a_phantom.affine, 2, 5, 3))
    np.testing.assert_array_equal(affine[:3, :3], a_phantom.affine[:3, :3])


def test_spacing_is_told_in_array_order(a_phantom):
    np.testing.assert_allclose(voxel_spacing(a_phantom.affine), (1.7, 1.1, 0.8))


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_the_same_anatomy_stored_in_any_order_has_the_same_canonical_voxels_and_affine(a_phantom, axcodes):
    array, affine = stored_as(axcodes, a_phantom.array, a_phantom.affine)
    orientation = Orientation.of(affine)
    np.testing.assert_array_equal(orientation.to_canonical(array), a_phantom.array)
    np.testing.assert_allclose(orientation.canonical_affine(affine, array.shape), a_phantom.affine, atol=1e-12)


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_orientation_there_and_back_is_the_identity(a_phantom, axcodes):
    array, affine = stored_as(axcodes, a_phantom.array, a_phantom.affine)
    orientation = Orientation.of(affine)
    canonical = orientation.to_canonical(array)
    canonical_affine = orientation.canonical_affine(affine, array.shape)
    np.testing.assert_array_equal(orientation.from_canonical(canonical), array)
    np.testing.assert_allclose(orientation.file_affine(canonical_affine, canonical.shape), affine, atol=1e-12)
    assert orientation.scale_to_file(orientation.scale_to_canonical((4, 2, 3))) == (4, 2, 3)


@pytest.mark.parametrize("axcodes", ORIENTATIONS)
def test_a_box_of_the_file_holds_the_same_voxels_in_canonical_order(a_phantom, axcodes):
    array, affine = stored_as(axcodes, a_phantom.array, a_phantom.affine)
    orientation, box = Orientation.of(affine), (slice(1, 4), slice(0, 7), slice(5, 6))
    canonical_box = orientation.box_to_canonical(box, array.shape)
    np.testing.assert_array_equal(a_phantom.array[canonical_box], orientation.to_canonical(array[box]))


def test_orientation_keeps_leading_axes_and_copies_nothing(a_phantom):
    array = np.stack([a_phantom.array, -a_phantom.array])  # (C, D, H, W)
    orientation = Orientation((2, 0, 1), (True, False, True))
    canonical = orientation.to_canonical(array)
    assert canonical.shape == (2, 11, 13, 17)
    assert np.shares_memory(canonical, array)
    np.testing.assert_array_equal(orientation.from_canonical(canonical), array)


def test_factors_follow_their_axes():
    thick_along_a = np.diag([1.0, 1.0, 4.0, 1.0])[[0, 2, 1, 3]]  # K runs along A: a coronal stack
    assert Orientation.of(thick_along_a).scale_to_canonical((4, 1, 1)) == (1, 4, 1)


@pytest.mark.parametrize("scale", SCALES)
@pytest.mark.parametrize("axcodes", ["LPS", "PIR", "ASL"])
def test_a_canonical_corner_result_brought_back_to_the_file_keeps_each_voxel_in_place(a_phantom, axcodes, scale):
    array, affine = stored_as(axcodes, a_phantom.array, a_phantom.affine)
    orientation = Orientation.of(affine)
    canonical = sr_affine(orientation.canonical_affine(affine, array.shape), scale, "corner")
    shape = tuple(n * s for n, s in zip(orientation.to_canonical(array).shape, scale, strict=True))
    in_file = orientation.file_affine(canonical, shape)
    # Number every voxel of the canonical result and find each again, in mm, in the file's order.
    numbers = np.arange(np.prod(shape)).reshape(shape)
    filed = orientation.from_canonical(numbers)
    for number in (0, 17, numbers.size // 2, numbers.size - 1):
        k, j, i = np.argwhere(numbers == number)[0]
        file_k, file_j, file_i = np.argwhere(filed == number)[0]
        np.testing.assert_allclose(at(in_file, file_i, file_j, file_k), at(canonical, i, j, k), atol=1e-10)


def test_orientation_of_a_rotation_by_almost_45_degrees_uses_each_axis_once():
    angle = np.deg2rad(44.9)
    affine = np.eye(4)
    affine[:3, :3] = np.linalg.qr(np.array([[1, 1, 1], [-1, 1, 0.9], [1, 0.8, -2.0]]))[0]
    affine[:3, :3] @= [[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]]
    assert sorted(Orientation.of(affine).order) == [0, 1, 2]


@pytest.mark.parametrize("angles", [(45, 0, 45), (45, 45, 0), (0, 45, 45)])
def test_a_volume_tilted_by_45_degrees_and_its_result_have_one_orientation_whatever_was_rounded(angles):
    rng = np.random.default_rng(0)
    found = set()
    for spacing in rng.uniform(0.3, 5.0, 50):
        lr = np.eye(4)
        lr[:3, :3] = spacing * Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
        lr = lr.astype(np.float32).astype(np.float64)
        found |= {Orientation.of(lr), Orientation.of(sr_affine(lr, (3, 3, 3), "center").astype(np.float32))}
    assert len(found) == 1


def test_a_sound_affine_passes_even_when_rounded_to_float32(a_phantom):
    check_affine(a_phantom.affine.astype(np.float32))
    check_affine(a_phantom.affine @ np.diag([-1, 1, 1, 1]))


def changed(affine, change):
    affine = affine.copy()
    change(affine)
    return affine


def set_nan(affine):
    affine[1, 2] = np.nan


def set_last_row(affine):
    affine[3, 0] = 0.5


def zero_column(affine):
    affine[:3, 1] = 0


def align_two_axes(affine):
    affine[:3, 1] = 2 * affine[:3, 0]


def shear(affine):
    affine[:3, 1] += 0.02 * affine[:3, 0]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (set_nan, "not finite"),
        (set_last_row, "row 0 0 0 1"),
        (zero_column, "0.8 x 0 x 1.7 mm"),
        (align_two_axes, "one plane"),
        (shear, "sheared: two of its axes meet at 89.17 degrees instead of 90"),
    ],
)
def test_a_degenerate_or_sheared_affine_is_refused_in_one_sentence(a_phantom, change, message):
    with pytest.raises(GeometryError, match=message) as caught:
        check_affine(changed(a_phantom.affine, change))
    assert ". " not in str(caught.value)


def test_an_affine_of_another_shape_is_a_programming_error():
    with pytest.raises(ValueError, match=r"\(3, 3\)"):
        check_affine(np.eye(3))


def test_the_box_of_a_contained_volume_is_found_voxel_for_voxel(a_phantom):
    inner = crop_affine(a_phantom.affine, (2, 3, 1))
    inner[:3, 3] += 5e-4 * a_phantom.affine[:3, 0]  # half the tolerance
    box = contained_box(a_phantom.affine, a_phantom.array.shape, inner, (11, 8, 10))
    assert box == (slice(2, 13), slice(3, 11), slice(1, 11))


@pytest.mark.parametrize("shift", [5e-3, 0.5])
def test_a_grid_between_the_voxels_is_refused_with_both_grids(a_phantom, shift):
    inner = crop_affine(a_phantom.affine, (2, 3, 1))
    inner[:3, 3] += shift * a_phantom.affine[:3, 0]
    with pytest.raises(GeometryError, match=r"do not coincide: 5 x 6 x 7 voxels .* against 13 x 17 x 11 voxels"):
        contained_box(a_phantom.affine, a_phantom.array.shape, inner, (5, 6, 7))


def test_a_slightly_different_spacing_that_adds_up_to_a_voxel_is_refused(a_phantom):
    inner = a_phantom.affine @ np.diag([1.0005, 1, 1, 1])
    with pytest.raises(GeometryError, match="do not coincide"):
        contained_box(a_phantom.affine, a_phantom.array.shape, inner, a_phantom.array.shape)


@pytest.mark.parametrize(("start", "shape"), [((-1, 0, 0), (3, 3, 3)), ((0, 0, 9), (3, 3, 3))])
def test_a_volume_that_reaches_beyond_the_other_is_refused(a_phantom, start, shape):
    with pytest.raises(GeometryError, match="reaches beyond the second: 3 x 3 x 3 voxels"):
        contained_box(a_phantom.affine, a_phantom.array.shape, crop_affine(a_phantom.affine, start), shape)
