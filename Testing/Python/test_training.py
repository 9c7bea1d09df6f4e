"""The training command: it learns, saves a usable model, continues, and refuses what cannot work."""

import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter

from SuperResolution3DLib.checkpoint import load_model
from SuperResolution3DLib.super_resolve import Settings, super_resolve
from SuperResolution3DLib.volume import Volume, write_volume
from Training.config import OptimisationConfig
from Training.publish import main as publish
from Training.train import EXIT_AGAIN, main, recorded_command

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def a_data_folder(tmp_path):
    """Two training subjects and one for validation: blobs with sharp edges, which a network can learn to sharpen."""
    for number, name in enumerate(["train/a", "train/b", "validation/c"]):
        smooth = gaussian_filter(np.random.default_rng(number).random((20, 20, 20)), 2)
        path = tmp_path / f"{name}.nii.gz"
        path.parent.mkdir(exist_ok=True)
        write_volume(Volume((500 * (smooth > smooth.mean())).astype(np.int16), np.eye(4)), path)
    return tmp_path


def arguments(data: Path, run: Path, **options: object) -> list[str]:
    values = {
        "data.root": data,
        "data.train": "[train/*]",
        "data.validation": "[validation/*]",
        "data.patch_size": 6,
        "data.grid_shifts": 2,
        "network.scale": "[2,2,2]",
        "network.num_features": 4,
        "network.num_blocks": 1,
        "network.growth": 2,
        "network.tail_features": 4,
        "model.name": "tiny",
        "model.modality": "MR",
        "model.licence": "Apache-2.0",
        "optimisation.steps": 6,
        "optimisation.learning_rate": 1e-3,
        "loop.save_every": 2,
        "loop.validate_every": 3,
        "loop.precision": "32-true",
        "loop.accelerator": "cpu",
        "run": run,
    }
    return [f"--{name}={value}" for name, value in (values | options).items()]


def log_lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]


def test_a_run_leaves_a_model_that_super_resolves(a_data_folder, tmp_path):
    run = tmp_path / "run"
    assert main(arguments(a_data_folder, run)) == 0
    model = load_model(run / "best.safetensors")
    assert model.card.training["steps"] in (3, 6)
    assert set(model.card.training["train"]) == {"a.nii.gz", "b.nii.gz"}
    assert model.card.spacing_range == (2.0, 2.0)
    lr = Volume(np.random.default_rng(0).random((8, 8, 8)), np.eye(4) * [2, 2, 2, 1])
    assert super_resolve(lr, model, Settings(device="cpu")).volume.shape == (16, 16, 16)
    assert [line["step"] for line in log_lines(run) if "validation_psnr" in line] == [3, 6]


def test_the_zero_filled_skip_starts_where_zero_filled_stands(a_data_folder, tmp_path):
    run = tmp_path / "run"
    main(arguments(a_data_folder, run, **{"optimisation.learning_rate": 1e-12, "optimisation.steps": 1}))
    model = load_model(run / "last.safetensors")
    lr = Volume(np.random.default_rng(0).random((6, 7, 8)), np.eye(4) * [2, 2, 2, 1])
    result = super_resolve(lr, model, Settings(device="cpu", precision="fp32"), with_zero_filled=True)
    assert result.zero_filled is not None
    np.testing.assert_allclose(result.volume.array, result.zero_filled.array, atol=1e-5)


def test_training_lowers_the_loss(a_data_folder, tmp_path):
    run = tmp_path / "run"
    options = {"optimisation.steps": 100, "optimisation.learning_rate": 5e-3, "optimisation.warmup_steps": 5}
    options |= {"model.skip": "none", "loop.save_every": 100, "loop.validate_every": 100}
    main(arguments(a_data_folder, run, **options))
    losses = [line["loss"] for line in log_lines(run) if "loss" in line]
    assert losses[-1] < 0.8 * losses[0]


def test_a_continued_run_ends_where_an_unbroken_one_ends(a_data_folder, tmp_path):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    main(arguments(a_data_folder, whole))
    assert main(arguments(a_data_folder, broken, **{"loop.time_limit": 1e-9})) == EXIT_AGAIN
    assert main(arguments(a_data_folder, broken)) == 0
    wanted, given = (load_model(run / "last.safetensors").network.state_dict() for run in (whole, broken))
    for name, tensor in wanted.items():
        np.testing.assert_array_equal(given[name].numpy(), tensor.numpy())


def test_a_volume_in_training_and_validation_is_refused(a_data_folder, tmp_path, capsys):
    assert main(arguments(a_data_folder, tmp_path / "run", **{"data.validation": "[train/a*]"})) == 2
    assert "stand in training and in validation: a.nii.gz" in capsys.readouterr().err


def test_a_trained_model_is_published_with_its_figures(a_data_folder, tmp_path):
    run, shipped = tmp_path / "run", tmp_path / "Models"
    shipped.mkdir()
    main(arguments(a_data_folder, run))
    quality = {"protocol": "foreground", "volumes": {"c": {}}, "mean": {"SR": {"psnr": 30.12346}}}
    (tmp_path / "quality.json").write_text(json.dumps(quality))
    options = ["--metrics", f"validation={tmp_path / 'quality.json'}", "--trunk-halo", "7", "--cpu-seconds", "0.5"]
    assert publish([str(run / "best.safetensors"), str(shipped), *options]) == 0
    before, after = load_model(run / "best.safetensors"), load_model(shipped / "tiny.safetensors")
    assert after.card.metrics["validation"] == {"protocol": "foreground", "volumes": 1, "SR": {"psnr": 30.1235}}
    assert after.card.performance == {"trunk_halo": 7, "cpu_seconds_per_million_voxels": 0.5}
    assert after.card.training == before.card.training
    for name, tensor in before.network.state_dict().items():
        np.testing.assert_array_equal(after.network.state_dict()[name].numpy(), tensor.numpy())
    assert publish([str(run / "best.safetensors"), str(shipped), "--metrics", "validation=missing.json"]) == 2


def test_the_command_in_the_card_names_no_folders():
    command = recorded_command(["--config", "a.yaml", "--data.root", "/somewhere", "--run=/else", "--seed", "3"])
    assert command == "python Training/train.py --config a.yaml --seed 3 --data.root DATA --run RUN"


def test_an_unknown_field_is_refused_by_name(a_data_folder, tmp_path, capsys):
    with pytest.raises(SystemExit) as stop:
        main([*arguments(a_data_folder, tmp_path / "run"), "--optimisation.momentum=1"])
    assert stop.value.code == 2
    assert "momentum" in capsys.readouterr().err


def test_the_rate_warms_up_stays_and_decays():
    optimisation = OptimisationConfig(steps=100, learning_rate=1.0, warmup_steps=9, decay_steps=20)
    rates = [optimisation.rate(step) for step in range(100)]
    assert rates[0] == pytest.approx(0.1)
    assert rates[9:80] == [1.0] * 71
    assert rates[99] == pytest.approx(1 / 21)
    assert OptimisationConfig(steps=200, learning_rate=1.0, warmup_steps=9, decay_steps=20).rate(50) == rates[50]


def test_the_command_runs_as_a_file_from_another_folder(tmp_path):
    command = [sys.executable, str(ROOT / "Training" / "train.py"), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--optimisation.learning_rate" in done.stdout
    assert "Patches per optimiser step" in done.stdout
