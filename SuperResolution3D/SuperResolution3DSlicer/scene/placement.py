"""Where a volume lies: kept from the start of a run, as somebody may move the volume before its end."""

from dataclasses import dataclass

import numpy as np
import slicer
import vtk
from slicer.i18n import tr as _

from SuperResolution3DSlicer.scene.checks import node_affine

TOLERANCE = 1e-6  # mm, of the places of a voxel and its neighbours


@dataclass(frozen=True)
class Placement:
    """A volume's place at one moment."""

    name: str
    affine: np.ndarray
    """(4, 4), IJK to RAS mm without the parent transform"""
    transform_node: slicer.vtkMRMLTransformNode | None
    to_world: np.ndarray
    """(4, 4), of the parent transform"""

    @staticmethod
    def of(node: slicer.vtkMRMLVolumeNode) -> "Placement":
        """Return where a volume lies now; its parent transforms are linear."""
        return Placement(
            node.GetName(), node_affine(node), node.GetParentTransformNode(), _to_world(node.GetParentTransformNode())
        )

    def put(self, result: slicer.vtkMRMLVolumeNode, input_node: slicer.vtkMRMLVolumeNode) -> str:
        """Put a volume whose voxels were computed from those of this place there; return a sentence if that differs.

        While the input is where it was, the result is under its parent transform and moves with it. Was the input
        moved, hardened or put under another transform meanwhile, the result lies in the world where the input lay at
        the start.
        """
        is_same = input_node.GetParentTransformNode() is self.transform_node
        if is_same and np.allclose(node_affine(input_node), self.affine, rtol=0, atol=TOLERANCE):
            result.SetAndObserveTransformNodeID(input_node.GetTransformNodeID())
            return ""
        if self._is_transform_as_it_was():
            result.SetAndObserveTransformNodeID(None if self.transform_node is None else self.transform_node.GetID())
        else:
            result.SetAndObserveTransformNodeID(None)
            result.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(self.to_world @ node_affine(result)))
        return _(
            "{input} was moved or transformed during the run; {result} lies where {input} lay when the run began."
        ).format(input=self.name, result=result.GetName())

    def _is_transform_as_it_was(self) -> bool:
        node = self.transform_node
        if node is None:
            return True
        is_there = node.GetScene() is not None and _is_linear(node)
        return is_there and np.allclose(_to_world(node), self.to_world, rtol=0, atol=TOLERANCE)


def is_under_linear_transforms(node: slicer.vtkMRMLVolumeNode) -> bool:
    """Tell whether a volume's voxels lie on a regular grid in the world."""
    transform = node.GetParentTransformNode()
    return transform is None or _is_linear(transform)


def _is_linear(node: slicer.vtkMRMLTransformNode) -> bool:
    return bool(node.IsTransformToWorldLinear())


def _to_world(node: slicer.vtkMRMLTransformNode | None) -> np.ndarray:
    """Return the (4, 4) float64 map of a linear transform node and its parents to the world."""
    matrix = vtk.vtkMatrix4x4()
    if node is not None:
        node.GetMatrixTransformToWorld(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)
