"""Blending two model files: the weights lie between, the card tells where they came from, strangers are refused."""

import pytest
import torch
from models import a_tiny_card

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.errors import InputError, ModelError
from SuperResolution3DLib.models.blend import blend
from SuperResolution3DLib.models.checkpoint import load_model, save_model
from SuperResolution3DLib.networks.rrdb import RRDBConfig, RRDBNet


@pytest.fixture
def two_models(tmp_path):
    paths = []
    for seed, name in ((0, "pixels"), (1, "gan")):
        card = a_tiny_card(name=name, metrics={"validation": {"psnr": 30.0}}, training={"seed": seed})
        torch.manual_seed(seed)
        paths.append(tmp_path / f"{name}.safetensors")
        save_model(paths[-1], RRDBNet(RRDBConfig(**card.config)).state_dict(), card, torch.float32)
    return paths


def test_the_command_writes_weights_between_the_two(two_models, tmp_path, capsys):
    output = tmp_path / "between.safetensors"
    assert main(["blend", *map(str, two_models), str(output), "--alpha", "0.3"]) == 0
    first, second, between = (load_model(path) for path in (*two_models, output))
    for key, tensor in between.network.state_dict().items():
        wanted = 0.7 * first.network.state_dict()[key] + 0.3 * second.network.state_dict()[key]
        torch.testing.assert_close(tensor, wanted, rtol=1e-3, atol=1e-6)  # stored in half precision
    assert between.card.name == "between"
    assert between.card.metrics == {}
    assert between.card.training["blend"]["alpha"] == 0.3
    assert between.card.training["blend"]["second"] == {"name": "gan", "sha256": second.sha256, "training": {"seed": 1}}
    assert "70% pixels and 30% gan" in capsys.readouterr().out


@pytest.mark.parametrize(("alpha", "parent"), [(0.0, 0), (1.0, 1)])
def test_the_ends_are_the_parents(two_models, alpha, parent):
    models = [load_model(path) for path in two_models]
    weights, _ = blend(*models, alpha)
    for key, tensor in models[parent].network.state_dict().items():
        torch.testing.assert_close(weights[key], tensor)


def test_an_alpha_outside_the_parents_is_refused(two_models):
    with pytest.raises(InputError, match=r"between 0 and 1, got 1\.5"):
        blend(*(load_model(path) for path in two_models), 1.5)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"grid": "corner"}, "their grid differs, center and corner"),
        ({"skip": "none"}, "their skip differs"),
        ({"intensity_from": "hr"}, "their intensity_from differs, lr and hr"),
        ({"spacing_range": (6.0, 7.0)}, "nothing in common"),
    ],
)
def test_models_that_do_not_belong_together_are_refused(two_models, tmp_path, values, message):
    card = a_tiny_card(name="other", **values)
    save_model(tmp_path / "other.safetensors", RRDBNet(RRDBConfig(**card.config)).state_dict(), card)
    with pytest.raises(ModelError, match=message):
        blend(load_model(two_models[0]), load_model(tmp_path / "other.safetensors"), 0.5)


def test_the_command_overwrites_nothing_unasked(two_models, tmp_path, capsys):
    output = tmp_path / "between.safetensors"
    output.write_text("mine")
    assert main(["blend", *map(str, two_models), str(output), "--alpha", "0.5"]) == 2
    assert output.read_text() == "mine"
    assert "exists" in capsys.readouterr().err
    assert main(["blend", *map(str, two_models), str(tmp_path / "between.pt"), "--alpha", "0.5"]) == 2
    assert "does not end in .safetensors" in capsys.readouterr().err
