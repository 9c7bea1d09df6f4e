"""Thick slices through the whole path: any orientation, thickness and spacing; places, units, reports, refusals."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from centres import centre_of
from models import a_through_plane_file, a_through_plane_model

from SuperResolution3DLib.__main__ import build_parser, main
from SuperResolution3DLib.cli.report import Report
from SuperResolution3DLib.cli.super_resolve_job import Job, job_of
from SuperResolution3DLib.errors import GeometryError, InputError
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.super_resolve import result_bytes, super_resolve
from SuperResolution3DLib.inference.thick_slices import degrade_slices, interpolate_slices
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

FP32 = Settings(device="cpu", precision="fp32")
OBLIQUE = np.array([[0.96, -0.1, 0.26, -30], [0.13, 0.99, -0.09, 12], [-0.25, 0.12, 0.96, 5], [0, 0, 0, 1.0]])


TURNS = [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 2, 0), (1, -1, 1))]


def rotation() -> np.ndarray:
    u, _, vt = np.linalg.svd(OBLIQUE[:3, :3])
    return u @ vt


def an_affine(order: tuple[int, int, int], signs: tuple[int, int, int]) -> np.ndarray:
    """An oblique affine whose file axes I, J, K run along other axes of the body, mirrored or not."""
    affine = np.eye(4)
    affine[:3, :3] = rotation()[:, list(order)] * np.array(signs)
    affine[:3, 3] = -20, 10, 30
    return affine


def a_blob(affine: np.ndarray, centre: np.ndarray, shape=(40, 40, 40)) -> Volume:
    k, j, i = np.indices(shape)
    points = np.stack([i, j, k], axis=-1) @ affine[:3, :3].T + affine[:3, 3]
    return Volume((1000 * np.exp(-np.square(points - centre).sum(-1) / 60)).astype(np.float32), affine)


@pytest.fixture
def a_model(tmp_path):
    model = a_through_plane_model(tmp_path)
    model.network.silence()  # what is left is where things lie
    return model


def a_stack(spacing=4.3, thickness=3.6, axis="K", affine=None, dtype=np.float32) -> Volume:
    hr = a_blob(np.eye(4) if affine is None else affine, np.array([19.5, 19.5, 19.5]))
    stack = degrade_slices(hr, spacing, thickness, axis)[0]
    return replace(stack, array=stack.array.astype(dtype))


# --- Places ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("axis", ["K", "J", "I"])
@pytest.mark.parametrize(
    ("order", "signs"), [((0, 1, 2), (1, 1, 1)), ((2, 0, 1), (-1, 1, -1)), ((1, 2, 0), (1, -1, 1))]
)
def test_a_blob_stays_where_it_is_whatever_the_slice_axis(a_model, axis, order, signs):
    affine = an_affine(order, signs)
    centre = affine[:3, :3] @ [18.3, 20.4, 19.1] + affine[:3, 3]
    stack, cropped, _ = degrade_slices(a_blob(affine, centre), 4.3, 3.6, axis)
    result = super_resolve(stack, a_model, replace(FP32, target_spacing=0.9)).volume
    assert np.linalg.norm(centre_of(result) - centre_of(cropped)) < 0.05  # mm
    assert [a == b for a, b in zip(result.shape, stack.shape, strict=True)].count(True) == 2


@pytest.mark.parametrize("axis", ["K", "J", "I"])
def test_the_field_of_view_is_kept(a_model, axis):
    stack = a_stack(axis=axis, affine=an_affine((2, 0, 1), (-1, 1, -1)))
    result = super_resolve(stack, a_model, replace(FP32, target_spacing=0.77)).volume
    for corner in ((-0.5, -0.5, -0.5), (1, 1, 1)):
        edges = []
        for volume in (stack, result):
            sizes = np.array(volume.shape[::-1])
            index = np.array(corner) if corner[0] < 0 else sizes - 0.5
            edges.append(volume.affine[:3, :3] @ index + volume.affine[:3, 3])
        np.testing.assert_allclose(edges[0], edges[1], atol=0.01)


def test_without_a_network_it_is_the_consistent_interpolation(a_model):
    stack = a_stack()
    result = super_resolve(stack, a_model, replace(FP32, target_spacing=0.9), with_zero_filled=True)
    wanted, _ = interpolate_slices(stack, target_spacing=0.9)
    for volume in (result.volume, result.zero_filled):
        np.testing.assert_allclose(volume.array, wanted.array, atol=0.5)  # of 1000
        np.testing.assert_allclose(volume.affine, wanted.affine, atol=1e-9)


def test_a_region_is_that_part_of_the_whole(tmp_path):
    model = a_through_plane_model(tmp_path)
    stack = a_stack(affine=an_affine((2, 0, 1), (-1, 1, -1)), axis="J")
    whole = super_resolve(stack, model, FP32).volume
    region = (slice(7, 30), slice(2, 6), slice(0, 33))
    found = super_resolve(stack, model, replace(FP32, region=region))
    part, told = found.volume, found.report.slices
    assert told.result_size == part.shape[1] and told.field_of_view_mm == pytest.approx(part.shape[1] * part.spacing[1])
    assert f"field of view {told.field_of_view_mm:.2f} mm of the region, slice axis found" in told.sentence
    inverse = np.linalg.inv(whole.affine) @ part.affine
    start = np.rint(inverse[:3, 3]).astype(int)[::-1]
    np.testing.assert_allclose(inverse[:3, 3][::-1], start, atol=1e-6)
    box = tuple(slice(first, first + size) for first, size in zip(start, part.shape, strict=True))
    np.testing.assert_allclose(part.array, whole.array[box], atol=5)  # of 1000; the trunk sees 16 voxels around it


# --- Slices ----------------------------------------------------------------------------------------------------------


def test_projected_the_slices_are_those_that_were_measured(tmp_path):
    model = a_through_plane_model(tmp_path)
    checked = super_resolve(a_stack(), model, FP32).report
    projected = super_resolve(a_stack(), model, replace(FP32, data_consistency="project"))
    assert checked.data_consistency.residual_rms_percent > 0.1
    assert projected.report.data_consistency.projected
    hr = projected.volume.array
    stack = a_stack()
    found = slice_stack(stack)
    profile = found.profile(found.target_spacing())
    np.testing.assert_allclose(np.tensordot(profile.matrix(), hr, 1), stack.array, atol=0.01)  # of 1000


def test_what_projecting_leaves_of_overlapping_slices_is_told(tmp_path):
    model, stack = a_through_plane_model(tmp_path), a_stack()
    exact = super_resolve(stack, model, replace(FP32, data_consistency="project")).report.slices
    assert exact.left_percent is None and "put back" not in exact.sentence
    result = super_resolve(stack, model, replace(FP32, slice_thickness=11.0, data_consistency="project"))
    found = slice_stack(stack, 11.0)
    left = np.tensordot(found.profile(found.target_spacing()).matrix(), result.volume.array, 1) - stack.array
    low, high = np.percentile(stack.array, [0.5, 99.5])
    told = result.report.slices
    assert told.left_percent == pytest.approx(100 * np.sqrt(np.square(left).mean()) / (high - low), rel=1e-3)
    assert 0 < told.left_percent < result.report.data_consistency.residual_rms_percent
    assert f", put back to within {told.left_percent:.2g} % as they overlap" in told.sentence


def test_the_report_says_what_was_taken_for_the_slices(tmp_path):
    model = a_through_plane_model(tmp_path)
    report = super_resolve(a_stack(), model, FP32).report
    assert (report.slices.axis, report.slices.plane, report.slices.thickness_source) == ("K", "axial", "file")
    assert report.slices.slice_thickness_mm == 3.6 and report.scale[1:] == (1.0, 1.0)
    given = super_resolve(a_stack(), model, replace(FP32, slice_thickness=2.0)).report
    assert given.slices.slice_thickness_mm == 2.0
    assert "2 mm was given and the file says 3.6 mm" in [warned.message for warned in given.warnings][-1]
    written = Report(**vars(given), input="a", output="b").to_json()
    assert Report.from_json(written, "it").slices == given.slices


def test_a_result_has_the_data_type_of_the_file_and_its_size_is_known_before(a_model):
    stack = a_stack(dtype=np.int16)
    settings = replace(FP32, target_spacing=0.9)
    result = super_resolve(stack, a_model, settings).volume
    assert result.array.dtype == np.int16 and result_bytes(stack, a_model.card, settings) == result.array.nbytes


def test_volumes_unlike_those_of_the_training_are_told(tmp_path):
    model = a_through_plane_model(tmp_path, spacing_range=(0.4, 0.8), slice_spacing_range=(5.0, 8.0))
    report = super_resolve(replace(a_stack(), modality="CT"), model, FP32).report
    told = " ".join(warned.message for warned in report.warnings)
    for sentence in (
        "The volume is CT, between was trained on MR",
        "Pixels of 1 x 1 mm lie outside the 0.4 to 0.8 mm",
        "Slices lie 4.3 mm apart, between was trained on 5 to 8 mm",
    ):
        assert sentence in told


@pytest.mark.parametrize(
    ("settings", "error", "message"),
    [
        ({"slice_thickness": 20.0}, InputError, "impossible for slices every 4.3 mm"),
        ({"target_spacing": 5.0}, InputError, "does not suit slices every 4.3 mm"),
        ({"target_spacing": 0.05}, InputError, "does not suit slices every 4.3 mm"),
        ({"window": 8}, InputError, "between is for thick slices and does not run in windows: omit --window"),
        ({"region": (slice(0, 99), slice(0, 4), slice(0, 4))}, InputError, "does not lie in the volume"),
    ],
)
def test_what_cannot_be_computed_is_refused(a_model, settings, error, message):
    with pytest.raises(error, match=message):
        super_resolve(a_stack(), a_model, replace(FP32, **settings))


def test_an_isotropic_volume_is_refused(a_model):
    with pytest.raises(GeometryError, match="isotropic"):
        super_resolve(a_blob(np.eye(4), np.zeros(3)), a_model, FP32)


# --- The command -----------------------------------------------------------------------------------------------------


def test_the_command_makes_a_stack_isotropic(tmp_path, capsys):
    model = a_through_plane_file(tmp_path)
    write_volume(a_stack(), tmp_path / "stack.nii.gz")
    out, report = tmp_path / "out.nii.gz", tmp_path / "report.json"
    words = ["super-resolve", tmp_path / "stack.nii.gz", out, "--model", model, "--device", "cpu", "--report", report]
    assert main([str(word) for word in [*words, "--target-spacing", "auto", "--slice-thickness", "3.9"]]) == 0
    result = read_volume(out)
    assert result.spacing == pytest.approx((1.0, 1.0, 1.0), abs=0.02)
    assert json.loads(report.read_text())["slices"]["slice_thickness_mm"] == 3.9
    assert "thickness 3.9 mm (as given)" in capsys.readouterr().err


def test_the_command_says_that_a_thickness_was_assumed(tmp_path, capsys):
    write_volume(replace(a_stack(), slice_thickness=None), tmp_path / "stack.nii.gz")
    words = ["super-resolve", tmp_path / "stack.nii.gz", tmp_path / "out.nii.gz", "--device", "cpu"]
    assert main([str(word) for word in [*words, "--model", a_through_plane_file(tmp_path)]]) == 0
    told = capsys.readouterr().err.splitlines()[-1]
    assert told.startswith(
        "axial slices of 1 x 1 x 4.3 mm, thickness 4.3 mm (assumed to be the spacing), computed with"
    )


def test_a_job_for_slices_survives_its_command_line():
    job = Job(Path("a"), Path("b"), slice_thickness=3.5, target_spacing=0.7, axis="J")
    assert job_of(build_parser().parse_args(job.to_arguments())) == job
