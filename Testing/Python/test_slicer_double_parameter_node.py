"""The double's parameterNodeWrapper: types, defaults, storage in the scene and connection to widgets."""

from enum import Enum
from pathlib import Path
from typing import Annotated, Any

import pytest

from Testing.Slicer import core, double

double.install()

import qt  # noqa: E402 - exists from here on
import slicer  # noqa: E402
import vtk  # noqa: E402
from slicer.parameterNodeWrapper import (  # noqa: E402
    Choice,
    Decimals,
    Default,
    Exclude,
    IsInstance,
    Maximum,
    Minimum,
    NotNone,
    SingleStep,
    WithinRange,
    isParameterNodeWrapper,
    parameterNodeWrapper,
)

from Testing.Slicer.double import parameter_gui, validators  # noqa: E402

Volume = slicer.vtkMRMLScalarVolumeNode


class Mode(Enum):
    OFF = "off"
    CHECK = "check"

    @staticmethod
    def label(mode: "Mode") -> str:
        return {"OFF": "Off", "CHECK": "Check only"}[mode.name]


@parameterNodeWrapper
class Parameters:
    inputVolume: Volume  # noqa: N815 - as in the module
    reference: Volume | None
    others: list[Volume]
    model: str = "rrdb"
    device: Annotated[str, Choice(["auto", "cpu"]), Default("cpu")]
    overlap: Annotated[float, WithinRange(0, 0.75), Decimals(2), SingleStep(0.05)] = 0.5
    window: Annotated[int, Minimum(8), Maximum(96)] = 24
    mode: Mode = Mode.CHECK
    folder: Path
    limit: int | None
    checked: bool


@pytest.fixture(autouse=True)
def an_empty_scene() -> Any:
    core.start().reset()
    yield
    core.start().reset()
    double.raise_slot_errors()


@pytest.fixture
def a_node() -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScriptedModuleNode", "Parameters")


@pytest.fixture
def parameters(a_node: Any) -> Any:
    return Parameters(a_node)


@pytest.fixture
def a_panel() -> Any:
    """Return a widget with one named child for each of four parameters."""
    panel = qt.QWidget()
    layout = qt.QFormLayout(panel)
    children = (
        (slicer.qMRMLNodeComboBox, "inputVolume"),
        (qt.QComboBox, "device"),
        (qt.QSpinBox, "window"),
        (qt.QCheckBox, "checked"),
    )
    for kind, parameter in children:
        child = kind()
        child.name = parameter
        child.setProperty("SlicerParameterName", parameter)
        layout.addRow(parameter, child)
    selector = slicer.util.findChild(panel, "inputVolume")
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    return panel


def a_volume(name: str = "v") -> Any:
    return slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", name)


# --- Values ----------------------------------------------------------------------------------------------------------


def test_parameters_begin_with_their_defaults(parameters: Any) -> None:
    assert isParameterNodeWrapper(parameters)
    assert (parameters.inputVolume, parameters.reference, parameters.others) == (None, None, [])
    assert (parameters.model, parameters.device, parameters.overlap) == ("rrdb", "cpu", 0.5)
    assert (parameters.window, parameters.mode, parameters.folder) == (24, Mode.CHECK, Path())
    assert (parameters.limit, parameters.checked) == (None, False)
    assert parameters.default("device").value == "cpu"
    assert parameters.isCached("device")


def test_parameters_survive_saving_and_loading_the_scene(parameters: Any, a_node: Any, tmp_path: Path) -> None:
    first, second = a_volume("first"), a_volume("second")
    parameters.inputVolume = first
    parameters.reference = second
    parameters.others = [first, second]
    parameters.mode = Mode.OFF
    parameters.limit = 7
    parameters.overlap = 0.25
    parameters.checked = True
    parameters.folder = tmp_path
    text = tmp_path / "scene.mrml"
    slicer.mrmlScene.SetURL(str(text))
    slicer.mrmlScene.Commit()
    core.start().reset()
    slicer.mrmlScene.Import()
    loaded = Parameters(slicer.util.getNode("Parameters"))
    assert loaded.inputVolume.GetName() == "first"
    assert loaded.reference.GetName() == "second"
    assert [node.GetName() for node in loaded.others] == ["first", "second"]
    assert (loaded.mode, loaded.limit, loaded.overlap) == (Mode.OFF, 7, 0.25)
    assert (loaded.checked, loaded.folder) == (True, tmp_path)


def test_values_are_stored_as_slicer_stores_them(parameters: Any, a_node: Any) -> None:
    volume = a_volume()
    parameters.inputVolume = volume
    parameters.reference = volume
    parameters.others = [volume]
    assert a_node.GetNodeReferenceID("inputVolume") == volume.GetID()
    assert a_node.GetNodeReferenceID("reference.0") == volume.GetID()
    assert (a_node.GetParameter("others.len"), a_node.GetNodeReferenceID("others.0")) == ("1", volume.GetID())
    assert (a_node.GetParameter("checked"), a_node.GetParameter("mode")) == ("False", "CHECK")


