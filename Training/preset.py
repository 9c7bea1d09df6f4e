"""Presets: what a training run is told, put together from parts that lie in ``presets``."""

import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from SuperResolution3DLib.errors import InputError
from Training.config_file import read_fields

FOLDER = Path(__file__).resolve().parent / "presets"
NAMES = FOLDER / "names.yaml"
WORDS = "words"  # of a part: they fill the braces in model.name and model.description
FILLED = ("name", "description")
BRACES = re.compile(r"{(\w+)}")


def preset_names() -> dict[str, list[Any]]:
    """Return the names of whole presets, each with its parts: names of files in ``presets``, or fields."""
    return read_fields(NAMES)


def parts_of(presets: Iterable[str]) -> list[dict[str, Any]]:
    """Return the fields of a training run that presets give, part by part: later ones override.

    The model's name and description tell of data, network and recipe, which are different parts. So they may have
    braces, ``{network}-{data}-paper``, and any of the parts says under ``words`` what stands for what is in them.

    Args:
        presets: YAML files, names of presets, or names of parts.

    Raises:
        InputError: there is no such preset, or it cannot be read.
    """
    parts = [part for preset in presets for part in _parts(preset)]
    words = {name: word for part in parts for name, word in (part.get(WORDS) or {}).items()}
    return [_filled(part, words) for part in parts]


def _parts(preset: str) -> list[dict[str, Any]]:
    if Path(preset).is_file():
        return [read_fields(Path(preset))]
    names = preset_names()
    files = {path.stem: path for path in FOLDER.glob("*.yaml") if path != NAMES}
    if preset not in names | files:
        known = ", ".join(sorted(names | files))
        raise InputError(f"There is no preset {preset}: it is neither a file nor one of {known}")
    parts = names.get(preset, [preset])
    return [part if isinstance(part, dict) else read_fields(files[part]) for part in parts]


def _filled(part: dict[str, Any], words: dict[str, str]) -> dict[str, Any]:
    part = {name: value for name, value in part.items() if name != WORDS}
    model = part.get("model")
    if isinstance(model, dict):
        texts = {name: model[name] for name in FILLED if isinstance(model.get(name), str)}
        part["model"] = model | {name: BRACES.sub(lambda at: words.get(at[1], at[0]), texts[name]) for name in texts}
    return part
