"""The widgets of the Common Toolkit (module ``ctk``) that the panel uses."""

import types

from PySide6 import QtCore, QtGui, QtWidgets

from Testing.Slicer.double import dialogs


class ctkCollapsibleButton(QtWidgets.QWidget):
    """A titled section that folds. Follows CTK's Libs/Widgets/ctkCollapsibleButton.h.

    Collapsing hides the children, and they return as they were.
    """

    IS_CPP = True
    HEADER_HEIGHT = 22  # pixels
    UNLIMITED = 16_777_215  # pixels, QWIDGETSIZE_MAX of qwidget.h

    contentsCollapsed = QtCore.Signal(bool)
    toggled = QtCore.Signal(bool)
    clicked = QtCore.Signal(bool)

    def __init__(self, text: str | QtWidgets.QWidget | None = None, parent: QtWidgets.QWidget | None = None) -> None:
        if not isinstance(text, str):
            text, parent = "", text
        super().__init__(parent)
        self._text = text
        self._collapsed = False
        self._hidden_by_collapse: list[QtWidgets.QWidget] = []
        self.setContentsMargins(0, self.HEADER_HEIGHT, 0, 0)

    def _get_text(self) -> str:
        return self._text

    def setText(self, text: str) -> None:
        if not isinstance(text, str):
            raise TypeError(f"The text of a ctkCollapsibleButton is a str, not {text!r}")
        self._text = text
        self.update()

    def _get_collapsed(self) -> bool:
        return self._collapsed

    def setCollapsed(self, collapsed: bool) -> None:
        if not isinstance(collapsed, bool):
            raise TypeError(f"collapsed is a bool, not {collapsed!r}")
        if collapsed == self._collapsed:
            return
        self._collapsed = collapsed
        if collapsed:
            self._hide_children()
        else:
            for child in self._hidden_by_collapse:
                child.setVisible(True)
            self._hidden_by_collapse = []
        self.setMaximumHeight(self.HEADER_HEIGHT if collapsed else self.UNLIMITED)
        self.toggled.emit(not collapsed)
        self.contentsCollapsed.emit(collapsed)

    def toggle(self) -> None:
        self.setCollapsed(not self._collapsed)

    def click(self) -> None:
        self.toggle()
        self.clicked.emit(not self._collapsed)

    def _get_checked(self) -> bool:
        return not self._collapsed

    def setChecked(self, checked: bool) -> None:
        self.setCollapsed(not checked)

    text = QtCore.Property(str, _get_text, setText)
    collapsed = QtCore.Property(bool, _get_collapsed, setCollapsed)
    checked = QtCore.Property(bool, _get_checked, setChecked)

    def showEvent(self, event: QtGui.QShowEvent) -> None:
        if self._collapsed:  # a .ui file sets the property before it adds the children
            self._hide_children()
        super().showEvent(event)

    def _hide_children(self) -> None:
        children = self.findChildren(QtWidgets.QWidget, options=QtCore.Qt.FindChildOption.FindDirectChildrenOnly)
        shown = [child for child in children if not child.isHidden()]
        self._hidden_by_collapse += shown
        for child in shown:
            child.setVisible(False)

    def minimumSizeHint(self) -> QtCore.QSize:
        layout_size = QtWidgets.QWidget.minimumSizeHint(self)
        return QtCore.QSize(layout_size.width(), self.HEADER_HEIGHT) if self._collapsed else layout_size

    def paintEvent(self, event: QtGui.QPaintEvent) -> None:
        painter = QtWidgets.QStylePainter(self)
        option = QtWidgets.QStyleOptionButton()
        option.initFrom(self)
        option.rect = QtCore.QRect(0, 0, QtWidgets.QWidget.width(self), self.HEADER_HEIGHT)
        option.text = f"{'▸' if self._collapsed else '▾'}  {self._text}"
        painter.drawControl(QtWidgets.QStyle.ControlElement.CE_PushButton, option)


class ctkMessageBox(dialogs.QMessageBox):
    """A message box that a person may refuse to see again. Follows CTK's Libs/Widgets/ctkMessageBox.h."""

    def __init__(self, parent: QtWidgets.QWidget | None = None) -> None:
        super().__init__(parent)
        self._settings_key = ""

    def _get_key(self) -> str:
        return self._settings_key

    def setDontShowAgainSettingsKey(self, key: str) -> None:
        self._settings_key = key

    dontShowAgainSettingsKey = QtCore.Property(str, _get_key, setDontShowAgainSettingsKey)


WIDGETS = (ctkCollapsibleButton, ctkMessageBox)


def module() -> types.ModuleType:
    """Return the module ``ctk``."""
    result = types.ModuleType("ctk", __doc__)
    for widget in WIDGETS:
        setattr(result, widget.__name__, widget)
    return result
