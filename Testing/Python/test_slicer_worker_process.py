"""The worker's process behind Slicer: real processes, Qt's real QProcess and event loop."""

import os
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from SuperResolution3DLib.cli.super_resolve_job import Done, Event, Progress, Started
from SuperResolution3DLib.errors import InputError
from Testing.Slicer import double
from Testing.Slicer.double.application import write_launcher
from Testing.Slicer.module import is_running

# isort: split
from SuperResolution3DSlicer.runs import process as worker_process
from SuperResolution3DSlicer.runs.process import Listener, WorkerEnd, WorkerProcess

SAMPLE = Path(__file__).resolve().parents[2] / "Resources" / "SampleData" / "t1-brain-niimath-crop.nii.gz"
STARTED = (
    "import json, os, sys, time\n"
    "print(json.dumps({'event': 'started', 'pid': os.getpid(), 'version': 1}), flush=True)\n"
)
PATIENT = 120_000  # ms; other work may share the machine
SOON = 20_000  # ms; far less than the minute that a worker which is never ended would take, even where others work too


@dataclass
class Heard:
    """What a listener was told."""

    events: list[Event] = field(default_factory=list)
    lines: list[str] = field(default_factory=list)
    ends: list[WorkerEnd] = field(default_factory=list)

    def listener(self) -> Listener:
        return Listener(self.events.append, self.lines.append, self.ends.append)

    @property
    def pid(self) -> int:
        return next(event.pid for event in self.events if isinstance(event, Started))


@pytest.fixture
def a_program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], None]:
    """Return what puts a program of these lines in the worker's place, behind a launcher as in Slicer."""

    def put(lines: str) -> None:
        script, launcher = tmp_path / "worker.py", tmp_path / "launcher"
        script.write_text(lines, "utf-8")
        write_launcher(launcher, f'"{sys.executable}" "{script}"')
        monkeypatch.setattr(worker_process, "worker_program", lambda: str(launcher))

    return put


def ended(arguments: list[str] | None = None) -> Heard:
    """Run a worker to its end."""
    heard = Heard()
    WorkerProcess().start(arguments or [], Path.cwd(), heard.listener())
    double.wait_until(lambda: bool(heard.ends), PATIENT)
    return heard


