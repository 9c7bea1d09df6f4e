"""Folders with voxels: none outlives its run, and one that a crash of Slicer left is removed at the next start."""

import shutil
import subprocess
import sys
from pathlib import Path

import slicer

from Testing.Slicer import double
from Testing.Slicer.module import MODULE_FILE, loaded_module

# isort: split
from SuperResolution3DSlicer.runs.folder import LOCK_NAME, RunFolder, sweep

OWNER = f"""
import os, sys
from pathlib import Path
sys.path.insert(0, {str(MODULE_FILE.parent)!r})
from SuperResolution3DSlicer.runs.folder import RunFolder
folder = RunFolder(Path(sys.argv[1]))
(folder.path / "input.nrrd").write_bytes(b"voxels")
print(folder.path, flush=True)
sys.stdin.read()
os.kill(os.getpid(), 9)
"""


def start_owner(parent: Path) -> tuple["subprocess.Popen[str]", Path]:
    """Start a process that owns a folder below ``parent`` and crashes when its stdin is closed."""
    process = subprocess.Popen(
        [sys.executable, "-c", OWNER, str(parent)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    return process, Path(process.stdout.readline().strip())


def crash(process: "subprocess.Popen[str]") -> None:
    process.communicate()


def test_a_folder_is_swept_when_its_slicer_has_crashed_and_not_before(tmp_path) -> None:
    process, folder = start_owner(tmp_path)
    assert sweep(tmp_path) == []
    assert (folder / "input.nrrd").is_file()
    crash(process)
    assert sweep(tmp_path) == [folder]
    assert list(tmp_path.iterdir()) == []


def test_the_folders_of_this_slicers_own_runs_are_not_swept(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    assert sweep(tmp_path) == []
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_a_folder_that_somebody_took_away_during_the_run_does_not_hinder_its_end(tmp_path) -> None:
    folder = RunFolder(tmp_path)
    shutil.rmtree(folder.path)
    folder.remove()
    assert list(tmp_path.iterdir()) == []


def test_folders_of_others_are_left_alone(tmp_path) -> None:
    without_lock, made_a_moment_ago = tmp_path / "SuperResolution3D-paper", tmp_path / "SuperResolution3D-new"
    elsewhere = tmp_path / "mine"
    for folder in (without_lock, made_a_moment_ago, elsewhere):
        folder.mkdir()
        (folder / "input.nrrd").write_bytes(b"voxels")
    (made_a_moment_ago / LOCK_NAME).touch()
    process, stale = start_owner(elsewhere)
    crash(process)
    (tmp_path / "SuperResolution3D-link").symlink_to(stale)
    (tmp_path / "SuperResolution3D-file").touch()
    assert sweep(tmp_path) == []
    assert (stale / "input.nrrd").is_file()


def test_what_cannot_be_removed_is_tried_again_later(tmp_path, monkeypatch) -> None:
    process, folder = start_owner(tmp_path)
    crash(process)
    original = Path.unlink

    def held(path: Path, **values: bool) -> None:
        if path.name == "input.nrrd":
            raise PermissionError(13, "used by another process")
        original(path, **values)

    monkeypatch.setattr(Path, "unlink", held)
    sweep(tmp_path)
    assert sorted(path.name for path in folder.iterdir()) == [LOCK_NAME, "input.nrrd"]
    monkeypatch.undo()
    sweep(tmp_path)
    assert not folder.exists()


def test_opening_the_module_sweeps_the_temporary_folder(monkeypatch, tmp_path) -> None:
    double.install()
    process, folder = start_owner(Path(slicer.app.temporaryPath))
    crash(process)
    with loaded_module(monkeypatch, tmp_path):
        assert not folder.exists()
