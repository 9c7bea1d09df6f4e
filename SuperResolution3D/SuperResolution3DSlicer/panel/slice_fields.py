"""The fields for thick slices: their plane, how thick they are, and how far apart the result's are to lie."""

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.forward.slice_axis import axis_of_plane, find_slice_axis
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.body_axes import MARGIN
from SuperResolution3DSlicer.panel.choices import Slices
from SuperResolution3DSlicer.panel.model_choice import ModelChoice
from SuperResolution3DSlicer.runs.slice_words import STRAIGHT, source_word
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.library_sentences import in_own_language
from SuperResolution3DSlicer.scene.scan import scan_of
from SuperResolution3DSlicer.scene.slice_header import stack_of

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters


class SliceFields:
    """Shows them for a model for thick slices, and where slices may be interpolated because no model fits.

    The first entry of the planes, and 0 in a field of mm, take what nobody has to say.
    """

    def __init__(self, ui: Any, models: ModelChoice) -> None:
        self._models = models
        self._planes, self._thickness, self._target = ui.slicesSelector, ui.sliceThicknessBox, ui.targetSpacingBox
        labels = (ui.slicesLabel, ui.sliceThicknessLabel, ui.targetSpacingLabel)
        self._widgets = (*labels, self._planes, self._thickness, self._target)
        self._seen: slicer.vtkMRMLScalarVolumeNode | None = None

    def forget(self, parameters: "Parameters") -> None:
        """Leave plane and thickness open again where they were given for another input."""
        node = parameters.inputVolume
        if self._seen is not None and node is not self._seen:
            parameters.slices, parameters.sliceThickness = Slices.AUTOMATIC, 0.0
        self._seen = node

    def show(self, parameters: "Parameters") -> None:
        """Say what is taken for the input's slices, where slices are what a run would take."""
        node, plane = parameters.inputVolume, parameters.slices.plane
        is_shown = self._can_be_used(node)
        for widget in self._widgets:
            widget.visible = is_shown
        if not is_shown:
            return
        for index, text in enumerate(_plane_texts(node)):
            self._planes.setItemText(index, text)
        self._thickness.specialValueText, self._target.specialValueText = _taken(node, plane)

    def _can_be_used(self, node: slicer.vtkMRMLScalarVolumeNode | None) -> bool:
        scan, model = scan_of(node), self._models.current
        if scan is None or model is not None:
            return scan is not None and model.card.enlarges_slices_only
        return self._models.none_fits and max(scan.spacing) >= MARGIN * min(scan.spacing)


def _plane_texts(node: slicer.vtkMRMLScalarVolumeNode) -> list[str]:
    """Return the entries of the list of planes, automatic first, each with the distance between its slices."""
    affine, found = node_affine(node), scan_of(node).slices
    automatic = _("Automatic: none stands out, choose one")
    if found is not None:
        plane = in_own_language(Sentence(found.plane))
        automatic = _("Automatic: {plane}, {spacing:.3g} mm apart").format(plane=plane, spacing=found.spacing)
    axes = [find_slice_axis(affine, axis_of_plane(affine, plane)) for plane in STRAIGHT]
    apart = _("{plane}, {spacing:.3g} mm apart")
    return [automatic, *(apart.format(plane=STRAIGHT[axis.plane], spacing=axis.spacing) for axis in axes)]


def _taken(node: slicer.vtkMRMLScalarVolumeNode, plane: str | None) -> tuple[str, str]:
    """Return thickness and result spacing that are taken where a person says nothing."""
    try:
        stack = stack_of(node, plane=plane)
    except InputError:
        return _("unknown"), _("auto")
    thickness = _("{thickness:.3g} mm ({source})").format(
        thickness=stack.thickness, source=source_word(node, stack.thickness_source)
    )
    return thickness, _("auto ({spacing:.3g} mm)").format(spacing=stack.axis.auto_spacing)
