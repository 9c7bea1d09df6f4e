"""The panel's model and device follow the parameter node, whoever wrote it: a script, or another panel of the scene."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import slicer
from panel_fixtures import MODEL, a_node, a_panel  # noqa: F401 (fixtures)
from SuperResolution3DSlicer.panel.volume_model import CHOSEN_ATTRIBUTE

from Testing.Slicer import double

# isort: split
import qt

OTHER_MODEL = f"{MODEL}-gan"


@pytest.fixture
def a_second_panel(a_panel) -> Iterator[Any]:
    """Another widget of the module, as Slicer makes one for each module panel."""
    frame = slicer.qMRMLWidget()
    frame.setLayout(qt.QVBoxLayout())
    frame.setMRMLScene(slicer.mrmlScene)
    widget = type(a_panel.module.widget)(frame)
    widget.setup()
    widget.enter()
    double.turn(80)
    yield widget
    widget.cleanup()


def shown(ui: Any) -> tuple[str, str]:
    return ui.modelSelector.currentText, ui.deviceSelector.itemData(ui.deviceSelector.currentIndex)


def test_what_a_script_chooses_is_shown_and_run(a_panel, a_node) -> None:
    a_panel.will("done")
    first_card = a_panel.ui.modelCardLabel.text
    a_panel.choose(inputVolume=a_node, model=OTHER_MODEL, device="cpu")
    assert shown(a_panel.ui) == (OTHER_MODEL, "cpu")
    assert a_panel.ui.modelCardLabel.text != first_card
    a_panel.run()
    worker = a_panel.processes[0]
    assert (Path(worker.option("model")).stem, worker.option("device")) == (OTHER_MODEL, "cpu")


def test_what_a_script_chooses_at_the_last_moment_is_run(a_panel, a_node) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.parameters.model = OTHER_MODEL
    a_panel.run()
    assert Path(a_panel.processes[0].option("model")).stem == OTHER_MODEL


def test_a_choice_during_a_run_is_shown_after_it(a_panel, a_node) -> None:
    a_panel.will("silent")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.applyButton)
    a_panel.choose(model=OTHER_MODEL, device="cpu")
    assert shown(a_panel.ui) == (MODEL, "auto")
    a_panel.run()
    assert shown(a_panel.ui) == (OTHER_MODEL, "cpu")


def test_instead_of_a_model_that_is_not_installed_the_best_is_taken_and_it_goes_on_being_asked_for(
    a_panel, a_node
) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node, model=OTHER_MODEL)
    a_panel.choose(model="elsewhere")
    assert shown(a_panel.ui)[0] == MODEL, "as nobody chose the one before it for lack of this one"
    note = f"The model of this scene, elsewhere, is not installed; {MODEL} is used instead."
    assert note in a_panel.ui.noteLabel.text
    assert a_panel.parameters.model == "elsewhere"
    a_panel.run()
    assert Path(a_panel.processes[0].option("model")).stem == MODEL


def test_a_volume_for_which_an_older_panel_chose_a_model_that_is_gone_gets_the_best(a_panel, a_node) -> None:
    a_node.SetAttribute(CHOSEN_ATTRIBUTE, "rrdb-mr-brain-x4-gan")
    a_panel.choose(inputVolume=a_node)
    assert shown(a_panel.ui)[0] == MODEL
    note = f"The model of this scene, rrdb-mr-brain-x4-gan, is not installed; {MODEL} is used instead."
    assert note in a_panel.ui.noteLabel.text


def test_two_panels_show_the_choice_of_one(a_panel, a_second_panel, a_node) -> None:
    devices = a_panel.ui.deviceSelector
    a_panel.ui.modelSelector.setCurrentText(OTHER_MODEL)
    devices.currentIndex = devices.count - 1
    double.turn(80)
    assert shown(a_panel.ui) == shown(a_second_panel.ui) == (OTHER_MODEL, "cpu")
    a_second_panel.exit()
    a_panel.ui.modelSelector.setCurrentText(MODEL)
    devices.currentIndex = 0
    a_second_panel.enter()  # looks for models again
    double.turn(200)
    assert (a_panel.parameters.model, a_panel.parameters.device) == (MODEL, "auto")
    assert shown(a_panel.ui) == shown(a_second_panel.ui) == (MODEL, "auto")
