"""The difference volume of a result that is replaced: it is that of the new voxels, or there is none any more."""

import numpy as np
import slicer
from logic_fixtures import RIGHT, SHAPE, a_core, a_model, a_node, node_names  # noqa: F401 (fixtures)

import Testing.Slicer.module  # noqa: F401 - installs the double
from Testing.Slicer.volumes import add_volume, affine_of, voxel_positions

# isort: split
from SuperResolution3DSlicer.comparison.difference import TO_MEASURED, TO_REFERENCE, difference_node, holds_grid_of
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
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    low, high = np.percentile(slicer.util.arrayFromVolume(a_node), [0.5, 99.5])
    np.testing.assert_allclose(slicer.util.arrayFromVolume(difference), 100 * 3 / (high - low), rtol=1e-4)
    before = node_names()
    for replaced_by in ({"volumeNode": other}, {"volumeNode": a_node, "roiNode": roi}):
        logic.superResolve(model=str(a_model.path), zeroFilled=True, outputNode=output, **replaced_by)
        assert output.GetNodeReference(TO_MEASURED) is difference
        assert (slicer.util.arrayFromVolume(difference) == 0).all(), "a pretended result is like its zero-filled volume"
        assert difference.GetImageData().GetDimensions() == output.GetImageData().GetDimensions()
        np.testing.assert_array_equal(voxel_positions(difference), voxel_positions(output))
    assert len(node_names()) == len(before)


def test_the_difference_volume_of_an_output_goes_with_its_zero_filled_volume(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    logic.superResolve(a_node, str(a_model.path), outputNode=output)
    assert output.GetNodeReference(TO_MEASURED) is None
    assert not [name for name in node_names() if "minus zero-filled" in name]


def test_with_the_difference_volume_goes_all_that_says_how_it_is_shown(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    before = len(node_names())
    difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    assert len(node_names()) == before + 4, "volume, display, colours and legend, each of them once"
    logic.superResolve(a_node, str(a_model.path), outputNode=output)
    assert len(node_names()) == before + 1, "the colours stay for the next one"


def test_the_difference_to_a_reference_is_that_of_the_voxels_that_both_have(a_core, a_node, a_model) -> None:
    output = SuperResolution3DLogic(pretend("done")[0]).superResolve(a_node, str(a_model.path))
    voxels = slicer.util.arrayFromVolume(output)
    wider = np.pad(voxels, ((1, 2), (0, 3), (2, 0)))
    wider[1:-2, :-3, 2:] += 5
    hr_node = add_volume(a_core, wider, affine_of(output) @ shifted(-2, 0, -1), "hr")
    difference = difference_node(output, hr_node, a_node, TO_REFERENCE)
    low, high = np.percentile(slicer.util.arrayFromVolume(a_node), [0.5, 99.5])
    np.testing.assert_allclose(slicer.util.arrayFromVolume(difference), -500 / (high - low), rtol=1e-4)
    assert difference.GetName() == "head SRx2 minus HR"
    assert legend_of(difference).GetTitleText() == "SR - HR\n% of the range"
    assert holds_grid_of(output, hr_node) and not holds_grid_of(output, a_node)
    half_a_voxel = add_volume(a_core, wider, affine_of(hr_node) @ shifted(0.5, 0, 0), "beside")
    assert not holds_grid_of(output, half_a_voxel)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(shifted(0.5, 0, 0)))
    hr_node.SetAndObserveTransformNodeID(transform.GetID())
    assert not holds_grid_of(output, hr_node), "it was moved away in the world"


def test_the_difference_of_ct_is_told_in_hounsfield_units(a_node, a_model) -> None:
    a_node.SetAttribute("SuperResolution3D.Modality", "CT")
    logic = SuperResolution3DLogic(pretend("done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    slicer.util.arrayFromVolume(output)[:] += 3
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    np.testing.assert_allclose(slicer.util.arrayFromVolume(difference), 3, rtol=1e-4)
    assert legend_of(difference).GetTitleText() == "SR - zero-filled\nHU"


def test_a_difference_volume_that_is_the_input_or_holds_another_result_stays(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done", "done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    logic.superResolve(difference, str(a_model.path), zeroFilled=True, outputNode=output)
    assert slicer.util.arrayFromVolume(difference).shape == tuple(2 * size for size in SHAPE)
    assert output.GetNodeReference(TO_MEASURED) is None
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    logic.superResolve(a_node, str(a_model.path), outputNode=difference)
    logic.superResolve(a_node, str(a_model.path), outputNode=output)
    assert difference.GetScene() is not None


def test_the_difference_volume_of_a_result_is_not_that_of_its_clone(a_node, a_model) -> None:
    logic = SuperResolution3DLogic(pretend("done", "done")[0])
    output = logic.superResolve(a_node, str(a_model.path), zeroFilled=True)
    difference = difference_node(output, output.GetNodeReference(ZERO_FILLED_ROLE), a_node)
    clone = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    clone.Copy(output)
    assert clone.GetNodeReference(TO_MEASURED) is difference
    logic.superResolve(a_node, str(a_model.path), outputNode=clone)
    assert difference.GetScene() is not None
    assert output.GetNodeReference(TO_MEASURED) is difference


def legend_of(node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLColorLegendDisplayNode:
    return slicer.vtkSlicerColorLogic.GetColorLegendDisplayNode(node)


def shifted(i: float, j: float, k: float) -> np.ndarray:
    affine = np.eye(4)
    affine[:3, 3] = (i, j, k)
    return affine
