"""What models say of their training: whether they have seen a held-out subject, and how its volumes were prepared."""

from collections.abc import Sequence
from typing import Any

from SuperResolution3DLib.errors import InputError
from Training.data.index import Index, IndexEntry
from Training.data.preparation import PreparationConfig
from Training.evaluation.methods import Method, ModelMethod, preparation_of
from Training.evaluation.seen_volumes import is_complete
from Training.preset import parts_of

VALIDATED = "volumes validated its training"  # ends a note


def check_unseen(
    methods: Sequence[Method], index: Index, entries: Sequence[IndexEntry], *, allowed: bool = False
) -> list[str]:
    """Make sure that no model was trained on a subject that it is scored on.

    Args:
        methods: the rows of a table.
        index: knows the subjects of the volumes that a model was trained on.
        entries: the volumes that are scored.
        allowed: say so instead of refusing.

    Returns:
        Lines that stand with the table: models that say nothing of their training, or that were chosen by these
        volumes.

    Raises:
        InputError: a model was; models and subjects are named.
    """
    notes, leaks = [], []
    for method in methods:
        if not isinstance(method, ModelMethod):
            continue
        seen = _subjects(index, method.trained_on())
        both = sorted(
            {entry.subject for entry in entries if entry.sha256 in method.trained_on()} | (seen & _of(entries))
        )
        if both:
            leaks.append(f"{method.name} was trained on {len(both)} of the subjects: {', '.join(both)}")
        if not is_complete(method.model.card.training):
            notes.append(f"{method.name}: its file does not say all that it was trained on")
        chosen = sum(entry.sha256 in method.trained_on("validation") for entry in entries)
        if chosen:
            notes.append(f"{method.name}: {chosen} of {len(entries)} {VALIDATED}")
    if leaks and not allowed:
        raise InputError(f"{'; '.join(leaks)}. Score it on others (--split, --fold)")
    return [*leaks, *notes]


def common_preparation(methods: Sequence[Method]) -> PreparationConfig:
    """Return how volumes are prepared: as the models were trained.

    Raises:
        InputError: they were trained in different ways.
    """
    found = {method.name: method.preparation for method in methods if isinstance(method, ModelMethod)}
    known = {name: preparation for name, preparation in found.items() if preparation is not None}
    if len(set(known.values())) > 1:
        listed = "; ".join(f"{name}: {preparation}" for name, preparation in known.items())
        raise InputError(
            f"The models were trained on volumes that were prepared in different ways ({listed}); choose "
            "one with --preparation PRESET"
        )
    return next(iter(known.values()), PreparationConfig())


def preset_preparation(preset: str) -> PreparationConfig:
    """Return how volumes are prepared by a preset.

    Raises:
        InputError: there is none, it cannot be read, or its preparation makes no sense.
    """
    values: dict[str, Any] = {}
    for part in parts_of([preset]):
        data = part.get("data")
        values |= (data.get("preparation") if isinstance(data, dict) else None) or {}
    return preparation_of(values)


def _subjects(index: Index, contents: set[str]) -> set[str]:
    return {entry.subject for entry in index.entries if entry.sha256 in contents}


def _of(entries: Sequence[IndexEntry]) -> set[str]:
    return {entry.subject for entry in entries}
