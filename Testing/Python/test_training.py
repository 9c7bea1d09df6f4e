"""The training command: it learns, saves a usable model, and refuses what cannot work before the first step."""

import json
import logging
import re
import subprocess
import sys
from dataclasses import replace

import numpy as np
import pytest
import torch
from safetensors.torch import load_file
from training_runs import GAN, TRAIN, arguments, log_lines, make_index, make_vgg19

from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.models.checkpoint import load_model, save_model
from SuperResolution3DLib.volumes.volume import Volume
from Training.config import OptimisationConfig
from Training.data.patches import PatchDataset
from Training.publish import main as publish
from Training.train import main, recorded_command, with_full_names
from Training.trainer.learning_rate import rate_factor


@pytest.fixture(scope="module")
def an_index(tmp_path_factory):
    return make_index(tmp_path_factory.mktemp("training"))


def test_a_run_leaves_a_model_that_super_resolves(an_index, tmp_path):
    run = tmp_path / "run"
    assert main(arguments(an_index, run)) == 0
    model = load_model(run / "best.safetensors")
    assert model.card.training["steps"] in (3, 6)
    assert len(model.card.training["train"]) == 2
    assert model.card.spacing_range == (2.0, 2.0)
    lr = Volume(np.random.default_rng(0).random((8, 8, 8)), np.eye(4) * [2, 2, 2, 1])
    assert super_resolve(lr, model, Settings(device="cpu")).volume.shape == (16, 16, 16)
    assert [line["step"] for line in log_lines(run) if "validation_psnr" in line] == [3, 6]


def test_the_zero_filled_skip_starts_where_zero_filled_stands(an_index, tmp_path):
    run = tmp_path / "run"
    main(arguments(an_index, run, **{"optimisation.learning_rate": 1e-12, "optimisation.steps": 1}))
    model = load_model(run / "last.safetensors")
    lr = Volume(np.random.default_rng(0).random((6, 7, 8)), np.eye(4) * [2, 2, 2, 1])
    result = super_resolve(lr, model, Settings(device="cpu", precision="fp32"), with_zero_filled=True)
    assert result.zero_filled is not None
    np.testing.assert_allclose(result.volume.array, result.zero_filled.array, atol=1e-5)


def test_training_lowers_the_loss(an_index, tmp_path):
    run = tmp_path / "run"
    options = {"optimisation.steps": 100, "optimisation.learning_rate": 5e-3, "optimisation.warmup_steps": 5}
    options |= {"model.skip": "none", "loop.save_every": 100, "loop.validate_every": 100}
    main(arguments(an_index, run, **options))
    losses = [line["loss"] for line in log_lines(run) if "loss" in line]
    assert np.mean(losses[-20:]) < 0.8 * np.mean(losses[:20])


def test_a_trained_model_is_published_with_its_figures(an_index, tmp_path):
    run, shipped = tmp_path / "run", tmp_path / "Models"
    shipped.mkdir()
    main(arguments(an_index, run))
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
    for text in ('{"other": 1}', "no JSON"):
        (tmp_path / "other.json").write_text(text)
        assert publish([str(run / "best.safetensors"), str(shipped), f"--metrics=test={tmp_path / 'other.json'}"]) == 2


def test_the_card_names_no_folders(an_index, a_vgg19, tmp_path):
    arguments_with_folders = ["--config", "a.yaml", "--data.index", "/some/where", "--out=/else", "--seed", "3"]
    command = recorded_command([*arguments_with_folders, "--init_from", "/a/b.safetensors", "--x=/c/d.pth"])
    assert command == (
        "python Training/train.py --config a.yaml --seed 3 --init_from b.safetensors --x=d.pth "
        "--data.index INDEX --out RUN"
    )
    first, second = tmp_path / "first", tmp_path / "second"
    main(arguments(an_index, first, **{"optimisation.steps": 1}))
    options = GAN | {"init_from": first / "last.safetensors", "loss.perceptual.weights": a_vgg19}
    main(arguments(an_index, second, **options, **{"optimisation.steps": 1}))
    card = load_model(second / "last.safetensors").card
    assert str(tmp_path.parent) not in card.to_json()
    assert card.training["init_from"]["sha256"] == load_model(first / "last.safetensors").sha256


def test_an_unknown_field_is_refused_by_name(an_index, tmp_path, capsys):
    assert main([*arguments(an_index, tmp_path / "run"), "--optimisation.momentum=1"]) == 2
    assert "momentum" in capsys.readouterr().err


