"""The differences SR - zero-filled and SR - HR as volumes of their own, in colours that tell plus from minus."""

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.box import Box
from SuperResolution3DLib.volumes.geometry import contained_box
from SuperResolution3DSlicer.comparison.color_table import color_table
from SuperResolution3DSlicer.comparison.legend import show_legend
from SuperResolution3DSlicer.comparison.units import SAMPLED_VOXELS, in_unit, unit_name
from SuperResolution3DSlicer.scene.checks import is_empty
from SuperResolution3DSlicer.scene.library_sentences import in_own_language
from SuperResolution3DSlicer.scene.modality import hand_on_modality
from SuperResolution3DSlicer.scene.nodes import ATTRIBUTE_PREFIX, display_with_fixed_window, remove_volume
from SuperResolution3DSlicer.scene.placement import Placement, is_under_linear_transforms

TO_MEASURED = f"{ATTRIBUTE_PREFIX}Difference"  # of a result: to the zero-filled or interpolated volume
TO_REFERENCE = f"{ATTRIBUTE_PREFIX}DifferenceToReference"  # to the HR reference
OWNER_ROLE = f"{ATTRIBUTE_PREFIX}DifferenceOf"
SUBTRACTED_ROLE = f"{ATTRIBUTE_PREFIX}Subtracted"
KIND = "difference"
COLORS_NAME = "SuperResolution3D difference"
NUM_COLORS = 255  # odd, so that zero has one of its own
MINUS, PLUS = (0.25, 0.65, 1.0), (1.0, 0.6, 0.15)  # blue and orange, told apart by colour-blind people; zero is black
SEEN_FROM = 0.25  # of the range; what is less is transparent, so that an overlay leaves the anatomy clear
FAINTEST = 0.4  # of the strongest colour, for what is just seen
RANGE_PERCENTILE = 99.5  # of the absolute difference; the few largest ones would darken all others


