"""A session of the double: everything that Slicer's Python finds when the application runs."""

import importlib.util
import sys
import types
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import slicer
from PySide6 import QtWidgets

from Testing.Slicer import core
from Testing.Slicer.double import (
    ctk_module,
    immortal,
    packaging,
    parameter_node,
    pythonqt,
    pytorch_utils,
    qt_module,
    sample_data,
    scripted_module,
    settings,
    translation,
)
from Testing.Slicer.double.application import qSlicerApplication
from Testing.Slicer.double.layout_manager import qMRMLSliceWidget, qSlicerLayoutManager
from Testing.Slicer.double.module_manager import qSlicerScriptedLoadableModule
from Testing.Slicer.double.mrml_widget import qMRMLWidget, qSlicerScriptedLoadableModuleWidget
from Testing.Slicer.double.node_combo_box import qMRMLNodeComboBox
from Testing.Slicer.double.ui_loader import QUiLoader

SLICER_CLASSES = (
    qMRMLWidget,
    qMRMLNodeComboBox,
    qMRMLSliceWidget,
    qSlicerApplication,
    qSlicerLayoutManager,
    qSlicerScriptedLoadableModule,
    qSlicerScriptedLoadableModuleWidget,
)
MODULES = {
    "qt": qt_module,
    "ctk": ctk_module,
    "slicer.ScriptedLoadableModule": scripted_module,
    "slicer.parameterNodeWrapper": parameter_node,
    "slicer.i18n": translation,
    "slicer.packaging": packaging,
    "SampleData": sample_data,
    "PyTorchUtils": pytorch_utils,
}

_application: qSlicerApplication | None = None


def install() -> qSlicerApplication:
    """Make ``import qt``, ``import ctk`` and ``slicer.app`` work; a second call changes nothing."""
    global _application
    if _application is not None:
        return _application
    immortal.make_singletons_immortal()
    the_core = core.start()
    pythonqt.adopt(qt_module.classes().values())
    slicer.modules = types.ModuleType("slicer.modules", "The loaded modules, each under its name in small letters")
    for name, source in MODULES.items():
        sys.modules[name] = source.module()
        if name.startswith("slicer."):
            setattr(slicer, name.removeprefix("slicer."), sys.modules[name])
    for own in SLICER_CLASSES:
        setattr(slicer, own.__name__, own)
    widgets = [own for own in (*SLICER_CLASSES, *ctk_module.WIDGETS) if issubclass(own, QtWidgets.QWidget)]
    QUiLoader.custom = {own.__name__: own for own in widgets if own is not qMRMLSliceWidget}
    _application = qSlicerApplication(the_core)
    _application.setLayoutManager(None)
    settings.isolate(Path(_application.temporaryPath))
    slicer.app = _application
    slicer.mrmlScene = the_core.scene
    return _application


@dataclass(frozen=True)
class LoadedModule:
    """A scripted module as the application holds it."""

    python: types.ModuleType
    """the module file"""
    description: qSlicerScriptedLoadableModule
    page: qSlicerScriptedLoadableModuleWidget
    """the panel, to look at and to grab"""
    widget: Any
    """instance of the module's Widget class"""

    def close(self) -> None:
        """Unload the module and delete its panel."""
        slicer.app.moduleManager().unload(self.description.name)
        self.page.deleteLater()


def load_module(path: Path, *, enter: bool = True) -> LoadedModule:
    """Load a scripted module and open its panel, in the order in which Slicer does."""
    install()
    name = path.stem
    description = qSlicerScriptedLoadableModule(name, path)
    setattr(slicer.modules, name.lower(), description)
    with _without_loadable_modules():
        python = _import(name, path)
        getattr(python, name)(description)
    slicer.app.moduleManager().add(description)
    page = qSlicerScriptedLoadableModuleWidget()
    page.setLayout(QtWidgets.QVBoxLayout())
    page.setMRMLScene(slicer.mrmlScene)
    widget = getattr(python, f"{name}Widget")(page)
    page._python_self = widget
    description._widget = page
    setattr(slicer.modules, f"{name}Widget", widget)
    widget.setup()
    if enter and hasattr(widget, "enter"):
        widget.enter()
    return LoadedModule(python, description, page, widget)


@contextmanager
def _without_loadable_modules() -> Iterator[None]:
    """Hide the classes of the module Markups: Slicer may import a scripted module before it has loaded that one."""
    hidden = {name: kind for name, kind in vars(slicer).items() if name.startswith("vtkMRMLMarkups")}
    for name in hidden:
        delattr(slicer, name)
    try:
        yield
    finally:
        vars(slicer).update(hidden)


def _import(name: str, path: Path) -> types.ModuleType:
    """Import the file as Slicer does: its folder on sys.path, under its own name."""
    if str(path.parent) not in sys.path:
        sys.path.insert(0, str(path.parent))
    specification = importlib.util.spec_from_file_location(name, path)
    python = importlib.util.module_from_spec(specification)
    sys.modules[name] = python
    specification.loader.exec_module(python)
    return python
