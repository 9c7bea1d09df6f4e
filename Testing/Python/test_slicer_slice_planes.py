"""The plane of thick slices: found, or chosen in the panel, and handed to worker, forecast and interpolation."""

import numpy as np
import pytest
import slicer
from panel_fixtures import a_panel, a_slice_panel, volumes  # noqa: F401 (fixtures)

from SuperResolution3DLib.inference.slice_report import SliceReport
from SuperResolution3DLib.models.installed_models import InstalledModel, user_model_folder
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.volumes.geometry import voxel_spacing
from Testing.Python.slice_stacks import PLANES, SPACING, a_stack
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume, affine_of, turned

PATIENT = 240_000  # ms; other work may share the machine
EVEN = (3.0, 3.0, 3.0)
AXIS = {"axial": "K", "coronal": "J", "sagittal": "I"}  # of the volumes below, whose axes run along R, A and S


def a_volume(spacing, *, oblique: bool = True, left_handed: bool = True) -> slicer.vtkMRMLScalarVolumeNode:
    """Return an odd-sized volume; spacing is that along I, J and K."""
    array = np.random.default_rng(0).normal(500, 100, (9, 8, 7)).astype(np.float32)
    affine = turned(spacing, (5, 6, 7), left_handed=left_handed)
    if not oblique:
        affine = np.diag([*spacing[:2], -spacing[2] if left_handed else spacing[2], 1.0])
    return add_volume(core.start(), array, affine, "even")


def fields(ui) -> tuple:
    return ui.slicesLabel, ui.slicesSelector, ui.sliceThicknessLabel, ui.sliceThicknessBox, ui.targetSpacingBox


def texts(ui) -> list[str]:
    return [ui.slicesSelector.itemText(index) for index in range(ui.slicesSelector.count)]


def run(a_panel) -> None:
    a_panel.click(a_panel.ui.applyButton)
    double.wait_until(lambda: a_panel.ui.applyButton.text != "Cancel", PATIENT)
    double.turn(80)


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("left_handed", [True, False])
def test_the_list_says_which_plane_was_found_and_how_far_apart_all_are(a_slice_panel, plane, left_handed) -> None:
    from SuperResolution3DSlicer.panel.choices import Slices

    a_slice_panel.choose(inputVolume=a_stack(core.start(), plane, left_handed=left_handed))
    assert a_slice_panel.parameters.slices == Slices.AUTOMATIC
    sagittal, coronal, axial = SPACING[plane]
    assert texts(a_slice_panel.ui) == [
        f"Automatic: {plane}, 4 mm apart",
        f"Axial, {axial:g} mm apart",
        f"Coronal, {coronal:g} mm apart",
        f"Sagittal, {sagittal:g} mm apart",
    ]
    assert a_slice_panel.ui.planLabel.text.startswith(f"Oblique {plane} slices, ")


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("oblique", [True, False])
@pytest.mark.parametrize("left_handed", [True, False])
def test_slices_of_equal_spacings_get_their_plane_from_a_person(
    a_slice_panel, tmp_path, plane, oblique, left_handed
) -> None:
    from SuperResolution3DSlicer.forecast.forecast import forecast
    from SuperResolution3DSlicer.panel.choices import Slices
    from SuperResolution3DSlicer.runs.requests import requests_of
    from SuperResolution3DSlicer.runs.volume_task import SuperResolution

    node = a_volume(EVEN, oblique=oblique, left_handed=left_handed)
    ui = a_slice_panel.ui
    a_slice_panel.choose(inputVolume=node)
    assert not any(widget.visible for widget in fields(ui))  # a model for all axes is what fits
    a_slice_panel.choose(model="between")
    assert all(widget.visible for widget in fields(ui))
    assert texts(ui)[0] == "Automatic: none stands out, choose one"
    assert (ui.planLabel.text, ui.sliceThicknessBox.text, ui.applyButton.enabled) == ("", "unknown", False)
    assert "Say under Slices which plane they have" in ui.reasonLabel.text
    a_slice_panel.choose(targetSpacing=1.0)
    ui.slicesSelector.currentIndex = 1 + PLANES.index(plane)
    double.turn(80)
    assert a_slice_panel.parameters.slices == Slices(plane)
    word = f"Oblique {plane}" if oblique else plane.capitalize()
    assert ui.planLabel.text == (
        f"{word} slices (as given), 3 x 3 x 3 mm, thickness 3 mm (assumed): result 3 x 3 x 1 mm, through-plane x3,"
        " with between"
    )
    assert ui.applyButton.enabled
    model = InstalledModel(path := user_model_folder() / "between.safetensors", read_card(path))
    (request,) = requests_of(a_slice_panel.parameters, model)
    assert f"--axis={AXIS[plane]}" in SuperResolution(request).prepare(tmp_path)
    wanted = np.array([9, 8, 7]) * np.where(np.array(list("KJI")) == AXIS[plane], 3, 1)
    assert forecast(request.plan(), None).shape == tuple(wanted)


