"""Loading of .ui files: Qt's own loader, which refuses what the real one would only warn about."""

import xml.etree.ElementTree as ElementTree
from typing import ClassVar

from PySide6 import QtCore, QtUiTools, QtWidgets

from Testing.Slicer.double import pythonqt, signals

CONNECTION = ("sender", "signal", "receiver", "slot")


class UiError(ValueError):
    """A .ui file that Slicer would load with warnings, or not at all."""


class QUiLoader(QtUiTools.QUiLoader):
    """Follows https://doc.qt.io/qt-5/quiloader.html.

    Widgets of CTK and Slicer are those of the double. An unknown widget, property, signal or slot raises. Connections
    are made here, for their arguments may be MRML objects, which Qt's own string lookup does not know.
    """

    IS_CPP = True

    custom: ClassVar[dict[str, type[QtWidgets.QWidget]]] = {}
    """class name -> widget of the double; filled by `install`"""

    def __init__(self) -> None:
        super().__init__()
        for kind in self.custom.values():
            self.registerCustomWidget(kind)

    def load(self, device: QtCore.QIODevice, parent: QtWidgets.QWidget | None = None) -> QtWidgets.QWidget:
        """Return the root widget of the file.

        Raises:
            UiError: a class, property, signal or slot of the file does not exist
        """
        if not isinstance(device, QtCore.QIODevice):
            raise TypeError(f"QUiLoader.load takes a QFile or QBuffer, not {device!r}")
        tree = ElementTree.fromstring(device.readAll().data())
        self._check_classes(tree)
        connections = [
            tuple(connection.findtext(part, "") for part in CONNECTION) for connection in tree.iter("connection")
        ]
        for section in tree.findall("connections"):
            tree.remove(section)
        buffer = QtCore.QBuffer()
        buffer.setData(QtCore.QByteArray(ElementTree.tostring(tree)))
        buffer.open(QtCore.QIODevice.OpenModeFlag.ReadOnly)
        with pythonqt.ignoring_new_attributes():
            root = super().load(buffer, parent)
        if root is None:
            raise UiError(self.errorString())
        for connection in connections:
            _connect(root, *connection)
        return root

    def _check_classes(self, tree: ElementTree.Element) -> None:
        for element in tree.iter("widget"):
            name = element.get("class", "")
            kind = self.custom.get(name) or getattr(QtWidgets, name, None)
            if kind is None:
                raise UiError(f"The .ui file uses {name}, which the double does not have")
            for setting in element.findall("property"):
                known = kind.staticMetaObject.indexOfProperty(setting.get("name", "")) >= 0
                if not known and setting.get("stdset") != "0":
                    raise UiError(f"{name} {element.get('name')!r} has no property {setting.get('name')!r}")


def _connect(root: QtWidgets.QWidget, sender: str, signal: str, receiver: str, slot: str) -> None:
    objects = []
    for name in (sender, receiver):
        found = root if QtCore.QObject.objectName(root) == name else root.findChild(QtCore.QObject, name)
        if found is None:
            raise UiError(f"The .ui file connects {name!r}, which it does not have")
        objects.append(found)
    method = getattr(objects[1], slot.partition("(")[0], None)
    if not callable(method):
        raise UiError(f"{receiver!r} has no slot {slot!r}")
    try:
        signals.connect(objects[0], signal, method)
    except (TypeError, ValueError) as error:
        raise UiError(f"{sender}.{signal} -> {receiver}.{slot}: {error}") from error
