"""Volumes between scene and files, on Slicer's own scene, nodes and storage."""

from pathlib import Path

import numpy as np
import pytest
import slicer
import vtk
from core_fixtures import a_core  # noqa: F401 (fixture)
from vtk.util.numpy_support import vtk_to_numpy

from SuperResolution3DLib.errors import InputError, OutputError, VolumeError
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume
from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume, affine_of, turned

# isort: split
from SuperResolution3DSlicer.scene.nodes import add_result, read_result, replace_result, result_name, write_node

RIGHT = turned((0.9, 1.1, 2.3), (-12.345678901234, 45.1, 7.7), left_handed=False)
LEFT = turned((0.9, 1.1, 2.3), (-12.345678901234, 45.1, 7.7), left_handed=True)
DTYPES = ("uint8", "int16", "uint16", "int32", "uint32", "float32", "float64")
AXIAL, LARGE_SPACING = np.eye(4), np.diag([5.0, 5.0, 5.0, 1.0])


@pytest.fixture
def an_array() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 100, (5, 6, 7)).astype(np.int16)


@pytest.fixture
def a_result(tmp_path: Path) -> Path:
    array = np.random.default_rng(1).integers(0, 100, (10, 12, 14)).astype(np.int16)
    path = tmp_path / "sr.nrrd"
    write_volume(Volume(array, LEFT), path)
    return path


@pytest.mark.parametrize("affine", [RIGHT, LEFT, AXIAL], ids=["oblique", "oblique left-handed", "axial"])
def test_a_written_node_has_its_exact_grid_and_voxels(a_core, an_array, affine, tmp_path) -> None:
    write_node(add_volume(a_core, an_array, affine), tmp_path / "lr.nrrd")
    volume = read_volume(tmp_path / "lr.nrrd")
    np.testing.assert_array_equal(volume.array, an_array)
    np.testing.assert_allclose(volume.affine, affine, rtol=0, atol=1e-12)


@pytest.mark.parametrize("affine", [RIGHT, LEFT, AXIAL], ids=["oblique", "oblique left-handed", "axial"])
def test_a_result_node_has_its_files_exact_grid_and_voxels(a_core, an_array, affine, tmp_path) -> None:
    write_volume(Volume(an_array, affine), tmp_path / "sr.nrrd")
    node = add_result(read_result(tmp_path / "sr.nrrd"), "sr", add_volume(a_core, an_array, AXIAL), {})
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), an_array)
    np.testing.assert_allclose(affine_of(node), affine, rtol=0, atol=1e-12)


@pytest.mark.parametrize("dtype", DTYPES)
def test_every_voxel_type_keeps_its_values_and_comes_back(a_core, an_array, dtype, tmp_path) -> None:
    array = an_array.astype(dtype)
    node = add_volume(a_core, array, RIGHT)
    write_node(node, tmp_path / "lr.nrrd")
    assert read_volume(tmp_path / "lr.nrrd").array.dtype == dtype
    back = add_result(read_result(tmp_path / "lr.nrrd"), "back", node, {})
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(back), array)
    assert slicer.util.arrayFromVolume(back).dtype == dtype


@pytest.mark.parametrize(
    ("vtk_type", "dtype"),
    [
        (vtk.VTK_SIGNED_CHAR, np.int16),
        (vtk.VTK_LONG, np.float64),
        (vtk.VTK_LONG_LONG, np.float64),
        (vtk.VTK_UNSIGNED_LONG_LONG, np.float64),
    ],
)
def test_voxel_types_that_slicer_cannot_store_are_written_as_a_wider_one(a_core, vtk_type, dtype, tmp_path) -> None:
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    image.AllocateScalars(vtk_type, 1)
    values = vtk_to_numpy(image.GetPointData().GetScalars())
    values[:] = np.arange(120)
    node = a_core.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode")
    node.SetAndObserveImageData(image)
    write_node(node, tmp_path / "lr.nrrd")
    written = read_volume(tmp_path / "lr.nrrd").array
    assert written.dtype == dtype
    np.testing.assert_array_equal(written.ravel(), np.arange(120))


def test_writing_leaves_the_parent_transform_out_and_the_scene_alone(a_core, an_array, tmp_path) -> None:
    node = add_volume(a_core, an_array, LEFT)
    _put_under_transform(a_core, node)
    count, changed = a_core.scene.GetNumberOfNodes(), node.GetMTime()
    write_node(node, tmp_path / "lr.nrrd")
    np.testing.assert_allclose(read_volume(tmp_path / "lr.nrrd").affine, LEFT, rtol=0, atol=1e-12)
    assert (a_core.scene.GetNumberOfNodes(), node.GetMTime(), node.GetStorageNode()) == (count, changed, None)


def test_a_file_that_cannot_be_written_is_told_with_its_size(a_core, an_array, tmp_path) -> None:
    node = add_volume(a_core, np.zeros((100, 100, 100), np.float32), RIGHT)
    with pytest.raises(OutputError, match=r"head \(4 MB\) cannot be written to .*missing; free some space"):
        write_node(node, tmp_path / "missing" / "lr.nrrd")


def test_a_result_is_shown_like_its_input_and_lies_under_its_transform(a_core, an_array, a_result) -> None:
    node = add_volume(a_core, an_array, RIGHT)
    transform = _put_under_transform(a_core, node)
    display = node.GetDisplayNode()
    display.SetAndObserveColorNodeID("vtkMRMLColorTableNodeRainbow")
    display.SetAutoWindowLevel(False)
    display.SetWindowLevelMinMax(-20, 70)
    display.SetInterpolate(False)
    display.SetThreshold(5, 60)
    display.SetApplyThreshold(True)
    result = add_result(read_result(a_result), "sr", node, {})
    shown = result.GetDisplayNode()
    assert result.GetTransformNodeID() == transform.GetID()
    assert shown.GetColorNodeID() == "vtkMRMLColorTableNodeRainbow"
    assert (shown.GetWindowLevelMin(), shown.GetWindowLevelMax(), shown.GetAutoWindowLevel()) == (-20, 70, 0)
    assert (shown.GetLowerThreshold(), shown.GetUpperThreshold(), shown.GetApplyThreshold()) == (5, 60, 1)
    assert shown.GetInterpolate() == 0


