"""The panel's list of overlays: what it offers, what the views show, and how it goes with the other controls."""

import numpy as np
import pytest
import slicer
from calibrated_models import a_calibrated_model_file
from panel_fixtures import MODEL, a_main_window, a_node, a_panel  # noqa: F401 (fixtures)

from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume, affine_of

# isort: split
from SuperResolution3DSlicer.comparison.layout import TRUST_LAYOUT_ID, comparison_views
from SuperResolution3DSlicer.panel.choices import Region


def entries(combo) -> list[str]:
    return [combo.itemText(number) for number in range(combo.count)]


def foregrounds(*names: str) -> list[str | None]:
    """Return the names of the volumes over the views' backgrounds."""
    composites = [slicer.mrmlScene.GetSingletonNode(name, "vtkMRMLSliceCompositeNode") for name in names]
    shown = [composite.GetForegroundVolumeID() for composite in composites]
    return [None if volume is None else slicer.mrmlScene.GetNodeByID(volume).GetName() for volume in shown]


def choose(panel, text: str) -> None:
    combo = panel.ui.overlaySelector
    combo.currentIndex = entries(combo).index(text)
    double.turn(80)


def with_result(panel, node, **values: object) -> None:
    panel.will("done", "done")
    panel.choose(inputVolume=node, **values)
    panel.run()


def test_before_a_run_there_is_nothing_to_lay_over(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node)
    combo = a_panel.ui.overlaySelector
    assert (entries(combo), combo.enabled, a_panel.ui.overlayLabel.enabled) == (["None"], False, False)
    assert combo.toolTip == "There is no result of this input yet."


def test_without_anything_to_subtract_the_tip_says_what_is_lacking(a_panel, a_node) -> None:
    with_result(a_panel, a_node, zeroFilled=False)
    combo = a_panel.ui.overlaySelector
    assert (entries(combo), combo.enabled) == (["None"], False)
    assert combo.toolTip.startswith("There is nothing to lay over: choose an HR reference, or tick the zero-filled")


def test_a_difference_is_laid_over_the_views_and_taken_off_again(a_panel, a_main_window, a_node) -> None:
    with_result(a_panel, a_node)
    pet = add_volume(core.start(), np.ones((4, 5, 6)), np.eye(4), "pet")
    slicer.mrmlScene.GetSingletonNode("Red", "vtkMRMLSliceCompositeNode").SetForegroundVolumeID(pet.GetID())
    combo = a_panel.ui.overlaySelector
    assert (entries(combo), combo.enabled) == (["None", "Difference to zero-filled"], True)
    choose(a_panel, "Difference to zero-filled")
    assert foregrounds("Red", "Green", "Yellow") == ["head SRx4 minus zero-filled"] * 3
    assert combo.currentIndex == 1
    count = slicer.mrmlScene.GetNumberOfNodes()
    choose(a_panel, "None")
    choose(a_panel, "Difference to zero-filled")
    assert slicer.mrmlScene.GetNumberOfNodes() == count
    choose(a_panel, "None")
    assert foregrounds("Red", "Green", "Yellow") == ["pet", None, None]


def test_the_difference_to_a_reference_is_offered_where_it_lies_on_the_grid(a_panel, a_main_window, a_node) -> None:
    with_result(a_panel, a_node)
    result = slicer.mrmlScene.GetFirstNodeByName("head SRx4")
    reference = add_volume(core.start(), slicer.util.arrayFromVolume(result) + 1, affine_of(result), "hr")
    other = add_volume(core.start(), np.ones((40, 40, 40), np.float32), np.eye(4), "other")
    empty = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "empty")
    both = ["None", "Difference to the HR reference", "Difference to zero-filled"]
    for chosen, wanted in ((other, both[::2]), (empty, both[::2]), (reference, both)):
        a_panel.choose(referenceVolume=chosen)
        assert entries(a_panel.ui.overlaySelector) == wanted
    choose(a_panel, "Difference to the HR reference")
    assert foregrounds("Red") == ["head SRx4 minus HR"]
    a_panel.choose(referenceVolume=other)
    assert foregrounds("Red") == [None], "what is laid over is what is offered"
    assert a_panel.ui.overlaySelector.currentIndex == 0


def test_the_overlay_of_another_input_is_taken_off(a_panel, a_main_window, a_node) -> None:
    with_result(a_panel, a_node)
    choose(a_panel, "Difference to zero-filled")
    a_panel.choose(inputVolume=add_volume(core.start(), np.ones((8, 9, 10), np.float32), np.eye(4), "other"))
    assert foregrounds("Red") == [None]
    assert entries(a_panel.ui.overlaySelector) == ["None"]


def test_a_loaded_scene_says_which_overlay_its_views_show(a_panel, a_main_window, a_node, tmp_path) -> None:
    with_result(a_panel, a_node)
    choose(a_panel, "Difference to zero-filled")
    scene = slicer.mrmlScene
    for node in slicer.util.getNodesByClass("vtkMRMLScalarVolumeNode"):
        node.AddDefaultStorageNode()
        node.GetStorageNode().SetFileName(str(tmp_path / f"{node.GetID()}.nrrd"))
        assert node.GetStorageNode().WriteData(node)
    scene.SetURL(str(tmp_path / "scene.mrml"))
    scene.SetRootDirectory(str(tmp_path))
    scene.Commit()
    scene.Clear(False)
    double.turn(80)
    assert a_panel.ui.overlaySelector.currentIndex == 0
    scene.Import()
    double.turn(80)
    assert a_panel.ui.overlaySelector.currentIndex == 1
    choose(a_panel, "None")
    assert foregrounds("Red") == [None]


