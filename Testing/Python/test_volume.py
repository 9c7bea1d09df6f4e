"""Volume files: what is written is what is read, and what cannot be used is refused in one sentence."""

import builtins
import gzip
import logging
import os
import re
import shutil

import nibabel
import numpy as np
import pytest
import SimpleITK as sitk

from SuperResolution3DLib.errors import GeometryError, OutputError, VolumeError
from SuperResolution3DLib.volumes import nifti_header
from SuperResolution3DLib.volumes.volume import Volume, cast_like, check_writable, read_volume, write_volume

EXTENSIONS = [".nii", ".nii.gz", ".nrrd", ".mha", ".mgz", ".mgh"]
DTYPES = ["uint8", "int16", "uint16", "int32", "float32", "float64"]
NIFTI_DIM, NIFTI_DATATYPE, NIFTI_PIXDIM, NIFTI_SLOPE, NIFTI_UNITS = 40, 70, 76, 112, 123
NIFTI_QFORM_CODE, NIFTI_SFORM_CODE, NIFTI_SROW = 252, 254, 280


@pytest.fixture
def a_volume(a_phantom):
    return Volume(a_phantom.array.round().astype(np.int16), a_phantom.affine)


@pytest.fixture
def a_left_handed_volume(a_volume):
    return a_volume.with_array(a_volume.array, a_volume.affine @ np.diag([-1, 1, 1, 1]))


@pytest.fixture
def a_nifti(a_volume, tmp_path):
    write_volume(a_volume, tmp_path / "a.nii")
    return tmp_path / "a.nii"


def patch(path, offset, values, dtype):
    """Overwrite a field in the header of an uncompressed file."""
    data = bytearray(path.read_bytes())
    new = np.asarray(values, dtype).tobytes()
    data[offset : offset + len(new)] = new
    path.write_bytes(data)


def refusal(error_class, path, **kwargs):
    """Return the sentence with which reading is refused."""
    with pytest.raises(error_class) as caught:
        read_volume(path, **kwargs)
    assert ". " not in str(caught.value), "one sentence"
    return str(caught.value)


def same_place(affine, expected, extension):
    """Compare affines to what a format can hold."""
    tolerance = {".nrrd": 1e-14, ".mha": 1e-14}.get(extension, 1e-6)
    np.testing.assert_allclose(affine, expected, rtol=0, atol=tolerance * np.abs(expected).max())


# Round trips


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_voxels_type_and_place_survive_a_round_trip(a_volume, tmp_path, extension, dtype):
    volume = a_volume.with_array(cast_like(a_volume.array, dtype))
    path = tmp_path / f"volume{extension}"
    write_volume(volume, path)
    again = read_volume(path)
    stored = {"uint16": "int32", "float64": "float32"} if extension.startswith(".mg") else {}
    assert again.array.dtype == stored.get(dtype, dtype)
    np.testing.assert_array_equal(again.array, volume.array)
    same_place(again.affine, volume.affine, extension)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_left_handed_volume_stays_left_handed(a_left_handed_volume, tmp_path, extension):
    write_volume(a_left_handed_volume, tmp_path / f"volume{extension}")
    again = read_volume(tmp_path / f"volume{extension}")
    same_place(again.affine, a_left_handed_volume.affine, extension)
    assert np.linalg.det(again.affine) < 0


@pytest.mark.parametrize("extension", [".nii", ".nii.gz", ".mgz"])
def test_nibabel_reads_the_same_voxels_and_affine(a_left_handed_volume, tmp_path, extension):
    path = tmp_path / f"volume{extension}"
    write_volume(a_left_handed_volume, path)
    image = nibabel.load(path)
    np.testing.assert_array_equal(np.asarray(image.dataobj).T, a_left_handed_volume.array)
    same_place(image.affine, a_left_handed_volume.affine, extension)
    np.testing.assert_array_equal(read_volume(path).affine, image.affine)


