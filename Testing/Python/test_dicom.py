"""DICOM folders: an even stack becomes a volume in its place, anything else is refused in one sentence."""

import struct
import zlib
from dataclasses import dataclass, replace

import numpy as np
import pytest
import SimpleITK as sitk

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.volumes.volume import read_volume

SERIES = "1.2.826.0.1.3680043.2.1125.1"
IMAGE_POSITION = (0x0020, 0x0032)
IMAGE_ORIENTATION = (0x0020, 0x0037)
PIXEL_SPACING = (0x0028, 0x0030)
LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Series:
    """A series of DICOM slices to be written."""

    array: np.ndarray
    """(D, H, W) uint16, as stored"""
    to_lps: np.ndarray
    """(4, 4), voxel (I, J, K) to LPS mm"""
    uid: str = f"{SERIES}.1"
    description: str = "T1 axial"
    modality: str = "CT"
    slopes: tuple[str, ...] = ()
    """rescale slope of each slice, 1 by default"""

    @property
    def affine(self):
        """The affine to RAS mm."""
        return LPS_TO_RAS @ self.to_lps

    def path(self, folder, k):
        """The file of slice k."""
        return folder / f"{self.uid[-1]}-{(k * 7 + 3) % 11:02d}.dcm"

    def tags(self, k, position=None):
        """The tags of slice k, which may be put at another position (LPS mm)."""
        spacing = np.linalg.norm(self.to_lps[:3, :3], axis=0)
        directions = (self.to_lps[:3, :2] / spacing[:2]).T
        position = self.to_lps[:3, 3] + k * self.to_lps[:3, 2] if position is None else position
        return {
            (0x0008, 0x0060): ("CS", self.modality),
            (0x0008, 0x103E): ("LO", self.description),
            (0x0018, 0x0050): ("DS", f"{spacing[2]:.10g}"),
            (0x0020, 0x000E): ("UI", self.uid),
            (0x0020, 0x0013): ("IS", k + 1),
            IMAGE_POSITION: ("DS", "\\".join(f"{value:.10g}" for value in position)),
            IMAGE_ORIENTATION: ("DS", "\\".join(f"{value:.12g}" for value in directions.ravel())),
            PIXEL_SPACING: ("DS", f"{spacing[1]:.10g}\\{spacing[0]:.10g}"),
            (0x0028, 0x1052): ("DS", "-1024"),
            (0x0028, 0x1053): ("DS", self.slopes[k] if self.slopes else "1"),
        }


@pytest.fixture
def a_series(a_phantom):
    """Return an oblique stack whose slices follow their normal, as DICOM stacks do."""
    to_lps = LPS_TO_RAS @ a_phantom.affine
    if np.linalg.det(to_lps) < 0:
        to_lps = to_lps @ np.diag([1, -1, 1, 1])
    return Series(a_phantom.array.round().astype(np.uint16)[:5], to_lps)


@pytest.fixture
def a_folder(tmp_path):
    return tmp_path / "series"


def write_series(folder, series, positions=None, leave_out=()):
    """Write one file a slice, in an order of names that says nothing about the order in space."""
    folder.mkdir(exist_ok=True)
    for k in range(len(series.array)):
        if k not in leave_out:
            position = None if positions is None else positions[k]
            write_slice(series.path(folder, k), series.array[k], series.tags(k, position))


def write_slice(path, pixels, tags):
    """Write explicit little-endian DICOM, byte for byte, so that a slice can also be wrong; None leaves a tag out.

    Args:
        path: the file.
        pixels: (H, W) uint16, (frames, H, W) uint16 or (H, W, 3) uint8
        tags: value by (group, element), a text or a number.
    """
    colour = pixels.dtype == np.uint8
    frames = pixels.shape[0] if pixels.ndim == 3 and not colour else None
    rows, columns = pixels.shape[:2] if frames is None else pixels.shape[1:]
    bits = 8 * pixels.itemsize
    tags = {
        (0x0008, 0x0016): ("UI", "1.2.840.10008.5.1.4.1.1.7"),
        (0x0008, 0x0018): ("UI", f"{SERIES}.{zlib.crc32(path.name.encode())}"),
        (0x0020, 0x000D): ("UI", f"{SERIES}.0"),
        (0x0028, 0x0002): ("US", 3 if colour else 1),
        (0x0028, 0x0004): ("CS", "RGB" if colour else "MONOCHROME2"),
        (0x0028, 0x0006): ("US", 0) if colour else ("US", None),
        (0x0028, 0x0008): ("IS", frames),
        (0x0028, 0x0010): ("US", rows),
        (0x0028, 0x0011): ("US", columns),
        (0x0028, 0x0100): ("US", bits),
        (0x0028, 0x0101): ("US", bits),
        (0x0028, 0x0102): ("US", bits - 1),
        (0x0028, 0x0103): ("US", 0),
        **tags,
        (0x7FE0, 0x0010): ("OW", pixels.tobytes()),
    }
    syntax = element((0x0002, 0x0010), "UI", "1.2.840.10008.1.2.1")
    meta = element((0x0002, 0x0000), "UL", struct.pack("<I", len(syntax))) + syntax
    body = b"".join(element(tag, vr, value) for tag, (vr, value) in sorted(tags.items()) if value is not None)
    path.write_bytes(bytes(128) + b"DICM" + meta + body)


