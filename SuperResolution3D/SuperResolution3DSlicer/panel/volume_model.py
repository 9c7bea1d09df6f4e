"""Which model is chosen for the input, and the line at the top that says what will happen to it."""

from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.choice import Scan, plan_sentence, why_not
from SuperResolution3DSlicer.panel.model_choice import ModelChoice
from SuperResolution3DSlicer.runs.slice_words import plan_line, planned
from SuperResolution3DSlicer.scene.library_sentences import in_own_language
from SuperResolution3DSlicer.scene.scan import scan_of
from SuperResolution3DSlicer.scene.slice_header import stack_of

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters

CHOSEN_ATTRIBUTE = "SuperResolution3D.ChosenModel"  # of a volume, for which a person or a script chose one


class VolumeModel:
    """Takes the best model for each volume, or the one that was chosen for it, which stays chosen."""

    def __init__(self, models: ModelChoice, line: qt.QLabel) -> None:
        self._models = models
        self._line = line
        self._seen: tuple[slicer.vtkMRMLScalarVolumeNode | None, str] = (None, "")

    def follow(self, parameters: "Parameters") -> None:
        """Show the model for the input; one that a script, a scene or another panel chose is chosen for the input."""
        node, name = parameters.inputVolume, parameters.model
        if name != self._seen[1]:
            self._choose(node, name)
        elif node is not self._seen[0]:
            parameters.model = node.GetAttribute(CHOSEN_ATTRIBUTE) or "" if node is not None else ""
        self._seen = (node, parameters.model)
        scan = scan_of(node, parameters.slices.plane)
        self._models.show(scan, parameters.model)
        line = self._line_of(scan, parameters)
        self._line.text = line
        self._line.visible = bool(line)

    def take_choice(self, parameters: "Parameters") -> None:
        """Keep the model that a person chose in the list."""
        self._choose(parameters.inputVolume, self._models.current_name)
        parameters.model = self._models.current_name
        self._seen = (parameters.inputVolume, parameters.model)

    def _choose(self, node: slicer.vtkMRMLScalarVolumeNode | None, name: str) -> None:
        if node is not None:
            node.SetAttribute(CHOSEN_ATTRIBUTE, name or None)

    def _line_of(self, scan: Scan | None, parameters: "Parameters") -> str:
        """Say what a click makes of the input: of a stack of slices with what is taken for them."""
        current = self._models.current
        if scan is None:
            return ""
        if current is None:
            return "" if self._models.proposal is None else in_own_language(self._models.proposal)
        plan, reason = in_own_language(plan_sentence(scan, current.card)), why_not(scan, current.card)
        if current.card.enlarges_slices_only:
            node = parameters.inputVolume
            try:
                stack = stack_of(node, parameters.sliceThickness or None, parameters.slices.plane)
                line = plan_line(node, planned(stack, parameters.targetSpacing or None))
                plan = _("{line}, with {model}").format(line=line, model=current.card.name)
            except InputError:  # told where the run is refused
                return ""
        if reason is None:
            return plan
        return _("{plan}, a model {reason}").format(plan=plan, reason=in_own_language(reason))
