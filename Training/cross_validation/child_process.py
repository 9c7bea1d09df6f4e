"""Processes that do the parts of a long run: signals are handed to them, and none outlives the run.

A file of its own to run, too: ``python child_process.py PARENT COMMAND...`` becomes COMMAND, and Linux sends it SIGTERM
when PARENT ends, however that ends. Two processes would otherwise train in one folder after a kill and a new start.
"""

import ctypes
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from types import FrameType, TracebackType

SIGNALS = ("SIGTERM", "SIGUSR1", "SIGINT")  # of schedulers and of a person; Windows has no SIGUSR1
PR_SET_PDEATHSIG = 1  # prctl(2)


class SignalRelay:
    """A context in which a signal asks for a stop: it is remembered, and handed on to the process that works."""

    def __init__(self) -> None:
        self.asked = False
        self._child: subprocess.Popen[bytes] | None = None

    def __enter__(self) -> "SignalRelay":
        names = [name for name in SIGNALS if hasattr(signal, name)]
        self._earlier = {name: signal.signal(getattr(signal, name), self._take) for name in names}
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for name, handler in self._earlier.items():
            signal.signal(getattr(signal, name), handler)

    def run(self, command: Sequence[str], inherited: Sequence[int] = ()) -> int:
        """Run a command to its end and return its exit code, negative when a signal ended it.

        Args:
            command: the program and its arguments.
            inherited: file descriptors that it keeps open.
        """
        # Ctrl-C reaches it through us, once, as SIGTERM; Windows has neither process groups nor descriptors to hand on.
        alone = {"process_group": 0, "pass_fds": inherited} if os.name == "posix" else {}
        self._child = subprocess.Popen(list(_bound(command)), **alone)  # type: ignore[call-overload]
        try:
            if self.asked:  # between the last look and the start
                self._child.terminate()
            return int(self._child.wait())
        finally:
            self._child = None

    def _take(self, number: int, frame: FrameType | None) -> None:
        self.asked = True
        if self._child is not None:
            self._child.terminate()
        elif number == signal.SIGINT:
            raise KeyboardInterrupt


def main(arguments: Sequence[str]) -> None:
    """Become the command, and end with the parent."""
    parent, *command = arguments
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
    if os.getppid() != int(parent):  # it ended before we asked
        sys.exit(1)
    os.execvp(command[0], command)


def _bound(command: Sequence[str]) -> Sequence[str]:
    if sys.platform != "linux":
        return command
    return [sys.executable, "-IS", __file__, str(os.getpid()), *command]


if __name__ == "__main__":
    main(sys.argv[1:])
