"""The panel's other buttons, and the question for torch."""

import sys
from importlib.metadata import PackageNotFoundError

import numpy as np
import pytest
import slicer
from panel_fixtures import AFFINE, a_node, a_panel, volumes  # noqa: F401 (fixtures)

from SuperResolution3DLib.errors import InputError, SuperResolutionError, VolumeError
from SuperResolution3DLib.models.installed_models import user_model_folder
from Testing.Python.models import a_tiny_card, a_tiny_model_file
from Testing.Slicer import core, double
from Testing.Slicer.volumes import add_volume

# isort: split
import qt
from SuperResolution3DSlicer.panel.parameters import DataConsistency
from SuperResolution3DSlicer.runs import dependencies
from SuperResolution3DSlicer.runs.low_resolution_task import LowResolution


def test_added_model_file_is_copied_into_the_users_folder_and_chosen(a_panel, tmp_path) -> None:
    slicer.app.setTesting(False)
    double.dialogs.prepare(str(a_tiny_model_file(tmp_path, (2, 2, 2))))
    a_panel.click(a_panel.ui.addModelButton)
    assert a_panel.ui.modelSelector.currentText == "tiny"
    assert a_panel.parameters.model == "tiny"
    assert (user_model_folder() / "tiny.safetensors").is_file()


def test_unusable_model_file_is_a_sentence_and_nothing_is_copied(a_panel, tmp_path) -> None:
    path = a_tiny_model_file(tmp_path, (2, 2, 2))
    path.write_bytes(path.read_bytes()[:-10])
    slicer.app.setTesting(False)
    double.dialogs.prepare(str(path))
    a_panel.click(a_panel.ui.addModelButton)
    assert "is incomplete" in a_panel.ui.resultLabel.text
    assert not list(user_model_folder().glob("*"))


def test_a_second_model_of_one_name_is_refused_and_the_file_of_the_first_is_named(a_panel, tmp_path) -> None:
    slicer.app.setTesting(False)
    first = a_tiny_model_file(tmp_path, (2, 2, 2)).rename(tmp_path / "best.safetensors")
    second = a_tiny_model_file(tmp_path, (2, 1, 1))
    for path in (first, second):
        double.dialogs.prepare(str(path))
        a_panel.click(a_panel.ui.addModelButton)
    installed = user_model_folder() / "tiny.safetensors"
    sentence = f"A model called tiny is installed already, in {installed}; delete that file first."
    assert a_panel.ui.resultLabel.text == sentence
    assert list(user_model_folder().glob("*")) == [installed]


def test_no_chosen_file_changes_nothing(a_panel) -> None:
    slicer.app.setTesting(False)
    double.dialogs.prepare("")
    a_panel.click(a_panel.ui.addModelButton)
    assert a_panel.ui.resultLabel.text == ""


def test_simulated_volume_becomes_the_input_and_the_original_its_reference(a_panel) -> None:
    original = add_volume(core.start(), np.ones((24, 20, 28), np.float32), AFFINE)
    a_panel.will("done")
    a_panel.choose(inputVolume=original)
    a_panel.click(a_panel.ui.simulateButton)
    double.wait_until(lambda: a_panel.ui.applyButton.text != "Cancel")
    double.turn(80)
    assert a_panel.parameters.inputVolume.GetName() == "head LR"
    assert a_panel.parameters.referenceVolume is original
    assert "head LR was added" in a_panel.ui.resultLabel.text


def test_a_volume_whose_lr_would_be_too_small_is_not_degraded(a_panel) -> None:
    small = add_volume(core.start(), np.ones((15, 16, 31), np.float32), AFFINE)
    a_panel.choose(inputVolume=small)
    sentence = (
        "head has 31 x 16 x 15 voxels (left-right, front-back, through-plane), and to degrade it by the factors 4 x 4 x"
        " 4 of mr-brain-x4 it needs 16 x 16 x 16 at least; choose another volume."
    )
    button = a_panel.ui.simulateButton
    assert (button.enabled, button.toolTip) == (False, sentence)
    a_panel.will("done")
    with pytest.raises(SuperResolutionError) as caught:
        a_panel.module.widget.logic.simulateLowResolution(small)
    assert str(caught.value) == sentence
    assert a_panel.processes[0].arguments == []
    assert volumes() == ["head"]


def test_the_size_that_degrading_needs_is_told_along_the_body(a_panel) -> None:
    sagittal = AFFINE[:, [2, 0, 1, 3]]  # I runs along the model's D
    card = a_tiny_card(scale=(4, 1, 1))
    LowResolution(add_volume(core.start(), np.ones((4, 5, 16), np.float32), sagittal), card).check()
    with pytest.raises(VolumeError, match=r"factors 1 x 1 x 4 of tiny it needs 4 x 4 x 16 at least"):
        LowResolution(add_volume(core.start(), np.ones((20, 21, 15), np.float32), sagittal), card).check()


def test_a_disabled_simulation_says_why(a_panel, monkeypatch) -> None:
    button = a_panel.ui.simulateButton
    assert (button.enabled, button.toolTip) == (False, "Choose an input volume.")
    a_panel.choose(inputVolume=add_volume(core.start(), np.ones((24, 20, 28), np.float32), AFFINE))
    assert button.enabled
    assert button.toolTip.startswith("Degrades the input through k-space")
    a_panel.will("silent")
    a_panel.click(button)
    assert (button.enabled, button.toolTip) == (False, "Wait for the end of the run, or cancel it.")
    a_panel.run()
    monkeypatch.setattr("SuperResolution3DLib.models.installed_models.model_folders", list)
    a_panel.module.widget.enter()
    assert (button.enabled, button.toolTip) == (False, "No model is installed: use Add model file...")


