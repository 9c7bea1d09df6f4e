"""Dialogs without a person: what was asked is recorded, and the answer must have been prepared.

Nothing here ever waits. A test says ``dialogs.prepare(qt.QMessageBox.Ok)`` before the call that asks; a question
without a prepared answer raises `UnexpectedDialogError`.
"""

from collections import deque
from dataclasses import dataclass
from typing import Any

from PySide6 import QtWidgets


class UnexpectedDialogError(AssertionError):
    """A dialog opened for which the test prepared no answer."""


@dataclass(frozen=True)
class Question:
    """What a dialog showed."""

    title: str
    text: str
    details: str = ""


asked: list[Question] = []
"""The dialogs so far, oldest first"""
_answers: deque[Any] = deque()


def prepare(*answers: Any) -> None:
    """Answer the next dialogs so, in this order: a button, or a path (or several) for a file dialog."""
    _answers.extend(answers)


def reset() -> None:
    """Forget questions and answers."""
    asked.clear()
    _answers.clear()


def ask(question: Question) -> Any:
    """Record a question and return its prepared answer.

    Raises:
        UnexpectedDialogError: no answer is left
    """
    asked.append(question)
    if not _answers:
        raise UnexpectedDialogError(f"A dialog opened that the test did not expect: {question}")
    return _answers.popleft()


class QMessageBox(QtWidgets.QMessageBox):
    """A question. Follows https://doc.qt.io/qt-5/qmessagebox.html; ``exec_`` answers at once."""

    IS_CPP = True

    def exec_(self) -> QtWidgets.QMessageBox.StandardButton:
        title = QtWidgets.QMessageBox.windowTitle(self).strip()
        answer = ask(Question(title, QtWidgets.QMessageBox.text(self), QtWidgets.QMessageBox.detailedText(self)))
        if not isinstance(answer, QtWidgets.QMessageBox.StandardButton):
            raise TypeError(f"A message box is answered by one of its buttons, not by {answer!r}")
        if answer not in QtWidgets.QMessageBox.standardButtons(self):
            raise ValueError(f"{answer} is not a button of the message box {title!r}")
        return answer


class QFileDialog(QtWidgets.QFileDialog):
    """Choosing files. Follows https://doc.qt.io/qt-5/qfiledialog.html.

    PythonQt returns the path alone, "" when cancelled, without the chosen filter.
    """

    IS_CPP = True

    @staticmethod
    def getOpenFileName(
        parent: QtWidgets.QWidget | None = None, caption: str = "", dir: str = "", filter: str = ""
    ) -> str:
        return _path(parent, caption, dir, filter)

    @staticmethod
    def getSaveFileName(
        parent: QtWidgets.QWidget | None = None, caption: str = "", dir: str = "", filter: str = ""
    ) -> str:
        return _path(parent, caption, dir, filter)

    @staticmethod
    def getExistingDirectory(parent: QtWidgets.QWidget | None = None, caption: str = "", dir: str = "") -> str:
        return _path(parent, caption, dir, "")

    @staticmethod
    def getOpenFileNames(
        parent: QtWidgets.QWidget | None = None, caption: str = "", dir: str = "", filter: str = ""
    ) -> tuple[str, ...]:
        answer = ask(_file_question(parent, caption, dir, filter))
        if not isinstance(answer, tuple) or not all(isinstance(path, str) for path in answer):
            raise TypeError(f"Several files are answered by a tuple of paths, not by {answer!r}")
        return answer


def _path(parent: QtWidgets.QWidget | None, caption: str, folder: str, name_filter: str) -> str:
    answer = ask(_file_question(parent, caption, folder, name_filter))
    if not isinstance(answer, str):
        raise TypeError(f"A file dialog is answered by a path as text, not by {answer!r}")
    return answer


def _file_question(parent: QtWidgets.QWidget | None, caption: str, folder: str, name_filter: str) -> Question:
    if not (parent is None or isinstance(parent, QtWidgets.QWidget)):
        raise TypeError(f"The parent of a file dialog is a widget or None, not {parent!r}")
    for text in (caption, folder, name_filter):
        if not isinstance(text, str):
            raise TypeError(f"A file dialog takes text, not {text!r}")
    return Question(caption, folder, name_filter)
