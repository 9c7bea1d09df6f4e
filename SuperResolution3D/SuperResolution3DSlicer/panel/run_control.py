"""Starts, follows and cancels the panel's runs, and says how they ended."""

from collections.abc import Callable, Sequence
from typing import Any, Protocol

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DSlicer.forecast.display import ForecastDisplay
from SuperResolution3DSlicer.forecast.forecast import forecast
from SuperResolution3DSlicer.forecast.speed import Work
from SuperResolution3DSlicer.panel.log_panel import LogPanel
from SuperResolution3DSlicer.panel.progress_display import ProgressDisplay
from SuperResolution3DSlicer.runs.interpolation_task import Interpolation
from SuperResolution3DSlicer.runs.low_resolution_task import LowResolution
from SuperResolution3DSlicer.runs.outcome import Outcome, describe_all, describe_interpolations, not_done, unchanged
from SuperResolution3DSlicer.runs.queue import RunQueue
from SuperResolution3DSlicer.runs.run import Follower
from SuperResolution3DSlicer.runs.task import Task
from SuperResolution3DSlicer.runs.volume_task import Request, SuperResolution, is_preview, latest_result
from SuperResolution3DSlicer.scene.nodes import show_in_views


class Starter(Protocol):
    """What starts runs: the module's logic."""

    def start(self, tasks: Sequence[Task], follower: Follower, **callbacks: Callable[..., None]) -> RunQueue:
        """Start runs one after another and return at once."""


class RunControl:
    """The runs of one panel, one queue at a time."""

    def __init__(
        self,
        logic: Starter,
        progress: ProgressDisplay,
        forecast_display: ForecastDisplay,
        log: LogPanel,
        show_result: Callable[[str], None],
        on_change: Callable[[], None],
    ) -> None:
        """Take what shows the runs.

        Args:
            logic: starts them.
            progress: shows how far they are.
            forecast_display: is stopped before they start and learns from them.
            log: hears all lines and ends.
            show_result: is given the sentences on how they ended.
            on_change: is called when a run began or ended.
        """
        self._logic = logic
        self._progress = progress
        self._forecast = forecast_display
        self._log = log
        self._show_result = show_result
        self._on_change = on_change
        self._queue: RunQueue | None = None
        self._work: dict[int, Work] = {}  # id of a task -> what it has to compute

    @property
    def is_running(self) -> bool:
        return self._queue is not None

    def super_resolve(self, requests: list[Request]) -> None:
        """Start one run for each request."""
        tasks = [SuperResolution(request) for request in requests]
        # a run with a trust map goes through two networks, so it tells nothing of the speed of one
        alone = [task for task in tasks if not task.request.with_trust_map]
        self._work = {id(task): forecast(task.request.plan(), None).work for task in alone}
        self._start(tasks, lambda outcomes: describe_all(outcomes, len(tasks)))

    def simulate(
        self,
        input_node: slicer.vtkMRMLScalarVolumeNode,
        card: ModelCard,
        plane: str | None,
        on_done: Callable[[slicer.vtkMRMLScalarVolumeNode], None],
    ) -> None:
        """Start degrading a volume; ``on_done`` is given the LR volume."""

        def describe(outcomes: list[Outcome]) -> str:
            outcome = outcomes[0]
            if outcome.state != "done":
                return " ".join([not_done(outcome), *unchanged(outcomes)])
            on_done(outcome.node)
            added = _("{lr} was added; the original is the HR reference.").format(lr=outcome.node.GetName())
            return "\n".join([added, *outcome.task.notes])

        self._start([LowResolution(input_node, card, plane)], describe)

    def interpolate(self, tasks: list[Interpolation]) -> None:
        """Start one run for each stack of slices."""
        self._start(tasks, describe_interpolations)

    def cancel(self) -> None:
        """End the run that is on, soon, and start no further one."""
        if self._queue is not None:
            self._progress.show_cancelling()
            self._queue.cancel()

    def close(self) -> None:
        """End everything at once; nobody looks any more."""
        self._forecast.stop()
        if self._queue is not None:
            self._queue.abandon(_("The panel was closed, so the run was ended."))

    def _start(self, tasks: list[Any], describe: Callable[[list[Outcome]], str]) -> None:
        self._forecast.stop()
        self._log.start()
        self._show_result("")

        def on_end(outcomes: list[Outcome]) -> None:
            self._queue = None
            self._progress.hide()
            self._show_result(describe(outcomes))
            self._on_change()

        self._queue = self._logic.start(
            tasks, Follower(log=self._log.add, end=self._on_run_end), on_status=self._progress.show, on_end=on_end
        )
        if self._queue.is_over:  # it could not even start
            self._queue = None
        self._on_change()

    def _on_run_end(self, outcome: Outcome) -> None:
        self._log.add_outcome(outcome)
        work = self._work.pop(id(outcome.task), None)
        if work is not None:
            request = outcome.task.request
            self._forecast.learn(outcome, request.card, request.device, work)
        if outcome.state == "done" and not _is_beside_the_whole(outcome):
            show_in_views(outcome.node)


def _is_beside_the_whole(outcome: Outcome) -> bool:
    """Tell whether this is a preview of a volume whose whole result is there, which goes on being shown."""
    nodes = outcome.task.watched_nodes()
    return is_preview(outcome.node) and bool(nodes) and latest_result(nodes[0]) is not outcome.node
