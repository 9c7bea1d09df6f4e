"""The inference path: geometry, orientation, intensity, data type and consistency of the result."""

from dataclasses import replace

import numpy as np
import pytest
from models import a_tiny_model

from SuperResolution3DLib.errors import InputError, ResourceError, VolumeError
from SuperResolution3DLib.forward.kspace import degrade, zero_fill
from SuperResolution3DLib.inference.computation import DataConsistency
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.super_resolve import (
    Settings,
    degrade_volume,
    interpolate_volume,
    result_bytes,
    super_resolve,
)
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.geometry import Orientation, sr_affine
from SuperResolution3DLib.volumes.volume import Volume

FP32 = Settings(device="cpu", precision="fp32")


@pytest.fixture
def a_model(tmp_path):
    return a_tiny_model(tmp_path)


def a_volume(a_phantom, dtype=np.float32) -> Volume:
    return Volume(a_phantom.array[:9, :8, :7].astype(dtype), a_phantom.affine)


def reoriented(volume: Volume, order: tuple[int, int, int], flips: tuple[bool, bool, bool]) -> Volume:
    """The same anatomy in another storage order."""
    orientation = Orientation(order, flips)
    canonical = volume.canonical()
    return Volume(
        np.ascontiguousarray(orientation.from_canonical(canonical.array)),
        orientation.file_affine(canonical.affine, canonical.shape),
    )


@pytest.mark.parametrize("grid", ["center", "corner"])
@pytest.mark.parametrize(
    ("order", "flips"), [((0, 1, 2), (False, True, True)), ((2, 0, 1), (True, False, True)), ((1, 2, 0), (True,) * 3)]
)
def test_the_same_anatomy_in_another_storage_order_gives_the_same_voxels_in_mm(tmp_path, a_phantom, grid, order, flips):
    model = a_tiny_model(tmp_path, (2, 4, 1), grid=grid)
    volume = a_volume(a_phantom)
    wanted = super_resolve(volume, model, FP32).volume.canonical()
    result = super_resolve(reoriented(volume, order, flips), model, FP32).volume
    assert Orientation.of(result.affine) == Orientation(order, flips)
    np.testing.assert_allclose(result.canonical().affine, wanted.affine, atol=1e-9)
    np.testing.assert_allclose(result.canonical().array, wanted.array, rtol=1e-5, atol=1e-3)


def test_the_result_covers_the_same_field_of_view_as_the_input(a_model, a_phantom):
    volume = a_volume(a_phantom)
    result = super_resolve(volume, a_model, FP32).volume
    assert result.shape == (18, 16, 14)
    for corner in ((0, 0, 0), (1, 1, 1), (1, 0, 1)):
        lr_edge = [c * size - 0.5 for c, size in zip(corner, volume.shape[::-1], strict=True)]
        sr_edge = [c * size - 0.5 for c, size in zip(corner, result.shape[::-1], strict=True)]
        np.testing.assert_allclose(result.affine @ [*sr_edge, 1], volume.affine @ [*lr_edge, 1], atol=1e-9)


