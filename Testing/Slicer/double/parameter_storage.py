"""How a parameter of each type is written into a vtkMRMLScriptedModuleNode, so that it is saved with the scene.

Follows https://slicer.readthedocs.io/en/latest/developer_guide/parameter_nodes/parameter_nodes.html: text for simple
values, node references for nodes, ``name.0``, ``name.1`` ... for the members of a union or a list. A type that Slicer
cannot store raises.
"""

import collections.abc
import enum
import pathlib
import types
import typing
from collections.abc import Callable
from typing import Any

import slicer

from Testing.Slicer.double.validators import IsInstance, NotNone, Validator

Node = slicer.vtkMRMLScriptedModuleNode


class Storage:
    """Writes and reads the values of one type; the validators see a value first."""

    def __init__(self, validators: list[Validator], default: Any) -> None:
        self.validators = validators
        self.default = default

    def validate(self, value: Any) -> None:
        """Raise for a value that must not be stored."""
        for validator in self.validators:
            validator.validate(value)

    def is_in(self, node: Node, name: str) -> bool:
        return bool(node.HasParameter(name))

    def write(self, node: Node, name: str, value: Any) -> None:
        raise NotImplementedError

    def read(self, node: Node, name: str) -> Any:
        raise NotImplementedError

    def remove(self, node: Node, name: str) -> None:
        node.UnsetParameter(name)


class TextStorage(Storage):
    """str, int, float, bool, Path and Enum, as text."""

    def __init__(
        self,
        validators: list[Validator],
        default: Any,
        to_text: Callable[[Any], str],
        from_text: Callable[[str], Any],
    ) -> None:
        super().__init__(validators, default)
        self.to_text = to_text
        self.from_text = from_text

    def write(self, node: Node, name: str, value: Any) -> None:
        self.validate(value)
        node.SetParameter(name, self.to_text(value))

    def read(self, node: Node, name: str) -> Any:
        return self.from_text(node.GetParameter(name))


class NodeStorage(Storage):
    """A MRML node, as a reference that follows the node when the scene is saved; None is allowed."""

    def write(self, node: Node, name: str, value: slicer.vtkMRMLNode | None) -> None:
        self.validate(value)
        node.SetParameter(name, "")  # says that the parameter is there even when it is None
        node.SetNodeReferenceID(name, value.GetID() if value is not None else None)

    def read(self, node: Node, name: str) -> slicer.vtkMRMLNode | None:
        return node.GetNodeReference(name)

    def remove(self, node: Node, name: str) -> None:
        super().remove(node, name)
        node.RemoveNodeReferenceIDs(name)


class NoneStorage(Storage):
    """The None of an optional value."""

    def __init__(self) -> None:
        super().__init__([], None)

    def validate(self, value: Any) -> None:
        if value is not None:
            raise ValueError(f"The value must be None, not {value!r}")

    def write(self, node: Node, name: str, value: None) -> None:
        node.SetParameter(name, "True")

    def read(self, node: Node, name: str) -> None:
        return None


class UnionStorage(Storage):
    """One of several types; the first that takes the value stores it under ``name.<number>``."""

    def __init__(self, validators: list[Validator], members: list[tuple[Any, Storage]]) -> None:
        optional = len(members) == 2 and isinstance(members[1][1], NoneStorage)
        super().__init__(validators, None if optional else members[0][1].default)
        self.members = members

    def is_in(self, node: Node, name: str) -> bool:
        return any(member.is_in(node, f"{name}.{index}") for index, (_, member) in enumerate(self.members))

    def write(self, node: Node, name: str, value: Any) -> None:
        self.validate(value)
        index = self._index(value)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            self.members[index][1].write(node, f"{name}.{index}", value)

    def read(self, node: Node, name: str) -> Any:
        for index, (_, member) in enumerate(self.members):
            if member.is_in(node, f"{name}.{index}"):
                return member.read(node, f"{name}.{index}")
        raise KeyError(f"No value of {name} is stored")

    def remove(self, node: Node, name: str) -> None:
        for index, (_, member) in enumerate(self.members):
            member.remove(node, f"{name}.{index}")

    def _index(self, value: Any) -> int:
        for index, (kind, member) in enumerate(self.members):
            if isinstance(value, kind) and not (isinstance(value, bool) and kind is not bool):
                member.validate(value)
                return index
        raise TypeError(f"A value {value!r} of type {type(value).__name__} is none of the union's types")


