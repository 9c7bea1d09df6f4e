"""The report for a forum: no folders and no volume names, which may tell who the patient or the user is."""

from pathlib import Path

import numpy as np
import pytest
import slicer
from panel_fixtures import AFFINE, SHAPE, a_panel  # noqa: F401 (fixture)

from Testing.Slicer import core
from Testing.Slicer.volumes import add_volume

# isort: split
from SuperResolution3DSlicer.runs.report_privacy import without_folders, without_inputs


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("Doe done", "input 1 done"),
        ("Doe SRx4: done", "input 1 SRx4: done"),
        ("Doe_T1: done, Doe: failed", "input 2: done, input 1: failed"),
        ("a (b) [c] is odd", "input 3 is odd"),
        ("Doer and Doe2 stay", "Doer and Doe2 stay"),
        ("input is no name of a volume", "input is no name of a volume"),
    ],
)
def test_inputs_are_told_by_number(text, wanted) -> None:
    assert without_inputs(text, ["Doe", "Doe_T1", "a (b) [c]", ""]) == wanted


def test_what_was_replaced_is_not_replaced_again() -> None:
    assert without_inputs("1 and input", ["1", "input"]) == "input 1 and input 2"


@pytest.fixture
def a_home(monkeypatch) -> str:
    monkeypatch.setenv("HOME", "/home/jane")
    return "/home/jane"


def test_temporary_and_home_folder_are_not_told(a_home) -> None:
    temporary = slicer.app.temporaryPath
    assert without_folders(f"no space in {temporary}/x") == "no space in <temporary folder>/x"
    assert without_folders('File "/home/jane/run.py"') == 'File "<home folder>/run.py"'
    assert without_folders("in /home/janet and /home/jane-old") == "in /home/janet and /home/jane-old"


def test_a_user_without_a_home_folder_gets_a_report(monkeypatch) -> None:
    def nowhere(*_):
        raise RuntimeError("Could not determine home directory.")

    monkeypatch.setattr(Path, "home", nowhere)
    assert without_folders(f"in {slicer.app.temporaryPath}/a") == "in <temporary folder>/a"


def test_a_temporary_folder_inside_the_home_folder_is_told_as_such(monkeypatch) -> None:
    temporary = Path(slicer.app.temporaryPath)
    monkeypatch.setenv("HOME", str(temporary.parent))
    assert without_folders(f"{temporary}/a, {temporary.parent}/b") == "<temporary folder>/a, <home folder>/b"


def test_a_home_that_is_the_root_leaves_paths_as_they_are(monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/")
    assert without_folders("/opt/Slicer/x") == "/opt/Slicer/x"


def test_report_names_neither_inputs_nor_folders(a_panel, monkeypatch) -> None:
    monkeypatch.setenv("HOME", "/home/jane")
    nodes = [add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, name) for name in ("Doe^John", "T1 Doe")]
    a_panel.will("done", "failed")
    a_panel.choose(inputVolume=nodes[0], furtherInputs=[nodes[1]])
    a_panel.run()
    folder = Path(slicer.app.temporaryPath) / "SuperResolution3D-ab12"
    a_panel.ui.logText.appendPlainText(f"error: {folder}/input.nrrd of T1 Doe, see /home/jane/log")
    a_panel.ui.copyReportButton.click()
    text = slicer.app.clipboard().text()
    assert "input 1: done" in text
    assert "<temporary folder>/SuperResolution3D-ab12/input.nrrd of input 2, see <home folder>/log" in text
    for secret in ("Doe", slicer.app.temporaryPath, "/home/jane"):
        assert secret not in text


def test_report_after_a_full_disk_names_neither(a_panel, monkeypatch) -> None:
    a_panel.will("done")
    a_panel.choose(inputVolume=add_volume(core.start(), np.ones(SHAPE, np.float32), AFFINE, "Doe^John"))
    monkeypatch.setattr("SuperResolution3DSlicer.scene.nodes._stored_bytes", lambda path: 0)
    a_panel.run()
    a_panel.ui.copyReportButton.click()
    text = slicer.app.clipboard().text()
    assert "failed: input 1 (0 MB) cannot be written to <temporary folder>" in text
    assert "Doe" not in text
    assert slicer.app.temporaryPath not in text
