"""Whether a run shall end: by a signal, or because the program that listened is gone."""

import os
import signal
import stat
import sys
import threading
import time
from types import FrameType, TracebackType
from typing import Any

from SuperResolution3DLib.errors import CancelledError
from SuperResolution3DLib.sentence import Sentence

SIGNALS = (signal.SIGINT, signal.SIGTERM)
ASKING_SECONDS = 0.1


class Cancellation:
    """A flag that SIGINT and SIGTERM set while the ``with`` block runs; the second signal ends it at once."""

    def __init__(self, *, at_once: bool = False) -> None:
        """Prepare the flag; with ``at_once`` already the first signal raises ``CancelledError`` where the code is."""
        self._at_once = at_once
        self._event = threading.Event()
        self._before: dict[signal.Signals, Any] = {}

    def __enter__(self) -> "Cancellation":
        if threading.current_thread() is threading.main_thread():  # elsewhere Python allows no handlers
            self._before = {number: signal.signal(number, self._on_signal) for number in SIGNALS}
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)

    def cancel(self) -> None:
        self._event.set()

    def is_cancelled(self) -> bool:
        return self._event.is_set()

    def raise_if_cancelled(self) -> None:
        """Raise ``CancelledError`` if the flag is set."""
        if self.is_cancelled():
            raise CancelledError(Sentence("cancelled"))

    def watch_stdin(self) -> None:
        """Set the flag when stdin ends, if it is a pipe: the program at its other end is gone or wants no result."""
        try:
            is_pipe = stat.S_ISFIFO(os.fstat(0).st_mode)
        except OSError:  # stdin is closed
            return
        if is_pipe:
            threading.Thread(target=self._read_to_the_end, daemon=True).start()

    def _read_to_the_end(self) -> None:
        try:
            _wait_for_data(0)
            while os.read(0, 4096):
                _wait_for_data(0)
        except BrokenPipeError:  # how Windows tells the end
            pass
        except OSError:
            return
        self.cancel()

    def _on_signal(self, number: int, frame: FrameType | None) -> None:
        again = self.is_cancelled()
        self.cancel()
        if again or self._at_once:
            self.raise_if_cancelled()


def _wait_for_data(pipe: int) -> None:
    """On Windows return when reading from a pipe would not wait.

    A read that waits there holds the pipe, and whoever else asks for its state waits with it: libraries do while they
    are loaded (numpy's issue 24290), programs while they start. The run would stand still for ever.

    Raises:
        BrokenPipeError: the pipe has come to its end.
    """
    if sys.platform == "win32":
        import _winapi  # as multiprocessing does
        import msvcrt

        while not _winapi.PeekNamedPipe(msvcrt.get_osfhandle(pipe))[0]:
            time.sleep(ASKING_SECONDS)