def test_the_sform_holds_the_affine_rounded_to_float32_even_when_slightly_sheared(a_volume, tmp_path):
    affine = a_volume.affine.copy()
    affine[:3, 1] += 1e-4 * affine[:3, 0]
    write_volume(a_volume.with_array(a_volume.array, affine), tmp_path / "a.nii")
    np.testing.assert_array_equal(nibabel.load(tmp_path / "a.nii").get_sform(), affine.astype(np.float32))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii").affine, affine.astype(np.float32))


def test_the_qform_is_the_nearest_rotation(a_left_handed_volume, tmp_path):
    write_volume(a_left_handed_volume, tmp_path / "a.nii")
    same_place(nibabel.load(tmp_path / "a.nii").get_qform(), a_left_handed_volume.affine, ".nii")


@pytest.mark.parametrize("angles", [(180, 0, 0), (0, 180, 0), (0, 0, 180), (179.9, 3, 90), (-90, 45, 120), (0, 0, 0)])
def test_a_qform_alone_is_read_as_nibabel_reads_it(a_volume, tmp_path, angles):
    turn = np.eye(3)
    for axis, angle in enumerate(np.deg2rad(angles)):
        one = np.eye(3)
        first, second = [other for other in range(3) if other != axis]
        one[[first, second, first, second], [first, second, second, first]] = (
            np.cos(angle), np.cos(angle), -np.sin(angle), np.sin(angle),
        )  # fmt: skip
        turn = turn @ one
    affine = np.eye(4)
    affine[:3, :3] = turn * (0.8, 1.1, 1.7)
    affine[:3, 3] = (-12.5, 7.25, 31)
    write_volume(a_volume.with_array(a_volume.array, affine), tmp_path / "a.nii")
    patch(tmp_path / "a.nii", NIFTI_SFORM_CODE, 0, "<i2")
    again = read_volume(tmp_path / "a.nii").affine
    np.testing.assert_allclose(again, affine, atol=1e-5)  # three float32 numbers hold a half turn less well
    np.testing.assert_allclose(again, nibabel.load(tmp_path / "a.nii").affine, atol=2e-7)


@pytest.mark.parametrize("extension", [".nhdr", ".mhd"])
@pytest.mark.parametrize("compressed", [False, True])
def test_a_header_with_its_data_in_another_file_is_read(a_volume, tmp_path, extension, compressed):
    image = sitk.GetImageFromArray(a_volume.array)
    image.SetSpacing((0.8, 1.1, 1.7))
    sitk.WriteImage(image, str(tmp_path / f"a{extension}"), compressed)
    again = read_volume(tmp_path / f"a{extension}")
    np.testing.assert_array_equal(again.array, a_volume.array)
    np.testing.assert_allclose(again.affine, np.diag([-0.8, -1.1, 1.7, 1]), atol=1e-15)


@pytest.mark.parametrize("extension", [".nii", ".nrrd", ".mha", ".mgz"])
def test_the_same_anatomy_stored_in_any_order_gives_the_same_canonical_volume(a_volume, tmp_path, extension):
    for axcodes in ("RAS", "LPS", "PIR"):
        change = nibabel.orientations.ornt_transform(
            nibabel.orientations.io_orientation(a_volume.affine), nibabel.orientations.axcodes2ornt(axcodes)
        )
        turned = nibabel.Nifti1Image(a_volume.array.T, a_volume.affine).as_reoriented(change)
        write_volume(Volume(np.asarray(turned.dataobj).T, turned.affine), tmp_path / f"{axcodes}{extension}")
        volume = read_volume(tmp_path / f"{axcodes}{extension}")
        assert "".join(nibabel.aff2axcodes(volume.affine)) == axcodes
        np.testing.assert_array_equal(volume.canonical().array, a_volume.array)
        np.testing.assert_allclose(volume.canonical().affine, a_volume.affine, atol=1e-5)
        assert volume.canonical().spacing == pytest.approx((1.7, 1.1, 0.8), abs=1e-6)


def test_a_view_with_axes_that_run_back_is_written_as_it_looks(a_volume, tmp_path):
    turned = a_volume.with_array(a_volume.array[::-1, :, ::-1].astype(">i2"))
    for extension in EXTENSIONS:
        write_volume(turned, tmp_path / f"a{extension}")
        np.testing.assert_array_equal(read_volume(tmp_path / f"a{extension}").array, a_volume.array[::-1, :, ::-1])


