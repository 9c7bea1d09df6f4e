"""The ensemble: the mean over the eight mirror images, in little memory, followed like one run."""

import itertools
import tracemalloc
from dataclasses import replace

import numpy as np
import pytest
from models import a_tiny_model

from SuperResolution3DLib.cli.time_left import TimeLeft
from SuperResolution3DLib.errors import CancelledError, InputError
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import GIB, Run, plan_tiles
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.settings import Settings
from SuperResolution3DLib.inference.super_resolve import super_resolve
from SuperResolution3DLib.inference.trust.ensemble import run_ensemble
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.box import whole
from SuperResolution3DLib.volumes.volume import Volume

FP32 = EngineSettings(device="cpu", precision="fp32")


class Follower(Monitor):
    """Remembers what it was told; may cancel after some steps."""

    def __init__(self, patience: float = np.inf) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.warnings: list[Warned] = []
        self.patience = patience

    def progress(self, stage, done, total):
        self.steps.append((stage, done, total))

    def warn(self, warned):
        self.warnings.append(warned)

    def is_cancelled(self):
        return len(self.steps) > self.patience


@pytest.fixture
def an_lr_volume():
    return np.random.default_rng(0).random((7, 10, 9), np.float32)


@pytest.fixture
def eight_results():
    """Return a function that runs a model on each mirror image by itself: (8, D, H, W), mirrored back."""

    def run(model, lr):
        axes = [axes for count in range(4) for axes in itertools.combinations(range(3), count)]
        return np.stack([np.flip(Engine(model, FP32).run(np.flip(lr, flipped)), flipped) for flipped in axes])

    return run


@pytest.mark.parametrize("scale", [(2, 2, 2), (2, 4, 1)])
def test_it_is_mean_and_standard_deviation_of_the_eight_results(tmp_path, an_lr_volume, eight_results, scale):
    model = a_tiny_model(tmp_path, scale)
    results = eight_results(model, an_lr_volume)
    engine = Engine(model, FP32)
    found = run_ensemble(engine, an_lr_volume, with_spread=True)
    np.testing.assert_allclose(found.mean, results.mean(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.spread, results.std(axis=0, ddof=1), atol=1e-5)
    assert found.spread.max() > 1e-3  # the members do differ
    assert engine.report.ensemble == 8


def test_a_region_gets_the_voxels_that_it_has_in_the_whole(tmp_path, an_lr_volume):
    model = a_tiny_model(tmp_path)
    whole = run_ensemble(Engine(model, FP32), an_lr_volume).mean
    part = run_ensemble(Engine(model, FP32), an_lr_volume, (slice(1, 5), slice(6, 10), slice(0, 3))).mean
    np.testing.assert_allclose(part, whole[2:10, 12:20, 0:6], atol=1e-5)


def test_memory_does_not_grow_with_the_members(tmp_path):
    lr = np.random.default_rng(0).random((24, 24, 24), np.float32)
    engine = Engine(a_tiny_model(tmp_path), FP32)
    tracemalloc.start()
    try:
        run_ensemble(engine, lr)
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
    one_result = 4 * lr.size * 8
    assert peak < 2.5 * one_result  # the mean and one member


def test_a_memory_limit_holds_for_a_member_and_the_mean_together(tmp_path):
    lr = np.random.default_rng(0).random((24, 24, 24), np.float32)
    model = a_tiny_model(tmp_path)
    peak = plan_tiles(Run(model.card, lr.shape, whole(lr.shape)), 4, GIB, on_cpu=True).peak_bytes
    engine = Engine(model, replace(FP32, memory_limit=(peak + 1) / GIB))
    alone = engine.run(lr)
    assert engine.report.tail_tiles == 1
    mean = run_ensemble(engine, lr).mean
    assert engine.report.tail_tiles > 1
    assert mean.shape == alone.shape
    engine.run(lr)
    assert engine.report.tail_tiles == 1


def test_progress_goes_once_through_each_stage_and_never_back(tmp_path, an_lr_volume):
    follower = Follower()
    run_ensemble(Engine(a_tiny_model(tmp_path), FP32, follower), an_lr_volume)
    assert [stage for stage, _ in itertools.groupby(stage for stage, _, _ in follower.steps)] == ["trunk", "tail"]
    for stage in ("trunk", "tail"):
        done = [step for name, step, _ in follower.steps if name == stage]
        assert done == sorted(done)
    assert follower.steps[-1] == ("tail", 1000, 1000)


def test_the_forecast_of_a_steady_ensemble_is_right_from_its_first_member_on():
    from SuperResolution3DLib.inference.trust.ensemble import _Together

    class Clock(Monitor):
        """Passes steps on to the forecast, a second after the other."""

        def __init__(self):
            self.seconds = 0.0
            self.left = TimeLeft(lambda: self.seconds)
            self.forecasts: list[tuple[float, float]] = []

        def progress(self, stage, done, total):
            left = self.left.update(stage, done, total)
            if left is not None:
                self.forecasts.append((self.seconds, left))

    clock = Clock()
    together = _Together(clock, 8)
    for together.number in range(8):
        for stage, steps in (("trunk", 59), ("tail", 41)):  # 800 s in all
            for step in range(steps):
                together.progress(stage, step, steps)
                clock.seconds += 1
            together.progress(stage, steps, steps)
    computing = [seconds + left for seconds, left in clock.forecasts if 50 < seconds < 790]
    assert computing  # 8 of the 88 parts of the time that computing takes come after it: 73 s
    assert all(abs(end - 873) < 45 for end in computing)


def test_a_warning_of_every_member_is_told_once(tmp_path, an_lr_volume):
    follower = Follower()
    model = a_tiny_model(tmp_path)
    model.network.window = 8
    engine = Engine(model, replace(FP32, window=4), follower)
    run_ensemble(engine, an_lr_volume)
    assert len(follower.warnings) == len(engine.report.warnings) == 1


def test_it_can_be_cancelled_between_members(tmp_path, an_lr_volume):
    with pytest.raises(CancelledError):
        run_ensemble(Engine(a_tiny_model(tmp_path), FP32, Follower(patience=40)), an_lr_volume)


def test_a_corner_grid_is_refused_before_anything_is_computed(tmp_path, a_phantom):
    model = a_tiny_model(tmp_path, grid="corner")
    with pytest.raises(InputError, match="tiny works on the corner grid, which is another one in a mirror: omit"):
        super_resolve(Volume(a_phantom.array, a_phantom.affine), model, Settings(device="cpu", ensemble=True))


def test_a_volume_and_its_mirror_image_have_mirrored_results(tmp_path, a_phantom):
    settings = Settings("cpu", "fp32", ensemble=True)
    model = a_tiny_model(tmp_path)
    result = super_resolve(Volume(a_phantom.array, np.diag([1.5, 2, 1, 1])), model, settings)
    mirrored = super_resolve(Volume(a_phantom.array[:, ::-1].copy(), np.diag([1.5, 2, 1, 1])), model, settings)
    np.testing.assert_allclose(mirrored.volume.array[:, ::-1], result.volume.array, atol=1e-3)
    assert result.report.ensemble == 8
    alone = super_resolve(Volume(a_phantom.array, np.diag([1.5, 2, 1, 1])), model, Settings("cpu", "fp32"))
    assert alone.report.ensemble == 1
    assert np.abs(alone.volume.array - result.volume.array).max() > 1e-2
