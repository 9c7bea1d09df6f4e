"""Node -> real worker -> node: grids and places to fractions of a voxel; torch stays out of Slicer's process."""

import subprocess
import sys

import numpy as np
import pytest
import slicer
from logic_fixtures import LEFT, RIGHT, SHAPE, a_core, a_model, a_node  # noqa: F401 (fixtures)

from Testing.Python.models import a_tiny_model_file
from Testing.Slicer.module import MODULE_FILE
from Testing.Slicer.volumes import add_volume, field_of_view_corners, turned, voxel_positions

# isort: split
from SuperResolution3DSlicer.runs.volume_task import (
    ZERO_FILLED_ROLE,
)

from SuperResolution3D import SuperResolution3DLogic


@pytest.mark.parametrize(
    ("affine", "grid"),
    [(RIGHT, "center"), (LEFT, "center"), (LEFT, "corner")],
    ids=["oblique, center", "left-handed, center", "left-handed, corner"],
)
def test_grid_of_the_result_is_exact_through_the_real_worker(a_core, tmp_path, affine, grid) -> None:
    array = np.random.default_rng(0).normal(500, 100, SHAPE).astype(np.float32)
    node = add_volume(a_core, array, affine)
    result = SuperResolution3DLogic().superResolve(
        node, str(a_tiny_model_file(tmp_path, (2, 2, 2), grid=grid)), device="cpu"
    )
    if grid == "center":
        np.testing.assert_allclose(field_of_view_corners(result), field_of_view_corners(node), atol=0.01)
    else:  # LR voxel i lies on SR voxel 2 * i, counted along R, A, S; this volume counts its slices downwards
        positions = voxel_positions(result)[1::2, ::2, ::2]
        np.testing.assert_allclose(positions, voxel_positions(node), atol=0.01)


def test_blob_stays_in_its_place_through_the_real_worker(a_core) -> None:
    affine = turned((4.0, 4.0, 4.0), (-30.0, 20.0, 5.0), left_handed=True)
    node = add_volume(a_core, np.zeros((13, 15, 14), np.float32), affine)
    centre = voxel_positions(node)[6, 7, 7] + (1.3, -0.8, 0.9)
    distance = ((voxel_positions(node) - centre) ** 2).sum(axis=-1)
    slicer.util.updateVolumeFromArray(node, (1000 * np.exp(-distance / (2 * 7.0**2))).astype(np.float32))
    result = SuperResolution3DLogic().superResolve(node, device="cpu", zeroFilled=True)
    zero_filled = result.GetNodeReference(ZERO_FILLED_ROLE)
    assert np.linalg.norm(_centre_of_mass(zero_filled) - _centre_of_mass(node)) < 0.05
    assert np.linalg.norm(_centre_of_mass(result) - _centre_of_mass(node)) < 0.3
    assert float(result.GetAttribute("SuperResolution3D.ResidualRmsPercent")) > 0


def _centre_of_mass(node: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    voxels = slicer.util.arrayFromVolume(node).astype(np.float64)
    weights = np.where(voxels > 20, voxels, 0)  # ringing far from the blob has a long lever
    return (voxel_positions(node) * weights[..., None]).sum(axis=(0, 1, 2)) / weights.sum()


def test_simulated_low_resolution_volume_covers_the_same_field_of_view(a_core) -> None:
    array = np.random.default_rng(0).normal(500, 100, (20, 24, 28)).astype(np.int16)
    node = add_volume(a_core, array, turned((1.0, 1.1, 1.2), (5.0, 6.0, 7.0), left_handed=True))
    low = SuperResolution3DLogic().simulateLowResolution(node)
    assert low.GetName() == "head LR"
    assert slicer.util.arrayFromVolume(low).shape == (5, 6, 7)
    np.testing.assert_allclose(field_of_view_corners(low), field_of_view_corners(node), atol=0.01)


# --- Import ----------------------------------------------------------------------------------------------------------


def test_importing_and_opening_the_module_leaves_torch_out() -> None:
    program = (
        "import sys; from pathlib import Path; from Testing.Slicer import double;"
        f"module = double.load_module(Path({str(MODULE_FILE)!r})); double.turn(50); module.close();"
        "print(*sorted({'torch', 'SimpleITK', 'monai', 'matplotlib', 'scipy'} & set(sys.modules)))"
    )
    run = subprocess.run(
        [sys.executable, "-c", program], cwd=MODULE_FILE.parents[1], capture_output=True, text=True, timeout=300
    )
    assert run.returncode == 0, run.stderr
    assert run.stdout.strip() == ""
