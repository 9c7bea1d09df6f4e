"""The log of a run: what a killed run left too much is dropped, and pictures lie as radiologists see them."""

import json

import numpy as np

from Training.fitting.run_log import RunLog


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
