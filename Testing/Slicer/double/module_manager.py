"""The manager of modules, and a scripted module as the application sees it."""

from pathlib import Path
from typing import Any

from PySide6 import QtCore, QtGui

TYPES: dict[str, type] = {
    "title": str,
    "name": str,
    "path": str,
    "helpText": str,
    "acknowledgementText": str,
    "categories": list,
    "dependencies": list,
    "contributors": list,
    "associatedNodeTypes": list,
    "icon": QtGui.QIcon,
    "hidden": bool,
    "index": int,
    "widgetRepresentationCreationEnabled": bool,
}


class qSlicerScriptedLoadableModule:
    """What a module describes itself on (its ``parent``).

    Follows Slicer's Base/QTGUI/qSlicerScriptedLoadableModule.h and Base/QTCore/qSlicerAbstractCoreModule.h. Lists hold
    text; another attribute, or a value of another type, raises.
    """

    def __init__(self, name: str, path: Path) -> None:
        self.name = name
        self.path = str(path)
        self.title = ""
        self.categories: list[str] = []
        self.dependencies: list[str] = []
        self.contributors: list[str] = []
        self.helpText = ""
        self.acknowledgementText = ""
        self._widget: Any = None

    def __setattr__(self, name: str, value: Any) -> None:
        if name.startswith("_"):
            object.__setattr__(self, name, value)
            return
        if name not in TYPES:
            raise AttributeError(f"A scripted module has no property {name!r}")
        wanted = TYPES[name]
        texts = wanted is not list or (isinstance(value, list) and all(isinstance(item, str) for item in value))
        if not isinstance(value, wanted) or not texts or (wanted is int and isinstance(value, bool)):
            raise TypeError(f"The property {name!r} of a module is a {wanted.__name__}, not {value!r}")
        object.__setattr__(self, name, value)

    def widgetRepresentation(self) -> Any:
        """Return the qSlicerScriptedLoadableModuleWidget, None before it is made."""
        return self._widget


class qSlicerModuleManager(QtCore.QObject):
    """Follows Slicer's Base/QTCore/qSlicerModuleManager.h."""

    IS_CPP = True

    moduleLoaded = QtCore.Signal(str)
    moduleAboutToBeUnloaded = QtCore.Signal(str)
    moduleUnloaded = QtCore.Signal(str)

    def __init__(self) -> None:
        super().__init__()
        self._modules: dict[str, qSlicerScriptedLoadableModule] = {}

    def module(self, name: str) -> qSlicerScriptedLoadableModule | None:
        if not isinstance(name, str):
            raise TypeError(f"The name of a module is text, not {name!r}")
        return self._modules.get(name)

    def modulesNames(self) -> list[str]:
        return [*self._modules]

    def add(self, module: qSlicerScriptedLoadableModule) -> None:
        """Register a loaded module (the factory manager's part in Slicer)."""
        self._modules[module.name] = module
        self.moduleLoaded.emit(module.name)

    def unload(self, name: str) -> None:
        """Unload as the application does when it quits: the module's widget cleans up on the signal."""
        self.moduleAboutToBeUnloaded.emit(name)
        del self._modules[name]
        self.moduleUnloaded.emit(name)
