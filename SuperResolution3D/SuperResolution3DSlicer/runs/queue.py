"""Several runs, one after another."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from SuperResolution3DSlicer.runs.outcome import Outcome
from SuperResolution3DSlicer.runs.process import Process
from SuperResolution3DSlicer.runs.run import Follower, Run, Status
from SuperResolution3DSlicer.runs.task import Task


@dataclass(frozen=True)
class Position:
    """Which of the runs is on."""

    title: str
    number: int
    """counted from 1"""
    total: int


class RunQueue:
    """Runs tasks in order. One that fails does not stop the others; a cancel, a closed scene and the quit stop all."""

    def __init__(
        self,
        tasks: Sequence[Task],
        new_process: Callable[[], Process],
        follower: Follower,
        on_status: Callable[[Position, Status | None], None] = lambda position, status: None,
        on_end: Callable[[list[Outcome]], None] = lambda outcomes: None,
    ) -> None:
        """Take the tasks.

        Args:
            tasks: in their order.
            new_process: makes the process of each.
            follower: hears each run's log and end.
            on_status: hears how far which run is; None when it has only begun.
            on_end: hears all outcomes, once, last.
        """
        self.outcomes: list[Outcome] = []
        self._tasks = list(tasks)
        self._new_process = new_process
        self._follower = follower
        self._on_status = on_status
        self._on_end = on_end
        self._run: Run | None = None
        self._is_stopped = False

    @property
    def is_over(self) -> bool:
        return self._is_stopped and self._run is None

    def start(self) -> None:
        """Start the first run and return."""
        self._next()

    def cancel(self) -> None:
        """End the run that is on, soon, and start no other."""
        self._is_stopped = True
        if self._run is not None:
            self._run.cancel()

    def abandon(self, sentence: str) -> None:
        """End at once, for this reason."""
        self._is_stopped = True
        if self._run is not None:
            self._run.abandon(sentence)

    def _next(self) -> None:
        if self._is_stopped or len(self.outcomes) == len(self._tasks):
            self._is_stopped = True
            self._on_end(self.outcomes)
            return
        task = self._tasks[len(self.outcomes)]
        position = Position(task.title, len(self.outcomes) + 1, len(self._tasks))
        self._on_status(position, None)
        follower = replace(
            self._follower, status=lambda status: self._on_status(position, status), end=self._on_run_end
        )
        self._run = Run(task, self._new_process(), follower)
        self._run.start()

    def _on_run_end(self, outcome: Outcome) -> None:
        self._run = None
        self._is_stopped |= outcome.ends_all
        self.outcomes.append(outcome)
        self._follower.end(outcome)
        self._next()
