"""Voxels that float arithmetic cannot hold: refused with their number, and never a result that is not finite."""

import numpy as np
import pytest
from models import a_through_plane_model, a_tiny_model, a_tiny_model_file

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.errors import ExitCode, VolumeError
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import degrade_volume, interpolate_volume, super_resolve
from SuperResolution3DLib.inference.thick_slices import degrade_slices, interpolate_slices
from SuperResolution3DLib.volumes.intensity import IntensityPolicy, check_intensities
from SuperResolution3DLib.volumes.volume import Volume, cast_like, write_volume

FP32 = Settings(device="cpu", precision="fp32")
SCALE = (2, 2, 2)
NO_DATA = 3.4e38
IN_MEMORY = [(NO_DATA, "beyond"), (np.nan, "that are NaN or infinite"), (-np.inf, "that are NaN or infinite")]


def marked(a_phantom, value=NO_DATA, dtype=np.float32, count=3) -> Volume:
    """The phantom with voxels of missing data."""
    array = a_phantom.array.astype(dtype)
    array[1, 2, :count] = value
    return Volume(array, a_phantom.affine)


@pytest.mark.parametrize(
    "command",
    [
        "super-resolve volume.nrrd out.nrrd --device cpu --model tiny.safetensors",
        "degrade volume.nrrd out.nrrd --scale 2",
        "degrade volume.nrrd out.nrrd --slice-spacing 4 --axis K",
        "interpolate volume.nrrd out.nrrd --method zero-fill --scale 2",
        "interpolate volume.nrrd out.nrrd --method cubic --scale 2",
        "interpolate volume.nrrd out.nrrd --method consistent --axis K --target-spacing 0.9",
        "compare --lr volume.nrrd --sr volume.nrrd out.png",
    ],
)
@pytest.mark.parametrize(("value", "dtype"), [(NO_DATA, np.float32), (-1.7e308, np.float64)])
def test_every_command_refuses_marks_of_missing_data_and_counts_them(
    tmp_path, monkeypatch, capsys, a_phantom, command, value, dtype
):
    monkeypatch.chdir(tmp_path)
    a_tiny_model_file(tmp_path)
    write_volume(marked(a_phantom, value, dtype), "volume.nrrd")
    assert main(command.split()) == ExitCode.BAD_INPUT
    (error,) = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert "volume.nrrd has 3 of 2431 voxels beyond 1e+30" in error and "replace them" in error
    assert not list(tmp_path.glob("out.*"))


@pytest.mark.parametrize(
    "compute",
    [
        lambda volume: degrade_volume(volume, SCALE, "center"),
        lambda volume: interpolate_volume(volume, SCALE, "center", "zero-fill"),
        lambda volume: degrade_slices(volume, 4.0, axis="K"),
        lambda volume: interpolate_slices(volume, target_spacing=0.9),
    ],
)
@pytest.mark.parametrize(("value", "told"), IN_MEMORY)
def test_volumes_in_memory_are_refused_like_files(a_phantom, compute, value, told):
    with pytest.raises(VolumeError, match=f"The volume has 3 of 2431 voxels {told}"):
        compute(marked(a_phantom, value))


@pytest.mark.parametrize("make", [a_tiny_model, a_through_plane_model])
@pytest.mark.parametrize(("value", "told"), IN_MEMORY)
def test_a_volume_in_memory_with_such_voxels_is_not_super_resolved(tmp_path, a_phantom, make, value, told):
    with pytest.raises(VolumeError, match=f"The volume has 3 of 2431 voxels {told}"):
        super_resolve(marked(a_phantom, value), make(tmp_path), FP32)


@pytest.mark.parametrize("policy", [IntensityPolicy(), IntensityPolicy("fixed", -1024, 3000)])
def test_voxels_too_far_from_the_range_are_counted(a_phantom, policy):
    array = np.tile(marked(a_phantom, 1e29).array, (2, 2, 2))
    with pytest.raises(VolumeError, match=r"24 of 19448 voxels lie more than 1e\+12 times the intensity range"):
        policy.fit(array)


def test_a_volume_far_from_a_fixed_range_is_refused_where_its_contrast_would_be_lost(a_phantom):
    hu = IntensityPolicy("fixed", -1024, 3000)
    assert hu.fit(a_phantom.array + 60000).offset == -1024
    with pytest.raises(VolumeError, match="too little contrast so far from the range -1024 to 3000"):
        hu.fit(a_phantom.array.astype(np.float64) + 2e9)


def test_a_float64_volume_with_less_contrast_than_float32_has_is_refused(a_phantom):
    array = a_phantom.array.astype(np.float64)
    check_intensities(array * 1e-20)
    check_intensities(array * 1e25)
    with pytest.raises(VolumeError, match=r"differ by .*e-38 at most and 1e-30 is needed; multiply"):
        check_intensities(array * 1e-40)


def test_a_network_without_finite_results_is_told_with_the_number_of_voxels(tmp_path, monkeypatch, a_phantom):
    def run(self, lr, region):
        sr = np.zeros([2 * size for size in lr.shape], np.float32)
        sr[0, 0, :2] = np.nan, 3e38  # the second is finite only until it is mapped back to intensities
        return sr

    monkeypatch.setattr("SuperResolution3DLib.inference.engine.Engine.run", run)
    volume = Volume(a_phantom.array[:9, :8, :7], a_phantom.affine)
    with pytest.raises(VolumeError, match="2 of 4032 voxels of the result are not finite"):
        super_resolve(volume, a_tiny_model(tmp_path), Settings(device="cpu", precision="fp32", data_consistency="off"))


def test_a_float_type_that_cannot_hold_a_voxel_is_an_error():
    with pytest.raises(ValueError, match="no float32 form"):
        cast_like(np.array([[1.0, 1e39]]), np.float32)
