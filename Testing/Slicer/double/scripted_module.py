"""The module ``slicer.ScriptedLoadableModule``: the four classes that a scripted module derives from.

Follows https://slicer.readthedocs.io/en/latest/developer_guide/slicer.html#module-slicer.ScriptedLoadableModule.
"""

import importlib
import types
import unittest
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtGui, QtWidgets

from Testing.Slicer.double.module_manager import qSlicerScriptedLoadableModule
from Testing.Slicer.double.mrml_widget import qSlicerScriptedLoadableModuleWidget


class ScriptedLoadableModule:
    """Describes the module on its ``parent``. Follows Base/Python/slicer/ScriptedLoadableModule.py."""

    def __init__(self, parent: qSlicerScriptedLoadableModule) -> None:
        if not isinstance(parent, qSlicerScriptedLoadableModule):
            raise TypeError(f"The parent of a module is a qSlicerScriptedLoadableModule, not {parent!r}")
        self.parent = parent
        self.moduleName = type(self).__name__
        icon = Path(self.resourcePath(f"Icons/{self.moduleName}.png"))
        if icon.is_file():
            parent.icon = QtGui.QIcon(str(icon))
        if not hasattr(slicer, "selfTests"):
            slicer.selfTests = {}
        slicer.selfTests[self.moduleName] = self.runTest

    def resourcePath(self, filename: str) -> str:
        return str(Path(self.parent.path).parent / "Resources" / filename)

    def getDefaultModuleDocumentationLink(self, docPage: str | None = None) -> str:
        return f"<p>{docPage or slicer.app.moduleDocumentationUrl(self.moduleName)}</p>"

    def runTest(self, msec: int = 100, **kwargs: Any) -> None:
        """Run the module's ``<name>Test`` class, as the button "Reload and Test" does."""
        module = importlib.import_module(type(self).__module__)
        test_class = getattr(module, f"{self.moduleName}Test", None)
        if test_class is None:
            raise AssertionError(f"Test case class not found: {module.__name__}.{self.moduleName}Test")
        case = test_class()
        case.messageDelay = msec
        case.runTest(**kwargs)


class ScriptedLoadableModuleWidget:
    """Builds the panel in ``setup``. Follows Base/Python/slicer/ScriptedLoadableModule.py."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        if parent is not None and not isinstance(parent, QtWidgets.QWidget):
            raise TypeError(f"The parent of a module's widget is a QWidget or None, not {parent!r}")
        self.moduleName = type(self).__name__.removesuffix("Widget")
        self.developerMode = slicer.util.settingsValue("Developer/DeveloperMode", False, converter=slicer.util.toBool)
        if parent is None:
            self.parent = qSlicerScriptedLoadableModuleWidget()
            self.parent.setLayout(QtWidgets.QVBoxLayout())
            self.parent.setMRMLScene(slicer.mrmlScene)
        else:
            self.parent = parent
        self.layout = self.parent.layout()
        if parent is None:
            self.setup()
            self.parent.show()
        slicer.app.moduleManager().connect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)

    def resourcePath(self, filename: str) -> str:
        return str(Path(slicer.util.modulePath(self.moduleName)).parent / "Resources" / filename)

    def setup(self) -> None:
        """Build the panel; the base adds the developer's section, which the double leaves out."""

    def cleanup(self) -> None:
        """Undo what ``setup`` did, before the module goes."""

    def onReload(self) -> None:
        slicer.util.reloadScriptedModule(self.moduleName)

    def _onModuleAboutToBeUnloaded(self, module_name: str) -> None:
        if module_name == self.moduleName:
            self.cleanup()
            slicer.app.moduleManager().disconnect("moduleAboutToBeUnloaded(QString)", self._onModuleAboutToBeUnloaded)


class ScriptedLoadableModuleLogic:
    """Owns the parameter node. Follows Base/Python/slicer/ScriptedLoadableModule.py."""

    def __init__(self, parent: Any = None) -> None:
        self.moduleName = type(self).__name__.removesuffix("Logic")
        self.isSingletonParameterNode = True

    def getParameterNode(self) -> slicer.vtkMRMLScriptedModuleNode:
        """Return the module's parameter node in the scene, made when there is none."""
        if self.isSingletonParameterNode:
            node = slicer.mrmlScene.GetSingletonNode(self.moduleName, "vtkMRMLScriptedModuleNode")
            if node is not None:
                node.SetAttribute("ModuleName", self.moduleName)  # closing the scene removed it
                return node
        else:
            nodes = self.getAllParameterNodes()
            if nodes:
                return nodes[0]
        return slicer.mrmlScene.AddNode(self.createParameterNode())

    def getAllParameterNodes(self) -> list[slicer.vtkMRMLScriptedModuleNode]:
        nodes = slicer.util.getNodesByClass("vtkMRMLScriptedModuleNode")
        return [node for node in nodes if node.GetAttribute("ModuleName") == self.moduleName]

    def createParameterNode(self) -> slicer.vtkMRMLScriptedModuleNode:
        node = slicer.vtkMRMLScriptedModuleNode()
        if self.isSingletonParameterNode:
            node.SetSingletonTag(self.moduleName)
        node.SetAttribute("ModuleName", self.moduleName)
        node.SetName(slicer.mrmlScene.GenerateUniqueName(self.moduleName))
        return node


class ScriptedLoadableModuleTest(unittest.TestCase):
    """A module's self-test. Follows Base/Python/slicer/ScriptedLoadableModule.py.

    Like the original, ``runTest`` calls everything callable whose name contains "test", stops at the first failure, and
    skips its ``tearDown`` then.
    """

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.moduleTestNames = [name for name in dir(self) if "test" in name and callable(getattr(self, name))]

    def delayDisplay(self, message: str, requestedDelay: int | None = None, msec: int | None = None) -> None:
        delay = getattr(self, "messageDelay", msec if msec is not None else requestedDelay)
        slicer.util.delayDisplay(message, 100 if delay is None else delay)

    def runTest(self) -> None:
        self.setUpClass()
        for name in self.moduleTestNames:
            self.setUp()
            getattr(self, name)()
            self.tearDown()
        self.tearDownClass()


CLASSES = (
    ScriptedLoadableModule,
    ScriptedLoadableModuleWidget,
    ScriptedLoadableModuleLogic,
    ScriptedLoadableModuleTest,
)


def module() -> types.ModuleType:
    """Return the module ``slicer.ScriptedLoadableModule``."""
    result = types.ModuleType("slicer.ScriptedLoadableModule", __doc__)
    for own in CLASSES:
        setattr(result, own.__name__, own)
    result.__all__ = [own.__name__ for own in CLASSES]
    return result