def test_the_rate_warms_up_stays_and_decays():
    optimisation = OptimisationConfig(steps=100, warmup_steps=9, decay_steps=20)
    factors = [rate_factor(optimisation, step) for step in range(100)]
    assert factors[0] == pytest.approx(0.1)
    assert factors[9:80] == [1.0] * 71
    assert factors[99] == pytest.approx(1 / 21)
    assert rate_factor(OptimisationConfig(steps=200, warmup_steps=9, decay_steps=20), 50) == factors[50]


def test_the_command_runs_as_a_file_from_another_folder(tmp_path):
    command = [sys.executable, str(TRAIN), "--help"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert "--optimisation.learning_rate" in done.stdout
    assert "Patches per process and backward pass" in done.stdout


@pytest.fixture(scope="module")
def a_vgg19(tmp_path_factory):
    return make_vgg19(tmp_path_factory.mktemp("vgg19"))


def test_a_gan_run_uses_all_losses_after_the_pixel_steps(an_index, a_vgg19, tmp_path, caplog):
    run = tmp_path / "run"
    caplog.set_level(logging.INFO)
    options = GAN | {"loss.perceptual.weights": a_vgg19, "loss.pixel_steps": 2, "optimisation.accumulate": 2}
    assert main(arguments(an_index, run, **options)) == 0
    told = f"done, the models are {run / 'last.safetensors'} and {run / 'best.safetensors'}"
    assert caplog.messages[-1] == told
    steps = [line for line in log_lines(run) if "loss" in line]
    names = {"perceptual", "adversarial", "discriminator_real", "discriminator_fake"}
    assert [names <= line.keys() for line in steps] == [False, False, True, True, True, True]
    for line in steps[2:]:
        total = line["pixel"] + 0.1 * line["perceptual"] + 0.01 * line["adversarial"]
        assert line["loss"] == pytest.approx(total, rel=1e-5)
        assert 0 <= line["data_seconds"] < line["step_seconds"]
    card = load_model(run / "best.safetensors").card
    assert card.training["perceptual_backbone"]["name"] == "VGG19, random, for a test"
    assert card.training["samples"] == 2 * 2 * card.training["steps"]
    assert list((run / "tensorboard").glob("events*"))
    assert "perceptual_weight: 0.1" in (run / "config.yaml").read_text()


def test_the_logger_is_an_option(an_index, tmp_path, monkeypatch, capsys):
    assert main(arguments(an_index, tmp_path / "run", **{"loop.logger": "csv"})) == 0
    assert not (tmp_path / "run" / "tensorboard").exists()
    header, *rows = (tmp_path / "run" / "csv" / "from-step-0" / "metrics.csv").read_text().splitlines()
    assert {"step", "loss", "validation_psnr"} <= set(header.split(","))
    assert len(rows) == 6 + 2  # steps and validations
    monkeypatch.setattr("lightning.pytorch.loggers.wandb._WANDB_AVAILABLE", False)
    assert main(arguments(an_index, tmp_path / "run", **{"loop.logger": "wandb"})) == 2
    assert "pip install wandb" in capsys.readouterr().err


def test_the_saved_config_repeats_the_run(an_index, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    main(arguments(an_index, first))
    assert main(["--config", str(first / "config.yaml"), f"--out={second}"]) == 0
    wanted, given = (load_model(run / "last.safetensors") for run in (first, second))
    torch.testing.assert_close(given.network.state_dict(), wanted.network.state_dict(), rtol=0, atol=0)
    assert given.card.training["config_sha256"] == wanted.card.training["config_sha256"]


@pytest.mark.parametrize(
    "options",
    [
        {},
        {  # whose batch norms gather statistics in the forward pass
            "network.name": "dcsrn",
            "network.config": '{"scale": [2, 2, 2], "num_features": 4, "growth": 2}',
        },
    ],
)
def test_activation_checkpointing_changes_no_bit(an_index, tmp_path, options):
    runs = {value: tmp_path / value for value in ("true", "false")}
    for value, run in runs.items():
        assert main(arguments(an_index, run, **options, **{"loop.activation_checkpointing": value})) == 0
    wanted, given = (load_model(run / "last.safetensors").network.state_dict() for run in runs.values())
    torch.testing.assert_close(given, wanted, rtol=0, atol=0)


def test_fine_tuning_starts_from_the_model_file(an_index, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    main(arguments(an_index, first))
    start = first / "last.safetensors"
    options = {"init_from": start, "optimisation.learning_rate": 1e-12, "optimisation.steps": 1}
    assert main(arguments(an_index, second, **options)) == 0
    wanted, given = (load_model(run / "last.safetensors").network.state_dict() for run in (first, second))
    torch.testing.assert_close(given, wanted, rtol=1e-3, atol=1e-6)  # files hold half precision


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"network.config": '{"scale": [2, 2, 2], "num_features": 8}'}, "has config .* fine-tuning keeps it"),
        ({"model.skip": "none"}, "has skip zero-filled, the run has none"),
        ({"data.grid": "corner", "data.flips": "false"}, "has grid center, the run has corner"),
    ],
)
def test_a_model_of_another_kind_is_not_fine_tuned(an_index, tmp_path, capsys, options, message):
    first = tmp_path / "first"
    main(arguments(an_index, first, **{"optimisation.steps": 1}))
    options = options | {"init_from": first / "last.safetensors"}
    capsys.readouterr()
    assert main(arguments(an_index, tmp_path / "second", **options)) == 2
    assert re.search(message, capsys.readouterr().err)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"data.index": "missing.json"}, "missing.json"),
        ({"data.fold": 5}, "no fold 5"),
        ({"data.modality": "CT"}, "no volume of modality 'CT'"),
        ({"data.patch_size": 12}, "2 volumes cannot be used, 12 LR voxels an axis are needed"),
        ({"data.grid_shifts": 9}, "data.grid_shifts is 9, and scale (2, 2, 2) has 8 positions"),
        ({"seed": 2**31}, "seed must be between 0 and 2147483647"),
        ({"loss.pixel_steps": 6}, "loss.pixel_steps is 6, and optimisation.steps 6"),
        ({"loss.perceptual_weight": 1}, "VGG19's relu5_4 needs patches of 16 HR voxels"),
        (GAN | {"loss.perceptual.weights": "absent.pth"}, "absent.pth is not there"),
        ({"loss.adversarial_weight": 1, "data.patch_size": 3}, "data.patch_size must be at least 4"),
        ({"network.config": '{"scale": [5, 5, 5]}'}, "product of 2s and 3s, got 5"),
        ({"loop.accelerator": "mps"}, "loop.accelerator"),
        ({"out": "/dev/null/run"}, "/dev/null/run cannot be written"),
        ({"network.config": '{"num_feature": 8}'}, "network.config has num_feature, which rrdb has not"),
        ({"network.name": "srresnet"}, "network.config has growth, which srresnet has not"),
        ({"network.config": '{"num_features": "abc"}'}, "network.config.num_features must be a whole number"),
        ({"network.config": '{"num_features": 1.5}'}, "network.config.num_features must be a whole number"),
        ({"model.intensity.low": 60, "model.intensity.high": 40}, "intensity.low must be below intensity.high"),
        ({"model.licence": ""}, "model.licence is empty"),
        ({"network.name": "rcan", "network.config": '{"scale": [2, 2, 2], "patch_size": 9}'}, "patch_size is 9 and"),
        ({"network.name": "dcsrn", "network.config": '{"scale": [2, 2, 2], "grid": "corner"}'}, "grid"),
        ({"network.size": "small"}, "rrdb has no size 'small'"),
        ({"data.grid": "corner"}, "data.flips moves LR voxels"),
        ({"loop.best": "lpips"}, "loop.best is lpips"),
        ({"init_from": "absent.safetensors"}, "There is no model file absent.safetensors"),
    ],
)
def test_what_cannot_work_is_refused_in_one_sentence_before_the_first_step(
    an_index, tmp_path, capsys, options, message
):
    assert main(arguments(an_index, tmp_path / "run", **options)) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "run" / "log.jsonl").exists()


