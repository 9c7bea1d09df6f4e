"""The worker: all results or none, events alone on stdout, every end with its exit code, cancelling at any moment."""

import os
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from collections import namedtuple
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from models import a_tiny_model_file

from SuperResolution3DLib.cli import worker
from SuperResolution3DLib.cli.cancellation import Cancellation
from SuperResolution3DLib.cli.progress import EventMonitor, TerminalMonitor, format_duration
from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.super_resolve_job import Done, Event, Failed, Job, Progress, Started, decode
from SuperResolution3DLib.cli.time_left import STAGES
from SuperResolution3DLib.cli.worker import run_process
from SuperResolution3DLib.errors import ExitCode, OutputError
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.geometry import sr_affine
from SuperResolution3DLib.volumes.output_place import publish
from SuperResolution3DLib.volumes.result_files import ResultFiles
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (9, 11, 13)
SENT = b"still here\n"
BLOCKED = ("nibabel", "tqdm", "matplotlib", "monai", "torchvision", "lpips")


@pytest.fixture
def a_job(tmp_path, a_phantom, monkeypatch) -> Job:
    """Return a job of a small volume and a tiny model, with results in an empty folder of their own."""
    monkeypatch.chdir(tmp_path)
    array = np.pad(a_phantom.array[:9, :11, :], ((0, 0), (0, 0), (0, 2)), mode="edge").astype(np.int16)
    write_volume(Volume(array, a_phantom.affine), tmp_path / "lr.nrrd")
    model = a_tiny_model_file(tmp_path)
    results = tmp_path / "results"
    results.mkdir()
    return Job(tmp_path / "lr.nrrd", results / "sr.nrrd", model=str(model), device="cpu", precision="fp32")


def with_all_results(job: Job) -> Job:
    folder = job.output.parent
    return replace(job, zero_filled=folder / "zf.nii.gz", report=folder / "report.json")


def left_behind(job: Job) -> list[str]:
    return sorted(path.name for path in job.output.parent.iterdir())


def events_of(text: str) -> list[Event]:
    """Read a stream of events in which every line must be a known one."""
    events = [decode(line) for line in text.splitlines()]
    assert None not in events, text
    return [event for event in events if event is not None]


def signal_at(monkeypatch, stage: str, number: signal.Signals = signal.SIGTERM) -> None:
    """Send this process a signal when a stage begins."""
    show = EventMonitor.show

    def show_and_signal(monitor: EventMonitor, progress: Progress) -> None:
        show(monitor, progress)
        if progress.stage == stage and progress.done == 0:
            os.kill(os.getpid(), number)

    monkeypatch.setattr(EventMonitor, "show", show_and_signal)


# --- Results ---------------------------------------------------------------------------------------------------------


def test_a_run_writes_result_zero_filled_volume_and_report(a_job):
    job = with_all_results(a_job)
    assert run_process(job) == ExitCode.OK
    assert left_behind(job) == ["report.json", "sr.nrrd", "zf.nii.gz"]
    lr, sr, zero_filled = (read_volume(path) for path in (job.input, job.output, job.zero_filled))
    assert sr.shape == zero_filled.shape == (18, 22, 26)
    assert sr.array.dtype == np.int16
    np.testing.assert_allclose(sr.affine, sr_affine(lr.affine, (2, 2, 2), "center"), atol=1e-9)
    np.testing.assert_allclose(zero_filled.affine, sr.affine, atol=1e-5)


def test_the_report_says_what_was_computed_from_what(a_job):
    job = with_all_results(replace(a_job, region=np.s_[1:8, 0:5, 3:13], window=8, overlap=0.25))
    assert run_process(job) == ExitCode.OK
    report = Report.from_json(job.report.read_text(), "report.json")
    assert report.input == str(job.input)
    assert report.output == str(job.output)
    assert report.zero_filled == str(job.zero_filled)
    assert report.region == "1:8,0:5,3:13"
    assert report.model == "tiny"
    assert report.model_file == job.model
    assert report.input_shape == SHAPE
    assert report.output_shape == (14, 10, 20)
    assert report.windows > 1
    assert report.data_consistency.mode == "check"


def test_existing_results_are_replaced_only_when_asked(a_job):
    job = with_all_results(a_job)
    job.report.write_text("mine")
    assert run_process(job) == ExitCode.BAD_INPUT
    assert left_behind(job) == ["report.json"]
    assert job.report.read_text() == "mine"
    assert run_process(replace(job, overwrite=True)) == ExitCode.OK
    assert Report.from_json(job.report.read_text(), "report.json").model == "tiny"


