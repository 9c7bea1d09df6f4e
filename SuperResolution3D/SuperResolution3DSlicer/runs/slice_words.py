"""What is taken for the slices of a volume and what is made of them, in one line for a person."""

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.inference.slice_report import SliceReport, ThicknessSource
from SuperResolution3DLib.inference.slice_stack import SliceStack
from SuperResolution3DSlicer.scene.slice_header import THICKNESS_ATTRIBUTE

PLANES = {"axial": _("Axial"), "coronal": _("Coronal"), "sagittal": _("Sagittal")}


def stack_line(node: slicer.vtkMRMLScalarVolumeNode, stack: SliceStack, target_spacing: float | None) -> str:
    """Say what a run would make of a volume's slices.

    Args:
        node: the volume.
        stack: its slices.
        target_spacing: mm wanted between slices; None is the pixel size, but 0.4 mm at least.

    Raises:
        InputError: a target spacing that does not suit the slices.
    """
    result = stack.profile(stack.target_spacing(target_spacing)).hr_spacing
    source = source_word(node, stack.thickness_source)
    return _line(stack.axis.description, stack.axis.in_plane, stack.spacing, stack.thickness, source, result)


def report_line(node: slicer.vtkMRMLScalarVolumeNode, slices: SliceReport) -> str:
    """Say what a run made of a volume's slices."""
    source = source_word(node, slices.thickness_source)
    return _line(
        slices.plane,
        slices.in_plane_spacing_mm,
        slices.slice_spacing_mm,
        slices.slice_thickness_mm,
        source,
        slices.result_spacing_mm,
    )


def source_word(node: slicer.vtkMRMLScalarVolumeNode, source: ThicknessSource) -> str:
    """Say where a slice thickness comes from."""
    in_file = _("simulated") if node.GetAttribute(THICKNESS_ATTRIBUTE) else _("DICOM")
    return {"given": _("as given"), "file": in_file, "assumed": _("assumed")}[source]


def _line(
    plane: str, in_plane: tuple[float, float], spacing: float, thickness: float, source: str, result: float
) -> str:
    second, first = (f"{size:.3g}" for size in in_plane)  # as stored: the columns vary last
    return _(
        "{plane} slices, {first} x {second} x {spacing:.3g} mm, thickness {thickness:.3g} mm ({source}): result"
        " {first} x {second} x {result:.3g} mm, through-plane x{factor:.3g}"
    ).format(
        plane=PLANES.get(plane, _("Oblique")),
        first=first,
        second=second,
        spacing=spacing,
        thickness=thickness,
        source=source,
        result=result,
        factor=spacing / result,
    )
