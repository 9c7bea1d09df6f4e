"""The grid of a stack that was super-resolved by the command with the shipped model, held against SimpleITK's."""

from itertools import product
from pathlib import Path

import numpy as np
import pytest
import SimpleITK as sitk

from SuperResolution3DLib.__main__ import main

MODEL = Path(__file__).resolve().parents[2] / "Resources" / "Models" / "through-plane-mr.safetensors"
SLICES, ROWS, COLUMNS = 7, 26, 31
APART, PIXEL, THICKNESS = 4.3, (0.9, 1.05), 3.6  # mm


def a_direction(*, left_handed: bool) -> np.ndarray:
    """Return oblique unit vectors as columns, turned by 25, -15 and 40 degrees about three axes."""
    turn = np.eye(3)
    for (first, second), angle in (((0, 1), 25), ((1, 2), -15), ((2, 0), 40)):
        step = np.eye(3)
        step[first, first] = step[second, second] = np.cos(np.deg2rad(angle))
        step[first, second], step[second, first] = -np.sin(np.deg2rad(angle)), np.sin(np.deg2rad(angle))
        turn = step @ turn
    return turn @ np.diag([1, -1 if left_handed else 1, 1])


def a_stack(axis: int, *, left_handed: bool) -> sitk.Image:
    """Return slices along an axis of the image (0, 1, 2 = I, J, K) of a blob that lies off its middle."""
    sizes, spacing = [COLUMNS, ROWS], list(PIXEL)
    sizes.insert(axis, SLICES)
    spacing.insert(axis, APART)
    image = sitk.Image(sizes, sitk.sitkFloat32)
    image.SetSpacing(spacing)
    image.SetDirection(a_direction(left_handed=left_handed).ravel().tolist())
    image.SetOrigin((-31.7, 18.3, 44.9))
    middle = image.TransformContinuousIndexToPhysicalPoint([(size - 1) / 2 + 0.3 for size in sizes])
    k, j, i = np.indices(sizes[::-1])
    matrix = np.array(image.GetDirection()).reshape(3, 3) @ np.diag(spacing)
    places = np.stack([i, j, k], -1) @ matrix.T + image.GetOrigin()
    blob = 1000 * np.exp(-np.square(places - middle).sum(-1) / 90)
    filled = sitk.GetImageFromArray(blob.astype(np.float32))
    filled.CopyInformation(image)
    return filled


def corners(image: sitk.Image) -> np.ndarray:
    """Return the outer corners of the field of view in LPS mm, (8, 3)."""
    ends = product(*((-0.5, size - 0.5) for size in image.GetSize()))
    return np.array([image.TransformContinuousIndexToPhysicalPoint(end) for end in ends])


def centre_of_mass(image: sitk.Image) -> np.ndarray:
    array = sitk.GetArrayFromImage(image).astype(np.float64)
    array[array < 100] = 0  # the foot of the blob reaches the border
    index = [
        float((array.sum(axis=tuple(o for o in range(3) if o != 2 - n)) @ np.arange(size)) / array.sum())
        for n, size in enumerate(image.GetSize())
    ]
    return np.array(image.TransformContinuousIndexToPhysicalPoint(index))


@pytest.mark.parametrize("ending", [".nrrd", ".nii.gz"])
@pytest.mark.parametrize("left_handed", [False, True])
@pytest.mark.parametrize("axis", [0, 1, 2])
def test_field_of_view_and_places_are_those_of_simpleitk(tmp_path, axis, left_handed, ending) -> None:
    stack = a_stack(axis, left_handed=left_handed)
    source, target = tmp_path / f"stack{ending}", tmp_path / f"sr{ending}"
    sitk.WriteImage(stack, source)
    options = f"--device cpu --precision fp32 --slice-thickness {THICKNESS} --target-spacing 0.77"
    assert main(["super-resolve", str(source), str(target), "--model", str(MODEL), *options.split()]) == 0
    result = sitk.ReadImage(target)
    sizes = list(stack.GetSize())
    sizes[axis] = round(SLICES * APART / 0.77)  # no multiple of the slices
    assert list(result.GetSize()) == sizes
    np.testing.assert_allclose(corners(result), corners(stack), atol=0.01)
    np.testing.assert_allclose(result.GetDirection(), stack.GetDirection(), atol=1e-6)
    resampled = sitk.Resample(stack, result, sitk.Transform(), sitk.sitkBSpline3, 0.0)
    assert np.linalg.norm(centre_of_mass(result) - centre_of_mass(resampled)) < 0.1 * min(result.GetSpacing())
    inside = np.s_[tuple(slice(4, -4) for _ in range(3))]
    found, wanted = (sitk.GetArrayFromImage(image)[inside] for image in (result, resampled))
    assert np.corrcoef(found.ravel(), wanted.ravel())[0, 1] > 0.99
