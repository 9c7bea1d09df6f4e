"""Sentences of the worker and the library as the panel shows them: complete, and of volumes instead of files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest
import slicer
from panel_fixtures import AFFINE, SHAPE, a_panel  # noqa: F401 (fixture)

from SuperResolution3DLib.advice import OTHER_DEVICE, SMALLER_REGION
from SuperResolution3DLib.cli.super_resolve_job import Failed, decode, encode
from SuperResolution3DLib.errors import InputError, ResourceError
from SuperResolution3DLib.sentence import Sentence, Warned
from Testing.Python.models import a_tiny_card
from Testing.Slicer import core
from Testing.Slicer.module import ThePanel
from Testing.Slicer.volumes import add_volume, turned

# isort: split
from SuperResolution3DSlicer.panel.messages import warning_sentence, with_full_stop, without_files
from SuperResolution3DSlicer.runs.process import WorkerProcess
from SuperResolution3DSlicer.scene.library_sentences import told
from SuperResolution3DSlicer.self_test import fake_process as pretend_process

from Testing.Slicer import double


@pytest.mark.parametrize(
    ("given", "wanted"), [("It broke", "It broke."), ("It broke.", "It broke."), ("Why?", "Why?"), ("", "")]
)
def test_a_sentence_ends_before_another_one_begins(given, wanted) -> None:
    assert with_full_stop(given) == wanted


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ("{folder}/input.nrrd has 3 voxels that are NaN", "head has 3 voxels that are NaN"),
        ("input.nrrd is cut short", "head is cut short"),
        ("result.nrrd takes 9 GiB", "the result of head takes 9 GiB"),
        ("{folder}/zero-filled.nrrd exists", "the zero-filled volume of head exists"),
        ("1 GiB are free in {folder}; free some", "1 GiB are free in {temporary}; free some"),
        (
            "result.nrrd takes 9 GiB and 1 GiB are free in .; free some",
            "the result of head takes 9 GiB and 1 GiB are free in {temporary}; free some",
        ),
        ("It broke. Try again", "It broke. Try again"),
        ("{folder}/tile.nrrd is odd", "{temporary}/tile.nrrd is odd"),
        ("No model is installed", "No model is installed"),
    ],
)
def test_files_of_a_run_are_told_as_volumes(given, wanted) -> None:
    temporary = slicer.app.temporaryPath
    folder = Path(temporary) / "SuperResolution3D-ab12"
    assert without_files(given.format(folder=folder), folder, "head") == wanted.format(temporary=temporary)


def run_the_real_worker(panel: ThePanel, node: slicer.vtkMRMLScalarVolumeNode, model: str = "") -> str:
    """Run a volume through the panel and return what it says at the end."""
    panel.module.widget.logic.newProcess = WorkerProcess
    panel.choose(inputVolume=node, model=model)
    panel.click(panel.ui.applyButton)
    double.wait_until(lambda: panel.ui.applyButton.text == "Super-resolve", 120_000)
    return panel.ui.resultLabel.text


@pytest.mark.parametrize(
    ("value", "sentence"),
    [
        (np.nan, "odd has 1 of 1287 voxels that are NaN or infinite; replace them with numbers first."),
        (
            1.0,
            (
                "All 11 x 13 x 9 voxels (left-right, front-back, through-plane) of odd are 1; give a volume that shows "
                "something."
            ),
        ),
    ],
    ids=["not finite", "constant"],
)
def test_voxels_that_the_worker_refuses_are_those_of_the_named_volume(a_panel, value, sentence) -> None:
    array = np.ones(SHAPE, np.float32)
    array[3, 4, 5] = value
    text = run_the_real_worker(a_panel, add_volume(core.start(), array, AFFINE, "odd"))
    assert text == f"odd failed: {sentence} The scene is unchanged."


def test_spacing_and_modality_are_told_after_the_run_as_before_it(a_panel) -> None:
    array = np.random.default_rng(0).normal(500, 100, (5, 9, 8)).astype(np.float32)
    node = add_volume(core.start(), array, turned((3.0, 3.2, 9.0), (0, 0, 0), left_handed=True), "thick")
    units = slicer.vtkCodedEntry()
    units.SetValueSchemeMeaning("[hnsf'U]", "UCUM", "Hounsfield unit")
    node.SetVoxelValueUnits(units)
    text = run_the_real_worker(a_panel, node, model="mr-brain-x4")
    told = a_panel.ui.noteLabel.text
    assert told.count("so expect artefacts.") == 2
    told = told.split("\n")
    assert text.split("\n")[2 : 2 + len(told)] == told, "what the voxels themselves tell comes after it"


@pytest.mark.parametrize("code", ["precision", "spacing"])
def test_another_warning_and_one_that_does_not_hold_any_more_is_the_workers_whole_sentence(a_panel, code) -> None:
    node = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE)
    assert warning_sentence(Warned(code, {}, "It was slow"), node, a_tiny_card()) == "It was slow."


def test_a_full_disk_is_told_without_the_runs_own_folder(a_panel, monkeypatch) -> None:
    node = add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE)
    a_panel.will("done")
    a_panel.choose(inputVolume=node)
    monkeypatch.setattr("SuperResolution3DSlicer.scene.nodes._stored_bytes", lambda path: 0)
    a_panel.run()
    text = a_panel.ui.resultLabel.text
    assert f"cannot be written to {slicer.app.temporaryPath}; free some space on that disk." in text
    assert not re.search("SuperResolution3D-", text)


def test_a_failure_of_the_worker_is_two_whole_sentences(a_panel, monkeypatch) -> None:
    monkeypatch.setattr(pretend_process, "FAILURE", "It broke")
    a_panel.will("failed")
    a_panel.choose(inputVolume=add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE))
    a_panel.run()
    assert a_panel.ui.resultLabel.text == "head failed: It broke. The scene is unchanged."


def test_advice_of_the_worker_names_the_panels_controls(a_panel, monkeypatch) -> None:
    line = encode(Failed("input-gpu-failed", {"reason": "too old", "advice": OTHER_DEVICE}))
    assert "choose --device cpu or auto" in json.loads(line)["message"]
    process = WorkerProcess()
    process._last = decode(line)
    assert process._failure(2) == "The GPU failed (too old): choose CPU or Automatic under Device"
    controls = (a_panel.ui.deviceLabel.text, a_panel.ui.deviceSelector.itemText(0))
    assert controls == ("Device:", "Automatic (a GPU if there is one)")


def test_a_forecast_that_cannot_be_names_the_panels_controls() -> None:
    error = ResourceError(Sentence("memory-full", {"advice": SMALLER_REGION}))
    assert str(error) == "Out of memory: choose a smaller region with --region, or close other programs"
    assert told(error) == "Out of memory: choose a smaller part under Region, or close other programs"
    assert told(InputError("Plain text")) == "Plain text"
