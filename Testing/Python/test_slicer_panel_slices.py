"""Thick slices in the panel: what it says of them, its fields, a run with the real worker, and the comparison."""

import numpy as np
import pytest
import slicer
from panel_fixtures import a_main_window, a_panel, a_slice_panel, volumes  # noqa: F401 (fixtures)

from Testing.Python.slice_stacks import PLANES, a_stack, from_dicom
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume, field_of_view_corners, turned

PATIENT = 240_000  # ms; other work may share the machine


@pytest.fixture
def a_node(a_slice_panel) -> slicer.vtkMRMLScalarVolumeNode:
    return a_stack(core.start())


def run(a_panel) -> None:
    a_panel.click(a_panel.ui.applyButton)
    double.wait_until(lambda: a_panel.ui.applyButton.text != "Cancel", PATIENT)
    double.turn(80)


# --- What is said ----------------------------------------------------------------------------------------------------


def test_the_first_line_says_what_is_taken_for_the_slices_and_what_comes_of_them(
    a_slice_panel, a_node, monkeypatch
) -> None:
    from_dicom(monkeypatch, a_node, "3.2", "3.2")
    a_slice_panel.choose(inputVolume=a_node)
    line = a_slice_panel.ui.planLabel
    assert a_slice_panel.ui.modelSelector.currentText == "between"
    assert line.text == (
        "Oblique axial slices, 0.9 x 1 x 4 mm, thickness 3.2 mm (DICOM), gap 0.8 mm:"
        " result 0.9 x 1 x 0.903 mm, through-plane x4.43, with between"
    )
    result = a_slice_panel.ui.forecastLabel.text.split("\n")[0]
    assert result.startswith("Result: 21 x 18 x 31 voxels of 0.9 x 1 x 0.903 mm")
    assert result.endswith("with the interpolated volume for comparison")
    a_slice_panel.choose(sliceThickness=3.5, targetSpacing=2.0)
    assert line.text == (
        "Oblique axial slices, 0.9 x 1 x 4 mm, thickness 3.5 mm (as given), gap 0.5 mm:"
        " result 0.9 x 1 x 2 mm, through-plane x2, with between"
    )
    assert a_slice_panel.ui.noteLabel.text == ""
    a_slice_panel.choose(sliceThickness=5.0)
    assert a_slice_panel.ui.noteLabel.text == "A slice thickness of 5 mm was given and the file says 3.2 mm."


@pytest.mark.parametrize("plane", PLANES)
def test_straight_slices_are_named_by_their_plane(a_slice_panel, plane) -> None:
    direction = {"axial": 2, "coronal": 1, "sagittal": 0}[plane]
    spacing = np.ones(4)
    spacing[direction] = 5.0
    node = add_volume(core.start(), np.random.default_rng(0).normal(size=(9, 10, 11)), np.diag(spacing))
    a_slice_panel.choose(inputVolume=node)
    assert a_slice_panel.ui.planLabel.text == (
        f"{plane.capitalize()} slices, 1 x 1 x 5 mm, thickness 5 mm (assumed): result 1 x 1 x 1 mm, through-plane x5,"
        " with between"
    )


def test_the_fields_are_there_for_slices_alone_and_say_what_is_taken(a_slice_panel, a_node, monkeypatch) -> None:
    ui = a_slice_panel.ui
    even = add_volume(core.start(), np.random.default_rng(0).normal(size=(9, 10, 11)), np.diag([3, 3, 3, 1.0]), "even")
    a_slice_panel.choose(inputVolume=even)
    fields = (ui.sliceThicknessLabel, ui.sliceThicknessBox, ui.targetSpacingLabel, ui.targetSpacingBox)
    assert not any(widget.visible for widget in fields)
    a_slice_panel.choose(inputVolume=a_node)
    assert all(widget.visible for widget in fields)
    assert ui.sliceThicknessBox.text == "4 mm (assumed)"
    assert ui.targetSpacingBox.text == "auto (0.9 mm)"
    from_dicom(monkeypatch, a_node, "3.2", "3.2")
    double.turn(80)
    assert ui.sliceThicknessBox.text == "3.2 mm (DICOM)"
    ui.sliceThicknessBox.value = 3.0
    double.turn(80)
    assert a_slice_panel.parameters.sliceThickness == 3.0
    assert ui.sliceThicknessBox.text == "3.00 mm"


def test_a_thickness_that_was_given_for_one_input_is_not_taken_for_the_next(a_slice_panel, a_node) -> None:
    other = a_stack(core.start(), "coronal")
    a_slice_panel.choose(inputVolume=a_node)
    a_slice_panel.choose(sliceThickness=3.0)
    a_slice_panel.choose(inputVolume=other)
    assert a_slice_panel.parameters.sliceThickness == 0.0


def test_what_slices_cannot_be_is_said_and_not_run(a_slice_panel, a_node) -> None:
    a_slice_panel.choose(inputVolume=a_node)
    a_slice_panel.choose(targetSpacing=4.5)
    assert a_slice_panel.ui.reasonLabel.text.startswith("A result spacing of 4.5 mm does not suit slices every 4 mm")
    assert not a_slice_panel.ui.applyButton.enabled


# --- A run -----------------------------------------------------------------------------------------------------------