def test_a_run_takes_the_plane_that_was_given_and_says_so(a_slice_panel) -> None:
    from SuperResolution3DSlicer.panel.choices import Slices

    node = a_volume(EVEN)
    a_slice_panel.choose(inputVolume=node, model="between", slices=Slices.SAGITTAL, targetSpacing=1.0)
    run(a_slice_panel)
    ui = a_slice_panel.ui
    result = slicer.util.getFirstNodeByName("even SRx1x1x3")
    assert result is not None, ui.resultLabel.text
    assert voxel_spacing(affine_of(result)) == pytest.approx([3, 3, 1])
    assert "Oblique sagittal slices (as given), 3 x 3 x 3 mm" in ui.resultLabel.text
    assert '"axis": "I"' in result.GetAttribute("SuperResolution3D.Report")
    assert '"axis_source": "given"' in result.GetAttribute("SuperResolution3D.Report")


def test_where_two_spacings_are_alike_interpolation_waits_for_the_plane(a_slice_panel) -> None:
    node = a_volume((1.0, 12.0, 12.0))
    ui = a_slice_panel.ui
    a_slice_panel.choose(inputVolume=node)
    assert all(widget.visible for widget in fields(ui))
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Super-resolve", False)
    a_slice_panel.choose(targetSpacing=4.0)
    ui.slicesSelector.currentIndex = 1 + PLANES.index("coronal")
    double.turn(80)
    assert (ui.applyButton.text, ui.applyButton.enabled) == ("Interpolate", True)
    run(a_slice_panel)
    assert volumes() == ["even", "even interpolated"], ui.resultLabel.text
    assert voxel_spacing(affine_of(slicer.util.getFirstNodeByName("even interpolated"))) == pytest.approx([12, 4, 1])
    assert ui.resultLabel.text.split("\n")[1] == (
        "Oblique coronal slices (as given), 1 x 12 x 12 mm, thickness 12 mm (assumed): result 1 x 12 x 4 mm,"
        " through-plane x3."
    )
    assert "slice axis as given" in ui.logText.toPlainText()


def test_a_volume_that_can_be_no_stack_is_not_asked_for_its_plane(a_slice_panel) -> None:
    a_slice_panel.choose(inputVolume=a_volume((0.1, 0.1, 0.1)))
    assert "zero-filled interpolation only" in a_slice_panel.ui.planLabel.text
    assert not any(widget.visible for widget in fields(a_slice_panel.ui))


def test_a_plane_that_was_given_for_one_input_is_not_taken_for_the_next(a_slice_panel) -> None:
    from SuperResolution3DSlicer.panel.choices import Slices

    a_slice_panel.choose(inputVolume=a_stack(core.start()))
    a_slice_panel.choose(slices=Slices.SAGITTAL)
    assert a_slice_panel.ui.reasonLabel.text.startswith("The pixel size, 1 mm")
    a_slice_panel.choose(inputVolume=a_stack(core.start(), "coronal"))
    assert a_slice_panel.parameters.slices == Slices.AUTOMATIC
    assert a_slice_panel.ui.applyButton.enabled


def test_warnings_are_about_the_slices_that_were_given(a_slice_panel) -> None:
    from SuperResolution3DSlicer.panel.choices import Slices

    a_slice_panel.choose(inputVolume=a_volume((12.0, 4.0, 12.0)), model="between", targetSpacing=3.0)
    a_slice_panel.choose(slices=Slices.CORONAL)
    assert a_slice_panel.ui.noteLabel.text == (
        "even has pixels of 12 x 12 mm; between was trained on 0.5 to 5 mm, so expect artefacts."
    )


def test_slices_are_simulated_in_the_plane_that_was_given(a_slice_panel) -> None:
    from SuperResolution3DSlicer.panel.choices import Slices

    array = np.random.default_rng(0).normal(500, 100, (24, 25, 26)).astype(np.float32)
    node = add_volume(core.start(), array, np.diag([1.0, 1.0, -1.0, 1.0]))
    a_slice_panel.choose(inputVolume=node, model="between", slices=Slices.SAGITTAL)
    a_slice_panel.click(a_slice_panel.ui.simulateButton)
    double.wait_until(lambda: a_slice_panel.ui.applyButton.text != "Cancel", PATIENT)
    double.turn(80)
    low = slicer.util.getFirstNodeByName("head LR")
    assert voxel_spacing(affine_of(low)) == pytest.approx([1, 1, 4])
    assert a_slice_panel.parameters.slices == Slices.AUTOMATIC  # it is found by now
    assert a_slice_panel.ui.planLabel.text.startswith("Sagittal slices, 1 x 1 x 4 mm")


def test_a_report_of_an_earlier_version_says_that_the_axis_was_found() -> None:
    fields_before = {name: None for name in SliceReport.__dataclass_fields__ if name != "axis_source"}
    assert SliceReport(**fields_before).axis_source == "found"
