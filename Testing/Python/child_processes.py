"""Processes that a test starts: waited for with an end, and none outlives its test."""

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

PATIENT = 300  # seconds; other work may share the machine
Start = Callable[..., "subprocess.Popen[str]"]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Return what starts a process, each in a group of its own; those that still run when the test ends are ended.

    It runs in a folder that is not the checkout's, without the checkout on its path. Keywords become variables of its
    environment.
    """
    started: list[subprocess.Popen[str]] = []

    def start(command: list[object], **variables: str) -> "subprocess.Popen[str]":
        environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
        process = subprocess.Popen(
            list(map(str, command)),
            cwd=tmp_path,
            env=environment | {"OMP_NUM_THREADS": "1"} | variables,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        process.terminate()  # torchrun ends the processes that it has started, which are in groups of their own
    for process in started:
        _end(process)


def wait_for(path: Path, process: "subprocess.Popen[str]") -> None:
    """Wait until a file is there.

    Raises:
        AssertionError: the process has ended before, or the file does not come.
    """
    end = time.monotonic() + PATIENT
    while not path.exists():
        assert process.poll() is None, process.communicate(timeout=PATIENT)[0]
        assert time.monotonic() < end, f"{path} is not there after {PATIENT} s"
        time.sleep(0.01)


def a_free_port() -> int:
    """Return a port that nobody listens to."""
    with socket.socket() as listener:
        listener.bind(("", 0))
        port: int = listener.getsockname()[1]
        return port


def _end(process: "subprocess.Popen[str]") -> None:
    try:
        process.wait(timeout=30)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(timeout=PATIENT)
    if process.stdout:
        process.stdout.close()
