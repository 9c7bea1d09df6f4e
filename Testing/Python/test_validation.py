"""Validation volumes that could not be scored are refused before the first step, not at the first validation."""

from collections import defaultdict
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from training_runs import arguments, index_of, log_lines, write_blobs

from SuperResolution3DLib.models.checkpoint import load_model
from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training.data.index import IndexEntry
from Training.train import main
from Training.trainer import validation
from Training.trainer.stop_request import StopRequest


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


def test_a_fixed_draw_of_the_validation_volumes_is_scored(tmp_path):
    write_blobs(tmp_path, "train/a", (20, 20, 20))
    for name in "bcdef":
        write_blobs(tmp_path, f"validation/{name}", (12, 13, 14))
    index, run = index_of(tmp_path), tmp_path / "run"
    options = {"loop.validate_volumes": 2, "seed": 4}
    assert main(arguments(index, run, **options)) == 0
    scored = [set(line["validation"]) for line in log_lines(run) if "validation" in line]
    assert len(scored) == 2 and scored[0] == scored[1] and len(scored[0]) == 2
    card = load_model(run / "best.safetensors").card
    assert card.metrics["validation"]["volumes"] == 2 and len(card.training["validation"]) == 5
    longer = {"optimisation.steps": 9, "loop.validate_volumes": 3}  # and so another best
    assert main(arguments(index, run, **options | longer)) == 0
    assert len(next(line["validation"] for line in reversed(log_lines(run)) if "validation" in line)) == 3
    assert load_model(run / "best.safetensors").card.training["steps"] == 9


def test_the_draw_follows_the_seed_and_keeps_the_order():
    entries = [IndexEntry(name, name, "", (0, 0, 0), (0, 0, 0)) for name in "abcdefghij"]
    draws = defaultdict(set)
    for seed in range(20):
        chosen = validation.drawn(entries, 4, seed)
        assert chosen == validation.drawn(entries, 4, seed) and len(set(chosen)) == 4
        assert list(chosen) == sorted(chosen, key=entries.index)
        draws[len(chosen)].add(chosen)
    assert len(draws[4]) > 10
    assert validation.drawn(entries, 0, 0) == validation.drawn(entries, 10, 0) == tuple(entries)


def test_what_the_training_keeps_of_a_gpu_is_given_back_before_the_engine_plans(monkeypatch):
    """And what the engine kept before the training goes on."""
    told = []

    class AnEngine:
        def __init__(self, *_):
            told.append("engine")

        def run(self, lr):
            told.append("plan")
            return np.zeros([2 * size for size in lr.shape], np.float32)

    monkeypatch.setattr(torch.cuda, "empty_cache", lambda: told.append("given back"))
    monkeypatch.setattr(validation, "Engine", AnEngine)
    network = torch.nn.Linear(1, 1)
    monkeypatch.setattr(validation, "build_network", lambda *_: network)
    fabric = SimpleNamespace(device=torch.device("cuda:0"), world_size=1, global_rank=0)
    card = SimpleNamespace(network="", config={}, scale=(2, 2, 2), grid="center")
    hr = np.random.default_rng(0).random((24, 26, 28))
    degraded = SimpleNamespace(lr=hr[::2, ::2, ::2], start=(0, 0, 0), offset=0.0, width=1.0)
    volumes = [SimpleNamespace(name=name, hr=hr, degraded=(degraded,)) for name in "ab"]
    result = validation.Validation(volumes, card, fabric, None).run(network.state_dict(), {}, StopRequest(75))
    assert result.is_complete and np.isfinite(result.mean("psnr"))
    assert told == [*["given back", "engine", "plan"] * 2, "given back"]
