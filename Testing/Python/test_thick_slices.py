"""Thick slices of whole volumes: exact grids, centres that stay where they are, and what is said of them."""

import json
from dataclasses import replace

import numpy as np
import pytest
from centres import centre_of

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.errors import GeometryError, InputError, ResourceError
from SuperResolution3DLib.inference import thick_slices
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.thick_slices import degrade_slices, interpolate_slices
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

SHAPE = (43, 49, 45)  # K, J, I


def an_oblique_affine(signs=(1, 1, 1)) -> np.ndarray:
    a, b = np.deg2rad(25), np.deg2rad(-15)
    turn = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    turn = turn @ [[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]]
    affine = np.eye(4)
    affine[:3, :3] = turn[:, [2, 0, 1]] * (0.9, 1.0, 1.1) * signs
    affine[:3, 3] = (11.0, -70.5, 33.25)
    return affine


def in_mm(volume: Volume) -> np.ndarray:
    """Return the RAS place of each voxel, (K, J, I, 3)."""
    k, j, i = np.meshgrid(*(np.arange(size) for size in volume.shape), indexing="ij")
    return np.stack([i, j, k, np.ones_like(i)], -1) @ volume.affine[:3].T


def a_blob(signs=(1, 1, 1)) -> Volume:
    affine = an_oblique_affine(signs)
    places = in_mm(Volume(np.zeros(SHAPE), affine))
    centre = (affine @ [21.3, 25.1, 20.2, 1])[:3]
    squared = ((places - centre) ** 2).sum(-1)
    return Volume((1000 * np.exp(-squared / (2 * 4.0**2))).astype(np.float32), affine, "MR")


def field_of_view(volume: Volume) -> np.ndarray:
    """Return the outer corners of the first and the last voxel in RAS mm, (2, 3)."""
    last = np.array(volume.shape[::-1]) - 0.5
    return np.array([volume.affine[:3] @ [-0.5, -0.5, -0.5, 1], volume.affine[:3] @ [*last, 1]])


@pytest.mark.parametrize("axis", ["K", "J", "I"])
@pytest.mark.parametrize("signs", [(1, 1, 1), (-1, 1, 1), (-1, -1, 1)])
@pytest.mark.parametrize(("spacing", "thickness", "target"), [(3.7, 3.0, 1.0), (5.2, 5.2, 0.8), (3.3, 4.0, None)])
def test_a_blob_stays_in_its_place_through_degrading_and_interpolating(axis, signs, spacing, thickness, target):
    hr = a_blob(signs)
    lr, cropped, _ = degrade_slices(hr, spacing, thickness, axis)
    result, report = interpolate_slices(lr, slice_stack(lr, thickness, axis), target)
    assert np.abs(centre_of(lr) - centre_of(cropped)).max() < 0.05
    assert np.abs(centre_of(result) - centre_of(hr)).max() < 0.05 * min(result.spacing)
    np.testing.assert_allclose(field_of_view(result), field_of_view(lr), atol=0.01)
    assert np.abs(field_of_view(lr) - field_of_view(cropped)).max() < 1.1
    assert report.field_of_view_mm == pytest.approx(lr.shape["KJI".index(axis)] * spacing, abs=0.01)
    assert result.modality == "MR"


def test_slices_of_whole_voxels_cover_the_volume_cropped_to_them():
    hr = Volume(np.arange(31 * 4 * 5, dtype=np.float64).reshape(31, 4, 5), an_oblique_affine())
    lr, cropped, model = degrade_slices(hr, 3.3, 2.2, "K", "rectangular")
    assert (lr.shape, cropped.shape) == ((10, 4, 5), (30, 4, 5))
    np.testing.assert_allclose(field_of_view(lr), field_of_view(cropped), atol=1e-9)
    np.testing.assert_allclose(model.degrade(cropped.array), lr.array)
    by_hand = (0.5 * cropped.array[0] + cropped.array[1] + 0.5 * cropped.array[2]) / 2
    np.testing.assert_allclose(lr.array[0], by_hand)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, np.float64])
