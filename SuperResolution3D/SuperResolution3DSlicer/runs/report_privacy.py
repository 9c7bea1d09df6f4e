"""Takes out of a text what may tell who the patient or the user is: folders, and the names of volumes."""

import os
import re
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import slicer
from slicer.i18n import tr as _


def without_folders(text: str) -> str:
    """Replace the temporary folder and the user's home folder, however they are written; other folders stay."""
    places = {slicer.app.temporaryPath: _("<temporary folder>")}
    with suppress(RuntimeError):  # a user without a home folder
        places[str(Path.home())] = _("<home folder>")
    names = {spelling: name for place, name in places.items() for spelling in _spellings(Path(place))}
    # A folder of which another one's name begins the same is another one: /home/jan is not in /home/janet.
    return _replaced(text, names, r"{name}(?![\w-])", re.IGNORECASE if os.name == "nt" else 0)


def without_inputs(text: str, names: Sequence[str]) -> str:
    """Replace the names of input volumes, in their order, by ``input 1``, ``input 2``, wherever they are whole words.

    Names that were made from them keep their ends: ``input 1 SRx4``.
    """
    told = {name: _("input {number}").format(number=number) for number, name in enumerate(names, 1) if name.strip()}
    return _replaced(text, told, r"(?<!\w){name}(?!\w)")


def _spellings(folder: Path) -> set[str]:
    """Return a folder as paths, JSON and links to it write it; none for the root of a disk, which is in every path."""
    found = {place for place in (folder, folder.resolve()) if place != Path(place.anchor)}
    return {text for place in found for text in (str(place), place.as_posix(), str(place).replace("\\", "\\\\"))}


def _replaced(text: str, names: dict[str, str], pattern: str, flags: int = 0) -> str:
    """Replace all names in one pass, the longest first, so that no replacement is replaced again."""
    if not names:
        return text
    longest_first = sorted(names, key=len, reverse=True)
    told = {name.lower() if flags else name: names[name] for name in names}
    any_name = f"(?:{'|'.join(re.escape(name) for name in longest_first)})"
    return re.sub(
        pattern.format(name=any_name),
        lambda found: told[found.group().lower() if flags else found.group()],
        text,
        flags=flags,
    )
