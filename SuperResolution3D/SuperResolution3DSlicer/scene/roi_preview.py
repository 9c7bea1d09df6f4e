"""Places a new ROI where a preview is quick: a small box at the centre of the input."""

import numpy as np
import slicer

from SuperResolution3DSlicer.scene.placement import Placement

PREVIEW_MM = 32.0  # an edge: enough anatomy to judge
FEWEST_VOXELS, MOST_VOXELS = 8, 48  # of the input along an edge: thick slices need some, small voxels become many


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


def _spacing_in_world(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the voxel spacing in mm along R, A and S (3,): of the voxel axis that runs nearest to each."""
    placement = Placement.of(node)
    steps = (placement.to_world @ placement.affine)[:3, :3]  # columns: a step along I, J, K
    spacing = np.linalg.norm(steps, axis=0)
    return spacing[np.argmax(np.abs(steps / spacing), axis=1)]
