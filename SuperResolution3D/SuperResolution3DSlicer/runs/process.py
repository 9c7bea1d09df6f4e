"""The worker as a process beside Slicer: started, listened to, cancelled; its end becomes one sentence."""

import os
import re
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Literal, Protocol

import qt
from slicer.i18n import tr as _

import SuperResolution3DLib
from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.super_resolve_job import Done, Event, Failed, Started, decode
from SuperResolution3DLib.errors import ExitCode, InputError
from SuperResolution3DSlicer.scene.library_sentences import in_own_language

GRACE_MS = 1000  # for the worker to end by itself after a cancel, before its process is ended
FIRST_CRASH_CODE = 128  # a shell adds the signal to it; Windows tells crashes by far larger numbers
# PythonSlicer is a launcher: whatever ended its Python by force, it prints this to stderr and ends with exit code 1.
LAUNCHER_TELLS_CRASH = re.compile(r"error: \[.*\] exit abnormally")
NO_TORCH = re.compile(r"No module named '(torch|safetensors)'")


@dataclass(frozen=True)
class WorkerEnd:
    """How a worker ended."""

    state: Literal["done", "failed", "cancelled"]
    sentence: str = ""
    """why there is no result"""
    report: Report | None = None
    """of a worker that is done and computed with a network"""


@dataclass(frozen=True)
class Listener:
    """Who hears of a worker; called from Qt's event loop."""

    event: Callable[[Event], None]
    log: Callable[[str], None]
    end: Callable[[WorkerEnd], None]
    """called once, last"""


class Process(Protocol):
    """What a run needs of a process; tests pass one that computes nothing."""

    def start(self, arguments: list[str], folder: Path, listener: Listener) -> None:
        """Start in a folder with the arguments of the command line ``superres3d`` and return at once."""

    def cancel(self) -> None:
        """End soon; the listener hears of it."""

    def kill(self) -> None:
        """End at once; the listener hears nothing any more."""