def test_a_run_tells_of_the_slices_and_its_result_is_compared(
    a_slice_panel, a_node, a_main_window, monkeypatch
) -> None:
    from_dicom(monkeypatch, a_node, "3.2", "3.2")
    a_slice_panel.choose(inputVolume=a_node, targetSpacing=1.0)
    run(a_slice_panel)
    ui = a_slice_panel.ui
    assert volumes() == ["head", "head interpolated", "head SRx4x1x1"], ui.resultLabel.text
    node = slicer.util.getFirstNodeByName("head SRx4x1x1")
    np.testing.assert_allclose(field_of_view_corners(node), field_of_view_corners(a_node), atol=0.01)
    first, slices, agreement = ui.resultLabel.text.split("\n")
    assert first.startswith("head SRx4x1x1: done in ")
    assert slices == (
        "Oblique axial slices (found), 0.9 x 1 x 4 mm, thickness 3.2 mm (DICOM), gap 0.8 mm:"
        " result 0.9 x 1 x 1 mm, through-plane x4."
    )
    assert agreement.startswith("Agrees with the measured slices to ")
    assert agreement.endswith(
        "what lies between them is estimated. The figure is model-dependent: the true profile of slices is never known."
    )
    a_slice_panel.click(ui.comparisonButton)
    assert "head SRx4x1x1 minus interpolated" in volumes()
    label = slicer.mrmlScene.GetSingletonNode("SuperResolution3DReferenceAxial", "vtkMRMLSliceNode").GetLayoutLabel()
    assert label == "SR - interpolated axial"


# --- Where no model fits ---------------------------------------------------------------------------------------------


@pytest.fixture
def a_far_stack(a_slice_panel) -> slicer.vtkMRMLScalarVolumeNode:
    """Return slices that are farther apart than those of any training."""
    array = np.random.default_rng(0).normal(500, 100, (5, 12, 14)).astype(np.float32)
    return add_volume(core.start(), array, turned((0.9, 1.0, 15.0), (5, 6, 7), left_handed=True), "far")


def test_slices_that_no_model_fits_are_interpolated(a_slice_panel, a_far_stack, monkeypatch) -> None:
    ui = a_slice_panel.ui
    from_dicom(monkeypatch, a_far_stack, "9", "9")
    a_slice_panel.choose(inputVolume=a_far_stack)
    assert ui.planLabel.text == "No model fits axial slices of 0.9 x 1 x 15 mm: consistent interpolation only"
    assert (ui.applyButton.text, ui.applyButton.enabled, ui.reasonLabel.text) == ("Interpolate", True, "")
    assert (ui.sliceThicknessBox.visible, ui.sliceThicknessBox.text) == (True, "9 mm (DICOM)")
    assert not ui.estimateButton.enabled
    a_slice_panel.choose(targetSpacing=3.0)
    run(a_slice_panel)
    assert ui.resultLabel.text == (
        "far interpolated: interpolated between the measured slices, without a network.\n"
        "Oblique axial slices (found), 0.9 x 1 x 15 mm, thickness 9 mm (DICOM), gap 6 mm:"
        " result 0.9 x 1 x 3 mm, through-plane x5."
    )
    node = slicer.util.getFirstNodeByName("far interpolated")
    assert slicer.util.arrayFromVolume(node).shape == (25, 12, 14)
    np.testing.assert_allclose(field_of_view_corners(node), field_of_view_corners(a_far_stack), atol=0.01)
    assert "thickness 9 mm (from the file)" in ui.logText.toPlainText()
    assert ui.comparisonButton.enabled
    assert not ui.reportButton.enabled


def test_what_dicom_leaves_open_is_said_before_the_interpolation_too(a_slice_panel, a_far_stack, monkeypatch) -> None:
    from_dicom(monkeypatch, a_far_stack, "9", "12")
    a_slice_panel.choose(inputVolume=a_far_stack)
    assert a_slice_panel.ui.noteLabel.text == (
        "The slice thickness of far is not known, and the distance between slices is taken: its DICOM files say"
        " several, from 9 to 12 mm."
    )


def test_what_cannot_be_interpolated_is_said(a_slice_panel, a_far_stack) -> None:
    a_slice_panel.choose(inputVolume=a_far_stack)
    a_slice_panel.choose(sliceThickness=50.0)
    assert not a_slice_panel.ui.applyButton.enabled
    assert a_slice_panel.ui.reasonLabel.text.startswith("A slice thickness of 50 mm is impossible")


def test_a_model_that_is_chosen_nevertheless_is_run(a_slice_panel, a_far_stack) -> None:
    a_slice_panel.choose(inputVolume=a_far_stack, model="between")
    ui = a_slice_panel.ui
    assert ui.applyButton.text == "Super-resolve"
    assert ui.planLabel.text.endswith("through-plane x16.6, with between, a model for slices 2 to 8 mm apart")
    assert ui.noteLabel.text == "far has slices 15 mm apart; between was trained on 2 to 8 mm, so expect artefacts."


def test_ticked_stacks_are_interpolated_one_after_another(a_slice_panel, a_far_stack) -> None:
    array = np.random.default_rng(1).normal(500, 100, (4, 9, 10)).astype(np.float32)
    other = add_volume(core.start(), array, np.diag([1, 1, 12, 1.0]), "other")
    a_slice_panel.choose(inputVolume=a_far_stack, furtherInputs=[other], targetSpacing=3.0)
    run(a_slice_panel)
    assert {"far interpolated", "other interpolated"} <= set(volumes())
