"""The list of installed extensions."""

from PySide6 import QtCore


class qSlicerExtensionsManagerModel(QtCore.QObject):
    """Follows Slicer's Base/QTCore/qSlicerExtensionsManagerModel.h.

    ``installed`` and ``installable`` are the double's: what is there, and what a server would deliver.
    """

    IS_CPP = True

    extensionInstalled = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._installed: set[str] = set()
        self._installable: set[str] = set()

    def isExtensionInstalled(self, name: str) -> bool:
        _check(name)
        return name in self._installed

    def installExtensionFromServer(self, name: str, restart: bool = True, update: bool = False) -> bool:
        """Install what the server offers; False when it offers no such extension."""
        _check(name)
        if not isinstance(restart, bool) or not isinstance(update, bool):
            raise TypeError(f"restart and update are bool, not {restart!r} and {update!r}")
        if name not in self._installable:
            return False
        self._installed.add(name)
        self.extensionInstalled.emit(name)
        return True

    def prepare(self, installed: set[str] = frozenset(), installable: set[str] = frozenset()) -> None:
        """Say which extensions there are."""
        self._installed, self._installable = set(installed), set(installable)


def _check(name: str) -> None:
    if not isinstance(name, str):
        raise TypeError(f"The name of an extension is text, not {name!r}")