def test_a_big_endian_nifti_is_read_to_native_voxels(a_volume, tmp_path):
    header = nibabel.Nifti1Header(endianness=">")
    header.set_data_dtype(np.int16)
    image = nibabel.Nifti1Image(a_volume.array.T, a_volume.affine, header)
    image.to_filename(tmp_path / "a.nii")
    volume = read_volume(tmp_path / "a.nii")
    assert volume.array.dtype == np.dtype("=i2")
    np.testing.assert_array_equal(volume.array, a_volume.array)
    same_place(volume.affine, a_volume.affine, ".nii")


def test_a_nifti_with_a_slope_is_read_in_its_true_units_as_float(a_nifti, a_volume):
    patch(a_nifti, NIFTI_SLOPE, (0.5, -1024), "<f4")
    volume = read_volume(a_nifti)
    assert volume.array.dtype == np.float32
    np.testing.assert_allclose(volume.array, a_volume.array * 0.5 - 1024)


def test_a_nifti_in_metres_is_read_in_millimetres(a_nifti, a_volume):
    patch(a_nifti, NIFTI_UNITS, 1, "u1")
    np.testing.assert_allclose(read_volume(a_nifti).affine[:3], a_volume.affine[:3] * 1000, rtol=1e-6)


def test_a_fourth_axis_of_length_one_is_dropped(a_volume, tmp_path):
    nibabel.Nifti1Image(a_volume.array.T[..., None], a_volume.affine).to_filename(tmp_path / "a.nii.gz")
    volume = read_volume(tmp_path / "a.nii.gz")
    np.testing.assert_array_equal(volume.array, a_volume.array)
    same_place(volume.affine, a_volume.affine, ".nii")
    sitk.WriteImage(sitk.GetImageFromArray(a_volume.array[None], isVector=False), str(tmp_path / "a.nrrd"))
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nrrd").array, a_volume.array)


def test_a_nifti_without_orientation_is_read_with_a_warning(a_nifti, a_volume, caplog):
    patch(a_nifti, NIFTI_QFORM_CODE, (0, 0), "<i2")
    with caplog.at_level(logging.WARNING):
        volume = read_volume(a_nifti)
    assert volume.spacing == pytest.approx(a_volume.spacing, rel=1e-6)
    assert "says no orientation" in caplog.text


def test_real_volumes_have_the_affine_that_nibabel_reads(shared_data):
    for path in sorted((shared_data / "validation").glob("*.nii.gz"))[:2]:
        volume, image = read_volume(path), nibabel.load(path)
        np.testing.assert_array_equal(volume.affine, image.affine)
        np.testing.assert_array_equal(volume.array, np.asarray(image.dataobj).T)


def test_a_volume_of_another_number_of_axes_is_a_programming_error():
    with pytest.raises(ValueError, match=r"\(2, 3\) and \(4, 4\)"):
        Volume(np.zeros((2, 3)), np.eye(4))


# Bad input


def test_a_path_without_a_file_is_refused(tmp_path):
    assert "There is no file or folder" in refusal(VolumeError, tmp_path / "absent.nii.gz")


def test_series_are_for_folders(a_nifti):
    assert "--series" in refusal(VolumeError, a_nifti, series="1.2.3")


@pytest.mark.parametrize("extension", [*EXTENSIONS, ".nhdr", ".mhd", ".txt", ".png", ""])
@pytest.mark.parametrize("content", [b"", b"This is not an image\n" * 50])
def test_a_file_that_is_no_image_is_refused(tmp_path, capfd, extension, content):
    path = tmp_path / f"a{extension}"
    path.write_bytes(content)
    message = refusal(VolumeError, path)
    assert str(path) in message
    assert any(words in message for words in ("cannot be read as", "is not a"))
    assert capfd.readouterr().err == ""


def test_nifti_2_is_refused_by_name(a_volume, tmp_path):
    nibabel.Nifti2Image(a_volume.array.T, a_volume.affine).to_filename(tmp_path / "a.nii")
    assert "NIfTI-2" in refusal(VolumeError, tmp_path / "a.nii")