def test_real_worker_runs_from_an_unrelated_folder_and_tells_its_events(tmp_path, monkeypatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("PYTHONPATH", raising=False)
    heard = ended(["degrade", "--events", "--", str(SAMPLE), str(tmp_path / "lr.nrrd")])
    assert heard.ends[0].state == "done", heard.lines
    assert isinstance(heard.events[0], Started)
    assert isinstance(heard.events[-1], Done)
    assert (tmp_path / "lr.nrrd").is_file()
    assert any("30" in line and "wrote" in line for line in heard.lines)


def test_error_of_the_worker_becomes_its_own_sentence(tmp_path) -> None:
    heard = ended(["super-resolve", "--events", "--", str(tmp_path / "none.nrrd"), str(tmp_path / "sr.nrrd")])
    assert heard.ends[0].state == "failed"
    assert "none.nrrd" in heard.ends[0].sentence


def test_usage_error_which_tells_no_event_is_found_in_the_log() -> None:
    heard = ended(["super-resolve", "--no-such-option"])
    assert heard.ends[0].state == "failed"
    assert "exit code 2" in heard.ends[0].sentence
    assert any(line.startswith("usage: superres3d") for line in heard.lines)


@pytest.mark.parametrize("number", [6, 9, 11])
def test_a_crash_behind_the_launcher_is_told_as_one_and_not_as_the_launchers_own_line(a_program, number) -> None:
    a_program(STARTED + f"sys.stderr.write('error: it broke\\n'); sys.stderr.flush()\nos.kill(os.getpid(), {number})\n")
    heard = ended()
    assert heard.ends[0].state == "failed"
    assert heard.ends[0].sentence.startswith("The worker crashed, most likely because memory ran out")
    assert "error: it broke" in heard.lines
    assert any("exit abnormally" in line for line in heard.lines)


def test_a_crash_without_a_launcher_is_told_as_one_too(tmp_path, monkeypatch) -> None:
    program = tmp_path / "python"
    program.write_text("#!/bin/sh\nkill -9 $$\n")
    program.chmod(0o755)
    monkeypatch.setattr(worker_process, "worker_program", lambda: str(program))
    assert "memory ran out" in ended().ends[0].sentence


def test_what_the_worker_said_itself_stays_the_reason_of_a_crash_after_it(a_program) -> None:
    a_program(
        STARTED + "print(json.dumps({'event': 'error', 'code': 'memory', 'message': 'The GPU is full'}), flush=True)\n"
        "os.kill(os.getpid(), 11)\n"
    )
    assert ended().ends[0].sentence == "The GPU is full"


def test_missing_torch_is_told_as_such(a_program) -> None:
    message = "This is a bug of the program (ModuleNotFoundError: No module named 'torch')"
    a_program(
        STARTED + f"print(json.dumps({{'event': 'error', 'code': 'bug', 'message': {message!r}}}))\nsys.exit(1)\n"
    )
    assert "PyTorch or safetensors is not installed" in ended().ends[0].sentence


def test_worker_without_a_result_is_not_done_even_with_exit_code_0(a_program) -> None:
    a_program(STARTED)
    assert ended().ends[0].state == "failed"


def test_program_that_is_not_there_is_told(monkeypatch) -> None:
    monkeypatch.setattr(worker_process, "worker_program", lambda: "/nowhere/PythonSlicer")
    end = ended().ends[0]
    assert end.state == "failed"
    assert "could not be started" in end.sentence


def test_without_any_python_the_start_is_refused(monkeypatch) -> None:
    monkeypatch.setattr(worker_process.shutil, "which", lambda name: None)
    monkeypatch.setattr(worker_process.sys, "executable", "/opt/Slicer/bin/SlicerApp-real")
    with pytest.raises(InputError, match="PythonSlicer"):
        WorkerProcess().start([], Path.cwd(), Heard().listener())


def test_characters_and_lines_that_the_pipe_cuts_are_put_together(a_program) -> None:
    a_program(
        STARTED + "event = {'event': 'warning', 'code': 'x', 'message': 'größer'}\n"
        "line = (json.dumps(event, ensure_ascii=False) + '\\n').encode()\n"
        "for byte in line:\n    os.write(1, bytes([byte])); time.sleep(0.001)\n"
        "os.write(2, 'ein Rest ohne Ende: ß'.encode())\n"
    )
    heard = ended()
    assert heard.events[1].message == "größer"
    assert "ein Rest ohne Ende: ß" in heard.lines


def test_event_loop_turns_while_a_worker_never_answers(a_program) -> None:
    a_program("import time\ntime.sleep(60)\n")
    worker, heard = WorkerProcess(), Heard()
    worker.start([], Path.cwd(), heard.listener())
    started = time.monotonic()
    for _ in range(100):
        double.turn()
    assert time.monotonic() - started < SOON / 1000  # turns that wait for the worker, for a second each, take 100 s
    worker.kill()
    double.turn(100)
    assert heard.ends == []


def test_real_worker_ends_soon_after_a_cancel(tmp_path) -> None:
    worker, heard = WorkerProcess(), Heard()
    worker.start(
        ["super-resolve", "--device=cpu", "--events", "--", str(SAMPLE), "sr.nrrd"], tmp_path, heard.listener()
    )
    double.wait_until(lambda: any(isinstance(event, Progress) for event in heard.events), PATIENT)
    worker.cancel()
    double.wait_until(lambda: bool(heard.ends), SOON)
    assert heard.ends[0].state == "cancelled"
    double.wait_until(lambda: not is_running(heard.pid), SOON)
    assert not (tmp_path / "sr.nrrd").exists()


@pytest.mark.parametrize("way", ["cancel", "kill"])
def test_worker_that_ignores_everything_is_ended_behind_its_launcher(a_program, way) -> None:
    a_program(STARTED + "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\ntime.sleep(60)\n")
    worker, heard = WorkerProcess(), Heard()
    worker.start([], Path.cwd(), heard.listener())
    double.wait_until(lambda: bool(heard.events), PATIENT)
    getattr(worker, way)()
    double.wait_until(lambda: not is_running(heard.pid), SOON)
    double.turn(100)
    assert [end.state for end in heard.ends] == (["cancelled"] if way == "cancel" else [])
    assert not any("exit abnormally" in line for line in heard.lines)


@pytest.mark.parametrize("way", ["cancel", "kill"])
def test_a_worker_whose_launcher_is_ended_before_it_told_its_pid_ends_by_itself(
    a_program, tmp_path, monkeypatch, way
) -> None:
    monkeypatch.setattr(worker_process, "GRACE_MS", 1)
    a_program("import os, sys\nopen('pid', 'w').write(str(os.getpid()))\nos.rename('pid', 'ready')\nsys.stdin.read()\n")
    worker, heard = WorkerProcess(), Heard()
    worker.start([], tmp_path, heard.listener())
    double.wait_until((tmp_path / "ready").exists, PATIENT)
    getattr(worker, way)()
    pid = int((tmp_path / "ready").read_text())
    double.wait_until(lambda: not is_running(pid), SOON)


def test_cancel_after_the_end_does_nothing(a_program) -> None:
    a_program(STARTED)
    worker, heard = WorkerProcess(), Heard()
    worker.start([], Path.cwd(), heard.listener())
    double.wait_until(lambda: bool(heard.ends), PATIENT)
    worker.cancel()
    worker.kill()
    assert len(heard.ends) == 1


def test_worker_keeps_the_python_path_that_slicer_has(monkeypatch) -> None:
    monkeypatch.setenv("PYTHONPATH", "/some/where")
    paths = worker_process.worker_environment().value("PYTHONPATH").split(os.pathsep)
    assert paths[-1] == "/some/where"
    assert (Path(paths[0]) / "SuperResolution3DLib").is_dir()
