"""Qt under PythonQt's conventions: what Slicer accepts works, and what it would refuse or ignore raises."""

import inspect
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from Testing.Slicer import double

double.install()

import qt  # noqa: E402 - exists from here on
import slicer  # noqa: E402
from PySide6 import QtCore  # noqa: E402

from Testing.Slicer.double import event_loop, qt_module  # noqa: E402

CLASSES = qt_module.classes()
QOBJECTS = sorted(name for name, kind in CLASSES.items() if issubclass(kind, QtCore.QObject))
VALUES = sorted(set(CLASSES) - set(QOBJECTS) - {"Qt"})
MADE_OTHERWISE: dict[str, Callable[[], Any]] = {
    "QApplication": qt.QApplication.instance,
}


def an_object(name: str) -> Any:
    return MADE_OTHERWISE.get(name, CLASSES[name])()


@pytest.fixture(autouse=True)
def no_lost_errors() -> Any:
    yield
    double.raise_slot_errors()


# --- What Slicer accepts ---------------------------------------------------------------------------------------------


def test_properties_are_attributes() -> None:
    label = qt.QLabel("before")
    assert label.text == "before"
    label.text = "after"
    assert label.text == "after"
    label.name = "result"
    assert (label.objectName, label.name, label.className()) == ("result", "result", "QLabel")


def test_objects_that_qt_makes_follow_the_conventions_too() -> None:
    box = qt.QSpinBox()
    editor = box.findChildren(qt.QLineEdit)[0]
    editor.text = "12"
    assert (editor.text, editor.name) == ("12", "qt_spinbox_lineedit")


def test_a_widget_is_an_instance_of_its_base_classes() -> None:
    assert isinstance(qt.QPushButton(), qt.QWidget)
    assert isinstance(qt.QTimer(), qt.QObject)


def test_signals_connect_by_signature_and_by_attribute_and_pass_what_the_slot_takes() -> None:
    button, calls = qt.QPushButton(), []
    button.checkable = True
    button.connect("toggled(bool)", lambda on: calls.append(("signature", on)))
    button.toggled.connect(lambda on: calls.append(("attribute", on)))
    button.toggled.connect(lambda: calls.append("nothing"))
    button.click()
    assert calls == [("signature", True), ("attribute", True), "nothing"]


def test_a_disconnected_slot_is_not_called_again() -> None:
    button, calls = qt.QPushButton(), []

    def slot() -> None:
        calls.append(1)

    button.connect("clicked()", slot)
    button.clicked.connect(slot)
    button.disconnect("clicked()", slot)
    button.clicked.disconnect(slot)
    button.click()
    assert calls == []


def test_all_slots_of_a_signal_can_be_disconnected_at_once() -> None:
    timer, calls = qt.QTimer(), []
    timer.timeout.connect(lambda: calls.append(1))
    timer.timeout.connect(lambda: calls.append(2))
    timer.timeout.disconnect()
    timer.timeout.emit()
    assert calls == []


def test_a_process_reports_its_end_without_anybody_waiting() -> None:
    process, ends = qt.QProcess(), []
    process.connect("finished(int,QProcess::ExitStatus)", lambda code, status: ends.append((code, status)))
    process.start(sys.executable, ["-c", "print('out'); raise SystemExit(3)"])
    assert ends == []
    double.wait_until(lambda: bool(ends))
    assert ends == [(3, qt.QProcess.NormalExit)]
    assert process.readAllStandardOutput().data() == b"out\n"


def test_a_single_shot_runs_once() -> None:
    calls: list[int] = []
    qt.QTimer.singleShot(1, lambda: calls.append(1))
    double.wait_until(lambda: bool(calls))
    double.turn(5)
    assert calls == [1]


def test_a_dynamic_property_can_be_set_and_read() -> None:
    widget = qt.QWidget()
    widget.setProperty("SlicerParameterName", "model")
    assert widget.property("SlicerParameterName") == "model"


def test_a_python_class_may_have_attributes_of_its_own() -> None:
    class Panel(qt.QWidget):
        def __init__(self) -> None:
            super().__init__()
            self.volumes = [1]

    assert Panel().volumes == [1]


def test_a_widget_can_be_looked_at_as_a_picture(tmp_path: Path) -> None:
    label = qt.QLabel("Not for diagnosis")
    picture = qt.QPixmap(str(double.grab(label, tmp_path / "panel.png", width=200)))
    colours = {picture.toImage().pixel(x, y) for x in range(200) for y in range(picture.height())}
    assert picture.width() == 200
    assert len(colours) > 2, "the text is not drawn"


# --- What it refuses -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", QOBJECTS)
def test_a_class_refuses_an_unknown_signal(name: str) -> None:
    thing = an_object(name)
    with pytest.raises(ValueError, match="no signal 'finishedd"):
        thing.connect("finishedd(int)", print)
    with pytest.raises(AttributeError):
        thing.finishedd.connect(print)


@pytest.mark.parametrize("name", QOBJECTS)
def test_a_class_refuses_an_unknown_attribute(name: str) -> None:
    thing = an_object(name)
    with pytest.raises(AttributeError, match="does not exist"):
        thing.textt = "x"


@pytest.mark.parametrize("name", QOBJECTS)
def test_a_class_refuses_a_property_value_of_another_type(name: str) -> None:
    thing = an_object(name)
    with pytest.raises(TypeError, match="does not accept"):
        thing.objectName = 3


