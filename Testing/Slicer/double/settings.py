"""Settings that stay inside the test run: Qt writes them into a temporary folder."""

from pathlib import Path

from PySide6 import QtCore


def isolate(folder: Path) -> None:
    """Keep every QSettings of this process in the folder, as ini files (https://doc.qt.io/qt-5/qsettings.html)."""
    ini = QtCore.QSettings.Format.IniFormat
    QtCore.QSettings.setDefaultFormat(ini)
    for scope in (QtCore.QSettings.Scope.UserScope, QtCore.QSettings.Scope.SystemScope):
        QtCore.QSettings.setPath(ini, scope, str(folder))
    QtCore.QCoreApplication.setOrganizationName("slicer.org")
    QtCore.QCoreApplication.setApplicationName("Slicer")
    QtCore.QCoreApplication.setApplicationVersion("5.12.0-double")
