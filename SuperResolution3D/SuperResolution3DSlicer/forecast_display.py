"""The forecast in the panel; where this computer's speed is not known yet, one tile is timed in the background."""

from collections.abc import Callable

import qt
import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.model_card import InstalledModel, ModelCard

from .dependencies import missing_packages
from .device_choice import Gpu
from .forecast import Plan, describe, forecast
from .run import Follower, Outcome, Run
from .speed import Speed, Work, load_speed, save_speed
from .timed_tile import TimedTile
from .worker_process import Process

DELAY_MS = 1500  # after the last change, so that nobody who is still choosing waits for it


class ForecastDisplay:
    """Shows size, memory and time of the run that would start now."""

    def __init__(self, label: qt.QLabel, new_process: Callable[[], Process]) -> None:
        self.is_timing_allowed = False
        """set while the panel is open and nothing runs"""
        self._label = label
        self._new_process = new_process
        self._timer = qt.QTimer()
        self._timer.setSingleShot(True)
        self._timer.setInterval(DELAY_MS)
        self._timer.connect("timeout()", self._time_tile)
        self._run: Run | None = None
        self._tried: set[tuple[str, str]] = set()  # model and device; a tile that failed is not timed again
        self._shown: tuple[Plan, InstalledModel, str, Gpu | None] | None = None

    @property
    def is_timing(self) -> bool:
        return self._run is not None

    def show(self, plan: Plan, model: InstalledModel, device: str, gpu: Gpu | None) -> None:
        """Show the forecast, and time a tile soon if the time is only the card's figure."""
        self._shown = plan, model, device, gpu
        speed = load_speed(plan.card, device)
        is_timed = speed is not None or (plan.card.name, device) in self._tried
        if speed is None:
            speed = Speed.of_card(plan.card, "cpu" if gpu is None else "cuda")
        result = forecast(plan, speed, None if gpu is None else gpu.free_bytes)
        lines = [describe(plan, result)]
        if self.is_timing:
            lines.append(_("Timing one tile on this computer..."))
        self._label.text = "\n".join(lines)
        self._label.visible = True
        if self._may_time() and not is_timed:
            self._timer.start()

    def clear(self) -> None:
        """Show nothing: there is no run to forecast."""
        self._shown = None
        self._timer.stop()
        self._label.text = ""
        self._label.visible = False

    def stop(self) -> None:
        """End the timing, for example because the real run starts, and begin none until it is allowed again."""
        self.is_timing_allowed = False  # first: the end of a tile that is on would start the next
        self._timer.stop()
        if self._run is not None:
            self._run.abandon("")

    def learn(self, outcome: Outcome, card: ModelCard, device: str, work: Work) -> None:
        """Take the speed of a run for the next forecasts."""
        speed = outcome.meter.speed(work) if outcome.state == "done" and outcome.meter is not None else None
        if speed is not None:
            save_speed(card, device, speed)

    def _may_time(self) -> bool:
        return (
            self.is_timing_allowed and self._run is None and not slicer.app.testingEnabled() and not missing_packages()
        )

    def _time_tile(self) -> None:
        if self._shown is None or not self._may_time():
            return
        plan, model, device, _gpu = self._shown
        self._tried.add((plan.card.name, device))
        self._run = Run(TimedTile(model.path, plan.card, device), self._new_process(), Follower(end=self._on_timed))
        self._run.start()
        self._refresh()

    def _on_timed(self, outcome: Outcome) -> None:
        self._run = None
        task = outcome.task
        if outcome.state == "cancelled":
            self._tried.discard((task.card.name, task.device))
        self.learn(outcome, task.card, task.device, task.work)
        self._refresh()

    def _refresh(self) -> None:
        if self._shown is not None:
            self.show(*self._shown)
