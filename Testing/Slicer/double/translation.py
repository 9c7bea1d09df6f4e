"""The module ``slicer.i18n``."""

import inspect
import string
import types
from pathlib import Path

import slicer

translations: dict[tuple[str, str], str] = {}
"""(context, text) -> translation; a test fills it to see that a text goes through `tr`"""
asked: set[tuple[str, str]] = set()
"""(context, text) of every call"""


def translate(context: str, text: str) -> str:
    """Translate in a context. Follows Slicer's Base/Python/slicer/i18n.py.

    Raises:
        TypeError: context or text is not text
    """
    for given in (context, text):
        if not isinstance(given, str):
            raise TypeError(f"Only text can be translated, not {given!r}")
    asked.add((context, text))
    return translations.get((context, text)) or slicer.app.translate(context, text)


def tr(text: str) -> str:
    """Translate in the context of the calling file: its name, after that of its package.

    A translation with other placeholders is refused, as in Slicer.
    """
    caller = inspect.currentframe().f_back
    path = Path(caller.f_code.co_filename)
    package = f"{path.parent.name}." if (path.parent / "__init__.py").is_file() else ""
    result = translate(package + path.stem, text)
    return result if _placeholders(result) == _placeholders(text) else text


def module() -> types.ModuleType:
    """Return the module ``slicer.i18n``."""
    result = types.ModuleType("slicer.i18n", __doc__)
    result.tr, result.translate = tr, translate
    return result


def _placeholders(text: str) -> set[str]:
    try:
        return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}
    except ValueError:  # a lone brace: no format string
        return set()
