"""Signals as PythonQt connects them: by signature or by attribute, with the arguments that the callable takes.

Follows https://mevislab.github.io/pythonqt/ ("Signals and Slots") and PythonQtSignalReceiver.cpp: a function or method
is called with as many of the signal's arguments as it has positions. Where PythonQt prints a warning and returns False
(an unknown signal, a connection that does not exist), the double raises.
"""

import inspect
import re
import types
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from typing import Any

import shiboken6
from PySide6 import QtCore

# Newer than the Qt 5.15 that Slicer 5.12 is built with by default.
TOO_NEW = {"checkStateChanged(Qt::CheckState)"}
MRML_POINTER = re.compile(r"vtk\w+ ?\*")  # a Python class declares such an argument as PyObject

slot_errors: list[BaseException] = []
"""What slots raised since somebody looked: PythonQt prints such errors, and a test must not miss them."""


@dataclass(frozen=True)
class Connection:
    """One callable on one signal of one object."""

    signature: str
    slot: Callable[..., Any]
    handle: QtCore.QMetaObject.Connection


_connections: dict[int, list[Connection]] = {}  # address of the C++ object -> its connections


class BoundSignal:
    """``widget.clicked``: the signal of one object, to connect, disconnect and emit."""

    def __init__(self, sender: QtCore.QObject, name: str) -> None:
        self.sender = sender
        self.name = name

    def connect(self, slot: Callable[..., Any]) -> bool:
        """Connect the first signature of this name, as PythonQt does."""
        return connect(self.sender, self._first(), slot)

    def disconnect(self, slot: Callable[..., Any] | None = None) -> bool:
        if slot is not None:
            return disconnect(self.sender, self._first(), slot)
        for connection in _of(self.sender):
            if connection.signature.partition("(")[0] == self.name:
                disconnect(self.sender, connection.signature, connection.slot)
        return True

    def emit(self, *arguments: Any) -> None:
        """Send the signal; the arguments choose its signature.

        Raises:
            TypeError: no signature takes as many arguments, or arguments of these types
        """
        candidates = [text for text in _signatures(type(self.sender), self.name) if len(_types(text)) == len(arguments)]
        if not candidates:
            raise TypeError(f"{self.name} takes {self._texts()}, not {len(arguments)} arguments")
        fitting = [text for text in candidates if all(map(_fits, arguments, _types(text)))]
        if not fitting:
            raise TypeError(f"{self.name} takes {self._texts()}, not {', '.join(type(a).__name__ for a in arguments)}")
        raw = object.__getattribute__(self.sender, self.name)
        raw[tuple(_PYTHON_TYPES.get(name, name) for name in _types(fitting[0]))].emit(*arguments)

    __call__ = emit  # PythonQt: calling a signal emits it

    def _first(self) -> str:
        return _signatures(type(self.sender), self.name)[0]

    def _texts(self) -> str:
        return " or ".join(_signatures(type(self.sender), self.name))


def connect(sender: QtCore.QObject, signature: str, slot: Callable[..., Any]) -> bool:
    """``sender.connect("clicked()", slot)``.

    Raises:
        ValueError: the class has no such signal
        TypeError: the slot is no callable, or needs more arguments than the signal has
    """
    signature = _known(sender, signature)
    if not callable(slot):
        raise TypeError(f"{slot!r} cannot be connected to {signature}: it is not callable")
    number = _number_of_arguments(slot, signature)

    def call(*arguments: Any) -> None:
        try:
            slot(*arguments[:number])
        except Exception as error:  # Qt cannot pass it on: kept for the test
            slot_errors.append(error)

    handle = QtCore.QObject.connect(sender, QtCore.SIGNAL(signature), call)
    address = _address(sender)
    if address not in _connections:
        QtCore.QObject.connect(sender, QtCore.SIGNAL("destroyed()"), lambda: _connections.pop(address, None))
    _connections.setdefault(address, []).append(Connection(signature, slot, handle))
    return True


def disconnect(sender: QtCore.QObject, signature: str, slot: Callable[..., Any]) -> bool:
    """``sender.disconnect("clicked()", slot)``.

    Raises:
        ValueError: the class has no such signal, or the slot is not connected to it
    """
    signature = _known(sender, signature)
    for connection in _of(sender):
        if connection.signature == signature and connection.slot == slot:
            QtCore.QObject.disconnect(connection.handle)
            _connections[_address(sender)].remove(connection)
            return True
    raise ValueError(f"{signature} of {sender.metaObject().className()} is not connected to {slot!r}")


@cache
def signal_names(kind: type[QtCore.QObject]) -> frozenset[str]:
    """Return the names of a class's signals."""
    return frozenset(text.partition("(")[0] for text in _all_signatures(kind))


def _known(sender: QtCore.QObject, signature: str) -> str:
    if not isinstance(signature, str):
        raise TypeError(f"A signal is given as text such as 'clicked()', not as {signature!r}")
    text = QtCore.QMetaObject.normalizedSignature(MRML_POINTER.sub("PyObject", signature)).data().decode()
    documented = getattr(type(sender), "MRML_SIGNALS", ())  # those whose arguments are MRML objects
    is_mrml = MRML_POINTER.search(signature) is not None
    if text not in _all_signatures(type(sender)) or (is_mrml and signature.replace(" ", "") not in documented):
        raise ValueError(f"{sender.metaObject().className()} has no signal {signature!r}")
    return text


@cache
def _all_signatures(kind: type[QtCore.QObject]) -> tuple[str, ...]:
    description = kind.staticMetaObject
    methods = [description.method(index) for index in range(description.methodCount())]
    signals = [method for method in methods if method.methodType() == QtCore.QMetaMethod.MethodType.Signal]
    return tuple(text for signal in signals if (text := signal.methodSignature().data().decode()) not in TOO_NEW)


def _signatures(kind: type[QtCore.QObject], name: str) -> list[str]:
    return [text for text in _all_signatures(kind) if text.partition("(")[0] == name]


def _types(signature: str) -> list[str]:
    inside = signature.partition("(")[2].rstrip(")")
    return inside.split(",") if inside else []


_PYTHON_TYPES = {"bool": bool, "int": int, "double": float, "QString": str, "PyObject": object}


def _fits(argument: Any, type_name: str) -> bool:
    if type_name in ("bool", "QString"):
        return isinstance(argument, _PYTHON_TYPES[type_name])
    if type_name in ("int", "double"):
        kinds = (int,) if type_name == "int" else (int, float)
        return isinstance(argument, kinds) and not isinstance(argument, bool)
    return not (type_name == "PyObject" and isinstance(argument, bool))


def _number_of_arguments(slot: Callable[..., Any], signature: str) -> int:
    """How many of the signal's arguments the slot gets; raises TypeError if it needs more."""
    available = len(_types(signature))
    number = available
    function = slot.__func__ if isinstance(slot, types.MethodType) else slot
    if isinstance(function, types.FunctionType) and not function.__code__.co_flags & inspect.CO_VARARGS:
        number = min(available, function.__code__.co_argcount - (function is not slot))
    try:
        parameters = inspect.signature(slot)
    except ValueError:  # a built-in that does not tell
        return number
    try:
        parameters.bind(*[None] * number)
    except TypeError as error:
        raise TypeError(f"{slot!r} does not fit {signature}, which passes {available} arguments: {error}") from error
    return number


def _of(sender: QtCore.QObject) -> list[Connection]:
    return list(_connections.get(_address(sender), []))


def _address(sender: QtCore.QObject) -> int:
    return int(shiboken6.getCppPointer(sender)[0])
