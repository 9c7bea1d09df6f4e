"""Names of files on the way to the worker: relative and ASCII, whatever the user and the volume are called."""

import os
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import SimpleITK
import slicer
from logic_fixtures import SHAPE, a_core, a_model, a_node  # noqa: F401 (fixtures)

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.models.installed_models import InstalledModel
from Testing.Slicer import double
from Testing.Slicer.module import MODULE_FILE  # noqa: F401 - installs the double

# isort: split
from SuperResolution3DSlicer.forecast.speed_probe import TimedTile
from SuperResolution3DSlicer.runs import folder as run_folder
from SuperResolution3DSlicer.runs.low_resolution_task import LowResolution
from SuperResolution3DSlicer.runs.task import Task
from SuperResolution3DSlicer.runs.volume_task import Request, SuperResolution

from SuperResolution3D import SuperResolution3DLogic


@pytest.fixture
def a_foreign_folder(tmp_path) -> Path:
    folder = tmp_path / "Jörg Łukasz" / "SuperResolution3D-ab12"
    folder.mkdir(parents=True)
    return folder


def tasks(node: slicer.vtkMRMLScalarVolumeNode, model: InstalledModel) -> list[Task]:
    node.SetName("Jörg")
    slicer.util.updateVolumeFromArray(node, np.random.default_rng(0).normal(500, 100, (20, 22, 24)).astype(np.float32))
    request = Request(node, model, device="cpu", with_zero_filled=True)
    return [SuperResolution(request), LowResolution(node, model.card), TimedTile(model.path, model.card, "cpu")]


def spy(original: Callable[..., object], names: list[str]) -> Callable[..., object]:
    def called(given: object, name: str, *more: object) -> object:
        names.append(name)
        return original(given, name, *more)

    return called


def test_the_command_line_names_no_folder_but_the_models(a_node, a_model, a_foreign_folder) -> None:
    for task in tasks(a_node, a_model):
        values = [text.partition("=")[2] or text for text in task.prepare(a_foreign_folder) if "--model=" not in text]
        assert values[-1] == "result.nrrd"
        assert (a_foreign_folder / values[-2]).is_file()
        for value in values:
            assert value.isascii()
            assert not Path(value).is_absolute()
            assert os.sep not in value


def test_simpleitk_is_given_relative_names_alone(a_node, a_model, a_foreign_folder, monkeypatch) -> None:
    names: list[str] = []
    for owner, function in ((SimpleITK.ImageFileReader, "SetFileName"), (SimpleITK, "WriteImage")):
        monkeypatch.setattr(owner, function, spy(getattr(owner, function), names))
    monkeypatch.chdir(a_foreign_folder)
    for task in tasks(a_node, a_model):
        assert main([text for text in task.prepare(a_foreign_folder) if text != "--events"]) == 0
        (a_foreign_folder / "result.nrrd").unlink()
        (a_foreign_folder / "zero-filled.nrrd").unlink(missing_ok=True)
    assert len(names) >= 6, "SimpleITK reads and writes the three inputs and results"
    assert [name for name in names if not name.isascii() or Path(name).is_absolute()] == []


def test_a_run_below_a_folder_of_other_letters_reaches_its_result(
    a_node, a_model, a_foreign_folder, monkeypatch
) -> None:
    monkeypatch.setattr(run_folder.tempfile, "mkdtemp", lambda **values: str(a_foreign_folder))
    result = SuperResolution3DLogic().superResolve(a_node, str(a_model.path), device="cpu")
    assert slicer.util.arrayFromVolume(result).shape == tuple(2 * size for size in SHAPE)
    double.turn(20)
    assert not a_foreign_folder.exists()
