"""The card of the models that a run writes: what they are, and all that they were made from.

The card goes with the models and names no volume: it has the sha256 of their contents. Names stay in the run's folder.
"""

import hashlib
import json
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
import torch

from SuperResolution3DLib.forward.axis_operator import Slices
from SuperResolution3DLib.forward.consistent_interpolation import DEFAULT_NOISE, DEFAULT_SHAPE
from SuperResolution3DLib.models.card_privacy import without_names
from SuperResolution3DLib.models.model_card import ModelCard, file_sha256, read_card
from Training.config import TrainConfig
from Training.data.index import write_json
from Training.data.splits import Selection
from Training.data.training_volume import TrainingVolume
from Training.trainer.perceptual_loss import PerceptualLoss

VOLUMES_FILE = "volumes.json"


def run_card(
    config: TrainConfig,
    command: str,
    selection: Selection,
    train: list[TrainingVolume],
    perceptual: PerceptualLoss | None,
) -> ModelCard:
    """Return the card of a run's models, but for what its progress and validations will add.

    Args:
        config: the run.
        command: its command line.
        selection: its volumes.
        train: those it trains on, prepared.
        perceptual: the loss, whose network is named.
    """
    spacings = [
        spacing * factor
        for volume in train
        for spacing, factor in zip(volume.spacing, config.network.scale, strict=True)
    ]
    finest = config.data.slices.zoom if config.thick_slices else 1.0
    recipe = asdict(config)
    del recipe["out"]
    for name in ("index", "cache", "preparation_workers"):
        del recipe["data"][name]  # the same recipe in another folder is the same recipe
    recipe["network"]["config"] = config.network.complete
    text = json.dumps(recipe, sort_keys=True, default=lambda path: path.name)
    parts = {"train": selection.train, "validation": selection.validation}
    contents = {part: sorted(entry.sha256 for entry in entries) for part, entries in parts.items()}
    counts = {part: dict(Counter(entry.modality for entry in entries)) for part, entries in parts.items()}
    training: dict[str, Any] = {
        "command": command,
        "recipe": json.loads(text),
        "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
        "data_sha256": hashlib.sha256(json.dumps(contents, sort_keys=True).encode()).hexdigest(),
        "volumes": counts,
        **contents,
        "versions": {"torch": torch.__version__, "numpy": np.__version__},
    }
    if config.init_from:
        parent = read_card(config.init_from)
        sha256 = file_sha256(config.init_from)
        training["init_from"] = {"name": parent.name, "sha256": sha256, "training": without_names(parent.training)}
    if perceptual:
        training["perceptual_backbone"] = asdict(perceptual.network.source)
    return ModelCard(
        name=config.model.name,
        network=config.network.name,
        config=config.network.complete,
        scale=config.network.scale,
        grid=config.data.grid,
        skip=config.model.skip,
        intensity=asdict(config.model.intensity),
        intensity_from=config.model.intensity_from,
        modality=config.model.modality,
        spacing_range=(round(min(spacings) / finest, 2), round(max(spacings), 2)),
        axes="slice" if config.thick_slices else "all",
        slice_spacing_range=_slice_spacings(config, spacings) if config.thick_slices else None,
        forward={"kind": Slices.kind, "shape": DEFAULT_SHAPE, "noise": DEFAULT_NOISE} if config.thick_slices else {},
        licence=config.model.licence,
        description=config.model.description,
        subject=config.model.subject,
        rank=config.model.rank,
        training=training,
    )


def _slice_spacings(config: TrainConfig, spacings: list[float]) -> tuple[float, float]:
    """Return the smallest and largest distance between slices (mm) that volumes of these spacings give."""
    closest, farthest = config.data.slices.spacing
    return round(closest * min(spacings), 2), round(farthest * max(spacings), 2)


def write_volume_names(run: Path, selection: Selection) -> None:
    """Write which volumes the run trains on and validates with, by name, for those who have its folder.

    Raises:
        OutputError: the file cannot be written.
    """
    parts = {"train": selection.train, "validation": selection.validation}
    names = {part: {entry.file: entry.sha256 for entry in entries} for part, entries in parts.items()}
    write_json(run / VOLUMES_FILE, "volumes", names)
