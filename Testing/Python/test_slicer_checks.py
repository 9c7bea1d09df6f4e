"""What a person reads who chooses a volume or a region that cannot be used, on Slicer's own nodes."""

from dataclasses import replace

import numpy as np
import pytest
import slicer
import vtk
from core_fixtures import a_core  # noqa: F401 (fixture)

from SuperResolution3DLib.errors import GeometryError, InputError, VolumeError
from SuperResolution3DLib.models.model_card import ModelCard
from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume, turned

# isort: split
from SuperResolution3DSlicer.scene.checks import check_input, field_of_view_note, spacing_warning
from SuperResolution3DSlicer.scene.roi import region_of_roi

OBLIQUE = turned((0.9, 1.1, 2.3), (-12.3, 45.1, 7.7), left_handed=False)
LEFT = turned((0.9, 1.1, 2.3), (-12.3, 45.1, 7.7), left_handed=True)
CARD = ModelCard(
    name="brain",
    network="rrdb",
    config={},
    scale=(4, 4, 4),
    grid="center",
    skip="none",
    intensity={},
    modality="MR T1w",
    spacing_range=(2.0, 4.0),
    licence="Apache-2.0",
)


@pytest.fixture
def a_volume(a_core) -> slicer.vtkMRMLScalarVolumeNode:
    return add_volume(a_core, np.arange(20 * 24 * 28).reshape(20, 24, 28).astype(np.float32), OBLIQUE)


# --- Volumes ---------------------------------------------------------------------------------------------------------


def test_an_oblique_scalar_volume_under_a_linear_transform_passes(a_core, a_volume) -> None:
    _put_under(a_volume, a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved"))
    check_input(a_volume)


def test_no_volume_is_told() -> None:
    with pytest.raises(InputError, match=r"Choose an input volume\."):
        check_input(None)


def test_a_volume_that_is_in_no_scene_is_refused(a_core, a_volume) -> None:
    a_core.scene.RemoveNode(a_volume)
    with pytest.raises(InputError, match="head was deleted; choose a volume of the scene"):
        check_input(a_volume)


@pytest.mark.parametrize(
    ("class_name", "components", "sentence"),
    [
        ("vtkMRMLLabelMapVolumeNode", 1, "odd is a label map and a scalar 3D volume is needed"),
        ("vtkMRMLVectorVolumeNode", 3, "odd is a vector or tensor volume and a scalar"),
        ("vtkMRMLStreamingVolumeNode", 3, "odd is a vector or tensor volume and a scalar"),
        ("vtkMRMLDiffusionWeightedVolumeNode", 6, "odd is a diffusion series and a scalar"),
        ("vtkMRMLScalarVolumeNode", 2, "odd has 2 numbers a voxel and one is needed"),
    ],
)
def test_other_kinds_of_volumes_are_refused(a_core, class_name, components, sentence) -> None:
    node = a_core.scene.AddNewNodeByClass(class_name, "odd")
    image = vtk.vtkImageData()
    image.SetDimensions(4, 5, 6)
    image.AllocateScalars(vtk.VTK_SHORT, components)
    node.SetAndObserveImageData(image)
    with pytest.raises(VolumeError, match=sentence):
        check_input(node)


def test_sequences_and_the_frames_that_they_show_are_refused(a_core, a_volume) -> None:
    sequence = a_core.scene.AddNewNodeByClass("vtkMRMLSequenceNode", "beating heart")
    browser = a_core.scene.AddNewNodeByClass("vtkMRMLSequenceBrowserNode")
    sequence.SetDataNodeAtValue(a_volume, "0")
    browser.SetAndObserveMasterSequenceNodeID(sequence.GetID())
    frame = browser.GetProxyNode(sequence) or browser.AddProxyNode(a_volume, sequence)
    check_input(a_volume)
    with pytest.raises(VolumeError, match="beating heart is a sequence and a scalar 3D volume is needed"):
        check_input(sequence)
    with pytest.raises(VolumeError, match="is one frame of a sequence and changes with it; clone the frame"):
        check_input(frame)


def test_other_nodes_are_refused(a_core) -> None:
    with pytest.raises(VolumeError, match="box is not a volume"):
        check_input(a_core.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "box"))


