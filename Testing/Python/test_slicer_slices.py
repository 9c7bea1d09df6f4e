"""Thick slices in the scene: node -> real worker -> node, with the thickness that the DICOM files say."""

import json

import numpy as np
import pytest
import slicer
from logic_fixtures import a_core  # noqa: F401 (fixture)

from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.models.installed_models import InstalledModel
from SuperResolution3DLib.models.model_card import read_card
from SuperResolution3DLib.volumes.geometry import voxel_spacing
from Testing.Python.models import a_through_plane_file, a_tiny_card
from Testing.Python.slice_stacks import PLANES, SHAPE, a_stack, from_dicom
from Testing.Slicer import double
from Testing.Slicer.module import MODULE_FILE  # noqa: F401 - installs the double
from Testing.Slicer.volumes import add_volume, affine_of, field_of_view_corners, turned, voxel_positions

# isort: split
from SuperResolution3DSlicer.forecast.forecast import forecast
from SuperResolution3DSlicer.forecast.speed import Speed, Work
from SuperResolution3DSlicer.forecast.speed_probe import STACK, TimedTile
from SuperResolution3DSlicer.runs.process import WorkerProcess
from SuperResolution3DSlicer.runs.run import Follower, Run
from SuperResolution3DSlicer.runs.slice_words import plan_line, planned
from SuperResolution3DSlicer.runs.volume_task import ZERO_FILLED_ROLE, Request
from SuperResolution3DSlicer.scene.checks import spacing_warning
from SuperResolution3DSlicer.scene.slice_header import SliceHeader, stack_of

from SuperResolution3D import SuperResolution3DLogic


@pytest.fixture
def a_model(tmp_path) -> InstalledModel:
    path = a_through_plane_file(tmp_path)
    return InstalledModel(path, read_card(path))


def report_of(node: slicer.vtkMRMLScalarVolumeNode) -> dict:
    return json.loads(node.GetAttribute("SuperResolution3D.Report"))


# --- Result ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", PLANES)
@pytest.mark.parametrize("left_handed", [True, False])
def test_a_result_keeps_the_field_of_view_and_has_finer_voxels_along_the_slices_only(
    a_core, a_model, plane, left_handed
) -> None:
    node = a_stack(a_core, plane, left_handed=left_handed)
    result = SuperResolution3DLogic().superResolve(node, str(a_model.path), device="cpu", targetSpacing=1.3)
    np.testing.assert_allclose(field_of_view_corners(result), field_of_view_corners(node), atol=0.01)
    sizes = slicer.util.arrayFromVolume(result).shape
    along = SHAPE[plane].index(7)
    assert sizes[along] == round(7 * 4 / 1.3)
    assert [size for axis, size in enumerate(sizes) if axis != along] == [size for size in SHAPE[plane] if size != 7]
    assert forecast(Request(node, a_model, target_spacing=1.3).plan(), None).shape == sizes


