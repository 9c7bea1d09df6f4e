"""From a markups ROI to the voxels of a volume that it holds: the worker's region."""

from itertools import product

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.job import Region
from SuperResolution3DLib.errors import InputError
from SuperResolution3DSlicer.scene.checks import node_affine

TOLERANCE = 1e-3  # voxels; a face of the ROI that touches a voxel by less does not take it in


def region_of_roi(node: slicer.vtkMRMLVolumeNode, roi_node: "slicer.vtkMRMLMarkupsROINode") -> Region:
    """Return the voxels (start, stop) that the ROI touches, in the file's order (K, J, I), cut at the volume's border.

    Voxel i reaches from i - 0.5 to i + 0.5. A ROI that is rotated against the volume stands for the box around it:

        voxel           3     4     5     6     7     8
                     |     |     |     |     |     |     |
        ROI                  (--------------)                  region 4:7

    Raises:
        InputError: the node is no ROI, the ROI has no size, or it lies outside the volume.
    """
    if not roi_node.IsA("vtkMRMLMarkupsROINode"):
        raise InputError(_("{name} is not a ROI; choose a markups ROI.").format(name=roi_node.GetName()))
    sizes = list(reversed(node.GetImageData().GetDimensions()))
    lowest, highest = _extent(node, roi_node)
    starts = np.maximum(np.floor(lowest + 0.5 + TOLERANCE), 0).astype(int)
    stops = np.minimum(np.ceil(highest + 0.5 - TOLERANCE), sizes).astype(int)
    if (starts >= stops).any():
        ranges = [
            _("{low:.1f} to {high:.1f}").format(low=low, high=high) for low, high in zip(lowest, highest, strict=True)
        ]
        raise InputError(
            _(
                "The ROI {roi} lies outside {name}: it reaches over the voxels {reach} (I, J, K) of {shape}; move it"
                " onto the volume."
            ).format(
                roi=roi_node.GetName(),
                name=node.GetName(),
                reach=", ".join(reversed(ranges)),
                shape=" x ".join(map(str, reversed(sizes))),
            )
        )
    k, j, i = ((int(start), int(stop)) for start, stop in zip(starts, stops, strict=True))
    return k, j, i


def _extent(node: slicer.vtkMRMLVolumeNode, roi_node: "slicer.vtkMRMLMarkupsROINode") -> tuple[np.ndarray, np.ndarray]:
    """Return the lowest and highest voxel coordinates (K, J, I) of the ROI's eight corners.

    Raises:
        InputError: the ROI has no size.
    """
    half = np.array(roi_node.GetSize()) / 2
    if not (half > 0).all():
        raise InputError(_("The ROI {roi} is not placed yet; draw it first.").format(roi=roi_node.GetName()))
    to_node = slicer.util.arrayFromVTKMatrix(roi_node.GetObjectToNodeMatrix())
    to_voxels = np.linalg.inv(node_affine(node))
    corners = []
    for signs in product((-1, 1), repeat=3):
        world, local = [0.0] * 3, [0.0] * 3
        roi_node.TransformPointToWorld((to_node @ (*(signs * half), 1))[:3], world)
        node.TransformPointFromWorld(world, local)
        corners.append((to_voxels @ (*local, 1))[2::-1])
    return np.min(corners, axis=0), np.max(corners, axis=0)
