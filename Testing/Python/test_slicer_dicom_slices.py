"""The slice thickness of volumes that Slicer loaded from DICOM: of classic and of enhanced files, and what is wrong."""

import os

import numpy as np
import pytest
import slicer
from dicom_files import a_grid, a_slice, an_enhanced_file, placement, some_slices, write
from logic_fixtures import a_core  # noqa: F401 (fixture)
from pydicom.uid import EnhancedCTImageStorage, EnhancedMRImageStorage

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.volumes.dicom.slice_sizes import SliceSizes, slice_sizes_of
from Testing.Python.slice_stacks import a_stack
from Testing.Slicer.double.dicom_database import ctkDICOMDatabase
from Testing.Slicer.module import MODULE_FILE  # noqa: F401 - installs the double

# isort: split
from SuperResolution3DSlicer.scene.slice_header import stack_of

TAKEN = "The slice thickness of head is not known, and the distance between slices is taken: "


def a_file(path, per_frame=({}, {}, {}), *, shared=None, sop_class=EnhancedMRImageStorage):
    """Write an enhanced file of as many frames as are told of, each with its pixel measures."""
    frames = [
        (plane, {"PlanePositionSequence": {"ImagePositionPatient": placement(a_grid(), k)["ImagePositionPatient"]}})
        for k, plane in enumerate(some_slices(len(per_frame)))
    ]
    spacing = {"PixelSpacing": placement(a_grid(), 0)["PixelSpacing"]}
    groups = {
        "PlaneOrientationSequence": {"ImageOrientationPatient": placement(a_grid(), 0)["ImageOrientationPatient"]}
    }
    for (_plane, values), measures in zip(frames, per_frame, strict=True):
        if measures:
            values["PixelMeasuresSequence"] = spacing | measures
    if shared is not None:
        groups["PixelMeasuresSequence"] = spacing | shared
    return write(path, an_enhanced_file(frames, shared=groups, sop_class=sop_class))


@pytest.fixture
def a_node(a_core) -> slicer.vtkMRMLScalarVolumeNode:
    return a_stack(a_core)  # slices 4 mm apart


def loaded(monkeypatch, node, *paths) -> None:
    """Let a volume be one that was loaded from files whose tags the database does not know."""
    files = {f"1.2.{number}": str(path) for number, path in enumerate(paths)}
    monkeypatch.setattr(slicer, "dicomDatabase", ctkDICOMDatabase({}, files), raising=False)
    node.SetAttribute("DICOM.instanceUIDs", " ".join(files))


def sentences(stack) -> tuple[str, ...]:
    return tuple(map(str, stack.warnings))


@pytest.mark.parametrize("sop_class", [EnhancedMRImageStorage, EnhancedCTImageStorage])
def test_enhanced_files_say_it_for_all_frames(a_node, monkeypatch, tmp_path, sop_class) -> None:
    sizes = {"SliceThickness": 3.2, "SpacingBetweenSlices": 4.0}
    loaded(monkeypatch, a_node, a_file(tmp_path / "f", shared=sizes, sop_class=sop_class))
    stack = stack_of(a_node)
    assert (stack.thickness, stack.thickness_source, stack.warnings) == (3.2, "file", ())


def test_enhanced_files_say_it_frame_by_frame(a_node, monkeypatch, tmp_path) -> None:
    loaded(monkeypatch, a_node, a_file(tmp_path / "f", [{"SliceThickness": 3.2}] * 3))
    stack = stack_of(a_node)
    assert (stack.thickness, stack.thickness_source, stack.warnings) == (3.2, "file", ())


def test_a_volume_in_several_enhanced_files_has_their_common_thickness(a_node, monkeypatch, tmp_path) -> None:
    paths = [a_file(tmp_path / name, shared={"SliceThickness": 3.2}) for name in "ab"]
    loaded(monkeypatch, a_node, *paths)
    assert stack_of(a_node).thickness == 3.2


