"""The scan of a folder: what is no slice is passed over, what was one and is broken is named."""

import sys

import numpy as np
import pytest
from dicom_files import a_slice, an_image, some_slices, write, write_slices
from pydicom import Dataset, dcmread
from pydicom.dataset import FileMetaDataset
from pydicom.uid import (
    BasicTextSRStorage,
    CTImageStorage,
    DeflatedExplicitVRLittleEndian,
    ExplicitVRLittleEndian,
    MediaStorageDirectoryStorage,
    RTDoseStorage,
    RTPlanStorage,
    RTStructureSetStorage,
    SegmentationStorage,
)

import SuperResolution3DLib.volumes.dicom.scan as scan_module
from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.dicom.scan import scan
from SuperResolution3DLib.volumes.volume import read_volume


@pytest.fixture
def a_folder(tmp_path):
    return tmp_path / "series"


def an_object(sop_class, **tags):
    """Return a DICOM object without pixels."""
    dataset = Dataset()
    dataset.file_meta = FileMetaDataset()
    dataset.SOPClassUID = sop_class
    dataset.SOPInstanceUID = "1.2.3"
    dataset.SeriesInstanceUID = "1.2.4"
    for keyword, value in tags.items():
        setattr(dataset, keyword, value)
    return dataset


@pytest.mark.parametrize(
    "sop_class", [BasicTextSRStorage, RTStructureSetStorage, RTPlanStorage, MediaStorageDirectoryStorage]
)
@pytest.mark.parametrize("name", ["IM9999", "other.dcm", "DICOMDIR"])
def test_objects_without_pixels_are_passed_over_under_any_name(a_folder, sop_class, name):
    array = some_slices(4)
    write_slices(a_folder, array)
    write(a_folder / name, an_object(sop_class))
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_a_directory_that_names_its_kind_only_before_its_data_is_passed_over(a_folder):
    array = some_slices(4)
    write_slices(a_folder, array)
    directory = an_object(MediaStorageDirectoryStorage)
    path = write(a_folder / "IM9999", directory)
    written = dcmread(path)
    del written.SOPClassUID
    written.save_as(path, enforce_file_format=False)
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


@pytest.mark.parametrize(("sop_class", "modality"), [(RTDoseStorage, "RTDOSE"), (SegmentationStorage, "SEG")])
def test_dose_and_segmentations_are_passed_over(a_folder, sop_class, modality):
    array = some_slices(4)
    write_slices(a_folder, array, sop_class=CTImageStorage)
    dose = an_image(some_slices(3).astype(np.uint32), sop_class, SeriesInstanceUID="1.2.5", Modality=modality)
    write(a_folder / "dose.dcm", dose)
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


@pytest.mark.parametrize("content", [b"", bytes(100), b"version https://git-lfs.github.com/spec/v1\n"])
@pytest.mark.parametrize("name", ["IM0999", "last.dcm", "IM0999.part"])
def test_what_an_interrupted_copy_left_is_refused_by_name(a_folder, name, content):
    write_slices(a_folder, some_slices(4))
    (a_folder / name).write_bytes(content)
    with pytest.raises(VolumeError, match=rf"{name} cannot be read, it is damaged or cut short \(it "):
        read_volume(a_folder)


@pytest.mark.parametrize("names", ["1.2.840.{}", "{}", "slice-{}.DCM", "slice {}.ima"])
@pytest.mark.parametrize("size", [0, 100, 200, 600])
def test_the_last_file_cut_short_is_refused_whatever_the_files_are_called(a_folder, names, size):
    for k, plane in enumerate(some_slices(4)):
        path = write(a_folder / names.format(1001 + k), a_slice(plane, k))
    path.write_bytes(path.read_bytes()[:size])
    with pytest.raises(VolumeError, match="damaged or cut short") as told:
        read_volume(a_folder)
    assert path.name in str(told.value)


def test_each_cut_of_a_file_is_seen(a_folder):
    paths = write_slices(a_folder, some_slices(3))
    whole = paths[2].read_bytes()
    for size in range(0, len(whole), 7):
        paths[2].write_bytes(whole[:size])
        with pytest.raises(VolumeError, match=f"{paths[2].name} cannot be read"):
            read_volume(a_folder)


def test_a_cut_of_a_deflated_file_is_seen(a_folder):
    paths = write_slices(a_folder, some_slices(3), syntax=DeflatedExplicitVRLittleEndian)
    assert read_volume(a_folder).shape == (3, 9, 7)
    paths[2].write_bytes(paths[2].read_bytes()[:-20])
    with pytest.raises(VolumeError, match=f"{paths[2].name} cannot be read"):
        read_volume(a_folder)


def test_a_link_to_a_slice_that_is_not_there_is_refused(a_folder):
    write_slices(a_folder, some_slices(4))
    (a_folder / "IM0998").symlink_to(a_folder / "annex" / "gone")
    with pytest.raises(VolumeError, match=r"IM0998 cannot be read.*No such file"):
        read_volume(a_folder)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("README", b"Series of 2019"),
        ("README", b""),
        ("notes", b"measured twice\n"),
        ("series.json", b"{}"),
        ("preview.png", b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR"),
        ("mask.nii.gz", b"\x1f\x8b\x08\0"),
        (".DS_Store", bytes(8)),
        ("._IM0003", bytes(200)),
        ("Thumbs.db", bytes(50)),
    ],
)
def test_notes_and_other_files_beside_the_slices_do_not_disturb(a_folder, name, content):
    array = some_slices(4)
    write_slices(a_folder, array)
    (a_folder / name).write_bytes(content)
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_a_damaged_slice_of_another_series_does_not_disturb_the_chosen_one(a_folder):
    array = some_slices(4)
    write_slices(a_folder, array)
    paths = write_slices(a_folder, some_slices(3), name="other", SeriesInstanceUID="1.2.5")
    paths[1].write_bytes(paths[1].read_bytes()[:-4])
    np.testing.assert_array_equal(read_volume(a_folder, "1.2.826.0.1.3680043.8.498.7").array, array)
    with pytest.raises(VolumeError, match="4 of the 126 bytes of its pixels are missing"):
        read_volume(a_folder, "1.2.5")


def test_files_of_old_without_a_preamble_are_read(a_folder):
    array = some_slices(3)
    for path in write_slices(a_folder, array):
        dataset = dcmread(path)
        dataset.file_meta = FileMetaDataset()
        dataset.preamble = None
        dataset.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[:2] == b"\x08\x00"
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_each_file_is_opened_once_by_the_scan(a_folder, monkeypatch):
    paths = write_slices(a_folder, some_slices(6))
    seen = []
    look = scan_module.look_at
    monkeypatch.setattr(scan_module, "look_at", lambda path: seen.append(path) or look(path))
    (images,) = scan(a_folder).values()
    assert sorted(seen) == sorted(paths)
    assert not any("PixelData" in image.header for image in images)


def test_odd_names_are_read(tmp_path):
    folder = tmp_path / "Größe ✓ %d"
    array = some_slices(3)
    write_slices(folder, array, name="Schicht-ä ", syntax=ExplicitVRLittleEndian)
    np.testing.assert_array_equal(read_volume(folder).array, array)


def test_without_pydicom_one_sentence_says_what_to_do(a_folder, monkeypatch):
    write_slices(a_folder, some_slices(3))
    monkeypatch.setitem(sys.modules, "pydicom", None)
    with pytest.raises(VolumeError, match="pip install pydicom"):
        read_volume(a_folder)
