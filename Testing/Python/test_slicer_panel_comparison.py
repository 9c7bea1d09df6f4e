"""The panel's comparison: when it is offered, what it shows, and a scene that was saved in it."""

import numpy as np
import pytest
import slicer
from panel_fixtures import AFFINE, SHAPE, a_main_window, a_node, a_panel  # noqa: F401 (fixtures)

from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume

# isort: split
from SuperResolution3DSlicer.comparison.layout import LAYOUT_ID, comparison_views


def test_comparison_is_offered_once_there_is_a_result(a_panel, a_main_window, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    assert not a_panel.ui.comparisonButton.enabled
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    double.turn(50)
    assert rows() == ["head", "head SRx4", "head SRx4 minus zero-filled"]


def test_the_difference_is_there_also_when_the_reference_is_taken_away_after_the_run(
    a_panel, a_main_window, a_node
) -> None:
    reference = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "hr")
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node, referenceVolume=reference)
    assert a_panel.ui.zeroFilledBox.enabled
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    assert rows() == ["head", "head SRx4", "hr"]
    a_panel.choose(referenceVolume=None)
    a_panel.click(a_panel.ui.comparisonButton)
    assert rows() == ["head", "head SRx4", "head SRx4 minus zero-filled"]


def test_the_difference_is_known_as_computed_here_and_is_no_further_input(a_panel, a_main_window, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    double.turn(80)
    assert a_panel.ui.furtherInputsList.count == 0
    a_panel.choose(referenceVolume=slicer.mrmlScene.GetFirstNodeByName("head SRx4 minus zero-filled"))
    note = "The HR reference head SRx4 minus zero-filled was computed here, not measured."
    assert note in a_panel.ui.noteLabel.text


def test_an_empty_third_row_says_what_would_fill_it(a_panel, a_main_window, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node, zeroFilled=False)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    assert rows() == ["head", "head SRx4", None]
    sentence = "The third row is empty: choose an HR reference, or tick the zero-filled volume and run again."
    assert a_panel.ui.resultLabel.text == sentence


def test_comparison_without_a_main_window_is_one_sentence(a_panel, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    assert a_panel.ui.resultLabel.text == "The comparison needs Slicer's main window."


def test_the_layout_is_known_before_the_comparison_is_shown(a_panel, a_main_window) -> None:
    core.start().close_layout()
    slicer.app.setLayoutManager(slicer.qSlicerLayoutManager(core.start()))
    layout_node = core.start().layout.GetLayoutNode()
    assert not layout_node.IsLayoutDescription(LAYOUT_ID)
    slicer.app.startupCompleted.emit()
    assert layout_node.IsLayoutDescription(LAYOUT_ID)


@pytest.mark.parametrize("steps", [("start", "load"), ("load", "start")], ids="-".join)
def test_a_scene_that_was_saved_in_the_comparison_shows_its_views_in_a_new_session(
    a_panel, a_main_window, a_node, steps
) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    text, running = saved_scene(), core.start()
    slicer.app.setLayoutManager(None)
    slicer.mrmlScene.Clear(False)
    slicer.app.setLayoutManager(slicer.qSlicerLayoutManager(running))
    for step in steps:  # a scene of the command line is loaded before Slicer has started up
        if step == "start":
            slicer.app.startupCompleted.emit()
        else:
            load_scene(text)
    views = running.layout.GetViewNodes()
    names = [views.GetItemAsObject(number).GetLayoutName() for number in range(views.GetNumberOfItems())]
    assert names == [view.name for view in comparison_views()]


@pytest.mark.parametrize("with_reference", [False, True])
def test_a_loaded_comparison_keeps_its_rows_and_its_window(a_panel, a_main_window, a_node, with_reference) -> None:
    reference = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "hr")
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node, referenceVolume=reference if with_reference else None)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    wanted, text, running = rows(), saved_scene(), core.start()
    slicer.app.setLayoutManager(None)
    slicer.mrmlScene.Clear(False)
    slicer.app.setLayoutManager(slicer.qSlicerLayoutManager(running))
    load_scene(text)
    double.turn(80)
    assert rows() == wanted
    label = slicer.mrmlScene.GetSingletonNode("SuperResolution3DReferenceAxial", "vtkMRMLSliceNode").GetLayoutLabel()
    assert label == ("HR axial" if with_reference else "SR - zero-filled axial")
    choose_in_selector(running, "SuperResolution3DLRAxial", "head zero-filled")
    assert rows() == wanted
    nodes = [slicer.mrmlScene.GetFirstNodeByName(name) for name in wanted]
    nodes[1].GetDisplayNode().SetWindowLevelMinMax(-40, 700)
    windows = [(node.GetDisplayNode().GetWindowLevelMin(), node.GetDisplayNode().GetWindowLevelMax()) for node in nodes]
    assert windows[:2] == [(-40, 700)] * 2
    assert (windows[2] == (-40, 700)) == with_reference, "the difference has a window of its own"
    running.layout.GetLayoutNode().SetViewArrangement(slicer.vtkMRMLLayoutNode.SlicerLayoutFourUpView)
    choose_in_selector(running, "SuperResolution3DLRAxial", "head zero-filled")
    assert rows() == ["head zero-filled"] * 3, "with another layout the comparison lets go"


