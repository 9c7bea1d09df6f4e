"""The two fields for thick slices: how thick they are, and how far apart the result's are to lie."""

from typing import TYPE_CHECKING, Any

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DSlicer.runs.slice_words import source_word
from SuperResolution3DSlicer.scene.scan import scan_of
from SuperResolution3DSlicer.scene.slice_header import stack_of

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters


class SliceFields:
    """Shows them for a model for thick slices, and for slices that no model fits; 0 takes what nobody has to say."""

    def __init__(self, ui: Any) -> None:
        self._thickness, self._target = ui.sliceThicknessBox, ui.targetSpacingBox
        self._widgets = (ui.sliceThicknessLabel, self._thickness, ui.targetSpacingLabel, self._target)
        self._seen: slicer.vtkMRMLScalarVolumeNode | None = None

    def follow(self, parameters: "Parameters", model: InstalledModel | None) -> None:
        """Say what is taken for the input's slices; a thickness that was given for another input is forgotten."""
        node = parameters.inputVolume
        if self._seen is not None and node is not self._seen:
            parameters.sliceThickness = 0.0
        self._seen = node
        scan = scan_of(node)
        is_shown = scan is not None and (scan.slices is not None if model is None else model.card.enlarges_slices_only)
        for widget in self._widgets:
            widget.visible = is_shown
        if is_shown:
            self._thickness.specialValueText, self._target.specialValueText = _taken(node)


def _taken(node: slicer.vtkMRMLScalarVolumeNode) -> tuple[str, str]:
    """Return thickness and result spacing that are taken where a person says nothing."""
    try:
        stack = stack_of(node)
    except InputError:
        return _("unknown"), _("auto")
    thickness = _("{thickness:.3g} mm ({source})").format(
        thickness=stack.thickness, source=source_word(node, stack.thickness_source)
    )
    return thickness, _("auto ({spacing:.3g} mm)").format(spacing=stack.axis.auto_spacing)
