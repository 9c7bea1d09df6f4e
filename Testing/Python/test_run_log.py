"""The log of a run: what a killed run left too much is dropped, and pictures lie as radiologists see them."""

import csv
import errno
import json
import os
import sys
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
import torch
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from SuperResolution3DLib.errors import InputError, OutputError
from Training.trainer.run_log import RunLog, make_logger


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
    monkeypatch.setattr(log.logger.experiment, "add_image", lambda name, image, *_, **__: shown.update({name: image}))
    volume = np.zeros((3, 5, 7))
    volume[1, 4, 6] = 1  # anterior and right: the ends of the axes of RAS
    log.picture("both", [volume, 2 * volume], 1)
    log.close()
    assert shown["both"].shape == (5, 14)
    assert np.argwhere(shown["both"]).tolist() == [[0, 0], [0, 7]]
    assert shown["both"].max() == 255  # clipped


def test_tensorboard_holds_figures_histograms_and_pictures(tmp_path):
    log = RunLog(tmp_path, 0, "tensorboard", active=True)
    for step in (1, 2):
        log.write(step, loss=step / 4, note="no figure")
    log.histogram("logits", torch.arange(3.0), 2)
    log.picture("SR", [np.ones((3, 4, 5))], 2)
    log.close()
    RunLog(tmp_path, 1, "tensorboard", active=True).close()
    found = EventAccumulator(str(tmp_path / "tensorboard")).Reload()
    assert {kind: found.Tags()[kind] for kind in ("scalars", "histograms", "images")} == {
        "scalars": ["loss"],
        "histograms": ["logits"],
        "images": ["SR"],
    }
    assert [(event.step, event.value) for event in found.Scalars("loss")] == [(1, 0.25), (2, 0.5)]


def test_csv_begins_a_new_file_where_a_run_goes_on(tmp_path):
    for first, last in ((0, 3), (2, 4)):
        log = RunLog(tmp_path, first, "csv", active=True)
        for step in range(first + 1, last + 1):
            log.write(step, loss=step / 4, note="no figure")
        log.write(last, validation_psnr=30.0)
        log.picture("nobody sees it", [np.ones((3, 4, 5))], last)
        log.histogram("nor this", torch.arange(3.0), last)
        log.close()
    tables = [list(csv.DictReader(path.open())) for path in sorted((tmp_path / "csv").glob("from-step-*/metrics.csv"))]
    assert [[(row["step"], row["loss"], row["validation_psnr"]) for row in table] for table in tables] == [
        [("1", "0.25", ""), ("2", "0.5", ""), ("3", "0.75", ""), ("3", "", "30.0")],
        [("3", "0.75", ""), ("4", "1.0", ""), ("4", "", "30.0")],
    ]


def test_wandb_is_asked_for_where_it_is_not_installed(tmp_path, monkeypatch):
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", False)
    with pytest.raises(InputError, match=r"loop\.logger is wandb, which is not installed: pip install wandb"):
        make_logger("wandb", tmp_path)
    assert list(tmp_path.iterdir()) == []


class RecordedRun(list):
    """What Weights & Biases, which tests do without, is given to show."""

    log = list.append


@pytest.fixture
def a_wandb(monkeypatch):
    run = RecordedRun()
    package = ModuleType("wandb")
    package.run, package.init = None, lambda **settings: run.append(settings) or run
    package.Histogram, package.Image = (lambda values: ("histogram", values)), (lambda values: ("image", values))
    run_module, lib = ModuleType("wandb.wandb_run"), ModuleType("wandb.sdk.lib")
    run_module.Run = lib.RunDisabled = RecordedRun
    for module in (package, run_module, ModuleType("wandb.sdk"), lib):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", True)
    return run


def test_wandb_takes_figures_histograms_and_pictures(a_wandb, tmp_path):
    log = RunLog(tmp_path / "run7", 0, "wandb", active=True)
    (tmp_path / "run7").mkdir()
    log.write(1, loss=0.5, note="no figure")
    log.histogram("logits", torch.arange(3.0), 1)
    log.picture("SR", [np.ones((3, 4, 5))], 1)
    log.close()
    settings, figures, histogram, picture = a_wandb
    assert settings["name"] == "run7 from step 0"
    assert (settings["group"], settings["project"]) == ("run7", "SuperResolution3D")
    assert figures == {"loss": 0.5, "trainer/global_step": 1}
    assert histogram["logits"][0] == "histogram"
    assert histogram["logits"][1].tolist() == [0, 1, 2]
    assert picture["SR"][0][0] == "image"
    assert picture["SR"][0][1].shape == (4, 5)


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
    monkeypatch.setattr(log.logger.experiment, "add_scalar", full)
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