def test_a_person_without_a_terminal_gets_one_line_at_the_start_and_one_at_the_end(a_job, capfd):
    assert run_process(a_job) == ExitCode.OK
    out, err = capfd.readouterr()
    assert out == ""
    start, end = err.splitlines()
    assert start == f"super-resolving {a_job.input}"
    assert end.startswith(
        f"wrote {a_job.output}: 26 x 22 x 18 voxels of 0.4 x 0.55 x 0.85 mm (left-right, front-back, "
    )
    assert "; agrees with the scan to " in end


def test_a_person_at_a_terminal_sees_stage_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    monitor = TerminalMonitor(Cancellation())
    monitor.progress("trunk", 0, 2)
    time.sleep(0.01)
    monitor.progress("trunk", 2, 2)
    monitor.warn(Warned("spacing", {}, "coarse voxels"))
    monitor.close()
    err = capsys.readouterr().err
    assert "trunk" in err
    assert "56%" in err
    assert "0:00 left" in err
    assert "warning: coarse voxels" in err


@pytest.mark.parametrize(("seconds", "text"), [(0.4, "0:00"), (59.6, "1:00"), (3599, "59:59"), (3725, "1:02:05")])
def test_durations_read_as_on_a_clock(seconds, text):
    assert format_duration(seconds) == text


# --- Events ----------------------------------------------------------------------------------------------------------


def test_events_tell_the_whole_run_in_order(a_job, capfd):
    job = with_all_results(replace(a_job, events=True))
    assert run_process(job) == ExitCode.OK
    events = events_of(capfd.readouterr().out)
    assert events[0] == Started(os.getpid())
    assert isinstance(events[-1], Done)
    assert events[-1].output == str(job.output)
    assert events[-1].report == Report.from_json(job.report.read_text(), "report.json")
    steps = [event for event in events if isinstance(event, Progress)]
    assert len(steps) == len(events) - 2
    assert tuple(dict.fromkeys(step.stage for step in steps)) == STAGES
    for stage in STAGES:
        done = [step.done for step in steps if step.stage == stage]
        assert done == sorted(done)
        assert (done[0], done[-1]) == (0, next(step.total for step in steps if step.stage == stage))
    assert steps[0].seconds_left is None
    assert steps[-1].seconds_left == 0


def test_a_warning_is_an_event(a_job, capfd):
    model = a_tiny_model_file(a_job.input.parent, name="coarse", spacing_range=(10.0, 20.0))
    assert run_process(replace(a_job, events=True, model=str(model))) == ExitCode.OK
    (warning,) = [event for event in events_of(capfd.readouterr().out) if isinstance(event, Warned)]
    assert warning.kind == "spacing"
    assert "26 x 22 x 18 voxels" in warning.message


def test_a_file_is_of_the_modality_that_the_job_says(a_job, capfd):
    assert run_process(replace(a_job, events=True, modality="CT")) == ExitCode.OK
    events = events_of(capfd.readouterr().out)
    assert Warned("modality", {"modality": "CT", "model": "tiny", "trained": "MR"}) in events
    assert events[-1].report.data_consistency.model_dependent


def test_the_jobs_modality_must_not_be_another_than_the_series_has(a_job, monkeypatch, capfd):
    read = read_volume
    monkeypatch.setattr(worker, "read_volume", lambda path, series, **_: replace(read(path), modality="CT"))
    assert run_process(replace(a_job, modality="MR")) == ExitCode.BAD_INPUT
    assert "--modality MR is not that of the series, CT; omit it" in capfd.readouterr().err
    assert run_process(replace(a_job, modality="CT")) == ExitCode.OK


def test_what_libraries_print_does_not_mix_with_events(a_job, capfd, monkeypatch):
    def noisy_read(path: Path, series: str | None, **_: object) -> Volume:
        os.write(1, b"printed by a native library\n")
        print("printed by Python")
        return read_volume(path, series)

    monkeypatch.setattr(worker, "read_volume", noisy_read)
    monkeypatch.setattr(sys, "stdout", os.fdopen(1, "w", closefd=False))
    assert run_process(replace(a_job, events=True)) == ExitCode.OK
    assert capfd.readouterr().err.count("printed by") == 2
    print("stdout is itself again", flush=True)
    os.write(1, b"to stdout again\n")
    assert "to stdout again" in capfd.readouterr().out


