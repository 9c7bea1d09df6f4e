"""Which volumes a model file says it was trained on: those of its own run, and of every model that it comes from."""

from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import InputError
from SuperResolution3DLib.models.model_card import read_card
from Training.data.splits import Selection


def contents(training: dict[str, Any], part: str = "train") -> set[str]:
    """Return the sha256 of the volumes that a model was trained on, or those that it comes from (fine-tuned, blended).

    Args:
        training: of the card.
        part: train, or validation.
    """
    stored = training.get(part)
    # Files of older versions of this program have them by name.
    own = set(stored.values() if isinstance(stored, dict) else stored if isinstance(stored, list) else ())
    return own.union(*(contents(parent, part) for parent in _parents(training)))


def check_parent(path: Path, selection: Selection) -> None:
    """Refuse to fine-tune a model that was trained, or comes from one that was, on what validates here.

    Raises:
        InputError: it was, by its card.
    """
    seen = contents(read_card(path).training)
    leaked = sorted(entry.file for entry in selection.validation if entry.sha256 in seen)
    if leaked:
        raise InputError(f"init_from: {path.name} was trained on validation volumes of this run: {', '.join(leaked)}")


def is_complete(training: dict[str, Any]) -> bool:
    """Tell whether the model and every model that it comes from say what they were trained on."""
    own = isinstance(training.get("train"), dict | list) or isinstance(training.get("blend"), dict)
    return own and all(map(is_complete, _parents(training)))


def _parents(training: dict[str, Any]) -> list[dict[str, Any]]:
    """Return what is known of the training of the models that one was fine-tuned or blended from."""
    blend = training.get("blend")
    models = [blend.get("first"), blend.get("second")] if isinstance(blend, dict) else []
    if "init_from" in training:
        models.append(training["init_from"])
    return [model.get("training", {}) if isinstance(model, dict) else {} for model in models]
