"""The double's widgets of CTK and Slicer, and the loader of .ui files."""

import inspect
from pathlib import Path
from typing import Any

import pytest

from Testing.Slicer import double

double.install()

import ctk  # noqa: E402 - exists from here on
import qt  # noqa: E402
import slicer  # noqa: E402

from Testing.Slicer.double import ctk_module, session  # noqa: E402

VOLUME = "vtkMRMLScalarVolumeNode"
DOCUMENTED = {own.__name__: own for own in (*ctk_module.WIDGETS, *session.SLICER_CLASSES)}
WIDGETS = {name: own for name, own in DOCUMENTED.items() if issubclass(own, qt.QWidget)}


@pytest.fixture(autouse=True)
def an_empty_scene() -> Any:
    slicer.mrmlScene.Clear(False)
    yield slicer.mrmlScene
    slicer.mrmlScene.Clear(False)
    double.dialogs.reset()
    double.raise_slot_errors()


@pytest.fixture
def a_selector() -> Any:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = [VOLUME]
    selector.noneEnabled = True
    selector.setMRMLScene(slicer.mrmlScene)
    return selector


def a_volume(name: str, kind: str = VOLUME) -> Any:
    return slicer.mrmlScene.AddNewNodeByClass(kind, name)


def a_widget(name: str) -> Any:
    """Return a widget of this class; a slice view shows what its logic draws."""
    return WIDGETS[name](*[slicer.vtkMRMLSliceLogic()] if name == "qMRMLSliceWidget" else [])


def choices(selector: Any) -> list[str]:
    box = selector.findChildren(qt.QComboBox)[0]
    return [box.itemText(row) for row in range(box.count)]


def pick(selector: Any, text: str) -> None:
    """Choose as a person does."""
    box = selector.findChildren(qt.QComboBox)[0]
    box.currentIndex = choices(selector).index(text)
    box.activated.emit(box.currentIndex)
    double.raise_slot_errors()


# --- Every widget ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DOCUMENTED)
def test_a_class_names_what_it_follows(name: str) -> None:
    assert "Follows" in inspect.getdoc(DOCUMENTED[name])


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_refuses_an_unknown_signal(name: str) -> None:
    with pytest.raises(ValueError, match="no signal"):
        a_widget(name).connect("valueChanged(double)", print)


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_refuses_an_unknown_attribute(name: str) -> None:
    with pytest.raises(AttributeError, match="does not exist"):
        a_widget(name).collapsd = True


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_refuses_too_many_arguments(name: str) -> None:
    with pytest.raises(TypeError):
        WIDGETS[name](None, None, None)


@pytest.mark.parametrize("name", WIDGETS)
def test_a_widget_refuses_an_argument_of_another_type(name: str) -> None:
    with pytest.raises(TypeError):
        WIDGETS[name](3)


# --- CTK -------------------------------------------------------------------------------------------------------------


def test_a_collapsible_button_hides_its_children_and_shows_them_again_as_they_were() -> None:
    section = ctk.ctkCollapsibleButton("Advanced")
    layout = qt.QVBoxLayout(section)
    shown, hidden = qt.QLabel("shown"), qt.QLabel("hidden")
    layout.addWidget(shown)
    layout.addWidget(hidden)
    hidden.visible = False
    folds: list[bool] = []
    section.connect("contentsCollapsed(bool)", folds.append)
    section.collapsed = True
    assert (shown.isHidden(), hidden.isHidden()) == (True, True)
    section.collapsed = False
    assert (shown.isHidden(), hidden.isHidden(), folds) == (False, True, [True, False])


def test_a_child_that_joins_a_collapsed_section_stays_hidden_until_it_unfolds() -> None:
    section = ctk.ctkCollapsibleButton("Advanced")
    section.collapsed = True
    late = qt.QLabel("late")
    qt.QVBoxLayout(section).addWidget(late)
    section.show()
    assert not late.visible
    section.collapsed = False
    assert late.visible


def test_a_collapsible_button_refuses_other_types() -> None:
    section = ctk.ctkCollapsibleButton()
    with pytest.raises(TypeError, match="does not accept"):
        section.collapsed = 1
    with pytest.raises(TypeError):
        section.setText(3)
    with pytest.raises(TypeError):
        section.setCollapsed(True, False)


def test_a_message_box_needs_a_prepared_answer() -> None:
    slicer.app.setTesting(False)
    try:
        with pytest.raises(double.dialogs.UnexpectedDialogError, match="Delete"):
            slicer.util.confirmOkCancelDisplay("Delete?")
        double.dialogs.prepare(qt.QMessageBox.Ok)
        assert slicer.util.confirmOkCancelDisplay("Delete?", windowTitle="Model")
        assert double.dialogs.asked[-1] == double.dialogs.Question("Model", "Delete?")
        double.dialogs.prepare(qt.QMessageBox.Yes)
        with pytest.raises(ValueError, match="not a button"):
            slicer.util.confirmOkCancelDisplay("Delete?")
        double.dialogs.prepare("yes")
        with pytest.raises(TypeError, match="one of its buttons"):
            slicer.util.confirmOkCancelDisplay("Delete?")
    finally:
        slicer.app.setTesting(True)


