"""Uneven slices in the scene: the DICOM files say where each lies, the node has them evenly between its ends."""

import json

import numpy as np
import pytest
import slicer
import vtk
from dicom_files import an_enhanced_file, some_slices, write
from logic_fixtures import a_core  # noqa: F401 (fixture)
from panel_fixtures import a_panel, a_slice_panel  # noqa: F401 (fixtures)

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.thick_slices import interpolate_slices
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.volumes.volume import Volume, read_volume
from Testing.Python.models import a_through_plane_file, a_tiny_card
from Testing.Slicer.core import start
from Testing.Slicer.double.dicom_database import ctkDICOMDatabase
from Testing.Slicer.module import MODULE_FILE  # noqa: F401 - installs the double
from Testing.Slicer.volumes import add_volume, affine_of

# isort: split
from SuperResolution3DSlicer.runs.interpolation_task import Interpolation
from SuperResolution3DSlicer.runs.volume_task import Request
from SuperResolution3DSlicer.scene.checks import check_input
from SuperResolution3DSlicer.scene.scan import scan_of
from SuperResolution3DSlicer.scene.slice_header import SliceHeader, stack_of

from SuperResolution3D import SuperResolution3DLogic

HEIGHTS = np.array([0, 4.2, 8.1, 11.9, 16.2, 20.1, 24.0])  # mm; 4 on average
TOO_UNEVEN = np.array([0, 4.0, 8.0, 12.9, 16.0, 20.0, 24.0])


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
    sentence = (
        r"4\.9 mm between slices 2 and 3 where 4 mm is the mean and 10% off is allowed \(slices 2 and 3, 3 and 4,"
    )
    with pytest.raises(GeometryError, match=sentence):
        Request(a_node(a_core, monkeypatch, TOO_UNEVEN), a_model).check()


def test_a_model_for_even_voxels_takes_no_uneven_slices(a_core, monkeypatch, tmp_path) -> None:
    model = InstalledModel(tmp_path, a_tiny_card(name="all-axes"))
    with pytest.raises(
        GeometryError, match=r"up to 7\.5 % off the mean, and all-axes takes even ones; use a model for"
    ):
        Request(a_node(a_core, monkeypatch), model).check()


# --- Enhanced files, of which one holds all slices -------------------------------------------------------------------


def an_enhanced_node(core, monkeypatch, path, *, reader, heights=HEIGHTS) -> slicer.vtkMRMLScalarVolumeNode:
    """Return the volume that Slicer's own reader of DICOM files makes of frames at heights along head-foot."""
    frames = [
        (plane, {"PlanePositionSequence": {"ImagePositionPatient": [-12.0, -7.0, float(height) - 30]}})
        for plane, height in zip(some_slices(len(heights)), heights, strict=True)
    ]
    in_common = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": [1.0, 0, 0, 0, 1, 0]},
        "PixelMeasuresSequence": {"PixelSpacing": [1.0, 0.9], "SliceThickness": 4.0, "SpacingBetweenSlices": 4.0},
    }
    write(path, an_enhanced_file(frames, shared=in_common))
    archetype = slicer.vtkITKArchetypeImageSeriesScalarReader()
    archetype.SetArchetype(str(path))
    archetype.AddFileName(str(path))
    archetype.SetOutputScalarTypeToNative()
    archetype.SetDesiredCoordinateOrientationToNative()
    archetype.SetUseNativeOriginOn()
    getattr(archetype, f"SetDICOMImageIOApproachTo{reader}")()
    archetype.Update()
    to_ijk = slicer.util.arrayFromVTKMatrix(archetype.GetRasToIjkMatrix())
    array = vtk.util.numpy_support.vtk_to_numpy(archetype.GetOutput().GetPointData().GetScalars())
    node = add_volume(core, array.reshape(len(heights), 9, 7), np.linalg.inv(to_ijk), "enhanced")
    database = ctkDICOMDatabase({"1.2": {"0028,0008": str(len(heights))}}, {"1.2": str(path)})
    monkeypatch.setattr(slicer, "dicomDatabase", database, raising=False)
    node.SetAttribute("DICOM.instanceUIDs", "1.2")
    return node


@pytest.mark.parametrize("falling", [False, True])
def test_frames_are_taken_where_their_file_says(a_core, monkeypatch, tmp_path, falling) -> None:
    heights = HEIGHTS[::-1] if falling else HEIGHTS
    node = an_enhanced_node(a_core, monkeypatch, tmp_path / "f", reader="DCMTK", heights=heights)
    stack = stack_of(node)
    assert stack.centres == pytest.approx(24 - HEIGHTS[::-1] if falling else HEIGHTS)
    assert "up to 7.5 % off the mean of 4 mm; each is taken where it lies" in str(stack.warnings[0])