def test_a_regions_result_lies_where_the_region_lies(a_model, a_phantom):
    volume = a_volume(a_phantom)
    region = (slice(2, 6), slice(0, 5), slice(3, 7))
    whole = super_resolve(volume, a_model, replace(FP32, data_consistency="off")).volume
    part = super_resolve(volume, a_model, replace(FP32, region=region)).volume
    np.testing.assert_allclose(part.array, whole.array[4:12, 0:10, 6:14], rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(part.affine @ [0, 0, 0, 1], whole.affine @ [6, 0, 4, 1], atol=1e-9)


def test_the_zero_filled_volume_comes_on_the_results_grid(a_model, a_phantom):
    volume = a_volume(a_phantom)
    region = (slice(2, 6), slice(0, 5), slice(3, 7))
    result = super_resolve(volume, a_model, replace(FP32, region=region), with_zero_filled=True)
    wanted = interpolate_volume(volume, (2, 2, 2), "center", "zero-fill")
    assert result.zero_filled is not None
    np.testing.assert_allclose(result.zero_filled.affine, result.volume.affine)
    np.testing.assert_allclose(result.zero_filled.array, wanted.array[4:12, 0:10, 6:14], rtol=1e-4, atol=1e-2)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
def test_the_result_has_the_inputs_data_type(a_model, a_phantom, dtype):
    volume = Volume((a_phantom.array[:9, :8, :7] / 4).astype(dtype), a_phantom.affine)
    result = super_resolve(volume, a_model, FP32).volume
    assert result.array.dtype == dtype
    assert result_bytes(volume, a_model.card, FP32) == result.array.nbytes


def test_hounsfield_units_stay_hounsfield_units(tmp_path, a_phantom):
    model = a_tiny_model(tmp_path, intensity={"policy": "fixed", "low": -1024.0, "high": 3000.0})
    volume = Volume((a_phantom.array[:9, :8, :7] - 1000).astype(np.int16), a_phantom.affine, "CT")
    result = super_resolve(volume, model, replace(FP32, data_consistency="project")).volume
    assert result.modality == "CT"
    lr = degrade(result.canonical().array.astype(float), (2, 2, 2), "center")
    np.testing.assert_allclose(lr, volume.canonical().array, atol=2)  # rounding and clipping to int16 come last


def test_the_result_does_not_depend_on_the_intensity_unit(a_model, a_phantom):
    volume = a_volume(a_phantom)
    other = volume.with_array(volume.array * 7 + 300)
    wanted, result = (super_resolve(v, a_model, FP32).volume.array for v in (volume, other))
    np.testing.assert_allclose(result, wanted * 7 + 300, rtol=1e-4, atol=0.2)


def test_a_projected_result_degrades_to_the_input_and_reports_the_residual_before(a_model, a_phantom):
    volume = a_volume(a_phantom, np.float64)
    checked = super_resolve(volume, a_model, FP32)
    projected = super_resolve(volume, a_model, replace(FP32, data_consistency="project"))
    lr = degrade(projected.volume.canonical().array, (2, 2, 2), "center")
    np.testing.assert_allclose(lr, volume.canonical().array, atol=1e-5 * np.ptp(volume.array))
    figure = checked.report.data_consistency.residual_rms_percent
    assert figure > 0.01
    assert projected.report.data_consistency == DataConsistency(
        mode="project", residual_rms_percent=figure, projected=True, model_dependent=False
    )
    difference = degrade(checked.volume.canonical().array, (2, 2, 2), "center") - volume.canonical().array
    width = np.subtract(*np.percentile(volume.array, [99.5, 0.5]))
    assert figure == pytest.approx(100 * np.sqrt((difference**2).mean()) / width, rel=1e-2)


def test_the_consistency_check_can_be_left_out(a_model, a_phantom):
    report = super_resolve(a_volume(a_phantom), a_model, replace(FP32, data_consistency="off")).report
    assert report.data_consistency.residual_rms_percent is None


def test_a_spacing_outside_the_models_range_is_a_warning_with_numbers(tmp_path, a_phantom):
    model = a_tiny_model(tmp_path, spacing_range=(10.0, 20.0))
    report = super_resolve(a_volume(a_phantom), model, FP32).report
    (warned,) = report.warnings
    assert warned.kind == "spacing"
    warning = warned.message
    assert (
        "The voxels of 0.8 x 1.1 x 1.7 mm (left-right, front-back, through-plane) lie outside the 10 to 20 mm"
        in warning
    )
    assert "the result will have 14 x 16 x 18 voxels of 0.4 x 0.55 x 0.85 mm (left-right, front-back, " in warning
    assert report.data_consistency.model_dependent


def test_a_model_that_was_trained_with_the_range_of_the_hr_uses_that_of_the_input_with_a_warning(tmp_path, a_phantom):
    models = [a_tiny_model(tmp_path, intensity_from=source) for source in ("lr", "hr")]
    plain, warned = (super_resolve(a_volume(a_phantom), model, FP32) for model in models)
    np.testing.assert_array_equal(plain.volume.array, warned.volume.array)
    (warning,) = warned.report.warnings
    assert warning.code == "intensity" and plain.report.warnings == ()
    assert "tiny was trained with the intensity range of the HR volume" in warning.message
    assert not warned.report.data_consistency.model_dependent
    fixed = {"policy": "fixed", "low": 0.0, "high": 1.0}  # which needs no volume
    model = a_tiny_model(tmp_path, intensity_from="hr", intensity=fixed)
    assert super_resolve(a_volume(a_phantom), model, FP32).report.warnings == ()


def test_a_volume_of_another_modality_is_a_warning(a_model, a_phantom):
    report = super_resolve(replace(a_volume(a_phantom), modality="CT"), a_model, FP32).report
    assert report.warnings == (Warned("modality", {"modality": "CT", "model": "tiny", "trained": "MR"}),)
    assert report.data_consistency.model_dependent


@pytest.mark.parametrize("said", [{"slice_thickness": 3.0}, {"target_spacing": 0.5}, {"slice_axis": "K"}])
def test_what_is_said_of_slices_to_a_model_for_whole_volumes_is_a_warning(a_model, a_phantom, said):
    told = []
    monitor = Monitor()
    monitor.warn = told.append
    report = super_resolve(a_volume(a_phantom), a_model, replace(FP32, **said), monitor).report
    assert report.warnings == (Warned("slices-unused", {"model": "tiny"}),) == tuple(told)


def test_the_consistency_of_ct_is_model_dependent_even_with_a_model_for_it(tmp_path, a_phantom):
    report = super_resolve(
        replace(a_volume(a_phantom), modality="CT"), a_tiny_model(tmp_path, modality="CT"), FP32
    ).report
    assert report.warnings == ()
    assert report.data_consistency.model_dependent


def test_a_model_blended_of_two_modalities_fits_both(tmp_path, a_phantom):
    model = a_tiny_model(tmp_path, modality="MR T1w, PT")
    for modality, warnings in (("MR", 0), ("PT", 0), ("CT", 1)):
        report = super_resolve(replace(a_volume(a_phantom), modality=modality), model, FP32).report
        assert len(report.warnings) == warnings


def test_a_result_that_main_memory_cannot_hold_is_refused_with_both_numbers(a_model, a_phantom, monkeypatch):
    monkeypatch.setattr("SuperResolution3DLib.inference.result_memory.free_memory", lambda: 40_000)
    volume = a_volume(a_phantom, np.int16)  # 4032 SR voxels: 6 bytes each, 8 with the zero-filled volume
    super_resolve(volume, a_model, FP32)
    with pytest.raises(ResourceError, match=r"takes 0\.00 GiB of main memory and may use 0\.00 GiB"):
        super_resolve(volume, a_model, FP32, with_zero_filled=True)


def test_an_interpolation_that_main_memory_cannot_hold_is_refused_with_both_numbers(a_phantom, monkeypatch):
    monkeypatch.setattr("SuperResolution3DLib.inference.super_resolve.free_memory", lambda: 10**6)
    volume = a_volume(a_phantom, np.int16)
    assert interpolate_volume(volume, (2, 2, 2), "center", "cubic").shape == tuple(2 * n for n in volume.shape)
    with pytest.raises(ResourceError, match=r"takes .* of main memory and may use .*: choose a smaller --scale"):
        interpolate_volume(volume, (16, 16, 16), "center", "cubic")


def test_the_report_names_model_device_and_grid(a_model, a_phantom):
    report = super_resolve(a_volume(a_phantom), a_model, FP32).report
    assert report.model == "tiny"
    assert report.model_sha256 == a_model.sha256
    assert (report.device, report.precision, report.trunk_saw_whole_volume) == ("CPU", "fp32", True)
    assert report.output_shape == (18, 16, 14)


def test_what_cannot_be_super_resolved_is_refused(a_model, a_phantom):
    thin = Volume(a_phantom.array[:3], a_phantom.affine)
    with pytest.raises(VolumeError, match=r"too small: the network needs 4 voxels"):
        super_resolve(thin, a_model, FP32)
    constant = Volume(np.full((6, 6, 6), 5.0), a_phantom.affine)
    with pytest.raises(VolumeError, match="constant"):
        super_resolve(constant, a_model, FP32)
    with pytest.raises(InputError, match=r"Region 0:4,2:9,0:3 does not lie in the volume of 9 x 8 x 7 voxels"):
        super_resolve(a_volume(a_phantom), a_model, replace(FP32, region=(slice(0, 4), slice(2, 9), slice(0, 3))))
    with pytest.raises(InputError, match="only be projected on the whole volume"):
        Settings(region=(slice(0, 4), slice(2, 8), slice(0, 3)), data_consistency="project")
    with pytest.raises(InputError, match="Data consistency is one of off, check, project"):
        Settings(data_consistency="always")


@pytest.mark.parametrize("grid", ["center", "corner"])
def test_degrading_and_zero_filling_a_volume_come_back_to_the_same_place(a_phantom, grid):
    hr = Volume(a_phantom.array.astype(np.float64), a_phantom.affine)
    lr, cropped = degrade_volume(hr, (4, 2, 3), grid)
    assert lr.shape == (3, 8, 3)
    assert cropped.shape == (12, 16, 9)
    back = interpolate_volume(lr, (4, 2, 3), grid, "zero-fill")
    np.testing.assert_allclose(back.affine, cropped.affine, atol=1e-9)
    again, _ = degrade_volume(back, (4, 2, 3), grid)
    np.testing.assert_allclose(again.array, lr.array, rtol=1e-5, atol=1e-3)
    np.testing.assert_allclose(again.affine, lr.affine, atol=1e-9)


@pytest.mark.parametrize("grid", ["center", "corner"])
def test_degrading_does_not_depend_on_the_storage_order(a_phantom, grid):
    hr = Volume(a_phantom.array.astype(np.float64), a_phantom.affine)
    orientation = Orientation.of(hr.affine)
    other = reoriented(hr, (2, 0, 1), (True, False, True))
    canonical_scale = (4, 2, 3)
    lr, _ = degrade_volume(hr, orientation.scale_to_file(canonical_scale), grid)
    other_scale = Orientation((2, 0, 1), (True, False, True)).scale_to_file(canonical_scale)
    other_lr, _ = degrade_volume(other, other_scale, grid)
    np.testing.assert_allclose(other_lr.canonical().array, lr.canonical().array, atol=1e-9)
    np.testing.assert_allclose(other_lr.canonical().affine, lr.canonical().affine, atol=1e-9)


@pytest.mark.parametrize("grid", ["center", "corner"])
@pytest.mark.parametrize("method", ["zero-fill", "cubic", "trilinear"])
def test_a_blob_stays_in_its_place(a_phantom, grid, method):
    k, j, i = np.mgrid[:24, :24, :24]
    blob = np.exp(-((k - 11.2) ** 2 + (j - 12.4) ** 2 + (i - 10.1) ** 2) / 18)
    lr = Volume(blob, a_phantom.affine)
    sr = interpolate_volume(lr, (2, 4, 1), grid, method)

    def centre_of_mass(volume: Volume) -> np.ndarray:
        index = np.indices(volume.shape).reshape(3, -1)[::-1]
        weights = volume.array.ravel() / volume.array.sum()
        return (volume.affine @ [*(index @ weights), 1])[:3]

    np.testing.assert_allclose(centre_of_mass(sr), centre_of_mass(lr), atol=0.05)


def test_a_volume_too_small_to_degrade_is_refused(a_phantom):
    with pytest.raises(VolumeError, match="too small to degrade"):
        degrade_volume(Volume(a_phantom.array[:7], a_phantom.affine), (4, 1, 1), "center")


def test_interpolations_agree_on_a_smooth_volume():
    wave = np.cos(np.indices((16, 16, 16)).sum(axis=0) * 2 * np.pi * 2 / 16)
    lr = Volume(wave, np.eye(4))
    sinc, cubic = (interpolate_volume(lr, (2, 2, 2), "center", method).array for method in ("zero-fill", "cubic"))
    inside = (slice(12, 20),) * 3
    np.testing.assert_allclose(cubic[inside], sinc[inside], atol=0.02)
    np.testing.assert_allclose(sr_affine(np.eye(4), (2, 2, 2), "center")[0, 3], -0.25)


def test_zero_filling_a_volume_equals_kspace(a_phantom):
    lr = Volume(a_phantom.array.astype(np.float64), a_phantom.affine)
    wanted = zero_fill(lr.canonical().array, (2, 2, 2), "center")
    result = interpolate_volume(lr, (2, 2, 2), "center", "zero-fill").canonical().array
    np.testing.assert_allclose(result, wanted, rtol=1e-6, atol=1e-3)
