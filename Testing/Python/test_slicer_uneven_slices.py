"""Uneven slices in the scene: the DICOM files say where each lies, the node has them evenly between its ends."""

import json

import numpy as np
import pytest
import slicer
from logic_fixtures import a_core  # noqa: F401 (fixture)

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.thick_slices import interpolate_slices
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.volumes.volume import Volume
from Testing.Python.models import a_through_plane_file, a_tiny_card
from Testing.Slicer.double.dicom_database import ctkDICOMDatabase
from Testing.Slicer.module import MODULE_FILE  # noqa: F401 - installs the double
from Testing.Slicer.volumes import add_volume, affine_of

# isort: split
from SuperResolution3DSlicer.runs.interpolation_task import Interpolation
from SuperResolution3DSlicer.runs.volume_task import Request
from SuperResolution3DSlicer.scene.slice_header import stack_of

from SuperResolution3D import SuperResolution3DLogic

HEIGHTS = np.array([0, 4.2, 8.1, 11.9, 16.2, 20.1, 24.0])  # mm; 4 on average


@pytest.fixture
def a_model(tmp_path) -> InstalledModel:
    path = a_through_plane_file(tmp_path)
    return InstalledModel(path, read_card(path))


def a_node(core, monkeypatch, heights=HEIGHTS, *, falling=False) -> slicer.vtkMRMLScalarVolumeNode:
    """Return a volume as Slicer's import makes it of slices at heights along head-foot: evenly between its ends."""
    spacing = heights[-1] / (len(heights) - 1)
    affine = np.array([[-0.9, 0, 0, 12.0], [0, -1.0, 0, 7], [0, 0, spacing, -30], [0, 0, 0, 1]])
    array = np.random.default_rng(0).normal(500, 100, (len(heights), 18, 21)).astype(np.float32)
    node = add_volume(core, array, affine, "uneven")
    order = reversed(heights) if falling else heights
    files = {
        f"1.2.{n}": {"0020,0032": f"-12\\-7\\{height - 30:g}", "0020,0037": "1\\0\\0\\0\\1\\0", "0018,0050": "4"}
        for n, height in enumerate(order)
    }
    monkeypatch.setattr(slicer, "dicomDatabase", ctkDICOMDatabase(files), raising=False)
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))
    return node


def test_slices_are_taken_where_the_files_say(a_core, monkeypatch) -> None:
    stack = stack_of(a_node(a_core, monkeypatch))
    assert stack.centres == pytest.approx(HEIGHTS)
    assert "up to 7.5 % off the mean of 4 mm; each is taken where it lies" in str(stack.warnings[0])
    falling = stack_of(a_node(a_core, monkeypatch, falling=True))
    assert falling.centres == pytest.approx(24 - HEIGHTS[::-1])


@pytest.mark.parametrize(
    ("tag", "value"), [("0020,0032", ""), ("0020,0032", "a\\b\\c"), ("0020,0037", ""), ("0020,0032", "0\\0\\nan")]
)
def test_what_the_files_do_not_say_is_taken_evenly(a_core, monkeypatch, tag, value) -> None:
    node = a_node(a_core, monkeypatch)
    for instance in (0, 6):
        slicer.dicomDatabase._instances[f"1.2.{instance}"][tag] = value
    assert stack_of(node).centres == pytest.approx(4.0 * np.arange(7))


def test_a_volume_that_its_files_do_not_fit_is_taken_evenly(a_core, monkeypatch) -> None:
    node = a_node(a_core, monkeypatch)
    node.SetSpacing(0.9, 1.0, 4.2)
    assert stack_of(node).centres == pytest.approx(4.2 * np.arange(7))
    rounded = a_node(a_core, monkeypatch, np.array([0, 4.01, 7.99, 12, 16, 20, 24]))  # an exporter's rounding
    assert stack_of(rounded).warnings == ()


def test_a_run_puts_each_voxel_where_the_library_does(a_core, a_model, monkeypatch, tmp_path) -> None:
    node = a_node(a_core, monkeypatch)
    report = json.loads(
        SuperResolution3DLogic()
        .superResolve(node, str(a_model.path), device="cpu")
        .GetAttribute("SuperResolution3D.Report")
    )
    assert report["slices"]["unevenness_percent"] == pytest.approx(7.5)
    array = slicer.util.arrayFromVolume(node)
    even = Volume(array, affine_of(node))
    uneven = Volume(array, affine_of(node), slice_positions=tuple(HEIGHTS))
    asked = Interpolation(node).prepare(tmp_path)
    assert asked[-2:] == ["input.nrrd", "result.nrrd"]
    told = json.loads((tmp_path / "input.json").read_text())
    assert told["SlicePositions"] == pytest.approx(list(HEIGHTS))
    stacks = (slice_stack(uneven), slice_stack(even))
    results = [interpolate_slices(volume, stack)[0].array for volume, stack in zip((uneven, even), stacks, strict=True)]
    assert np.abs(results[0] - results[1]).max() > 10  # so it matters


def test_slices_that_are_too_uneven_are_named(a_core, a_model, monkeypatch) -> None:
    heights = np.array([0, 4.0, 8.0, 12.9, 16.0, 20.0, 24.0])
    sentence = (
        r"4\.9 mm between slices 2 and 3 where 4 mm is the mean and 10% off is allowed \(slices 2 and 3, 3 and 4,"
    )
    with pytest.raises(GeometryError, match=sentence):
        Request(a_node(a_core, monkeypatch, heights), a_model).check()


def test_a_model_for_even_voxels_takes_no_uneven_slices(a_core, monkeypatch, tmp_path) -> None:
    model = InstalledModel(tmp_path, a_tiny_card(name="all-axes"))
    with pytest.raises(
        GeometryError, match=r"up to 7\.5 % off the mean, and all-axes takes even ones; use a model for"
    ):
        Request(a_node(a_core, monkeypatch), model).check()