def test_an_optional_value_can_be_taken_back(parameters: Any, a_node: Any) -> None:
    parameters.reference = a_volume()
    parameters.reference = None
    assert parameters.reference is None
    assert a_node.GetNodeReferenceID("reference.0") is None


def test_a_list_stores_what_is_done_to_it(parameters: Any) -> None:
    first, second = a_volume("first"), a_volume("second")
    parameters.others.append(first)
    parameters.others += [second]
    parameters.others[0] = second
    assert [node.GetName() for node in parameters.others] == ["second", "second"]
    parameters.others.remove(second)
    assert len(parameters.others) == 1
    del parameters.others[0]
    assert parameters.others == []
    with pytest.raises(TypeError):
        _ = parameters.others + [first]


def test_a_removed_node_is_none(parameters: Any) -> None:
    parameters.inputVolume = a_volume()
    slicer.mrmlScene.RemoveNode(parameters.inputVolume)
    assert parameters.inputVolume is None


def test_an_emptied_node_has_its_defaults_again(parameters: Any, a_node: Any) -> None:
    parameters.model = "other"
    for name in a_node.GetParameterNames():
        a_node.UnsetParameter(name)
    assert (parameters.model, parameters.window, parameters.limit) == ("rrdb", 24, None)


def test_an_observer_hears_of_each_change(parameters: Any) -> None:
    heard: list[str] = []
    tag = parameters.AddObserver(vtk.vtkCommand.ModifiedEvent, lambda caller, event: heard.append(event))
    parameters.window = 48
    with slicer.util.NodeModify(parameters):
        parameters.window = 24
        parameters.checked = True
    parameters.RemoveObserver(tag)
    parameters.window = 12
    assert heard == ["ModifiedEvent"] * 2


@pytest.mark.parametrize(
    ("name", "value", "error"),
    [
        ("model", 3, TypeError),
        ("model", None, ValueError),
        ("device", "gpu", ValueError),
        ("overlap", 0.8, ValueError),
        ("overlap", "0.5", TypeError),
        ("window", 24.0, TypeError),
        ("window", True, TypeError),
        ("window", 4, ValueError),
        ("window", 128, ValueError),
        ("mode", "OFF", TypeError),
        ("folder", "/tmp", TypeError),
        ("checked", 1, TypeError),
        ("limit", "7", TypeError),
        ("inputVolume", "vtkMRMLScalarVolumeNode1", TypeError),
        ("others", ["v"], TypeError),
    ],
)
def test_a_parameter_refuses_another_value(parameters: Any, name: str, value: Any, error: type[Exception]) -> None:
    before = parameters.getValue(name)
    with pytest.raises(error):
        setattr(parameters, name, value)
    assert parameters.getValue(name) == before


def test_a_parameter_refuses_a_node_of_another_class(parameters: Any) -> None:
    model = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLModelNode")
    for name in ("inputVolume", "reference"):
        with pytest.raises(TypeError):
            setattr(parameters, name, model)


@pytest.mark.parametrize("annotation", [dict[str, int], tuple[int, int], complex, Annotated[int, "unit: mm"]])
def test_a_type_that_the_double_does_not_store_raises(annotation: Any) -> None:
    with pytest.raises(TypeError, match=r"cannot store|not understood"):
        parameterNodeWrapper(type("Wrong", (), {"__annotations__": {"value": annotation}}))


def test_a_reserved_name_raises() -> None:
    with pytest.raises(ValueError, match="'connectGui' is a reserved name"):
        parameterNodeWrapper(type("Wrong", (), {"__annotations__": {"connectGui": str}, "connectGui": ""}))


def test_two_defaults_raise() -> None:
    with pytest.raises(TypeError, match="2 defaults"):
        parameterNodeWrapper(
            type("Wrong", (), {"__annotations__": {"model": Annotated[str, Default("a")]}, "model": "b"})
        )


def test_only_a_scripted_module_node_holds_parameters() -> None:
    with pytest.raises(TypeError, match="vtkMRMLScriptedModuleNode"):
        Parameters(a_volume())
    with pytest.raises(TypeError):
        Parameters()


def test_an_unknown_parameter_raises(parameters: Any, a_panel: Any) -> None:
    for call in (parameters.getValue, parameters.dataType, parameters.default, parameters.isCached):
        with pytest.raises(ValueError, match="no parameter 'modell'"):
            call("modell")
    slicer.util.findChild(a_panel, "checked").setProperty("SlicerParameterName", "chekced")
    with pytest.raises(ValueError, match="no parameter 'chekced'"):
        parameters.connectGui(a_panel)