@pytest.mark.parametrize(
    ("per_frame", "shared"),
    [
        ([{"SliceThickness": 3.0}, {"SliceThickness": 4.5}, {"SliceThickness": 3.0}], None),
        ([{"SliceThickness": 3.0}] * 3, {"SliceThickness": 4.5}),  # the frames against what they share
    ],
)
def test_several_thicknesses_are_told_and_none_is_taken(a_node, monkeypatch, tmp_path, per_frame, shared) -> None:
    loaded(monkeypatch, a_node, a_file(tmp_path / "f", per_frame, shared=shared))
    stack = stack_of(a_node)
    assert (stack.thickness, stack.thickness_source) == (pytest.approx(4.0), "assumed")
    assert sentences(stack) == (f"{TAKEN}its DICOM files say several, from 3 to 4.5 mm",)
    assert sentences(stack_of(a_node, 3.0)) == ()  # a person knows it


@pytest.mark.parametrize("measures", [{}, {"SliceThickness": None}])
def test_a_missing_thickness_is_told(a_node, monkeypatch, tmp_path, measures) -> None:
    loaded(monkeypatch, a_node, a_file(tmp_path / "f", [{"SliceThickness": 3.0}, measures, measures], shared={}))
    told = f"{TAKEN}its DICOM files do not say it, at least not of all slices"
    assert sentences(stack_of(a_node)) == (told,)
    loaded(monkeypatch, a_node, a_file(tmp_path / "g", shared={}))
    assert sentences(stack_of(a_node)) == (told,)


def test_a_spacing_that_is_not_that_of_the_voxels_is_told(a_node, monkeypatch, tmp_path) -> None:
    sizes = {"SliceThickness": 4.0, "SpacingBetweenSlices": 5.0}
    loaded(monkeypatch, a_node, a_file(tmp_path / "f", shared=sizes))
    assert sentences(stack_of(a_node)) == ("The DICOM files of head say slices every 5 mm, and they lie 4 mm apart",)


def test_files_that_are_gone_or_damaged_are_told(a_node, monkeypatch, tmp_path) -> None:
    loaded(monkeypatch, a_node, tmp_path / "gone")
    assert sentences(stack_of(a_node)) == (f"{TAKEN}the DICOM database has no file of it any more",)
    (tmp_path / "damaged.dcm").write_bytes(b"no DICOM")
    loaded(monkeypatch, a_node, tmp_path / "damaged.dcm")
    (sentence,) = sentences(stack_of(a_node))
    assert sentence.startswith(f"{TAKEN}The DICOM file {tmp_path / 'damaged.dcm'} cannot be read")


def test_a_file_is_read_once_until_it_changes(a_node, monkeypatch, tmp_path) -> None:
    path = a_file(tmp_path / "f", shared={"SliceThickness": 3.2})
    loaded(monkeypatch, a_node, path)
    before = path.stat()
    assert stack_of(a_node).thickness == 3.2
    path.write_bytes(b"")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert stack_of(a_node).thickness == 3.2
    a_file(path, shared={"SliceThickness": 2.5})
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    assert stack_of(a_node).thickness == 2.5


# --- The library's part ----------------------------------------------------------------------------------------------


def test_classic_files_say_it_in_their_own_tags(tmp_path) -> None:
    pixels = some_slices(2)
    paths = [
        write(tmp_path / name, a_slice(pixels[k], k, SliceThickness=thickness, SpacingBetweenSlices=1.7))
        for k, (name, thickness) in enumerate((("a", 2.5), ("b", None)))
    ]
    assert slice_sizes_of(paths) == SliceSizes((None, 2.5), (1.7,))


def test_what_holds_no_slices_is_refused(tmp_path) -> None:
    pixels = some_slices(1)[0]
    path = write(tmp_path / "a", a_slice(pixels, 0, SOPClassUID="1.2.840.10008.5.1.4.1.1.88.11"))
    with pytest.raises(VolumeError, match="holds no image"):
        slice_sizes_of([path])
    path = write(tmp_path / "b", a_slice(pixels, 0, ImageOrientationPatient=[1.0, 0, 0, 1, 0, 0]))
    with pytest.raises(GeometryError, match="not perpendicular unit vectors"):
        slice_sizes_of([path])


def test_many_frames_are_read_without_their_pixels(tmp_path) -> None:
    path = a_file(tmp_path / "f", [{"SliceThickness": 3.0}] * 40)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) - np.prod((39, 9, 7)) * 2])
    assert slice_sizes_of([path]).thicknesses == (3.0,)
