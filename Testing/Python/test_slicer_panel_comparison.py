"""The panel's comparison: when it is offered, what it shows, and a scene that was saved in it."""

import pytest
import slicer
from panel_fixtures import a_main_window, a_node, a_panel  # noqa: F401 (fixtures)

from Testing.Slicer import core, double

# isort: split
from SuperResolution3DSlicer.comparison_layout import LAYOUT_ID, comparison_views


def test_comparison_is_offered_once_there_is_a_result(a_panel, a_main_window, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    assert not a_panel.ui.comparisonButton.enabled
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    double.turn(50)
    shown = [
        slicer.mrmlScene.GetSingletonNode(f"SuperResolution3D{row}Axial", "vtkMRMLSliceCompositeNode")
        for row in ("LR", "SR", "Reference")
    ]
    names = [slicer.mrmlScene.GetNodeByID(node.GetBackgroundVolumeID()).GetName() for node in shown]
    assert names[:2] == ["head", "head SRx4"]
    assert "minus zero-filled" in names[2]


def test_comparison_without_a_main_window_is_one_sentence(a_panel, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.run()
    a_panel.click(a_panel.ui.comparisonButton)
    assert a_panel.ui.resultLabel.text == "The comparison needs Slicer's main window."


def test_the_layout_is_known_before_the_comparison_is_shown(a_panel, a_main_window) -> None:
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
