"""Configurations as files: what a run was made with, and what a process of its own is to do."""

import json
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import yaml  # type: ignore[import-untyped]

from SuperResolution3DLib.errors import InputError
from Training.whole_file import whole_file

if TYPE_CHECKING:
    from _typeshed import DataclassInstance


def fields_of(config: "DataclassInstance") -> dict[str, Any]:
    """Return all fields as JSON and YAML have them: lists for tuples, text for paths."""
    return dict(json.loads(json.dumps(asdict(config), default=str)))


def write_config(path: Path, config: "DataclassInstance") -> None:
    """Write all fields as YAML.

    Raises:
        OutputError: the file cannot be written.
    """
    with whole_file(path) as temporary:
        temporary.write_text(yaml.safe_dump(fields_of(config), sort_keys=False), "utf-8")


def read_fields(path: Path) -> dict[str, Any]:
    """Read a YAML file of fields.

    Raises:
        InputError: it cannot be read, is no YAML, or holds something else.
    """
    try:
        fields = yaml.safe_load(path.read_text("utf-8"))
    except (OSError, ValueError, yaml.YAMLError) as error:
        raise InputError(f"{path} cannot be read: {error}") from error
    if not isinstance(fields, dict):
        raise InputError(f"{path} holds no fields: write NAME: VALUE on each line, as in Training/presets")
    return fields
