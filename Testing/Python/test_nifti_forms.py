"""NIfTI's two orientations: one is used, both are kept, and what a header says wrongly is told."""

import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk
from models import a_tiny_model

from SuperResolution3DLib.errors import GeometryError, InputError, VolumeError
from SuperResolution3DLib.inference.super_resolve import degrade_volume, interpolate_volume, super_resolve
from SuperResolution3DLib.volumes import itk_image
from SuperResolution3DLib.volumes.geometry import crop_affine, sr_affine
from SuperResolution3DLib.volumes.nifti_header import HEADER
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

ROOT = Path(__file__).resolve().parents[2]
SHAPE = (7, 8, 9)  # (K, J, I)


def turned(degrees: float, spacing=(0.8, 1.1, 1.7), start=(-12.5, 7.25, 31)) -> np.ndarray:
    angle = np.deg2rad(degrees)
    affine = np.eye(4)
    affine[:3, :3] = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine[:3, :3] *= spacing
    affine[:3, 3] = start
    return affine


SFORM, QFORM = turned(10), turned(7, start=(-10, 5, 33))


@pytest.fixture
def voxels():
    return np.random.default_rng(0).integers(0, 1000, SHAPE).astype(np.int16)


@pytest.fixture
def two_forms(voxels, tmp_path):
    """A file whose sform (code 2) and qform (code 1) lie apart."""
    return a_file(tmp_path / "two.nii", voxels, SFORM, 2, QFORM, 1)


def a_file(path, voxels, sform, sform_code, qform, qform_code):
    image = nibabel.Nifti1Image(voxels.T, None)
    image.header.set_zooms(np.linalg.norm(np.asarray(qform)[:3, :3], axis=0))
    image.header.set_qform(qform, int(qform_code))
    image.header.set_sform(sform, int(sform_code))
    # nibabel writes the affine of the image over the header's forms where there is one
    with path.open("wb") as file:
        header = image.header.copy()
        header.set_data_dtype(voxels.dtype)
        header["magic"], header["vox_offset"] = b"n+1", 352
        header["scl_slope"], header["scl_inter"] = 1, 0
        header.write_to(file)  # and four bytes that announce no extension
        file.write(voxels.tobytes())
    return path


def forms_of(path):
    """Return (sform, code) and (qform, code) as nibabel reads them."""
    header = nibabel.load(path).header
    return (header.get_sform(), int(header["sform_code"])), (header.get_qform(), int(header["qform_code"]))


def test_the_sform_is_used_and_the_distance_told_in_millimetres(two_forms, caplog):
    volume = read_volume(two_forms)
    np.testing.assert_allclose(volume.affine, nibabel.load(two_forms).affine, atol=1e-6)
    corners = np.array([(i, j, k, 1) for i in (0, 8) for j in (0, 7) for k in (0, 6)]).T
    apart = np.linalg.norm(((SFORM - QFORM) @ corners)[:3], axis=0).max()
    assert f"lie up to {apart:.3g} mm apart at the volume's corners; the sform is used" in caplog.text
    assert volume.warnings and str(volume.warnings[0]) in caplog.text


def test_a_file_that_is_written_again_keeps_both_forms_and_their_codes(two_forms, tmp_path):
    write_volume(read_volume(two_forms), tmp_path / "again.nii.gz")
    for (affine, code), (wanted, wanted_code) in zip(
        forms_of(tmp_path / "again.nii.gz"), forms_of(two_forms), strict=True
    ):
        np.testing.assert_allclose(affine, wanted, atol=1e-5)
        assert code == wanted_code


@pytest.mark.parametrize("scale", [(2, 2, 2), (3, 1, 2)])
def test_both_forms_are_refined_by_the_scale_so_that_every_reader_shows_the_result_on_its_input(
    two_forms, tmp_path, scale
):
    volume = read_volume(two_forms)
    write_volume(interpolate_volume(volume, scale, "center", "trilinear"), tmp_path / "sr.nii")
    for (affine, code), (wanted, wanted_code) in zip(forms_of(tmp_path / "sr.nii"), forms_of(two_forms), strict=True):
        np.testing.assert_allclose(affine, sr_affine(wanted, scale, "center"), atol=1e-5)
        assert code == wanted_code


def test_both_forms_follow_a_degraded_volume_and_its_crop(two_forms, tmp_path):
    lr, cropped = degrade_volume(read_volume(two_forms), (3, 2, 2), "center")
    write_volume(lr, tmp_path / "lr.nii")
    write_volume(cropped, tmp_path / "hr.nii")
    for (lr_form, _), (hr_form, _), (form, _) in zip(
        forms_of(tmp_path / "lr.nii"), forms_of(tmp_path / "hr.nii"), forms_of(two_forms), strict=True
    ):
        np.testing.assert_allclose(sr_affine(lr_form, (3, 2, 2), "center"), hr_form, atol=1e-5)
        start = np.linalg.solve(form, hr_form)[:3, 3]  # (I, J, K)
        np.testing.assert_allclose(crop_affine(form, tuple(np.rint(start[::-1]).astype(int))), hr_form, atol=1e-4)