def test_parameters_survive_another_module_and_come_back(a_panel, a_node) -> None:
    a_panel.choose(inputVolume=a_node, dataConsistency=DataConsistency.PROJECT, windowSize=40)
    a_panel.module.widget.exit()
    a_panel.module.widget.enter()
    double.turn(80)
    assert a_panel.ui.inputSelector.currentNode() is a_node
    assert a_panel.ui.consistencySelector.currentText.startswith("Project")
    assert a_panel.ui.windowSizeBox.value == 40


# --- torch -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def no_torch(monkeypatch) -> list[str]:
    """Return the list of missing packages, which a test may empty."""
    missing = ["torch", "safetensors"]
    monkeypatch.setattr(dependencies, "missing_packages", lambda: list(missing))
    slicer.app.setTesting(False)
    return missing


def test_missing_torch_is_installed_through_its_extension_after_one_question(
    a_panel, a_node, no_torch, monkeypatch
) -> None:
    import PyTorchUtils
    from slicer import packaging

    requests: list[dict] = []
    ensured: list[str] = []
    cursors: list[object] = []

    def install(logic: object, **values: object) -> None:
        requests.append(values)
        cursors.append(qt.QApplication.overrideCursor().shape())

    def ensure(requirement: str, **values: object) -> None:
        ensured.append(requirement)
        no_torch.clear()

    monkeypatch.setattr(PyTorchUtils.PyTorchUtilsLogic, "installTorch", install)
    monkeypatch.setattr(packaging, "pip_ensure", ensure)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    double.dialogs.prepare(qt.QMessageBox.Ok)
    a_panel.run()
    assert len(double.dialogs.asked) == 1
    assert "torch, safetensors" in double.dialogs.asked[0].text
    assert requests == [{"askConfirmation": False, "torchVersionRequirement": ">=2.6"}]
    assert ensured == [dependencies.SAFETENSORS]
    assert "Slicer waits until it is done" in double.dialogs.asked[0].text
    assert (cursors, qt.QApplication.overrideCursor()) == ([qt.Qt.WaitCursor], None)
    assert "head SRx4" in volumes()


def test_saying_no_installs_nothing_and_runs_nothing(a_panel, a_node, no_torch) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    double.dialogs.prepare(qt.QMessageBox.Cancel)
    a_panel.click(a_panel.ui.applyButton)
    assert "Nothing was installed" in a_panel.ui.resultLabel.text
    assert a_panel.processes == []


def test_missing_extension_says_how_to_get_it(a_panel, a_node, no_torch, monkeypatch) -> None:

    monkeypatch.setitem(sys.modules, "PyTorchUtils", None)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.applyButton)
    assert "Extensions Manager" in a_panel.ui.resultLabel.text
    assert double.dialogs.asked == []


def test_failed_installation_is_one_sentence(a_panel, a_node, no_torch, monkeypatch) -> None:
    import PyTorchUtils

    def install(logic: object, **values: object) -> None:
        raise OSError("no route to host")

    monkeypatch.setattr(PyTorchUtils.PyTorchUtilsLogic, "installTorch", install)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    double.dialogs.prepare(qt.QMessageBox.Ok)
    a_panel.click(a_panel.ui.applyButton)
    assert "no route to host" in a_panel.ui.resultLabel.text
    assert a_panel.processes == []


def test_old_torch_is_told_with_both_versions(a_panel, a_node, monkeypatch) -> None:
    monkeypatch.setattr(dependencies.importlib.metadata, "version", lambda name: "2.1.0+cpu")
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.applyButton)
    assert "PyTorch 2.1.0+cpu is installed and 2.6 or newer is needed" in a_panel.ui.resultLabel.text


@pytest.mark.parametrize("version", ["2.7a0+git1234", "2.6", "10.0.0"])
def test_new_torch_of_any_spelling_passes(monkeypatch, version) -> None:
    monkeypatch.setattr(dependencies.importlib.metadata, "version", lambda name: version)
    dependencies.check_torch_version()


def test_torch_whose_version_is_no_number_is_too_old(monkeypatch) -> None:
    monkeypatch.setattr(dependencies.importlib.metadata, "version", lambda name: "main")
    with pytest.raises(InputError, match=r"PyTorch main is installed and 2\.6 or newer is needed"):
        dependencies.check_torch_version()


def test_torch_without_a_version_is_told(monkeypatch) -> None:
    def version(name: str) -> str:
        raise PackageNotFoundError(name)

    monkeypatch.setattr(dependencies.importlib.metadata, "version", version)
    with pytest.raises(InputError, match="installed without its version: install it again"):
        dependencies.check_torch_version()


def test_nothing_is_installed_in_testing_mode(a_panel, a_node, no_torch) -> None:
    slicer.app.setTesting(True)
    a_panel.will("done")
    a_panel.choose(inputVolume=a_node)
    a_panel.click(a_panel.ui.applyButton)
    assert "testing mode" in a_panel.ui.resultLabel.text