@pytest.mark.parametrize(
    ("name", "keep"),
    [
        (name, keep)
        for name in ["a.nii", "a.nii.gz", "a.mgz", "a.mgh", "a.nrrd", "a.mha", "c.nrrd", "c.mha"]
        for keep in [5, 100, -9, 0.3, 0.9]
        if (name, keep) != ("a.mgh", -9)  # only what follows the voxels is missing
    ],
)
def test_a_truncated_file_is_refused(a_volume, tmp_path, capfd, name, keep):
    path = tmp_path / name
    if name.startswith("c"):
        sitk.WriteImage(sitk.GetImageFromArray(a_volume.array), str(path), True)
    else:
        write_volume(a_volume, path)
    data = path.read_bytes()
    path.write_bytes(data[: int(keep * len(data)) if isinstance(keep, float) else keep])
    message = refusal(VolumeError, path)
    assert str(path) in message
    if keep == 0.9 and not name.endswith(".mgh"):
        assert "is cut short" in message
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("name", ["a.nii.gz", "a.mgz", "a.nrrd", "a.mha"])
def test_compressed_data_with_a_flipped_bit_is_refused(a_volume, tmp_path, name):
    path = tmp_path / name
    if name in ("a.nrrd", "a.mha"):
        sitk.WriteImage(sitk.GetImageFromArray(a_volume.array), str(path), True)
    else:
        write_volume(a_volume, path)
    data = bytearray(path.read_bytes())
    data[-len(data) // 4] ^= 0x10
    path.write_bytes(data)
    assert "is damaged after" in refusal(VolumeError, path)


def test_a_gzip_file_of_several_members_is_whole(a_nifti, a_volume, tmp_path):
    data = a_nifti.read_bytes()
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(data[:1000]) + gzip.compress(data[1000:]) + b"\0" * 20)
    np.testing.assert_array_equal(read_volume(tmp_path / "a.nii.gz").array, a_volume.array)


def test_a_missing_data_file_is_named(a_volume, tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(a_volume.array), str(tmp_path / "a.mhd"))
    (tmp_path / "a.raw").unlink()
    assert "a.raw which is not there" in refusal(VolumeError, tmp_path / "a.mhd")


@pytest.mark.parametrize(
    ("extension", "shape", "told"),
    [
        (".nii.gz", (5, 7, 9, 2), "5 x 7 x 9 x 2"),
        (".mgz", (5, 7, 9, 2), "5 x 7 x 9 x 2"),
        (".nii.gz", (5, 7, 9, 1, 3), "5 x 7 x 9 x 1 x 3"),  # MGH has four axes
    ],
)
def test_a_volume_with_more_axes_is_refused(tmp_path, extension, shape, told):
    image_class = nibabel.Nifti1Image if extension == ".nii.gz" else nibabel.MGHImage
    image_class(np.ones(shape, np.float32), np.eye(4)).to_filename(tmp_path / f"a{extension}")
    assert f"{len(shape)} axes ({told})" in refusal(VolumeError, tmp_path / f"a{extension}")


@pytest.mark.parametrize("extension", [".nii.gz", ".nrrd", ".mha"])
def test_an_image_of_two_axes_is_refused(a_volume, tmp_path, extension):
    sitk.WriteImage(sitk.GetImageFromArray(a_volume.array[0]), str(tmp_path / f"a{extension}"))
    assert "2 axes (11 x 17)" in refusal(VolumeError, tmp_path / f"a{extension}")


@pytest.mark.parametrize("extension", [".nii.gz", ".nrrd", ".mha"])
def test_colour_images_are_refused(a_volume, tmp_path, extension):
    colour = np.stack([a_volume.array.astype(np.uint8)] * 3, axis=-1)
    sitk.WriteImage(sitk.GetImageFromArray(colour, isVector=True), str(tmp_path / f"a{extension}"))
    assert "holds 3 component(s) a voxel" in refusal(VolumeError, tmp_path / f"a{extension}")