def test_a_message_box_refuses_a_settings_key_of_another_type() -> None:
    with pytest.raises(TypeError):
        ctk.ctkMessageBox().dontShowAgainSettingsKey = 3


def test_a_file_dialog_returns_the_path_alone() -> None:
    double.dialogs.prepare("/models/a.safetensors", ("/a", "/b"))
    assert qt.QFileDialog.getOpenFileName(None, "Add model file", "", "*.safetensors") == "/models/a.safetensors"
    assert qt.QFileDialog.getOpenFileNames(None, "Several") == ("/a", "/b")
    with pytest.raises(double.dialogs.UnexpectedDialogError):
        qt.QFileDialog.getSaveFileName(None, "Save")
    double.dialogs.prepare(["/a"], "/a")
    with pytest.raises(TypeError, match="path as text"):
        qt.QFileDialog.getExistingDirectory(None, "Folder")
    with pytest.raises(TypeError, match="tuple of paths"):
        qt.QFileDialog.getOpenFileNames(None, "Several")
    with pytest.raises(TypeError):
        qt.QFileDialog.getOpenFileName("parent", "Add model file")
    with pytest.raises(TypeError):
        qt.QFileDialog.getOpenFileName(None, 3)
    with pytest.raises(TypeError):
        qt.QFileDialog.getOpenFileName(None, "", "", "", "", "")


# --- qMRML -----------------------------------------------------------------------------------------------------------


def test_a_selector_follows_the_scene(a_selector: Any) -> None:
    first = a_volume("first")
    a_volume("labels", "vtkMRMLSegmentationNode")
    assert choices(a_selector) == ["None", "first", "Create new Volume", "Delete current Volume"]
    first.SetName("renamed")
    a_selector.setCurrentNode(first)
    first.SetName("renamed again")
    assert "renamed again" in choices(a_selector)
    slicer.mrmlScene.RemoveNode(first)
    assert a_selector.currentNode() is None
    assert a_selector.nodeCount() == 0


def test_a_selector_tells_of_its_choice_in_three_signals(a_selector: Any) -> None:
    volume, heard = a_volume("v"), []
    a_selector.connect("currentNodeChanged(vtkMRMLNode*)", lambda node: heard.append(node))
    a_selector.connect("currentNodeChanged(bool)", lambda valid: heard.append(valid))
    a_selector.connect("currentNodeIDChanged(QString)", lambda node_id: heard.append(node_id))
    a_selector.setCurrentNode(volume)
    a_selector.setCurrentNode(volume)
    assert heard == [volume, True, volume.GetID()]
    a_selector.currentNodeID = ""
    assert heard[3:] == [None, False, ""]


def test_a_selector_without_none_chooses_the_first_node_by_itself() -> None:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = [VOLUME]
    volume = a_volume("v")
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is volume


def test_a_selector_remembers_a_node_that_is_chosen_before_the_scene_is_set() -> None:
    selector = slicer.qMRMLNodeComboBox()
    selector.nodeTypes = [VOLUME]
    selector.noneEnabled = True
    assert not selector.enabled
    volume = a_volume("v")
    selector.setCurrentNode(volume)
    assert selector.currentNode() is None
    selector.setMRMLScene(slicer.mrmlScene)
    assert selector.currentNode() is volume
    assert selector.enabled


def test_a_selector_can_leave_label_maps_out(a_selector: Any) -> None:
    labels = a_volume("labels", "vtkMRMLLabelMapVolumeNode")
    assert a_selector.nodeCount() == 1
    a_selector.showChildNodeTypes = False
    assert a_selector.nodeCount() == 0
    a_selector.setCurrentNode(labels)
    assert a_selector.currentNode() is None


def test_a_selector_leaves_hidden_nodes_and_those_without_the_attribute_out(a_selector: Any) -> None:
    volume = a_volume("v")
    a_selector.addAttribute(VOLUME, "SuperResolution3D.scale", "4")
    assert a_selector.nodeCount() == 0
    volume.SetAttribute("SuperResolution3D.scale", "4")
    a_selector.removeAttribute(VOLUME, "SuperResolution3D.scale")
    assert a_selector.nodeCount() == 1
    volume.SetHideFromEditors(True)
    a_selector.showHidden = False
    assert a_selector.nodeCount() == 0


def test_a_person_picks_creates_and_deletes_nodes(a_selector: Any) -> None:
    volume, made = a_volume("v"), []
    a_selector.baseName = "Output"
    a_selector.connect("nodeAddedByUserAction(vtkMRMLNode*)", made.append)
    pick(a_selector, "v")
    assert a_selector.currentNode() is volume
    pick(a_selector, "Create new Volume")
    assert [node.GetName() for node in made] == ["Output"]
    assert a_selector.currentNode() is made[0]
    pick(a_selector, "Delete current Volume")
    assert slicer.mrmlScene.GetFirstNodeByName("Output") is None
    pick(a_selector, "None")
    assert a_selector.currentNode() is None