def test_missing_training_and_validation_volumes_are_listed_together(tmp_path, capsys):
    index = make_index(tmp_path)
    for name in ("train/b", "validation/c"):
        (tmp_path / "data" / f"{name}.nii.gz").unlink()
    assert main(arguments(index, tmp_path / "run")) == 2
    error = capsys.readouterr().err
    assert error.startswith("2 volumes changed") and "train/b.nii.gz" in error and "validation/c.nii.gz" in error


def test_a_model_trained_on_the_validation_volumes_is_not_fine_tuned(an_index, tmp_path, capsys):
    first = tmp_path / "first"
    main(arguments(an_index, first, **{"optimisation.steps": 1}))
    options = {"data.fold": 0, "init_from": first / "last.safetensors"}  # folds are made inside train
    capsys.readouterr()
    assert main(arguments(an_index, tmp_path / "second", **options)) == 2
    assert "last.safetensors was trained on validation volumes of this run: train/" in capsys.readouterr().err


def test_a_grandchild_still_knows_what_its_ancestor_was_trained_on(an_index, tmp_path, capsys):
    runs = [tmp_path / name for name in ("first", "second", "third")]
    one_step = {"optimisation.steps": 1}
    main(arguments(an_index, runs[0], **one_step))
    main(arguments(an_index, runs[1], **one_step, init_from=runs[0] / "last.safetensors"))
    child = load_model(runs[1] / "last.safetensors")
    assert child.card.training["init_from"]["training"]["train"] == child.card.training["train"]
    card = replace(child.card, training=child.card.training | {"train": ["other data"]})
    save_model(tmp_path / "child.safetensors", child.network.state_dict(), card)
    capsys.readouterr()
    options = one_step | {"data.fold": 0, "init_from": tmp_path / "child.safetensors"}
    assert main(arguments(an_index, runs[2], **options)) == 2
    assert "child.safetensors was trained on validation volumes of this run" in capsys.readouterr().err