def test_an_error_is_the_last_event_and_one_sentence(a_job, capfd):
    job = replace(a_job, events=True, input=a_job.input.with_name("nothing.nrrd"))
    assert run_process(job) == ExitCode.BAD_INPUT
    out, err = capfd.readouterr()
    last = events_of(out)[-1]
    assert isinstance(last, Failed)
    assert last.code == "volume-missing"
    assert err == f"error: {last.message}\n"


def test_a_listener_that_is_gone_does_not_end_the_run(a_job):
    reading, writing = os.pipe()
    os.close(reading)
    with Cancellation() as cancellation:
        monitor = EventMonitor(os.fdopen(writing, "w", buffering=1), cancellation)
        monitor.send(Started(1))
        assert not monitor.is_cancelled()


# --- Errors ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"output": Path("nowhere/sr.nrrd")}, "There is no folder nowhere"),
        ({"output": Path("results/sr.jpg")}, "no extension that can be written"),
        ({"output": Path("results")}, "results has no extension"),
        ({"output": Path("lr.nrrd")}, "lr.nrrd exists already"),
        ({"output": Path("lr.nrrd"), "overwrite": True}, "lr.nrrd is also an input"),
        ({"zero_filled": Path("nowhere/zf.nrrd")}, "There is no folder nowhere"),
        ({"zero_filled": Path("results/sr.nrrd")}, "is also another result"),
        ({"report": Path("nowhere/report.json")}, "There is no folder nowhere"),
        ({"report": Path("results")}, "results is a folder"),
        ({"report": Path("lr.nrrd")}, "exists already"),
        ({"model": "missing.safetensors"}, "There is no model file missing.safetensors"),
        ({"model": "unheard-of"}, "unheard-of|No model is installed"),
        ({"model": "lr.nrrd"}, "lr.nrrd is not a model file"),
    ],
)
def test_what_can_be_known_is_refused_before_the_volume_is_read(a_job, capsys, monkeypatch, values, message):
    monkeypatch.setattr(worker, "read_volume", lambda *_: pytest.fail("the volume was read"))
    assert run_process(replace(a_job, **values)) == ExitCode.BAD_INPUT
    errors = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(errors) == 1
    assert re.search(message, errors[0]), errors[0]
    assert left_behind(a_job) == []


@pytest.mark.parametrize("region", [np.s_[0:4, 0:12, 0:4], np.s_[3:3, 0:11, 0:13], np.s_[5:2, 0:11, 0:13]])
def test_a_region_that_is_empty_or_too_large_is_refused_with_the_volumes_shape(a_job, capsys, region):
    assert run_process(replace(a_job, region=region)) == ExitCode.BAD_INPUT
    assert "whose shape is 9,11,13 (slices, rows, columns)" in capsys.readouterr().err
    assert left_behind(a_job) == []


def test_a_disk_too_small_for_all_results_is_found_before_computing(a_job, capsys, monkeypatch):
    usage = namedtuple("usage", "total used free")
    one_result = 18 * 22 * 26 * 2
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage(10**9, 0, 2 * one_result - 1))
    assert run_process(a_job) == ExitCode.OK
    monkeypatch.setattr(
        "SuperResolution3DLib.inference.super_resolve.super_resolve", lambda *_, **__: pytest.fail("computed")
    )
    assert run_process(replace(with_all_results(a_job), overwrite=True)) == ExitCode.BAD_INPUT
    assert "GiB are free" in capsys.readouterr().err


def test_a_data_type_that_the_format_cannot_hold_is_found_before_computing(a_job, a_phantom, capsys, monkeypatch):
    write_volume(Volume(a_phantom.array.astype(np.uint32), a_phantom.affine), a_job.input, overwrite=True)
    monkeypatch.setattr(
        "SuperResolution3DLib.inference.super_resolve.super_resolve", lambda *_, **__: pytest.fail("computed")
    )
    assert run_process(replace(a_job, output=a_job.output.with_name("sr.mgz"))) == ExitCode.BAD_INPUT
    assert "cannot hold uint32" in capsys.readouterr().err
    assert left_behind(a_job) == []


def test_a_file_that_may_not_be_read_is_bad_input(a_job, capsys, monkeypatch):
    def refuse(*_: object) -> Volume:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("SuperResolution3DLib.volumes.nifti.read", refuse)
    monkeypatch.setattr("SuperResolution3DLib.volumes.itk_image.read", refuse)
    assert run_process(a_job) == ExitCode.BAD_INPUT
    assert f"error: {a_job.input} cannot be read (Permission denied)" in capsys.readouterr().err


