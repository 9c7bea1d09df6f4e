"""The running application, ``slicer.app``."""

import os
import sys
import tempfile
from pathlib import Path

import slicer
from PySide6 import QtCore, QtWidgets

from Testing.Slicer.core import Core
from Testing.Slicer.double.layout_manager import qSlicerLayoutManager
from Testing.Slicer.double.module_manager import qSlicerModuleManager


class qSlicerApplication(QtWidgets.QApplication):
    """Follows Slicer's Base/QTGUI/qSlicerApplication.h and Base/QTCore/qSlicerCoreApplication.h.

    It runs in testing mode, as ``Slicer --testing`` does; ``setTesting(False)`` lets dialogs appear (see ``dialogs``).
    Like the generic tests of Slicer it has no main window; ``setLayoutManager`` gives it one's layout manager.
    """

    IS_CPP = True
    MRML_SIGNALS = ("mrmlSceneChanged(vtkMRMLScene*)",)

    mrmlSceneChanged = QtCore.Signal(object)
    startupCompleted = QtCore.Signal()

    def __init__(self, core: Core) -> None:
        super().__init__(["Slicer"])
        self._core = core
        self._folder = tempfile.TemporaryDirectory(prefix="Slicer-double-")  # gone when Python ends
        self._home = Path(self._folder.name)
        self._testing = True
        self._layout_manager: qSlicerLayoutManager | None = None
        self._module_manager = qSlicerModuleManager()
        (self._home / "bin").mkdir()
        write_launcher(self._home / "bin" / "PythonSlicer", f'"{sys.executable}" "$@"')
        os.environ["PATH"] = f"{self._home / 'bin'}{os.pathsep}{os.environ['PATH']}"
        for folder in ("temporary", "extensions"):
            (self._home / folder).mkdir()

    # --- Scene and logics --------------------------------------------------------------------------------------------

    def mrmlScene(self) -> slicer.vtkMRMLScene:
        return self._core.scene

    def applicationLogic(self) -> slicer.vtkSlicerApplicationLogic:
        return self._core.application

    def layoutManager(self) -> qSlicerLayoutManager | None:
        """Return None without a main window."""
        return self._layout_manager

    def setLayoutManager(self, manager: qSlicerLayoutManager | None) -> None:
        if not isinstance(manager, qSlicerLayoutManager | None):
            raise TypeError(f"setLayoutManager takes a qSlicerLayoutManager or None, not {manager!r}")
        if manager is None:
            self._core.close_layout()
        self._layout_manager = manager

    def moduleManager(self) -> qSlicerModuleManager:
        return self._module_manager

    # --- Mode and settings -------------------------------------------------------------------------------------------

    def testingEnabled(self) -> bool:
        return self._testing

    def setTesting(self, enabled: bool) -> None:
        """Switch between ``--testing`` and normal use (a setting of the double, not of Slicer)."""
        if not isinstance(enabled, bool):
            raise TypeError(f"setTesting takes a bool, not {enabled!r}")
        self._testing = enabled

    def settings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    def userSettings(self) -> QtCore.QSettings:
        return QtCore.QSettings()

    def translate(self, context: str, text: str) -> str:
        for given in (context, text):
            if not isinstance(given, str):
                raise TypeError(f"translate takes text, not {given!r}")
        return QtWidgets.QApplication.translate(context, text)

    def startupEnvironment(self) -> QtCore.QProcessEnvironment:
        return QtCore.QProcessEnvironment.systemEnvironment()

    def environment(self) -> QtCore.QProcessEnvironment:
        return QtCore.QProcessEnvironment.systemEnvironment()

    def moduleDocumentationUrl(self, module_name: str) -> str:
        if not isinstance(module_name, str):
            raise TypeError(f"moduleDocumentationUrl takes text, not {module_name!r}")
        return f"https://slicer.readthedocs.io/en/5.12/user_guide/modules/{module_name.lower()}.html"

    def pauseRender(self) -> None:
        """Nothing is rendered here."""

    def resumeRender(self) -> None:
        """Nothing is rendered here."""

    def _in_home(self, *parts: str) -> str:
        return str(self._home.joinpath(*parts))

    slicerHome = QtCore.Property(str, lambda self: self._in_home())
    temporaryPath = QtCore.Property(str, lambda self: self._in_home("temporary"))
    extensionsInstallPath = QtCore.Property(str, lambda self: self._in_home("extensions"))
    revision = QtCore.Property(str, lambda self: "double")
    majorVersion = QtCore.Property(int, lambda self: 5)
    minorVersion = QtCore.Property(int, lambda self: 12)


def write_launcher(launcher: Path, command: str) -> None:
    """Write a program that starts another one as PythonSlicer starts Python.

    Follows ctkAppLauncher (https://github.com/commontk/AppLauncher, ctkAppLauncherInternal::applicationFinished): the
    real program is its child and outlives it; one that crashed, whatever the signal, becomes exit code 1 and a line.
    """
    launcher.write_text(
        f"""\
#!/bin/sh
{command}
code=$?
if [ $code -gt 128 ]; then
  echo 'error: [{sys.executable}] exit abnormally - Report the problem.' >&2
  exit 1
fi
exit $code
""",
        encoding="utf-8",
    )
    launcher.chmod(0o755)
