"""The log of a run: what a killed run left too much is dropped, and pictures lie as radiologists see them."""

import errno
import json
import os
from pathlib import Path

import numpy as np
import pytest

from SuperResolution3DLib.errors import OutputError
from Training.trainer.run_log import RunLog


def test_lines_after_the_checkpoint_and_half_a_line_are_dropped(tmp_path):
    log = RunLog(tmp_path, 0, active=True)
    for step in (1, 2, 3):
        log.write(step, loss=0.5)
    log.close()
    with (tmp_path / "log.jsonl").open("a") as file:
        file.write('{"step": 2, "lo')
    RunLog(tmp_path, 2, active=True).close()
    lines = (tmp_path / "log.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == [1, 2]


def test_pictures_have_anterior_up_and_the_patient_s_right_on_the_left(tmp_path, monkeypatch):
    log = RunLog(tmp_path, 0, active=True)
    shown = {}
    monkeypatch.setattr(log.board, "add_image", lambda name, image, step: shown.update({name: image.numpy()}))
    volume = np.zeros((3, 5, 7))
    volume[1, 4, 6] = 1  # anterior and right: the ends of the axes of RAS
    log.picture("both", [volume, 2 * volume], 1)
    log.close()
    assert shown["both"].shape == (1, 5, 14)
    assert np.argwhere(shown["both"][0]).tolist() == [[0, 0], [0, 7]]
    assert shown["both"].max() == 1  # clipped


def test_other_processes_write_nothing(tmp_path):
    log = RunLog(tmp_path, 0, active=False)
    log.write(1, loss=0.5)
    log.picture("none", [np.zeros((2, 2, 2))], 1)
    log.close()
    assert list(tmp_path.iterdir()) == []


def full(*_, **__):
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_full_disk_is_told_in_one_sentence(tmp_path, monkeypatch):
    log = RunLog(tmp_path, 0, active=True)
    with monkeypatch.context() as patch:
        patch.setattr(Path, "open", full)
        with pytest.raises(OutputError, match=r"could not be written \(No space left on device\)"):
            log.write(1, loss=0.5)
    monkeypatch.setattr(log.board, "add_scalar", full)
    with pytest.raises(OutputError, match="could not be written"):
        log.write(1, loss=0.5)
    log.close()


def test_a_disk_that_is_full_when_a_run_goes_on_keeps_the_log_and_leaves_nothing(tmp_path, monkeypatch):
    log = RunLog(tmp_path, 0, active=True)
    log.write(1, loss=0.5)
    log.close()
    before = sorted(path.name for path in tmp_path.iterdir())

    def full_after_the_name(path, text):
        path.touch()
        full()

    monkeypatch.setattr(Path, "write_text", full_after_the_name)
    with pytest.raises(OutputError, match="could not be written"):
        RunLog(tmp_path, 1, active=True)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert json.loads((tmp_path / "log.jsonl").read_text())["loss"] == 0.5
