"""Validation volumes that could not be scored are refused before the first step, not at the first validation."""

from types import SimpleNamespace

import numpy as np
import pytest
from training_runs import arguments, index_of, log_lines, write_blobs

from SuperResolution3DLib.volume import Volume, write_volume
from Training.train import main


@pytest.fixture(scope="module")
def an_index_with_thin_volumes(tmp_path_factory):
    """Of three volumes that validate, one is too thin for SSIM, and one has no view that is large enough for LPIPS."""
    folder = tmp_path_factory.mktemp("thin")
    shapes = {"train/a": (40, 38, 36), "validation/b": (10, 41, 39), "validation/c": (25, 28, 43)}
    for name, shape in (shapes | {"validation/d": (12, 33, 35)}).items():
        write_blobs(folder, name, shape)
    return index_of(folder)


def test_all_volumes_too_thin_for_a_metric_are_named_before_the_first_step(
    an_index_with_thin_volumes, tmp_path, capsys, monkeypatch
):
    monkeypatch.setattr("Training.train.Lpips", SimpleNamespace)  # nothing is scored
    assert main(arguments(an_index_with_thin_volumes, tmp_path, **{"loop.lpips": "true"})) == 2
    error = capsys.readouterr().err
    assert "2 volumes cannot be scored in validation" in error
    assert "b: validation/b.nii.gz: SSIM needs 11 voxels an axis, the HR has (10, 40, 38)" in error
    assert "c: validation/c.nii.gz: LPIPS needs a view of 31 x 31 pixels, the HR's foreground has (24, 28, 42)" in error
    assert not (tmp_path / "log.jsonl").exists()


def test_lpips_asks_for_nothing_when_it_is_off(an_index_with_thin_volumes, tmp_path, capsys):
    assert main(arguments(an_index_with_thin_volumes, tmp_path)) == 2
    error = capsys.readouterr().err
    assert "1 volume cannot be scored in validation" in error and "validation/b.nii.gz" in error


def test_a_volume_without_a_range_is_named(tmp_path, capsys):
    write_blobs(tmp_path, "train/a", (20, 20, 20))
    hr = np.zeros((24, 24, 24), np.int16)
    hr[9:11, 10:12, 11:13] = 500  # 8 of 13824 voxels
    (tmp_path / "data" / "validation").mkdir()
    write_volume(Volume(hr, np.eye(4)), tmp_path / "data" / "validation" / "b.nii.gz")
    assert main(arguments(index_of(tmp_path), tmp_path / "run")) == 2
    assert "validation/b.nii.gz: The HR's 0.1 percentile is 0 and its 99.9 percentile 0" in capsys.readouterr().err


def test_volumes_of_the_smallest_size_are_scored(tmp_path):
    write_blobs(tmp_path, "train/a", (20, 20, 20))
    write_blobs(tmp_path, "validation/b", (12, 13, 12))
    run = tmp_path / "run"
    assert main(arguments(index_of(tmp_path), run, **{"optimisation.steps": 1})) == 0
    assert any("validation_ssim" in line for line in log_lines(run))