@pytest.mark.parametrize("name", sorted(set(QOBJECTS) - set(MADE_OTHERWISE)) + VALUES)
def test_a_class_refuses_too_many_arguments(name: str) -> None:
    with pytest.raises(TypeError):
        CLASSES[name](*[object()] * 12)


@pytest.mark.parametrize("name", QOBJECTS)
def test_a_class_refuses_a_slot_that_needs_more_than_the_signal_has(name: str) -> None:
    with pytest.raises(TypeError, match="passes 0 arguments"):
        an_object(name).connect("destroyed()", lambda needed: None)


@pytest.mark.parametrize("name", sorted(CLASSES))
def test_a_class_has_a_page_that_documents_it(name: str) -> None:
    assert qt_module.page(name) == f"https://doc.qt.io/qt-5/{name.lower()}.html"


@pytest.mark.parametrize(
    ("widget", "name", "value"),
    [
        (qt.QLabel, "text", 3),
        (qt.QLabel, "enabled", 1),
        (qt.QSpinBox, "value", 2.5),
        (qt.QSpinBox, "value", True),
        (qt.QDoubleSpinBox, "value", "2.5"),
        (qt.QComboBox, "currentIndex", "0"),
        (qt.QProgressBar, "value", None),
        (qt.QLabel, "alignment", "left"),
    ],
)
def test_a_property_refuses_a_value_of_another_type(widget: Any, name: str, value: Any) -> None:
    with pytest.raises(TypeError):
        setattr(widget(), name, value)


def test_a_property_is_no_method() -> None:
    with pytest.raises(TypeError, match="not callable"):
        qt.QLabel("x").text()


def test_a_property_without_a_setter_cannot_be_written() -> None:
    with pytest.raises(AttributeError, match="not writable"):
        qt.QComboBox().count = 3


def test_a_signal_cannot_be_overwritten() -> None:
    with pytest.raises(AttributeError, match="Signal 'clicked'"):
        qt.QPushButton().clicked = print


def test_a_signal_newer_than_slicers_qt_is_unknown() -> None:
    with pytest.raises(ValueError, match="no signal"):
        qt.QCheckBox().connect("checkStateChanged(Qt::CheckState)", print)


def test_a_signal_refuses_other_arguments_when_it_is_emitted() -> None:
    box = qt.QSpinBox()
    with pytest.raises(TypeError, match="not 2 arguments"):
        box.valueChanged.emit(1, 2)
    with pytest.raises(TypeError, match="not str"):
        box.valueChanged.emit("1")


def test_only_something_callable_can_be_connected() -> None:
    with pytest.raises(TypeError, match="not callable"):
        qt.QPushButton().connect("clicked()", "onClicked")
    with pytest.raises(TypeError, match="given as text"):
        qt.QPushButton().connect(3, print)


def test_what_is_not_connected_cannot_be_disconnected() -> None:
    with pytest.raises(ValueError, match="is not connected"):
        qt.QPushButton().disconnect("clicked()", print)


def test_an_error_in_a_slot_is_not_lost() -> None:
    button = qt.QPushButton()
    button.clicked.connect(lambda: 1 / 0)
    button.click()
    with pytest.raises(ZeroDivisionError):
        double.turn()


def test_an_error_in_a_single_shot_is_not_lost() -> None:
    qt.QTimer.singleShot(0, lambda: 1 / 0)
    with pytest.raises(ZeroDivisionError):
        double.turn(20)
    with pytest.raises(TypeError, match="milliseconds"):
        qt.QTimer.singleShot("0", print)


def test_a_class_that_the_module_does_not_use_is_not_there() -> None:
    with pytest.raises(AttributeError):
        _ = qt.QWebEngineView


def test_the_module_qt_is_only_as_wide_as_it_is_used() -> None:
    """By the module, the part of slicer.util that it calls, Slicer's connectors of parameters, or the tests."""
    root = Path(__file__).resolve().parents[2]
    files = [*(root / "SuperResolution3D").rglob("*.py"), *Path(__file__).parent.glob("test_slicer_*.py")]
    text = "\n".join(path.read_text("utf-8") for path in files) + inspect.getsource(slicer.util)
    used = set(re.findall(r"\bqt\.(Qt|Q[A-Z]\w+)", text))
    for path in (root / "SuperResolution3D").rglob("*.ui"):
        used |= set(re.findall(r'class="(Q\w+)"', path.read_text("utf-8")))
    assert set(CLASSES) <= used


def test_waiting_for_what_never_happens_ends() -> None:
    with pytest.raises(TimeoutError, match="within 20 ms"):
        double.wait_until(lambda: False, 20)


def test_calls_that_return_nothing_do_not_use_none_up() -> None:
    label = qt.QLabel()
    for _repetition in range(20_000):  # Python 3.11 ends after a few thousand without the care of `immortal`
        label.parent()
    assert sys.getrefcount(None) > 1000


def test_turning_handles_what_is_due_by_its_end_even_where_the_machine_stood_still(monkeypatch) -> None:
    fired: list[bool] = []
    qt.QTimer.singleShot(30, lambda: fired.append(True))
    monkeypatch.setattr(event_loop, "raise_slot_errors", lambda: time.sleep(0.1))
    double.turn(40)
    assert fired == [True]
