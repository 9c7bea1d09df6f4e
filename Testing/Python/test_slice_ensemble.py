"""The mean over the mirror images of thick slices: that of eight runs, however they lie and are cut."""

import itertools
import json
import tracemalloc
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from models import a_through_plane_file, a_through_plane_model

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.errors import CancelledError
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference import between_slices
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.slice_engine import SliceEngine
from SuperResolution3DLib.inference.slice_plan import SliceGrid
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.inference.trust.ensemble import run_ensemble
from SuperResolution3DLib.models.checkpoint import Model
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

FP32 = Settings(device="cpu", precision="fp32", data_consistency="off")
MIRRORS = [axes for count in range(4) for axes in itertools.combinations(range(3), count)]  # of a file's K, J, I
AXIAL = np.array([[0.9, 0, 0, -8], [0, 1.1, 0, 3], [0, 0, 4.3, 20], [0, 0, 0, 1]])
SAGITTAL = np.array([[0, 0, 4.3, 7], [-1.1, 0, 0, 30], [0, -0.9, 0, 11], [0, 0, 0, 1]])
LEFT_HANDED = AXIAL @ np.diag([-1, 1, 1, 1])
FROM_THE_TOP = AXIAL @ np.diag([1, 1, -1, 1])  # the slices are turned to run toward the head, and so is their profile
UNEVEN = (0.0, 4.3, 8.3, 12.9, 17.0, 21.5)


def oblique() -> np.ndarray:
    """Tilted slices whose axes are left-handed."""
    u, _, vt = np.linalg.svd(np.array([[0.95, -0.2, 0.25], [0.15, 0.98, -0.1], [-0.2, 0.15, 0.96]]))
    affine = LEFT_HANDED.copy()
    affine[:3, :3] = u @ vt @ LEFT_HANDED[:3, :3]
    return affine


def a_stack(affine: np.ndarray = AXIAL, positions: tuple[float, ...] | None = None) -> Volume:
    """Six slices of an odd number of rows and columns, where the trunk takes 2 x 2 pixels."""
    array = np.random.default_rng(1).random((6, 13, 11), np.float32) * 1000
    return Volume(array, affine, slice_thickness=3.6, slice_positions=positions)


def mirrored(volume: Volume, axes: tuple[int, ...]) -> Volume:
    positions = volume.slice_positions
    if positions is not None and 0 in axes:
        positions = tuple(positions[-1] - place for place in reversed(positions))
    return replace(volume, array=np.flip(volume.array, axes).copy(), slice_positions=positions)


def eight_runs(volume: Volume, model: Model, settings: Settings) -> np.ndarray:
    """Run each mirror image of a volume by itself: (8, K, J, I), mirrored back."""
    found = []
    for axes in MIRRORS:
        region = settings.region and tuple(
            slice(size - part.stop, size - part.start) if axis in axes else part
            for axis, (part, size) in enumerate(zip(settings.region, volume.shape, strict=True))
        )
        result = super_resolve(mirrored(volume, axes), model, replace(settings, region=region)).volume
        found.append(np.flip(result.array, axes))
    return np.stack(found)


@pytest.fixture
def a_model(tmp_path) -> Model:
    return a_through_plane_model(tmp_path)


# --- The mean --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("affine", "positions", "changes"),
    [
        (AXIAL, None, {}),
        (SAGITTAL, None, {"target_spacing": 0.83}),
        (oblique(), None, {}),
        (AXIAL, UNEVEN, {}),
        (FROM_THE_TOP, UNEVEN, {}),
        (AXIAL, UNEVEN, {"region": (slice(1, 4), slice(3, 10), slice(0, 8))}),
        (FROM_THE_TOP, None, {"region": (slice(0, 2), slice(6, 13), slice(4, 11))}),
    ],
    ids=["axial", "sagittal", "oblique", "uneven", "uneven from the top", "region", "region from the top"],
)
def test_it_is_the_mean_of_eight_runs_on_mirror_images(a_model, affine, positions, changes):
    volume, settings = a_stack(affine, positions), replace(FP32, **changes)
    results = eight_runs(volume, a_model, settings)
    found = super_resolve(volume, a_model, replace(settings, ensemble=True))
    np.testing.assert_allclose(found.volume.array, results.mean(axis=0), atol=0.01)  # of 1000
    assert results.std(axis=0).max() > 1  # the members do differ
    alone = super_resolve(volume, a_model, settings)
    assert found.volume.array.shape == alone.volume.array.shape
    np.testing.assert_array_equal(found.volume.affine, alone.volume.affine)
    assert (found.report.ensemble, alone.report.ensemble) == (8, 1)


def test_a_cut_in_the_middle_of_a_voxel_is_the_same_in_the_mirror(a_model):
    """Of 27 result voxels of six slices the middle one belongs to either half; a mirror image may not decide anew."""
    centres = tuple(2.25 + 4.5 * index for index in range(6))
    grid = SliceGrid(SliceProfile.over_slices("gaussian", 4.0, centres, 1.0), 1.0)
    assert [grid.result_voxels(part) for part in (slice(0, 3), slice(3, 6))] == [slice(0, 14), slice(14, 27)]
    turned = grid.mirrored()
    assert [turned.result_voxels(part) for part in (slice(0, 3), slice(3, 6))] == [slice(0, 13), slice(13, 27)]
    assert turned.mirrored() is grid
    lr = np.random.default_rng(0).random((6, 9, 7), np.float32)
    engine = SliceEngine(a_model, grid, EngineSettings("cpu", "fp32"))
    whole = run_ensemble(engine, lr).mean
    part = run_ensemble(engine, lr, (slice(0, 3), slice(0, 9), slice(0, 7))).mean
    np.testing.assert_allclose(part, whole[:14], atol=1e-5)


