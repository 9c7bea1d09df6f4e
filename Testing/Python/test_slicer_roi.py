"""The size of a new ROI: enough anatomy to judge, few enough voxels to be quick, whatever the voxels are like."""

import numpy as np
import pytest
import slicer
from core_fixtures import a_core  # noqa: F401 (fixture)

from Testing.Slicer.volumes import add_volume

# isort: split
from SuperResolution3DSlicer.scene.roi import place_at_centre


@pytest.mark.parametrize(
    ("spacing", "size"),
    [
        ((3.2, 3.2, 3.2), (32, 32, 32)),
        ((0.5, 0.5, 5.0), (24, 24, 40)),
        ((1.0, 1.0, 2.5), (32, 32, 32)),
        ((0.1, 0.1, 0.1), (4.8, 4.8, 4.8)),
    ],
    ids=["brain", "thick slices", "abdomen", "micro CT"],
)
def test_a_new_roi_is_of_a_size_that_suits_the_voxels(a_core, spacing, size) -> None:
    array = np.zeros((60, 62, 64), np.int8)
    sagittal = np.array([[0, 0, spacing[2], 0], [spacing[0], 0, 0, 0], [0, -spacing[1], 0, 0], [0, 0, 0, 1.0]])
    for affine, wanted in ((np.diag([*spacing, 1.0]), size), (sagittal, (size[2], size[0], size[1]))):
        node = add_volume(a_core, array, affine)
        roi = a_core.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
        place_at_centre(roi, node)
        np.testing.assert_allclose(roi.GetSize(), wanted, atol=0.01)


def test_a_new_roi_is_no_larger_than_the_volume_and_follows_its_transform(a_core) -> None:
    node = add_volume(a_core, np.zeros((3, 40, 40), np.int8), np.diag([1.0, 1.0, 5.0, 1.0]))
    transform = a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    turned = np.array([[0, 0, 1.0, 100], [1.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]])  # slices along R
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turned))
    node.SetAndObserveTransformNodeID(transform.GetID())
    roi = a_core.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    place_at_centre(roi, node)
    np.testing.assert_allclose(roi.GetSize(), (15, 32, 32), atol=0.01)
    np.testing.assert_allclose(roi.GetCenter(), (105, 19.5, 19.5), atol=0.01)