def element(tag, vr, value):
    """Return one DICOM element; text and bytes are padded to an even length."""
    text = struct.pack("<H", value) if vr == "US" else value
    data = text if isinstance(text, bytes) else str(text).encode()
    data += (b"\0" if vr in ("UI", "OW") else b" ") * (len(data) % 2)
    length = struct.pack("<HI", 0, len(data)) if vr == "OW" else struct.pack("<H", len(data))
    return struct.pack("<HH", *tag) + vr.encode() + length + data


def refusal(error_class, folder, capfd, **kwargs):
    """Return the sentence with which a folder is refused."""
    with pytest.raises(error_class) as caught:
        read_volume(folder, **kwargs)
    assert ". " not in str(caught.value), "one sentence"
    assert str(folder) in str(caught.value)
    assert capfd.readouterr().err == ""
    return str(caught.value)


def test_a_series_is_read_in_hounsfield_units_at_its_place(a_series, a_folder):
    write_series(a_folder, a_series)
    volume = read_volume(a_folder)
    np.testing.assert_array_equal(volume.array, a_series.array.astype(int) - 1024)
    assert volume.array.dtype.kind == "i"
    assert volume.modality == "CT"
    np.testing.assert_allclose(volume.affine, a_series.affine, atol=1e-8)


def test_simpleitk_sees_the_series_at_the_same_place(a_series, a_folder):
    write_series(a_folder, a_series)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(a_folder)))
    image = reader.Execute()
    volume = read_volume(a_folder)
    for ijk in ((0, 0, 0), (10, 16, 4)):
        in_lps = image.TransformIndexToPhysicalPoint(ijk)
        np.testing.assert_allclose(volume.affine @ (*ijk, 1), LPS_TO_RAS @ (*in_lps, 1), atol=1e-6)


def test_slices_rescaled_each_in_its_own_way_are_read_as_float(a_series, a_folder):
    slopes = ("1", "0.5", "0.25", "2", "1.5")
    write_series(a_folder, replace(a_series, slopes=slopes, modality="PT"))
    volume = read_volume(a_folder)
    expected = a_series.array * np.array([float(slope) for slope in slopes])[:, None, None] - 1024
    np.testing.assert_allclose(volume.array, expected, atol=1e-3)
    assert volume.array.dtype == np.float32


def test_positions_rounded_to_a_hundredth_are_no_gantry_tilt(a_series, a_folder):
    positions = [np.round(a_series.to_lps[:3, 3] + k * a_series.to_lps[:3, 2], 2) for k in range(5)]
    write_series(a_folder, a_series, positions)
    np.testing.assert_allclose(read_volume(a_folder).affine, a_series.affine, atol=0.01)


def test_one_of_several_series_is_chosen_by_its_uid(a_series, a_folder, capfd):
    other = replace(a_series, array=a_series.array[:3] + 5, uid=f"{SERIES}.2", description="T2 axial", modality="MR")
    write_series(a_folder, a_series)
    write_series(a_folder, other)
    np.testing.assert_array_equal(read_volume(a_folder, series=other.uid).array, other.array.astype(int) - 1024)
    assert read_volume(a_folder, series=other.uid).modality == "MR"
    for message, kwargs in (("choose one with --series UID", {}), ("no DICOM series 9.9", {"series": "9.9"})):
        told = refusal(VolumeError, a_folder, capfd, **kwargs)
        assert message in told
        assert f"{a_series.uid} (T1 axial, 5 slices); {other.uid} (T2 axial, 3 slices)" in told


def test_a_folder_without_dicom_is_refused(a_folder, capfd):
    a_folder.mkdir()
    (a_folder / "notes.txt").write_text("no image")
    (a_folder / "deeper").mkdir()
    assert "holds no DICOM slices" in refusal(VolumeError, a_folder, capfd)


def test_a_single_slice_is_refused(a_series, a_folder, capfd):
    write_series(a_folder, replace(a_series, array=a_series.array[:1]))
    assert "has 1 slice and a volume needs 2" in refusal(VolumeError, a_folder, capfd)


def test_a_file_of_a_series_alone_is_refused_and_the_folder_asked_for(a_series, a_folder):
    write_series(a_folder, a_series)
    with pytest.raises(VolumeError, match="or a folder of DICOM slices"):
        read_volume(next(a_folder.iterdir()))


@pytest.mark.parametrize(("left_out", "count", "apart"), [((2,), 1, "3.4"), ((2, 3), 2, "5.1")])
def test_missing_slices_are_refused(a_phantom, a_series, a_folder, capfd, left_out, count, apart):
    longer = replace(a_series, array=a_phantom.array.round().astype(np.uint16)[:8])
    write_series(a_folder, longer, leave_out=left_out)
    told = refusal(GeometryError, a_folder, capfd)
    assert f"About {count} of the DICOM slices" in told
    assert f"are {apart} mm apart where the others are 1.7 mm" in told


