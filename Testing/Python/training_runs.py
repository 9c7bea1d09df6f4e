"""Tiny training runs for tests: data, options, and what a run left."""

import json
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import save_file
from scipy.ndimage import gaussian_filter

from SuperResolution3DLib.volumes.volume import Volume, write_volume
from Training.prepare import main as prepare
from Training.trainer.vgg19 import Vgg19Features

ROOT = Path(__file__).resolve().parents[2]
TRAIN = ROOT / "Training" / "train.py"
GAN = {
    "loss.perceptual_weight": 0.1,
    "loss.adversarial_weight": 0.01,
    "loss.perceptual.layers": "{relu1_2: 1.0}",
    "loss.perceptual.slice_fraction": 0.5,
    "discriminator.num_features": 2,
}


def make_index(folder: Path, size: int = 20) -> Path:
    """Write two training subjects and one for validation, blobs with sharp edges; return their index."""
    for name in ("train/a", "train/b", "validation/c"):
        write_blobs(folder, name, (size, size, size))
    return index_of(folder, folds=2)


def write_blobs(folder: Path, name: str, shape: tuple[int, int, int]) -> None:
    """Write a volume (D, H, W) of blobs with sharp edges, drawn by the last letter of its name."""
    smooth = gaussian_filter(np.random.default_rng("abcdef".index(name[-1])).random(shape), 2)
    path = folder / "data" / f"{name}.nii.gz"
    path.parent.mkdir(exist_ok=True, parents=True)
    array = (500 * (smooth > smooth.mean())).astype(np.int16)
    write_volume(Volume(array, np.eye(4)), path)


def index_of(folder: Path, folds: int = 0) -> Path:
    """Return the index of the volumes that were written."""
    index = folder / "index.json"
    options = ["--dataset", "folder", "--root", str(folder / "data"), "--out", str(index), "--folds", str(folds)]
    assert prepare([*options, "--modality", "MR"]) == 0
    return index


def make_vgg19(folder: Path) -> Path:
    """Write a file that has VGG19's form, with random weights: what it computes is of no account here."""
    torch.manual_seed(0)
    path = folder / "vgg19.safetensors"
    save_file(Vgg19Features(["relu1_2"]).state_dict(), path, metadata={"source": "random, for a test"})
    return path


def arguments(index: Path, run: Path, **options: object) -> list[str]:
    """Return the command line of a run of six steps on patches of 12^3 HR voxels."""
    network = {"scale": [2, 2, 2], "num_features": 4, "num_blocks": 1, "growth": 2, "tail_features": 4}
    values = {
        "data.index": index,
        "data.patch_size": 6,
        "data.grid_shifts": 2,
        "network.config": json.dumps(network),
        "model.name": "tiny",
        "model.modality": "MR",
        "model.licence": "Apache-2.0",
        "optimisation.steps": 6,
        "optimisation.learning_rate": 1e-3,
        "loop.save_every": 2,
        "loop.validate_every": 3,
        "loop.precision": "32-true",
        "loop.accelerator": "cpu",
        "loop.threads": 1,
        "loop.lpips": "false",
        "out": run,
    }
    return [f"--{name}={value}" for name, value in (values | options).items()]


def log_lines(run: Path) -> list[dict]:
    return [json.loads(line) for line in (run / "log.jsonl").read_text().splitlines()]
