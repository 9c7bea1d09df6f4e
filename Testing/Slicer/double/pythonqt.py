"""PythonQt's conventions on the real Qt of PySide6: properties and signals are attributes, other functions are methods.

Slicer's Python sees Qt through PythonQt (https://mevislab.github.io/pythonqt/, PythonQtInstanceWrapper.cpp), whose
names differ from PySide6's: ``label.text`` is the text itself, ``label.name`` is the object's name, signals are
connected by signature, a property refuses a value of another type, and an attribute that does not exist cannot be made.
The properties and signals come from Qt's own meta objects, so whatever Qt does not know raises. `adopt` changes
PySide6's classes in place: then objects that Qt itself makes follow the conventions too, and ``isinstance`` holds as it
does in Slicer.

PySide6 finds ``connect`` before any override in a class, and a Python property over a virtual function of the same name
would hide it from Qt; therefore the names are looked up here, and ``sizeHint`` and ``minimumSizeHint`` stay methods.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from functools import cache
from typing import Any

from PySide6 import QtCore

from Testing.Slicer.double import signals

VIRTUAL = {"sizeHint", "minimumSizeHint"}
NUMBERS: dict[str, tuple[type, ...]] = {"int": (int,), "uint": (int,), "double": (int, float), "float": (int, float)}

_readers: dict[type, Callable[[Any, str], Any]] = {}  # class -> PySide6's own look-up, where a class has one
_ignoring = False


def adopt(classes: Iterable[type]) -> None:
    """Put the conventions on classes of PySide6 and on what they derive from, for the rest of the process."""
    kinds = {base for kind in classes for base in kind.__mro__ if issubclass(base, QtCore.QObject)}
    for kind in kinds - set(_readers):
        if "__getattribute__" in vars(kind):
            _readers[kind] = vars(kind)["__getattribute__"]
            kind.__getattribute__ = _attribute
        kind.__setattr__ = _set_attribute
    QtCore.QTimer.singleShot = staticmethod(_single_shot)


@contextmanager
def ignoring_new_attributes() -> Iterator[None]:
    """Drop attributes that do not exist: PySide6's loader puts every child on the root, which PythonQt does not."""
    global _ignoring
    _ignoring = True
    try:
        yield
    finally:
        _ignoring = False


def _get(self: QtCore.QObject, name: str) -> Any:
    """Look a name up as PySide6 does."""
    return _reader(type(self))(self, name)


@cache
def _reader(kind: type) -> Callable[[Any, str], Any]:
    return next(_readers[base] for base in kind.__mro__ if base in _readers)


def _attribute(self: QtCore.QObject, name: str) -> Any:
    if name.startswith("_"):
        return _get(self, name)
    if name in ("connect", "disconnect"):
        return _method(self, getattr(signals, name))
    if name == "className":
        return lambda: self.metaObject().className()
    if name == "name":
        name = "objectName"
    kind = type(self)
    if name in signals.signal_names(kind):
        return signals.BoundSignal(self, name)
    declared = _property(kind, name)
    if declared is None:
        return _get(self, name)
    return _read(self, declared)


def _set_attribute(self: QtCore.QObject, name: str, value: Any) -> None:
    kind = type(self)
    declared = _property(kind, "objectName" if name == "name" else name)
    if declared is not None:
        _write(self, declared, value)
    elif name in signals.signal_names(kind):
        raise AttributeError(f"Signal {name!r} cannot be overwritten on {kind.__name__}")
    elif name.startswith("_") or not _is_qt(kind):
        _set(self, name, value)
    elif name in [bytes(known.data()).decode() for known in self.dynamicPropertyNames()]:
        self.setProperty(name, value)
    elif not _ignoring:
        raise AttributeError(f"{name!r} does not exist on {kind.__name__}, and a Qt object gets no new attributes")


def _set(self: QtCore.QObject, name: str, value: Any) -> None:
    """Set an attribute of a class written in Python, as any object would."""
    descriptor = getattr(type(self), name, None)
    if hasattr(descriptor, "__set__"):
        descriptor.__set__(self, value)
    else:
        _get(self, "__dict__")[name] = value


def _single_shot(milliseconds: int, slot: Callable[[], Any]) -> None:
    """Call once later (https://doc.qt.io/qt-5/qtimer.html#singleShot); an error in the call is not lost."""
    if not fits(milliseconds, "int"):
        raise TypeError(f"QTimer.singleShot takes milliseconds as an int, not {milliseconds!r}")
    timer = QtCore.QTimer(QtCore.QCoreApplication.instance())
    timer.setSingleShot(True)
    signals.connect(timer, "timeout()", slot)
    signals.connect(timer, "timeout()", timer.deleteLater)
    timer.start(milliseconds)


def _is_qt(kind: type) -> bool:
    return kind.__module__.startswith("PySide6.") or getattr(kind, "IS_CPP", False)


def _method(self: QtCore.QObject, function: Callable[..., bool]) -> Callable[..., bool]:
    def bound(signature: str, slot: Callable[..., Any]) -> bool:
        return function(self, signature, slot)

    return bound


@cache
def _property(kind: type[QtCore.QObject], name: str) -> QtCore.QMetaProperty | None:
    index = -1 if name in VIRTUAL else kind.staticMetaObject.indexOfProperty(name)
    return kind.staticMetaObject.property(index) if index >= 0 else None


def _read(self: QtCore.QObject, declared: QtCore.QMetaProperty) -> Any:
    name = declared.name()
    for reader in (name, f"is{name[0].upper()}{name[1:]}"):
        function = getattr(type(self), reader, None)
        if function is not None and not isinstance(function, QtCore.Property):
            return _get(self, reader)()
    return self.property(name)


def _write(self: QtCore.QObject, declared: QtCore.QMetaProperty, value: Any) -> None:
    name, wanted = declared.name(), declared.typeName()
    if not declared.isWritable():
        raise AttributeError(f"Property {name!r} of {type(self).__name__} is not writable")
    if not fits(value, wanted):
        raise TypeError(
            f"Property {name!r} of {type(self).__name__} is a {wanted} and does not accept {value!r} "
            f"of type {type(value).__name__}"
        )
    setter = f"set{name[0].upper()}{name[1:]}"
    if hasattr(type(self), setter):
        _get(self, setter)(value)
    elif not self.setProperty(name, value):
        raise TypeError(f"Property {name!r} of type {wanted} does not accept {value!r}")


def fits(value: Any, type_name: str) -> bool:
    """Whether a property or argument of Qt's type takes the value; Qt itself judges the types not named here."""
    if type_name == "bool":
        return isinstance(value, bool)
    if type_name == "QString":
        return isinstance(value, str)
    if type_name == "QStringList":
        return isinstance(value, list | tuple) and all(isinstance(item, str) for item in value)
    if type_name in NUMBERS:
        return isinstance(value, NUMBERS[type_name]) and not isinstance(value, bool)
    return True
