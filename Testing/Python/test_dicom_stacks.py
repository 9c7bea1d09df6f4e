"""The volumes inside a series: echoes, time points, kinds and mosaics; and whether a stack of slices is even."""

import numpy as np
import pytest
import SimpleITK as sitk
from dicom_files import LPS_TO_RAS, SERIES, a_grid, a_slice, some_slices, write, write_slices

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.volumes.dicom.choice import Choice
from SuperResolution3DLib.volumes.volume import read_volume


@pytest.fixture
def a_folder(tmp_path):
    return tmp_path / "series"


# --- Several volumes in a series -------------------------------------------------------------------------------------


def write_two(folder, tags, count=3):
    """Write two volumes into one series; ``tags`` tells those of volume v."""
    volumes = [some_slices(count, seed) for seed in (1, 2)]
    for v in (1, 0):
        write_slices(folder, volumes[v], name=f"V{v}-", **tags(v))
    return volumes


def test_echoes_are_listed_and_chosen_by_their_number(a_folder):
    volumes = write_two(a_folder, lambda v: {"EchoNumbers": (2, 5)[v], "EchoTime": (4.6, 92)[v]})
    with pytest.raises(VolumeError, match=r"differ in echo, choose one with --echo N: ") as told:
        read_volume(a_folder)
    assert "stack 1: echo 2 (4.6 ms), time point 1, oblique axial, 3 slices; stack 2: echo 5 (92 ms)" in str(told.value)
    assert ". " not in str(told.value).replace(str(a_folder), "")
    for v, echo in enumerate((2, 5)):
        np.testing.assert_array_equal(read_volume(a_folder, Choice(SERIES, echo=echo)).array, volumes[v])
    with pytest.raises(VolumeError, match=r"holds no volume for --echo 1, choose one of these: stack 1: echo 2 "):
        read_volume(a_folder, Choice(echo=1))


@pytest.mark.parametrize("numbers", [(None, None), (1, 1)])
def test_echoes_that_have_no_numbers_are_counted_by_their_time(a_folder, numbers):
    volumes = write_two(a_folder, lambda v: {"EchoNumbers": numbers[v], "EchoTime": (4.6, 92)[v]})
    for v in (0, 1):
        np.testing.assert_array_equal(read_volume(a_folder, Choice(echo=v + 1)).array, volumes[v])


@pytest.mark.parametrize(
    "tags",
    [
        lambda v: {"TemporalPositionIdentifier": (9, 10)[v]},
        lambda v: {"DiffusionBValue": (0.0, 1000.0)[v]},
        lambda v: {"TriggerTime": (9.5, 120)[v]},
        lambda v: {"AcquisitionNumber": (2, 11)[v]},
        lambda v: {"AcquisitionTime": ("095959.5", "101500")[v]},
    ],
)
def test_time_points_are_chosen_in_their_order(a_folder, tags):
    volumes = write_two(a_folder, tags)
    with pytest.raises(VolumeError, match="differ in time point, choose one with --time-point N: "):
        read_volume(a_folder)
    for v in (0, 1):
        np.testing.assert_array_equal(read_volume(a_folder, Choice(time_point=v + 1)).array, volumes[v])


