"""The line at the top of the panel, and the models that are listed for a volume."""

import numpy as np
import pytest
import slicer
from panel_fixtures import MODEL, SHAPE, a_node, a_panel  # noqa: F401 (fixtures)

from Testing.Python.models import a_tiny_model_file
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume, turned

# isort: split
import qt
from SuperResolution3DSlicer.scene.library_words import WORDS

OTHER_MODEL = f"{MODEL}-gan"
UNFIT = (
    "through-plane-ct (does not fit: for CT, unlike this volume)",
    "through-plane-mr (does not fit: for pixels of 0.37 to 1.33 mm)",
    "ct-x4 (does not fit: for CT, unlike this volume)",
)


def a_volume(spacing: tuple[float, float, float], name: str) -> slicer.vtkMRMLScalarVolumeNode:
    return add_volume(core.start(), np.ones(SHAPE, np.float32), turned(spacing, (0, 0, 0), left_handed=True), name)


def entries(a_panel) -> list[str]:
    box = a_panel.ui.modelSelector
    return [box.itemText(row) for row in range(box.count)]


def test_the_first_thing_in_the_panel_says_what_will_happen(a_panel, a_node) -> None:
    line = a_panel.ui.planLabel
    assert a_panel.ui.SuperResolution3D.layout().itemAt(0).widget() is line
    assert not line.visible
    a_panel.choose(inputVolume=a_node)
    assert line.visible
    assert line.text == f"For MR brain: axial slices of 3 x 3.2 x 4 mm -> 0.75 x 0.8 x 1 mm with {MODEL}"
    assert entries(a_panel) == [MODEL, OTHER_MODEL, "", *UNFIT]


def test_models_that_do_not_fit_stand_below_a_line_and_say_why(a_panel, a_node, tmp_path) -> None:
    slicer.app.setTesting(False)
    double.dialogs.prepare(str(a_tiny_model_file(tmp_path, name="a-finer-one", spacing_range=(0.5, 1.0))))
    a_panel.click(a_panel.ui.addModelButton)
    a_panel.choose(inputVolume=a_node, model="")
    assert entries(a_panel) == [
        *(MODEL, OTHER_MODEL, ""),
        *UNFIT,
        "a-finer-one (does not fit: for 0.5 to 1 mm each way)",
    ]
    assert a_panel.ui.modelSelector.currentText == MODEL
    a_panel.choose(inputVolume=a_volume((0.6, 0.6, 0.6), "fine"))
    assert a_panel.ui.modelSelector.currentText == "a-finer-one"
    assert a_panel.ui.planLabel.text == "For MR: 0.6 mm -> 0.3 mm with a-finer-one"


def test_where_no_model_fits_none_is_taken_unasked(a_panel) -> None:
    a_panel.choose(inputVolume=a_volume((0.3, 0.3, 0.3), "fine"))
    assert a_panel.ui.planLabel.text == "No model fits 0.3 mm voxels: zero-filled interpolation only"
    assert a_panel.ui.modelSelector.currentIndex == -1
    assert not a_panel.ui.applyButton.enabled
    assert a_panel.ui.reasonLabel.text == "Choose a model in the list: none is chosen automatically for this volume."
    a_panel.ui.modelSelector.currentIndex = 0
    double.turn(80)
    assert a_panel.ui.planLabel.text == (
        f"For MR brain: 0.3 mm -> 0.075 mm with {MODEL}, a model for 2.67 to 5.33 mm each way"
    )
    assert a_panel.ui.applyButton.enabled


def test_a_choice_stays_for_its_volume_and_for_no_other(a_panel, a_node) -> None:
    other = a_volume((3.2, 3.2, 3.2), "other")
    a_panel.choose(inputVolume=a_node)
    a_panel.ui.modelSelector.setCurrentText(OTHER_MODEL)
    a_panel.choose(inputVolume=other)
    assert a_panel.ui.modelSelector.currentText == MODEL
    a_panel.choose(inputVolume=a_node)
    assert a_panel.ui.modelSelector.currentText == a_panel.parameters.model == OTHER_MODEL
    assert a_panel.ui.planLabel.text.endswith(f"with {OTHER_MODEL}")


def test_the_modality_counts(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node)
    a_node.SetAttribute("SuperResolution3D.Modality", "CT")
    double.turn(80)
    plan = "For CT: axial slices of 3 x 3.2 x 4 mm -> 0.75 x 0.8 x 1 mm with ct-x4"
    assert a_panel.ui.planLabel.text == plan
    assert entries(a_panel)[:3] == ["ct-x4", "", f"{MODEL} (does not fit: for MR, not for CT)"]
    tip = a_panel.ui.modelSelector.itemData(2, qt.Qt.ToolTipRole)
    assert tip == f"{MODEL} (does not fit: for MR, not for CT)"  # where the list is too narrow for the reason
    a_node.SetAttribute("SuperResolution3D.Modality", "PT")
    double.turn(80)
    assert a_panel.ui.planLabel.text == "No model is for PT: consistent interpolation only"


@pytest.mark.parametrize(("air", "model"), [(-1000, "through-plane-ct"), (0, "through-plane-mr")])
def test_intensities_tell_the_model_where_nothing_says_the_modality(a_panel, air, model) -> None:
    voxels = np.full(SHAPE, 40, np.int16)
    voxels[:, : SHAPE[1] // 2] = air
    node = add_volume(core.start(), voxels, turned((0.8, 0.8, 5), (0, 0, 0), left_handed=True), "a stack")
    a_panel.choose(inputVolume=node)
    assert a_panel.ui.modelSelector.currentText == model
    assert a_panel.ui.planLabel.text.endswith(f"with {model}")


def test_the_line_is_translated_with_all_its_parts(a_panel, a_node, monkeypatch) -> None:
    monkeypatch.setitem(WORDS, "plan", "Mit {model} ({subject}): {before} -> {after}")
    monkeypatch.setitem(WORDS, "size-of-slices", "{plane}e Schichten von {sizes}")
    a_panel.choose(inputVolume=a_node)
    assert a_panel.ui.planLabel.text == (
        f"Mit {MODEL} (MR brain): axiale Schichten von 3 x 3.2 x 4 mm -> 0.75 x 0.8 x 1 mm"
    )
