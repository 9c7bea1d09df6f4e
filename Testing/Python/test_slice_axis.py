"""The slice axis: found, named and brought to D and back, whatever the orientation of the stack."""

from itertools import permutations, product

import numpy as np
import pytest

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.forward.slice_axis import AXES, axis_of_plane, find_slice_axis, why_not_enlarged

SPACING = {"axial": (0.7, 0.8, 4.0), "coronal": (0.7, 4.0, 0.8), "sagittal": (4.0, 0.7, 0.8)}  # along R, A, S


def an_affine(spacing_ras, order=(0, 1, 2), signs=(1, 1, 1), degrees=0.0) -> np.ndarray:
    """Return an affine whose I, J, K run along the RAS axes ``order``, turned about the RAS diagonal."""
    axis, angle = np.ones(3) / np.sqrt(3), np.deg2rad(degrees)
    cross = np.cross(np.eye(3), axis)
    turn = np.eye(3) + np.sin(angle) * cross + (1 - np.cos(angle)) * cross @ cross
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing_ras)[:, list(order)] * np.array(signs)
    affine[:3, 3] = (-30.0, 12.0, 5.5)
    return affine


@pytest.mark.parametrize("plane", SPACING)
@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))  # half of these are left-handed
@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_slices_are_found_in_every_orientation(plane, order, signs, degrees):
    affine = an_affine(SPACING[plane], order, signs, degrees)
    found = find_slice_axis(affine)
    ras_axis = {"sagittal": 0, "coronal": 1, "axial": 2}[plane]
    assert found.letter == "IJK"[order.index(ras_axis)]
    assert found.plane == plane
    assert found.spacing == pytest.approx(4.0)
    assert sorted(found.in_plane) == pytest.approx([0.7, 0.8])
    assert (found.description == plane) == (degrees == 0)


@pytest.mark.parametrize("plane", SPACING)
@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, 1), (-1, 1, -1), (-1, -1, -1)])
def test_slices_come_first_and_go_back_with_each_voxel_in_its_place(plane, order, signs):
    affine = an_affine(SPACING[plane], order, signs, 15.0)
    array = np.random.default_rng(1).normal(size=(3, 4, 5))
    turn = find_slice_axis(affine).to_slices_first
    first, moved = turn.to_canonical(array), turn.canonical_affine(affine, array.shape)
    assert np.linalg.norm(moved[:3, 2]) == pytest.approx(4.0)  # K, the axis D
    for index in np.ndindex(first.shape):
        place = np.linalg.inv(affine) @ moved @ np.array([*index[::-1], 1.0])
        i, j, k = np.rint(place[:3]).astype(int)
        assert first[index] == array[k, j, i]
    np.testing.assert_array_equal(turn.from_canonical(first), array)
    np.testing.assert_allclose(turn.file_affine(moved, first.shape), affine, atol=1e-12)
    directions = moved[:3, :3] / np.linalg.norm(moved[:3, :3], axis=0)
    assert np.abs(directions).argmax(axis=0).tolist() == {"axial": [0, 1, 2], "coronal": [0, 2, 1]}.get(
        plane, [1, 2, 0]
    )
    assert (directions[np.abs(directions).argmax(axis=0), range(3)] > 0).all()


def test_an_oblique_stack_says_how_far_it_is_tilted():
    affine = an_affine((0.7, 0.7, 4.0))
    angle = np.deg2rad(23)
    affine[:3, :3] = [[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]] @ affine[:3, :3]
    assert find_slice_axis(affine).description == "oblique (axial tilted by 23 degrees)"


def test_an_isotropic_volume_is_told_to_be_one():
    with pytest.raises(GeometryError, match=r"nearly so, its voxels are 1 x 1 x 1.1 mm \(left-right, .* all"):
        find_slice_axis(an_affine((1.0, 1.0, 1.1)))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_a_model_of_one_axis_suits_a_volume_that_is_coarse_along_it(order):
    affine = an_affine((0.9, 1.0, 4.0))[:, [*order, 3]]  # coarse along S, whichever axis of the file that is
    assert why_not_enlarged(affine, (4, 1, 1), "thick") is None
    assert why_not_enlarged(affine, (1, 1, 1), "slices") is why_not_enlarged(affine, (2, 1, 2), "two") is None
    for scale, direction in (((1, 2, 1), "front-back"), ((1, 1, 2), "left-right")):
        assert f"do not lie {direction}, the one" in str(why_not_enlarged(affine, scale, "other"))
    assert "isotropic or nearly so" in str(why_not_enlarged(an_affine((1, 1, 1.1)), (4, 1, 1), "thick"))


def test_two_large_spacings_ask_for_the_axis():
    affine = an_affine((1.0, 3.0, 3.3))
    with pytest.raises(
        GeometryError, match=r"1 x 3 x 3.3 mm \(left-right, front-back, head-foot\).* 1.2 times .* --axis K"
    ):
        find_slice_axis(affine)
    for letter, spacing in zip(AXES, (3.3, 3.0, 1.0), strict=True):
        assert find_slice_axis(affine, letter).letter == letter
        assert find_slice_axis(affine, letter).spacing == pytest.approx(spacing)


def test_an_unknown_axis_is_refused():
    with pytest.raises(InputError, match="one of K, J, I, not 'D'"):
        find_slice_axis(an_affine((1.0, 1.0, 3.0)), "D")


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize("signs", list(product((1, -1), repeat=3)))
@pytest.mark.parametrize("degrees", [0.0, 20.0])
def test_the_axis_of_a_plane_is_the_one_across_it_whatever_the_spacing(order, signs, degrees):
    affine = an_affine((2.0, 2.0, 2.0), order, signs, degrees)
    found = {plane: axis_of_plane(affine, plane) for plane in ("sagittal", "coronal", "axial")}
    assert list(found.values()) == ["IJK"[order.index(axis)] for axis in range(3)]
    for plane, letter in found.items():
        assert find_slice_axis(affine, letter).plane == plane


def test_another_name_of_a_plane_is_refused():
    with pytest.raises(InputError, match="The plane of slices is one of axial, coronal, sagittal, not 'oblique'"):
        axis_of_plane(np.eye(4), "oblique")
