"""Anatomy stays in its place from a node through the real worker process to the result's node."""

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import slicer
from core_fixtures import a_core  # noqa: F401 (fixture)

from SuperResolution3DLib.cli.super_resolve_job import Job
from Testing.Slicer import double
from Testing.Slicer.module import MODULE_FILE  # noqa: F401 - installs the double
from Testing.Slicer.volumes import add_volume, affine_of, field_of_view_corners, turned, voxel_positions

# isort: split
from SuperResolution3DSlicer.panel.model_file import model_of
from SuperResolution3DSlicer.runs.low_resolution_task import LowResolution
from SuperResolution3DSlicer.runs.run import Follower
from SuperResolution3DSlicer.runs.volume_task import ZERO_FILLED_ROLE, Request, SuperResolution
from SuperResolution3DSlicer.scene.nodes import add_result, read_result, write_node
from SuperResolution3DSlicer.scene.placement import Placement
from SuperResolution3DSlicer.self_test.fake_process import pretend

from SuperResolution3D import SuperResolution3DLogic

ROOT = Path(__file__).resolve().parents[2]
SPACING = (4.0, 4.0, 4.0)
GRIDS = {
    "axial": np.diag([*SPACING, 1.0]),
    "oblique": turned(SPACING, (-31.5, 12.25, 7.0), left_handed=False),
    "left-handed": turned(SPACING, (-31.5, 12.25, 7.0), left_handed=True),
    # slices from left to right, rows from the front to the back, as a sagittal scan in LPS is stored
    "sagittal": np.array([[0, 0, -4.0, 40], [-4.0, 0, 0, 50], [0, -4.0, 0, 60], [0, 0, 0, 1]]),
}
TURNED = slicer.util.vtkMatrixFromArray(turned((1, 1, 1), (3, 4, 5), left_handed=False))
PATIENT = 120_000  # ms; other work may share the machine
BRIGHT = 0.1  # of the peak; below lies what a network adds to an empty background


@pytest.fixture(params=GRIDS)
def a_blob(request, a_core) -> slicer.vtkMRMLScalarVolumeNode:
    """A Gaussian of 6 mm, off the middle of an odd-sized grid, under a parent transform."""
    node = add_volume(a_core, np.zeros((17, 21, 19), np.float32), GRIDS[request.param], "blob")
    squared = np.sum((voxel_positions(node) - _true_centre(node)) ** 2, axis=-1)
    slicer.util.updateVolumeFromArray(node, (1000 * np.exp(-squared / (2 * 6**2))).astype(np.float32))
    transform = a_core.scene.AddNewNodeByClass("vtkMRMLLinearTransformNode")
    moved = turned((1, 1, 1), (100, -50, 25), left_handed=False)
    transform.SetMatrixTransformToParent(slicer.util.vtkMatrixFromArray(moved))
    node.SetAndObserveTransformNodeID(transform.GetID())
    return node


def test_on_the_center_grid_sr_covers_the_field_of_view_of_lr_and_the_blob_stays(a_blob, tmp_path) -> None:
    sr = _through_worker(a_blob, tmp_path, ["interpolate", "--method=zero-fill", "--scale=4", "--grid=center"])
    lr_corners, sr_corners = field_of_view_corners(a_blob), field_of_view_corners(sr)
    assert np.linalg.norm(lr_corners - sr_corners, axis=-1).max() < 0.01
    assert _shift_of_bounds(a_blob, sr) < 0.01, "with the parent transform, in the world"
    assert np.linalg.norm(_centre_of_mass(sr) - _true_centre(a_blob)) < 0.05


def test_on_the_corner_grid_lr_voxels_lie_on_sr_voxels_and_the_blob_stays(a_blob, tmp_path) -> None:
    sr = _through_worker(a_blob, tmp_path, ["interpolate", "--method=zero-fill", "--scale=4", "--grid=corner"])
    # SR voxels are counted along the canonical axes: from the other end where a file's axis runs to L, P or I.
    starts = [3 if _runs_backwards(a_blob, axis) else 0 for axis in (2, 1, 0)]
    on_lr = voxel_positions(sr)[starts[0] :: 4, starts[1] :: 4, starts[2] :: 4]
    assert np.linalg.norm(on_lr - voxel_positions(a_blob), axis=-1).max() < 0.01
    assert np.linalg.norm(_centre_of_mass(sr) - _true_centre(a_blob)) < 0.05


