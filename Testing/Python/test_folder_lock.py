"""One process at a time works in a folder, and a lock ends with the process that holds it."""

import fcntl
import os
import signal
import sys

import pytest
from child_processes import PATIENT, wait_for
from training_runs import ROOT, TRAIN, arguments, make_index

from SuperResolution3DLib.errors import InputError
from Training.folder_lock import LOCK_FILE, locked
from Training.train import main

HOLDER = f"""
import sys, time
from pathlib import Path
sys.path.insert(0, {str(ROOT)!r})
from Training.folder_lock import locked
with locked(Path(sys.argv[1])):
    Path(sys.argv[1], "held").touch()
    time.sleep(600)
"""
ENDLESS = {"optimisation.steps": 100_000, "loop.save_every": 100_000, "loop.validate_every": 100_000}


def test_a_folder_that_is_held_is_refused_with_the_name_of_its_holder(tmp_path):
    with locked(tmp_path, wait=False), pytest.raises(InputError, match=f"process {os.getpid()} on .* works in this"):
        locked(tmp_path, wait=False).__enter__()
    with locked(tmp_path, wait=False) as held:
        assert held


def test_a_killed_process_leaves_no_lock(start, tmp_path):
    process = start([sys.executable, "-c", HOLDER, tmp_path])
    wait_for(tmp_path / "held", process)
    with pytest.raises(InputError, match=f"process {process.pid} on"):
        locked(tmp_path, wait=False).__enter__()
    process.kill()
    process.wait(timeout=PATIENT)
    with locked(tmp_path, wait=False) as held:
        assert held


def test_a_forked_child_that_outlives_its_parent_holds_no_folder(tmp_path):
    """Loaders are such children."""
    ready, done = os.pipe(), os.pipe()
    with locked(tmp_path):
        child = os.fork()
        if not child:
            os.write(ready[1], b".")
            os.read(done[0], 1)
            os._exit(0)
        os.read(ready[0], 1)
    try:
        with locked(tmp_path, wait=False) as held:
            assert held
    finally:
        os.write(done[1], b".")
        os.waitpid(child, 0)


def test_a_file_system_without_locks_is_named(tmp_path, caplog, monkeypatch):
    def no_locks(*_):
        raise OSError(95, "Operation not supported")

    monkeypatch.setattr(fcntl, "flock", no_locks)
    with locked(tmp_path, wait=False) as held:
        assert held == ()
    assert "no locks on this file system (Operation not supported); start nothing twice" in caplog.text


def test_a_training_in_a_folder_where_another_one_works_is_refused(start, tmp_path, capsys):
    index, run = make_index(tmp_path), tmp_path / "run"
    capsys.readouterr()
    process = start([sys.executable, TRAIN, *arguments(index, run, **ENDLESS)])
    wait_for(run / "log.jsonl", process)
    assert main(arguments(index, run)) == 2
    assert f"run: process {process.pid} on" in capsys.readouterr().err
    process.send_signal(signal.SIGKILL)
    process.wait(timeout=PATIENT)
    assert main(arguments(index, run)) == 0
    assert (run / LOCK_FILE).exists()