def test_volumes_without_voxels_are_refused(a_core, a_volume) -> None:
    with pytest.raises(VolumeError, match="nothing is empty: it has no voxels"):
        check_input(a_core.scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing"))
    a_volume.SetAndObserveImageData(vtk.vtkImageData())
    with pytest.raises(VolumeError, match="head is empty"):
        check_input(a_volume)


@pytest.mark.parametrize("class_name", ["vtkMRMLGridTransformNode", "vtkMRMLBSplineTransformNode"])
def test_a_non_linear_transform_is_refused_even_above_a_linear_one(a_core, a_volume, class_name) -> None:
    warp = a_core.scene.AddNewNodeByClass(class_name, "warp")
    linear = a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
    _put_under(a_volume, linear)
    _put_under(linear, warp)
    with pytest.raises(InputError, match=r"head is moved by the non-linear transform warp,.*Harden transform"):
        check_input(a_volume)


@pytest.mark.parametrize("is_direct", [True, False], ids=["direct", "above a linear one"])
def test_an_acquisition_transform_is_told_with_how_to_harden_it(a_core, a_volume, is_direct) -> None:
    node = a_volume
    if not is_direct:
        node = a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode", "moved")
        _put_under(a_volume, node)
    _put_under(node, a_core.scene.AddNewNodeByClass("vtkMRMLGridTransformNode", "head acquisition transform"))
    with pytest.raises(InputError, match=r"loaded with an acquisition transform.*Data module.*Harden transform"):
        check_input(a_volume)


def test_a_sheared_grid_is_refused(a_core) -> None:
    sheared = np.eye(4)
    sheared[0, 1] = 0.2
    with pytest.raises(GeometryError, match=r"^leaning: The volume is sheared: .* axes first\.$"):
        check_input(add_volume(a_core, np.zeros((4, 4, 4)), sheared, "leaning"))


@pytest.mark.parametrize(
    ("shape", "sizes"), [((1, 40, 50), "50 x 40 x 1"), ((20, 20, 3), "3 x 20 x 20"), ((2, 2, 2), "2 x 2 x 2")]
)
def test_a_volume_with_too_few_voxels_for_the_network_is_refused(a_core, shape, sizes) -> None:
    sentence = rf"^thin has {sizes} voxels \(left-right, front-back, through-plane\) and the network needs 4 at least"
    with pytest.raises(VolumeError, match=sentence):
        check_input(add_volume(a_core, np.zeros(shape), OBLIQUE, "thin"))
    check_input(add_volume(a_core, np.zeros((4, 4, 4)), OBLIQUE, "small"))


# --- What a person should know ---------------------------------------------------------------------------------------


@pytest.mark.parametrize(("spacing_range", "warns"), [((0.9, 2.3), False), ((1.2, 4.0), True), ((0.5, 2.0), True)])
def test_spacing_outside_the_models_range_is_told_with_numbers(a_volume, spacing_range, warns) -> None:
    warning = spacing_warning(a_volume, replace(CARD, spacing_range=spacing_range))
    low, high = spacing_range
    expected = (
        "head has voxels of 0.9 x 1.1 x 2.3 mm (left-right, front-back, through-plane); brain was trained on "
        f"{low:g} to {high:g} mm"
    )
    assert warning.startswith(expected) if warns else warning == ""


def test_references_of_the_same_field_of_view_need_no_note(a_core, a_volume) -> None:
    finer = OBLIQUE @ np.array([[0.5, 0, 0, -0.25], [0, 0.5, 0, -0.25], [0, 0, 0.5, -0.25], [0, 0, 0, 1]])
    assert field_of_view_note(a_volume, add_volume(a_core, np.zeros((40, 48, 56)), finer, "hr")) == ""


def test_a_reference_of_another_field_of_view_is_told_with_numbers(a_core, a_volume) -> None:
    straight = add_volume(a_core, np.zeros((20, 20, 20)), np.eye(4), "lr")
    shifted = np.eye(4)
    shifted[0, 3] = 6
    wider = add_volume(a_core, np.zeros((20, 20, 30)), shifted, "hr")
    note = field_of_view_note(straight, wider)
    assert "hr covers 30 x 20 x 20 mm (left-right, front-back, head-foot), lr 20 x 20 x 20 mm, and their" in note
    assert "centres are 11.0 mm apart" in note


def test_a_parent_transform_moves_the_field_of_view(a_core) -> None:
    lr = add_volume(a_core, np.zeros((20, 20, 20)), np.eye(4), "lr")
    hr = add_volume(a_core, np.zeros((20, 20, 20)), np.eye(4), "hr")
    transform = a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(_shift(300)))
    assert field_of_view_note(lr, hr) == ""
    _put_under(hr, transform)
    assert field_of_view_note(lr, hr) == "The HR reference hr shows no part of the body that lr shows."


