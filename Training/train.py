"""Train a generator.

python Training/train.py --config mr-brain-x4 --data.index index.json --out RUN

--config is a preset of Training/presets by its name, or a YAML file; several may be given: later ones override, and the
other options override all of them.

An unfinished run in the folder is continued by the same command; while one still runs there, another is refused.
Exit codes: 0 done, 1 diverged or bug, 2 bad input, 75 stopped by a signal or the time limit before the end: start the
same command again.

Short names: --init-from for --init_from, --perceptual-weights for --loss.perceptual.weights, --time-limit for
--loop.time_limit.
"""

import argparse
import json
import logging
import shlex
import sys
from collections.abc import Iterable
from contextlib import AbstractContextManager, ExitStack, nullcontext
from dataclasses import replace
from pathlib import Path
from typing import Any

if __package__ in (None, ""):  # run as a file from a bare checkout, from any folder
    # Not beside it: there others' imports of config, datasets or evaluate would find ours.
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

if __name__ == "__main__":  # before PyTorch is imported
    from SuperResolution3DLib.threads import prepare_threads

    prepare_threads()

import torch
from jsonargparse import ArgumentError, ArgumentParser, set_parsing_settings
from lightning.fabric import Fabric

from SuperResolution3DLib.cli.standard_streams import never_fail
from SuperResolution3DLib.errors import InputError, ModelError
from SuperResolution3DLib.kept_memory import keep_freed_memory
from Training.command_record import without_folders
from Training.config import LoopConfig, TrainConfig
from Training.config_file import write_config
from Training.data.appearance import AppearanceConfig
from Training.data.degradation import prepare_volumes
from Training.data.index import Index, IndexEntry, check_unchanged, read_index
from Training.data.splits import Selection, select
from Training.data.training_volume import TrainingVolume
from Training.evaluation.perceptual_metrics import Lpips
from Training.evaluation.seen_volumes import check_parent
from Training.exit_code import exit_code
from Training.folder_lock import locked
from Training.preset import parts_of
from Training.trainer.checkpoints import MODELS
from Training.trainer.distributed import connection, first_here_then_others, together
from Training.trainer.launch import fitted, make_fabric
from Training.trainer.perceptual_loss import PerceptualLoss
from Training.trainer.run_card import run_card, write_volume_names
from Training.trainer.run_log import make_logger
from Training.trainer.slice_validation import SliceValidation
from Training.trainer.stop_request import StopRequest
from Training.trainer.trainer import Trainer
from Training.trainer.validation import Validation, drawn
from Training.trainer.vgg19 import load_vgg19

log = logging.getLogger(__name__)