def test_views_that_show_no_result_are_left_alone(a_panel, a_main_window, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    slicer.mrmlScene.Clear(False)
    double.turn(80)
    assert rows() == [None] * 3
    add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "other")
    a_panel.module.widget.enter()
    choose_in_selector(core.start(), "SuperResolution3DLRAxial", "other")
    assert rows() == ["other", None, None]


def rows() -> list[str | None]:
    """Return the names of the volumes in the axial views, from the first row to the third."""
    views = [
        slicer.mrmlScene.GetSingletonNode(f"SuperResolution3D{row}Axial", "vtkMRMLSliceCompositeNode")
        for row in ("LR", "SR", "Reference")
    ]
    shown = [view.GetBackgroundVolumeID() for view in views]
    return [None if volume is None else slicer.mrmlScene.GetNodeByID(volume).GetName() for volume in shown]


def choose_in_selector(running: core.Core, view_name: str, volume_name: str) -> None:
    """Choose a volume in a view's own selector, which passes it on to the views that are linked with it."""
    view = running.application.GetSliceLogic(slicer.mrmlScene.GetSingletonNode(view_name, "vtkMRMLSliceNode"))
    composite = view.GetSliceCompositeNode()
    view.StartSliceCompositeNodeInteraction(composite.BackgroundVolumeFlag)
    composite.SetBackgroundVolumeID(slicer.mrmlScene.GetFirstNodeByName(volume_name).GetID())
    view.EndSliceCompositeNodeInteraction()


def saved_scene() -> str:
    """Return the scene as the text of its file."""
    scene = slicer.mrmlScene
    scene.SetSaveToXMLString(True)
    scene.Commit()
    scene.SetSaveToXMLString(False)
    return scene.GetSceneXMLString()


def load_scene(text: str) -> None:
    scene = slicer.mrmlScene
    scene.SetLoadFromXMLString(True)
    scene.SetSceneXMLString(text)
    scene.Import()
    scene.SetLoadFromXMLString(False)


def test_result_comparison_and_report_are_one_click_away(a_panel, a_main_window, a_node) -> None:
    ui = a_panel.ui
    buttons = (ui.showResultButton, ui.comparisonButton, ui.reportButton)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    assert {(button.enabled, button.toolTip) for button in buttons} == {
        (False, "There is no result of this input yet.")
    }
    a_panel.run()
    assert all(button.enabled for button in buttons)
    assert len({button.toolTip for button in buttons}) == 3
    selection = slicer.app.applicationLogic().GetSelectionNode()
    selection.SetActiveVolumeID(a_node.GetID())
    a_panel.click(ui.showResultButton)
    assert selection.GetActiveVolumeID() == slicer.mrmlScene.GetFirstNodeByName("head SRx4").GetID()


def test_the_report_says_how_the_result_came_about(a_panel, a_node, monkeypatch) -> None:
    shown: list[tuple[str, dict[str, str]]] = []
    monkeypatch.setattr(slicer.util, "infoDisplay", lambda text, **values: shown.append((text, values)))
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    a_panel.click(a_panel.ui.reportButton)
    text, values = shown[0]
    lines = text.split("\n")
    assert lines[0].startswith("head SRx4: computed with ")
    assert lines[1] == "Scan: 11 x 13 x 9 voxels of 3 x 3.2 x 4 mm (left-right, front-back, through-plane)"
    assert lines[2] == "Result: 44 x 52 x 36 voxels of 0.75 x 0.8 x 1 mm (left-right, front-back, through-plane)"
    assert "finer detail is estimated." in lines[3]
    assert '"model_sha256"' in values["detailedText"]
    assert values["windowTitle"] == "Report of head SRx4"


def test_the_sr_row_fades_to_the_zero_filled_volume_and_no_other_row_does(a_panel, a_main_window, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    assert not a_panel.ui.fadeSlider.visible
    a_panel.click(a_panel.ui.comparisonButton)
    assert a_panel.ui.fadeSlider.visible
    a_panel.ui.fadeSlider.value = 40
    zero_filled = slicer.mrmlScene.GetFirstNodeByName("head zero-filled")
    for view in comparison_views():
        composite = slicer.mrmlScene.GetSingletonNode(view.name, "vtkMRMLSliceCompositeNode")
        shown = (composite.GetForegroundVolumeID(), composite.GetForegroundOpacity())
        assert shown == (zero_filled.GetID(), pytest.approx(0.4)) if view.row == "SR" else shown[0] is None
    assert rows() == ["head", "head SRx4", "head SRx4 minus zero-filled"]


def test_without_a_zero_filled_volume_there_is_nothing_to_fade_to(a_panel, a_main_window, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node, zeroFilled=False)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    assert not a_panel.ui.fadeSlider.visible
