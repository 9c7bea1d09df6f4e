"""The panel in the double before a run: what is chosen, forecast, warned of and refused."""

import numpy as np
import pytest
import slicer
from panel_fixtures import AFFINE, MODEL, SHAPE, a_node, a_panel  # noqa: F401 (fixtures)

from SuperResolution3DLib.models.installed_models import find_model
from SuperResolution3DLib.models.model_card import read_card
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume, field_of_view_corners, turned

# isort: split
import qt
from SuperResolution3DSlicer.panel.parameters import DataConsistency, Region, Tiling


def test_opening_the_panel_needs_no_layout_manager_and_no_volume(a_panel) -> None:
    assert slicer.app.layoutManager() is None
    assert a_panel.ui.applyButton.text == "Super-resolve"
    assert not a_panel.ui.applyButton.enabled
    assert a_panel.ui.applyButton.toolTip == "Choose an input volume."
    assert a_panel.ui.reasonLabel.text == "Choose an input volume."


def test_panel_says_that_it_is_not_for_diagnosis(a_panel) -> None:
    assert "not for diagnosis" in a_panel.ui.diagnosisLabel.text
    assert a_panel.ui.diagnosisLabel.visible


def test_card_of_the_model_is_shown(a_panel) -> None:
    assert a_panel.ui.modelSelector.currentText == MODEL
    assert a_panel.ui.modelCardLabel.text == "MR brain. Faithful."
    assert a_panel.ui.modelDetails.collapsed
    text = a_panel.ui.modelDetailsLabel.text
    seconds = read_card(find_model(MODEL)).performance["cpu_seconds_per_million_voxels"]
    for part in ("For MR,", "4x along each axis", "2.67 to 5.33 mm", "Apache-2.0", "PSNR", f"CPU {seconds:.2g} s"):
        assert part in text


def test_chosen_input_enables_the_run_and_shows_its_forecast(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node)
    assert a_panel.ui.inputSelector.currentNode() is a_node
    assert a_panel.ui.applyButton.enabled
    assert not a_panel.ui.reasonLabel.visible
    text = a_panel.ui.forecastLabel.text
    assert "44 x 52 x 36 voxels of 0.75 x 0.8 x 1 mm" in text
    assert "Memory: up to" in text
    assert "measured for the model" in text


def test_a_person_chooses_the_input_in_the_selector(a_panel, a_node) -> None:
    a_panel.ui.inputSelector.setCurrentNode(a_node)
    double.turn(80)
    assert a_panel.parameters.inputVolume is a_node
    assert a_panel.ui.applyButton.enabled


@pytest.mark.parametrize(
    ("class_name", "array", "sentence"),
    [
        ("vtkMRMLScalarVolumeNode", None, "is empty"),
        ("vtkMRMLScalarVolumeNode", np.ones((*SHAPE, 2), np.float32), "2 numbers a voxel"),
    ],
)
def test_unusable_input_disables_the_button_and_says_why(a_panel, class_name, array, sentence) -> None:
    node = slicer.mrmlScene.AddNewNodeByClass(class_name, "bad")
    if array is not None:
        slicer.util.updateVolumeFromArray(node, array[..., 0])
        image = slicer.vtkMRMLScalarVolumeNode().GetImageData() or node.GetImageData()
        image.AllocateScalars(image.GetScalarType(), 2)
    a_panel.choose(inputVolume=node)
    assert not a_panel.ui.applyButton.enabled
    assert sentence in a_panel.ui.applyButton.toolTip
    assert sentence in a_panel.ui.reasonLabel.text
    assert not a_panel.ui.forecastLabel.visible


def test_non_linear_transform_is_refused_as_soon_as_it_is_applied(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node)
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    a_node.SetAndObserveTransformNodeID(transform.GetID())
    double.turn(120)
    assert "non-linear transform warp" in a_panel.ui.reasonLabel.text


def test_spacing_outside_the_models_range_is_a_warning_with_numbers(a_panel) -> None:
    node = add_volume(core.start(), np.ones(SHAPE, np.float32), turned((0.5, 0.5, 0.5), (0, 0, 0), left_handed=False))
    a_panel.choose(inputVolume=node, model=MODEL)
    assert "0.5 mm isotropic" in a_panel.ui.noteLabel.text
    assert "2.67 to 5.33 mm" in a_panel.ui.noteLabel.text
    assert a_panel.ui.applyButton.enabled


def test_reference_of_another_field_of_view_is_a_note(a_panel, a_node) -> None:
    far = turned((3.0, 3.2, 4.0), (60.0, 45.1, 7.7), left_handed=True)
    reference = add_volume(core.start(), np.ones(SHAPE, np.float32), far, "hr")
    a_panel.choose(inputVolume=a_node, referenceVolume=reference)
    assert "hr" in a_panel.ui.noteLabel.text
    assert a_panel.ui.applyButton.enabled


def test_an_empty_reference_is_a_note(a_panel, a_node) -> None:
    reference = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLScalarVolumeNode", "nothing")
    a_panel.choose(inputVolume=a_node, referenceVolume=reference)
    assert a_panel.ui.noteLabel.text == "The HR reference nothing is empty: it has no voxels."


