"""The presets: each can be read and built, and the paper's take a real step with all three losses."""

import json
import math
from dataclasses import asdict
from pathlib import Path

import pytest
import torch
from safetensors.torch import save_file
from training_runs import ROOT, make_index

from SuperResolution3DLib.models.checkpoint import build_network
from Training import train
from Training.config import TrainConfig
from Training.trainer.trainer import Trainer
from Training.trainer.vgg19 import Vgg19Features

PRESETS = sorted((ROOT / "Training" / "presets").glob("*.yaml"))
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


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_a_preset_can_be_read(preset):
    parser = train.make_parser()
    config = parser.instantiate(parser.parse_args([f"--config={preset}", "--data.index=index.json", "--out=run"]))
    assert config["model"].name and config["network"].scale == (4, 4, 4)


@pytest.mark.parametrize("name", sorted(RESOLVED.keys() - {"defaults"}))
def test_a_preset_sets_every_field_as_it_is_recorded(name):
    """Beside it lie the fields of a run that says nothing, and for each preset those in which it differs."""
    parser = train.make_parser()
    preset = ROOT / "Training" / "presets" / f"{name}.yaml"
    values = parser.instantiate(parser.parse_args([f"--config={preset}", "--data.index=index.json", "--out=run"]))
    config = TrainConfig(**{name: value for name, value in values.items() if name != "config"})
    recorded = RESOLVED["defaults"] | RESOLVED[name]
    fields = dict(leaves(json.loads(json.dumps(asdict(config), default=str))))
    assert {field: fields[field] for field in recorded} == recorded


def test_every_preset_is_recorded():
    assert {path.stem for path in PRESETS} == RESOLVED.keys() - {"defaults"}


def leaves(values, prefix=""):
    for name, value in values.items():
        if isinstance(value, dict) and prefix + name not in WHOLE:
            yield from leaves(value, f"{prefix}{name}.")
        else:
            yield prefix + name, value


@pytest.mark.parametrize("preset", PRESETS, ids=lambda path: path.stem)
def test_the_paper_s_presets_and_no_others_take_the_intensity_map_of_the_hr(preset):
    parser = train.make_parser()
    model = parser.instantiate(parser.parse_args([f"--config={preset}", "--data.index=i.json", "--out=run"]))["model"]
    is_paper_s = "-paper" in preset.stem and model.intensity.policy != "fixed"
    assert model.intensity_from == ("hr" if is_paper_s else "lr")


def test_each_data_set_has_its_presets_and_the_paper_s_baselines():
    kinds = ("paper", "recommended", "paper-srresnet", "paper-dcsrn", "paper-rcan")
    assert {f"{name}-{kind}" for name in DATA_SETS for kind in kinds} <= {path.stem for path in PRESETS}


@pytest.mark.parametrize("preset", [path for path in PRESETS if "-paper-" in path.stem], ids=lambda path: path.stem)
def test_the_paper_s_baselines_fit_their_grid_and_have_their_sizes(preset):
    parser = train.make_parser()
    values = parser.instantiate(parser.parse_args([f"--config={preset}", "--data.index=index.json", "--out=run"]))
    config = TrainConfig(**{name: value for name, value in values.items() if name != "config"})
    network = config.network
    sizes = {"srresnet": 5_425_665, "dcsrn": 141_816, "rcan": 38_493_953}
    with torch.device("meta"):
        built = build_network(network.name, network.complete)
    assert sum(parameter.numel() for parameter in built.parameters()) == sizes[network.name]
    assert (
        built.grid in (None, config.data.grid) and config.loss.perceptual_weight == config.loss.adversarial_weight == 0
    )


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
    preset = ROOT / "Training" / "presets" / f"{name}-paper.yaml"
    assert train.main([f"--config={preset}", *(f"--{key}={value}" for key, value in small.items())]) == 0
    assert taken["parameters"] == [50_059_905, 15_879_617]
    assert taken["moved"]
    assert {"pixel", "perceptual", "adversarial", "discriminator_real", "discriminator_fake"} <= taken["values"].keys()
    assert all(math.isfinite(value) for value in taken["values"].values())