@pytest.mark.parametrize(
    ("validator", "allowed", "refused", "error"),
    [
        (NotNone(), 0, None, ValueError),
        (IsInstance(int), 1, "1", TypeError),
        (Minimum(2), 2, 1, ValueError),
        (Maximum(2), 2, 3, ValueError),
        (WithinRange(1, 2), 2, 3, ValueError),
        (Choice(["a"]), "a", "b", ValueError),
        (Exclude(["a"]), "b", "a", ValueError),
    ],
)
def test_a_validator_refuses(validator: Any, allowed: Any, refused: Any, error: type[Exception]) -> None:
    validator.validate(allowed)
    with pytest.raises(error):
        validator.validate(refused)
    with pytest.raises(TypeError):
        validator.validate(allowed, refused)


def test_annotations_without_their_arguments_raise() -> None:
    for kind in (IsInstance, Minimum, Maximum, WithinRange, Choice, Exclude, Decimals, SingleStep):
        with pytest.raises(TypeError):
            kind()
    with pytest.raises(TypeError):
        Default(1, 2)
    with pytest.raises(NotImplementedError):
        validators.Validator().validate(1)
    assert Default(generator=lambda: 3).value == 3


# --- Widgets ---------------------------------------------------------------------------------------------------------


def test_widgets_and_parameters_follow_each_other(parameters: Any, a_panel: Any) -> None:
    ui = slicer.util.childWidgetVariables(a_panel)
    parameters.connectGui(a_panel)
    assert (ui.device.currentText, ui.window.value, ui.checked.checked) == ("cpu", 24, False)
    assert (ui.window.minimum, ui.window.maximum) == (8, 96)
    assert ui.inputVolume.nodeTypes == ["vtkMRMLScalarVolumeNode"]
    volume = a_volume()
    ui.inputVolume.setCurrentNode(volume)
    ui.device.currentIndex = 0
    ui.window.value = 40
    ui.checked.click()
    assert (parameters.inputVolume, parameters.device) == (volume, "auto")
    assert (parameters.window, parameters.checked) == (40, True)
    parameters.window = 12
    parameters.inputVolume = None
    assert ui.window.value == 12
    assert ui.inputVolume.currentNode() is None


def test_a_disconnected_panel_changes_nothing_and_is_not_changed(parameters: Any, a_panel: Any) -> None:
    ui = slicer.util.childWidgetVariables(a_panel)
    assert parameters.connectGui(ui) is None
    widget = qt.QSpinBox()
    tag = parameters.connectParametersToGui({"window": widget})
    parameters.disconnectGui(tag)
    parameters.disconnectGui(tag)
    widget.value = 40
    assert parameters.window == 24
    parameters.window = 50
    assert widget.value == 40


def test_an_enum_is_listed_with_its_labels(parameters: Any) -> None:
    box = qt.QComboBox()
    parameters.connectParametersToGui({"mode": box})
    assert [box.itemText(row) for row in range(box.count)] == ["Off", "Check only"]
    assert box.currentText == "Check only"
    box.currentIndex = 0
    assert parameters.mode is Mode.OFF


def test_text_and_decimals_have_their_widgets(parameters: Any) -> None:
    line, label, spin = qt.QLineEdit(), qt.QLabel(), qt.QDoubleSpinBox()
    parameters.connectParametersToGui({"model": line, "overlap": spin})
    parameters.connectParametersToGui({"model": label})
    line.text = "rcan"
    spin.value = 0.25
    assert (parameters.model, parameters.overlap, label.text) == ("rcan", 0.25, "rcan")
    assert (spin.decimals, spin.singleStep, spin.maximum) == (2, 0.05, 0.75)


@pytest.mark.parametrize(
    ("widget", "annotation"),
    [
        (qt.QSpinBox, str),
        (qt.QCheckBox, int),
        (qt.QPlainTextEdit, str),
        (qt.QComboBox, str),
        (qt.QSlider, int),
        (qt.QLineEdit, float),
        (slicer.qMRMLNodeComboBox, str),
        (qt.QListWidget, list[Volume]),
    ],
)
def test_a_widget_refuses_a_type_that_it_cannot_show(widget: Any, annotation: Any) -> None:
    with pytest.raises(RuntimeError):
        parameter_gui.connector(widget(), annotation)


def test_an_invalid_value_of_a_widget_is_not_stored(parameters: Any) -> None:
    spin = qt.QSpinBox()
    parameters.connectParametersToGui({"window": spin})
    spin.minimum = 1
    spin.value = 2
    with pytest.raises(ValueError, match="at least 8"):
        double.turn()
    assert parameters.window == 24


def test_annotations_for_widgets_are_told_as_unused(caplog) -> None:
    @parameterNodeWrapper
    class Told:
        overlap: Annotated[float, WithinRange(0, 1), Decimals(3), SingleStep(0.125)] = 0.5

    assert caplog.messages == ["Unused annotations: [Decimals(value=3), SingleStep(value=0.125)]"]