def test_times_that_differ_from_slice_to_slice_make_no_time_points(a_folder):
    array = some_slices(4)
    for k, plane in enumerate(array):
        tags = {"TriggerTime": 10 * k, "AcquisitionNumber": k + 1, "AcquisitionTime": f"10000{k}"}
        write(a_folder / f"{k}", a_slice(plane, k, **tags))
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_two_echoes_that_share_no_position_are_no_volume_together(a_folder):
    for k, plane in enumerate(some_slices(6)):
        write(a_folder / f"{k}", a_slice(plane, k, EchoNumbers=1 + k // 3, EchoTime=5 + 80 * (k // 3)))
    with pytest.raises(VolumeError, match="differ in echo"):
        read_volume(a_folder)


@pytest.mark.parametrize("types", [("ORIGINAL/PRIMARY/M", "ORIGINAL/PRIMARY/P"), ("ORIGINAL", "DERIVED")])
def test_two_kinds_that_share_no_position_are_no_volume_together(a_folder, types):
    for k, plane in enumerate(some_slices(6)):
        write(a_folder / f"{k}", a_slice(plane, k, ImageType=types[k // 3].split("/")))
    with pytest.raises(VolumeError, match="differ in kind, choose one with --stack N: "):
        read_volume(a_folder)


def test_remarks_on_single_slices_and_echo_times_a_hair_apart_split_no_volume(a_folder):
    array = some_slices(6)
    for k, plane in enumerate(array):
        kind = ["ORIGINAL", "PRIMARY", "M", "ND", *(["NORM"] if k == 2 else [])]
        write(a_folder / f"{k}", a_slice(plane, k, ImageType=kind, EchoTime=99 + 0.1 * k))
    np.testing.assert_array_equal(read_volume(a_folder).array, array)


def test_kinds_at_the_same_positions_are_chosen_by_stack(a_folder):
    volumes = write_two(a_folder, lambda v: {"ImageType": ["DERIVED", "SECONDARY", ("ADC", "TRACEW")[v]]})
    with pytest.raises(VolumeError, match=r"differ in kind, choose one with --stack N: .*DERIVED/SECONDARY/TRACEW"):
        read_volume(a_folder)
    for v in (0, 1):
        np.testing.assert_array_equal(read_volume(a_folder, Choice(stack=v + 1)).array, volumes[v])


def test_stacks_of_another_orientation_are_chosen_by_number(a_folder):
    array = some_slices(4)
    write_slices(a_folder, array)
    upright = np.diag([0.8, 1.1, 3.0, 1.0])
    write_slices(a_folder, some_slices(2, 1), upright, name="U")
    with pytest.raises(VolumeError, match=r"are not parallel, choose one with --stack N: .* axial, 2 slices"):
        read_volume(a_folder)
    np.testing.assert_array_equal(read_volume(a_folder, Choice(stack=1)).array, array)


def test_a_long_list_of_time_points_is_cut_short(a_folder):
    for v in range(20):
        write_slices(a_folder, some_slices(2, v), name=f"V{v:02d}-", TemporalPositionIdentifier=v + 1)
    with pytest.raises(VolumeError, match=r"holds 20 volumes .*; and 8 more$"):
        read_volume(a_folder)


def test_mosaics_are_refused_as_what_they_are(a_folder):
    positions = [np.array([-100.0, -100, 40 + 0.2 * k]) for k in range(2)]
    write_slices(a_folder, some_slices(2), positions=positions, ImageType=["ORIGINAL", "PRIMARY", "M", "ND", "MOSAIC"])
    with pytest.raises(VolumeError, match="holds 2 mosaics, pictures of all slices side by side; convert it"):
        read_volume(a_folder)
    write_slices(a_folder, some_slices(3), name="other", SeriesInstanceUID="1.2.5")
    with pytest.raises(VolumeError, match=r"\(without description, 2 mosaics\)"):
        read_volume(a_folder)


# --- Even stacks -----------------------------------------------------------------------------------------------------


def write_gaps(folder, gaps, digits=9, grid=None):
    """Write slices with these distances (mm) along the normal, their positions rounded."""
    grid = a_grid() if grid is None else grid
    normal = grid[:3, 2] / np.linalg.norm(grid[:3, 2])
    heights = np.concatenate([[0], np.cumsum(gaps)])
    positions = [np.round(grid[:3, 3] + height * normal, digits) for height in heights]
    array = some_slices(len(heights))
    write_slices(folder, array, grid, positions=positions, SliceThickness=None)
    return array


def test_a_spacing_that_changes_little_by_little_is_refused_as_that(a_folder):
    write_gaps(a_folder, [1.000] * 100 + [1.009] * 100)
    expected = r"from 1 mm in its first third to 1.009 mm in its last, which puts .* 0.22\d* mm off an even grid"
    with pytest.raises(GeometryError, match=expected):
        read_volume(a_folder)


@pytest.mark.parametrize("gaps", [[3] * 6 + [5] * 6, [2.5] * 8 + [5] * 5, [5] * 4 + [1.25] * 9])
def test_a_change_of_spacing_is_not_taken_for_missing_files(a_folder, gaps):
    write_gaps(a_folder, gaps)
    expected = rf"changes along the stack, from {gaps[0]:g} mm in its first third to {gaps[-1]:g} mm in its last"
    with pytest.raises(GeometryError, match=expected):
        read_volume(a_folder)


def test_missing_slices_at_several_places_are_counted(a_folder):
    write_gaps(a_folder, [2, 2, 4, 2, 2, 2, 6, 2, 2])
    with pytest.raises(GeometryError, match=r"About 3 of the DICOM slices .* are 6 mm apart where the others are 2 mm"):
        read_volume(a_folder)


@pytest.mark.parametrize("digits", [1, 2, 3])
@pytest.mark.parametrize("spacing", [1.0, 0.625, 1.7, 3.3])
@pytest.mark.parametrize("oblique", [True, False])
def test_positions_that_an_exporter_rounded_are_accepted(a_folder, digits, spacing, oblique):
    grid = a_grid((spacing, 1.1, 0.8))
    if not oblique:
        grid = np.diag([0.8, 1.1, spacing, 1.0])
        grid[:3, 3] = (-31.512, 12.256, 40.037)
    array = write_gaps(a_folder, [spacing] * 60, digits, grid)
    volume = read_volume(a_folder)
    np.testing.assert_array_equal(volume.array, array)
    step = 10.0**-digits
    corner = np.array([6, 8, 60, 1.0])
    assert np.abs(volume.affine @ corner - LPS_TO_RAS @ grid @ corner).max() < step
    assert abs(volume.spacing[0] - spacing) < step / 20


def test_a_slice_out_of_place_by_more_than_the_rounding_is_refused(a_folder):
    write_gaps(a_folder, [1.0] * 20 + [1.2, 0.8] + [1.0] * 20, 1, np.diag([0.8, 1.1, 1.0, 1.0]))
    with pytest.raises(GeometryError, match="unevenly spaced"):
        read_volume(a_folder)


def test_one_slice_shifted_sideways_is_refused(a_folder):
    grid = a_grid()
    positions = [grid[:3, 3] + k * grid[:3, 2] + (2.0 if k == 4 else 0) * grid[:3, 0] for k in range(9)]
    write_slices(a_folder, some_slices(9), positions=positions)
    with pytest.raises(GeometryError, match=r"is shifted sideways by 1\.\d+ mm against the others"):
        read_volume(a_folder)


def test_simpleitk_puts_a_classic_series_at_the_same_place(a_folder):
    array = some_slices(6)
    write_slices(a_folder, array)
    reader = sitk.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(a_folder)))
    image = reader.Execute()
    volume = read_volume(a_folder)
    np.testing.assert_array_equal(sitk.GetArrayFromImage(image), volume.array)
    for ijk in ((0, 0, 0), (6, 8, 5), (3, 1, 2)):
        expected = LPS_TO_RAS @ (*image.TransformIndexToPhysicalPoint(ijk), 1)
        np.testing.assert_allclose(volume.affine @ (*ijk, 1), expected, atol=1e-6)


def test_thickness_and_spacing_between_slices_are_kept_if_all_slices_agree(a_folder, tmp_path):
    write_slices(a_folder, some_slices(4), SliceThickness=5, SpacingBetweenSlices=1.7)
    volume = read_volume(a_folder)
    assert (volume.slice_thickness, volume.slice_spacing) == (5.0, 1.7)
    for k, plane in enumerate(some_slices(4)):
        write(tmp_path / "other" / f"{k}", a_slice(plane, k, SliceThickness=5 + k % 2))
    volume = read_volume(tmp_path / "other")
    assert (volume.slice_thickness, volume.slice_spacing) == (None, None)
