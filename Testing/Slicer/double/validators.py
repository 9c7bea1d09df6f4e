"""Annotations of parameters: what values they take. Follows
https://slicer.readthedocs.io/en/latest/developer_guide/parameter_nodes/parameter_nodes.html ("Validators", "Default").
"""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from typing import Any


class Validator:
    """What a value must fulfil before it is stored."""

    def validate(self, value: Any) -> None:
        """Raise for a value that is not allowed."""
        raise NotImplementedError(f"{type(self).__name__} does not say what it allows")


class NotNone(Validator):
    """Refuses None."""

    def validate(self, value: Any) -> None:
        if value is None:
            raise ValueError("The value must not be None")


class IsInstance(Validator):
    """Refuses values of another type."""

    def __init__(self, classtype: type | tuple[type, ...]) -> None:
        self.classtype = classtype

    def validate(self, value: Any) -> None:
        if value is not None and not isinstance(value, self.classtype):
            raise TypeError(f"The value must be of type {self.classtype}, but {value!r} is a {type(value).__name__}")


class Minimum(Validator):
    """Refuses values below."""

    def __init__(self, minimum: float) -> None:
        self.minimum = minimum

    def validate(self, value: Any) -> None:
        if value < self.minimum:
            raise ValueError(f"The value must be at least {self.minimum}, not {value}")


class Maximum(Validator):
    """Refuses values above."""

    def __init__(self, maximum: float) -> None:
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if value > self.maximum:
            raise ValueError(f"The value must be at most {self.maximum}, not {value}")


class WithinRange(Validator):
    """Refuses values outside, the ends belonging to it."""

    def __init__(self, minimum: float, maximum: float) -> None:
        self.minimum = minimum
        self.maximum = maximum

    def validate(self, value: Any) -> None:
        if not self.minimum <= value <= self.maximum:
            raise ValueError(f"The value must lie within [{self.minimum}, {self.maximum}], not at {value}")


class Choice(Validator):
    """Takes one of a list."""

    def __init__(self, choices: Collection[Any]) -> None:
        self.choices = choices

    def validate(self, value: Any) -> None:
        if value not in self.choices:
            raise ValueError(f"The value must be one of {self.choices}, not {value!r}")


class Exclude(Validator):
    """Refuses a list of values."""

    def __init__(self, excludedValues: Collection[Any]) -> None:
        self.excludedValues = excludedValues

    def validate(self, value: Any) -> None:
        if value in self.excludedValues:
            raise ValueError(f"The value must be none of {self.excludedValues}, not {value!r}")


class Default:
    """The value of a parameter that nobody has set."""

    def __init__(self, value: Any = None, *, generator: Callable[[], Any] | None = None) -> None:
        self._value = value
        self._generator = generator

    @property
    def value(self) -> Any:
        return self._generator() if self._generator else self._value


@dataclass
class Decimals:
    """How many decimals a spin box shows."""

    value: int


@dataclass
class SingleStep:
    """What one click on a spin box adds."""

    value: float


ALL = (
    Validator, NotNone, IsInstance, Minimum, Maximum, WithinRange, Choice, Exclude, Default, Decimals, SingleStep,
)  # fmt: skip