def test_the_data_type_is_kept_and_constants_too(dtype):
    volume = Volume(np.full((6, 5, 4), 117, dtype), np.diag([0.5, 0.5, 4.4, 1]))
    result, _ = interpolate_slices(volume)
    assert result.array.dtype == dtype
    np.testing.assert_allclose(result.array, 117, atol=1e-4)


def test_blocks_give_what_the_whole_gives(monkeypatch):
    volume = Volume(np.random.default_rng(0).normal(size=(6, 7, 8)), np.diag([0.5, 0.5, 4.4, 1]))
    whole, report = interpolate_slices(volume)
    monkeypatch.setattr("SuperResolution3DLib.forward.forward_model.BLOCK_VOXELS", 500)
    blocks, in_blocks = interpolate_slices(volume)
    np.testing.assert_allclose(blocks.array, whole.array, atol=1e-12)
    assert in_blocks.residual_rms_percent == pytest.approx(report.residual_rms_percent)


def test_auto_is_the_pixel_size_but_not_below_0_4_mm():
    array = np.zeros((6, 7, 8))
    assert slice_stack(Volume(array, np.diag([0.8, 0.7, 5, 1]))).target_spacing() == pytest.approx(0.7)
    assert slice_stack(Volume(array, np.diag([0.2, 0.2, 5, 1]))).target_spacing() == pytest.approx(0.4)


def test_uneven_slices_are_used_as_they_lie():
    centres = np.arange(13) * 4.0 + np.random.default_rng(4).uniform(-0.19, 0.19, 13)
    centres -= centres[0]
    even = Volume(np.zeros((13, 4, 4)), np.diag([1.0, 1.0, centres[-1] / 12, 1]))
    even.array[:] = centres[:, None, None]  # each voxel says where it lies
    uneven = replace(even, slice_positions=tuple(centres))
    result, report = interpolate_slices(uneven, target_spacing=0.8, noise=0)
    heights, middle = in_mm(result)[..., 2], slice(15, -15)  # away from where the border is repeated
    np.testing.assert_allclose(result.array[middle], heights[middle], atol=0.05)
    assert np.abs(interpolate_slices(even, target_spacing=0.8, noise=0)[0].array[middle] - heights[middle]).max() > 0.1
    assert result.slice_positions is None and report.residual_rms_percent < 1e-9
    off = 100 * np.abs(np.diff(centres) * 12 / centres[-1] - 1).max()
    assert report.unevenness_percent == pytest.approx(off, abs=1e-3)
    assert f"1 x 1 x 3.98 mm, uneven by up to {off:.2g} %, thickness" in report.sentence
    assert f"distances up to {off:.2g} % off the mean" in str(slice_stack(uneven).warnings[0])
    with pytest.raises(GeometryError, match="slices 1 and 2, 2 and 3"):
        slice_stack(replace(even, slice_positions=(0, 4, 9.5, *centres[3:])))
    with pytest.raises(GeometryError, match=r"lie unevenly along axis K, .* choose --axis K"):
        slice_stack(uneven, axis="J")
    with pytest.raises(ValueError, match="13 slices have as many positions, not 2"):
        slice_stack(replace(even, slice_positions=(2.0, 6.0)))


