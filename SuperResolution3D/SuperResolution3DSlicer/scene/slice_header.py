"""The slices of a volume of the scene: what its DICOM files say of them, which its voxels would not tell."""

from dataclasses import dataclass

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.forward.slice_axis import axis_of_plane
from SuperResolution3DLib.inference.slice_stack import SliceStack, slice_stack
from SuperResolution3DLib.volumes.body_axes import spacing_text
from SuperResolution3DLib.volumes.box import Shape
from SuperResolution3DLib.volumes.sidecar import as_slice_size
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.library_sentences import in_own_language

INSTANCES_ATTRIBUTE = "DICOM.instanceUIDs"  # of the nodes that Slicer's DICOM import makes
THICKNESS_TAG, SPACING_TAG = "0018,0050", "0018,0088"
THICKNESS_ATTRIBUTE = "SuperResolution3D.SliceThickness"  # of the stacks that are made here, which have no DICOM files


@dataclass(frozen=True, eq=False)
class SliceHeader:
    """What is known of a volume's slices without looking at its voxels."""

    affine: np.ndarray
    """(4, 4), IJK to RAS mm"""
    shape: Shape
    """number of voxels (K, J, I)"""
    slice_thickness: float | None
    """mm; None when unknown"""
    slice_spacing: float | None
    """mm between the centres of neighbouring slices; None when unknown"""
    slice_positions: tuple[float, ...] | None = None
    """mm of each slice from the first one, where they are uneven"""

    @staticmethod
    def of(node: slicer.vtkMRMLScalarVolumeNode) -> "SliceHeader":
        """Return the header of a volume, with the sizes on which its first and its last DICOM file agree."""
        i, j, k = node.GetImageData().GetDimensions()
        made_here = _number(node.GetAttribute(THICKNESS_ATTRIBUTE))
        thickness = _of_dicom(node, THICKNESS_TAG) if made_here is None else made_here
        return SliceHeader(node_affine(node), (k, j, i), thickness, _of_dicom(node, SPACING_TAG))


def stack_of(
    node: slicer.vtkMRMLScalarVolumeNode, thickness: float | None = None, plane: str | None = None
) -> SliceStack:
    """Return how the slices of a volume lie and how thick they are.

    Args:
        node: scalar volume with voxels.
        thickness: mm, as a person gives it; None takes what the files say, else the slice spacing.
        plane: axial, coronal or sagittal, the slices' nearest, as a person gives it; None leaves it to be found.

    Raises:
        InputError: an impossible thickness, or no plane is given and no axis stands out as that of thick slices.
    """
    header = SliceHeader.of(node)
    try:
        return slice_stack(header, thickness, None if plane is None else axis_of_plane(header.affine, plane))
    except GeometryError as error:
        raise InputError(
            _(
                "{name} is no stack of thick slices: none of its voxel sizes, {sizes}, stands out. Say under"
                " Slices which plane they have, or choose a model for all three axes."
            ).format(name=node.GetName(), sizes=in_own_language(spacing_text(header.affine)))
        ) from error


def _of_dicom(node: slicer.vtkMRMLScalarVolumeNode, tag: str) -> float | None:
    database = getattr(slicer, "dicomDatabase", None)
    instances = (node.GetAttribute(INSTANCES_ATTRIBUTE) or "").split()
    if database is None or not instances:
        return None
    found = {_number(database.instanceValue(instance, tag)) for instance in (instances[0], instances[-1])}
    return found.pop() if len(found) == 1 else None


def _number(text: str | None) -> float | None:
    try:
        return as_slice_size(float(text or ""))
    except ValueError:
        return None
