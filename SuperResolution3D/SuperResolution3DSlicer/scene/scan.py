"""What decides which models fit a volume of the scene."""

import slicer

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.forward.slice_axis import axis_of_plane
from SuperResolution3DLib.inference.slice_stack import axis_in_file
from SuperResolution3DLib.models.choice import Scan
from SuperResolution3DLib.volumes.hounsfield import HounsfieldShares
from SuperResolution3DSlicer.scene.checks import check_input
from SuperResolution3DSlicer.scene.modality import modality_of
from SuperResolution3DSlicer.scene.slice_header import SliceHeader


def scan_of(node: slicer.vtkMRMLScalarVolumeNode | None, plane: str | None = None) -> Scan | None:
    """Return what a volume says of itself, and a person of its slices; None where no run can use it.

    Args:
        node: the volume.
        plane: axial, coronal or sagittal, the slices' nearest; None leaves it to be found.
    """
    try:
        check_input(node)
    except SuperResolutionError:
        return None
    header = SliceHeader.of(node)
    axis = axis_in_file(header) if plane is None else axis_of_plane(header.affine, plane)
    modality = modality_of(node)
    like_ct = None if modality else HounsfieldShares.of(slicer.util.arrayFromVolume(node)).are_of_ct
    return Scan(header.affine, modality, axis, looks_like_ct=like_ct)