def test_the_window_of_an_input_without_a_display_is_made_first(a_core, an_array, a_result) -> None:
    node = add_volume(a_core, an_array, RIGHT)
    a_core.scene.RemoveNode(node.GetDisplayNode())
    result = add_result(read_result(a_result), "sr", node, {})
    assert result.GetDisplayNode().GetWindow() == node.GetDisplayNode().GetWindow() > 0


def test_a_result_carries_how_it_came_about_and_the_inputs_unit(a_core, an_array, a_result) -> None:
    node = add_volume(a_core, an_array, RIGHT)
    hounsfield = slicer.vtkCodedEntry()
    hounsfield.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    node.SetVoxelValueUnits(hounsfield)
    result = add_result(read_result(a_result), "sr", node, {"Model": "rrdb", "Device": "CPU"})
    assert result.GetAttribute("SuperResolution3D.Model") == "rrdb"
    assert result.GetAttribute("SuperResolution3D.Device") == "CPU"
    assert result.GetVoxelValueUnits().GetCodeMeaning() == "Hounsfield unit"
    assert result.GetStorageNode() is None, "the temporary file is nothing to save to"


def test_a_result_stands_right_after_its_input_in_the_subject_hierarchy(a_core, an_array, a_result) -> None:
    hierarchy = a_core.subject_hierarchy
    study = hierarchy.CreateStudyItem(hierarchy.GetSceneItemID(), "study")
    nodes = [add_volume(a_core, an_array, RIGHT, name) for name in ("t1", "t2", "flair")]
    for node in nodes:
        hierarchy.CreateItem(study, node)
    add_result(read_result(a_result), "t1 SRx4", nodes[0], {})
    add_result(read_result(a_result), "flair SRx4", nodes[2], {})
    assert _children(hierarchy, study) == ["t1", "t1 SRx4", "t2", "flair", "flair SRx4"]


def test_two_results_of_one_name_are_told_apart(a_core, an_array, a_result) -> None:
    node = add_volume(a_core, an_array, RIGHT)
    names = [add_result(read_result(a_result), "head SRx4", node, {}).GetName() for _ in range(2)]
    assert names == ["head SRx4", "head SRx4_1"]


@pytest.mark.parametrize("scale", [(4, 4, 4), (2, 2, 2)])
def test_a_result_is_named_after_input_and_scale(scale) -> None:
    assert result_name("head", scale) == f"head SRx{scale[0]}"
    assert result_name("head", (4, 1, 1)) == "head SRx4x1x1"


def test_a_chosen_output_keeps_its_name_and_place_and_loses_the_old_result(a_core, an_array, a_result) -> None:
    node = add_volume(a_core, an_array, RIGHT)
    output = add_volume(a_core, an_array[:3], LARGE_SPACING, "mine")
    output.SetAttribute("SuperResolution3D.Region", "of an earlier run")
    identity = output.GetID()
    replace_result(output, read_result(a_result), node, {"Model": "rrdb"})
    assert (output.GetName(), output.GetID()) == ("mine", identity)
    assert slicer.util.arrayFromVolume(output).shape == (10, 12, 14)
    np.testing.assert_allclose(affine_of(output), LEFT, rtol=0, atol=1e-12)
    assert output.GetAttribute("SuperResolution3D.Region") is None
    assert output.GetAttribute("SuperResolution3D.Model") == "rrdb"


def test_input_and_label_maps_are_refused_as_output(a_core, an_array, a_result) -> None:
    node = add_volume(a_core, an_array, RIGHT)
    with pytest.raises(InputError, match="head is input and output at once"):
        replace_result(node, read_result(a_result), node, {})
    label_map = add_volume(a_core, an_array, RIGHT, "labels", "vtkMRMLLabelMapVolumeNode")
    with pytest.raises(InputError, match="output labels is not a scalar volume"):
        replace_result(label_map, read_result(a_result), node, {})
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), an_array)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(label_map), an_array)


@pytest.mark.parametrize("damage", ["missing", "cut short", "no volume"])
def test_a_result_that_cannot_be_read_leaves_the_scene_untouched(a_core, an_array, a_result, damage) -> None:
    node = add_volume(a_core, an_array, RIGHT)
    if damage == "missing":
        a_result.unlink()
    else:
        a_result.write_bytes(a_result.read_bytes()[:-9] if damage == "cut short" else b"NRRD")
    count = a_core.scene.GetNumberOfNodes()
    with pytest.raises(VolumeError, match=r"sr\.nrrd is missing or incomplete"):
        add_result(read_result(a_result), "sr", node, {})
    assert a_core.scene.GetNumberOfNodes() == count


def _put_under_transform(running: core.Core, node: slicer.vtkMRMLVolumeNode) -> slicer.vtkMRMLLinearTransformNode:
    transform = running.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    matrix = turned((1, 1, 1), (3, 4, 5), left_handed=False)
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(matrix))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return transform


def _children(hierarchy: slicer.vtkMRMLSubjectHierarchyNode, parent: int) -> list[str]:
    items = vtk.vtkIdList()
    hierarchy.GetItemChildren(parent, items, False)
    return [hierarchy.GetItemName(items.GetId(number)) for number in range(items.GetNumberOfIds())]