class WorkerProcess:
    """The real worker in a QProcess. One object runs one job."""

    _running: ClassVar[set["WorkerProcess"]] = set()  # so that none is collected while its process lives

    def __init__(self) -> None:
        self._process = qt.QProcess()
        self._listener: Listener | None = None
        self._pid: int | None = None
        self._line = {"out": b"", "error": b""}  # what has no end of line yet
        self._last: Done | Failed | None = None
        self._last_error = ""
        self._crashed = False
        self._cancelled = False

    def start(self, arguments: list[str], folder: Path, listener: Listener) -> None:
        """Start the worker and return at once.

        It works in the folder, so that the names of its files can be relative: on Windows its libraries open none whose
        folder has letters of another code page, as a user's name in the path of the temporary folder may have.

        Raises:
            InputError: no Python to run it with.
        """
        program = worker_program()
        self._listener = listener
        self._process.setWorkingDirectory(str(folder))
        self._process.setProcessEnvironment(worker_environment())
        self._process.readyReadStandardOutput.connect(self._read_output)
        self._process.readyReadStandardError.connect(self._read_error)
        self._process.connect("errorOccurred(QProcess::ProcessError)", self._on_error)
        self._process.connect("finished(int,QProcess::ExitStatus)", self._on_finished)
        WorkerProcess._running.add(self)
        self._process.start(program, ["-m", SuperResolution3DLib.__name__, *arguments])

    def cancel(self) -> None:
        """Ask the worker to end by closing its stdin; end its process if it has not within a second."""
        if not self._is_running():
            return
        self._cancelled = True
        self._process.closeWriteChannel()
        qt.QTimer.singleShot(GRACE_MS, self._end_process)

    def kill(self) -> None:
        """End the process at once; nobody hears of it."""
        self._listener = None
        if self._is_running():
            self._process.closeWriteChannel()
            self._end_process()

    def _is_running(self) -> bool:
        return self in WorkerProcess._running

    def _end_process(self) -> None:
        """End the process that computes, then the launcher, whose end alone would leave the other one running."""
        if not self._is_running():
            return
        if self._pid is not None:
            try:
                os.kill(self._pid, getattr(signal, "SIGKILL", signal.SIGTERM))  # on Windows SIGTERM ends at once
            except OSError:  # between its end and our hearing of it
                self._log(_("The worker had ended already."))
        self._process.kill()

    def _read_output(self) -> None:
        for line in self._lines("out", self._process.readAllStandardOutput()):
            event = decode(line)
            if event is None:
                self._log(line)
                continue
            if isinstance(event, Started):
                self._pid = event.pid
            if isinstance(event, Done | Failed):
                self._last = event
            if self._listener is not None and not self._cancelled:
                self._listener.event(event)

    def _read_error(self) -> None:
        for line in self._lines("error", self._process.readAllStandardError()):
            if LAUNCHER_TELLS_CRASH.match(line):
                self._crashed = True
                if self._cancelled:  # we ended it
                    continue
            elif line.startswith("error: "):
                self._last_error = line.removeprefix("error: ")
            self._log(line)

    def _lines(self, channel: str, data: qt.QByteArray) -> list[str]:
        """Return the lines that are complete now; a character of several bytes may be cut by the pipe."""
        *complete, self._line[channel] = (self._line[channel] + bytes(data.data())).split(b"\n")
        return [line.decode("utf-8", "replace").rstrip("\r") for line in complete]

    def _log(self, line: str) -> None:
        if self._listener is not None:
            self._listener.log(line)

    def _on_error(self, error: int) -> None:
        if error == qt.QProcess.FailedToStart:  # the only error after which no end is told
            sentence = _("The worker could not be started: {reason}.").format(reason=self._process.errorString())
            self._tell_end(WorkerEnd("failed", sentence))

    def _on_finished(self, exit_code: int, exit_status: int) -> None:
        self._read_output()
        self._read_error()
        for rest in self._line.values():
            if rest:
                self._log(rest.decode("utf-8", "replace"))
        self._crashed |= exit_status == qt.QProcess.CrashExit or not 0 <= exit_code < FIRST_CRASH_CODE
        self._tell_end(self._end(exit_code))

    def _end(self, exit_code: int) -> WorkerEnd:
        if self._cancelled:
            return WorkerEnd("cancelled", _("Cancelled."))
        if isinstance(self._last, Done) and exit_code == ExitCode.OK:
            return WorkerEnd("done", report=self._last.report)
        return WorkerEnd("failed", self._failure(exit_code))

    def _failure(self, exit_code: int) -> str:
        message = self._last.message if isinstance(self._last, Failed) else self._last_error
        if NO_TORCH.search(message):
            return _("PyTorch or safetensors is not installed: run again from the panel, which offers to install them.")
        if self._crashed and not isinstance(self._last, Failed):
            return _(
                "The worker crashed, most likely because memory ran out: close other programs, or choose a smaller"
                " region; the log may say more."
            )
        if isinstance(self._last, Failed):
            return in_own_language(self._last)
        if message:
            return message
        return _("The worker ended without a result (exit code {code}); the log says more.").format(code=exit_code)

    def _tell_end(self, end: WorkerEnd) -> None:
        WorkerProcess._running.discard(self)
        self._process.deleteLater()
        listener, self._listener = self._listener, None
        if listener is not None:
            listener.end(end)


def worker_program() -> str:
    """Return the Python that runs the worker: Slicer's launcher, or in tests the interpreter itself.

    Raises:
        InputError: neither is there.
    """
    launcher = shutil.which("PythonSlicer")
    if launcher:
        return launcher
    if Path(sys.executable).name.startswith("python"):  # inside Slicer it is Slicer itself
        return sys.executable
    raise InputError(_("Slicer's Python (PythonSlicer) was not found beside Slicer; reinstall Slicer."))


def worker_environment() -> qt.QProcessEnvironment:
    """Return Slicer's environment in which the worker also finds the library, wherever it is started."""
    environment = qt.QProcessEnvironment.systemEnvironment()
    library = str(Path(SuperResolution3DLib.__file__).resolve().parents[1])
    paths = [library, environment.value("PYTHONPATH")]
    environment.insert("PYTHONPATH", os.pathsep.join(path for path in paths if path))
    environment.insert("PYTHONUTF8", "1")
    environment.insert("CUDA_DEVICE_ORDER", "PCI_BUS_ID")  # numbers GPUs as the panel lists them
    return environment
