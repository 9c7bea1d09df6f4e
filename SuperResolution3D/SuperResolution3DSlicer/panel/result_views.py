"""What can be looked at after a run, one click each: the result, the comparison, and the report."""

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.errors import InputError, SuperResolutionError
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DSlicer.comparison.comparison import Comparison
from SuperResolution3DSlicer.comparison.trust_map import trust_map_of
from SuperResolution3DSlicer.forecast.forecast import duration
from SuperResolution3DSlicer.panel.messages import with_full_stop
from SuperResolution3DSlicer.panel.overlay_choice import OverlayChoice, Shown
from SuperResolution3DSlicer.runs.report import REPORT_ATTRIBUTE, consistency_sentence
from SuperResolution3DSlicer.runs.slice_words import report_line
from SuperResolution3DSlicer.runs.volume_task import ZERO_FILLED_ROLE, latest_result
from SuperResolution3DSlicer.scene.checks import node_affine
from SuperResolution3DSlicer.scene.library_sentences import in_own_language, told
from SuperResolution3DSlicer.scene.nodes import show_in_views

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters


class ResultViews:
    """The buttons for the last result of the input, the fade between it and the zero-filled volume, and overlays."""

    def __init__(self, ui: Any, parameters: "Callable[[], Parameters | None]", say: Callable[[str], None]) -> None:
        """Take the widgets, what is chosen, and who shows a sentence."""
        self.comparison = Comparison()
        self._ui = ui
        self._parameters = parameters
        self._say = say
        self._tips = {button: button.toolTip for button in self._buttons()}
        self._fade_tip = ui.fadeSlider.toolTip
        self._overlay = OverlayChoice(ui.overlayLabel, ui.overlaySelector, say)
        ui.showResultButton.connect("clicked()", self._on_result)
        ui.comparisonButton.connect("clicked()", self._on_comparison)
        ui.reportButton.connect("clicked()", self._on_report)
        ui.fadeSlider.connect("valueChanged(int)", self._on_fade)
        ui.overlaySelector.connect("currentIndexChanged(int)", self._update_fade)

    def update(self) -> None:
        """Offer what there is to look at."""
        result = self._result()
        for button, tip in self._tips.items():
            button.enabled = result is not None
            button.toolTip = (
                _("There is no result of this input yet.") if result is None else f"{result.GetName()}: {tip}"
            )
        if result is not None and not result.GetAttribute(REPORT_ATTRIBUTE):
            self._ui.reportButton.enabled = False
            self._ui.reportButton.toolTip = _("{name} was computed without a network and has no report.").format(
                name=result.GetName()
            )
        self._overlay.show(self._shown())
        self._update_fade()

    def _update_fade(self, *_index: int) -> None:
        """Offer the fade where it can be seen: in the comparison, and under no overlay."""
        for widget in (self._ui.fadeLabel, self._ui.fadeSlider):
            widget.visible = self.comparison.can_fade
            widget.enabled = not self._overlay.is_on
        self._ui.fadeSlider.toolTip = _("Choose the overlay None first.") if self._overlay.is_on else self._fade_tip

    def _buttons(self) -> tuple[qt.QPushButton, ...]:
        return self._ui.showResultButton, self._ui.comparisonButton, self._ui.reportButton

    def _result(self) -> slicer.vtkMRMLScalarVolumeNode | None:
        parameters = self._parameters()
        has_input = parameters is not None and parameters.inputVolume is not None
        return latest_result(parameters.inputVolume) if has_input else None

    def _shown(self) -> Shown | None:
        parameters, result = self._parameters(), self._result()
        return None if result is None else Shown(parameters.inputVolume, result, parameters.referenceVolume)

    def _on_result(self) -> None:
        show_in_views(self._result())

    def _on_comparison(self) -> None:
        parameters, sr_node = self._parameters(), self._result()
        lr_node, hr_node = parameters.inputVolume, parameters.referenceVolume
        zero_filled_node = sr_node.GetNodeReference(ZERO_FILLED_ROLE)
        try:
            with self._overlay.lifted():
                self._ui.fadeSlider.value = 0
                self.comparison.show(lr_node, sr_node, hr_node, zero_filled_node, trust_map_of(sr_node))
        except SuperResolutionError as error:
            self._say(told(error))
            return
        if hr_node is None and zero_filled_node is None:
            self._say(
                _("The third row is empty: choose an HR reference, or tick the zero-filled volume and run again.")
            )
        self.update()
        qt.QTimer.singleShot(0, self.comparison.fit)  # when the views have their size

    def _on_fade(self, percent: int) -> None:
        self.comparison.fade(percent / 100)

    def _on_report(self) -> None:
        sr_node = self._result()
        text = sr_node.GetAttribute(REPORT_ATTRIBUTE) or ""
        try:
            report = Report.from_json(text, sr_node.GetName())
        except InputError as error:
            self._say(with_full_stop(told(error)))
            return
        slicer.util.infoDisplay(
            report_text(report, self._parameters().inputVolume, sr_node),
            windowTitle=_("Report of {name}").format(name=sr_node.GetName()),
            detailedText=json.dumps(json.loads(text), indent=2),
        )


def report_text(
    report: Report, input_node: slicer.vtkMRMLScalarVolumeNode, sr_node: slicer.vtkMRMLScalarVolumeNode
) -> str:
    """Return how a result came about, as a person reads it."""
    lines = [
        _("{name}: computed with {model} in {time} on {device}.").format(
            name=sr_node.GetName(), model=report.model, time=duration(report.seconds), device=report.device
        ),
        _("Scan: {grid}").format(grid=_grid(input_node)),
        _("Result: {grid}").format(grid=_grid(sr_node)),
        *([] if report.slices is None else [report_line(input_node, report.slices)]),
        consistency_sentence(report),
        *([] if report.trust is None else [with_full_stop(in_own_language(report.trust))]),
    ]
    return "\n".join([*lines, *(with_full_stop(in_own_language(warned)) for warned in report.warnings)])


def _grid(node: slicer.vtkMRMLScalarVolumeNode) -> str:
    return in_own_language(grid_text(node.GetImageData().GetDimensions()[::-1], node_affine(node)))