def test_forms_come_back_from_the_canonical_orientation(two_forms):
    volume = read_volume(two_forms)
    there = volume.canonical()
    back = there.with_array(volume.array, volume.affine)
    np.testing.assert_allclose(back.forms.other, volume.forms.other, atol=1e-9)


def test_forms_that_agree_give_no_warning_and_keep_their_codes(voxels, tmp_path):
    path = a_file(tmp_path / "a.nii", voxels, SFORM, 4, SFORM, 1)
    volume = read_volume(path)
    assert volume.warnings == ()
    write_volume(volume, tmp_path / "again.nii")
    assert [code for _, code in forms_of(tmp_path / "again.nii")] == [4, 1]


def test_one_form_alone_gives_its_code_to_both(voxels, tmp_path):
    path = a_file(tmp_path / "a.nii", voxels, SFORM, 3, QFORM, 0)
    write_volume(read_volume(path), tmp_path / "again.nii")
    (sform, sform_code), (qform, qform_code) = forms_of(tmp_path / "again.nii")
    assert (sform_code, qform_code) == (3, 3)
    np.testing.assert_allclose(sform, SFORM, atol=1e-5)
    np.testing.assert_allclose(qform, SFORM, atol=1e-5)


def test_a_slightly_sheared_sform_alone_is_read_exactly(voxels, tmp_path):
    sheared = SFORM.copy()
    sheared[:3, 1] += 9e-4 * SFORM[:3, 0] * np.linalg.norm(SFORM[:3, 1]) / np.linalg.norm(SFORM[:3, 0])
    path = a_file(tmp_path / "a.nii", voxels, sheared, 1, QFORM, 0)
    np.testing.assert_allclose(read_volume(path).affine, sheared, atol=1e-5)


def sheared(amount: float) -> np.ndarray:
    affine = SFORM.copy()
    affine[:3, 1] += amount * SFORM[:3, 0]
    return affine


@pytest.mark.parametrize(
    ("sform", "reason"),
    [
        (sheared(0.1), "sheared"),
        (np.full((4, 4), np.nan), "not finite"),
        (np.diag([0.0, 0, 0, 1]), "0 x 0 x 0 mm"),
        (turned(10, spacing=(2, 2, 2)), "contradicts itself: its voxel sizes 0.8 x 1.1 x 1.7 mm"),
    ],
)
def test_a_bad_sform_beside_a_good_qform_is_told_and_the_qform_is_used(voxels, tmp_path, caplog, sform, reason):
    path = a_file(tmp_path / "a.nii", voxels, sform, 2, QFORM, 1)
    volume = read_volume(path)
    np.testing.assert_allclose(volume.affine, QFORM, atol=1e-5)
    assert "The sform of a.nii cannot be used, so its qform is: " in caplog.text and reason in caplog.text
    write_volume(volume, tmp_path / "again.nii")
    for affine, code in forms_of(tmp_path / "again.nii"):
        np.testing.assert_allclose(affine, QFORM, atol=1e-5)
        assert code == 1
    path = a_file(tmp_path / "alone.nii", voxels, sform, 2, QFORM, 0)
    with pytest.raises(GeometryError, match=reason):
        read_volume(path)


def test_a_bad_qform_beside_a_good_sform_is_told(voxels, tmp_path, caplog):
    path = a_file(tmp_path / "a.nii", voxels, SFORM, 2, QFORM, 1)
    data = bytearray(path.read_bytes())
    data[256:260] = np.float32("nan").tobytes()  # quatern_b
    path.write_bytes(data)
    np.testing.assert_allclose(read_volume(path).affine, SFORM, atol=1e-5)
    assert "The qform of a.nii cannot be used, so its sform is: " in caplog.text


def with_field(path, name, value):
    """Overwrite a field of a header; fields of several numbers get them all."""
    data = bytearray(path.read_bytes())
    header = np.frombuffer(data, HEADER.newbyteorder("<"), count=1)
    header[name] = value
    path.write_bytes(data)
    return path


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("pixdim", (1, -0.8, 1.1, 1.7, 0, 0, 0, 0), "voxel sizes -0.8 x 1.1 x 1.7 .* must be above 0"),
        ("quatern", (2, 0, 0), "has the length 2, and 1 is the most"),
    ],
)
def test_a_qform_that_cannot_be_meant_is_refused_or_told(voxels, tmp_path, caplog, field, value, reason):
    path = with_field(a_file(tmp_path / "alone.nii", voxels, SFORM, 0, QFORM, 1), field, value)
    with pytest.raises(GeometryError, match=reason):
        read_volume(path)
    path = with_field(a_file(tmp_path / "both.nii", voxels, SFORM, 2, QFORM, 1), field, value)
    np.testing.assert_allclose(read_volume(path).affine, SFORM, atol=1e-5)
    assert "The qform of both.nii cannot be used, so its sform is: " in caplog.text


