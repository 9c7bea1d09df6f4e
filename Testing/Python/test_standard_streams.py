"""A message that cannot be told never ends the work, and never changes the exit code."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from models import a_tiny_model_file

from SuperResolution3DLib.cli.standard_streams import tolerant_stream
from SuperResolution3DLib.errors import ExitCode
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

ROOT = Path(__file__).resolve().parents[2]
UNTELLABLE = ["2>&-", "0<&- 1>&- 2>&-", "1>/dev/full 2>&1", "2>&1 | true"]


@pytest.fixture
def a_folder(tmp_path) -> Path:
    array = np.random.default_rng(0).integers(0, 900, (8, 9, 10)).astype(np.int16)
    write_volume(Volume(array, np.diag([1.0, 1.0, 1.0, 1.0])), tmp_path / "größe.nrrd")
    a_tiny_model_file(tmp_path)
    return tmp_path


def exit_code(line: str, folder: Path, **variables: str) -> int:
    """Run a command line of the program in bash, and return its own exit code."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1", **variables}
    command = f"{sys.executable} -m SuperResolution3DLib {line}; exit ${{PIPESTATUS[0]}}"
    return subprocess.run(["bash", "-c", command], cwd=folder, env=environment, timeout=120, check=False).returncode


@pytest.mark.parametrize("streams", UNTELLABLE)
def test_the_work_is_done_when_its_messages_cannot_be_told(a_folder, streams):
    line = f"degrade größe.nrrd lr.nrrd --scale 2 --overwrite {streams}"
    assert exit_code(line, a_folder) == ExitCode.OK
    assert read_volume(a_folder / "lr.nrrd").shape == (4, 4, 5)
    assert sorted(path.suffix for path in a_folder.iterdir()) == [".nrrd", ".nrrd", ".safetensors"]


@pytest.mark.parametrize(
    ("options", "streams"),
    [("", "1>&- 2>&-"), ("--events", "1>&-"), ("--events", "| true"), ("--events", "1>/dev/full")],
)
def test_a_network_runs_to_its_end_when_its_messages_cannot_be_told(a_folder, streams, options):
    line = f"super-resolve größe.nrrd sr.nrrd --model tiny.safetensors --device cpu {options} </dev/null {streams}"
    assert exit_code(line, a_folder) == ExitCode.OK
    assert (a_folder / "sr.nrrd").is_file()


@pytest.mark.parametrize("streams", UNTELLABLE[1:])
def test_an_error_keeps_its_exit_code_when_it_cannot_be_told(a_folder, streams):
    assert exit_code(f"degrade absent.nrrd lr.nrrd {streams}", a_folder) == ExitCode.BAD_INPUT
    assert exit_code(f"degrade --unknown {streams}", a_folder) == ExitCode.BAD_INPUT
    assert exit_code(f"--help {streams}", a_folder) == ExitCode.OK


def test_letters_that_an_encoding_lacks_do_not_end_the_work(a_folder):
    line = "degrade größe.nrrd ergebnis-ä.nrrd --scale 2 >told 2>&1"
    assert exit_code(line, a_folder, PYTHONIOENCODING="ascii") == ExitCode.OK
    assert "wrote ergebnis-\\xe4.nrrd" in (a_folder / "told").read_text("ascii")


def test_what_is_told_arrives_where_it_can_be_told(a_folder):
    assert exit_code("degrade größe.nrrd lr.nrrd --scale 2 >told 2>errors", a_folder) == ExitCode.OK
    assert (a_folder / "told").read_text("utf-8").startswith("wrote lr.nrrd: 5 x 4 x 4 voxels")
    assert (a_folder / "errors").read_text() == ""


def test_a_stream_loses_what_it_cannot_write_and_goes_on():
    number = os.open("/dev/full", os.O_WRONLY)
    with tolerant_stream(number, closes=True) as stream:
        for _ in range(3):
            print("a line that is lost", file=stream)
    reading, writing = os.pipe()
    os.set_blocking(writing, False)
    with tolerant_stream(writing, closes=True) as stream:
        for _ in range(3):
            print("x" * 100_000, file=stream)  # more than a pipe holds
    with os.fdopen(reading, "rb") as pipe:
        assert pipe.read().startswith(b"xxx")


@pytest.mark.parametrize("streams", ["2>&-", "1>/dev/full 2>&1"])
def test_a_training_keeps_its_exit_code_when_its_errors_cannot_be_told(streams):
    command = f"{sys.executable} Training/train.py --config absent.yaml {streams}"
    assert subprocess.run(["bash", "-c", command], cwd=ROOT, timeout=120, check=False).returncode == 2


def test_an_interrupt_is_told_in_a_line_and_ends_the_process_as_the_shell_expects():
    program = (
        "from SuperResolution3DLib.cli.standard_streams import never_fail\n"
        "import os, signal, time; signal.signal(signal.SIGINT, signal.default_int_handler)\n"  # ignored under nohup
        "never_fail(); os.write(1, b'ready\\n'); time.sleep(60)"
    )
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", program], cwd=ROOT, text=True, **pipes)
    assert process.stdout is not None and process.stdout.readline() == "ready\n"
    process.send_signal(signal.SIGINT)
    assert process.communicate(timeout=60) == ("", "interrupted\n")
    assert process.returncode == -signal.SIGINT
