"""The difference volume of a result that is replaced: it is that of the new voxels, or there is none any more."""

import numpy as np
import slicer
from logic_fixtures import RIGHT, SHAPE, a_core, a_model, a_node, node_names  # noqa: F401 (fixtures)

import Testing.Slicer.module  # noqa: F401 - installs the double
from Testing.Slicer.volumes import add_volume, voxel_positions

# isort: split
from SuperResolution3DSlicer.comparison.difference import REFERENCE_ROLE, difference_node
from SuperResolution3DSlicer.runs.volume_task import ZERO_FILLED_ROLE
from SuperResolution3DSlicer.self_test.fake_process import pretend

from SuperResolution3D import SuperResolution3DLogic


def test_the_difference_volume_of_an_output_follows_it(a_core, a_node, a_model) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetSize([10.0, 10.0, 10.0])
    roi.SetCenter(list(voxel_positions(a_node)[4, 6, 5]))
    other = add_volume(a_core, np.ones((5, 6, 7), np.float32), RIGHT, "other")
    logic = SuperResolution3DLogic(pretend("done", "done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    slicer.util.arrayFromVolume(output)[:] += 3
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE))
    np.testing.assert_allclose(slicer.util.arrayFromVolume(difference), 3, rtol=1e-4)
    before = node_names()
    for replaced_by in ({"volumeNode": other}, {"volumeNode": a_node, "roiNode": roi}):
        logic.superResolve(model=str(a_model.path), zeroFilled=True, outputNode=output, **replaced_by)
        assert output.GetNodeReference(REFERENCE_ROLE) is difference
        assert (slicer.util.arrayFromVolume(difference) == 0).all(), "a pretended result is like its zero-filled volume"
        assert difference.GetImageData().GetDimensions() == output.GetImageData().GetDimensions()
        np.testing.assert_array_equal(voxel_positions(difference), voxel_positions(output))
    assert len(node_names()) == len(before)


def test_the_difference_volume_of_an_output_goes_with_its_zero_filled_volume(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE))
    logic.superResolve(a_node, str(a_model.path), outputNode=output)
    assert output.GetNodeReference(REFERENCE_ROLE) is None
    assert not [name for name in node_names() if "minus zero-filled" in name]


def test_a_difference_volume_that_is_the_input_or_holds_another_result_stays(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done", "done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE))
    logic.superResolve(difference, str(a_model.path), zeroFilled=True, outputNode=output)
    assert slicer.util.arrayFromVolume(difference).shape == tuple(2 * size for size in SHAPE)
    assert output.GetNodeReference(REFERENCE_ROLE) is None
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE))
    logic.superResolve(a_node, str(a_model.path), outputNode=difference)
    logic.superResolve(a_node, str(a_model.path), outputNode=output)
    assert difference.GetScene() is not None


def test_the_difference_volume_of_a_result_is_not_that_of_its_clone(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE))
    clone = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    clone.Copy(output)
    assert clone.GetNodeReference(REFERENCE_ROLE) is difference
    logic.superResolve(a_node, str(a_model.path), outputNode=clone)
    assert difference.GetScene() is not None
    assert output.GetNodeReference(REFERENCE_ROLE) is difference
