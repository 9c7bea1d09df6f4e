"""Places a new ROI where a preview is quick: a small box at the centre of the input."""

import slicer

PREVIEW_VOXELS = 16  # of the input, an edge


def place_at_centre(roi_node: slicer.vtkMRMLMarkupsROINode, input_node: slicer.vtkMRMLVolumeNode) -> None:
    """Give a ROI the centre of a volume in the world, and a size of 16 of its voxels, or the volume's if smaller."""
    bounds = [0.0] * 6
    input_node.GetRASBounds(bounds)
    lows, highs = bounds[::2], bounds[1::2]
    edge = PREVIEW_VOXELS * max(input_node.GetSpacing())
    roi_node.SetCenterWorld([(low + high) / 2 for low, high in zip(lows, highs, strict=True)])
    roi_node.SetSize([min(edge, high - low) for low, high in zip(lows, highs, strict=True)])