def test_a_mirrored_profile_measures_the_mirrored_volume():
    profile = SliceProfile.over_slices("gaussian", 3.0, UNEVEN, 0.9)
    np.testing.assert_allclose(profile.mirrored().matrix(), profile.matrix()[::-1, ::-1], atol=1e-9)


def test_projected_it_is_what_the_slices_measured(a_model):
    settings = replace(FP32, ensemble=True, data_consistency="project")
    stack = a_stack(FROM_THE_TOP, UNEVEN)
    found = super_resolve(stack, a_model, settings)
    stack_of = between_slices.stack_of(stack, settings)
    matrix = stack_of.profile(stack_of.target_spacing()).matrix()
    np.testing.assert_allclose(np.tensordot(matrix, found.volume.array, 1), stack.array, atol=0.05)  # of 1000
    assert found.report.data_consistency.projected


# --- As one run ------------------------------------------------------------------------------------------------------


class Follower(Monitor):
    """Remembers what it was told; may cancel after some steps."""

    def __init__(self, patience: float = np.inf) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.patience = patience

    def progress(self, stage, done, total):
        self.steps.append((stage, done, total))

    def is_cancelled(self):
        return len(self.steps) > self.patience


def test_progress_goes_once_through_each_stage_and_never_back(a_model):
    follower = Follower()
    super_resolve(a_stack(), a_model, replace(FP32, ensemble=True), follower)
    assert [stage for stage, _ in itertools.groupby(stage for stage, _, _ in follower.steps)] == ["trunk", "tail"]
    for stage in ("trunk", "tail"):
        done = [step for name, step, _ in follower.steps if name == stage]
        assert done == sorted(done)


def test_it_can_be_cancelled_between_members(a_model):
    one_run = Follower()
    super_resolve(a_stack(), a_model, FP32, one_run)
    follower = Follower(patience=3 * len(one_run.steps))
    with pytest.raises(CancelledError):
        super_resolve(a_stack(), a_model, replace(FP32, ensemble=True), follower)


def test_memory_holds_the_mean_and_one_member(a_model):
    lr = np.random.default_rng(0).random((24, 48, 48), np.float32)
    centres = tuple(4.0 + 8 * index for index in range(24))
    grid = SliceGrid(SliceProfile.over_slices("gaussian", 7.0, centres, 1.0), 1.0)
    engine = SliceEngine(a_model, grid, EngineSettings("cpu", "fp32"))
    engine.run(lr)  # what is imported at the first run counts to no member
    tracemalloc.start()
    try:
        mean = run_ensemble(engine, lr).mean
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    assert mean.shape == (192, 48, 48)
    assert peak < 2.5 * mean.nbytes


@pytest.mark.parametrize(
    ("dtype", "changes", "with_interpolated", "bytes_a_voxel"),
    [
        (np.int16, {}, False, 4 + 2),
        (np.int16, {"ensemble": True}, False, 4 + 4),
        (np.int16, {"ensemble": True}, True, 4 + 4 + 2),
        (np.float64, {"ensemble": True}, False, 4 + 8),
    ],
)
def test_the_memory_that_is_asked_for_holds_the_mean(
    a_model, monkeypatch, dtype, changes, with_interpolated, bytes_a_voxel
):
    asked, choose = [], between_slices.choose_memory
    monkeypatch.setattr(
        between_slices,
        "choose_memory",
        lambda needed, *given, **named: asked.append(needed) or choose(0, *given, **named),
    )
    volume = replace(a_stack(), array=a_stack().array.astype(dtype))
    settings = replace(FP32, **changes)
    result = super_resolve(volume, a_model, settings, with_zero_filled=with_interpolated).volume
    assert asked == [bytes_a_voxel * result.array.size]


# --- The command -----------------------------------------------------------------------------------------------------


def test_the_command_averages_what_it_makes_of_mirrored_files(tmp_path):
    model, stack = a_through_plane_file(tmp_path), a_stack(oblique())

    def run(volume: Volume, name: str, *more: str) -> Path:
        path, out = tmp_path / f"{name}.nii.gz", tmp_path / f"{name}-sr.nii.gz"
        write_volume(volume, path)
        words = [path, out, "--model", model, "--device", "cpu", "--precision", "fp32", "--slice-thickness", "3.6"]
        assert main(["super-resolve", *map(str, words), "--data-consistency", "off", *more]) == 0
        return out

    results = []
    for axes in MIRRORS:
        out = run(mirrored(stack, axes), "mirror" + "".join("KJI"[axis] for axis in axes))
        results.append(np.flip(read_volume(out).array, axes))
    report = tmp_path / "report.json"
    found = read_volume(run(stack, "stack", "--ensemble", "--report", str(report)))
    np.testing.assert_allclose(found.array, np.mean(results, axis=0), atol=0.01)  # of 1000
    assert json.loads(report.read_text())["ensemble"] == 8
