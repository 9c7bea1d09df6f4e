"""Measure where a model can be trusted, and write it into the model's card.

python Training/calibrate.py --index index.json --model mr-brain-x4 --companion mr-brain-x4-gan \
    --modality MR --edge 128 --hold-back train/flair-07.nii.gz train/t2-03.nii.gz --out CALIBRATED

OUT/NAME.safetensors is the model with the ranges of its training volumes in its card: in use, a volume that lies
outside them is told. With a companion (a model that was trained with other losses; it is written to OUT, too) the card
also gets a calibrated trust mask, which is found on the volumes of the index that neither was trained on and checked on
its test volumes; at alpha 0.1 that takes 9 volumes. The weights stay as they are. The same command continues after a
stop.
Exit codes: 0 done, 1 bug, 2 bad input, 3 out of memory.
"""

import argparse
import logging
import sys
from dataclasses import replace
from pathlib import Path

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if __name__ == "__main__":  # before PyTorch is imported
    from SuperResolution3DLib.threads import prepare_threads

    prepare_threads()

import torch

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.trust.ensemble import check_ensemble
from SuperResolution3DLib.inference.trust.trust_map import check_pair
from SuperResolution3DLib.models.checkpoint import load_model, save_model
from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.models.model_card import SUFFIX, ModelCard
from Training.calibration.ranges import with_ranges
from Training.calibration.trust import TrustStudy, calibrate_trust
from Training.data.index import read_index
from Training.evaluation.methods import ModelMethod
from Training.exit_code import exit_code

HOLD_BACK = (
    "for the mask: volumes of the part 'train', as the index names them, that were held back from the training; they "
    "are taken beside those of the part 'validation' (default: all volumes that neither model was trained on)"
)


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    options = make_parser().parse_args(arguments)
    return exit_code(lambda: run(options))


def make_parser() -> argparse.ArgumentParser:
    """Return the parser."""
    parser = argparse.ArgumentParser(
        prog="calibrate.py", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    add = parser.add_argument
    add("--index", required=True, type=Path, help="index.json of prepare.py, with the volumes of the training")
    add("--model", required=True, metavar="MODEL", help="model file, or name of an installed model")
    add("--out", required=True, type=Path, help="folder for the model file with its completed card")
    add("--companion", metavar="MODEL", help="second model for a trust mask; without one the card gets none")
    add("--modality", default="", help="for the mask: only volumes whose modality begins with this, for example MR")
    add("--hold-back", nargs="+", action="extend", default=[], metavar="FILE", help=HOLD_BACK)
    add(
        "--bound",
        type=_share,
        default=0.15,
        metavar="F",
        help="by how much of the intensity range the estimate may be off (default: 0.15)",
    )
    add(
        "--alpha",
        type=_share,
        default=0.1,
        metavar="F",
        help="share of the voxels outside the mask that may be off by more (default: 0.1)",
    )
    add("--edge", type=int, default=0, metavar="N", help="for the mask: N HR voxels a side from the middle; 0: all")
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"), help="number format (default: auto)")
    add("--threads", type=int, default=0, help="CPU threads")
    return parser


def run(options: argparse.Namespace) -> None:
    """Calibrate.

    Raises:
        InputError: anything that a person can put right.
    """
    if options.threads:
        torch.set_num_threads(options.threads)
    index = read_index(options.index)
    settings = EngineSettings(options.device, options.precision)
    method = _method(options.model, settings)
    if options.companion is not None and method.model.card.enlarges_slices_only:
        raise InputError(f"{method.name} is for thick slices, for which there is no trust mask: omit --companion")
    card = with_ranges(index, method)
    if options.companion is not None:
        other = _method(options.companion, settings)
        check_ensemble(card)
        check_pair(card, other.model.card)
        companion = load_model(write_model(options.out, other, with_ranges(index, other)))  # its file as it will be
        method = replace(method, model=replace(method.model, card=card))
        measured = options.out / "measured"
        study = TrustStudy(index, method, companion, options.modality, options.edge, tuple(options.hold_back), measured)
        calibration, figures = calibrate_trust(study, options.bound, options.alpha)
        metrics = card.metrics | ({"trust mask, test": figures} if figures else {})
        card = replace(card, trust=calibration.to_card(), metrics=metrics)
    write_model(options.out, method, card)


def _method(chosen: str, settings: EngineSettings) -> ModelMethod:
    model = load_model(find_model(chosen))
    return ModelMethod(model.card.name, model, settings)


def write_model(folder: Path, method: ModelMethod, card: ModelCard) -> Path:
    """Write the model with its completed card; return its file.

    Raises:
        OutputError: it cannot be written.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{folder} cannot be written ({error.strerror}); choose another folder") from error
    path = folder / f"{card.name}{SUFFIX}"
    save_model(path, method.model.network.state_dict(), card)
    print(f"wrote {path}")
    return path


def _share(text: str) -> float:
    try:
        share = float(text)
    except ValueError:
        share = 0.0
    if not 0 < share < 1:
        raise argparse.ArgumentTypeError(f"wanted a share between 0 and 1, got {text!r}")
    return share


if __name__ == "__main__":
    sys.exit(main())
