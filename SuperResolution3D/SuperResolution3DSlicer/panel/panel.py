"""The panel: what is chosen goes to the parameter node, what can be run and what it takes is shown."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import qt
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.errors import InputError, SuperResolutionError
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DSlicer.forecast.display import ForecastDisplay
from SuperResolution3DSlicer.panel.batch_inputs import FurtherInputs
from SuperResolution3DSlicer.panel.choices import Region, Tiling
from SuperResolution3DSlicer.panel.device_choice import DeviceChoice
from SuperResolution3DSlicer.panel.log_panel import LogPanel, settings_text
from SuperResolution3DSlicer.panel.model_choice import ModelChoice
from SuperResolution3DSlicer.panel.model_file import add_model_file
from SuperResolution3DSlicer.panel.progress_display import ProgressDisplay
from SuperResolution3DSlicer.panel.result_views import ResultViews
from SuperResolution3DSlicer.panel.run_control import RunControl
from SuperResolution3DSlicer.panel.slice_fields import SliceFields
from SuperResolution3DSlicer.panel.trust_box import TrustBox
from SuperResolution3DSlicer.panel.volume_model import VolumeModel
from SuperResolution3DSlicer.runs import dependencies
from SuperResolution3DSlicer.runs.interpolation_task import Interpolation
from SuperResolution3DSlicer.runs.requests import (
    interpolations_of,
    notes,
    requests_of,
    stack_notes,
    why_no_low_resolution,
    why_not,
)
from SuperResolution3DSlicer.scene.library_sentences import told
from SuperResolution3DSlicer.scene.node_observer import ChosenNodes
from SuperResolution3DSlicer.scene.roi import place_at_centre

if TYPE_CHECKING:
    from SuperResolution3DSlicer.panel.parameters import Parameters

UPDATE_MS = 50  # many changes that come together are shown once
MODEL_FILES = "*.safetensors"


class Panel:
    """Ties the widgets of the .ui file to the logic."""

    def __init__(self, ui: Any, logic: Any) -> None:
        """Take the widgets by name (``slicer.util.childWidgetVariables``) and the module's logic."""
        self._ui = ui
        self._parameters: Parameters | None = None
        self._gui_tag: int | None = None
        self._chosen = ChosenNodes(self.later)
        self._models = ModelChoice(ui.modelSelector, ui.modelCardLabel, ui.modelDetailsLabel)
        self._volume_model = VolumeModel(self._models, ui.planLabel)
        self._slice_fields = SliceFields(ui, self._models)
        self._trust_box = TrustBox(ui.trustMapBox)
        self._devices = DeviceChoice(ui.deviceSelector, self._on_device, self._take_device)
        self._further = FurtherInputs(ui.furtherInputsList, self._on_ticked)
        self._forecast = ForecastDisplay(ui.forecastLabel, lambda: logic.newProcess(), self.later)
        self._log = LogPanel(
            ui.logText, ui.copyReportButton, lambda: settings_text(self._parameters, self._models.current)
        )
        progress = ProgressDisplay(ui.progressBar, ui.statusLabel)
        self._runs = RunControl(logic, progress, self._forecast, self._log, self._show_result, self._update)
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(UPDATE_MS)
        self._timer.connect("timeout()", self._update)
        self._views = ResultViews(ui, lambda: self._parameters, self._show_result)
        self._simulate_tip = ui.simulateButton.toolTip
        self._models.refresh()
        self._show_result("")
        ui.modelSelector.connect("currentIndexChanged(int)", self._on_model)
        ui.roiSelector.connect("nodeAddedByUserAction(vtkMRMLNode*)", self._on_new_roi)
        for button, function in (
            (ui.applyButton, self._on_apply),
            (ui.estimateButton, self._on_estimate),
            (ui.addModelButton, self._on_add_model),
            (ui.simulateButton, self._on_simulate),
        ):
            button.connect("clicked()", function)

    def enter(self) -> None:
        """The panel is shown: models and volumes may have changed meanwhile. No process is started unasked."""
        self._models.refresh()
        self._update()

    def exit(self) -> None:
        """Another module is shown; a run goes on."""
        self._forecast.stop()

    def close(self) -> None:
        """The panel is deleted, or the scene closed."""
        self._runs.close()
        self._views.comparison.close()
        self._devices.close()
        self._timer.stop()
        self.set_parameters(None)

    def set_parameters(self, parameters: "Parameters | None") -> None:
        """Show the parameters of a scene; None while it is being closed."""
        if self._parameters is not None:
            self._parameters.disconnectGui(self._gui_tag)
            self._chosen.let_go()
        self._parameters = parameters
        if parameters is None:
            self._views.comparison.close()
            self._forecast.clear()
            return
        self._views.comparison.resume()
        self._gui_tag = parameters.connect_widgets(self._ui)
        self._take_device()
        self._update()

    def later(self, *event: object) -> None:
        """Show soon what has changed."""
        if not self._timer.active:
            self._timer.start()

    # --- Showing -----------------------------------------------------------------------------------------------------

    def _update(self) -> None:
        """Show what can be run, what it would take, and why it cannot be."""
        self._timer.stop()
        parameters, ui = self._parameters, self._ui
        self._chosen.watch(parameters)
        running = self._runs.is_running
        if parameters is not None and not running:
            self._follow(parameters)
        interpolations = self._interpolations
        reason = why_not(parameters, self._models.current, interpolations)
        start = _("Interpolate") if interpolations else _("Super-resolve")
        ui.applyButton.text = _("Cancel") if running else start
        ui.applyButton.enabled = running or not reason
        tip = _("Computes the volume in a process of its own; Slicer stays usable.")
        ui.applyButton.toolTip = reason or (_("Ends the run; the scene stays as it is.") if running else tip)
        ui.reasonLabel.text = "" if running else reason
        ui.reasonLabel.visible = bool(reason) and not running
        self._enable(running)
        if parameters is None:
            return
        self._further.show([node for node in parameters.furtherInputs if node], parameters.inputVolume)
        if reason or interpolations:
            self._forecast.clear()
            self._show_notes([] if reason else stack_notes(interpolations))
        elif not running:
            requests = requests_of(parameters, self._models.current)
            self._show_notes([*self._models.notes(parameters.model), *notes(requests, parameters)])
            self._forecast.show(
                requests[0].plan(len(requests)), self._models.current, parameters.device, self._devices.current_gpu
            )

    def _follow(self, parameters: "Parameters") -> None:
        """Show the model and the device that a script or another panel chose; a run takes what is shown."""
        self._slice_fields.forget(parameters)
        self._volume_model.follow(parameters)
        self._slice_fields.show(parameters)
        if parameters.device != self._devices.current:
            self._take_device()

    def _enable(self, running: bool) -> None:
        """Grey out what has no meaning with the present choice, or during a run."""
        parameters, ui = self._parameters, self._ui
        for section in (ui.volumesSection, ui.modelSection):
            section.enabled = not running
        for widget in (ui.regionSelector, ui.consistencySelector, ui.deviceSelector, ui.tilingSelector):
            widget.enabled = not running
        ui.furtherInputsList.enabled = ui.zeroFilledBox.enabled = not running
        self._trust_box.update(parameters, self._models.current, running=running)
        ui.roiSelector.enabled = not running and parameters is not None and parameters.region == Region.ROI
        in_windows = parameters is not None and parameters.tiling == Tiling.WINDOW
        ui.windowSizeBox.enabled = ui.overlapBox.enabled = in_windows and not running
        can_estimate = ui.applyButton.enabled and self._models.current is not None
        ui.estimateButton.enabled = can_estimate and not running and not self._forecast.is_timing
        why = why_no_low_resolution(parameters, self._degrading_model)
        why = _("Wait for the end of the run, or cancel it.") if running else why
        ui.simulateButton.enabled, ui.simulateButton.toolTip = not why, why or self._simulate_tip
        self._views.update()

    @property
    def _interpolations(self) -> list[Interpolation]:
        """What is run where no model fits a stack of slices and nobody chose one nevertheless."""
        is_offered = self._parameters is not None and self._models.current is None and self._models.none_fits
        return interpolations_of(self._parameters) if is_offered else []

    @property
    def _degrading_model(self) -> InstalledModel | None:
        """The model by whose scale a volume is degraded; the volume, an HR one, need not fit it."""
        return self._models.current or self._models.first

    def _show_notes(self, sentences: list[str]) -> None:
        self._ui.noteLabel.text = "\n".join(sentences)
        self._ui.noteLabel.visible = bool(sentences)

    def _show_result(self, text: str) -> None:
        self._ui.resultLabel.text = text
        self._ui.resultLabel.visible = bool(text)

    # --- What a person does ------------------------------------------------------------------------------------------

    def _on_apply(self) -> None:
        if self._runs.is_running:
            self._runs.cancel()
            return
        try:
            self._follow(self._parameters)
            if self._interpolations:
                self._runs.interpolate(self._interpolations)
                return
            requests = requests_of(self._parameters, self._models.current)
            dependencies.ensure_installed()
        except SuperResolutionError as error:
            self._show_result(told(error))
            return
        self._runs.super_resolve(requests)
        self._devices.look()

    def _on_estimate(self) -> None:
        try:
            dependencies.ensure_installed()
        except SuperResolutionError as error:
            self._show_result(told(error))
            return
        self._ui.estimateButton.enabled = False
        self._devices.look(self._estimate)  # the tile is timed on the device that a run would use

    def _estimate(self) -> None:
        self._update()
        if not self._runs.is_running:
            self._forecast.estimate()
        self._update()

    def _on_add_model(self) -> None:
        path = qt.QFileDialog.getOpenFileName(
            self._ui.addModelButton, _("Add model file"), "", _("Model files ({pattern})").format(pattern=MODEL_FILES)
        )
        if not path:
            return
        try:
            self._models.check_is_new(Path(path))
            model = add_model_file(Path(path))
        except SuperResolutionError as error:
            self._show_result(told(error))
            return
        self._models.refresh()
        self._models.show(None, model.card.name)
        self._show_result(_("{name} was copied to {path}.").format(name=model.card.name, path=model.path))
        self._on_model(0)

    def _on_simulate(self) -> None:
        original = self._parameters.inputVolume
        try:
            dependencies.ensure_installed()
        except InputError as error:
            self._show_result(told(error))
            return
        card, plane = self._degrading_model.card, self._parameters.slices.plane
        self._runs.simulate(original, card, plane, lambda lr: self._take_simulated(lr, original))

    def _take_simulated(
        self, lr_node: slicer.vtkMRMLScalarVolumeNode, original: slicer.vtkMRMLScalarVolumeNode
    ) -> None:
        if self._parameters is not None:
            self._parameters.inputVolume = lr_node
            self._parameters.referenceVolume = original

    def _on_model(self, index: int) -> None:
        self._models.show_card()
        if self._parameters is not None:
            self._volume_model.take_choice(self._parameters)
        self.later()

    def _on_device(self) -> None:
        if self._parameters is not None:
            self._parameters.device = self._devices.current
        self.later()

    def _on_ticked(self) -> None:
        if self._parameters is not None:
            self._parameters.furtherInputs = self._further.ticked

    def _on_new_roi(self, roi_node: "slicer.vtkMRMLMarkupsROINode") -> None:
        if self._parameters is not None and self._parameters.inputVolume is not None:
            place_at_centre(roi_node, self._parameters.inputVolume)

    def _take_device(self) -> None:
        """Choose the scene's device; one that is known not to be there becomes automatic, in the scene too.

        During a run its device stays shown, whatever the driver answers.
        """
        if self._parameters is not None and not self._runs.is_running:
            self._devices.select(self._parameters.device)
            self._parameters.device = self._devices.current
        self.later()
