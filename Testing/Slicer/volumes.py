"""Volume nodes to test with: odd-sized, on oblique and left-handed grids."""

import numpy as np
import slicer
import vtk

from Testing.Slicer.core import Core


def turned(spacing: tuple[float, float, float], origin: tuple[float, float, float], *, left_handed: bool) -> np.ndarray:
    """Return a (4, 4) affine whose axes are rotated by 12, -17 and 23 degrees about R, A and S.

    A left-handed grid counts its slices downwards.
    """
    about_r, about_a, about_s = np.deg2rad((12, -17, 23))
    turn = np.eye(3)
    for (first, second), angle in (((1, 2), about_r), ((2, 0), about_a), ((0, 1), about_s)):
        step = np.eye(3)
        step[first, first] = step[second, second] = np.cos(angle)
        step[first, second], step[second, first] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    affine = np.eye(4)
    affine[:3, :3] = turn @ np.diag(spacing) @ np.diag([1, 1, -1 if left_handed else 1])
    affine[:3, 3] = origin
    return affine


def add_volume(
    core: Core, array: np.ndarray, affine: np.ndarray, name: str = "head", class_name: str = "vtkMRMLScalarVolumeNode"
) -> slicer.vtkMRMLVolumeNode:
    """Add a volume node with voxels (D, H, W) and IJKToRAS to the scene, with a display node, as a loaded one has."""
    node = core.scene.AddNewNodeByClass(class_name, name)
    slicer.util.updateVolumeFromArray(node, array)
    node.SetIJKToRASMatrix(slicer.util.vtkMatrixFromArray(affine))
    node.CreateDefaultDisplayNodes()
    return node


def affine_of(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return IJKToRAS (4, 4)."""
    matrix = vtk.vtkMatrix4x4()
    node.GetIJKToRASMatrix(matrix)
    return slicer.util.arrayFromVTKMatrix(matrix)


def voxel_positions(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return RAS mm (D, H, W, 3) of the voxels' centres."""
    affine = affine_of(node)
    shape = slicer.util.arrayFromVolume(node).shape
    k, j, i = np.meshgrid(*(np.arange(size) for size in shape), indexing="ij")
    return np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]


def field_of_view_corners(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return RAS mm (2, 2, 2, 3) of the outermost corners of the voxels."""
    sizes = slicer.util.arrayFromVolume(node).shape[::-1]
    ends = np.stack(np.meshgrid(*((-0.5, size - 0.5) for size in sizes), indexing="ij"), axis=-1)
    affine = affine_of(node)
    return ends @ affine[:3, :3].T + affine[:3, 3]
