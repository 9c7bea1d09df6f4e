"""The folder of checkpoints: the space it needs, and what killed processes left in it."""

from types import SimpleNamespace

import pytest

from SuperResolution3DLib.errors import OutputError
from Training.trainer.checkpoints import Checkpoints


def test_what_processes_that_were_killed_while_they_saved_left_is_deleted(tmp_path):
    checkpoints = Checkpoints(tmp_path, keep=2)
    kept = checkpoints.save(3, {})
    left = [
        tmp_path / "checkpoints" / ".step-00000004.pt.17.tmp",
        tmp_path / ".last.safetensors.17.tmp",
        tmp_path / ".best.safetensors.17.tmp",
    ]
    models = [tmp_path / "last.safetensors", tmp_path / "best.safetensors"]
    for path in (*left, *models):
        path.touch()
    checkpoints.remove_leftovers()
    assert not any(path.exists() for path in left)
    assert all(path.exists() for path in (kept, *models))


def fits(checkpoints, monkeypatch, free):
    monkeypatch.setattr("Training.trainer.checkpoints.shutil.disk_usage", lambda folder: SimpleNamespace(free=free))
    try:
        checkpoints.check_space(8000)
    except OutputError:
        return False
    return True


def test_a_new_run_needs_its_checkpoints_one_more_and_the_model_files(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=2)
    assert not fits(checkpoints, monkeypatch, 3 * 8000 + 3 * 1000 - 1)
    assert fits(checkpoints, monkeypatch, 3 * 8000 + 3 * 1000)


def test_a_run_that_goes_on_needs_only_what_it_has_not_yet(tmp_path, monkeypatch):
    checkpoints = Checkpoints(tmp_path, keep=2)
    for number, name in enumerate(["step-00000001.pt", ".step-00000002.pt.17.tmp", "step-00000003.pt"]):
        assert fits(checkpoints, monkeypatch, (3 - number) * 8000 + 3000)
        assert not fits(checkpoints, monkeypatch, (3 - number) * 8000 + 2999)
        (checkpoints.folder / name).write_bytes(bytes(8000))
    for name in ("last", "best"):
        (tmp_path / f"{name}.safetensors").write_bytes(bytes(1000))
    assert fits(checkpoints, monkeypatch, 8000 + 1000)
    assert not fits(checkpoints, monkeypatch, 8000 + 999)  # the next ones are written before the last ones go


def test_a_disk_that_is_too_small_is_told_with_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr("Training.trainer.checkpoints.shutil.disk_usage", lambda folder: SimpleNamespace(free=10**9))
    with pytest.raises(OutputError, match=r"3 checkpoints take 6\.75 GB more, and 1\.00 GB are free in .*: free some"):
        Checkpoints(tmp_path, keep=2).check_space(2 * 10**9)