@pytest.mark.parametrize("a_blob", ["left-handed"], indirect=True)
def test_scaling_one_axis_alone_keeps_the_place(a_blob, tmp_path) -> None:
    sr = _through_worker(a_blob, tmp_path, ["interpolate", "--method=zero-fill", "--scale=4,1,1"])
    assert slicer.util.arrayFromVolume(sr).shape == (68, 21, 19)
    assert np.linalg.norm(field_of_view_corners(a_blob) - field_of_view_corners(sr), axis=-1).max() < 0.01
    assert np.linalg.norm(_centre_of_mass(sr) - _true_centre(a_blob)) < 0.05


@pytest.mark.parametrize("a_blob", ["oblique", "left-handed"], indirect=True)
def test_the_shipped_model_keeps_the_place(a_blob, tmp_path) -> None:
    job = Job(Path("lr.nrrd"), Path("sr.nrrd"), model="mr-brain-x4", device="cpu", zero_filled=Path("zf.nrrd"))
    *options, _separator, _input, _output = job.to_arguments()
    sr = _through_worker(a_blob, tmp_path, options)
    zero_filled = add_result(read_result(tmp_path / "zf.nrrd"), "zero-filled", a_blob, {})
    assert np.linalg.norm(field_of_view_corners(a_blob) - field_of_view_corners(sr), axis=-1).max() < 0.01
    assert np.linalg.norm(_centre_of_mass(sr, BRIGHT) - _true_centre(a_blob)) < 0.3
    np.testing.assert_array_equal(affine_of(zero_filled), affine_of(sr))
    assert np.linalg.norm(_centre_of_mass(zero_filled) - _true_centre(a_blob)) < 0.05


@pytest.mark.parametrize("a_blob", ["left-handed"], indirect=True)
def test_a_region_lies_where_it_was_cut(a_blob, tmp_path) -> None:
    options = ["super-resolve", "--model=mr-brain-x4", "--device=cpu", "--region=3:9,4:11,5:12"]
    sr = _through_worker(a_blob, tmp_path, options)
    ends = np.stack(np.meshgrid((4.5, 11.5), (3.5, 10.5), (2.5, 8.5), indexing="ij"), axis=-1)  # outer faces, I J K
    affine = affine_of(a_blob)
    expected = ends @ affine[:3, :3].T + affine[:3, 3]
    assert np.linalg.norm(field_of_view_corners(sr) - expected, axis=-1).max() < 0.01