def test_a_quaternion_that_rounding_made_a_little_too_long_is_read(voxels, tmp_path):
    turn = np.diag([0.8, -1.1, -1.7, 1.0])  # half a turn: b = 1
    path = with_field(a_file(tmp_path / "a.nii", voxels, turn, 0, turn, 1), "quatern", (1.000001, 0, 0))
    np.testing.assert_allclose(read_volume(path).affine[:3, :3], turn[:3, :3], atol=1e-5)


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("slope", [1e36, -3e38])
def test_a_slope_beyond_float32_is_told_as_voxels_that_are_too_large(two_forms, slope):
    with pytest.raises(VolumeError, match=r"voxels .*1e\+30"):
        read_volume(with_field(two_forms, "scl_slope", slope))


@pytest.mark.parametrize("field", ["scl_slope", "scl_inter"])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_scaling_that_is_no_number_is_none(two_forms, voxels, field, value):
    np.testing.assert_array_equal(read_volume(with_field(two_forms, field, value)).array, voxels, strict=True)


def test_bits_that_contradict_the_data_type_are_told(two_forms, voxels, caplog):
    np.testing.assert_array_equal(read_volume(with_field(two_forms, "bitpix", 8)).array, voxels)
    assert "says 8 bits a voxel (bitpix), and its data type has 16, which is used" in caplog.text
    assert len(read_volume(with_field(two_forms, "bitpix", 0)).warnings) == 1  # the two orientations


def test_an_offset_inside_a_byte_is_refused(two_forms):
    with pytest.raises(VolumeError, match=r"begin at byte 353\.5; repair its vox_offset"):
        read_volume(with_field(two_forms, "vox_offset", 353.5))


@pytest.mark.filterwarnings("error")
def test_any_header_gives_a_volume_or_one_sentence(two_forms):
    whole, random = two_forms.read_bytes(), np.random.default_rng(0)
    odd = [np.float32(value).tobytes() for value in (np.nan, np.inf, -np.inf, 3e38, 0, -1)]
    told: list[str] = []
    for _ in range(400):
        data = bytearray(whole)
        for _ in range(random.integers(1, 4)):
            start = int(random.integers(0, 172)) * 2
            data[start : start + 4] = odd[random.integers(len(odd))] if random.random() < 0.7 else random.bytes(4)
        two_forms.write_bytes(data)
        try:
            assert np.isfinite(read_volume(two_forms).affine).all()
        except InputError as error:
            told.append(str(error))
    assert 20 < len(told) < 380
    assert [sentence for sentence in told if "\n" in sentence] == []


def test_without_orientation_a_volume_lies_where_itk_puts_it(voxels, tmp_path):
    path = a_file(tmp_path / "a.nii", voxels, SFORM, 0, QFORM, 0)
    np.testing.assert_allclose(read_volume(path).affine, itk_image.affine_to_ras(sitk.ReadImage(str(path))), atol=1e-6)


def test_an_unknown_unit_of_length_is_told(two_forms, caplog):
    data = bytearray(two_forms.read_bytes())
    data[123] = 5
    two_forms.write_bytes(data)
    read_volume(two_forms)
    assert "names an unknown unit of length (5); mm are assumed" in caplog.text


@pytest.mark.parametrize(("shape", "axes"), [((5, 6), "2 axes"), ((5, 6, 7, 3), "4 axes")])
def test_images_of_other_dimensions_are_refused(tmp_path, shape, axes):
    nibabel.Nifti1Image(np.arange(np.prod(shape), dtype=np.int16).reshape(shape), np.eye(4)).to_filename(
        tmp_path / "a.nii"
    )
    with pytest.raises(VolumeError, match=f"has {axes} .* and a volume has 3"):
        read_volume(tmp_path / "a.nii")


def test_a_name_that_is_no_utf8_is_read_and_told_in_letters_that_any_stream_has(two_forms):
    odd = two_forms.with_name("\udcff.nii")
    two_forms.rename(odd)
    volume = read_volume(odd)
    assert volume.shape == SHAPE
    assert str(volume.warnings[0]).startswith("\\udcff.nii has two orientations")


def test_the_command_line_tells_of_two_orientations_once(two_forms, tmp_path):
    command = [sys.executable, "-m", "SuperResolution3DLib", "interpolate", str(two_forms), str(tmp_path / "sr.nii")]
    run = subprocess.run([*command, "--scale", "2", "--method", "cubic"], cwd=ROOT, capture_output=True, text=True)
    assert run.returncode == 0
    assert run.stderr.count("has two orientations") == 1


def test_the_report_of_a_run_holds_what_was_told_of_the_file(two_forms, tmp_path):
    volume = read_volume(two_forms)
    report = super_resolve(volume, a_tiny_model(tmp_path)).report
    assert [warned for warned in report.warnings if warned.kind == "file"] == list(volume.warnings)


def test_a_volume_from_elsewhere_is_written_with_one_orientation(voxels, tmp_path):
    write_volume(Volume(voxels, SFORM), tmp_path / "a.nii")
    for affine, code in forms_of(tmp_path / "a.nii"):
        np.testing.assert_allclose(affine, SFORM, atol=1e-5)
        assert code == 1