def test_a_blob_stays_in_its_place(a_core, a_model) -> None:
    node = add_volume(a_core, np.zeros((9, 30, 32), np.float32), turned((1, 1, 3.3), (5, 6, 7), left_handed=True))
    centre = voxel_positions(node)[4, 15, 16] + (1.1, -0.8, 0.9)
    distance = ((voxel_positions(node) - centre) ** 2).sum(axis=-1)
    slicer.util.updateVolumeFromArray(node, (1000 * np.exp(-distance / (2 * 5.0**2))).astype(np.float32))
    result = SuperResolution3DLogic().superResolve(node, str(a_model.path), device="cpu", zeroFilled=True)
    interpolated = result.GetNodeReference(ZERO_FILLED_ROLE)
    assert interpolated.GetName() == "head interpolated"
    assert result.GetName() == "head SRx3.33x1x1"
    np.testing.assert_allclose(affine_of(interpolated), affine_of(result), atol=1e-9)
    voxels = slicer.util.arrayFromVolume(interpolated).astype(np.float64)
    weights = np.where(voxels > 20, voxels, 0)
    found = (voxel_positions(interpolated) * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()
    assert np.linalg.norm(found - centre) < 0.05


def test_a_preview_lies_where_its_roi_is(a_core, a_model) -> None:
    node = a_stack(a_core)
    roi = a_core.scene.AddNewNodeByClass("vtkMRMLMarkupsROINode", "roi")
    roi.SetCenterWorld(list(voxel_positions(node)[3, 9, 10]))
    roi.SetSize([9, 9, 9])
    request = Request(node, a_model, roi_node=roi)
    result = SuperResolution3DLogic().superResolve(node, str(a_model.path), device="cpu", roiNode=roi)
    assert slicer.util.arrayFromVolume(result).shape == forecast(request.plan(), None).shape
    whole = SuperResolution3DLogic().superResolve(node, str(a_model.path), device="cpu")
    i, j, k = np.linalg.solve(affine_of(whole), [*voxel_positions(result)[0, 0, 0], 1])[:3]
    region = request.job().region
    assert (i, j) == pytest.approx((region[2].start, region[1].start))
    assert k == pytest.approx(round(region[0].start * slicer.util.arrayFromVolume(whole).shape[0] / 7))


# --- Thickness -------------------------------------------------------------------------------------------------------


def test_the_thickness_is_that_of_the_dicom_files(a_core, a_model, monkeypatch) -> None:
    node = a_stack(a_core)
    from_dicom(monkeypatch, node, "3.2", "3.2 ", spacing="4")
    stack = stack_of(node)
    assert (stack.thickness, stack.thickness_source) == (3.2, "file")
    result = SuperResolution3DLogic().superResolve(node, str(a_model.path), device="cpu")
    told = report_of(result)["slices"]
    assert (told["slice_thickness_mm"], told["thickness_source"]) == (3.2, "file")


@pytest.mark.parametrize("texts", [("", ""), ("0", "0"), ("3", "4"), ("x", "x")])
def test_a_thickness_that_the_files_do_not_say_is_assumed_to_be_the_spacing(a_core, monkeypatch, texts) -> None:
    node = a_stack(a_core)
    from_dicom(monkeypatch, node, *texts)
    stack = stack_of(node)
    assert (stack.thickness, stack.thickness_source) == (pytest.approx(4.0), "assumed")


def test_a_volume_without_dicom_files_is_asked_in_vain(a_core) -> None:
    assert SliceHeader.of(a_stack(a_core)).slice_thickness is None


def test_a_given_thickness_counts_and_a_contradiction_is_told(a_core, a_model, monkeypatch) -> None:
    node = a_stack(a_core)
    from_dicom(monkeypatch, node, "3.2", "3.2")
    result = SuperResolution3DLogic().superResolve(node, str(a_model.path), device="cpu", sliceThickness=4.0)
    told = report_of(result)
    assert (told["slices"]["slice_thickness_mm"], told["slices"]["thickness_source"]) == (4.0, "given")
    sentence = "A slice thickness of 4 mm was given and the file says 3.2 mm"
    assert sentence in [warned["message"] for warned in told["warnings"]]
    assert [str(warned) for warned in stack_of(node, 4.0).warnings] == [sentence]


# --- What cannot be run ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        ({"slice_thickness": 13.0}, "A slice thickness of 13 mm is impossible for slices every 4 mm"),
        ({"target_spacing": 4.5}, "A target spacing of 4.5 mm does not suit slices every 4 mm"),
        ({"target_spacing": 0.1}, "32 voxels per slice"),
        ({"window": 16}, "between is for thick slices and does not run in windows: choose automatic tiles."),
    ],
)
def test_what_slices_cannot_be_is_refused_before_the_run(a_core, a_model, values, sentence) -> None:
    with pytest.raises(InputError, match=sentence):
        Request(a_stack(a_core), a_model, **values).check()


def test_an_isotropic_volume_is_no_stack(a_core, a_model) -> None:
    node = add_volume(a_core, np.ones((9, 9, 9), np.float32), np.eye(4))
    sentence = (
        r"1 mm isotropic, stands out\. Say under Slices which plane they have, or choose a model for all three axes."
    )
    with pytest.raises(InputError, match=sentence):
        Request(node, a_model).check()


def test_a_volume_without_a_unique_slice_axis_is_no_stack(a_core, a_model) -> None:
    node = add_volume(a_core, np.ones((9, 9, 9), np.float32), np.diag([1, 4, 4.2, 1]))
    with pytest.raises(InputError, match=r"1 x 4 x 4.2 mm .*, stands out\. Say under Slices which plane they have"):
        Request(node, a_model).check()


