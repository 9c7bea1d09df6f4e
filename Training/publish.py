"""Turn a trained model into one that ships: write measured quality, speed and halo into its card.

python Training/publish.py RUN/best.safetensors Resources/Models --metrics validation=validation.json \
    --trunk-halo 8 --cpu-seconds 0.9 --index index.json

The figures come from Testing/benchmarks: quality.py --json, trunk_halo.py and inference.py; of models for thick
slices from metrics.json of evaluate.py --forward slice-profile. With --index the volumes of the training are degraded
and measured as calibrate.py does, so that what is unlike them can be told in use. The weights stay as they are. A card
that names volumes or paths, which the files of older versions do, is refused without --without-names. A trust mask is
bound to the companion's file: publish both models first, then calibrate.py makes the files that ship.
"""

import argparse
import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import torch

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError, SuperResolutionError
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.models.card_privacy import private_texts, without_names
from SuperResolution3DLib.models.checkpoint import load_model, save_model
from Training.calibration.ranges import with_ranges
from Training.config import LABELS
from Training.data.index import read_index
from Training.evaluation.methods import ModelMethod
from Training.preset import parts_of

SPACING = (
    "LR voxel sizes (mm), along any axis, for which the model is chosen, where volumes of the validation show that it "
    "holds beyond those of its training (default: those of the training)"
)
LARGEST_FILE = 10_000_000  # bytes; the repository is cloned whole by everybody who builds the extension


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", type=Path, help="model file of a training run")
    parser.add_argument("folder", type=Path, help="where the model goes, under the name in its card")
    parser.add_argument("--metrics", action="append", default=[], metavar="NAME=FILE", help="a data set's quality.json")
    parser.add_argument("--trunk-halo", type=int, help="LR voxels for a relative error of 1e-3 of a tiled trunk")
    parser.add_argument("--cpu-seconds", type=float, help="seconds per million SR voxels on the CPU")
    parser.add_argument("--cuda-seconds", type=float, help="seconds per million SR voxels on a GPU")
    parser.add_argument("--hardware", help="what the seconds were measured on")
    parser.add_argument("--index", type=Path, help="index.json of the training, to write what its volumes were like")
    parser.add_argument("--preset", help="of train.py: its name, subject, description, rank and so on go into the card")
    parser.add_argument("--spacing", type=_spacing, metavar="LOW,HIGH", help=SPACING)
    parser.add_argument("--note", help="what else a person should know of the training")
    parser.add_argument("--without-names", action="store_true", help="take names of volumes and paths out of the card")
    options = parser.parse_args(arguments)
    try:
        path = publish(options)
    except SuperResolutionError as error:
        print(error, file=sys.stderr)
        return error.exit_code
    print(f"wrote {path}, {path.stat().st_size} bytes")
    return 0


def publish(options: argparse.Namespace) -> Path:
    """Write the model file with its completed card; return its path.

    Raises:
        ModelError: the model cannot be loaded.
        InputError: no figures or preset of that name, an index without the volumes of the training, a card that names
            volumes or paths, or a file too large to ship.
    """
    model = load_model(options.model)
    known = model.card
    if options.index is not None:
        known = with_ranges(read_index(options.index), ModelMethod(model.card.name, model, EngineSettings()))
    if options.spacing is not None:
        along_each_axis = {"spacing": [options.spacing] * 3} if known.input_ranges else {}
        known = replace(known, spacing_range=options.spacing, input_ranges=known.input_ranges | along_each_axis)
    performance = {
        "trunk_halo": options.trunk_halo,
        "cpu_seconds_per_million_voxels": options.cpu_seconds,
        "cuda_seconds_per_million_voxels": options.cuda_seconds,
        "hardware": options.hardware,
    }
    card = replace(
        known,
        **({} if options.preset is None else _labels(options.preset)),
        metrics=dict(_metrics(text) for text in options.metrics) or known.metrics,
        performance=known.performance | {name: value for name, value in performance.items() if value is not None},
        training=known.training | ({"note": options.note} if options.note else {}),
    )
    if options.without_names:
        card = replace(card, training=without_names(card.training), metrics=without_names(card.metrics))
    named = private_texts(asdict(card))
    if named:
        raise InputError(
            f"The card of {options.model.name} names {len(named)} volumes or paths, which go wherever the model goes "
            f"({', '.join(named[:3])}{' ...' if named[3:] else ''}); take them out with --without-names, or from "
            "--hardware and the description"
        )
    size = 2 * sum(tensor.numel() for tensor in model.network.state_dict().values())
    if size > LARGEST_FILE:
        raise InputError(f"The model takes {size} bytes in fp16, at most {LARGEST_FILE} are shipped")
    path: Path = options.folder / f"{card.name}.safetensors"
    save_model(path, model.network.state_dict(), card, torch.float16)
    return path


def _spacing(text: str) -> tuple[float, float]:
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not 0 < low <= high < float("inf"):
        raise argparse.ArgumentTypeError(f"wanted LOW,HIGH in mm, as in 2.6,4, got {text!r}")
    return low, high


def _labels(preset: str) -> dict[str, Any]:
    """Return what a preset calls its model, by the names of the card's fields."""
    model: dict[str, Any] = {}
    for part in parts_of([preset]):
        model |= part.get("model", {})
    return {name: model[name] for name in LABELS if name in model}


def _metrics(text: str) -> tuple[str, dict[str, Any]]:
    name, separator, file = text.partition("=")
    if not separator or not Path(file).is_file():
        raise InputError(f"--metrics takes NAME=FILE with a file that is there, got {text!r}")
    try:
        values = json.loads(Path(file).read_text())
        means = {
            method: {figure: round(value, 4) for figure, value in scores.items()}
            for method, scores in values["mean"].items()
        }
        return name, {"protocol": values["protocol"], "volumes": len(values["volumes"]), **means}
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise InputError(f"{file} is not what quality.py --json or evaluate.py --forward writes ({error!r})") from error


if __name__ == "__main__":
    sys.exit(main())
