"""Who follows a run: a program that reads events, or a person at a terminal."""

import sys
import time
from contextlib import suppress
from typing import Any, TextIO

from SuperResolution3DLib.cli.cancellation import Cancellation
from SuperResolution3DLib.cli.super_resolve_job import Event, Progress, encode
from SuperResolution3DLib.cli.time_left import TimeLeft
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.sentence import Warned

SECONDS_BETWEEN_UPDATES = 0.1  # of progress; the first and the last of a stage always come


class CancellableMonitor(Monitor):
    """Measures progress and thins it out, and cancels when told to."""

    def __init__(self, cancellation: Cancellation) -> None:
        self._cancellation = cancellation
        self._time_left = TimeLeft()
        self._last_update = 0.0

    def progress(self, stage: str, done: int, total: int) -> None:
        seconds_left = self._time_left.update(stage, done, total)
        now = time.monotonic()
        if done in (0, total) or now - self._last_update >= SECONDS_BETWEEN_UPDATES:
            self._last_update = now
            self.show(Progress(stage, done, total, seconds_left))

    def is_cancelled(self) -> bool:
        return self._cancellation.is_cancelled()

    def show(self, progress: Progress) -> None:
        """Show progress."""
        raise NotImplementedError


class EventMonitor(CancellableMonitor):
    """Tells a listening program, one JSON object a line."""

    def __init__(self, stream: TextIO, cancellation: Cancellation) -> None:
        super().__init__(cancellation)
        self._stream = stream

    def send(self, event: Event) -> None:
        """Write an event. One that cannot be told does not end the run; that is for stdin to do."""
        with suppress(OSError):
            print(encode(event), file=self._stream, flush=True)

    def show(self, progress: Progress) -> None:
        self.send(progress)

    def warn(self, warned: Warned) -> None:
        self.send(warned)


class TerminalMonitor(CancellableMonitor):
    """Tells a person on stderr: a progress bar with the time left if that is a terminal, else only warnings."""

    def __init__(self, cancellation: Cancellation, num_runs: int = 1) -> None:
        super().__init__(cancellation)
        self._num_runs, self._run = num_runs, 0
        self._bar = _progress_bar()

    def begin(self) -> None:
        """Begin the first or the next of the runs, whose shares add up to the whole bar."""
        self._run += 1
        self._time_left = TimeLeft()

    def show(self, progress: Progress) -> None:
        if self._bar is not None:
            left = "" if progress.seconds_left is None else f"{format_duration(progress.seconds_left)} left"
            if self._num_runs > 1:
                left = f"volume {self._run} of {self._num_runs}, {left}".rstrip(", ")
            self._bar.bar_format = _bar_format(progress.stage, left)
            self._bar.n = round(100 * (max(self._run - 1, 0) + self._time_left.share) / self._num_runs)
            self._bar.refresh()

    def warn(self, warned: Warned) -> None:
        self.tell(f"warning: {warned}")

    def tell(self, sentence: str) -> None:
        """Print a line above the bar."""
        if self._bar is None:
            print(sentence, file=sys.stderr, flush=True)
        else:
            self._bar.write(sentence, file=sys.stderr)

    def close(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.close()


def format_duration(seconds: float) -> str:
    """Return minutes and seconds, with hours where there are any."""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02d}:{rest:02d}" if hours else f"{minutes}:{rest:02d}"


def _progress_bar() -> Any:
    """Return a bar from 0 to 100 %, or None where there is no terminal or no tqdm."""
    if not sys.stderr.isatty():
        return None
    try:
        from tqdm import tqdm
    except ImportError:
        return None
    return tqdm(total=100, bar_format=_bar_format("", ""), leave=False)


def _bar_format(stage: str, left: str) -> str:
    return f"{stage:<11} {{percentage:3.0f}}%|{{bar:40}}| {left}"