# --- Regions ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("affine", [OBLIQUE, LEFT], ids=["oblique", "left-handed"])
@pytest.mark.parametrize("under_transforms", [False, True])
def test_a_roi_around_voxels_is_exactly_their_region(a_core, affine, under_transforms) -> None:
    volume = add_volume(a_core, np.zeros((20, 24, 28)), affine)
    region = np.s_[3:9, 4:15, 5:28]
    roi = _roi_around(a_core, affine, region)
    if under_transforms:  # one each: the same place in the world, by different ways
        moves = [a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode") for _ in range(2)]
        turn = turned((1, 1, 1), (30, -20, 10), left_handed=False)
        for move, node in zip(moves, (volume, roi), strict=True):
            move.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(turn))
            _put_under(node, move)
    assert region_of_roi(volume, roi) == region


def test_a_roi_that_touches_a_voxel_takes_all_of_it_in(a_core) -> None:
    volume = add_volume(a_core, np.zeros((20, 24, 28)), np.eye(4))
    roi = a_core.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetCenter(10, 11, 12)
    roi.SetSize(4.0, 5.2, 6.8)  # 8 to 12, 8.4 to 13.6, 8.6 to 15.4
    assert region_of_roi(volume, roi) == np.s_[9:16, 8:15, 8:13]


def test_a_turned_roi_stands_for_the_box_around_it_and_is_cut_at_the_border(a_core) -> None:
    volume = add_volume(a_core, np.zeros((20, 24, 28)), np.eye(4))
    roi = a_core.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetSize(10.0, 10.0, 10.0)
    turn = np.eye(4)
    turn[:2, :2] = np.array([[1, -1], [1, 1]]) / np.sqrt(2)
    turn[:3, 3] = (12, 3, 10)
    roi.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(turn))
    # in the plane it reaches 7.07 mm: I from 4.93 to 19.07, J from -4.07 to 10.07
    assert region_of_roi(volume, roi) == np.s_[5:16, 0:11, 5:20]


def test_a_roi_outside_the_volume_is_refused_with_numbers(a_core, a_volume) -> None:
    roi = _roi_around(a_core, OBLIQUE, np.s_[30:36, 4:15, 5:28])
    expected = r"The ROI R.* lies outside head: .*4\.5 to 27\.5, 3\.5 to 14\.5, 29\.5 to 35\.5 of "
    with pytest.raises(InputError, match=expected):
        region_of_roi(a_volume, roi)
    before = _roi_around(a_core, OBLIQUE, np.s_[3:5, 4:15, -75:-73])
    with pytest.raises(InputError, match=r"over the voxels -75\.5 to -73\.5, 3\.5 to"):
        region_of_roi(a_volume, before)


def test_a_roi_without_a_size_is_refused(a_core, a_volume) -> None:
    with pytest.raises(InputError, match="The ROI crop is not placed yet"):
        region_of_roi(a_volume, a_core.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "crop"))


def _roi_around(running: core.Core, affine: np.ndarray, region) -> slicer.vtkMRMLMarkupsROINode:
    """Return a ROI along the voxel axes whose faces are the outer faces of the region's voxels."""
    starts, stops = np.array([(part.start, part.stop) for part in region], dtype=float).T[:, ::-1]
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    box = np.eye(4)
    box[:3, :3] = affine[:3, :3] / spacing
    box[:3, 3] = (affine @ (*((starts + stops - 1) / 2), 1))[:3]
    roi = running.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    roi.SetSize(*((stops - starts) * spacing))
    roi.SetAndObserveObjectToNodeMatrix(slicer.util.vtkMatrixFromArray(box))
    return roi


def _put_under(node: slicer.vtkMRMLTransformableNode, transform: slicer.vtkMRMLTransformNode) -> None:
    node.SetAndObserveTransformNodeID(transform.GetID())


def _shift(superior: float) -> np.ndarray:
    matrix = np.eye(4)
    matrix[2, 3] = superior
    return matrix