def test_rgb_voxels_are_refused(a_volume, tmp_path):
    colour = np.zeros(a_volume.shape, dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])
    nibabel.Nifti1Image(colour.T, a_volume.affine).to_filename(tmp_path / "a.nii.gz")
    assert "holds RGB voxels (type 128)" in refusal(VolumeError, tmp_path / "a.nii.gz")


def test_complex_voxels_are_refused(a_volume, tmp_path):
    sitk.WriteImage(sitk.GetImageFromArray(a_volume.array.astype(np.complex64)), str(tmp_path / "a.nii"))
    assert "complex" in refusal(VolumeError, tmp_path / "a.nii")


@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_single_slice_is_refused(a_volume, tmp_path, extension):
    write_volume(a_volume.with_array(a_volume.array[:1]), tmp_path / f"a{extension}")
    assert "has 11 x 17 x 1 voxels (left-right, " in refusal(VolumeError, tmp_path / f"a{extension}")


@pytest.mark.parametrize("extension", EXTENSIONS)
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_voxels_that_are_not_finite_are_counted_and_refused(a_phantom, tmp_path, extension, value):
    array = a_phantom.array.copy()
    array[3, 4, 5:7] = value
    write_volume(Volume(array, a_phantom.affine), tmp_path / f"a{extension}")
    assert "2 of 2431 voxels that are NaN or infinite" in refusal(VolumeError, tmp_path / f"a{extension}")


def test_a_constant_volume_is_refused(a_volume, tmp_path):
    write_volume(a_volume.with_array(np.full_like(a_volume.array, 7)), tmp_path / "a.nii.gz")
    assert "are 7;" in refusal(VolumeError, tmp_path / "a.nii.gz")


def sheared(affine, amount):
    rows = affine[:3].copy()
    rows[:, 1] += amount * rows[:, 0]
    return rows


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        (np.zeros((3, 4)), "0 x 0 x 0 mm"),
        (np.full((3, 4), np.nan), "not finite"),
        ([[1, 1, 0, 0], [0, 0, 0, 0], [0, 0, 1, 0]], "0 x|x 0|one plane"),
        ([[1, 1, 0, 0], [0, 0, 2, 0], [0, 0, 0, 0]], "one plane|x 0|0 x"),
    ],
)
def test_a_nifti_with_a_degenerate_sform_alone_is_refused(a_nifti, capfd, rows, message):
    patch(a_nifti, NIFTI_SROW, rows, "<f4")
    patch(a_nifti, NIFTI_QFORM_CODE, 0, "<i2")
    told = refusal(GeometryError, a_nifti)
    assert any(words in told for words in message.split("|"))
    assert capfd.readouterr().err == ""


def test_a_nifti_whose_voxel_sizes_contradict_its_orientation_is_refused(a_nifti):
    patch(a_nifti, NIFTI_PIXDIM + 4, (2, 2, 2), "<f4")
    patch(a_nifti, NIFTI_QFORM_CODE, (0, 1), "<i2")
    assert "contradicts itself: its voxel sizes 2 x 2 x 2 mm" in refusal(GeometryError, a_nifti)


def test_a_nifti_with_impossible_sizes_is_refused(a_nifti):
    patch(a_nifti, NIFTI_DIM + 2, (-5, 3), "<i2")
    assert "invalid sizes" in refusal(VolumeError, a_nifti)


@pytest.mark.parametrize("code", [0, 1, 1536])
def test_a_nifti_with_voxels_of_an_unusable_type_is_refused(a_nifti, capfd, code):
    patch(a_nifti, NIFTI_DATATYPE, code, "<i2")
    assert f"unknown voxels (type {code})" in refusal(VolumeError, a_nifti)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "line", "replacement"),
    [
        ("a.nrrd", "space directions: .*", "space directions: (1,0,0) (0.3,1,0) (0,0,1)"),
        ("a.nrrd", "space directions: .*", "space directions: (1,0,0) (1,0,0) (0,0,1)"),
        ("a.nrrd", "space directions: .*", "space directions: (1,0,0) (0,0,0) (0,0,1)"),
        ("a.mha", "TransformMatrix = .*", "TransformMatrix = 1 0 0 0.3 1 0 0 0 1"),
        ("a.mha", "TransformMatrix = .*", "TransformMatrix = 0 0 0 0 0 0 0 0 0"),
        ("a.mha", "ElementSpacing = .*", "ElementSpacing = 1 0 1"),
    ],
)
def test_an_nrrd_or_mha_with_sheared_or_degenerate_axes_is_refused(a_volume, tmp_path, capfd, name, line, replacement):
    write_volume(a_volume, tmp_path / name)
    data = re.sub(line.encode(), replacement.encode(), (tmp_path / name).read_bytes(), count=1)
    (tmp_path / name).write_bytes(data)
    assert any(word in refusal(GeometryError, tmp_path / name) for word in ("sheared", "0 mm", "one plane", "x 0 x"))
    assert capfd.readouterr().err == ""


