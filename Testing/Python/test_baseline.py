"""What `compare` holds an SR against: of thick slices the interpolation between them, else zero-filled k-space."""

import re

import numpy as np
import pytest

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.cli.baseline import baseline_of
from SuperResolution3DLib.errors import ExitCode, GeometryError
from SuperResolution3DLib.forward.interpolation import interpolate
from SuperResolution3DLib.inference.slice_stack import slice_stack
from SuperResolution3DLib.inference.thick_slices import degrade_slices, interpolate_slices
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

OBLIQUE = np.array([[0.96, -0.1, 0.26, -30], [0.13, 0.99, -0.09, 12], [-0.25, 0.12, 0.96, 5], [0, 0, 0, 1.0]])


def an_hr(signs=(1, 1, 1)) -> Volume:
    u, _, vt = np.linalg.svd(OBLIQUE[:3, :3])
    affine = OBLIQUE.copy()
    affine[:3, :3] = (u @ vt)[:, [2, 0, 1]] * signs  # I, J, K run along S, R, A
    place = np.indices((38, 31, 35)).astype(float)
    wave = 100 + 40 * np.sin(place[0] / 3) * np.cos(place[1] / 4 + place[2] / 5) + place.sum(axis=0)
    return Volume(wave.astype(np.float32), affine)


@pytest.mark.parametrize("axis", ["K", "J", "I"])
@pytest.mark.parametrize("signs", [(1, 1, 1), (1, -1, 1)])
def test_between_slices_it_is_the_consistent_interpolation(axis, signs) -> None:
    lr = degrade_slices(an_hr(signs), 4.3, 3.6, axis)[0]
    sr, report = interpolate_slices(lr, slice_stack(lr, axis=axis), 0.9)
    baseline = baseline_of(lr.canonical(), sr.canonical())
    assert baseline.label == "consistent interpolation"
    assert baseline.words == f"{4.3 / report.result_spacing_mm:.3g}x between {report.plane} slices"
    np.testing.assert_allclose(baseline.interpolate(lr.canonical()), sr.canonical().array, atol=1e-3)


def test_of_a_part_it_is_that_part() -> None:
    lr = degrade_slices(an_hr(), 4.3, 3.6, "K")[0]
    sr = interpolate_slices(lr, slice_stack(lr, axis="K"), 0.9)[0]
    affine = sr.affine.copy()
    affine[:, 3] = sr.affine @ [4, 3, 2, 1]
    part = Volume(sr.array[2:20, 3:25, 4:30], affine)
    baseline = baseline_of(lr.canonical(), part.canonical())
    np.testing.assert_allclose(baseline.interpolate(lr.canonical()), part.canonical().array, atol=1e-3)


def test_for_whole_factors_it_is_zero_filled_kspace() -> None:
    lr = an_hr().canonical()
    for scale, words in (((2, 1, 2), "2x left-right, 2x head-foot"), ((3, 1, 1), "3x head-foot")):
        array = interpolate(lr.array, scale, "center", "zero-fill")
        first = [(1 / factor - 1) / 2 for factor in scale]
        affine = lr.affine @ np.diag([*(1 / factor for factor in scale[::-1]), 1])
        affine[:, 3] = lr.affine @ [*first[::-1], 1]
        baseline = baseline_of(lr, Volume(array, affine))
        assert (baseline.label, baseline.words) == ("zero-filled k-space", f"{words}, center grid")
        np.testing.assert_allclose(baseline.interpolate(lr), array, atol=1e-3)


def test_slices_that_the_sr_does_not_fit_are_refused() -> None:
    lr = degrade_slices(an_hr(), 4.3, 3.6, "K")[0]
    sr = interpolate_slices(lr, slice_stack(lr, axis="K"), 0.9)[0]
    moved = sr.affine.copy()
    moved[:3, 3] += 0.2
    with pytest.raises(GeometryError, match=r"does not lie between the slices of the LR, .* do not coincide"):
        baseline_of(lr.canonical(), Volume(sr.array, moved).canonical())


def test_the_command_scores_and_draws_thick_slices(tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    write_volume(an_hr(), "hr.nrrd")
    for line in (
        "degrade hr.nrrd lr.nrrd --slice-spacing 4.3 --axis J --hr-out cropped.nrrd",
        "interpolate lr.nrrd sr.nrrd --method consistent --axis J --target-spacing 1",
    ):
        assert main(line.split()) == 0
    capsys.readouterr()
    assert main(["compare", "--lr", "lr.nrrd", "--sr", "sr.nrrd", "out.png"]) == 0
    assert "x between oblique (" in capsys.readouterr().out
    assert (tmp_path / "out.png").read_bytes().startswith(b"\x89PNG")
    sr = read_volume("sr.nrrd")
    assert main(["compare", "--lr", "lr.nrrd", "--sr", "sr.nrrd", "--hr", "sr.nrrd", "scored.png"]) == 0  # on one grid
    rows = dict(re.findall(r"^(consistent interpolation|SR) +(\S+) +\S+$", capsys.readouterr().out, re.MULTILINE))
    assert rows["SR"] == "inf" and float(rows["consistent interpolation"]) > 80
    write_volume(Volume(sr.array, sr.affine @ np.diag([1, 1.3, 1, 1])), "odd.nrrd")
    assert main(["compare", "--lr", "lr.nrrd", "--sr", "odd.nrrd", "no.png"]) == ExitCode.BAD_INPUT
    assert not (tmp_path / "no.png").exists()
