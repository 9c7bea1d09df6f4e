"""What has no place in a model's card, which goes wherever the model goes: names of volumes, and paths.

A volume is named by the sha256 of its content: whoever has the volume finds it, and nobody learns a name.
"""

import re
from collections.abc import Iterator
from typing import Any

REPLACEMENT = "FILE"
CONTENTS = ("train", "validation")  # parts of a data set, once stored as {name: sha256}
_WORD = re.compile(r"[^\s\"'=,;()\[\]{}<>]+")
_IMAGE = re.compile(r"\.(nii|nrrd|nhdr|mha|mhd|mgh|mgz|dcm|ima|img|hdr)(\.gz)?$", re.IGNORECASE)
_ABSOLUTE = re.compile(r"(~|[A-Za-z]:)?[/\\]+\w")
_OPEN = ("Training/", "https://", "http://")  # the program's own files, and others' that everybody may read


def private_texts(values: Any) -> list[str]:
    """Return every name of a volume and every path in a JSON value, each once, in order."""
    return list(dict.fromkeys(_private(values)))


def without_names(values: Any) -> Any:
    """Return a JSON value with volumes by their content only, and with a word in place of every path.

    Scores that stand under the names of volumes are left out.
    """
    if isinstance(values, str):
        return _WORD.sub(lambda word: REPLACEMENT if _is_private(word[0]) else word[0], values)
    if isinstance(values, list | tuple):
        return [without_names(value) for value in values]
    if isinstance(values, dict):
        return {
            name: sorted(value.values()) if _has_contents(name, value) else without_names(value)
            for name, value in values.items()
            if not any(map(_is_private, _WORD.findall(name))) and not _has_scores(name, value)
        }
    return values


def _private(values: Any) -> Iterator[str]:
    if isinstance(values, str):
        yield from filter(_is_private, _WORD.findall(values))
    elif isinstance(values, list | tuple):
        for value in values:
            yield from _private(value)
    elif isinstance(values, dict):
        for name, value in values.items():
            yield from _private(name)
            yield from value if _has_contents(name, value) or _has_scores(name, value) else _private(value)


def _has_contents(name: str, value: Any) -> bool:
    """Tell whether a value is the content of volumes by their names."""
    return name in CONTENTS and isinstance(value, dict) and all(isinstance(item, str) for item in value.values())


def _has_scores(name: str, value: Any) -> bool:
    """Tell whether a value holds scores by the names of volumes; those by methods say their protocol."""
    is_table = name in CONTENTS and isinstance(value, dict) and bool(value) and "protocol" not in value
    return is_table and all(isinstance(item, dict) for item in value.values())


def _is_private(word: str) -> bool:
    if word.startswith(_OPEN):
        return False
    separators = word.count("/") + word.count("\\")
    has_suffix = bool(separators) and bool(re.search(r"\.[A-Za-z]\w*$", word))
    return bool(_IMAGE.search(word) or _ABSOLUTE.match(word)) or has_suffix or separators > 1
