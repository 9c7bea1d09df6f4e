"""Ties a parameter to a widget.

Follows https://slicer.readthedocs.io/en/latest/developer_guide/parameter_nodes/gui_connections.html: which widget can
show which type. Another pair raises, as in Slicer.
"""

import enum
import types
import typing
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import slicer
from PySide6 import QtWidgets

from Testing.Slicer.double.node_combo_box import qMRMLNodeComboBox
from Testing.Slicer.double.parameter_storage import split
from Testing.Slicer.double.validators import Choice, Decimals, Maximum, Minimum, SingleStep, WithinRange

INT_LIMITS = (-(2**31), 2**31 - 1)


@dataclass(frozen=True)
class Connector:
    """A widget as the holder of one value."""

    widget: QtWidgets.QWidget
    signal: str
    """"" for a widget that a person cannot change"""
    read: Callable[[], Any]
    write: Callable[[Any], None]

    def connect(self, changed: Callable[[], None]) -> None:
        if self.signal:
            self.widget.connect(self.signal, changed)

    def disconnect(self, changed: Callable[[], None]) -> None:
        if self.signal:
            self.widget.disconnect(self.signal, changed)


def connector(widget: QtWidgets.QWidget, annotation: Any) -> Connector:
    """Return what ties the widget to a parameter of the annotated type.

    Raises:
        RuntimeError: this widget cannot hold this type
    """
    kind, extras = split(annotation)
    widget_kind = type(widget)
    if kind is bool and widget_kind in (QtWidgets.QCheckBox, QtWidgets.QPushButton):
        return _toggle(widget)
    if kind is int and widget_kind in (QtWidgets.QSpinBox, QtWidgets.QSlider):
        _limit(widget, extras, INT_LIMITS)
        return _property(widget, "value", "valueChanged(int)")
    if kind in (int, float) and widget_kind is QtWidgets.QDoubleSpinBox:
        _limit(widget, extras, (float("-inf"), float("inf")))
        return Connector(
            widget, "valueChanged(double)", lambda: kind(widget.value), lambda v: _set(widget, "value", kind(v))
        )
    if kind in (str, int, float, bool) and widget_kind is QtWidgets.QComboBox:
        return _choice(widget, extras)
    if isinstance(kind, type) and issubclass(kind, enum.Enum) and widget_kind is QtWidgets.QComboBox:
        return _enum(widget, kind)
    if kind is str and widget_kind is QtWidgets.QLineEdit:
        return _property(widget, "text", "textChanged(QString)")
    if kind is str and widget_kind is QtWidgets.QLabel:
        return _property(widget, "text", "")
    if widget_kind is qMRMLNodeComboBox and (node_types := node_types_of(kind)):
        widget.nodeTypes = node_types
        return Connector(widget, "currentNodeChanged(vtkMRMLNode*)", widget.currentNode, widget.setCurrentNode)
    raise RuntimeError(f"Unable to create a GUI connector from {annotation!r} to a {widget_kind.__name__}")


def node_types_of(kind: Any) -> Sequence[str]:
    """Return the class names of a node type or of a union of them with None; empty for any other type."""
    members = typing.get_args(kind) if typing.get_origin(kind) in (typing.Union, types.UnionType) else (kind,)
    nodes = [member for member in members if isinstance(member, type) and issubclass(member, slicer.vtkMRMLNode)]
    rest = [member for member in members if member not in nodes and member is not type(None)]
    return [] if rest else [node().GetClassName() for node in nodes]


def _property(widget: QtWidgets.QWidget, name: str, signal: str) -> Connector:
    return Connector(widget, signal, lambda: getattr(widget, name), lambda value: _set(widget, name, value))


def _set(widget: QtWidgets.QWidget, name: str, value: Any) -> None:
    if getattr(widget, name) != value:  # a line edit would lose its cursor
        setattr(widget, name, value)


def _toggle(widget: QtWidgets.QAbstractButton) -> Connector:
    if not widget.checkable:
        widget.checkable = True
    return _property(widget, "checked", "toggled(bool)")


def _choice(widget: QtWidgets.QComboBox, extras: list[Any]) -> Connector:
    choice = next((item for item in extras if isinstance(item, Choice)), None)
    if choice is None:
        raise RuntimeError("A combo box needs a parameter with the Choice annotation")
    choices = list(choice.choices)
    widget.clear()
    for value in choices:
        widget.addItem(str(value))
    return Connector(
        widget,
        "currentIndexChanged(int)",
        lambda: choices[widget.currentIndex],
        lambda value: _set(widget, "currentIndex", choices.index(value)),
    )


def _enum(widget: QtWidgets.QComboBox, kind: type[enum.Enum]) -> Connector:
    """Fill a combo box with the members, each under its name or what the enum's ``label`` says of it."""
    label = getattr(kind, "label", lambda member: member.name)
    members = list(kind)
    chosen = max(widget.currentIndex, 0)
    widget.clear()
    for member in members:
        widget.addItem(label(member))
    widget.currentIndex = min(chosen, len(members) - 1)
    return Connector(
        widget,
        "currentIndexChanged(int)",
        lambda: members[widget.currentIndex],
        lambda value: _set(widget, "currentIndex", members.index(value)),
    )


def _limit(widget: QtWidgets.QWidget, extras: list[Any], limits: tuple[float, float]) -> None:
    """Give a number's widget the range and steps of its parameter, as Slicer does: unlimited without an annotation."""
    low, high = limits
    for item in extras:
        if isinstance(item, WithinRange):
            low, high = item.minimum, item.maximum
        elif isinstance(item, Minimum):
            low = item.minimum
        elif isinstance(item, Maximum):
            high = item.maximum
        elif isinstance(item, Decimals):
            widget.decimals = item.value
        elif isinstance(item, SingleStep):
            widget.singleStep = item.value
    if isinstance(widget, QtWidgets.QSlider) and (low, high) == limits:
        raise RuntimeError("A slider needs a parameter with a range")
    widget.setRange(low, high)
