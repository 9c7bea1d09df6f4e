"""A markups ROI: placed where a preview is quick, and turned into the voxels of a volume that it holds."""

from itertools import product

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.volumes.body_axes import BodyAxes, shape_text
from SuperResolution3DLib.volumes.box import Box
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.library_sentences import in_own_language
from SuperResolution3DSlicer.scene.placement import Placement

PREVIEW_MM = 32.0  # an edge: enough anatomy to judge
FEWEST_VOXELS, MOST_VOXELS = 8, 48  # of the input along an edge: thick slices need some, small voxels become many
TOLERANCE = 1e-3  # voxels; a face of the ROI that touches a voxel by less does not take it in


def place_at_centre(roi_node: "slicer.vtkMRMLMarkupsROINode", input_node: slicer.vtkMRMLVolumeNode) -> None:
    """Give a ROI the centre of a volume in the world, and edges of 32 mm.

    Along an axis of thick slices it is 8 of them, along one of small voxels 48, and the volume's size at most.
    """
    bounds = [0.0] * 6
    input_node.GetRASBounds(bounds)
    lows, highs = np.array(bounds[::2]), np.array(bounds[1::2])
    spacing = _spacing_in_world(input_node)
    edges = np.clip(PREVIEW_MM, FEWEST_VOXELS * spacing, MOST_VOXELS * spacing)
    roi_node.SetCenterWorld(list((lows + highs) / 2))
    roi_node.SetSize(list(np.minimum(edges, highs - lows)))


def region_of_roi(node: slicer.vtkMRMLVolumeNode, roi_node: "slicer.vtkMRMLMarkupsROINode") -> Box:
    """Return the voxels that the ROI touches, in the file's order (K, J, I), cut at the volume's border.

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
            _("{low:.1f} to {high:.1f}").format(low=lowest[axis], high=highest[axis])
            for axis in BodyAxes.of(node_affine(node)).order
        ]
        raise InputError(
            _(
                "The ROI {roi} lies outside {name}: it reaches over the voxels {reach} of {shape}; move it onto the"
                " volume."
            ).format(
                roi=roi_node.GetName(),
                name=node.GetName(),
                reach=", ".join(ranges),
                shape=in_own_language(shape_text(sizes, node_affine(node))),
            )
        )
    k, j, i = (slice(int(start), int(stop)) for start, stop in zip(starts, stops, strict=True))
    return k, j, i


def _spacing_in_world(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the voxel spacing in mm along R, A and S (3,): of the voxel axis that runs nearest to each."""
    placement = Placement.of(node)
    steps = (placement.to_world @ placement.affine)[:3, :3]  # columns: a step along I, J, K
    spacing = np.linalg.norm(steps, axis=0)
    return spacing[np.argmax(np.abs(steps / spacing), axis=1)]


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
