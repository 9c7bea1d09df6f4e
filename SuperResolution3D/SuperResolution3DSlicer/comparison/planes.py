"""The planes of the comparison: the body's, or those of a stack of slices that lies obliquely in it."""

import numpy as np
import slicer

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.forward.slice_axis import find_slice_axis
from SuperResolution3DSlicer.scene.placement import Placement

STRAIGHT_DEGREES = 0.1  # between an axis of the stack and one of the body, up to which they are the same


def set_plane(
    slice_node: slicer.vtkMRMLSliceNode, orientation: str, volume_node: slicer.vtkMRMLScalarVolumeNode
) -> None:
    """Let a view show a plane of the body, or the nearest one of an oblique stack, across which no slice is cut."""
    slice_node.SetOrientation(orientation)
    if is_oblique_stack(volume_node):
        slice_node.RotateToVolumePlane(volume_node)


def is_oblique_stack(volume_node: slicer.vtkMRMLScalarVolumeNode) -> bool:
    """Tell whether a volume is a stack of thick slices whose axes do not run along those of the body."""
    placement = Placement.of(volume_node)
    affine = placement.to_world @ placement.affine
    try:
        find_slice_axis(affine)
    except GeometryError:
        return False
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    return bool(np.abs(directions).max(axis=0).min() < np.cos(np.deg2rad(STRAIGHT_DEGREES)))
