"""The plan of a cross-validation: every part that its command line asks for, with everything refused that can be."""

import argparse
import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.volumes.geometry import Scale
from Training.config import MODEL_NAME, TrainConfig, fields_of
from Training.cross_validation.parts import EVALUATION, PREPARATION_FILE, RUN, VALIDATION, Part
from Training.data.index import IndexEntry, read_index
from Training.data.preparation import PreparationConfig
from Training.data.splits import FILE_NAME, Selection, read_splits, select
from Training.evaluate import make_parser as evaluate_parser
from Training.evaluation.methods import INTERPOLATIONS
from Training.evaluation.plan import VERSION
from Training.preset import parts_of
from Training.train import check_parent, read_config
from Training.trainer import resumption

# Fields of TrainConfig that say where and how fast, not what: a part may go on with others of them.
PLACE = resumption.PLACE
PACE = (
    *resumption.PACE,
    *("loop.save_every", "loop.keep", "loop.time_limit", "loop.accelerator", "loop.threads"),
)
# What each part is told by the cross-validation: fields of the trainings, and options of the evaluations.
OWN_FIELDS = ("out", "config", "data.index", "data.fold")
OWN_OPTIONS = (
    *("index", "out", "split", "fold", "modality", "model", "sr", "interpolations", "scale", "preparation"),
    *("reference", "figures", "report"),
)
OWN_PLACE = ("--index=", "--out=")  # stand for those, while others are looked at
PICTURE = ("figure-volume", "box")  # changes no score


@dataclass(frozen=True)
class Plan:
    """The parts of a cross-validation, in the order of the table and of the folds."""

    folds: tuple[int, ...]
    num_folds: int
    """that the data set has"""
    weights: str
    """last or best: which of a training run's are evaluated"""
    reference: str
    """the method that the others are tested against"""
    out: Path
    """folder of the collected table"""
    figures: bool
    """draw Figure 2 of a volume when all is collected"""
    command: str
    parts: tuple[Part, ...]

    @property
    def methods(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(part.method for part in self.parts))


@dataclass(frozen=True)
class _Trained:
    """A method that is trained."""

    name: str
    presets: tuple[str, ...]
    config: TrainConfig


def make_plan(options: argparse.Namespace, command: str = "") -> Plan:
    """Return the plan that the command line of ``crossvalidate.py`` asks for.

    Args:
        options: what it says.
        command: itself, for the record.

    Raises:
        InputError: no method, presets that are missing, wrong or do not go together, unknown folds, or volumes that
            cannot be used.
    """
    _check_options(options)
    index = read_index(options.index)
    num_folds = len(read_splits(options.index.parent / FILE_NAME).folds)
    folds = _folds(options.folds, num_folds)
    methods = [_trained(chosen, options) for chosen in options.methods]
    interpolations = INTERPOLATIONS if "all" in options.interpolations else options.interpolations
    names = [*interpolations, *(method.name for method in methods)]
    if not names:
        raise InputError("There is nothing to compare: give --methods, --interpolations, or both")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Methods of the same name: {', '.join(twice)}; give one another with --methods NAME=PRESET")
    if options.reference not in (None, *names):
        raise InputError(f"--reference {options.reference} is none of the methods {', '.join(names)}")
    configs = {method.name: method.config for method in methods}
    scale = _common("network.scale", {name: config.network.scale for name, config in configs.items()}, (4, 4, 4))
    modality = _common("data.modality", {name: config.data.modality for name, config in configs.items()}, "")
    preparation = _common(
        "data.preparation", {name: config.data.preparation for name, config in configs.items()}, PreparationConfig()
    )
    modality = modality if options.modality is None else options.modality
    selections = {fold: select(index, options.index.parent, fold, modality) for fold in folds}
    _check_figure(options, selections)
    maker = _PartMaker(options, scale, preparation, modality, selections)
    parts = [maker.interpolation(name, fold) for name in interpolations for fold in folds]
    parts += [maker.training(method, fold) for method in methods for fold in folds]
    name = "all-folds" if len(folds) == num_folds else f"folds-{'-'.join(map(str, folds))}"
    return Plan(
        folds=folds,
        num_folds=num_folds,
        weights=options.weights,
        reference=options.reference or names[-1],
        out=options.out / name,
        figures=options.figures,
        command=command,
        parts=tuple(parts),
    )


def _check_options(options: argparse.Namespace) -> None:
    """Refuse what every part needs its own of.

    Raises:
        InputError: it is named.
    """
    given, unset = _evaluation(options), evaluate_parser().parse_args(OWN_PLACE)
    taken = [f"--evaluate {name}" for name in OWN_OPTIONS if getattr(given, name) != getattr(unset, name)]
    names = [assignment.partition("=")[0] for assignment in options.set]
    taken += [f"--set {name}" for name in names if name in OWN_FIELDS]
    if taken:
        raise InputError(f"{', '.join(taken)}: that is for crossvalidate.py to say to each part")


def _check_figure(options: argparse.Namespace, selections: dict[int, Selection]) -> None:
    wanted = _evaluation(options).figure_volume
    held_out = [entry.file for selection in selections.values() for entry in selection.validation]
    if options.figures and wanted not in (None, *held_out):
        raise InputError(f"--evaluate figure-volume={wanted}: none of these folds holds it out")


def _evaluation(options: argparse.Namespace) -> argparse.Namespace:
    """Return what is said to every evaluation; ends the program where it is wrong."""
    return evaluate_parser().parse_args([*OWN_PLACE, *(f"--{option}" for option in options.evaluate)])


