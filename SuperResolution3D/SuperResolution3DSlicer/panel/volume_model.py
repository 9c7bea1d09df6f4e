"""Which model is chosen for the input, and the line at the top that says what will happen to it."""

from typing import TYPE_CHECKING

import qt
import slicer

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.models.choice import Scan, plan_sentence, why_not
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DSlicer.panel.model_choice import ModelChoice
from SuperResolution3DSlicer.scene.checks import check_input, node_affine
from SuperResolution3DSlicer.scene.library_sentences import in_own_language
from SuperResolution3DSlicer.scene.modality import modality_of

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
        scan = scan_of(node)
        self._models.show(scan, parameters.model)
        self._say(scan)

    def take_choice(self, parameters: "Parameters") -> None:
        """Keep the model that a person chose in the list."""
        self._choose(parameters.inputVolume, self._models.current_name)
        parameters.model = self._models.current_name
        self._seen = (parameters.inputVolume, parameters.model)

    def _choose(self, node: slicer.vtkMRMLScalarVolumeNode | None, name: str) -> None:
        if node is not None:
            node.SetAttribute(CHOSEN_ATTRIBUTE, name or None)

    def _say(self, scan: Scan | None) -> None:
        sentence = self._sentence(scan)
        self._line.text = "" if sentence is None else in_own_language(sentence)
        self._line.visible = sentence is not None

    def _sentence(self, scan: Scan | None) -> Sentence | None:
        current = self._models.current
        if scan is None:
            return None
        if current is None:
            return self._models.proposal
        plan, reason = plan_sentence(scan, current.card), why_not(scan, current.card)
        return plan if reason is None else Sentence("{plan}, a model {reason}", {"plan": plan, "reason": reason})


def scan_of(node: slicer.vtkMRMLScalarVolumeNode | None) -> Scan | None:
    """Return what the header of a volume says; None where no run can use it."""
    try:
        check_input(node)
    except SuperResolutionError:
        return None
    return Scan(node_affine(node), modality_of(node))