def test_the_report_says_where_the_thickness_came_from():
    volume = Volume(np.random.default_rng(0).normal(size=(30, 5, 4)), np.diag([0.6, 0.6, 3.3, 1]))
    _, assumed = interpolate_slices(volume)
    assert (assumed.thickness_source, assumed.slice_thickness_mm) == ("assumed", pytest.approx(3.3))
    assert "axial slices of 0.6 x 0.6 x 3.3 mm, thickness 3.3 mm (assumed to be the spacing)" in assumed.sentence
    assert ", computed with a profile 2.31 mm wide: " in assumed.sentence and assumed.profile_width_mm < 2.32
    _, given = interpolate_slices(volume, slice_stack(volume, 3.0), 1.3)
    assert "thickness 3 mm (as given): 1.303 mm between slices, 1.3 mm were wanted" in given.sentence
    assert "field of view 99.00 mm kept" in given.sentence
    assert json.loads(json.dumps(given.to_dict()))["in_plane_spacing_mm"] == [0.6, 0.6]
    assert 0 < given.residual_rms_percent < 10
    assert interpolate_slices(volume, noise=0)[1].residual_rms_percent < 1e-9


def test_the_file_says_how_thick_slices_are_and_a_contradiction_is_told():
    volume = Volume(np.zeros((6, 7, 8)), np.diag([0.5, 0.5, 4.4, 1]), "MR", slice_thickness=4.0, slice_spacing=4.4)
    assert (slice_stack(volume).thickness, slice_stack(volume).thickness_source) == (4.0, "file")
    assert slice_stack(volume, 4.5).warnings == ()
    contradicted = slice_stack(volume, 3.0)
    assert (contradicted.thickness, contradicted.thickness_source) == (3.0, "given")
    (warned,) = contradicted.warnings
    assert str(warned) == "A slice thickness of 3 mm was given and the file says 4 mm"
    result, _ = interpolate_slices(volume, contradicted)
    assert (result.slice_thickness, result.slice_spacing) == (None, None)
    stack, *_ = degrade_slices(a_blob(), 5.0, 4.0, "J")
    assert (stack.slice_thickness, stack.slice_spacing) == (4.0, 5.0)


def test_the_slice_spacing_of_the_file_tells_the_axis_where_the_voxels_do_not():
    volume = Volume(np.zeros((6, 7, 8)), np.diag([1.0, 3.3, 3.0, 1]))
    with pytest.raises(GeometryError, match="stands out"):
        slice_stack(volume)
    assert slice_stack(replace(volume, slice_spacing=3.0)).axis.letter == "K"
    assert slice_stack(replace(volume, slice_spacing=3.0), axis="J").axis.letter == "J"
    with pytest.raises(GeometryError, match="stands out"):
        slice_stack(replace(volume, slice_spacing=2.0))
    with pytest.raises(GeometryError, match="isotropic"):
        slice_stack(replace(volume, affine=np.diag([0.9, 0.9, 1.0, 1]), slice_spacing=1.0))


@pytest.mark.parametrize("target", [5.0, 4.0, 0.1])
def test_a_target_spacing_that_does_not_suit_the_slices_is_refused(target):
    stack = slice_stack(Volume(np.zeros((6, 7, 8)), np.diag([0.5, 0.5, 4.0, 1])))
    with pytest.raises(InputError, match=r"does not suit slices every 4 mm: .* at least 0.125 mm"):
        stack.target_spacing(target)


def test_a_result_that_cannot_fit_is_refused(monkeypatch):
    monkeypatch.setattr(thick_slices, "free_memory", lambda: 1000)
    with pytest.raises(ResourceError, match=r"0.5 mm between slices takes .* choose a larger --target-spacing"):
        interpolate_slices(Volume(np.zeros((6, 7, 8)), np.diag([0.5, 0.5, 4.0, 1])))


def test_slices_closer_than_the_voxels_are_refused():
    with pytest.raises(InputError, match=r"every 1 mm are closer than the volume's own 1.1 mm front-back"):
        degrade_slices(a_blob(), 1.0, axis="K")


# --- Command line ----------------------------------------------------------------------------------------------------


