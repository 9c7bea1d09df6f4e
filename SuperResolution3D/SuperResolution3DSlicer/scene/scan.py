"""What decides which models fit a volume of the scene."""

import slicer

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.models.choice import Scan
from SuperResolution3DSlicer.scene.checks import check_input, node_affine
from SuperResolution3DSlicer.scene.modality import modality_of


def scan_of(node: slicer.vtkMRMLScalarVolumeNode | None) -> Scan | None:
    """Return what the header of a volume says; None where no run can use it."""
    try:
        check_input(node)
    except SuperResolutionError:
        return None
    return Scan(node_affine(node), modality_of(node))
