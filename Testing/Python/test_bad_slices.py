"""What slices cannot be, on the command line: one sentence with the numbers and what to do, and nothing is written."""

import json
from pathlib import Path

import numpy as np
import pytest
from models import a_through_plane_file, a_tiny_model_file

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.volumes.sidecar import sidecar_of
from SuperResolution3DLib.volumes.volume import Volume, write_volume

STACK, ISOTROPIC, TWO_LARGE, SAGITTAL = (4.0, 0.9, 1.0), (1.0, 1.0, 1.1), (4.0, 4.2, 1.0), (0.8, 0.8, 5.0)
COMMANDS = ["super-resolve", "interpolate"]


def a_file(folder: Path, spacing: tuple[float, float, float]) -> Path:
    """Write a volume of a spacing (K, J, I) = (S, A, R) in mm."""
    array = np.random.default_rng(0).normal(500, 100, (7, 9, 8)).astype(np.float32)
    path = folder / "in.nii.gz"
    write_volume(Volume(array, np.diag([*spacing[::-1], 1.0])), path)
    return path


def refusal(command, folder, capsys, path, *words, model=None) -> str:
    """Return the sentence with which a command line is refused."""
    out = folder / "out.nii.gz"
    how = ["--method", "consistent"]
    if command == "super-resolve":
        how = ["--model", str(model or a_through_plane_file(folder)), "--device", "cpu"]
    assert main([command, str(path), str(out), *how, *words]) == 2
    told = [line for line in capsys.readouterr().err.splitlines() if line.startswith("error: ")]
    assert len(told) == 1 and ". " not in told[0].removeprefix("error: ").replace(str(path), ""), "one sentence"
    assert not out.exists()
    return told[0]


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("spacing", "words", "sentence"),
    [
        (STACK, ["--slice-thickness", "12.1"], "A slice thickness of 12.1 mm is impossible for slices every 4 mm: "),
        (
            STACK,
            ["--target-spacing", "4"],
            "A target spacing of 4 mm does not suit slices every 4 mm: it is below that",
        ),
        (STACK, ["--target-spacing", "0.1"], "at least 0.125 mm, 32 voxels per slice"),
        (
            ISOTROPIC,
            [],
            "isotropic or nearly so, its voxels are 1.1 x 1 x 1 mm (left-right, front-back, head-foot), so",
        ),
        (ISOTROPIC, [], "use a model or a method for all three axes, or name the slice axis with --axis K, J or I"),
        (
            ISOTROPIC,
            ["--axis", "J"],
            "mm: choose one below that and at least 0.0312 mm, 32 voxels per slice, with --target-spacing",
        ),
        (TWO_LARGE, [], "No axis of 1 x 4.2 x 4 mm (left-right, front-back, head-foot) stands out as the slice axis"),
    ],
)
def test_what_slices_cannot_be_is_refused(command, spacing, words, sentence, tmp_path, capsys):
    assert sentence in refusal(command, tmp_path, capsys, a_file(tmp_path, spacing), *words)


def test_slices_made_of_an_isotropic_volume_need_an_axis(tmp_path, capsys):
    path = a_file(tmp_path, ISOTROPIC)
    assert main(["degrade", str(path), str(tmp_path / "out.nii.gz"), "--slice-spacing", "5"]) == 2
    assert "stands out by its spacing: say with --axis K, J or I" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize("thickness", ["0", "-4", "nan", "inf", "thin"])
def test_a_thickness_is_a_number_above_0(command, thickness, tmp_path, capsys):
    with pytest.raises(SystemExit):
        main([command, "in.nii.gz", "out.nii.gz", "--slice-thickness", thickness])
    assert f"a length is a number of mm above 0, not {thickness!r}" in capsys.readouterr().err


@pytest.mark.parametrize("command", COMMANDS)
def test_a_thickness_of_the_file_that_cannot_be_is_refused_and_another_one_helps(command, tmp_path, capsys, caplog):
    path = a_file(tmp_path, STACK)
    sidecar_of(path).write_text(json.dumps({"SliceThickness": 12.5}))
    assert "A slice thickness of 12.5 mm is impossible" in refusal(command, tmp_path, capsys, path)
    how = ["--model", str(a_through_plane_file(tmp_path)), "--device", "cpu"]
    how = how if command == "super-resolve" else ["--method", "consistent"]
    assert main([command, str(path), str(tmp_path / "out.nii.gz"), *how, "--slice-thickness", "4"]) == 0
    told = "A slice thickness of 4 mm was given and the file says 12.5 mm"
    assert told in capsys.readouterr().err + caplog.text


@pytest.mark.parametrize(
    ("spacing", "sentence"),
    [
        (
            ISOTROPIC,
            "1.1 x 1 x 1 mm (left-right, front-back, head-foot), and thick enlarges one direction alone, head-foot",
        ),
        (
            SAGITTAL,
            "whose voxels are 0.8 x 0.8 x 5 mm (front-back, head-foot, through-plane), do not lie head-foot, the one ",
        ),
    ],
)
def test_a_model_of_one_axis_takes_no_volume_that_is_not_coarse_along_it(spacing, sentence, tmp_path, capsys):
    model = a_tiny_model_file(tmp_path, (4, 1, 1), name="thick")
    path = a_file(tmp_path, spacing)
    assert sentence in refusal("super-resolve", tmp_path, capsys, path, model=model)