def test_a_node_that_a_program_lets_a_selector_make_is_not_told_as_a_persons(a_selector: Any) -> None:
    made = []
    a_selector.connect("nodeAddedByUserAction(vtkMRMLNode*)", made.append)
    node = a_selector.addNode()
    assert made == []
    assert a_selector.currentNode() is node


def test_a_deprecated_signal_is_unknown(a_selector: Any) -> None:
    with pytest.raises(ValueError, match="nodeAddedByUser"):
        a_selector.connect("nodeAddedByUser(vtkMRMLNode*)", print)


def test_closing_the_scene_empties_a_selector(a_selector: Any) -> None:
    a_selector.setCurrentNode(a_volume("v"))
    slicer.mrmlScene.Clear(False)
    assert a_selector.currentNode() is None
    assert a_selector.currentNodeID == ""


def test_a_selector_refuses_other_types(a_selector: Any) -> None:
    for call in (
        lambda: a_selector.setMRMLScene("scene"),
        lambda: a_selector.setCurrentNode("vtkMRMLScalarVolumeNode1"),
        lambda: a_selector.setCurrentNodeID(None),
        lambda: setattr(a_selector, "nodeTypes", VOLUME),
        lambda: setattr(a_selector, "noneEnabled", "yes"),
        lambda: a_selector.setNoneEnabled(1),
        lambda: a_selector.addAttribute(VOLUME, 3),
        lambda: a_selector.setBaseName(3),
        lambda: a_selector.currentNode(1),
    ):
        with pytest.raises(TypeError):
            call()
    with pytest.raises(ValueError, match="no signal"):
        a_selector.connect("currentNodeChanged(vtkMRMLVolumeNode*)", print)


def test_a_mrml_widget_refuses_what_is_no_scene() -> None:
    with pytest.raises(TypeError, match="vtkMRMLScene"):
        slicer.qMRMLWidget().setMRMLScene(slicer.vtkMRMLScalarVolumeNode())
    with pytest.raises(ValueError, match="no signal"):
        slicer.qMRMLWidget().connect("mrmlSceneChanged(vtkMRMLNode*)", print)


# --- .ui files -------------------------------------------------------------------------------------------------------

UI = """<ui version="4.0"><class>Panel</class>
<widget class="qMRMLWidget" name="Panel"><layout class="QFormLayout" name="form">
<item row="0" column="0"><widget class="qMRMLNodeComboBox" name="inputSelector">
 <property name="nodeTypes"><stringlist notr="true"><string>vtkMRMLScalarVolumeNode</string></stringlist></property>
 <property name="noneEnabled"><bool>true</bool></property>
 <property name="SlicerParameterName" stdset="0"><string>inputVolume</string></property></widget></item>
<item row="1" column="0"><widget class="ctkCollapsibleButton" name="advanced">
 <property name="text"><string>Advanced</string></property>
 <property name="collapsed"><bool>true</bool></property></widget></item></layout></widget>
<customwidgets/><connections><connection><sender>Panel</sender><signal>mrmlSceneChanged(vtkMRMLScene*)</signal>
<receiver>inputSelector</receiver><slot>setMRMLScene(vtkMRMLScene*)</slot></connection></connections></ui>"""


def load(folder: Path, text: str) -> Any:
    path = folder / "Panel.ui"
    path.write_text(text, encoding="utf-8")
    return slicer.util.loadUI(str(path))


def test_a_ui_file_is_loaded_by_slicers_own_function(tmp_path: Path) -> None:
    panel = load(tmp_path, UI)
    ui = slicer.util.childWidgetVariables(panel)
    assert isinstance(panel, slicer.qMRMLWidget)
    assert ui.inputSelector.nodeTypes == [VOLUME]
    assert ui.inputSelector.property("SlicerParameterName") == "inputVolume"
    assert (ui.advanced.text, ui.advanced.collapsed) == ("Advanced", True)
    panel.setMRMLScene(slicer.mrmlScene)
    assert ui.inputSelector.mrmlScene() is slicer.mrmlScene


@pytest.mark.parametrize(
    ("known", "unknown", "message"),
    [
        ("qMRMLNodeComboBox", "qMRMLTreeView", "does not have"),
        ('name="noneEnabled"', 'name="noneEnabld"', "no property 'noneEnabld'"),
        ("<slot>setMRMLScene", "<slot>setScene", "no slot"),
        ("<signal>mrmlSceneChanged", "<signal>sceneChanged", "no signal"),
        ("<receiver>inputSelector", "<receiver>outputSelector", "does not have"),
    ],
)
def test_a_ui_file_with_an_unknown_name_is_refused(tmp_path: Path, known: str, unknown: str, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        load(tmp_path, UI.replace(known, unknown))


def test_the_loader_refuses_what_is_no_file(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="QFile"):
        qt.QUiLoader().load(str(tmp_path / "Panel.ui"))
    with pytest.raises(RuntimeError, match="file not found"):
        slicer.util.loadUI(str(tmp_path / "none.ui"))
