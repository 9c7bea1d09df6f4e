"""Pixels: whatever their type, compression and rescale, they come out as the files mean them."""

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import a_grid, a_slice, some_slices, write, write_slices
from pydicom import dcmread
from pydicom.data import get_testdata_file
from pydicom.encaps import encapsulate
from pydicom.uid import (
    JPEG2000Lossless,
    JPEGExtended12Bit,
    JPEGLosslessSV1,
    RLELossless,
)

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.volume import read_volume


@pytest.fixture
def a_folder(tmp_path):
    return tmp_path / "series"


@pytest.mark.parametrize("dtype", [np.uint8, np.int8, np.uint16, np.int16, np.uint32, np.int32])
def test_stored_types_are_kept(a_folder, dtype):
    bounds = np.iinfo(dtype)
    array = np.random.default_rng(0).integers(bounds.min, bounds.max, (3, 8, 6), dtype, endpoint=True)
    write_slices(a_folder, array)
    volume = read_volume(a_folder)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.dtype == dtype


@pytest.mark.parametrize("dtype", [np.uint16, np.int16])
def test_bits_above_the_stored_ones_are_no_part_of_the_value(a_folder, dtype):
    array = some_slices(3).astype(dtype) - (2048 if dtype is np.int16 else 0)
    dirty = (array & 0x0FFF) | (0x5000 if dtype is np.uint16 else 0x7000)
    write_slices(a_folder, dirty.astype(dtype), BitsStored=12, HighBit=11)
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_pixels_of_inverted_display_keep_their_values(a_folder):
    array = some_slices(3)
    write_slices(a_folder, array, PhotometricInterpretation="MONOCHROME1")
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_numbers_of_palette_colours_are_refused(a_folder):
    write_slices(a_folder, some_slices(3), PhotometricInterpretation="PALETTE COLOR")
    with pytest.raises(VolumeError, match="holds numbers of colours in a palette and no intensities"):
        read_volume(a_folder)


def test_signed_and_unsigned_slices_make_one_volume(a_folder):
    array = some_slices(4).astype(np.int32)
    array[1::2] -= 3000
    for k, plane in enumerate(array):
        write(a_folder / f"{k}", a_slice(plane.astype(np.int16 if k % 2 else np.uint16), k))
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_a_small_slope_on_a_large_intercept_loses_no_contrast(a_folder):
    array = some_slices(3)
    write_slices(a_folder, array, RescaleSlope=0.001, RescaleIntercept=100000)
    np.testing.assert_allclose(read_volume(a_folder).array, 100000 + 0.001 * array, atol=1e-6, rtol=0)


def test_each_slice_has_its_own_whole_numbers(a_folder):
    array = some_slices(3)
    for k, plane in enumerate(array):
        write(a_folder / f"{k}", a_slice(plane, k, RescaleSlope=k + 1, RescaleIntercept=-1024 * k))
    volume = read_volume(a_folder)
    expected = [(k + 1) * plane.astype(int) - 1024 * k for k, plane in enumerate(array)]
    np.testing.assert_array_equal(volume.array, expected)
    assert volume.array.dtype == np.int16


@pytest.mark.parametrize("tags", [{"RescaleSlope": 0}, {"RescaleSlope": [1, 2]}])
def test_a_rescale_that_cannot_be_meant_is_refused(a_folder, tags):
    write_slices(a_folder, some_slices(3), RescaleIntercept=0, **tags)
    with pytest.raises(VolumeError, match=r"rescale slope of 0|tag \(0028,1053\) where 1 number is needed"):
        read_volume(a_folder)


def test_pixels_of_one_bit_are_refused(a_folder):
    write_slices(a_folder, some_slices(3), BitsAllocated=1, BitsStored=1, HighBit=0)
    with pytest.raises(VolumeError, match="1 of 1 bits a pixel"):
        read_volume(a_folder)


def test_run_lengths_are_decoded(a_folder, capfd):
    array = some_slices(3)
    for path in write_slices(a_folder, array):
        dataset = dcmread(path)
        dataset.compress(RLELossless)
        dataset.save_as(path)
    np.testing.assert_array_equal(read_volume(a_folder).array, array)
    assert capfd.readouterr().err == ""


