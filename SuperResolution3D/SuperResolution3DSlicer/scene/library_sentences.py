"""Sentences of the library and of the worker as a person reads them in the panel."""

from SuperResolution3DLib.errors import SuperResolutionError
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DSlicer.scene.library_words import WORDS


def in_own_language(sentence: Sentence) -> str:
    """Return a sentence in the panel's words; one of a newer version, whose code they lack, in English as it came."""
    return sentence.told(WORDS)


def told(error: SuperResolutionError) -> str:
    """Return what an error says; the panel's own errors are in its words already."""
    return in_own_language(error.sentence)