def test_overlay_and_fade_take_turns_in_the_row_of_the_result(a_panel, a_main_window, a_node) -> None:
    with_result(a_panel, a_node)
    choose(a_panel, "Difference to zero-filled")
    a_panel.click(a_panel.ui.comparisonButton)
    rows = [view.name for view in comparison_views()]
    difference = "head SRx4 minus zero-filled"
    assert foregrounds(*rows) == [None] * 3 + [difference] * 3 + [None] * 3
    slider = a_panel.ui.fadeSlider
    assert (slider.visible, slider.enabled, slider.toolTip) == (True, False, "Choose the overlay None first.")
    choose(a_panel, "None")
    assert slider.enabled and "zero-filled volume" in slider.toolTip
    slider.value = 40
    assert foregrounds(*rows[3:6]) == ["head zero-filled"] * 3
    choose(a_panel, "Difference to zero-filled")
    assert foregrounds(*rows[3:6]) == [difference] * 3
    choose(a_panel, "None")
    composite = slicer.mrmlScene.GetSingletonNode(rows[3], "vtkMRMLSliceCompositeNode")
    assert (foregrounds(rows[3]), composite.GetForegroundOpacity()) == (["head zero-filled"], 0.4)


def test_a_result_that_is_replaced_keeps_its_overlay_with_the_new_voxels(a_panel, a_main_window, a_node) -> None:
    with_result(a_panel, a_node)
    choose(a_panel, "Difference to zero-filled")
    result = slicer.mrmlScene.GetFirstNodeByName("head SRx4")
    a_panel.choose(outputVolume=result)
    a_panel.run()
    assert foregrounds("Red") == ["head SRx4 minus zero-filled"]
    assert a_panel.ui.overlaySelector.currentIndex == 1


@pytest.fixture
def a_calibrated_model(a_panel, tmp_path, monkeypatch) -> None:
    """An installed model with a calibration, of the highest rank."""
    folder = tmp_path / "models"
    folder.mkdir()
    monkeypatch.setenv("SUPERRES3D_MODELS", str(folder))
    a_calibrated_model_file(folder, (4, 4, 4), rank=1000)
    a_panel.module.widget.panel.enter()
    double.turn(80)


def test_a_model_without_calibration_has_no_trust_map_and_the_box_says_so(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node, model=f"{MODEL}-gan", trustMap=True)
    box = a_panel.ui.trustMapBox
    assert not box.enabled
    assert box.toolTip == f"{MODEL}-gan was not calibrated, so nothing can be said of where it may be off."
    a_panel.will("done")
    a_panel.run()
    assert a_panel.processes[0].option("trust-map") == ""


def test_a_calibrated_model_gives_a_trust_map_to_lay_over(a_panel, a_main_window, a_calibrated_model, a_node) -> None:
    a_panel.choose(inputVolume=a_node, model="tiny")
    box = a_panel.ui.trustMapBox
    assert box.enabled and "no proof" in box.toolTip
    box.checked = True
    double.turn(80)
    assert "and the trust map" in a_panel.ui.forecastLabel.text
    a_panel.will("done")
    a_panel.run()
    assert "there the estimate may be off by more than 20% of the intensity range" in a_panel.ui.resultLabel.text
    text = "May be off by more than 20 % of the range"
    assert entries(a_panel.ui.overlaySelector) == ["None", "Difference to zero-filled", text]
    choose(a_panel, text)
    assert foregrounds("Red", "Green", "Yellow") == ["head SRx4 trust map"] * 3
    assert a_panel.ui.furtherInputsList.count == 0, "the map is no further input"


def test_comparison_and_report_tell_of_the_trust_map(
    a_panel, a_main_window, a_calibrated_model, a_node, monkeypatch
) -> None:
    shown: list[str] = []
    monkeypatch.setattr(slicer.util, "infoDisplay", lambda text, **values: shown.append(text))
    with_result(a_panel, a_node, model="tiny", trustMap=True)
    a_panel.click(a_panel.ui.reportButton)
    assert "there the estimate may be off by more than 20% of the intensity range" in shown[0].split("\n")[-1]
    a_panel.click(a_panel.ui.comparisonButton)
    names = [view.name for view in comparison_views(TRUST_LAYOUT_ID)]
    assert foregrounds(*names) == [None] * 9 + ["head SRx4 trust map"] * 3


def test_a_preview_has_no_trust_map_and_the_box_says_so(a_panel, a_calibrated_model, a_node) -> None:
    a_panel.choose(inputVolume=a_node, model="tiny", region=Region.ROI)
    assert not a_panel.ui.trustMapBox.enabled
    assert a_panel.ui.trustMapBox.toolTip.startswith("A trust map needs the whole volume")
