"""A small contrast on a large offset: every computation gives what it gives without the offset, plus the offset."""

from dataclasses import replace

import nibabel
import numpy as np
import pytest
from models import a_tiny_model

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.errors import ExitCode, OutputError
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import degrade_volume, interpolate_volume, super_resolve
from SuperResolution3DLib.inference.thick_slices import degrade_slices, interpolate_slices
from SuperResolution3DLib.volumes.intensity import large_offset, without_offset
from SuperResolution3DLib.volumes.volume import Volume, cast_like, read_volume, write_volume

FP32 = Settings(device="cpu", precision="fp32")
SCALE = (2, 2, 2)
ON_OFFSETS = [
    (np.int32, 2_000_000_000),
    (np.int32, -2_000_000_000),
    (np.uint32, 4_000_000_000),
    (np.int64, 2**53 + 1),
    (np.int64, -(2**62) - 1),
    (np.uint64, 2**63 + 12_345),
    (np.float64, 1e9),
    (np.float64, -1e9),
    (np.float32, 4_000_000.0),
    (np.float64, 2.0**40),
    (np.int32, 300_000),
]


@pytest.fixture
def a_contrast(a_phantom) -> np.ndarray:
    """Whole numbers from 0 to about 850, (9, 8, 7)."""
    return np.rint(a_phantom.array[:9, :8, :7]).astype(np.int64)


def on_offset(contrast, affine, dtype, offset) -> Volume:
    array = contrast.astype(dtype)
    array += np.dtype(dtype).type(offset)
    return Volume(array, affine)


def less(volume: Volume, offset) -> np.ndarray:
    """The voxels less the offset, in exact arithmetic."""
    flat = [float(value - offset) for value in volume.array.ravel().tolist()]
    return np.array(flat).reshape(volume.shape)


COMPUTATIONS = {
    "degrade": lambda volume, model: degrade_volume(volume, SCALE, "center")[0],
    "zero-fill": lambda volume, model: interpolate_volume(volume, SCALE, "corner", "zero-fill"),
    "cubic": lambda volume, model: interpolate_volume(volume, SCALE, "center", "cubic"),
    "trilinear": lambda volume, model: interpolate_volume(volume, SCALE, "center", "trilinear"),
    "slices": lambda volume, model: degrade_slices(volume, 3.6, axis="K")[0],
    "consistent": lambda volume, model: interpolate_slices(volume, target_spacing=0.9)[0],
    "super-resolve": lambda volume, model: super_resolve(volume, model, FP32).volume,
    "project": lambda volume, model: super_resolve(volume, model, replace(FP32, data_consistency="project")).volume,
    "zero-filled": lambda volume, model: super_resolve(volume, model, FP32, with_zero_filled=True).zero_filled,
}


@pytest.mark.parametrize("name", COMPUTATIONS)
@pytest.mark.parametrize(("dtype", "offset"), ON_OFFSETS)
def test_a_contrast_is_computed_as_if_it_stood_on_nothing(tmp_path, a_phantom, a_contrast, dtype, offset, name):
    model = a_tiny_model(tmp_path)
    plain = on_offset(a_contrast, a_phantom.affine, np.float64, 0)
    wanted = COMPUTATIONS[name](plain, model).array
    result = COMPUTATIONS[name](on_offset(a_contrast, a_phantom.affine, dtype, offset), model)
    assert result.array.dtype == dtype
    if np.dtype(dtype).kind == "f":
        np.testing.assert_allclose(less(result, offset), wanted, atol=0.26 if dtype is np.float32 else 1e-3)
        return
    bounds = np.iinfo(dtype)
    wanted = np.clip(wanted, float(bounds.min - offset), float(bounds.max - offset))
    np.testing.assert_allclose(less(result, offset), wanted, atol=0.501)  # rounded to whole numbers


def test_outliers_do_not_hide_an_offset(tmp_path, a_phantom, a_contrast):
    model = a_tiny_model(tmp_path)
    plain = on_offset(np.tile(a_contrast, (2, 2, 2)), a_phantom.affine, np.float64, 0)
    volume = on_offset(np.tile(a_contrast, (2, 2, 2)), a_phantom.affine, np.int32, 2_000_000_000)
    volume.array[0, 0, 0] = 0
    assert large_offset(volume.array) > 1_999_999_999
    wanted = interpolate_volume(plain, SCALE, "center", "trilinear").array
    result = interpolate_volume(volume, SCALE, "center", "trilinear")
    np.testing.assert_allclose(less(result, 2_000_000_000)[4:], wanted[4:], atol=0.501)
    assert np.ptp(super_resolve(volume, model, FP32).volume.array[16:].astype(float)) > 100


