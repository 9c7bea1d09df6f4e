"""The module ``qt``: the classes of Qt that the panel uses, each with the page that documents it.

The classes themselves are PySide6's, under PythonQt's conventions (see ``pythonqt``). A name that is not listed here
does not exist in the double; add it when the module, or the part of slicer.util that it calls, needs it.
"""

import types

from PySide6 import QtCore, QtGui, QtWidgets

from Testing.Slicer.double import dialogs
from Testing.Slicer.double.ui_loader import QUiLoader

PAGES = "https://doc.qt.io/qt-5/{}.html"
SOURCES = {
    QtCore: """QByteArray QDateTime QDir QFile QFileInfo QLocale QObject QProcess QProcessEnvironment QSettings
        QTimer Qt""",
    QtGui: "QCursor QIcon QPixmap",
    QtWidgets: """QApplication QCheckBox QComboBox QDialog QDoubleSpinBox QFormLayout QHBoxLayout QLabel QLineEdit
        QListWidget QListWidgetItem QPlainTextEdit QProgressBar QProgressDialog QPushButton QSlider QSpinBox QVBoxLayout
        QWidget""",
}
ELSEWHERE = {"Qt": "qt"}  # a page that is not called as its class


def page(name: str) -> str:
    """Return the address of the page that documents a class of ``qt``."""
    return PAGES.format(ELSEWHERE.get(name, name.lower()))


def classes() -> dict[str, type]:
    """Return the classes of the module by their names."""
    found = {name: getattr(source, name) for source, names in SOURCES.items() for name in names.split()}
    return found | {own.__name__: own for own in (dialogs.QMessageBox, dialogs.QFileDialog, QUiLoader)}


def module() -> types.ModuleType:
    """Return the module ``qt``."""
    result = types.ModuleType("qt", __doc__)
    for name, kind in classes().items():
        setattr(result, name, kind)
    return result
