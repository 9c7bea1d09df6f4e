"""Enhanced multi-frame files: frames in any order, each with its place and its rescale, of several echoes and times."""

import numpy as np
import pytest
from dicom_files import LPS_TO_RAS, a_grid, an_enhanced_file, placement, some_slices, write, write_slices
from pydicom.uid import EnhancedCTImageStorage, ExplicitVRLittleEndian, ImplicitVRLittleEndian, RLELossless

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.volumes.dicom.choice import Choice
from SuperResolution3DLib.volumes.volume import read_volume

ORDER = (3, 0, 4, 2, 1)  # of the slices in the file


def where(k):
    """Return the functional groups that tell the place of slice k."""
    place = placement(a_grid(), k)
    return {"PlanePositionSequence": {"ImagePositionPatient": place["ImagePositionPatient"]}}


def in_common():
    place = placement(a_grid(), 0)
    return {
        "PlaneOrientationSequence": {"ImageOrientationPatient": place["ImageOrientationPatient"]},
        "PixelMeasuresSequence": {
            "PixelSpacing": place["PixelSpacing"],
            "SliceThickness": 2.5,
            "SpacingBetweenSlices": 1.7,
        },
    }


@pytest.mark.parametrize("syntax", ["explicit", "implicit", "rle"])
def test_an_enhanced_file_is_read_as_the_classic_series_of_the_same_slices(tmp_path, syntax):
    array = some_slices(5)
    image = an_enhanced_file([(array[k], where(k)) for k in ORDER], shared=in_common())
    if syntax == "rle":
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.compress(RLELossless, generate_instance_uid=False)
        write(tmp_path / "enhanced" / "one.dcm", image, RLELossless)
    else:
        uids = {"implicit": ImplicitVRLittleEndian}
        write(tmp_path / "enhanced" / "one.dcm", image, *([uids[syntax]] if syntax in uids else []))
    write_slices(tmp_path / "classic", array)
    enhanced, classic = read_volume(tmp_path / "enhanced"), read_volume(tmp_path / "classic")
    np.testing.assert_array_equal(enhanced.array, array)
    np.testing.assert_array_equal(classic.array, array)
    np.testing.assert_allclose(enhanced.affine, LPS_TO_RAS @ a_grid(), atol=1e-8)
    np.testing.assert_allclose(enhanced.affine, classic.affine, atol=1e-8)
    assert (enhanced.modality, enhanced.slice_thickness, enhanced.slice_spacing) == ("MR", 2.5, 1.7)


def test_each_frame_is_rescaled_in_its_own_way(tmp_path):
    array, slopes = some_slices(5), (1.0, 0.5, 0.25, 2.0, 1.5)
    frames = [
        (
            array[k],
            where(k) | {"PixelValueTransformationSequence": {"RescaleSlope": slopes[k], "RescaleIntercept": -1024}},
        )
        for k in ORDER
    ]
    write(tmp_path / "f" / "a", an_enhanced_file(frames, shared=in_common(), sop_class=EnhancedCTImageStorage))
    expected = array * np.array(slopes)[:, None, None] - 1024
    np.testing.assert_array_equal(read_volume(tmp_path / "f").array, expected)


def test_a_rescale_that_all_frames_share_gives_whole_hounsfield_units(tmp_path):
    array = some_slices(5)
    shared = in_common() | {"PixelValueTransformationSequence": {"RescaleSlope": 1, "RescaleIntercept": -1024}}
    frames = [(array[k], where(k)) for k in ORDER]
    image = an_enhanced_file(frames, shared=shared, sop_class=EnhancedCTImageStorage, Modality="CT")
    write(tmp_path / "f" / "a", image)
    volume = read_volume(tmp_path / "f")
    np.testing.assert_array_equal(volume.array, array.astype(int) - 1024)
    assert (volume.array.dtype, volume.modality) == (np.int16, "CT")


def several(tmp_path, extra):
    """Write one file of 2 x 3 slices; ``extra`` tells the functional groups of volume v."""
    volumes = [some_slices(3, seed) for seed in (1, 2)]
    frames = [(volumes[v][k], where(k) | extra(v)) for k in (2, 0, 1) for v in (1, 0)]
    write(tmp_path / "f" / "a", an_enhanced_file(frames, shared=in_common()))
    return tmp_path / "f", volumes


def test_echoes_inside_an_enhanced_file_are_listed_and_chosen(tmp_path):
    folder, volumes = several(tmp_path, lambda v: {"MREchoSequence": {"EffectiveEchoTime": (4.5, 90.0)[v]}})
    with pytest.raises(
        VolumeError, match=r"holds 2 volumes whose slices differ in echo, choose one with --echo N: "
    ) as told:
        read_volume(folder)
    assert "echo 1 (4.5 ms), time point 1, oblique axial, 3 slices; stack 2: echo 2 (90 ms)" in str(told.value)
    for v, echo in enumerate((1, 2)):
        np.testing.assert_array_equal(read_volume(folder, Choice(echo=echo)).array, volumes[v])


@pytest.mark.parametrize(
    "extra",
    [
        lambda v: {"FrameContentSequence": {"TemporalPositionIndex": (3, 10)[v]}},
        lambda v: {"MRDiffusionSequence": {"DiffusionBValue": (50.0, 1000.0)[v]}},
        lambda v: {"CardiacSynchronizationSequence": {"NominalCardiacTriggerDelayTime": (9.5, 120.0)[v]}},
    ],
)
def test_time_points_inside_an_enhanced_file_are_chosen(tmp_path, extra):
    folder, volumes = several(tmp_path, extra)
    with pytest.raises(VolumeError, match=r"slices differ in time point, choose one with --time-point N: "):
        read_volume(folder)
    for v in (0, 1):
        np.testing.assert_array_equal(read_volume(folder, Choice(time_point=v + 1)).array, volumes[v])


def test_magnitude_and_phase_inside_an_enhanced_file_are_chosen_by_stack(tmp_path):
    folder, volumes = several(
        tmp_path, lambda v: {"MRImageFrameTypeSequence": {"FrameType": ["ORIGINAL", "PRIMARY", "X", ("M", "P")[v]]}}
    )
    with pytest.raises(VolumeError, match=r"slices differ in kind, choose one with --stack N: .*ORIGINAL/PRIMARY/X/P"):
        read_volume(folder)
    for v in (0, 1):
        np.testing.assert_array_equal(read_volume(folder, Choice(stack=v + 1)).array, volumes[v])


def test_frames_without_a_place_of_their_own_are_refused(tmp_path):
    image = an_enhanced_file([(plane, where(k)) for k, plane in enumerate(some_slices(4))], shared=in_common())
    del image.PerFrameFunctionalGroupsSequence[2:]
    write(tmp_path / "f" / "a", image)
    with pytest.raises(VolumeError, match="with 4 frames and gives the position of 2 of them"):
        read_volume(tmp_path / "f")


def test_frames_that_are_cut_off_are_refused(tmp_path):
    image = an_enhanced_file([(plane, where(k)) for k, plane in enumerate(some_slices(4))], shared=in_common())
    image.PixelData = image.PixelData[:-126]
    write(tmp_path / "f" / "a", image)
    with pytest.raises(VolumeError, match=r"a cannot be read, .*126 of the 504 bytes of its pixels are missing"):
        read_volume(tmp_path / "f")
