"""The trust map of a result as a volume of the scene, of which the mask is shown in one colour, with its legend."""

import slicer
from slicer.i18n import tr as _

from SuperResolution3DSlicer.comparison.color_table import color_table
from SuperResolution3DSlicer.comparison.legend import show_legend
from SuperResolution3DSlicer.comparison.units import share_text
from SuperResolution3DSlicer.scene.nodes import (
    ATTRIBUTE_PREFIX,
    add_result,
    display_with_fixed_window,
    remove_volume,
    replace_result,
)

TRUST_MAP_ROLE = f"{ATTRIBUTE_PREFIX}TrustMap"  # of a result
OWNER_ROLE = f"{ATTRIBUTE_PREFIX}TrustMapOf"
BOUND_ATTRIBUTE = "Bound"  # by how much the estimate may be off, as a person reads it
KIND = "trust map"
COLORS_NAME = "SuperResolution3D trust mask"
COLOR = (1.0, 0.85, 0.0)  # yellow: neither of the difference's colours
TRUST_OPACITY = 0.5  # over the result
MASK_FROM, HIGHEST = 100, 255  # of the map's voxels: percent of the caution from which one belongs to the mask


def add_trust_map(
    sr_node: slicer.vtkMRMLScalarVolumeNode,
    read: slicer.vtkMRMLScalarVolumeNode,
    input_node: slicer.vtkMRMLScalarVolumeNode,
    bound: float,
) -> slicer.vtkMRMLScalarVolumeNode:
    """Add ``<result> trust map`` to the scene, or put it into the one that the result has.

    Args:
        sr_node: the result.
        read: from ``read_result``.
        input_node: of the run.
        bound: share of the intensity range by which the estimate may be off in the mask.
    """
    text = share_text(bound, input_node)
    about, node = {"Kind": KIND, BOUND_ATTRIBUTE: text}, trust_map_of(sr_node)
    if node is None or node is input_node:
        node = add_result(read, _("{result} trust map").format(result=sr_node.GetName()), input_node, about)
    else:
        replace_result(node, read, input_node, about)
    node.SetVoxelValueQuantity(None)  # it has none of the input's
    node.SetVoxelValueUnits(None)
    sr_node.SetNodeReferenceID(TRUST_MAP_ROLE, node.GetID())
    node.SetNodeReferenceID(OWNER_ROLE, sr_node.GetID())
    display = display_with_fixed_window(node)
    with slicer.util.NodeModify(display):
        display.SetAndObserveColorNodeID(_colors(node.GetScene()).GetID())
        display.SetInterpolate(False)  # a mask has no voxel in between
        display.SetWindowLevelMinMax(MASK_FROM, HIGHEST)
        display.SetAutoThreshold(False)
        display.SetThreshold(MASK_FROM, HIGHEST)
        display.SetApplyThreshold(True)
    show_legend(node, _("The estimate may be off\nby more than {bound}").format(bound=text))
    return node


def remove_trust_map(sr_node: slicer.vtkMRMLScalarVolumeNode, input_node: slicer.vtkMRMLScalarVolumeNode) -> None:
    """Remove the trust map of a result whose voxels were replaced; one that is the input stays, and is let go."""
    node = trust_map_of(sr_node)
    sr_node.SetNodeReferenceID(TRUST_MAP_ROLE, None)
    if node is not None and node is not input_node:
        remove_volume(node)


def trust_map_of(sr_node: slicer.vtkMRMLScalarVolumeNode) -> slicer.vtkMRMLScalarVolumeNode | None:
    """Return a result's trust map; None for one that holds another result now, and for that of a cloned result."""
    node = sr_node.GetNodeReference(TRUST_MAP_ROLE)
    if node is None or node.GetAttribute(f"{ATTRIBUTE_PREFIX}Kind") != KIND:
        return None
    return node if node.GetNodeReference(OWNER_ROLE) is sr_node else None


def bound_of(node: slicer.vtkMRMLScalarVolumeNode) -> str:
    """Return by how much the estimate may be off in the mask of a trust map: ``5 % of the range``."""
    return node.GetAttribute(f"{ATTRIBUTE_PREFIX}{BOUND_ATTRIBUTE}") or ""


def _colors(scene: slicer.vtkMRMLScene) -> slicer.vtkMRMLColorTableNode:
    """Return the scene's colour of the mask; what is below the threshold is not shown at all."""
    return color_table(scene, COLORS_NAME, [(_("may be off"), *COLOR, 1.0)])
