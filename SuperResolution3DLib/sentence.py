"""A sentence for a person, kept as template and values so that a panel can translate it and name its own controls."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Sentence:
    """A template and the values in it; a value may be a sentence in its turn."""

    template: str
    """in English, with the names of the values in braces"""
    values: Mapping[str, object] = field(default_factory=dict)

    def __str__(self) -> str:
        return self.told(str)

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> "Sentence":
        """Make a sentence of a JSON object with its fields.

        Raises:
            KeyError: one of them is missing.
        """
        parts = {
            name: cls.from_values(value) if isinstance(value, Mapping) else value
            for name, value in values["values"].items()
        }
        return cls(values["template"], parts)

    def told(self, translate: Callable[[str], str]) -> str:
        """Return the sentence with its template, and those of the sentences in it, in another language."""
        values = {
            name: value.told(translate) if isinstance(value, Sentence) else value for name, value in self.values.items()
        }
        return translate(self.template).format(**values)
