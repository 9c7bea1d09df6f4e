"""Command lines as records and reports show them: what was asked for, without the folders that somebody has."""

import re
from collections.abc import Iterable

OWN = "Training/"  # presets keep their folder


def without_folders(words: Iterable[str]) -> list[str]:
    """Return the words of a command line with the last part of every path, also in NAME=PATH and inside of JSON."""
    return [_without_folder(word) for word in words]


def _without_folder(word: str) -> str:
    if re.match(r"(--[^=]*=)?[{\[]", word):
        return re.sub(r"\"[^\"]*\"|[^\s,:{}\[\]\"]+", lambda part: _quoted(part[0]), word)
    names, separator, value = word.rpartition("=")
    return names + separator + _last_part(value)


def _quoted(text: str) -> str:
    return f'"{_last_part(text[1:-1])}"' if text.startswith('"') else _last_part(text)


def _last_part(text: str) -> str:
    if text.startswith((OWN, "https://", "http://")) or not re.search(r"[/\\]", text):
        return text
    return re.split(r"[/\\]", text.rstrip("/\\"))[-1] or "FOLDER"