def test_short_names_of_options_stand_for_their_fields(an_index, tmp_path, capsys):
    given = ["--init-from", "a.safetensors", "--perceptual-weights=b.pth", "--time-limit", "3", "--seed=1"]
    wanted = ["--init_from", "a.safetensors", "--loss.perceptual.weights=b.pth", "--loop.time_limit", "3", "--seed=1"]
    assert with_full_names(given) == wanted
    assert main([*arguments(an_index, tmp_path / "run"), "--init-from", "absent.safetensors"]) == 2
    assert "There is no model file absent.safetensors" in capsys.readouterr().err


def test_cuda_asked_for_and_absent_is_refused(an_index, tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(torch.cuda, "is_available", lambda: False)
    assert main(arguments(an_index, tmp_path / "run", **{"loop.accelerator": "cuda"})) == 2
    assert "no CUDA device" in capsys.readouterr().err


def test_a_disk_without_space_for_checkpoints_is_refused(an_index, tmp_path, capsys, monkeypatch):
    usage = type("Usage", (), {"free": 1000})
    monkeypatch.setattr("Training.trainer.checkpoints.shutil.disk_usage", lambda folder: usage)
    assert main(arguments(an_index, tmp_path / "run")) == 2
    assert "checkpoints take" in capsys.readouterr().err


def test_a_config_that_cannot_be_written_is_told(an_index, tmp_path, capsys):
    (tmp_path / "config.yaml").mkdir()
    assert main(arguments(an_index, tmp_path)) == 2
    assert "config.yaml cannot be written" in capsys.readouterr().err
    assert not (tmp_path / ".config.yaml").exists()


def test_a_loss_that_is_not_finite_stops_the_run_and_saves_its_patches(an_index, tmp_path, capsys):
    run = tmp_path / "run"
    options = {"optimisation.learning_rate": 1e30, "optimisation.warmup_steps": 0, "optimisation.steps": 50}
    assert main(arguments(an_index, run, **options)) == 1
    message = capsys.readouterr().err
    saved = list(run.glob("diverged-step-*.safetensors"))
    assert len(saved) == 1 and str(saved[0]) in message and "not finite" in message


def test_all_patches_of_a_step_that_is_not_finite_are_saved(an_index, tmp_path, monkeypatch):
    original = PatchDataset._sample

    def sample(self, number):
        lr, *others = original(self, number)
        return (np.full_like(lr, np.nan) if number == 0 else lr, *others)

    monkeypatch.setattr(PatchDataset, "_sample", sample)
    options = {"optimisation.accumulate": 2, "data.batch_size": 1}
    assert main(arguments(an_index, tmp_path / "run", **options)) == 1
    (saved,) = (tmp_path / "run").glob("diverged-step-*.safetensors")
    patches = load_file(saved)["lr"]
    assert torch.isfinite(patches).flatten(1).all(1).tolist() == [False, True]
