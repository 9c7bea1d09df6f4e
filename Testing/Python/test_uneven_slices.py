"""DICOM slices at uneven places: each is used where it lies, up to 10 % off; held against dense matrices and a blob."""

import json
from math import erf

import numpy as np
import pytest
from centres import centre_of
from dicom_files import LPS_TO_RAS, a_grid, write_slices
from models import a_through_plane_file, a_through_plane_model, a_tiny_model

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.inference.thick_slices import interpolate_slices
from SuperResolution3DLib.volumes.geometry import crop_affine
from SuperResolution3DLib.volumes.volume import Volume, read_volume

FP32 = Settings(device="cpu", precision="fp32")
SPACING, THICKNESS = 3.0, 2.4  # mm
# Random below 10 %, and drifting: neighbours 9 % off, which puts the middle half a spacing off an even grid.
JITTERED = np.concatenate(([0], np.cumsum(SPACING * (1 + np.random.default_rng(7).uniform(-0.08, 0.08, 16)))))
DRIFTING = np.concatenate(([0], np.cumsum(SPACING * (1 + 0.09 * np.repeat([-1, 1], 8)))))


def a_series(folder, heights, *, reverse=False, shape=(26, 24)):
    """Write the slices of a blob as a scanner measures them; return the blob's place in RAS mm.

    Args:
        folder: to be made.
        heights: of the slices along their normal, mm.
        reverse: let the normal run the other way through the body.
        shape: rows and columns.
    """
    to_lps = a_grid((SPACING, 0.8, 0.8))
    if reverse:
        to_lps[:3, 0] *= -1  # the normal is the product of row and column
        to_lps[:3, 2] *= -1
    normal = to_lps[:3, 2] / SPACING
    centre, width, height = np.array([11.7, 13.2]), 2.5, heights[len(heights) // 2] + 0.9
    # A Gaussian blob under a Gaussian profile is a wider one.
    along = width**2 + (THICKNESS / 2.3548) ** 2
    in_plane = np.square((np.indices(shape)[::-1].T - centre) * 0.8).sum(-1).T
    blob = np.exp(-np.square(heights - height) / 2 / along)[:, None, None] * np.exp(-in_plane / 2 / width**2)
    pixels = np.rint(3e4 * blob).astype(np.uint16)
    positions = [to_lps[:3, 3] + at * normal for at in heights]
    write_slices(folder, pixels, to_lps, positions=positions, SliceThickness=THICKNESS)
    place = to_lps[:3, :2] @ centre + to_lps[:3, 3] + height * normal
    return LPS_TO_RAS[:3, :3] @ place


@pytest.fixture
def a_model(tmp_path):
    model = a_through_plane_model(tmp_path)
    model.network.silence()  # what is left is where things lie
    return model


# --- The reader ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("heights", [JITTERED, DRIFTING])
def test_positions_are_read_and_the_affine_has_their_mean_spacing(tmp_path, heights, reverse):
    a_series(tmp_path / "series", heights, reverse=reverse)
    volume = read_volume(tmp_path / "series", uneven_slices=True)
    np.testing.assert_allclose(volume.slice_positions, heights, atol=1e-6)
    assert volume.spacing == pytest.approx((heights[-1] / 16, 0.8, 0.8))
    last = volume.affine[:3, :3] @ [0, 0, 16] - heights[-1] * volume.affine[:3, 2] / volume.spacing[0]
    np.testing.assert_allclose(last, 0, atol=1e-6)
    cropped = volume.with_array(volume.array[2:], crop_affine(volume.affine, (2, 0, 0)))
    assert cropped.slice_positions is None


def test_whoever_needs_even_slices_gets_no_others(tmp_path, capsys):
    a_series(tmp_path / "series", JITTERED)
    with pytest.raises(GeometryError, match=r"0\.23 mm off an even grid"):
        read_volume(tmp_path / "series")
    assert main(["degrade", str(tmp_path / "series"), str(tmp_path / "lr.nii.gz"), "--scale", "2"]) == 2
    assert "0.23 mm off an even grid (at most 0.03); resample the series evenly" in capsys.readouterr().err


def test_even_slices_have_no_positions_of_their_own(tmp_path):
    a_series(tmp_path / "series", np.arange(17) * SPACING + np.random.default_rng(0).uniform(-0.01, 0.01, 17))
    assert read_volume(tmp_path / "series", uneven_slices=True).slice_positions is None


def test_more_than_a_tenth_off_is_refused_by_file(tmp_path, capsys):
    heights = JITTERED.copy()
    heights[5:] += 0.2 * SPACING
    a_series(tmp_path / "series", heights)
    with pytest.raises(
        GeometryError, match=r"unevenly spaced: IM0031 and IM0038 are 3\.\d+ mm apart .*, more than 10% off;"
    ) as caught:
        read_volume(tmp_path / "series", uneven_slices=True)
    assert main(["interpolate", str(tmp_path / "series"), str(tmp_path / "o.nii.gz"), "--method", "consistent"]) == 2
    assert str(caught.value) in capsys.readouterr().err


# --- The path through the library ------------------------------------------------------------------------------------


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("heights", [JITTERED, DRIFTING])
def test_a_blob_stays_where_it_is(a_model, tmp_path, heights, reverse):
    place = a_series(tmp_path / "series", heights, reverse=reverse)
    volume = read_volume(tmp_path / "series", uneven_slices=True)
    results = [
        super_resolve(volume, a_model, FP32).volume,
        super_resolve(volume, a_model, Settings("cpu", "fp32", data_consistency="project")).volume,
        interpolate_slices(volume)[0],
    ]
    for result in results:
        assert result.spacing == pytest.approx((0.8, 0.8, 0.8), abs=0.02)
        assert np.linalg.norm(centre_of(result) - place) < 0.05 * 0.8
    even = Volume(volume.array, volume.affine)  # what would come of it without the positions
    assert np.linalg.norm(centre_of(interpolate_slices(even)[0]) - place) > 0.1 * 0.8


def test_it_is_what_dense_matrices_give(a_model, tmp_path):
    a_series(tmp_path / "series", JITTERED)
    volume = read_volume(tmp_path / "series", uneven_slices=True)
    result, report = interpolate_slices(volume, slice_stack(volume), 0.7)
    interpolation, slices = dense_interpolation(JITTERED, THICKNESS, result.shape[0])
    lr = volume.array.reshape(17, -1).astype(np.float64)
    found = result.array.reshape(len(result.array), -1)
    np.testing.assert_allclose(found, (interpolation @ lr).clip(0), atol=0.51)
    residual = slices @ interpolation @ lr - lr
    assert report.residual_rms_percent == pytest.approx(100 * np.sqrt(np.mean(residual**2)) / np.ptp(lr), rel=1e-3)
    projected = super_resolve(
        Volume(volume.array.astype(np.float32), volume.affine, "", THICKNESS, slice_positions=volume.slice_positions),
        a_model,
        Settings("cpu", "fp32", data_consistency="project", target_spacing=0.7),
    ).volume.array.reshape(len(result.array), -1)
    np.testing.assert_allclose(slices @ projected, lr, atol=1e-4 * np.ptp(lr))


def dense_interpolation(heights, thickness, size):
    """Return B (HR, slices) and A (slices, HR) of uneven slices, written down once more in plain NumPy."""
    count = len(heights)
    spacing = heights[-1] / (count - 1)
    voxel = count * spacing / size
    edges = np.arange(size + 1) * voxel - spacing / 2
    sigma = thickness / 2.3548200450309493
    whole = erf(3 / 2**0.5)
    below = np.array([[erf((edge - at) / sigma / 2**0.5) / whole for edge in edges] for at in heights])
    below = np.clip(0.5 + 0.5 * below, 0, 1)
    below[:, 0], below[:, -1] = 0, 1
    slices = np.diff(below, axis=1)
    gaps = np.diff(heights)
    system, right = np.eye(count), np.zeros((count, count))  # second derivatives of the natural spline
    for k in range(1, count - 1):
        system[k, k - 1 : k + 2] = gaps[k - 1], 2 * (gaps[k - 1] + gaps[k]), gaps[k]
        right[k, k - 1 : k + 2] = 6 / gaps[k - 1], -6 / gaps[k - 1] - 6 / gaps[k], 6 / gaps[k]
    curvature = np.linalg.solve(system, right)
    spline = np.empty((size, count))
    for row, at in enumerate(np.clip(edges[:-1] + voxel / 2, 0, heights[-1])):
        k = min(int(np.searchsorted(heights, at, side="right")) - 1, count - 2)
        b = (at - heights[k]) / gaps[k]
        a = 1 - b
        spline[row] = (a**3 - a) * gaps[k] ** 2 / 6 * curvature[k] + (b**3 - b) * gaps[k] ** 2 / 6 * curvature[k + 1]
        spline[row, k] += a
        spline[row, k + 1] += b
    gram = slices @ slices.T
    regularised = gram + np.trace(gram) / count * np.eye(count)
    return spline + slices.T @ np.linalg.solve(regularised, np.eye(count) - slices @ spline), slices


def test_a_region_is_that_part_of_the_whole(tmp_path):
    model = a_through_plane_model(tmp_path)
    a_series(tmp_path / "series", DRIFTING)
    volume = read_volume(tmp_path / "series", uneven_slices=True)
    whole = super_resolve(volume, model, FP32).volume
    region = (slice(3, 9), slice(8, 24), slice(0, 16))
    part = super_resolve(volume, model, Settings("cpu", "fp32", region=region)).volume
    # From the edge of slice 3, midway between 2 and 3, to that of slice 9.
    first, last = ((DRIFTING[k - 1 : k + 1].mean() + DRIFTING[-1] / 32) / whole.spacing[0] for k in (3, 9))
    inside = whole.array[round(first) : round(last), 8:24, 0:16]
    np.testing.assert_allclose(part.array.astype(int), inside.astype(int), atol=1)
    np.testing.assert_allclose(part.affine, crop_affine(whole.affine, (round(first), 8, 0)), atol=1e-9)


def test_a_model_for_even_voxels_refuses_them(tmp_path):
    a_series(tmp_path / "series", JITTERED)
    volume = read_volume(tmp_path / "series", uneven_slices=True)
    with pytest.raises(
        GeometryError, match=r"up to [\d.]+ % off the mean, and .* takes even ones; use a model for thick"
    ):
        super_resolve(volume, a_tiny_model(tmp_path), FP32)


def test_the_report_says_it(tmp_path, capsys):
    place = a_series(tmp_path / "series", JITTERED)
    out, report = tmp_path / "out.nii.gz", tmp_path / "report.json"
    model = a_through_plane_file(tmp_path)
    words = ["super-resolve", tmp_path / "series", out, "--model", model, "--device", "cpu", "--report", report]
    assert main([str(word) for word in words]) == 0
    told = json.loads(report.read_text())
    off = 100 * np.abs(np.diff(JITTERED) * 16 / JITTERED[-1] - 1).max()
    assert told["slices"]["unevenness_percent"] == pytest.approx(off, abs=1e-3)
    sentence = f"The slices lie unevenly, their distances up to {off:.2g} % off the mean of {JITTERED[-1] / 16:.4g} mm"
    assert [w["message"] for w in told["warnings"] if w["code"] == "slices-uneven"] == [
        f"{sentence}; each is taken where it lies"
    ]
    assert sentence in capsys.readouterr().err
    words = ["interpolate", tmp_path / "series", tmp_path / "o.nrrd", "--method", "consistent"]
    assert main([str(word) for word in words]) == 0
    assert f"uneven by up to {off:.2g} %" in capsys.readouterr().out
    assert np.linalg.norm(centre_of(read_volume(tmp_path / "o.nrrd")) - place) < 0.05 * 0.8
