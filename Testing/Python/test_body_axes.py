"""Sizes in words: in-plane directions first, through-plane last, whatever the order of the file's axes."""

from itertools import permutations

import numpy as np
import pytest

from SuperResolution3DLib.volumes.body_axes import BodyAxes, grid_text, shape_text, spacing_text, through_plane_axis

SHAPE_RAS = (160, 192, 24)


def an_affine(spacing_ras, order) -> np.ndarray:
    """Return an affine whose I, J, K run along the RAS axes ``order``, the second one backwards."""
    affine = np.eye(4)
    affine[:3, :3] = np.diag(spacing_ras)[:, list(order)] * (1, -1, 1)
    return affine


@pytest.mark.parametrize("order", list(permutations(range(3))))
@pytest.mark.parametrize(
    ("spacing_ras", "wanted"),
    [
        ((0.5, 0.6, 5.0), "160 x 192 x 24 voxels of 0.5 x 0.6 x 5 mm (left-right, front-back, through-plane)"),
        ((0.5, 5.0, 0.6), "160 x 24 x 192 voxels of 0.5 x 0.6 x 5 mm (left-right, head-foot, through-plane)"),
        ((5.0, 0.5, 0.6), "192 x 24 x 160 voxels of 0.5 x 0.6 x 5 mm (front-back, head-foot, through-plane)"),
        ((3.0, 3.2, 3.3), "160 x 192 x 24 voxels of 3 x 3.2 x 3.3 mm (left-right, front-back, head-foot)"),
        ((3.2, 3.2, 3.2), "160 x 192 x 24 voxels of 3.2 mm (left-right, front-back, head-foot)"),
    ],
)
def test_a_grid_reads_the_same_in_every_order_of_the_files_axes(order, spacing_ras, wanted):
    affine, shape_kji = an_affine(spacing_ras, order), [SHAPE_RAS[axis] for axis in order[::-1]]
    assert str(grid_text(shape_kji, affine)) == wanted
    voxels, _, directions = wanted.partition(" voxels of ")
    assert str(shape_text(shape_kji, affine)) == f"{voxels} voxels {directions[directions.index('(') :]}"


def test_voxel_sizes_name_their_directions_where_they_differ():
    assert str(spacing_text(an_affine((3.2, 3.2, 5.0), (2, 0, 1)))) == (
        "3.2 x 3.2 x 5 mm (left-right, front-back, through-plane)"
    )
    assert str(spacing_text(an_affine((0.8, 0.8, 0.8), (0, 1, 2)))) == "0.8 mm isotropic"
    assert str(spacing_text(an_affine((0.8, 0.8001, 0.8), (0, 1, 2)))) == "0.8 mm isotropic"


def test_slices_stand_out_from_a_fifth_more_on():
    assert through_plane_axis((1.0, 1.19, 1.0)) is None
    assert through_plane_axis((1.0, 1.0, 1.2)) == 2
    assert BodyAxes.of(np.diag([1.0, 1.0, 1.2, 1.0])).names == ("left-right", "front-back", "through-plane")


def test_large_numbers_of_voxels_keep_their_digits():
    assert str(shape_text((np.int64(1234), 5, 100000), np.eye(4))).startswith("100000 x 5 x 1234 voxels")