@pytest.mark.parametrize(
    ("spacing", "sentence"),
    [
        (
            (1, 1, 1),
            "1 mm isotropic, and thick enlarges one direction alone, head-foot; use a model for all",
        ),
        ((4, 1, 1), "do not lie head-foot, the one direction that thick enlarges; use a model for thick slices"),
    ],
)
def test_a_model_of_one_axis_takes_no_volume_that_is_not_coarse_along_it(a_core, tmp_path, spacing, sentence) -> None:
    model = InstalledModel(tmp_path, a_tiny_card((4, 1, 1), name="thick"))
    node = add_volume(a_core, np.ones((9, 9, 9), np.float32), np.diag([*spacing, 1]))
    with pytest.raises(GeometryError, match=sentence):
        Request(node, model).check()


def test_pixels_and_slices_unlike_those_of_the_training_are_told(a_core, a_model) -> None:
    assert spacing_warning(a_stack(a_core), a_model.card) == ""
    array = np.ones((5, 6, 7), np.float32)
    fine = add_volume(a_core, array, np.diag([0.3, 0.3, 4, 1]), "fine")
    assert spacing_warning(fine, a_model.card) == (
        "fine has pixels of 0.3 x 0.3 mm; between was trained on 0.5 to 5 mm, so expect artefacts."
    )
    far = add_volume(a_core, array, np.diag([1, 1, 12, 1]), "far")
    assert spacing_warning(far, a_model.card) == (
        "far has slices 12 mm apart; between was trained on 2 to 8 mm, so expect artefacts."
    )
    assert spacing_warning(add_volume(a_core, array, np.eye(4), "even"), a_model.card) == ""


# --- Forecast and simulation -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("plane", PLANES)
def test_the_forecast_counts_result_voxels_and_those_of_the_trunk(a_core, a_model, plane) -> None:
    plan = Request(a_stack(a_core, plane), a_model, target_spacing=1.0, with_zero_filled=True).plan()
    found = forecast(plan, Speed(1.0, 0.0, 2.0, False))
    assert np.prod(found.shape) == 28 * 18 * 21
    assert found.work == Work(7 * 9 * 11, 28 * 18 * 21)  # two pixels a voxel of the trunk, 21 rounded up
    assert found.result_bytes == 2 * 4 * 28 * 18 * 21
    assert sorted(voxel_spacing(found.affine)) == pytest.approx([0.9, 1.0, 1.0])
    assert found.seconds == pytest.approx(1 + 2e-6 * 28 * 18 * 21, rel=0.3)


def test_the_cards_figure_is_that_of_a_result_voxel(a_model) -> None:
    card = a_model.card
    card.performance["cpu_seconds_per_million_voxels"] = 4.0
    assert (Speed.of_card(card, "cpu").trunk, Speed.of_card(card, "cpu").tail) == (0.0, 4.0)


def test_the_timed_tile_is_a_stack(a_core, a_model) -> None:
    task = TimedTile(a_model.path, a_model.card, "cpu")
    ends: list = []
    run = Run(task, WorkerProcess(), Follower(end=ends.append))
    run.start()
    double.wait_until(lambda: bool(ends), 120_000)
    assert ends[0].state == "done", ends[0].sentence
    report = ends[0].report
    assert report.input_shape == STACK
    assert task.work.tail_voxels == np.prod(report.output_shape)
    assert ends[0].meter.speed(task.work).tail > 0


@pytest.mark.parametrize(("affine", "slices"), [(np.eye(4), "K"), (np.diag([1, 1.5, 1, 1.0]), "J")])
def test_a_volume_is_cut_into_the_slices_that_a_model_is_for(a_core, a_model, affine, slices) -> None:
    array = np.random.default_rng(0).normal(500, 100, (24, 25, 26)).astype(np.float32)
    node = add_volume(a_core, array, affine)
    low = SuperResolution3DLogic().simulateLowResolution(node, str(a_model.path))
    axis = "KJI".index(slices)
    spacing = voxel_spacing(affine_of(low))
    assert spacing[axis] == pytest.approx(4 * voxel_spacing(affine)[axis])
    assert stack_of(low).thickness_source == "file"
    assert stack_of(low).thickness == pytest.approx(spacing[axis])
    assert " mm (from the simulation)" in plan_line(low, planned(stack_of(low), None))
    result = SuperResolution3DLogic().superResolve(low, str(a_model.path), device="cpu")
    assert report_of(result)["slices"]["axis"] == slices
