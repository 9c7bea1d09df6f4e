"""The presets: each can be read and built, and the paper's take a real step with all three losses."""

import json
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from training_runs import make_index

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.checkpoint import build_network
from Training import train
from Training.config_file import fields_of, write_config
from Training.preset import FOLDER, parts_of, preset_names
from Training.trainer.trainer import Trainer
from Training.trainer.vgg19 import Vgg19Features

DATA_SETS = ("oasis", "hcp1200", "msd-task06", "mouse-mrh")
RESOLVED = json.loads(Path(__file__).with_name("presets.json").read_text("utf-8"))
WHOLE = ("network.config", "loss.perceptual.layers")  # mappings that are one value


@pytest.fixture(scope="module")
def an_index(tmp_path_factory):
    return make_index(tmp_path_factory.mktemp("presets"))


@pytest.fixture(scope="module")
def a_whole_vgg19(tmp_path_factory):
    """All of VGG19 with random weights, small so that relu5_4 stays finite."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("vgg19") / "vgg19.safetensors"
    save_file(Vgg19Features(["relu5_4"]).state_dict(), path)
    return path


def config_of(*presets):
    return train.read_config([*parts_of(presets), {"data": {"index": "index.json"}, "out": "run"}])


@pytest.mark.parametrize("name", preset_names())
def test_a_preset_sets_every_field_as_it_is_recorded(name):
    """Beside it lie the fields of a run that says nothing, and for each preset those in which it differs."""
    recorded, fields = RESOLVED["defaults"] | RESOLVED[name], dict(leaves(fields_of(config_of(name))))
    assert {field: fields[field] for field in recorded} == recorded


def leaves(values, prefix=""):
    for name, value in values.items():
        if isinstance(value, dict) and prefix + name not in WHOLE:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


def test_a_run_can_be_read_from_the_file_that_it_leaves(tmp_path):
    config = replace(config_of("msd-task06-paper"), init_from=Path("a.safetensors"))
    write_config(tmp_path / "run.yaml", config)
    assert train.read_config(parts_of([str(tmp_path / "run.yaml")])) == config


@pytest.mark.parametrize("name", preset_names())
def test_the_network_of_every_preset_is_built_and_fits_its_grid_and_skip(name):
    config = config_of(name)
    with torch.device("meta"):
        built = build_network(config.network.name, config.network.complete)
    assert built.scale == ((1, 1, 1) if name.startswith("through-plane") else (4, 4, 4))
    assert built.grid in (None, config.data.grid)
    assert not (built.adds_trilinear and config.model.skip == "zero-filled")
    if "-paper-" in name:
        sizes = {"srresnet": 5_425_665, "dcsrn": 141_816, "rcan": 38_493_953}
        assert sum(parameter.numel() for parameter in built.parameters()) == sizes[config.network.name]
        assert config.loss.perceptual_weight == config.loss.adversarial_weight == 0


@pytest.mark.parametrize("name", preset_names())
def test_the_paper_s_presets_and_no_others_take_the_intensity_map_of_the_hr(name):
    model = config_of(name).model
    assert model.intensity_from == ("hr" if "-paper" in name and model.intensity.policy != "fixed" else "lr")


def test_every_combination_has_a_name_and_every_part_is_in_one():
    networks = ("", "-srresnet", "-dcsrn", "-rcan")
    wanted = {f"{name}-paper{network}" for name in DATA_SETS for network in networks}
    wanted |= {f"{name}-recommended" for name in DATA_SETS} | {"mr-brain-x4", "mr-brain-x4-gan"}
    wanted |= {"through-plane-mr", "through-plane-ct", "ct-x4", "mr-mouse-brain-x4"}
    wanted |= {f"mr-brain-x4-{network}-small" for network in ("srresnet", "dcsrn", "rcan", "gan")}
    names = preset_names()
    assert names.keys() == wanted == RESOLVED.keys() - {"defaults"}
    used = {part for parts in names.values() for part in parts if isinstance(part, str)}
    assert used | {"names"} == {path.stem for path in FOLDER.glob("*.yaml")}


def test_later_parts_override_and_options_override_all(tmp_path):
    own = tmp_path / "own.yaml"
    own.write_text("{words: {data: own}, model: {modality: MR}, optimisation: {steps: 5}, loss: {clip: false}}")
    parts = parts_of(["srresnet", "paper", str(own)])
    config = train.read_config([*parts, {"data": {"index": "i.json"}, "out": "run"}], ["--loss.clip=true", "--seed=3"])
    assert (config.optimisation.steps, config.loss.clip, config.seed) == (5, True, 3)
    assert config.network.config == {"grid": "corner"} and config.data.grid == "corner"
    assert config.model.name == "srresnet-own-paper"
    assert config.model.description == "3D SRResNet with the paper's settings on {volumes}"  # which no part says


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (None, "There is no preset .* neither a file nor one of ct, ct-x4, dcsrn, .*oasis-paper-rcan"),
        ("a: [", "cannot be read"),
        ("- a", "holds no fields"),
        ("optimisation: {stepps: 3}", "does not accept option 'stepps'"),
        ("optimisation: {steps: many}", "(?s)optimisation.steps.*many"),
        ("loss: {pixel_steps: 100000}", "no step would use the other losses"),
    ],
)
def test_a_preset_that_cannot_be_used_is_refused(tmp_path, text, message):
    own = tmp_path / "own.yaml"
    if text is not None:
        own.write_text(text)
    with pytest.raises(InputError, match=message):
        config_of("oasis-paper", str(own))


@pytest.mark.parametrize("name", DATA_SETS)
def test_the_paper_s_preset_has_its_sizes_and_takes_a_step(an_index, a_whole_vgg19, tmp_path, monkeypatch, name):
    taken = {}

    def one_step(trainer, began):
        before = trainer.network.conv_last.weight.detach().clone()
        taken["values"] = trainer.step(trainer._batches())
        taken["moved"] = not torch.equal(before, trainer.network.conv_last.weight)
        networks = (trainer.network, trainer.adversary.network)
        taken["parameters"] = [sum(parameter.numel() for parameter in network.parameters()) for network in networks]
        return True

    monkeypatch.setattr(Trainer, "fit", one_step)
    small = {"data.index": an_index, "data.patch_size": 4, "data.batch_size": 1, "data.num_workers": 0}
    small |= {"loss.perceptual.weights": a_whole_vgg19, "loop.lpips": "false", "loop.best": "psnr"}
    small |= {"loop.accelerator": "cpu", "loop.threads": 1, "out": tmp_path}
    assert train.main([f"--config={name}-paper", *(f"--{key}={value}" for key, value in small.items())]) == 0
    assert taken["parameters"] == [50_059_905, 15_879_617]
    assert taken["moved"]
    assert {"pixel", "perceptual", "adversarial", "discriminator_real", "discriminator_fake"} <= taken["values"].keys()
    assert all(math.isfinite(value) for value in taken["values"].values())
