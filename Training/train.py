"""Train a generator.

python Training/train.py --config Training/presets/mr-brain-x4.yaml --data.root DIR --run DIR
"""

import argparse
import hashlib
import json
import logging
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

import numpy as np
import torch
from jsonargparse import ArgumentParser, set_parsing_settings
from lightning.fabric import Fabric
from tqdm import tqdm

from SuperResolution3DLib.errors import InputError, SuperResolutionError
from SuperResolution3DLib.model_card import ModelCard, file_sha256
from Training.config import TrainConfig
from Training.data import TrainingVolume, find_volumes, prepare_volume
from Training.trainer import Trainer

EXIT_AGAIN = 75  # EX_TEMPFAIL: the time limit came first, start the same command again


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(description=__doc__)
    parser.add_argument("--config", action="config", help="YAML file with any of the fields below")
    parser.add_class_arguments(TrainConfig)
    values = parser.instantiate(parser.parse_args(arguments))
    values.pop("config")
    config = TrainConfig(**values)
    try:
        return run(config, recorded_command(sys.argv[1:] if arguments is None else arguments))
    except SuperResolutionError as error:
        print(error, file=sys.stderr)
        return error.exit_code


def run(config: TrainConfig, command: str = "") -> int:
    """Train; return 0, or 75 when the time limit came first. The command goes into the model's card."""
    if config.loop.threads:
        torch.set_num_threads(config.loop.threads)
    train_files = find_volumes(config.data.root, config.data.train)
    validation_files = find_volumes(config.data.root, config.data.validation)
    both = sorted(set(train_files) & set(validation_files))
    if both:
        raise InputError(f"Volumes stand in training and in validation: {', '.join(path.name for path in both)}")
    train = _prepare(train_files, config, config.data.grid_shifts)
    validation = _prepare(validation_files, config, 1)
    fabric = Fabric(accelerator=config.loop.accelerator, devices=1, precision=config.loop.precision)
    fabric.launch()
    card = _card(config, command, train, train_files, validation_files)
    config.run.mkdir(parents=True, exist_ok=True)
    (config.run / "config.json").write_text(_config_json(config))
    return 0 if Trainer(config, card, train, validation, fabric).fit() else EXIT_AGAIN


def _prepare(paths: list[Path], config: TrainConfig, num_shifts: int) -> list[TrainingVolume]:
    generator = np.random.default_rng(config.seed)
    scale, grid, intensity = config.network.scale, config.data.grid, config.model.intensity
    return [
        prepare_volume(path, scale, grid, intensity, num_shifts, generator)
        for path in tqdm(paths, desc="degrading volumes", unit="volume")
    ]


def _config_json(config: TrainConfig) -> str:
    return json.dumps(asdict(config), indent=2, default=str)


def recorded_command(arguments: list[str]) -> str:
    """Return the command line without the folders, which say nothing about the recipe."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    parser.add_argument("--data.root")
    parser.add_argument("--run")
    _, rest = parser.parse_known_args(arguments)
    return shlex.join(["python", "Training/train.py", *rest, "--data.root", "DATA", "--run", "RUN"])


def _card(
    config: TrainConfig,
    command: str,
    train: list[TrainingVolume],
    train_files: list[Path],
    validation_files: list[Path],
) -> ModelCard:
    spacings = [
        spacing * factor
        for volume in train
        for spacing, factor in zip(volume.spacing, config.network.scale, strict=True)
    ]
    recipe = asdict(config)
    for where in (recipe, recipe["data"]):  # the same recipe in another folder is the same recipe
        where.pop("run", None), where.pop("root", None)
    text = json.dumps(recipe, sort_keys=True, default=str)
    return ModelCard(
        name=config.model.name,
        network="rrdb",
        config=asdict(config.network),
        scale=config.network.scale,
        grid=config.data.grid,
        skip=config.model.skip,
        intensity=asdict(config.model.intensity),
        modality=config.model.modality,
        spacing_range=(round(min(spacings), 2), round(max(spacings), 2)),
        licence=config.model.licence,
        description=config.model.description,
        training={
            "command": command,
            "recipe": json.loads(text),
            "config_sha256": hashlib.sha256(text.encode()).hexdigest(),
            "train": {path.name: file_sha256(path) for path in train_files},
            "validation": {path.name: file_sha256(path) for path in validation_files},
            "versions": {"torch": torch.__version__, "numpy": np.__version__},
        },
    )


if __name__ == "__main__":
    sys.exit(main())