EXIT_AGAIN = 75  # EX_TEMPFAIL
CONFIG_FILE = "config.yaml"
CACHE_FOLDER = "volumes"  # below the run's, for several processes without data.cache
SHORT_NAMES = {
    "--init-from": "--init_from",
    "--perceptual-weights": "--loss.perceptual.weights",
    "--time-limit": "--loop.time_limit",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; return the exit code."""
    never_fail()
    logging.basicConfig(level=logging.INFO, format="%(message)s")
    given = with_full_names(sys.argv[1:] if arguments is None else arguments)
    return exit_code(lambda: run(_read_command(given), recorded_command(given)))


def make_parser() -> ArgumentParser:
    """Return the parser: every field of the configuration is an option."""
    set_parsing_settings(docstring_parse_attribute_docstrings=True)
    parser = ArgumentParser(
        prog="train.py",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
        exit_on_error=False,
    )
    parser.add_argument("--config", action="config", help="preset with any of the fields below; may be repeated")
    parser.add_class_arguments(TrainConfig)
    return parser


def _read_command(given: list[str]) -> TrainConfig:
    parser = argparse.ArgumentParser(add_help=False, allow_abbrev=False)
    parser.add_argument("--config", action="append", default=[])
    presets, options = parser.parse_known_args(given)
    return read_config(parts_of(presets.config), options)


def read_config(parts: Iterable[dict[str, Any]], options: Iterable[str] = ()) -> TrainConfig:
    """Return the run that parts of a preset and options describe together; later ones override.

    Args:
        parts: fields, see ``parts_of``.
        options: ``--data.fold=2`` and the like.

    Raises:
        InputError: fields that are missing, unknown, of another type, or contradict each other.
    """
    parser = make_parser()
    try:
        values = parser.parse_args([*(f"--config={json.dumps(part)}" for part in parts), *options])
        return TrainConfig(**{name: value for name, value in parser.instantiate(values).items() if name != "config"})
    except (ArgumentError, ValueError) as error:
        raise InputError(str(error)) from error


def with_full_names(arguments: list[str]) -> list[str]:
    """Return a command line with the short names of options replaced by the fields they stand for."""
    words = (word.partition("=") for word in arguments)
    return [SHORT_NAMES.get(name, name) + separator + value for name, separator, value in words]


def run(config: TrainConfig, command: str = "") -> int:
    """Train; return 0, or 75 when the run was stopped before its end.

    Args:
        config: the run.
        command: goes into the model's card.
    """
    asked_for = config
    if config.loop.threads:
        torch.set_num_threads(config.loop.threads)
    config = replace(config, loop=fitted(config.loop))
    fabric = make_fabric(config.loop)
    fabric.launch()  # outside: who waits here for other processes hears no handler, so signals had better end it
    if config.loop.threads:  # Lightning shares out the processors where it starts several processes
        torch.set_num_threads(config.loop.threads)
    with StopRequest(EXIT_AGAIN, config.loop.time_limit) as stop, connection(fabric), ExitStack() as held:
        if_first: AbstractContextManager[object] = (
            locked(config.out, wait=False) if fabric.is_global_zero else nullcontext()
        )
        together(fabric, lambda: held.enter_context(if_first))  # no other training writes into the folder meanwhile
        trainer = make_trainer(config, command, fabric)
        if fabric.is_global_zero:  # only now: a run that refuses to be continued keeps its own
            write_config(config.out / CONFIG_FILE, asked_for)
        finished = trainer.fit(stop)
    if finished and fabric.is_global_zero:
        models = [config.out / name for name in MODELS if (config.out / name).is_file()]
        log.info("done, the models are %s", " and ".join(map(str, models)))
    return 0 if finished else EXIT_AGAIN


def make_trainer(config: TrainConfig, command: str, fabric: Fabric) -> Trainer:
    """Load and prepare all that a run needs, and continue it where its last checkpoint stands.

    Raises:
        SuperResolutionError: what cannot work, before the first step; see ``together``.
    """
    together(fabric, lambda: make_logger(config.loop.logger, config.out))  # whether it is there at all
    index, selection = together(fabric, lambda: _select(config))
    lpips, perceptual = together(fabric, lambda: (_load_lpips(config.loop, fabric), _load_perceptual(config)))
    scored = drawn(selection.validation, config.loop.validate_volumes, config.seed)
    prepared = replace(selection, validation=scored)
    train, held_out = first_here_then_others(fabric, lambda: _prepare(config, index, prepared, _cache(config, fabric)))
    card = run_card(config, command, selection, train, perceptual)
    validation = (SliceValidation if config.thick_slices else Validation)(held_out, card, fabric, lpips)
    together(fabric, lambda: validation.check(scored))
    trainer = together(fabric, lambda: Trainer(config, card, train, validation, perceptual, fabric))
    together(fabric, lambda: write_volume_names(config.out, selection) if fabric.is_global_zero else None)
    return trainer


def _select(config: TrainConfig) -> tuple[Index, Selection]:
    index = read_index(config.data.index)
    selection = select(index, config.data.index.parent, config.data.fold, config.data.modality)
    check_unchanged(index, (*selection.train, *selection.validation))
    if config.init_from:
        check_parent(config.init_from, selection)
    return index, selection


def recorded_command(arguments: list[str]) -> str:
    """Return the command line without folders, which say nothing about the recipe."""
    parser = argparse.ArgumentParser(allow_abbrev=False)
    for name in ("--data.index", "--data.cache", "--out"):
        parser.add_argument(name)
    _, rest = parser.parse_known_args(arguments)
    return shlex.join(["python", "Training/train.py", *without_folders(rest), "--data.index", "INDEX", "--out", "RUN"])


def _load_lpips(loop: LoopConfig, fabric: Fabric) -> Lpips | None:
    if not loop.lpips:
        return None
    try:
        return Lpips(device=fabric.device)
    except ModelError as error:
        if loop.best == "lpips":
            raise
        log.info("Validation without LPIPS: %s", error)
        return None


def _load_perceptual(config: TrainConfig) -> PerceptualLoss | None:
    if not config.loss.perceptual_weight:
        return None
    perceptual = config.loss.perceptual
    network = load_vgg19(list(perceptual.layers), perceptual.weights, download=perceptual.download)
    return PerceptualLoss(perceptual, network)


def _cache(config: TrainConfig, fabric: Fabric) -> Path | None:
    """Return where degraded volumes are kept: with several processes never in memory, for each of them does the same.

    The processes of a node share the run's folder, so one of them prepares.
    """
    if config.data.cache is None and fabric.world_size > 1:
        log.info("the processes share the degraded volumes in %s", config.out / CACHE_FOLDER)
        return config.out / CACHE_FOLDER
    return config.data.cache


def _prepare(
    config: TrainConfig, index: Index, selection: Selection, cache: Path | None
) -> tuple[list[TrainingVolume], list[TrainingVolume]]:
    data, scale = config.data, config.network.scale

    def prepared(
        entries: tuple[IndexEntry, ...], num_shifts: int, smallest: int, appearance: AppearanceConfig | None = None
    ) -> list[TrainingVolume]:
        return prepare_volumes(
            index,
            entries,
            data.preparation,
            scale=scale,
            grid=data.grid,
            intensity=config.model.intensity,
            intensity_from=config.model.intensity_from,
            num_shifts=num_shifts,
            seed=config.seed,
            cache=cache,
            smallest_lr=smallest,
            num_workers=data.preparation_workers,
            appearance=appearance,
        )

    smallest = 1 if config.thick_slices else data.patch_size  # of slices each patch says itself what it needs
    train = prepared(selection.train, data.grid_shifts, smallest, data.appearance)
    return train, prepared(selection.validation, 1, 1)


if __name__ == "__main__":
    keep_freed_memory()
    sys.exit(main())
