"""NRRD and MetaImage files through SimpleITK: under any locale of the process, and in any unit of length."""

import locale
import shutil

import numpy as np
import pytest
import SimpleITK as sitk

from SuperResolution3DLib.errors import GeometryError, OutputError, VolumeError
from SuperResolution3DLib.volumes import itk_image
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

AFFINE = np.array([[-2.75, 0, 0, 10.5], [0, 0.9375, 0, -20.25], [0, 0, 1.5, 3.125], [0, 0, 0, 1]])


@pytest.fixture
def another_numeric_locale():
    """A locale of the process that is not C by name, as a desktop sets it."""
    before = locale.setlocale(locale.LC_NUMERIC)
    locale.setlocale(locale.LC_NUMERIC, "C.UTF-8")
    yield locale.setlocale(locale.LC_NUMERIC)
    locale.setlocale(locale.LC_NUMERIC, before)


@pytest.fixture
def locales_seen(monkeypatch):
    """The numeric locale at each call into SimpleITK's readers and writers."""
    seen = []

    def noting(call):
        def wrapped(*arguments):
            seen.append(locale.setlocale(locale.LC_NUMERIC))
            return call(*arguments)

        return wrapped

    for name in ("Execute", "ReadImageInformation"):
        monkeypatch.setattr(sitk.ImageFileReader, name, noting(getattr(sitk.ImageFileReader, name)))
    monkeypatch.setattr(itk_image.sitk, "WriteImage", noting(sitk.WriteImage))
    return seen


def a_volume() -> Volume:
    return Volume(np.arange(60, dtype=np.int16).reshape(3, 4, 5), AFFINE)


def an_nrrd(folder, *lines: str):
    """Write a volume with further lines in its header."""
    path = folder / "a.nrrd"
    write_volume(a_volume(), path, overwrite=True)
    header, separator, voxels = path.read_bytes().partition(b"\n\n")
    path.write_bytes(b"\n".join([header, *(line.encode() for line in lines)]) + separator + voxels)
    return path


@pytest.mark.parametrize("name", ["a.nrrd", "a.mha"])
def test_files_are_read_and_written_with_a_decimal_point_whatever_the_locale(
    tmp_path, another_numeric_locale, locales_seen, name
):
    write_volume(a_volume(), tmp_path / name)
    volume = read_volume(tmp_path / name)
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-6)
    assert locales_seen and set(locales_seen) == {"C"}
    assert locale.setlocale(locale.LC_NUMERIC) == another_numeric_locale != "C"


def test_the_locale_comes_back_after_a_file_that_cannot_be_read(tmp_path, another_numeric_locale):
    (tmp_path / "a.nrrd").write_bytes(b"NRRD0004\ntype: float\n\n")
    with pytest.raises(VolumeError):
        read_volume(tmp_path / "a.nrrd")
    assert locale.setlocale(locale.LC_NUMERIC) == another_numeric_locale


@pytest.mark.parametrize(
    ("unit", "factor"), [("mm", 1), ("um", 1e-3), ("µm", 1e-3), ("cm", 10), ("m", 1000), ("inch", 25.4), ("", 1)]
)
def test_space_units_are_brought_to_millimetres(tmp_path, unit, factor):
    path = an_nrrd(tmp_path, f'space units: "{unit}" "{unit}" "{unit}"')
    np.testing.assert_allclose(read_volume(path).affine, np.diag([factor] * 3 + [1]) @ AFFINE)


def test_each_axis_of_space_has_its_own_unit(tmp_path):
    path = an_nrrd(tmp_path, 'space units: "mm" "cm" "um"')
    np.testing.assert_allclose(read_volume(path).affine, np.diag([1, 10, 1e-3, 1]) @ AFFINE)


def test_units_of_the_array_s_axes_count_where_there_is_no_space(tmp_path):
    lines = ("NRRD0004", "type: uint8", "dimension: 3", "sizes: 5 4 3", "spacings: 2 3 4", 'units: "cm" "mm" "um"')
    header = "\n".join([*lines, "encoding: raw", "", ""])
    (tmp_path / "a.nrrd").write_bytes(header.encode() + bytes(range(60)))
    np.testing.assert_allclose(read_volume(tmp_path / "a.nrrd").affine, np.diag([-20, -3, 4e-3, 1]))


def test_a_key_of_somebody_s_own_is_no_unit(tmp_path):
    path = an_nrrd(tmp_path, "space units:=furlongs", "units:=weeks")
    np.testing.assert_allclose(read_volume(path).affine, AFFINE)


def test_the_system_s_reason_is_told_without_its_number():
    assert itk_image.reason_of(OSError(27, "File too large")) == "File too large"
    assert itk_image.reason_of(RuntimeError("first\nITK ERROR: last")) == "last"


def test_a_disk_that_cannot_be_asked_for_its_space_is_told(tmp_path, monkeypatch):
    def refuse(_):
        raise OSError(5, "Input/output error")

    monkeypatch.setattr(shutil, "disk_usage", refuse)
    with pytest.raises(OutputError, match=r"cannot be written \(Input/output error\)"):
        write_volume(a_volume(), tmp_path / "a.nrrd")


def test_a_unit_that_is_no_length_is_refused_by_its_name(tmp_path):
    with pytest.raises(GeometryError, match="gives its axes in seconds, and lengths"):
        read_volume(an_nrrd(tmp_path, 'space units: "seconds" "mm" "mm"'))