def test_frames_lie_where_the_library_reads_them(a_core, monkeypatch, tmp_path) -> None:
    node = an_enhanced_node(a_core, monkeypatch, tmp_path / "f", reader="DCMTK")
    read = read_volume(tmp_path, uneven_slices=True)
    assert stack_of(node).centres == pytest.approx(read.slice_positions)
    np.testing.assert_allclose(affine_of(node), read.affine, atol=1e-6)
    np.testing.assert_array_equal(slicer.util.arrayFromVolume(node), read.array)


def test_frames_that_are_too_uneven_are_named(a_core, a_model, monkeypatch, tmp_path) -> None:
    for reader in ("DCMTK", "GDCM"):
        node = an_enhanced_node(a_core, monkeypatch, tmp_path / "f", reader=reader, heights=TOO_UNEVEN)
        with pytest.raises(GeometryError, match=r"4\.9 mm between slices 2 and 3 where 4 mm is the mean and 10% off"):
            Request(node, a_model).check()


@pytest.mark.parametrize("heights", [HEIGHTS, HEIGHTS[::-1], np.round(np.arange(7) * 10 / 3, 2)])
def test_voxel_sizes_that_the_import_lost_are_told(a_core, a_model, monkeypatch, tmp_path, heights) -> None:
    node = an_enhanced_node(a_core, monkeypatch, tmp_path / "f", reader="GDCM", heights=heights)
    assert node.GetSpacing() == (1, 1, 1)
    lost = f"lost the voxel sizes of enhanced: its DICOM file has 7 slices over {max(heights):g} mm, not quite evenly"
    for run in (Request(node, a_model), Interpolation(node)):
        with pytest.raises(GeometryError, match=lost):
            run.check()
    assert scan_of(node) is None
    node.SetSpacing(0.9, 1.0, max(heights) / 6)  # as a person sets them
    Request(node, a_model).check()


def test_even_frames_are_taken_as_they_are(a_core, a_model, monkeypatch, tmp_path) -> None:
    for heights in (np.arange(7) * 4.0, np.arange(7) * 1.0):
        node = an_enhanced_node(a_core, monkeypatch, tmp_path / "f", reader="GDCM", heights=heights)
        check_input(node)
        assert SliceHeader.of(node).slice_positions is None


@pytest.mark.parametrize("change", ["gone", "damaged", "fewer", "mixed"])
def test_frames_that_do_not_tell_their_places_are_taken_evenly(a_core, monkeypatch, tmp_path, change) -> None:
    path = tmp_path / "f"
    heights = HEIGHTS[[0, 2, 1, 3, 4, 5, 6]] if change == "mixed" else HEIGHTS
    node = an_enhanced_node(a_core, monkeypatch, path, reader="DCMTK", heights=heights)
    if change == "gone":
        path.unlink()
    elif change == "damaged":
        path.write_bytes(b"no DICOM")
    elif change == "fewer":
        an_enhanced_node(a_core, monkeypatch, path, reader="DCMTK", heights=HEIGHTS[:6])
    assert stack_of(node).centres == pytest.approx(4.0 * np.arange(7))


# --- The panel -------------------------------------------------------------------------------------------------------


def test_the_panel_says_why_an_enhanced_file_cannot_be_used(a_slice_panel, monkeypatch, tmp_path) -> None:
    core, ui = start(), a_slice_panel.ui
    lost = an_enhanced_node(core, monkeypatch, tmp_path / "f", reader="GDCM")
    a_slice_panel.choose(inputVolume=lost)
    assert ui.reasonLabel.text.startswith(
        "Slicer has lost the voxel sizes of enhanced: its DICOM file has 7 slices over"
    )
    assert not ui.applyButton.enabled
    too_uneven = an_enhanced_node(core, monkeypatch, tmp_path / "f", reader="DCMTK", heights=TOO_UNEVEN)
    a_slice_panel.choose(inputVolume=too_uneven)
    assert "4.9 mm between slices 2 and 3" in ui.reasonLabel.text
    assert not ui.applyButton.enabled


def test_the_panel_tells_of_uneven_frames_and_takes_them(a_slice_panel, monkeypatch, tmp_path) -> None:
    a_slice_panel.choose(inputVolume=an_enhanced_node(start(), monkeypatch, tmp_path / "f", reader="DCMTK"))
    ui = a_slice_panel.ui
    assert (ui.reasonLabel.text, ui.applyButton.enabled) == ("", True)
    assert "up to 7.5 % off the mean of 4 mm; each is taken where it lies" in ui.noteLabel.text
