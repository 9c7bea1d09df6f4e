"""The forecast in the panel; on request one tile is timed in the background, for the time on this computer."""

from collections.abc import Callable

import qt
from slicer.i18n import tr as _

from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DSlicer.forecast.forecast import describe, forecast
from SuperResolution3DSlicer.forecast.plan import Plan
from SuperResolution3DSlicer.forecast.speed import Speed, Work, load_speed, save_speed
from SuperResolution3DSlicer.forecast.speed_probe import TimedTile
from SuperResolution3DSlicer.panel.device_choice import Gpu
from SuperResolution3DSlicer.panel.messages import with_full_stop
from SuperResolution3DSlicer.runs.outcome import Outcome
from SuperResolution3DSlicer.runs.process import Process
from SuperResolution3DSlicer.runs.run import Follower, Run


class ForecastDisplay:
    """Shows size, memory and time of the run that would start now."""

    def __init__(
        self, label: qt.QLabel, new_process: Callable[[], Process], on_change: Callable[[], None] = lambda: None
    ) -> None:
        """Take the label, what makes the process of a tile, and who hears that its timing began or ended."""
        self._label = label
        self._new_process = new_process
        self._on_change = on_change
        self._run: Run | None = None
        self._problem = ""  # why the last tile has no time
        self._shown: tuple[Plan, InstalledModel, str, Gpu | None] | None = None

    @property
    def is_timing(self) -> bool:
        return self._run is not None

    def show(self, plan: Plan, model: InstalledModel, device: str, gpu: Gpu | None) -> None:
        """Show the forecast: with the time of this computer where it was measured, else with the card's figure."""
        self._shown = plan, model, device, gpu
        speed = load_speed(plan.card, device) or Speed.of_card(plan.card, "cpu" if gpu is None else "cuda")
        lines = [describe(plan, forecast(plan, speed, None if gpu is None else gpu.free_bytes))]
        if self.is_timing:
            lines.append(_("Timing one tile on this computer..."))
        elif self._problem:
            lines.append(self._problem)
        self._label.text = "\n".join(lines)
        self._label.visible = True

    def clear(self) -> None:
        """Show nothing: there is no run to forecast."""
        self._shown = None
        self._label.text = ""
        self._label.visible = False

    def estimate(self) -> None:
        """Time one tile of the run that is shown, and return at once."""
        if self._shown is None or self.is_timing:
            return
        plan, model, device, _gpu = self._shown
        self._problem = ""
        self._run = Run(TimedTile(model.path, plan.card, device), self._new_process(), Follower(end=self._on_timed))
        self._run.start()
        self._refresh()

    def stop(self) -> None:
        """End the timing, for example because the real run starts."""
        if self._run is not None:
            self._run.abandon("")

    def learn(self, outcome: Outcome, card: ModelCard, device: str, work: Work) -> None:
        """Take the speed of a run for the next forecasts."""
        speed = outcome.meter.speed(work) if outcome.state == "done" and outcome.meter is not None else None
        if speed is not None:
            save_speed(card, device, speed)

    def _on_timed(self, outcome: Outcome) -> None:
        self._run = None
        task = outcome.task
        self.learn(outcome, task.card, task.device, task.work)
        if outcome.state == "failed":
            self._problem = _("The time could not be measured: {reason}").format(
                reason=with_full_stop(outcome.sentence)
            )
        self._refresh()

    def _refresh(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)
        self._on_change()
