"""One run of the worker: files are prepared in a folder of its own, followed, taken over and removed."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import slicer
import vtk
from slicer.i18n import tr as _

from SuperResolution3DLib.cli.super_resolve_job import Event, Progress
from SuperResolution3DLib.cli.time_left import TimeLeft
from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DSlicer.forecast.speed import SpeedMeter
from SuperResolution3DSlicer.panel.messages import without_files
from SuperResolution3DSlicer.runs.folder import RunFolder
from SuperResolution3DSlicer.runs.outcome import Outcome
from SuperResolution3DSlicer.runs.process import Listener, Process, WorkerEnd
from SuperResolution3DSlicer.runs.task import Task
from SuperResolution3DSlicer.scene.library_sentences import in_own_language, told


@dataclass(frozen=True)
class Status:
    """How far a run is."""

    stage: str
    """one of ``time_left.STAGES``"""
    share: float
    """of the run that is behind, 0 to 1"""
    seconds_left: float | None


@dataclass(frozen=True)
class Follower:
    """Who follows a run; called from the event loop."""

    status: Callable[[Status], None] = lambda status: None
    log: Callable[[str], None] = lambda line: None
    end: Callable[[Outcome], None] = lambda outcome: None


class Run:
    """A task and the process that works on it.

    It ends, with its process, when the scene is closed, one of its nodes is deleted or the application quits.
    """

    def __init__(self, task: Task, process: Process, follower: Follower | None = None) -> None:
        self.task = task
        self.outcome: Outcome | None = None
        self._process = process
        self._follower = follower or Follower()
        self._folder: RunFolder | None = None
        self._time_left = TimeLeft()
        self._meter = SpeedMeter()
        self._scene_tags: list[int] = []

    def start(self) -> None:
        """Start and return at once; what cannot be started ends here."""
        try:
            self._folder = RunFolder(Path(slicer.app.temporaryPath))
            arguments = self.task.prepare(self._folder.path)
            self._watch()
            self._process.start(
                arguments, self._folder.path, Listener(self._on_event, self._follower.log, self._on_end)
            )
        except SuperResolutionError as error:
            self._finish("failed", told(error))
        except OSError as error:
            self._finish(
                "failed",
                _(
                    "{folder} cannot be written to ({reason}); free some space or choose another temporary folder."
                ).format(folder=slicer.app.temporaryPath, reason=error.strerror),
            )

    def cancel(self) -> None:
        """End soon, without a result."""
        if self.outcome is None:
            self._process.cancel()

    def abandon(self, sentence: str, *, ends_all: bool = False) -> None:
        """End at once, without a result, for this reason, which may hold for the runs after it too."""
        if self.outcome is None:
            self._process.kill()
            self._finish("cancelled", sentence, is_abandoned=True, ends_all=ends_all)

    def _watch(self) -> None:
        scene = slicer.mrmlScene
        for event, function in (
            (scene.StartCloseEvent, self._on_scene_closes),
            (scene.NodeRemovedEvent, self._on_node_removed),
        ):
            self._scene_tags.append(scene.AddObserver(event, function))
        slicer.app.connect("aboutToQuit()", self._on_quit)

    def _unwatch(self) -> None:
        if self._scene_tags:
            for tag in self._scene_tags:
                slicer.mrmlScene.RemoveObserver(tag)
            self._scene_tags.clear()
            slicer.app.disconnect("aboutToQuit()", self._on_quit)

    def _on_scene_closes(self, caller: vtk.vtkObject, event: str) -> None:
        self.abandon(_("The scene was closed, so the run was ended."), ends_all=True)

    def _on_node_removed(self, caller: vtk.vtkObject, event: str) -> None:
        removed = [node.GetName() for node in self.task.watched_nodes() if node.GetScene() is None]
        if removed:
            self.abandon(_("{name} was deleted, so the run was ended.").format(name=removed[0]))

    def _on_quit(self) -> None:
        self.abandon(_("The application quits, so the run was ended."), ends_all=True)

    def _on_event(self, event: Event) -> None:
        self._meter.hear(event)
        if isinstance(event, Progress):
            self._time_left.update(event.stage, event.done, event.total)
            self._follower.status(Status(event.stage, self._time_left.share, event.seconds_left))
        elif isinstance(event, Warned):
            self._follower.log(_("warning: {message}").format(message=in_own_language(event)))

    def _on_end(self, end: WorkerEnd) -> None:
        self._meter.end()
        if end.state != "done":
            self._finish(end.state, end.sentence)
            return
        try:
            node = self.task.finish(self._folder.path, end.report)
        except SuperResolutionError as error:
            self._finish("failed", told(error))
        except Exception as error:
            self._follower.log(traceback.format_exc())
            self._finish("failed", _("The result could not be loaded: {error}").format(error=error))
        else:
            self._finish("done", node=node, report=end.report)

    def _finish(self, state: Literal["done", "failed", "cancelled"], sentence: str = "", **values: Any) -> None:
        self._unwatch()
        if self._folder is not None:
            sentence = without_files(sentence, self._folder.path, self.task.title)
            self._folder.remove()
        self.outcome = Outcome(self.task, state, sentence, meter=self._meter, **values)
        if sentence:
            self._follower.log(sentence)
        self._follower.end(self.outcome)
