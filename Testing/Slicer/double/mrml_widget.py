"""Widgets that know a MRML scene."""

import slicer
import vtk
from PySide6 import QtCore, QtWidgets


class qMRMLWidget(QtWidgets.QWidget):
    """The root of a module's panel. Follows Slicer's Libs/MRML/Widgets/qMRMLWidget.h."""

    IS_CPP = True
    MRML_SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)

    mrmlSceneChanged = QtCore.Signal(object)

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._scene: slicer.vtkMRMLScene | None = None

    def mrmlScene(self) -> slicer.vtkMRMLScene | None:
        return self._scene

    def setMRMLScene(self, scene: slicer.vtkMRMLScene | None) -> None:
        check_scene(scene)
        if scene is not self._scene:
            self._scene = scene
            self.mrmlSceneChanged.emit(scene)


class qSlicerScriptedLoadableModuleWidget(qMRMLWidget):
    """The page of a scripted module. Follows Slicer's Base/QTGUI/qSlicerScriptedLoadableModuleWidget.h."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._python_self: object | None = None

    def self(self) -> object | None:
        """Return the instance of the module's Widget class."""
        return self._python_self


def check_scene(scene: vtk.vtkObject | None) -> None:
    """Raise TypeError for what is neither a scene nor None."""
    if scene is not None and not isinstance(scene, slicer.vtkMRMLScene):
        raise TypeError(f"setMRMLScene takes a vtkMRMLScene or None, not {scene!r}")
