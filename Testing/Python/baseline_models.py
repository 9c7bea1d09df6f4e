"""Tiny model files of the networks that the RRDBNet is measured against: untrained, but with weights that matter."""

from dataclasses import asdict
from pathlib import Path

import torch
from models import a_tiny_card
from torch import nn

from SuperResolution3DLib.models.checkpoint import Model, build_network, load_model, save_model
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.networks.dcsrn import DCSRNetConfig
from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.networks.rcan import RCANConfig
from SuperResolution3DLib.networks.srresnet import SRResNetConfig

SIZES = {
    "srresnet": SRResNetConfig(num_features=4, num_blocks=2, tail_features=3),
    "srresnet-original": SRResNetConfig(
        num_features=4, num_blocks=1, tail_features=3, design="original", adds_trilinear=False
    ),
    "dcsrn": DCSRNetConfig(num_features=4, growth=3),
    "dcsrn-original": DCSRNetConfig(num_features=4, num_units=4, growth=3, output_kernel=3),
    "rcan": RCANConfig(num_features=4, num_groups=2, num_blocks=2, reduction=2, tail_features=3, patch_size=8),
}
TILED = ("srresnet", "srresnet-original", "dcsrn", "dcsrn-original")


def a_baseline_card(size: str, scale: tuple[int, int, int] = (2, 2, 2), grid: str = "center", **values) -> ModelCard:
    config = asdict(SIZES[size]) | {"scale": scale}
    if "grid" in config:
        config["grid"] = grid
    fields = {"name": size, "network": size.split("-")[0], "config": config, "grid": grid, "skip": "none"}
    return a_tiny_card(scale, **(fields | values))


def a_baseline_network(card: ModelCard) -> Generator:
    """Return a network whose parts all show in its output: half of it detail, batch norms that do something."""
    torch.manual_seed(0)
    network = build_network(card.network, card.config)
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight)
        if isinstance(module, nn.BatchNorm3d):
            for tensor in (module.weight, module.running_var):
                nn.init.uniform_(tensor, 0.5, 2)
            for tensor in (module.bias, module.running_mean):
                nn.init.uniform_(tensor, -0.5, 0.5)
    return network.eval()


def a_baseline_file(folder: Path, size: str, *arguments, **values) -> Path:
    card = a_baseline_card(size, *arguments, **values)
    path = folder / f"{size}.safetensors"
    save_model(path, a_baseline_network(card).state_dict(), card, torch.float32)
    return path


def a_baseline(folder: Path, size: str, *arguments, **values) -> Model:
    return load_model(a_baseline_file(folder, size, *arguments, **values))
