"""Sentences of the library and the worker, made fit for the person at the panel."""

import re
from pathlib import Path

import slicer
from slicer.i18n import tr as _

from SuperResolution3DLib.models.model_card import ModelCard
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DSlicer.scene.checks import modality_warning, spacing_warning
from SuperResolution3DSlicer.scene.library_sentences import in_own_language

WORKING_FOLDER = r"(?<=\s)\.(?=[;,\s])"  # "are free in .; free some": the worker names it so, no sentence ends so


def with_full_stop(sentence: str) -> str:
    """Return a sentence that another one can follow."""
    return sentence if not sentence or sentence.endswith((".", "!", "?")) else f"{sentence}."


def warning_sentence(
    warned: Warned, input_node: slicer.vtkMRMLScalarVolumeNode, card: ModelCard, plane: str | None = None
) -> str:
    """Return a warning of the worker's report; what the panel tells before the run it tells in the same words after it.

    Args:
        warned: of the report.
        input_node: of the run.
        card: of its model.
        plane: of its slices, as a person gave it.
    """
    told = ""  # also where the volume was changed meanwhile
    if warned.kind == "spacing":
        told = spacing_warning(input_node, card, plane)
    elif warned.kind == "modality":
        told = modality_warning(input_node, card)
    return told or with_full_stop(in_own_language(warned))


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
        "trust-map.nrrd": _("the trust map of {name}").format(name=title),
    }
    for file, name in names.items():
        for written in (str(folder / file), file):
            sentence = sentence.replace(written, name)
    sentence = re.sub(WORKING_FOLDER, lambda _found: str(folder), sentence)
    return sentence.replace(str(folder), slicer.app.temporaryPath)