# Writing


@pytest.mark.parametrize("name", ["a", "a.txt", "a.nhdr", "a.gz", "a.dcm"])
def test_an_extension_that_cannot_be_written_is_refused(a_volume, tmp_path, name):
    with pytest.raises(OutputError, match=r"no extension that can be written; use one of \.nii"):
        write_volume(a_volume, tmp_path / name)


def test_an_existing_file_is_kept_unless_overwriting_is_asked_for(a_volume, tmp_path):
    path = tmp_path / "a.nii.gz"
    write_volume(a_volume, path)
    before = path.read_bytes()
    with pytest.raises(OutputError, match="exists already; use --overwrite"):
        write_volume(a_volume.with_array(a_volume.array + 1), path)
    assert path.read_bytes() == before
    write_volume(a_volume.with_array(a_volume.array + 1), path, overwrite=True)
    np.testing.assert_array_equal(read_volume(path).array, a_volume.array + 1)


def test_a_folder_in_the_place_of_the_file_is_refused(a_volume, tmp_path):
    (tmp_path / "a.nii").mkdir()
    with pytest.raises(OutputError, match="is a folder; name a file in it"):
        write_volume(a_volume, tmp_path / "a.nii", overwrite=True)


def test_a_missing_folder_is_refused(a_volume, tmp_path):
    with pytest.raises(OutputError, match=r"There is no folder .*absent to write a\.nii to"):
        write_volume(a_volume, tmp_path / "absent" / "a.nii")


def test_a_folder_without_permission_is_refused(a_volume, tmp_path, monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root, who runs containers, may write anywhere
    with pytest.raises(OutputError, match="may not be written to"):
        write_volume(a_volume, tmp_path / "a.nii")


def test_a_disk_that_is_too_small_is_refused_with_both_numbers(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "disk_usage", lambda path: shutil._ntuple_diskusage(2**40, 2**40, 3 * 2**29))
    check_writable(tmp_path / "a.nii.gz", 3 * 2**29)
    with pytest.raises(OutputError, match=r"a\.nii\.gz takes 4 GiB and 1\.5 GiB are free"):
        check_writable(tmp_path / "a.nii.gz", 4 * 2**30)


@pytest.mark.parametrize("interruption", [KeyboardInterrupt, OSError(28, "No space left on device")])
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_an_interrupted_write_leaves_the_old_file_and_no_temporary_one(
    a_volume, tmp_path, monkeypatch, extension, interruption
):
    path = tmp_path / f"a{extension}"
    write_volume(a_volume, path)
    before = path.read_bytes()

    def interrupt(source, target):
        assert source.parent == target.parent
        assert source.name.endswith(f".tmp{extension}")
        raise interruption

    monkeypatch.setattr(os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt if interruption is KeyboardInterrupt else OutputError):
        write_volume(a_volume.with_array(a_volume.array + 1), path, overwrite=True)
    assert [entry.name for entry in tmp_path.iterdir()] == [path.name]
    assert path.read_bytes() == before


@pytest.mark.skipif(not hasattr(os, "fork"), reason="needs a limit on file sizes (Unix)")
@pytest.mark.parametrize("extension", EXTENSIONS)
def test_a_disk_that_fills_up_while_writing_leaves_nothing(a_phantom, tmp_path, extension):
    import resource
    import signal

    noise = np.random.default_rng(0).normal(size=(20, 20, 20)).astype(np.float32)
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, before[1]))
    try:
        with pytest.raises(OutputError, match="cannot be written"):
            write_volume(Volume(noise, a_phantom.affine), tmp_path / f"a{extension}")
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, handler)
    assert list(tmp_path.iterdir()) == []


