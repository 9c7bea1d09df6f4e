"""Stacks of odd sizes through the real command line, with a network and without: few slices, tiny and unlike pixels."""

import nibabel as nib
import numpy as np
import pytest
from models import a_through_plane_file

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

COMMANDS = ["super-resolve", "interpolate"]


def run(command, folder, path) -> int:
    """Run a command on a stack; its result is out.nrrd."""
    how = ["--method", "consistent"]
    if command == "super-resolve":
        how = ["--model", str(a_through_plane_file(folder)), "--device", "cpu"]
    return main([command, str(path), str(folder / "out.nrrd"), *how])


@pytest.mark.parametrize("command", COMMANDS)
@pytest.mark.parametrize(
    ("shape", "spacing", "size"),
    [
        ((2, 21, 18), (4.0, 0.9, 1.0), 9),
        ((3, 13, 11), (4.3, 0.5, 0.6), 26),
        ((5, 2, 3), (4.0, 0.5, 0.6), 40),
        ((2, 2, 2), (3.3, 0.7, 0.5), 13),
    ],
)
def test_a_stack_of_any_size_keeps_its_field_of_view(command, shape, spacing, size, tmp_path, capsys):
    array = np.random.default_rng(0).normal(500, 100, shape).astype(np.int16)
    write_volume(Volume(array, np.diag([*spacing[::-1], 1.0])), tmp_path / "in.nrrd")
    assert run(command, tmp_path, tmp_path / "in.nrrd") == 0
    result = read_volume(tmp_path / "out.nrrd")
    assert result.shape == (size, *shape[1:]) and result.array.dtype == np.int16
    assert size * result.spacing[0] == pytest.approx(shape[0] * spacing[0], abs=1e-6)
    assert result.spacing[1:] == pytest.approx(spacing[1:])
    edge = result.affine[2, 3] - result.spacing[0] / 2
    assert edge == pytest.approx(-spacing[0] / 2, abs=1e-6)
    told = "".join(capsys.readouterr())
    assert "mm (left-right, front-back, head-foot)" in told  # longer pixels make no stack of the result


@pytest.mark.parametrize("command", COMMANDS)
def test_what_is_no_stack_is_refused_in_a_sentence(command, tmp_path, capsys):
    values = np.random.default_rng(0).integers(0, 255, (8, 9, 5, 3)).astype(np.uint8)
    colours = np.zeros(values.shape[:3], [("R", "u1"), ("G", "u1"), ("B", "u1")])
    colours["R"] = values[..., 0]
    affine = np.diag([0.5, 0.6, 4.0, 1.0])
    for array, sentence in (
        (values, "has 4 axes (8 x 9 x 5 x 3) and a volume has 3; extract one 3D volume first"),
        (values[:, :, :1, 0], "each axis needs 2 at least"),
        (colours, "holds RGB voxels"),
    ):
        nib.save(nib.Nifti1Image(array, affine), tmp_path / "in.nii.gz")
        assert run(command, tmp_path, tmp_path / "in.nii.gz") == 2
        assert sentence in capsys.readouterr().err
