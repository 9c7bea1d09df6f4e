"""Sentences of the library and the worker, made fit for the person at the panel."""

from pathlib import Path

import slicer
from slicer.i18n import tr as _


def with_full_stop(sentence: str) -> str:
    """Return a sentence that another one can follow."""
    return sentence if not sentence or sentence.endswith((".", "!", "?")) else f"{sentence}."


def without_files(sentence: str, folder: Path, title: str) -> str:
    """Name volumes instead of the files in a run's folder, which nobody knows and which are gone after it.

    Args:
        sentence: of an error.
        folder: of the run.
        title: name of the run's input.
    """
    names = {
        "input.nrrd": title,
        "result.nrrd": _("the result of {name}").format(name=title),
        "zero-filled.nrrd": _("the zero-filled volume of {name}").format(name=title),
    }
    for file, name in names.items():
        for written in (str(folder / file), file):
            sentence = sentence.replace(written, name)
    return sentence.replace(str(folder), slicer.app.temporaryPath)