def test_the_input_as_its_own_reference_is_a_note(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node, referenceVolume=a_node)
    assert a_panel.ui.noteLabel.text == "head is input and HR reference at once; choose another reference."


def test_a_reference_that_was_computed_here_is_a_note(a_panel, a_node) -> None:
    result = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "head SRx4")
    result.SetAttribute("SuperResolution3D.Model", MODEL)
    a_panel.choose(inputVolume=a_node, referenceVolume=result)
    assert a_panel.ui.noteLabel.text == "The HR reference head SRx4 was computed here, not measured."
    assert a_panel.ui.applyButton.enabled


def test_the_reference_is_refused_as_output(a_panel, a_node) -> None:
    reference = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "hr")
    a_panel.choose(inputVolume=a_node, outputVolume=reference, referenceVolume=reference)
    assert a_panel.ui.reasonLabel.text == "hr is HR reference and output at once; choose another output."
    assert not a_panel.ui.applyButton.enabled
    a_panel.choose(referenceVolume=None)
    assert a_panel.ui.applyButton.enabled


def test_a_ticked_volume_that_becomes_unusable_disables_the_button(a_panel, a_node) -> None:
    other = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "other")
    transform = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLBSplineTransformNode", "warp")
    a_panel.choose(inputVolume=a_node, furtherInputs=[other])
    assert a_panel.ui.applyButton.enabled
    other.SetAndObserveTransformNodeID(transform.GetID())
    double.turn(120)
    assert "other is moved by the non-linear transform warp" in a_panel.ui.reasonLabel.text
    assert not a_panel.ui.applyButton.enabled


def test_a_scene_whose_model_is_not_installed_says_which_one_is_used_instead(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node, model="of-a-colleague")
    a_panel.module.widget.enter()
    double.turn(80)
    sentence = f"The model of this scene, of-a-colleague, is not installed; {MODEL} is used instead."
    assert a_panel.ui.noteLabel.text == sentence
    assert a_panel.parameters.model == "of-a-colleague"  # its file may be added yet
    a_panel.ui.modelSelector.currentIndex = 1
    double.turn(80)
    assert a_panel.parameters.model == a_panel.ui.modelSelector.currentText
    assert not a_panel.ui.noteLabel.visible


def test_new_roi_is_placed_at_the_centre_and_makes_a_smaller_result(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node, region=Region.ROI)
    assert "Choose a ROI" in a_panel.ui.reasonLabel.text
    box = a_panel.ui.roiSelector.findChildren(qt.QComboBox)[0]
    box.currentIndex = box.findText("Create new MarkupsROI")
    box.activated.emit(box.currentIndex)
    double.turn(120)
    roi = a_panel.ui.roiSelector.currentNode()
    centre = [0.0] * 3
    roi.GetCenterWorld(centre)
    np.testing.assert_allclose(centre, field_of_view_corners(a_node).reshape(-1, 3).mean(axis=0), atol=0.01)
    assert a_panel.parameters.roi is roi
    assert a_panel.ui.applyButton.enabled
    roi.SetSize([8.0, 8.0, 8.0])
    double.turn(120)
    assert "36 voxels" not in a_panel.ui.forecastLabel.text


def test_roi_outside_the_volume_disables_the_button(a_panel, a_node) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "far")
    roi.SetSize([5.0, 5.0, 5.0])
    roi.SetCenter([900.0, 0.0, 0.0])
    a_panel.choose(inputVolume=a_node, region=Region.ROI, roi=roi)
    assert "far lies outside head" in a_panel.ui.reasonLabel.text


def test_projection_of_a_preview_disables_the_button(a_panel, a_node) -> None:
    roi = slicer.mrmlScene.AddNewNodeByClass("vtkMRMLMarkupsROINode")
    a_panel.choose(inputVolume=a_node, region=Region.ROI, roi=roi, dataConsistency=DataConsistency.PROJECT)
    assert "Project for a preview" in a_panel.ui.reasonLabel.text


def test_window_settings_are_enabled_only_for_the_sliding_window(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node)
    assert not a_panel.ui.windowSizeBox.enabled
    a_panel.choose(tiling=Tiling.WINDOW)
    assert a_panel.ui.windowSizeBox.enabled
    assert a_panel.ui.windowSizeBox.value == 24
    assert a_panel.ui.overlapBox.value == 0.625


def test_without_a_model_the_button_says_so(a_panel, a_node, monkeypatch) -> None:
    monkeypatch.setattr("SuperResolution3DLib.models.installed_models.model_folders", list)
    a_panel.choose(inputVolume=a_node)
    a_panel.module.widget.enter()
    double.turn(80)
    assert not a_panel.ui.applyButton.enabled
    assert "No model is installed" in a_panel.ui.applyButton.toolTip
    assert "No model is installed" in a_panel.ui.modelCardLabel.text


def test_a_panel_that_is_shown_again_and_again_is_tied_to_the_parameters_once(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node)
    for _number in range(3):
        a_panel.module.widget.enter()
    box = a_panel.ui.windowSizeBox
    before = box.value
    parameters, widget = a_panel.parameters, a_panel.module.widget
    widget.panel.set_parameters(None)
    box.value = before + 1
    assert parameters.windowSize == before
    widget.panel.set_parameters(parameters)
