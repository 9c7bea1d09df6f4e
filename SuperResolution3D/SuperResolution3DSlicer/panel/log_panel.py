"""The log, and the report of the last runs that a person can copy into a forum post."""

import json
import platform
from collections.abc import Callable
from typing import TYPE_CHECKING

import qt
import slicer
from slicer.i18n import tr as _

import SuperResolution3DLib
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DSlicer.runs.outcome import Outcome
from SuperResolution3DSlicer.runs.report_privacy import without_folders, without_inputs

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters


class LogPanel:
    """Shows what the worker writes and how runs ended."""

    def __init__(self, text: qt.QPlainTextEdit, copy_button: qt.QPushButton, settings: Callable[[], str]) -> None:
        """Take the widgets; ``settings`` describes what is chosen in the panel."""
        self._text = text
        self._settings = settings
        self._outcomes: list[Outcome] = []
        self._copy_button = copy_button
        copy_button.connect("clicked()", self.copy_report)

    def start(self) -> None:
        """Begin the log of another run."""
        self._text.clear()
        self._outcomes.clear()

    def add(self, line: str) -> None:
        self._text.appendPlainText(line)

    def add_outcome(self, outcome: Outcome) -> None:
        self._outcomes.append(outcome)
        if outcome.state == "done":
            self.add(_("{title}: done").format(title=outcome.task.title))

    def copy_report(self) -> None:
        """Put the report on the clipboard."""
        slicer.app.clipboard().setText(self.report())

    def report(self) -> str:
        """Return versions, settings, outcomes and log as text that can be shown to others.

        It holds no voxels, names inputs by number, and the temporary and the home folder as such. Names of other nodes,
        for example of a ROI, and other folders stay where a sentence tells them.
        """
        inputs = [outcome.task.title for outcome in self._outcomes]
        lines = [
            f"SuperResolution3D {SuperResolution3DLib.__version__}, Slicer {slicer.app.applicationVersion}",
            f"Python {platform.python_version()}, {platform.platform()}",
            self._settings(),
        ]
        for outcome in self._outcomes:
            lines.append(without_inputs(f"{outcome.state}: {outcome.sentence}".rstrip(": "), inputs))
            if outcome.report is not None:
                lines.append(json.dumps(outcome.report.without_files(), indent=2))
        return without_folders("\n".join([*lines, "", without_inputs(self._text.toPlainText(), inputs)]))


def settings_text(parameters: "Parameters | None", model: InstalledModel | None) -> str:
    """Return what is chosen in the panel, in the words of the program."""
    if parameters is None:
        return ""
    names = ["device", "region", "dataConsistency", "tiling", "windowSize", "overlap", "zeroFilled", "trustMap"]
    if model is not None and model.card.enlarges_slices_only:
        names += ["slices", "sliceThickness", "targetSpacing"]
    values = [f"{name} {getattr(parameters, name)}" for name in names]
    return ", ".join([f"model {model.card.name if model is not None else ''}", *values])
