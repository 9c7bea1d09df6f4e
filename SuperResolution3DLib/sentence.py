"""A sentence for a person, kept as code and values so that a panel can say it in its own language and words."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from SuperResolution3DLib.english import ENGLISH


@dataclass(frozen=True)
class Sentence:
    """What is said, by its code, and the values in it; a value may be a sentence in its turn."""

    code: str
    """of ``ENGLISH``; of a text that has no code of its own what it concerns, such as volume"""
    values: Mapping[str, object] = field(default_factory=dict, hash=False)
    message: str = ""
    """in English: made of code and values, or as whoever sent the sentence made it"""

    def __post_init__(self) -> None:
        if not self.message:
            object.__setattr__(self, "message", ENGLISH[self.code].format(**self.values))

    def __str__(self) -> str:
        return self.message

    @property
    def kind(self) -> str:
        """What the sentence concerns: the code up to the first hyphen."""
        return self.code.partition("-")[0]

    @classmethod
    def from_values(cls, values: Mapping[str, Any]) -> Self:
        """Make a sentence of a JSON object with its fields; those of another version keep their message.

        Raises:
            KeyError: the code is missing, or the message of an unknown one or of one without its values.
            TypeError, ValueError: a field is of another kind.
        """
        parts = {
            name: Sentence.from_values(value) if isinstance(value, Mapping) else value
            for name, value in dict(values.get("values", {})).items()
        }
        return cls(values["code"], parts, values.get("message", ""))

    def told(self, words: Mapping[str, str]) -> str:
        """Return the sentence in other words for its code and those of the sentences in it; in English without any.

        Words that do not fit the values, as those of another version may not, are none.
        """
        values = {
            name: value.told(words) if isinstance(value, Sentence) else value for name, value in self.values.items()
        }
        try:
            return words[self.code].format(**values)
        except (LookupError, ValueError):
            return self.message


@dataclass(frozen=True)
class Warned(Sentence):
    """Something that does not stop a run."""