def compressed_by_gdcm(folder, array, kind):
    """Let SimpleITK write the slices compressed."""
    for k, path in enumerate(write_slices(folder, array)):
        image = sitk.GetImageFromArray(array[k][None])
        writer = sitk.ImageFileWriter()
        writer.SetImageIO("GDCMImageIO")
        writer.SetFileName(f"{path}.dcm")
        writer.UseCompressionOn()
        writer.SetCompressor(kind)
        writer.Execute(image)
        packed, plain = dcmread(f"{path}.dcm"), dcmread(path)
        plain.PixelData, plain["PixelData"].VR = packed.PixelData, "OB"
        plain["PixelData"].is_undefined_length = True
        (folder / f"{path.name}.dcm").unlink()
        write(path, plain, packed.file_meta.TransferSyntaxUID)
    return packed.file_meta.TransferSyntaxUID


@pytest.mark.parametrize(
    ("kind", "syntax", "dtype"),
    [
        ("JPEG", JPEGLosslessSV1, np.uint16),
        ("JPEG", JPEGLosslessSV1, np.int16),
        ("JPEG2000", JPEG2000Lossless, np.uint16),
        ("JPEG2000", JPEG2000Lossless, np.int16),
        ("JPEG2000", JPEG2000Lossless, np.uint8),
    ],
)
def test_lossless_compression_loses_nothing_and_says_nothing(a_folder, capfd, kind, syntax, dtype):
    array = (np.tile(some_slices(3), (1, 5, 5)) // (16 if dtype is np.uint8 else 1)).astype(dtype)
    if dtype is np.int16:
        array -= 1500
    assert compressed_by_gdcm(a_folder, array, kind) == syntax
    volume = read_volume(a_folder)
    np.testing.assert_array_equal(volume.array, array)
    assert volume.array.dtype == dtype
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize("kind", ["JPEG", "JPEG2000"])
@pytest.mark.parametrize("lost", [8, 9, 60, 200])
def test_compressed_pixels_that_are_cut_short_are_refused(a_folder, capfd, kind, lost):
    compressed_by_gdcm(a_folder, np.tile(some_slices(3), (1, 5, 5)), kind)
    path = max(a_folder.iterdir())
    path.write_bytes(path.read_bytes()[:-lost])
    with pytest.raises(VolumeError, match=f"{path.name} cannot be read, it is damaged or cut short"):
        read_volume(a_folder)
    assert capfd.readouterr().err == ""


@pytest.mark.parametrize(
    ("name", "same"), [("MR_small_jpeg_ls_lossless.dcm", "MR_small.dcm"), ("JPGExtended.dcm", None)]
)
def test_kinds_of_jpeg_that_pydicom_alone_does_not_read_are_decoded_in_silence(a_folder, capfd, name, same):
    for k in range(3):
        dataset = dcmread(get_testdata_file(name))
        where = a_slice(some_slices(1)[0], k)
        for keyword in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing"):
            setattr(dataset, keyword, where.get(keyword))
        write(a_folder / f"{k}", dataset, dataset.file_meta.TransferSyntaxUID)
    volume = read_volume(a_folder)
    assert capfd.readouterr().err == ""
    if same:
        np.testing.assert_array_equal(volume.array[1], dcmread(get_testdata_file(same)).pixel_array)
    else:
        assert (volume.shape, volume.array.max()) == ((3, 1024, 256), 264)


def test_what_no_decoder_reads_is_told_in_one_sentence(a_folder, capfd):
    for k, plane in enumerate(some_slices(3)):
        dataset = a_slice(plane, k)
        dataset.PixelData = encapsulate([b"\xff\xd8\xff\xc1 no picture \xff\xd9"])
        dataset["PixelData"].VR = "OB"
        dataset["PixelData"].is_undefined_length = True
        write(a_folder / f"{k}", dataset, JPEGExtended12Bit)
    with pytest.raises(VolumeError, match=r"compressed \(JPEG Extended .* cannot be decoded") as told:
        read_volume(a_folder)
    assert "0x" not in str(told.value)
    assert "ITK" not in str(told.value)
    assert capfd.readouterr().err == ""


def test_a_float_image_is_refused(a_folder):
    for k in range(3):
        dataset = a_slice(some_slices(1)[0], k, a_grid())
        dataset.FloatPixelData = np.zeros((9, 7), np.float32).tobytes()
        del dataset.PixelData
        write(a_folder / f"{k}", dataset)
    with pytest.raises(VolumeError, match="does not hold whole numbers as pixels"):
        read_volume(a_folder)