def test_a_result_that_does_not_fit_is_refused_with_both_numbers(a_job, capsys):
    assert run_process(replace(a_job, memory_limit=1e-6)) == ExitCode.OUT_OF_MEMORY
    assert "GiB and may use 0.00 GiB" in capsys.readouterr().err
    assert left_behind(a_job) == []


@pytest.mark.parametrize(
    "error", [MemoryError(), RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")]
)
def test_running_out_of_memory_has_its_exit_code(a_job, capsys, monkeypatch, error):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("SuperResolution3DLib.inference.super_resolve.super_resolve", fail)
    assert run_process(a_job) == ExitCode.OUT_OF_MEMORY
    assert "error: Out of memory" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (OSError(24, "Too many open files", "/etc/hosts"), "/etc/hosts: Too many open files; check permissions"),
        (ImportError("No module named 'torch'"), "A library cannot be loaded (No module named 'torch'); install"),
    ],
)
def test_an_error_of_the_machine_is_no_bug(a_job, capsys, monkeypatch, error, message):
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr("SuperResolution3DLib.inference.super_resolve.super_resolve", fail)
    assert run_process(a_job) == ExitCode.BAD_INPUT
    assert f"error: {message}" in capsys.readouterr().err


def test_a_bug_leaves_a_traceback_and_no_file(a_job, capfd, monkeypatch):
    def fail(results: ResultFiles, path: Path, text: str) -> None:
        raise KeyError("oversight")

    monkeypatch.setattr(ResultFiles, "write_text", fail)  # the last result: the volumes are complete by then
    job = with_all_results(replace(a_job, events=True))
    assert run_process(job) == ExitCode.BUG
    out, err = capfd.readouterr()
    assert events_of(out)[-1] == Failed("bug", {"error": "KeyError: 'oversight'"})
    assert "Traceback" in err
    assert left_behind(job) == []


def test_a_refused_name_takes_the_results_that_already_had_theirs_away(a_job, monkeypatch):
    job = with_all_results(a_job)

    def refuse_the_report(source: Path, target: Path, *, overwrite: bool) -> None:
        if target == job.report:
            raise PermissionError(13, "Permission denied")
        publish(source, target, overwrite=overwrite)

    monkeypatch.setattr("SuperResolution3DLib.volumes.result_files.publish", refuse_the_report)
    assert run_process(job) == ExitCode.BAD_INPUT
    assert left_behind(job) == []


def test_an_error_of_writing_names_the_final_file(a_job, monkeypatch):
    def fail(volume: Volume, path: Path, *, overwrite: bool) -> None:
        raise OutputError(f"{path} cannot be written (No space left on device)")

    monkeypatch.setattr("SuperResolution3DLib.volumes.result_files.write_volume", fail)
    with ResultFiles([a_job.output]) as results, pytest.raises(OutputError) as error:
        results.write_volume(a_job.output, Volume(np.zeros((2, 2, 2)), np.eye(4)))
    assert str(error.value) == f"{a_job.output} cannot be written (No space left on device)"


# --- Cancelling ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("stage", STAGES)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_at_any_stage_leaves_no_file(a_job, capfd, monkeypatch, stage, number):
    job = with_all_results(replace(a_job, events=True))
    signal_at(monkeypatch, stage, number)
    handler = signal.getsignal(number)  # not the default one where the tests run in the background
    assert run_process(job) == ExitCode.CANCELLED
    assert events_of(capfd.readouterr().out)[-1] == Failed("cancelled")
    assert left_behind(job) == []
    assert signal.getsignal(number) is handler


def test_cancelling_leaves_the_file_that_was_to_be_replaced(a_job, monkeypatch):
    job = replace(a_job, events=True, overwrite=True)
    job.output.write_text("an earlier result")
    signal_at(monkeypatch, "write")
    assert run_process(job) == ExitCode.CANCELLED
    assert job.output.read_text() == "an earlier result"


def test_the_second_signal_ends_a_run_that_does_not_ask(a_job, monkeypatch):
    def slow_read(*_: object, **__: object) -> Volume:
        os.kill(os.getpid(), signal.SIGINT)
        os.kill(os.getpid(), signal.SIGINT)
        pytest.fail("the second signal was not heeded")

    monkeypatch.setattr(worker, "read_volume", slow_read)
    assert run_process(a_job) == ExitCode.CANCELLED


@pytest.fixture
def stdin_restored():
    saved = os.dup(0)
    yield
    os.dup2(saved, 0)
    os.close(saved)