class ListStorage(Storage):
    """A list: its length under ``name.len``, its items under their numbers."""

    def __init__(self, validators: list[Validator], item: Storage) -> None:
        super().__init__(validators, [])
        self.item = item

    def is_in(self, node: Node, name: str) -> bool:
        return bool(node.HasParameter(f"{name}.len"))

    def write(self, node: Node, name: str, value: Any) -> None:
        self.validate(value)
        for item in value:
            self.item.validate(item)
        with slicer.util.NodeModify(node):
            self.remove(node, name)
            for index, item in enumerate(value):
                self.item.write(node, f"{name}.{index}", item)
            node.SetParameter(f"{name}.len", str(len(value)))

    def read(self, node: Node, name: str) -> "ObservedList":
        length = int(node.GetParameter(f"{name}.len") or 0)
        items = [self.item.read(node, f"{name}.{index}") for index in range(length)]
        return ObservedList(items, lambda changed: self.write(node, name, changed))

    def remove(self, node: Node, name: str) -> None:
        for index in range(int(node.GetParameter(f"{name}.len") or 0)):
            self.item.remove(node, f"{name}.{index}")
        node.UnsetParameter(f"{name}.len")


class ObservedList(collections.abc.MutableSequence[Any]):
    """A list that stores itself when it is changed. As in Slicer it cannot be added to another: use ``+=``."""

    def __init__(self, items: list[Any], save: Callable[[Any], None]) -> None:
        self._items = items
        self._save = save

    def __getitem__(self, index: Any) -> Any:
        return self._items[index]

    def __len__(self) -> int:
        return len(self._items)

    def __eq__(self, other: object) -> bool:
        return self._items == (other._items if isinstance(other, ObservedList) else other)

    def __repr__(self) -> str:
        return f"ObservedList({self._items})"

    def __setitem__(self, index: Any, item: Any) -> None:
        self._items[index] = item
        self._save(self._items)

    def __delitem__(self, index: Any) -> None:
        del self._items[index]
        self._save(self._items)

    def insert(self, index: int, item: Any) -> None:
        self._items.insert(index, item)
        self._save(self._items)


SIMPLE: dict[type, tuple[Any, Any, Callable[[Any], str], Callable[[str], Any]]] = {
    # type -> types taken, value when none is given, to text, from text
    str: (str, "", str, str),
    int: (int, 0, str, int),
    float: ((int, float), 0.0, str, float),
    bool: (bool, False, str, lambda text: text == "True"),
    pathlib.Path: (pathlib.Path, pathlib.Path(), str, pathlib.Path),
}


def storage_of(annotation: Any) -> tuple[Storage, list[Any]]:
    """Return the storage of a type annotation, and the annotations that are no validators.

    Raises:
        TypeError: Slicer has no storage for this type
    """
    kind, extras = split(annotation)
    validators = [item for item in extras if isinstance(item, Validator)]
    return _storage(kind, validators), [item for item in extras if not isinstance(item, Validator)]


def split(annotation: Any) -> tuple[Any, list[Any]]:
    """Return the type and the annotations of ``Annotated[type, ...]``, or of a bare type."""
    if typing.get_origin(annotation) is typing.Annotated:
        kind, *extras = typing.get_args(annotation)
        return kind, extras
    return annotation, []


def _storage(kind: Any, validators: list[Validator]) -> Storage:
    if kind in SIMPLE:
        taken, default, to_text, from_text = SIMPLE[kind]
        return TextStorage([NotNone(), _Exactly(taken), *validators], default, to_text, from_text)
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        members = kind
        first = next(iter(members))
        own = [NotNone(), IsInstance(members), *validators]
        return TextStorage(own, first, lambda value: value.name, lambda text: members[text])
    if isinstance(kind, type) and issubclass(kind, slicer.vtkMRMLNode):
        return NodeStorage([IsInstance(kind), *validators], None)
    if kind is type(None):
        return NoneStorage()
    if typing.get_origin(kind) in (typing.Union, types.UnionType):
        members = [(split(member)[0], storage_of(member)[0]) for member in typing.get_args(kind)]
        return UnionStorage(validators, members)
    if typing.get_origin(kind) is list:
        return ListStorage(validators, storage_of(typing.get_args(kind)[0])[0])
    raise TypeError(f"A parameter node cannot store the type {kind!r}")


class _Exactly(IsInstance):
    """Takes a type, but no bool for a number: Slicer would take it, and write "True" where a number is read."""

    def validate(self, value: Any) -> None:
        super().validate(value)
        if isinstance(value, bool) and self.classtype is not bool:
            raise TypeError(f"The value must be of type {self.classtype}, not {value!r}")
