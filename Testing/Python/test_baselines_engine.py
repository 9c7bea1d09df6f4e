"""The engine with the networks that the RRDBNet is measured against: tiles, windows, regions, cancelling."""

import copy
import json

import numpy as np
import pytest
import torch
from baseline_models import SIZES, TILED, a_baseline, a_baseline_file

from SuperResolution3DLib.__main__ import main
from SuperResolution3DLib.errors import CancelledError, ResourceError
from SuperResolution3DLib.forward.kspace import zero_fill
from SuperResolution3DLib.inference import engine as engine_module
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import GIB, Run, TilePlan, plan_tiles, trunk_halo
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.networks.trilinear import trilinear
from SuperResolution3DLib.sentence import Warned
from SuperResolution3DLib.volumes.box import tiles, whole
from SuperResolution3DLib.volumes.geometry import sr_affine
from SuperResolution3DLib.volumes.volume import Volume, read_volume, write_volume

FP32 = EngineSettings(device="cpu", precision="fp32")
GRIDS = ["center", "corner"]


class Recorder(Monitor):
    """Remembers what it was told; cancels when it was asked a number of times."""

    def __init__(self, questions: float = np.inf) -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.warnings: list[tuple[str, str]] = []
        self.questions = questions

    def progress(self, stage: str, done: int, total: int) -> None:
        self.steps.append((stage, done, total))

    def warn(self, warned: Warned) -> None:
        self.warnings.append((warned.kind, str(warned)))

    def is_cancelled(self) -> bool:
        self.questions -= 1
        return self.questions < 0


@pytest.fixture
def an_lr_volume():
    return np.random.default_rng(0).random((7, 10, 9), np.float32)