def test_integers_on_an_offset_are_clipped_at_the_ends_of_their_type(a_phantom):
    high, low = np.iinfo(np.int64).max, np.iinfo(np.int64).min
    np.testing.assert_array_equal(
        cast_like(np.array([[-1.4, 4.6, 6.0, 1e30]]), np.int64, high - 5), [[high - 6, high, high, high]]
    )
    np.testing.assert_array_equal(cast_like(np.array([[-1e30, -6.0, 2.5]]), np.int64, low + 5), [[low, low, low + 7]])
    np.testing.assert_array_equal(cast_like(np.array([[-5.0, 9.0]], np.float32), np.uint32, 3), [[0, 12]])


@pytest.mark.parametrize("dtype", [np.int64, np.uint64])
def test_distances_from_an_offset_are_exact_beyond_the_type(dtype):
    bounds = np.iinfo(dtype)
    array = np.array([[[bounds.min, bounds.max, bounds.max - 3]]], dtype)
    np.testing.assert_array_equal(
        without_offset(array, bounds.max - 1), [[[float(bounds.min - bounds.max + 1), 1.0, -2.0]]]
    )


@pytest.mark.parametrize(
    "array",
    [
        np.arange(65500, 65525, dtype=np.uint16),  # float32 holds 16 bits
        np.arange(-1024, 3000, dtype=np.int32),
        np.linspace(0, 1e-6, 125, dtype=np.float64),
        np.linspace(1e5, 1.1e5, 125, dtype=np.float32),
        np.full(125, 5e8, np.float64),
    ],
)
def test_ordinary_volumes_have_no_large_offset_and_are_not_copied(array):
    volume = np.resize(array, (5, 5, 5))
    assert large_offset(volume) == 0
    assert without_offset(volume, 0) is volume


def test_a_volume_of_mostly_air_has_the_contrast_of_what_is_in_it():
    volume = np.full((20, 20, 20), -1000.0)
    volume[5, 5, :5] = 300
    assert large_offset(volume) == 0


def test_compare_scores_and_draws_volumes_on_an_offset_less_the_offset(tmp_path, monkeypatch, capsys, a_phantom):
    monkeypatch.chdir(tmp_path)
    contrast = np.tile(np.rint(a_phantom.array).astype(np.int64), (2, 1, 2))[:24, :16, :22]
    scores = []
    for offset in (0, 2**60 + 1):
        hr = on_offset(contrast - 500, a_phantom.affine, np.int64, offset)
        lr, cropped = degrade_volume(hr, SCALE, "center")
        sr = interpolate_volume(lr, SCALE, "center", "cubic")
        for name, volume in (("lr", lr), ("sr", sr), ("hr", cropped)):
            write_volume(volume, f"{name}.nrrd", overwrite=True)
        assert main(f"compare --lr lr.nrrd --sr sr.nrrd --hr hr.nrrd {offset}.png".split()) == 0
        lines = capsys.readouterr().out.splitlines()
        scores.append([line.split()[-2:] for line in lines if line.startswith(("zero-filled", "SR  "))])
        assert any("compared less" in line for line in lines) == (offset > 0)
    assert len(scores[0]) == 2
    np.testing.assert_allclose(np.array(scores[1], float), np.array(scores[0], float), atol=0.02)


def test_a_nifti_whose_header_adds_a_large_offset_is_read_with_its_contrast(tmp_path, a_phantom, a_contrast):
    image = nibabel.Nifti1Image(a_contrast.T.astype(np.int16), a_phantom.affine)
    image.header.set_slope_inter(1, 2e9)
    image.to_filename(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert volume.array.dtype == np.float64
    np.testing.assert_array_equal(less(volume, 2_000_000_000), a_contrast)


def test_an_mgz_is_refused_before_the_run_where_it_would_lose_the_contrast(
    tmp_path, monkeypatch, capsys, a_phantom, a_contrast
):
    monkeypatch.chdir(tmp_path)
    volume = on_offset(a_contrast, a_phantom.affine, np.float64, 1e9)
    write_volume(volume, "in.nrrd")
    monkeypatch.setattr("SuperResolution3DLib.inference.super_resolve.degrade_volume", None)  # the run is not begun
    assert main(["degrade", "in.nrrd", "out.mgz", "--scale", "2"]) == ExitCode.BAD_INPUT
    assert "contrast of float64 voxels around 10000" in capsys.readouterr().err
    with pytest.raises(OutputError, match="is lost; write"):
        write_volume(volume, tmp_path / "out.mgz")
    assert [path.name for path in tmp_path.iterdir()] == ["in.nrrd"]
