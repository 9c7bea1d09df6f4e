"""What is taken for the slices of a volume and what is made of them, in one line for a person."""

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.inference.slice_report import SliceReport, ThicknessSource
from SuperResolution3DLib.inference.slice_stack import SliceStack
from SuperResolution3DSlicer.scene.slice_header import THICKNESS_ATTRIBUTE

STRAIGHT = {"axial": _("Axial"), "coronal": _("Coronal"), "sagittal": _("Sagittal")}
OBLIQUE = {"axial": _("Oblique axial"), "coronal": _("Oblique coronal"), "sagittal": _("Oblique sagittal")}

LEAST_GAP = 0.02  # of the slice spacing, from which on a gap is told: less is rounding in the headers


def planned(stack: SliceStack, target_spacing: float | None) -> SliceReport:
    """Return what a run would take for a volume's slices and make of them.

    Args:
        stack: the slices.
        target_spacing: mm wanted between slices; None is the pixel size, but 0.4 mm at least.

    Raises:
        InputError: a target spacing that does not suit the slices.
    """
    wanted = stack.target_spacing(target_spacing)
    return stack.report(stack.profile(wanted), noise=0.0, wanted=wanted, residual=None)


def plan_line(node: slicer.vtkMRMLScalarVolumeNode, slices: SliceReport) -> str:
    """Say what a run would make of a volume's slices; that they were found needs no word."""
    return _line(node, slices, _("{plane} slices"))


def report_line(node: slicer.vtkMRMLScalarVolumeNode, slices: SliceReport) -> str:
    """Say what a run made of a volume's slices."""
    return _line(node, slices, _("{plane} slices (found)"))


def source_word(node: slicer.vtkMRMLScalarVolumeNode, source: ThicknessSource) -> str:
    """Say where a slice thickness comes from."""
    in_file = _("from the simulation") if node.GetAttribute(THICKNESS_ATTRIBUTE) else _("DICOM")
    return {"given": _("as given"), "file": in_file, "assumed": _("assumed")}[source]


def _line(node: slicer.vtkMRMLScalarVolumeNode, slices: SliceReport, found: str) -> str:
    template = _("{plane} slices (as given)") if slices.axis_source == "given" else found
    name = next(plane for plane in STRAIGHT if plane in slices.plane)
    plane = (STRAIGHT if slices.plane == name else OBLIQUE)[name]
    gap = slices.slice_spacing_mm - slices.slice_thickness_mm
    second, first = (f"{size:.3g}" for size in slices.in_plane_spacing_mm)  # as stored: the columns vary last
    return _(
        "{slices}, {first} x {second} x {spacing:.3g} mm, thickness {thickness:.3g} mm ({source}){gap}: result"
        " {first} x {second} x {result:.3g} mm, through-plane x{factor:.3g}"
    ).format(
        slices=template.format(plane=plane),
        first=first,
        second=second,
        spacing=slices.slice_spacing_mm,
        thickness=slices.slice_thickness_mm,
        source=source_word(node, slices.thickness_source),
        gap=_(", gap {gap:.2g} mm").format(gap=gap) if gap > LEAST_GAP * slices.slice_spacing_mm else "",
        result=slices.result_spacing_mm,
        factor=slices.slice_spacing_mm / slices.result_spacing_mm,
    )