def difference_node(
    sr_node: slicer.vtkMRMLScalarVolumeNode,
    subtracted: slicer.vtkMRMLScalarVolumeNode,
    lr_node: slicer.vtkMRMLScalarVolumeNode,
    role: str = TO_MEASURED,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume SR - another one, in HU of CT, else in percent of the LR's intensity range, with its legend.

    A result has one such volume for each role, which is computed anew each time.

    Raises:
        InputError: the other one does not hold the voxels of the SR's grid.
    """
    box = _box_of(sr_node, subtracted)
    scene, kind = sr_node.GetScene(), _kind(subtracted, role)
    name = _("{result} minus {other}").format(result=sr_node.GetName(), other=kind)
    node = own_difference(sr_node, role)
    if node is None:
        node = scene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", scene.GenerateUniqueName(name))
        node.SetAttribute(f"{ATTRIBUTE_PREFIX}Kind", KIND)
        sr_node.SetNodeReferenceID(role, node.GetID())
        node.SetNodeReferenceID(OWNER_ROLE, sr_node.GetID())
    node.SetNodeReferenceID(SUBTRACTED_ROLE, subtracted.GetID())
    # float32 also for integers: unsigned ones would wrap around below zero
    difference = slicer.util.arrayFromVolume(sr_node).astype(np.float32)
    difference -= slicer.util.arrayFromVolume(subtracted)[box]
    difference *= np.float32(in_unit(lr_node))
    slicer.util.updateVolumeFromArray(node, difference)
    node.CopyOrientation(sr_node)
    hand_on_modality(node, sr_node)
    node.SetAndObserveTransformNodeID(sr_node.GetTransformNodeID())
    _show_diverging(node, difference)
    show_legend(node, _("SR - {other}\n{unit}").format(other=kind, unit=unit_name(lr_node)), "%+.2g")
    return node


def renew_differences(
    sr_node: slicer.vtkMRMLScalarVolumeNode,
    zero_filled_node: slicer.vtkMRMLScalarVolumeNode | None,
    input_node: slicer.vtkMRMLScalarVolumeNode,
) -> None:
    """Let the difference volume of a result that was replaced follow it; without a zero-filled volume it goes.

    That to an HR reference goes too: the new result may be one of another volume. A result that has none gets none
    here. One that is the input of the new result stays as it is, and is let go.
    """
    for role in (TO_MEASURED, TO_REFERENCE):
        node = own_difference(sr_node, role)
        if node is None:
            continue
        if node is not input_node and zero_filled_node is not None and role == TO_MEASURED:
            difference_node(sr_node, zero_filled_node, input_node)
            continue
        sr_node.SetNodeReferenceID(role, None)
        if node is not input_node:
            remove_volume(node)


def own_difference(sr_node: slicer.vtkMRMLScalarVolumeNode, role: str) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return a result's difference volume.

    None for one that was chosen as an output meanwhile and holds another result, and for that of a result of which this
    one is a clone.
    """
    node = sr_node.GetNodeReference(role)
    if node is None or node.GetAttribute(f"{ATTRIBUTE_PREFIX}Kind") != KIND:
        return None
    return node if node.GetNodeReference(OWNER_ROLE) is sr_node else None


def is_interpolated(zero_filled_node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Tell whether what a result is compared with was interpolated between thick slices, not zero-filled."""
    return zero_filled_node.GetAttribute(f"{ATTRIBUTE_PREFIX}Kind") == "interpolated"


def holds_grid_of(sr_node: slicer.vtkMRMLScalarVolumeNode, other: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Tell whether another volume holds all voxels of a result's grid, so that it can be subtracted."""
    if is_empty(other) or not is_under_linear_transforms(other):
        return False
    try:
        _box_of(sr_node, other)
    except InputError:
        return False
    return True


def _kind(subtracted: slicer.vtkMRMLScalarVolumeNode, role: str) -> str:
    if role == TO_REFERENCE:
        return _("HR")
    return _("interpolated") if is_interpolated(subtracted) else _("zero-filled")


def _show_diverging(node: slicer.vtkMRMLScalarVolumeNode, difference: np.ndarray) -> None:
    step = int(np.ceil((difference.size / SAMPLED_VOXELS) ** (1 / 3)))
    sizes = np.abs(difference[::step, ::step, ::step])
    limit = float(np.percentile(sizes, RANGE_PERCENTILE)) or 1.0
    display = display_with_fixed_window(node)
    display.SetAndObserveColorNodeID(_colors(node.GetScene()).GetID())
    display.SetWindowLevelMinMax(-limit, limit)
    display.SetApplyThreshold(False)


def _colors(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorTableNode:
    """Return the scene's diverging colours."""
    middle = NUM_COLORS // 2
    colors = []
    for number in range(NUM_COLORS):
        strength = abs(number - middle) / middle
        is_seen = strength >= SEEN_FROM
        brightness = is_seen * (FAINTEST + (1 - FAINTEST) * strength)
        red, green, blue = (brightness * part for part in (MINUS if number < middle else PLUS))
        # Slice views know transparent and opaque voxels alone; what is transparent in a background is black.
        colors.append((f"{(number - middle) / middle:+.2f}", red, green, blue, float(is_seen)))
    return color_table(scene, COLORS_NAME, colors)


def _box_of(sr_node: slicer.vtkMRMLScalarVolumeNode, other: slicer.vtkMRMLScalarVolumeNode) -> Box:
    """Return which voxels (K, J, I) of another volume lie on those of a result.

    Raises:
        InputError: it has none there, or not for all of them.
    """
    shapes = [node.GetImageData().GetDimensions()[::-1] for node in (sr_node, other)]
    places = [Placement.of(node) for node in (sr_node, other)]
    ours, theirs = (place.to_world @ place.affine for place in places)
    try:
        return contained_box(theirs, shapes[1], ours, shapes[0])
    except GeometryError as error:
        raise InputError(
            _("{other} ({theirs}) does not lie on the grid of {sr} ({ours}); compute both in one run.").format(
                other=other.GetName(),
                sr=sr_node.GetName(),
                ours=in_own_language(grid_text(shapes[0], ours)),
                theirs=in_own_language(grid_text(shapes[1], theirs)),
            )
        ) from error