def test_what_a_nifti_cannot_hold_is_refused(a_volume, tmp_path, monkeypatch):
    with pytest.raises(OutputError, match=r"cannot hold 13 x 17 x 11 voxels \(slices, rows, columns\) of type float16"):
        write_volume(a_volume.with_array(a_volume.array.astype(np.float16)), tmp_path / "a.nii")
    monkeypatch.setattr(nifti_header, "LONGEST_AXIS", 16)
    with pytest.raises(OutputError, match="16 a side"):
        write_volume(a_volume, tmp_path / "a.nii")


def test_what_an_mgz_cannot_hold_is_refused(a_volume, tmp_path):
    with pytest.raises(OutputError, match="cannot hold uint32"):
        write_volume(a_volume.with_array(a_volume.array.astype(np.uint32)), tmp_path / "a.mgz")


def test_without_nibabel_mgz_is_refused_and_says_what_to_install(a_volume, tmp_path, monkeypatch):
    write_volume(a_volume, tmp_path / "a.mgz")
    original = builtins.__import__

    def without_nibabel(name, *args, **kwargs):
        if name == "nibabel":
            raise ImportError(name)
        return original(name, *args, **kwargs)

    monkeypatch.setattr(builtins, "__import__", without_nibabel)
    assert "pip install nibabel" in refusal(VolumeError, tmp_path / "a.mgz")
    with pytest.raises(OutputError, match="pip install nibabel"):
        write_volume(a_volume, tmp_path / "b.mgz")


# Data types


def test_integers_are_rounded_and_clipped_to_their_range():
    values = np.array([[-1e9, -0.6, 0.49, 0.5, 1.5, 254.6, 255.4, 1e9]])
    np.testing.assert_array_equal(cast_like(values, np.uint8), [[0, 0, 0, 0, 2, 255, 255, 255]])
    np.testing.assert_array_equal(cast_like(values, np.int16)[:, [0, -1]], [[-32768, 32767]])


@pytest.mark.parametrize("source", [np.float32, np.float64])
@pytest.mark.parametrize("dtype", [np.int32, np.uint32, np.int64, np.uint64])
def test_clipping_never_wraps_where_a_float_cannot_hold_the_bound(source, dtype):
    values = np.array([[-1e30, 1e30]], source)
    low, high = cast_like(values, dtype)[0]
    assert low == np.iinfo(dtype).min
    assert np.iinfo(dtype).max * (1 - 1e-7) < high <= np.iinfo(dtype).max


def test_integers_are_clipped_to_narrower_integers():
    np.testing.assert_array_equal(cast_like(np.array([[-5, 70000]]), np.uint16), [[0, 65535]])
    np.testing.assert_array_equal(cast_like(np.array([[250]], np.uint8), np.int32), [[250]])
    np.testing.assert_array_equal(cast_like(np.array([[-1, 7]], np.int16), np.uint64), [[0, 7]])


def test_floats_stay_as_they_are():
    values = np.array([[0.25, np.pi]], np.float32)
    assert cast_like(values, np.float32) is values
    np.testing.assert_array_equal(cast_like(values, np.float64), values.astype(np.float64))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_integers_cannot_be_made_of_voxels_that_are_not_finite(value):
    with pytest.raises(ValueError, match="not finite has no int16 form"):
        cast_like(np.array([[1.0, value]]), np.int16)


def test_slice_thickness_and_spacing_stay_with_a_volume_that_is_turned_or_refilled():
    array = np.arange(60.0).reshape(3, 4, 5)
    volume = Volume(array, np.diag([-1.0, 2.0, 3.0, 1.0]), slice_thickness=2.5, slice_spacing=3.0)
    for changed in (volume.canonical(), volume.with_array(array + 1)):
        assert (changed.slice_thickness, changed.slice_spacing) == (2.5, 3.0)
