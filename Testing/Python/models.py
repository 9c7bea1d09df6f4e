"""Tiny model files for tests: quick, untrained, and valid."""

from dataclasses import asdict, replace
from pathlib import Path

import torch

from SuperResolution3DLib.models.checkpoint import Model, load_model, save_model
from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.networks.rrdb import RRDBConfig, RRDBNet
from SuperResolution3DLib.networks.through_plane import ThroughPlaneConfig, ThroughPlaneNet
from SuperResolution3DLib.volumes.intensity import IntensityPolicy


def a_tiny_card(scale: tuple[int, int, int] = (2, 2, 2), **values: object) -> ModelCard:
    config = RRDBConfig(scale=scale, num_features=4, num_blocks=1, growth=2, tail_features=4)
    fields: dict = {
        "name": "tiny",
        "network": "rrdb",
        "config": asdict(config),
        "scale": scale,
        "grid": "center",
        "skip": "zero-filled",
        "intensity": asdict(IntensityPolicy()),
        "modality": "MR",
        "spacing_range": (0.5, 5.0),
        "licence": "Apache-2.0",
    }
    return ModelCard(**(fields | values))


def a_tiny_model_file(folder: Path, scale: tuple[int, int, int] = (2, 2, 2), **values: object) -> Path:
    card = a_tiny_card(scale, **values)
    torch.manual_seed(0)
    path = folder / f"{card.name}.safetensors"
    save_model(path, RRDBNet(RRDBConfig(**card.config)).state_dict(), card, torch.float32)
    return path


def a_tiny_model(folder: Path, scale: tuple[int, int, int] = (2, 2, 2), **values: object) -> Model:
    return load_model(a_tiny_model_file(folder, scale, **values))


def a_through_plane_file(folder: Path, **values: object) -> Path:
    """Write a model for thick slices, untrained: what it adds to the interpolation is small and not zero."""
    config = ThroughPlaneConfig(num_features=4, num_blocks=1, growth=2, decoder_features=4, tail_features=4)
    fields = {
        "name": "between",
        "network": "through-plane",
        "config": asdict(config),
        "scale": (1, 1, 1),
        "skip": "consistent",
        "axes": "slice",
        "slice_spacing_range": (2.0, 8.0),
    }
    card = replace(a_tiny_card(), **(fields | values))  # type: ignore[arg-type]
    torch.manual_seed(0)
    path = folder / f"{card.name}.safetensors"
    save_model(path, ThroughPlaneNet(config).state_dict(), card, torch.float32)
    return path


def a_through_plane_model(folder: Path, **values: object) -> Model:
    return load_model(a_through_plane_file(folder, **values))