@pytest.fixture
def a_folder(tmp_path, monkeypatch):
    write_volume(a_blob(), tmp_path / "hr.nrrd")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_slices_are_made_and_interpolated_from_the_command_line(a_folder, capsys):
    degrade = "degrade hr.nrrd slices.nrrd --slice-thickness 5 --slice-spacing 6.2 --axis J --hr-out cropped.nrrd"
    assert main(degrade.split()) == 0
    assert "gaussian slices 5 mm thick, as slices.json says" in capsys.readouterr().out
    interpolate = "interpolate slices.nrrd fine.nrrd --method consistent --slice-thickness 5 --target-spacing 0.8"
    assert main(interpolate.split()) == 0
    printed = capsys.readouterr().out
    assert " slices of " in printed
    assert "thickness 5 mm (as given)" in printed
    fine, slices = read_volume("fine.nrrd"), read_volume("slices.nrrd")
    assert slices.shape == (43, 7, 45)
    assert fine.shape == (43, 54, 45)
    np.testing.assert_allclose(field_of_view(fine), field_of_view(slices), atol=0.01)
    assert np.abs(centre_of(fine) - centre_of(read_volume("hr.nrrd"))).max() < 0.05 * min(fine.spacing)
    assert read_volume("cropped.nrrd").shape == (43, 44, 45)
    auto = "interpolate slices.nrrd auto.nrrd --method consistent --target-spacing auto --overwrite"
    assert main(auto.split()) == 0
    assert "thickness 5 mm (from the file)" in capsys.readouterr().out
    (a_folder / "slices.json").unlink()
    assert main(auto.split()) == 0
    assert "thickness 6.2 mm (assumed to be the spacing)" in capsys.readouterr().out
    assert read_volume("auto.nrrd").spacing[1] == pytest.approx(0.9, abs=0.01)


def test_another_sidecar_is_not_overwritten_unasked(a_folder, capsys):
    (a_folder / "out.json").write_text("{}")
    degrade = "degrade hr.nrrd out.nrrd --slice-spacing 4 --axis K"
    assert main(degrade.split()) == 2
    assert "out.json" in capsys.readouterr().err
    assert not (a_folder / "out.nrrd").exists()
    assert main([*degrade.split(), "--overwrite"]) == 0
    volume = read_volume("out.nrrd")
    assert (volume.slice_thickness, volume.slice_spacing) == (4, 4)


@pytest.mark.parametrize(
    ("command", "message"),
    [
        ("degrade hr.nrrd out.nrrd --slice-spacing 4", "with --axis K, J or I"),
        (
            "degrade hr.nrrd out.nrrd --slice-spacing 4 --axis K --scale 4",
            "--scale does not go with --slice-spacing MM",
        ),
        ("degrade hr.nrrd out.nrrd --slice-thickness 4", "--slice-thickness goes with --slice-spacing MM only"),
        ("degrade hr.nrrd out.nrrd --slice-spacing 4 --axis K --slice-thickness 13", "at most 3 spacings, 12 mm"),
        ("interpolate hr.nrrd out.nrrd --method consistent", "stands out as the slice axis"),
        (
            "interpolate hr.nrrd out.nrrd --method consistent --grid center",
            "--grid does not go with --method consistent",
        ),
        ("interpolate hr.nrrd out.nrrd --method cubic --axis K", "--axis goes with --method consistent only"),
        (
            "interpolate hr.nrrd out.nrrd --method consistent --axis K --target-spacing 2",
            "does not suit slices every 1.1",
        ),
    ],
)
def test_options_that_make_no_sense_are_told_in_a_sentence(a_folder, capsys, command, message):
    assert main(command.split()) == 2
    assert message in capsys.readouterr().err
    assert not (a_folder / "out.nrrd").exists()


@pytest.mark.parametrize("option", ["--slice-thickness 0", "--slice-thickness thick", "--target-spacing -1"])
def test_a_length_is_a_number_above_0(a_folder, capsys, option):
    with pytest.raises(SystemExit, match="2"):
        main(f"interpolate hr.nrrd out.nrrd --method consistent {option}".split())
    assert "a length is a number of mm above 0" in capsys.readouterr().err
