"""The difference SR - zero-filled as a volume of its own, in colours that tell plus from minus."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.modality import hand_on_modality
from SuperResolution3DSlicer.scene.nodes import ATTRIBUTE_PREFIX, display_with_fixed_window

REFERENCE_ROLE = f"{ATTRIBUTE_PREFIX}Difference"
OWNER_ROLE = f"{ATTRIBUTE_PREFIX}DifferenceOf"
KIND = "difference"
COLORS_NAME = "SuperResolution3D difference"
NUM_COLORS = 255  # odd, so that zero has one of its own
MINUS, PLUS = (0.25, 0.65, 1.0), (1.0, 0.6, 0.15)  # blue and orange, told apart by colour-blind people; zero is black
RANGE_PERCENTILE = 99.5  # of the absolute difference; the few largest ones would darken all others
SAMPLED_VOXELS = 1_000_000  # are enough for a percentile


def difference_node(
    sr_node: slicer.vtkMRMLScalarVolumeNode, zero_filled_node: slicer.vtkMRMLScalarVolumeNode
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume SR - zero-filled; a result has one such volume, which is computed anew each time.

    Raises:
        InputError: the two are on different grids.
    """
    _check_same_grid(sr_node, zero_filled_node)
    scene = sr_node.GetScene()
    node = _own_difference(sr_node)
    if node is None:
        told = (
            _("{result} minus interpolated") if is_interpolated(zero_filled_node) else _("{result} minus zero-filled")
        )
        name = told.format(result=sr_node.GetName())
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
        node.SetAttribute(f"{ATTRIBUTE_PREFIX}Kind", KIND)
        sr_node.SetNodeReferenceID(REFERENCE_ROLE, node.GetID())
        node.SetNodeReferenceID(OWNER_ROLE, sr_node.GetID())
    # float32 also for integers: unsigned ones would wrap around below zero
    difference = slicer.util.arrayFromVolume(sr_node).astype(np.float32)
    difference -= slicer.util.arrayFromVolume(zero_filled_node)
    slicer.util.updateVolumeFromArray(node, difference)
    node.CopyOrientation(sr_node)
    hand_on_modality(node, sr_node)
    node.SetAndObserveTransformNodeID(sr_node.GetTransformNodeID())
    _show_diverging(node, difference)
    return node


def renew_difference(
    sr_node: slicer.vtkMRMLScalarVolumeNode,
    zero_filled_node: slicer.vtkMRMLScalarVolumeNode | None,
    input_node: slicer.vtkMRMLScalarVolumeNode,
) -> None:
    """Let the difference volume of a result that was replaced follow it; without a zero-filled volume it goes.

    A result that has none gets none here. One that is the input of the new result stays as it is, and is let go.
    """
    node = _own_difference(sr_node)
    if node is None:
        return
    if node is not input_node and zero_filled_node is not None:
        difference_node(sr_node, zero_filled_node)
        return
    sr_node.SetNodeReferenceID(REFERENCE_ROLE, None)
    if node is not input_node:
        node.GetScene().RemoveNode(node)


def is_interpolated(zero_filled_node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Tell whether what a result is compared with was interpolated between thick slices, not zero-filled."""
    return zero_filled_node.GetAttribute(f"{ATTRIBUTE_PREFIX}Kind") == "interpolated"


def _own_difference(sr_node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return a result's difference volume.

    None for one that was chosen as an output meanwhile and holds another result, and for that of a result of which this
    one is a clone.
    """
    node = sr_node.GetNodeReference(REFERENCE_ROLE)
    if node is None or node.GetAttribute(f"{ATTRIBUTE_PREFIX}Kind") != KIND:
        return None
    return node if node.GetNodeReference(OWNER_ROLE) is sr_node else None


def _show_diverging(node: slicer.vtkMRMLScalarVolumeNode, difference: np.ndarray) -> None:
    step = int(np.ceil((difference.size / SAMPLED_VOXELS) ** (1 / 3)))
    sizes = np.abs(difference[::step, ::step, ::step])
    limit = float(np.percentile(sizes, RANGE_PERCENTILE)) or 1.0
    display = display_with_fixed_window(node)
    display.SetAndObserveColorNodeID(_colors(node.GetScene()).GetID())
    display.SetWindowLevelMinMax(-limit, limit)
    display.SetApplyThreshold(False)


def _colors(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorTableNode:
    """Return the scene's diverging colours; they are made once."""
    node = scene.GetFirstNodeByName(COLORS_NAME)
    if node is not None and node.IsA("vtkMRMLColorTableNode"):
        return node
    node = slicer.vtkMRMLColorTableNode()
    node.SetName(COLORS_NAME)
    node.SetTypeToUser()
    node.SetNumberOfColors(NUM_COLORS)
    middle = NUM_COLORS // 2
    for number in range(NUM_COLORS):
        strength = abs(number - middle) / middle
        color = [strength * part for part in (MINUS if number < middle else PLUS)]
        node.SetColor(number, f"{(number - middle) / middle:+.2f}", *color, 1.0)
    return scene.AddNode(node)


def _check_same_grid(sr_node: slicer.vtkMRMLScalarVolumeNode, zero_filled_node: slicer.vtkMRMLScalarVolumeNode) -> None:
    sizes = [node.GetImageData().GetDimensions() for node in (sr_node, zero_filled_node)]
    if sizes[0] != sizes[1] or not np.allclose(node_affine(sr_node), node_affine(zero_filled_node), atol=1e-3):
        raise InputError(
            _(
                "{zero_filled} ({theirs}) does not lie on the grid of {sr} ({ours} voxels); compute both in one run."
            ).format(
                zero_filled=zero_filled_node.GetName(),
                sr=sr_node.GetName(),
                ours=" x ".join(map(str, sizes[0])),
                theirs=" x ".join(map(str, sizes[1])),
            )
        )