def _folds(chosen: Sequence[str], num_folds: int) -> tuple[int, ...]:
    if list(chosen) == ["all"]:
        return tuple(range(num_folds))
    try:
        folds = sorted({int(fold) for fold in chosen})
    except ValueError as error:
        raise InputError(f"--folds is all, or numbers from 0 to {num_folds - 1}, not {' '.join(chosen)}") from error
    if folds[0] < 0 or folds[-1] >= num_folds:
        raise InputError(f"--folds is all, or numbers from 0 to {num_folds - 1}, not {' '.join(chosen)}")
    return tuple(folds)


def _trained(chosen: str, options: argparse.Namespace) -> _Trained:
    """Read a preset as train.py does, with NAME= in front of it if it shall stand in the table under another name."""
    label, _, preset = chosen.rpartition("=")
    presets = (*options.config, preset)
    modality = {} if options.modality is None else {"modality": options.modality}
    own = {"data": {"index": str(options.index), **modality}, "out": str(options.out)}
    parts = parts_of(presets)
    try:
        config = read_config([*parts, own], [f"--{assignment}" for assignment in options.set])
    except InputError as error:
        raise InputError(f"{preset}: {error}") from error
    if options.in_process and config.loop.devices > 1:
        raise InputError(f"{preset}: loop.devices is {config.loop.devices}, which --in-process cannot start")
    return _Trained(label or config.model.name, presets, config)


def _train_arguments(presets: Sequence[str], options: argparse.Namespace, run: Path) -> tuple[str, ...]:
    configs = [f"--config={preset}" for preset in presets]
    modality = [] if options.modality is None else [f"--data.modality={options.modality}"]
    chosen = [f"--{assignment}" for assignment in options.set]
    return (*configs, *modality, *chosen, f"--data.index={options.index}", f"--out={run}")


def _common(what: str, values: dict[str, Any], default: Any) -> Any:
    """Return the value that all methods share."""
    if len(set(values.values())) > 1:
        listed = ", ".join(f"{name}: {value!r}" for name, value in values.items())
        raise InputError(f"{what} must be the same of all methods of a table, got {listed}")
    return next(iter(values.values()), default)


@dataclass(frozen=True)
class _PartMaker:
    """Makes the parts of one command line."""

    options: argparse.Namespace
    scale: Scale
    preparation: PreparationConfig
    modality: str
    selections: dict[int, Selection]
    """by fold"""

    def interpolation(self, name: str, fold: int) -> Part:
        recipe = {
            "network.scale": list(self.scale),
            "data.preparation": json.loads(json.dumps(asdict(self.preparation))),
            "held-out volumes": _digest(self.selections[fold].validation),
        }
        arguments = [f"--interpolations={name}", f"--scale={','.join(map(str, self.scale))}"]
        return self._part(name, fold, recipe, None, arguments)

    def training(self, method: _Trained, fold: int) -> Part:
        selection, weights = self.selections[fold], self.options.weights
        _check_parent(method, fold, selection)
        recipe = _recipe(
            method.config,
            {
                "data.fold": fold,
                "training volumes": _digest(selection.train),
                "held-out volumes": _digest(selection.validation),
            },
        )
        run = self._folder(method.name, fold) / RUN
        arguments = (*_train_arguments(method.presets, self.options, run), f"--data.fold={fold}")
        if weights == "last":  # what is found before the end is not used; --set may ask for it all the same
            recipe = {name: value for name, value in recipe.items() if name not in VALIDATION}
            arguments = (f"--loop.validate_every={method.config.optimisation.steps}", *arguments)
        return self._part(method.name, fold, recipe, arguments, [f"--model={method.name}={run / weights}.safetensors"])

    def _part(
        self, name: str, fold: int, recipe: dict[str, Any], train: tuple[str, ...] | None, what: list[str]
    ) -> Part:
        options, folder = self.options, self._folder(name, fold)
        place = (f"--index={options.index}", f"--out={folder / EVALUATION}", f"--fold={fold}")
        volumes = (f"--modality={self.modality}", f"--preparation={folder / PREPARATION_FILE}")
        measuring = sorted(option for option in options.evaluate if option.partition("=")[0] not in PICTURE)
        scoring = {"version": VERSION, "options": measuring, "weights": options.weights if train else None}
        chosen = ("--no-figures", "--no-report", *(f"--{option}" for option in options.evaluate))
        arguments = (*what, *place, *volumes, *chosen)
        return Part(name, fold, folder, recipe, self.preparation, scoring, train, arguments)

    def _folder(self, name: str, fold: int) -> Path:
        if not MODEL_NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be a folder's name: use letters, digits, spaces and . + - _ (--methods NAME=PRESET)"
            )
        return self.options.out / "parts" / name / f"fold-{fold}"


def _check_parent(method: _Trained, fold: int, selection: Selection) -> None:
    try:
        if method.config.init_from:
            check_parent(method.config.init_from, selection)
    except InputError as error:
        raise InputError(f"{method.name}, fold {fold}: {error}") from error


def _digest(entries: Iterable[IndexEntry]) -> str:
    """Return a short name for the content of some volumes."""
    files = {entry.file: entry.sha256 for entry in entries}
    return f"{len(files)} ({hashlib.sha256(json.dumps(files, sort_keys=True).encode()).hexdigest()[:12]})"


def _recipe(config: TrainConfig, data: dict[str, Any]) -> dict[str, Any]:
    """Return what a trained model depends on: dotted names of fields, as JSON would give them back.

    Args:
        config: the run.
        data: what was found on its volumes, by name.
    """
    fields = dict(_flat(fields_of(config), ""))
    return {name: value for name, value in fields.items() if name not in PLACE + PACE} | data


def _flat(values: dict[str, Any], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, value in values.items():
        if isinstance(value, dict) and value:
            yield from _flat(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value
