"""Measure where a model can be trusted, and write it into the model's card.

python Training/calibrate.py --index index.json --model rrdb-mr-brain-x4 --out CALIBRATED

OUT/NAME.safetensors is the model with the ranges of its training volumes in its card: in use, a volume that lies
outside them is told. The weights stay as they are.
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

import torch

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError, OutputError
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.models.checkpoint import save_model
from SuperResolution3DLib.models.model_card import SUFFIX, ModelCard
from Training.calibration.ranges import measured_ranges
from Training.data.index import read_index
from Training.evaluation.methods import ModelMethod, model_method
from Training.exit_code import exit_code


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
    add("--device", default="auto", help="auto, cpu, cuda or cuda:N")
    add("--precision", default="auto", choices=("auto", "fp32", "bf16"))
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
    method = model_method(options.model, EngineSettings(options.device, options.precision))
    if method.model.card.enlarges_slices_only:
        raise InputError(f"{method.name} is a model for thick slices, whose input is not measured yet")
    ranges = measured_ranges(index, method)
    write_model(options.out, method, replace(method.model.card, input_ranges=ranges.to_card()))


def write_model(folder: Path, method: ModelMethod, card: ModelCard) -> None:
    """Write the model with its completed card.

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


if __name__ == "__main__":
    sys.exit(main())