def is_cancelled_soon(cancellation: Cancellation, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while time.monotonic() < end and not cancellation.is_cancelled():
        time.sleep(0.01)
    return cancellation.is_cancelled()


def check_that_the_end_of_a_pipe_cancels() -> None:
    """Put a pipe in the place of stdin, and send something before it ends."""
    reading, writing = os.pipe()
    os.dup2(reading, 0)
    cancellation = Cancellation()
    cancellation.watch_stdin()
    os.write(writing, SENT)
    assert not is_cancelled_soon(cancellation, 0.3)
    os.close(writing)
    assert is_cancelled_soon(cancellation, 5)
    os.close(reading)


@pytest.mark.usefixtures("stdin_restored")
def test_the_end_of_stdin_cancels_when_it_is_a_pipe():
    check_that_the_end_of_a_pipe_cancels()


@pytest.mark.skipif(sys.platform == "win32", reason="stands in for Windows")
@pytest.mark.usefixtures("stdin_restored")
def test_on_windows_no_read_of_stdin_waits_and_holds_up_what_looks_at_it(monkeypatch):
    import fcntl
    import termios

    read, reads = os.read, []

    def num_bytes(pipe: int) -> int:
        return int.from_bytes(fcntl.ioctl(pipe, termios.FIONREAD, b"\0" * 4), sys.byteorder)

    def peek(pipe: int) -> tuple[int, int]:
        is_readable = bool(select.select([pipe], [], [], 0)[0])
        if is_readable and not num_bytes(pipe):
            raise BrokenPipeError  # its end
        return num_bytes(pipe), 0

    def counting_read(pipe: int, size: int) -> bytes:
        reads.append(num_bytes(pipe))
        return read(pipe, size)

    monkeypatch.setitem(sys.modules, "_winapi", SimpleNamespace(PeekNamedPipe=peek))
    monkeypatch.setitem(sys.modules, "msvcrt", SimpleNamespace(get_osfhandle=lambda number: number))
    monkeypatch.setattr(sys, "platform", "win32")
    monkeypatch.setattr(os, "read", counting_read)
    check_that_the_end_of_a_pipe_cancels()
    assert reads == [len(SENT)]


@pytest.mark.usefixtures("stdin_restored")
@pytest.mark.parametrize("kind", ["null", "file", "closed"])
def test_a_stdin_that_is_no_pipe_does_not_cancel(kind, tmp_path):
    if kind == "closed":
        os.close(0)
    else:
        (tmp_path / "empty").touch()
        source = os.open(os.devnull if kind == "null" else tmp_path / "empty", os.O_RDONLY)
        os.dup2(source, 0)
        os.close(source)
    cancellation = Cancellation()
    cancellation.watch_stdin()
    assert not is_cancelled_soon(cancellation, 0.1)


# --- As a process ----------------------------------------------------------------------------------------------------


def start(arguments: list[str], folder: Path, **streams: int) -> subprocess.Popen:
    """Start the worker as Slicer does: from an unrelated folder, found through PYTHONPATH alone."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(folder), str(ROOT)]), "OMP_NUM_THREADS": "1"}
    command = [sys.executable, "-m", "SuperResolution3DLib", *arguments]
    pipes = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
    return subprocess.Popen(command, cwd=folder, env=environment, text=True, **pipes)


def test_nrrd_to_nrrd_needs_nothing_but_what_slicer_has(a_job, tmp_path):
    folder = tmp_path / "unrelated folder"
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(f"import sys\nsys.modules.update(dict.fromkeys({BLOCKED}))\n")
    job = replace(a_job, events=True, zero_filled=a_job.output.with_name("zf.nrrd"))
    process = start(job.to_arguments(), folder)
    out, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.OK, err
    events = events_of(out)
    assert events[0] == Started(process.pid)
    assert isinstance(events[-1], Done)
    assert left_behind(job) == ["sr.nrrd", "zf.nrrd"]


def test_a_program_that_closes_the_workers_stdin_gets_no_file(a_job, tmp_path):
    job = replace(a_job, events=True)
    process = start(job.to_arguments(), tmp_path, stdin=subprocess.PIPE)
    assert process.stdin is not None and process.stdout is not None
    assert isinstance(decode(process.stdout.readline()), Started)
    process.stdin.close()
    process.stdin = None
    out, err = process.communicate(timeout=120)
    assert process.returncode == ExitCode.CANCELLED, err
    assert events_of(out)[-1] == Failed("cancelled")
    assert left_behind(job) == []
