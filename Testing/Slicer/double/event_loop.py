"""Turning Qt's event loop in tests, and looking at a widget."""

import time
from collections.abc import Callable
from pathlib import Path

from PySide6 import QtCore, QtWidgets

from Testing.Slicer.double import signals


def turn(milliseconds: int = 0) -> None:
    """Let timers, processes and posted events run for so long, then raise what slots raised meanwhile."""
    end = time.monotonic() + milliseconds / 1000
    while True:
        is_over = time.monotonic() >= end  # asked first: what is due by then is handled, however busy the machine is
        QtWidgets.QApplication.processEvents()
        QtCore.QCoreApplication.sendPostedEvents(None, QtCore.QEvent.Type.DeferredDelete.value)
        raise_slot_errors()
        if is_over:
            return
        time.sleep(0.002)


def wait_until(condition: Callable[[], bool], milliseconds: int = 120_000) -> None:
    """Turn the event loop until the condition holds.

    Raises:
        TimeoutError: it does not hold in time
    """
    end = time.monotonic() + milliseconds / 1000
    while not condition():
        if time.monotonic() >= end:
            raise TimeoutError(f"The condition did not hold within {milliseconds} ms")
        turn(2)


def raise_slot_errors() -> None:
    """Raise the first error that a slot raised since the last call; forget the others."""
    if signals.slot_errors:
        error = signals.slot_errors[0]
        signals.slot_errors.clear()
        raise error


def grab(widget: QtWidgets.QWidget, path: Path, width: int = 480) -> Path:
    """Draw a widget as it would stand in the module panel, ``width`` pixels wide, into a PNG file."""
    turn()
    layout = widget.layout()
    height = max(layout.totalHeightForWidth(width) if layout else 0, widget.sizeHint().height())
    widget.resize(width, height)
    turn(20)
    if not widget.grab().save(str(path), "PNG"):
        raise OSError(f"The picture {path} could not be written")
    return path