def test_unevenly_spaced_slices_are_refused(a_series, a_folder, capfd):
    positions = [a_series.to_lps[:3, 3] + step * a_series.to_lps[:3, 2] for step in (0, 1, 2.02, 3, 4)]
    write_series(a_folder, a_series, positions)
    assert "unevenly spaced: " in refusal(GeometryError, a_folder, capfd)


@pytest.mark.parametrize("steps", [(0, 1, 1, 2, 3), (0, 0, 1, 1, 2), (0, 0, 0, 0, 0)])
def test_two_slices_at_one_position_are_refused(a_series, a_folder, capfd, steps):
    positions = [a_series.to_lps[:3, 3] + step * a_series.to_lps[:3, 2] for step in steps]
    write_series(a_folder, a_series, positions)
    assert "Two of the 5 DICOM slices" in refusal(VolumeError, a_folder, capfd)


def test_a_gantry_tilt_is_refused_with_its_angle(a_series, a_folder, capfd):
    step = a_series.to_lps[:3, 2] + np.tan(np.deg2rad(5)) * 1.7 * a_series.to_lps[:3, 1] / 1.1
    write_series(a_folder, a_series, [a_series.to_lps[:3, 3] + k * step for k in range(5)])
    assert "gantry tilt of 5.00 degrees, they shift sideways by up to 0.595 mm" in refusal(
        GeometryError, a_folder, capfd
    )


def test_slices_that_are_not_parallel_are_refused(a_series, a_folder, capfd):
    write_series(a_folder, a_series)
    turned = a_series.tags(2) | {IMAGE_ORIENTATION: ("DS", "1\\0\\0\\0\\1\\0")}
    write_slice(a_series.path(a_folder, 2), a_series.array[2], turned)
    assert "whose slices are not parallel" in refusal(VolumeError, a_folder, capfd)


@pytest.mark.parametrize("wrong", ["spacing", "size"])
def test_slices_of_different_size_are_refused(a_series, a_folder, capfd, wrong):
    write_series(a_folder, a_series)
    tags = a_series.tags(2) | ({PIXEL_SPACING: ("DS", "2\\2")} if wrong == "spacing" else {})
    pixels = a_series.array[2] if wrong == "spacing" else np.ascontiguousarray(a_series.array[2, :9])
    write_slice(a_series.path(a_folder, 2), pixels, tags)
    told = refusal(VolumeError, a_folder, capfd)
    assert "differ in size" in told
    assert "11 x 17 pixels of 0.8 x 1.1 mm" in told


@pytest.mark.parametrize("text", [None, "1\\2", "1\\2\\x"])
def test_slices_without_a_usable_position_are_refused(a_series, a_folder, capfd, text):
    a_folder.mkdir()
    for k in range(3):
        write_slice(a_series.path(a_folder, k), a_series.array[k], a_series.tags(k) | {IMAGE_POSITION: ("DS", text)})
    assert "in tag (0020,0032) where 3 numbers are needed" in refusal(VolumeError, a_folder, capfd)


@pytest.mark.parametrize("text", ["1\\0\\0\\0\\2\\0", "0\\0\\0\\0\\0\\0", "1\\0\\0\\0.6\\0.8\\0"])
def test_directions_that_are_no_perpendicular_unit_vectors_are_refused(a_series, a_folder, capfd, text):
    a_folder.mkdir()
    for k in range(3):
        tags = a_series.tags(k) | {IMAGE_ORIENTATION: ("DS", text)}
        write_slice(a_series.path(a_folder, k), a_series.array[k], tags)
    assert "not perpendicular unit vectors" in refusal(GeometryError, a_folder, capfd)


def test_colour_slices_are_refused(a_series, a_folder, capfd):
    a_folder.mkdir()
    for k in range(2):
        write_slice(a_series.path(a_folder, k), np.zeros((8, 10, 3), np.uint8), a_series.tags(k))
    assert "holds 3 components a pixel" in refusal(VolumeError, a_folder, capfd)


def test_a_file_of_several_frames_is_refused(a_series, a_folder, capfd):
    a_folder.mkdir()
    for k in range(2):
        write_slice(a_series.path(a_folder, k), a_series.array[:3], a_series.tags(k))
    assert "with 3 frames" in refusal(VolumeError, a_folder, capfd)


@pytest.mark.parametrize("keep", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("k", [2, 4])
def test_a_truncated_slice_is_refused_by_name(a_series, a_folder, capfd, k, keep):
    write_series(a_folder, a_series)
    path = a_series.path(a_folder, k)
    path.write_bytes(path.read_bytes()[: max(int(keep * path.stat().st_size), 132)])
    assert path.name in refusal(VolumeError, a_folder, capfd)
