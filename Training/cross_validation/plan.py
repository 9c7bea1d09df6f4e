"""The plan of a cross-validation: every part that is asked for, with everything refused that can be."""

import hashlib
import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import InputError
from Training.config import MODEL_NAME, TrainConfig
from Training.config_file import fields_of
from Training.cross_validation.parts import EVALUATION, RUN, VALIDATION, Part
from Training.data.index import IndexEntry, read_index
from Training.data.preparation import PreparationConfig
from Training.data.splits import FILE_NAME, Selection, read_splits, select
from Training.evaluation.plan import VERSION
from Training.evaluation.request import EvaluationRequest
from Training.evaluation.seen_volumes import check_parent
from Training.trainer import resumption

# Fields of TrainConfig that say where and how fast, not what: a part may go on with others of them.
PLACE = resumption.PLACE
PACE = (
    *resumption.PACE,
    *("loop.save_every", "loop.keep", "loop.time_limit", "loop.accelerator", "loop.threads"),
)


@dataclass(frozen=True)
class TrainedMethod:
    """A method that is trained."""

    name: str
    config: TrainConfig
    """of the training, but for its folder and its fold"""


@dataclass(frozen=True)
class Comparison:
    """What a cross-validation is asked for."""

    trained: Sequence[TrainedMethod]
    interpolations: Sequence[str]
    evaluation: EvaluationRequest
    """what all parts share; its ``out`` is the folder of them all, its modality empty where the presets say it"""
    measuring: Sequence[str]
    """the options of the evaluation that scores depend on, for the record"""
    folds: Sequence[str] = ("all",)
    """all, or their numbers"""
    weights: str = "last"
    """last or best: which of a training run's are evaluated"""
    reference: str | None = None
    """the method that the others are tested against; None: the last"""
    figures: bool = True
    """draw Figure 2 of a volume when all is collected"""


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


def make_plan(asked: Comparison, command: str = "") -> Plan:
    """Return the plan of what is asked for.

    Args:
        asked: methods, folds, and how they are evaluated.
        command: the command line, for the record.

    Raises:
        InputError: no method, methods that do not go together, unknown folds, or volumes that cannot be used.
    """
    place = asked.evaluation.index
    index = read_index(place)
    num_folds = len(read_splits(place.parent / FILE_NAME).folds)
    folds = _folds(asked.folds, num_folds)
    names = [*asked.interpolations, *(method.name for method in asked.trained)]
    if not names:
        raise InputError("There is nothing to compare: give --methods, --interpolations, or both")
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise InputError(f"Methods of the same name: {', '.join(twice)}; give one another with --methods NAME=PRESET")
    if asked.reference not in (None, *names):
        raise InputError(f"--reference {asked.reference} is none of the methods {', '.join(names)}")
    configs = {method.name: method.config for method in asked.trained}
    scale = _common("network.scale", {name: config.network.scale for name, config in configs.items()}, (4, 4, 4))
    modality = _common(
        "data.modality", {name: config.data.modality for name, config in configs.items()}, asked.evaluation.modality
    )
    preparation = _common(
        "data.preparation", {name: config.data.preparation for name, config in configs.items()}, PreparationConfig()
    )
    evaluation = replace(
        asked.evaluation, scale=scale, modality=modality, preparation=preparation, figures=False, report=False
    )
    selections = {fold: select(index, place.parent, fold, modality) for fold in folds}
    _check_figure(asked, selections)
    maker = _PartMaker(asked, evaluation, selections)
    parts = [maker.interpolation(name, fold) for name in asked.interpolations for fold in folds]
    parts += [maker.training(method, fold) for method in asked.trained for fold in folds]
    name = "all-folds" if len(folds) == num_folds else f"folds-{'-'.join(map(str, folds))}"
    return Plan(
        folds=folds,
        num_folds=num_folds,
        weights=asked.weights,
        reference=asked.reference or names[-1],
        out=evaluation.out / name,
        figures=asked.figures,
        command=command,
        parts=tuple(parts),
    )


def _check_figure(asked: Comparison, selections: dict[int, Selection]) -> None:
    wanted = asked.evaluation.figure_volume
    held_out = [entry.file for selection in selections.values() for entry in selection.validation]
    if asked.figures and wanted not in (None, *held_out):
        raise InputError(f"--evaluate figure-volume={wanted}: none of these folds holds it out")


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


def _common(what: str, values: dict[str, Any], default: Any) -> Any:
    """Return the value that all methods share."""
    if len(set(values.values())) > 1:
        listed = ", ".join(f"{name}: {value!r}" for name, value in values.items())
        raise InputError(f"{what} must be the same of all methods of a table, got {listed}")
    return next(iter(values.values()), default)


@dataclass(frozen=True)
class _PartMaker:
    """Makes the parts of one comparison."""

    asked: Comparison
    evaluation: EvaluationRequest
    """of every part, but for its methods, its folder and its fold"""
    selections: dict[int, Selection]
    """by fold"""

    def interpolation(self, name: str, fold: int) -> Part:
        fields = fields_of(self.evaluation)
        recipe = {
            "network.scale": fields["scale"],
            "data.preparation": fields["preparation"],
            "held-out volumes": _digest(self.selections[fold].validation),
        }
        return self._part(name, fold, recipe, None, replace(self.evaluation, interpolations=(name,)))

    def training(self, method: TrainedMethod, fold: int) -> Part:
        selection, weights = self.selections[fold], self.asked.weights
        _check_parent(method, fold, selection)
        recipe = _recipe(
            method.config,
            {
                "data.fold": fold,
                "training volumes": _digest(selection.train),
                "held-out volumes": _digest(selection.validation),
            },
        )
        if weights == "last":
            recipe = {name: value for name, value in recipe.items() if name not in VALIDATION}
        run = self._folder(method.name, fold) / RUN
        config = replace(method.config, out=run, data=replace(method.config.data, fold=fold))
        model = f"{method.name}={run / weights}.safetensors"
        return self._part(method.name, fold, recipe, config, replace(self.evaluation, model=(model,)))

    def _part(
        self, name: str, fold: int, recipe: dict[str, Any], training: TrainConfig | None, evaluation: EvaluationRequest
    ) -> Part:
        weights = self.asked.weights if training else None
        scoring = {"version": VERSION, "options": sorted(self.asked.measuring), "weights": weights}
        folder = self._folder(name, fold)
        return Part(
            name, fold, folder, recipe, scoring, training, replace(evaluation, fold=fold, out=folder / EVALUATION)
        )

    def _folder(self, name: str, fold: int) -> Path:
        if not MODEL_NAME.fullmatch(name):
            raise InputError(
                f"{name!r} cannot be a folder's name: use letters, digits, spaces and . + - _ (--methods NAME=PRESET)"
            )
        return self.evaluation.out / "parts" / name / f"fold-{fold}"


def _check_parent(method: TrainedMethod, fold: int, selection: Selection) -> None:
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