def whole_network(model, lr: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        sr = model.network(torch.from_numpy(lr)[None, None])[0, 0].numpy()
    return sr if model.card.skip == "none" else sr + zero_fill(lr, model.card.scale, model.card.grid)


def rounding(wanted: np.ndarray) -> float:
    """Return how far voxels may differ in fp32; some untrained networks give voxels around 10."""
    return 1e-5 * max(1, float(np.abs(wanted).max()))


def with_tiles(monkeypatch, trunk_tile, tail_tile, *, halos=(None, None)):
    """Make the engine use these tiles whatever the memory, with the halos of the plan unless others are given."""

    def plan(run, *_, **__):
        trunk, tail = trunk_halo(run.card), run.card.footprint().tail_halo
        return TilePlan(trunk_tile, trunk if halos[0] is None else halos[0], tail_tile, halos[1] or tail, 0)

    monkeypatch.setattr(engine_module, "plan_tiles", plan)


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("scale", [(4, 4, 4), (4, 1, 1), (2, 3, 1)])
@pytest.mark.parametrize("size", TILED)
def test_a_run_in_tiles_equals_the_network_on_the_whole_volume(tmp_path, monkeypatch, an_lr_volume, size, scale, grid):
    model = a_baseline(tmp_path, size, scale, grid)
    wanted = whole_network(model, an_lr_volume)
    np.testing.assert_allclose(Engine(model, FP32).run(an_lr_volume), wanted, atol=rounding(wanted))
    with_tiles(monkeypatch, (4, 5, 9), (3, 4, 2))
    engine = Engine(model, FP32)
    np.testing.assert_allclose(engine.run(an_lr_volume), wanted, atol=rounding(wanted))
    assert engine.report.tail_tiles == 45
    assert engine.report.trunk_tiles == 4
    assert engine.report.trunk_saw_whole_volume  # as much as it can see


@pytest.mark.parametrize("size", ["srresnet", "srresnet-original"])
def test_a_trunk_halo_one_voxel_short_would_be_noticed(tmp_path, monkeypatch, size):
    model = a_baseline(tmp_path, size)
    lr = np.random.default_rng(0).random((9, 10, 40), np.float32)
    wanted = whole_network(model, lr)
    reach = model.card.footprint().trunk_reach
    with_tiles(monkeypatch, (9, 10, 12), (32, 32, 32), halos=(reach, None))
    np.testing.assert_allclose(Engine(model, FP32).run(lr), wanted, atol=rounding(wanted))
    with_tiles(monkeypatch, (9, 10, 12), (32, 32, 32), halos=(reach - 1, None))
    engine = Engine(model, FP32)
    assert np.abs(engine.run(lr) - wanted).max() > rounding(wanted)
    assert not engine.report.trunk_saw_whole_volume


@pytest.mark.parametrize("grid", GRIDS)
@pytest.mark.parametrize("size", TILED)
def test_a_tail_halo_one_voxel_short_would_be_noticed(tmp_path, monkeypatch, an_lr_volume, size, grid):
    model = a_baseline(tmp_path, size, (4, 4, 4), grid)
    halo = tuple(reach - 1 for reach in model.card.footprint().tail_halo)
    with_tiles(monkeypatch, (7, 10, 9), (3, 4, 2), halos=(None, halo))
    assert np.abs(Engine(model, FP32).run(an_lr_volume) - whole_network(model, an_lr_volume)).max() > 1e-5


@pytest.mark.parametrize("size", SIZES)
def test_a_region_is_cut_from_the_whole_result(tmp_path, an_lr_volume, size):
    model = a_baseline(tmp_path, size)
    region = (slice(2, 5), slice(0, 4), slice(6, 9))
    whole = Engine(model, FP32).run(an_lr_volume)
    np.testing.assert_allclose(Engine(model, FP32).run(an_lr_volume, region), whole[4:10, 0:8, 12:18], atol=1e-5)


@pytest.mark.parametrize("size", ["dcsrn", "rcan", "srresnet-original"])
def test_the_zero_filled_skip_is_added_once(tmp_path, size):
    model = a_baseline(tmp_path, size, skip="zero-filled")
    lr = np.random.default_rng(0).random((7, 8, 5), np.float32)  # one window of rcan
    wanted = whole_network(model, lr)
    np.testing.assert_allclose(Engine(model, FP32).run(lr), wanted, atol=rounding(wanted))


@pytest.mark.parametrize("shape", [(9, 12, 10), (8, 13, 21)])
def test_rcan_runs_in_windows_of_its_training_patch_laid_as_monais(tmp_path, shape):
    inferers = pytest.importorskip("monai.inferers")
    model = a_baseline(tmp_path, "rcan", (2, 3, 2))
    lr = np.random.default_rng(1).random(shape, np.float32)
    engine = Engine(model, FP32)
    sr = engine.run(lr)
    wanted = inferers.sliding_window_inference(
        torch.from_numpy(lr)[None, None], (8, 8, 8), 2, model.network, overlap=0.5, mode="gaussian"
    )
    np.testing.assert_allclose(sr, wanted[0, 0].numpy(), atol=1e-5 * float(wanted.abs().max()))
    assert engine.report.windows > 1
    assert np.abs(sr - whole_network(model, lr)).max() > 1e-2  # which is why


@pytest.mark.parametrize("grid", GRIDS)
def test_windows_of_dcsrnet_are_those_of_monai_on_the_enlarged_volume(tmp_path, grid):
    """The published inference of networks with an interpolated input: the HR patch's size, at HR resolution."""
    inferers = pytest.importorskip("monai.inferers")
    scale = (2, 3, 2)
    model = a_baseline(tmp_path, "dcsrn", scale, grid=grid)
    lr = np.random.default_rng(1).random((9, 12, 10), np.float32)
    sr = Engine(model, EngineSettings("cpu", "fp32", window=6, overlap=0.5)).run(lr)
    enlarged = trilinear(torch.from_numpy(lr)[None, None], scale, grid)
    body = copy.deepcopy(model.network)
    body.scale = (1, 1, 1)  # interpolates nothing
    with torch.no_grad():
        wanted = inferers.sliding_window_inference(enlarged, (12, 18, 12), 2, body, overlap=0.5, mode="gaussian")
    np.testing.assert_allclose(sr, wanted[0, 0].numpy(), atol=1e-5 * float(wanted.abs().max()))


def test_windows_that_a_model_was_not_made_for_are_pointed_out(tmp_path, an_lr_volume):
    monitor = Recorder()
    Engine(a_baseline(tmp_path, "rcan"), EngineSettings("cpu", "fp32", window=6), monitor).run(an_lr_volume)
    assert monitor.warnings == [("window", "Windows of 6 LR voxels; the model was made for 8")]
    for size, window in (("rcan", 8), ("rcan", None), ("dcsrn", 6)):
        monitor = Recorder()
        settings = EngineSettings("cpu", "fp32", window=window)
        Engine(a_baseline(tmp_path, size), settings, monitor).run(an_lr_volume)
        assert monitor.warnings == []


def test_windows_keep_the_trilinear_interpolation_of_the_whole_volume(tmp_path, an_lr_volume):
    model = a_baseline(tmp_path, "srresnet")
    model.network.silence()
    sr = Engine(model, EngineSettings("cpu", "fp32", window=4)).run(an_lr_volume)
    np.testing.assert_allclose(sr, whole_network(model, an_lr_volume), atol=1e-6)


@pytest.mark.parametrize("size", SIZES)
def test_bf16_is_close_to_fp32(tmp_path, an_lr_volume, size):
    model = a_baseline(tmp_path, size)
    wanted, engine = Engine(model, FP32).run(an_lr_volume), Engine(model, EngineSettings("cpu", "bf16"))
    assert np.linalg.norm(engine.run(an_lr_volume) - wanted) < 0.02 * np.linalg.norm(wanted)
    assert engine.report.precision == "bf16"


@pytest.mark.parametrize("size", SIZES)
def test_a_run_can_be_cancelled_at_every_convolution(tmp_path, an_lr_volume, size):
    model = a_baseline(tmp_path, size)
    calm = Recorder(questions=1e6)
    Engine(model, FP32, calm).run(an_lr_volume)
    asked = int(1e6 - calm.questions)
    convolutions = sum(isinstance(module, torch.nn.Conv3d) for module in model.network.modules())
    assert asked > convolutions
    for questions in (0, 1, asked // 2, asked - 1):
        with pytest.raises(CancelledError):
            Engine(model, FP32, Recorder(questions)).run(an_lr_volume)


@pytest.mark.parametrize("size", SIZES)
def test_progress_rises_to_its_total_in_every_stage(tmp_path, an_lr_volume, size):
    monitor = Recorder()
    Engine(a_baseline(tmp_path, size), FP32, monitor).run(an_lr_volume)
    stages = ["trunk", "tail"] if size.startswith("srresnet") else ["tail"]
    assert list(dict.fromkeys(stage for stage, _, _ in monitor.steps)) == stages
    for wanted in stages:
        done = [(done, total) for stage, done, total in monitor.steps if stage == wanted]
        assert [value for value, _ in done] == list(range(done[-1][1] + 1))


@pytest.mark.parametrize("size", TILED)
def test_a_memory_limit_makes_smaller_tiles_and_the_same_voxels(tmp_path, size):
    model = a_baseline(tmp_path, size)
    lr = np.random.default_rng(0).random((8, 8, 90), np.float32)
    unlimited = plan_tiles(Run(model.card, lr.shape, whole(lr.shape)), 4, GIB, on_cpu=True)
    engine = Engine(model, EngineSettings("cpu", "fp32", memory_limit=0.75 * unlimited.peak_bytes / GIB))
    wanted = whole_network(model, lr)
    np.testing.assert_allclose(engine.run(lr), wanted, atol=rounding(wanted))
    assert engine.report.tail_tiles > len(tiles(whole(lr.shape), unlimited.tail_tile))


def test_windows_that_do_not_fit_are_refused_with_both_numbers(tmp_path, an_lr_volume):
    settings = EngineSettings("cpu", "fp32", memory_limit=1e-5)
    with pytest.raises(ResourceError, match=r"needs at least 0\.00 GiB and may use 0\.00 GiB"):
        Engine(a_baseline(tmp_path, "rcan"), settings).run(an_lr_volume)


@pytest.mark.parametrize("size", SIZES)
def test_the_program_runs_the_model_file(tmp_path, size, capsys):
    lr, sr = tmp_path / "lr.nrrd", tmp_path / "sr.nrrd"
    affine = np.diag([1.5, 2, 3, 1.0])
    write_volume(Volume(np.random.default_rng(0).random((9, 7, 8), np.float32), affine), lr)
    model = a_baseline_file(tmp_path, size, (4, 1, 1), "corner")
    options = ["--device", "cpu", "--precision", "fp32", "--report", str(tmp_path / "report.json")]
    assert main(["super-resolve", str(lr), str(sr), "--model", str(model), *options]) == 0
    result = read_volume(sr)
    assert result.shape == (36, 7, 8)
    np.testing.assert_allclose(result.affine, sr_affine(affine, (4, 1, 1), "corner"), atol=1e-6)
    assert json.loads((tmp_path / "report.json").read_text())["model"] == size