@pytest.mark.parametrize(
    ("change", "is_told"),
    [
        (lambda node, transform: None, False),
        (lambda node, transform: node.HardenTransform(), True),
        (lambda node, transform: node.SetAndObserveTransformNodeID(None), True),
        (lambda node, transform: (node.HardenTransform(), transform.SetMatrixTransformToParent(TURNED)), True),
        (lambda node, transform: slicer.mrmlScene.RemoveNode(transform), True),
        (lambda node, transform: node.SetOrigin(1, 2, 3), True),
    ],
    ids=["nothing", "hardened", "taken out", "hardened, transform changed", "transform deleted", "moved"],
)
@pytest.mark.parametrize("kind", ["super-resolution", "low resolution"])
@pytest.mark.parametrize("a_blob", ["left-handed"], indirect=True)
def test_a_result_lies_where_its_input_lay_when_the_run_began(a_blob, change, is_told, kind) -> None:
    model = model_of(None)
    before, first = _world_corners(a_blob), _first_voxel(a_blob)
    task = LowResolution(a_blob, model.card)
    if kind == "super-resolution":
        task = SuperResolution(Request(a_blob, model, with_zero_filled=True))
    queue = SuperResolution3DLogic(pretend("done")[0]).start([task], Follower())
    change(a_blob, slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLinearTransformNode"))
    double.wait_until(lambda: queue.is_over, PATIENT)
    result = queue.outcomes[0].node
    if kind == "low resolution":  # the process that pretends takes every fourth voxel from the first on
        np.testing.assert_allclose(_first_voxel(result), first, atol=0.01)
    else:
        for node in (result, result.GetNodeReference(ZERO_FILLED_ROLE)):
            np.testing.assert_allclose(_world_corners(node), before, atol=0.01)
    told = f"blob was moved or transformed during the run; {result.GetName()} lies where blob lay when the run began."
    assert task.notes == ([told] if is_told else [])


@pytest.mark.parametrize("a_blob", ["left-handed"], indirect=True)
def test_a_result_follows_its_inputs_transform_that_is_changed_during_the_run(a_blob) -> None:
    task = SuperResolution(Request(a_blob, model_of(None)))
    queue = SuperResolution3DLogic(pretend("done")[0]).start([task], Follower())
    slicer.mrmlScene.GetFirstNodeByClass("vtkMRMLLinearTransformNode").SetMatrixTransformToParent(TURNED)
    double.wait_until(lambda: queue.is_over, PATIENT)
    np.testing.assert_allclose(_world_corners(queue.outcomes[0].node), _world_corners(a_blob), atol=0.01)
    assert task.notes == []


def _world_corners(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return the outer corners in the world, RAS mm (8, 3)."""
    to_world = Placement.of(node).to_world
    corners = field_of_view_corners(node).reshape(-1, 3)
    corners = corners @ to_world[:3, :3].T + to_world[:3, 3]
    return corners[np.lexsort(corners.T.round(1))]


def _first_voxel(node: slicer.vtkMRMLVolumeNode) -> np.ndarray:
    """Return its place in the world, RAS mm (3,)."""
    placement = Placement.of(node)
    return (placement.to_world @ placement.affine)[:3, 3]


def _through_worker(
    node: slicer.vtkMRMLScalarVolumeNode, folder: Path, options: list[str]
) -> slicer.vtkMRMLScalarVolumeNode:
    """Write a node, run the program in a process of its own and read the result."""
    write_node(node, folder / "lr.nrrd")
    command = [sys.executable, "-m", "SuperResolution3DLib", *options, "--", "lr.nrrd", "sr.nrrd"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}
    run = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return add_result(read_result(folder / "sr.nrrd"), "sr", node, {})


def _true_centre(lr_node: slicer.vtkMRMLScalarVolumeNode) -> np.ndarray:
    """Return where the blob is drawn, between voxels: RAS mm (3,)."""
    return (affine_of(lr_node) @ (9.3, 9.6, 8.1, 1))[:3]


def _centre_of_mass(node: slicer.vtkMRMLScalarVolumeNode, share_of_peak: float = -np.inf) -> np.ndarray:
    """Return RAS mm (3,) of the voxels above a share of the peak."""
    values = slicer.util.arrayFromVolume(node).astype(np.float64)
    values = np.where(values > share_of_peak * values.max(), values, 0)
    return np.average(voxel_positions(node).reshape(-1, 3), axis=0, weights=values.ravel())


def _shift_of_bounds(first: slicer.vtkMRMLVolumeNode, second: slicer.vtkMRMLVolumeNode) -> float:
    bounds = [[0.0] * 6, [0.0] * 6]
    first.GetRASBounds(bounds[0])
    second.GetRASBounds(bounds[1])
    return float(np.abs(np.subtract(*bounds)).max())


def _runs_backwards(node: slicer.vtkMRMLVolumeNode, axis: int) -> bool:
    """Tell whether voxel axis I, J or K (0, 1, 2) runs to the left, back or down, whichever it is nearest to."""
    direction = affine_of(node)[:3, axis]
    return bool(direction[np.argmax(np.abs(direction))] < 0)
