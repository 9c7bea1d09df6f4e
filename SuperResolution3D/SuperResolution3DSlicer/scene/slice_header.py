"""The slices of a volume of the scene: what its DICOM files say of them, which its voxels would not tell."""

from dataclasses import dataclass, replace

import numpy as np
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.forward.slice_axis import axis_of_plane
from SuperResolution3DLib.inference.slice_stack import SAME_SPACING, SliceStack, slice_stack
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.body_axes import spacing_text
from SuperResolution3DLib.volumes.box import Shape
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.dicom_slices import DicomSlices, millimetres
from SuperResolution3DSlicer.scene.library_sentences import in_own_language
from SuperResolution3DSlicer.scene.slice_places import uneven_positions

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
    why_unknown: str = ""
    """why the thickness is not known, where DICOM files should say it"""

    @staticmethod
    def of(node: slicer.vtkMRMLScalarVolumeNode) -> "SliceHeader":
        """Return the header of a volume, with the sizes on which its DICOM files agree."""
        i, j, k = node.GetImageData().GetDimensions()
        made_here, told = millimetres(node.GetAttribute(THICKNESS_ATTRIBUTE)), DicomSlices.of(node)
        thickness = told.thickness if made_here is None else made_here
        positions = uneven_positions(node)
        return SliceHeader(node_affine(node), (k, j, i), thickness, told.spacing, positions, told.why_unknown)


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
        GeometryError: slices that are too uneven.
    """
    header = SliceHeader.of(node)
    try:
        stack = slice_stack(header, thickness, None if plane is None else axis_of_plane(header.affine, plane))
    except GeometryError as error:
        if header.slice_positions is not None:
            raise  # they are too uneven, or lie along another axis than was given
        raise InputError(
            _(
                "{name} is not a stack of thick slices: none of its voxel sizes, {sizes}, stands out. Say under"
                " Slices which plane they have, or choose a model for all three axes."
            ).format(name=node.GetName(), sizes=in_own_language(spacing_text(header.affine)))
        ) from error
    return replace(stack, warnings=(*stack.warnings, *_remarks(node.GetName(), header, stack)))


def _remarks(name: str, header: SliceHeader, stack: SliceStack) -> list[Warned]:
    """Say what DICOM files leave open, and what contradicts the voxels."""
    remarks = []
    if stack.thickness_source == "assumed" and header.why_unknown:
        text = _("The slice thickness of {name} is not known, and the distance between slices is taken: {reason}")
        remarks.append(Warned("slices", {}, text.format(name=name, reason=header.why_unknown)))
    told = header.slice_spacing
    if told is not None and abs(told - stack.spacing) > SAME_SPACING * stack.spacing:
        text = _("The DICOM files of {name} say slices every {told:g} mm, and they lie {spacing:.3g} mm apart")
        remarks.append(Warned("slices", {}, text.format(name=name, told=told, spacing=stack.spacing)))
    return remarks
