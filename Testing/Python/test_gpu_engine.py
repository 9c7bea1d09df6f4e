"""The engines on a GPU, as far as a CPU that is taken for one can tell: what is asked of it, when, and every voxel."""

from itertools import pairwise

import numpy as np
import pytest
import torch
from models import a_through_plane_model, a_tiny_model
from pretended_gpu import PretendedGpu, PretendedStream, pretend_a_gpu

from SuperResolution3DLib.errors import CancelledError
from SuperResolution3DLib.forward.slice_profile import SliceProfile
from SuperResolution3DLib.inference import engine as engine_module
from SuperResolution3DLib.inference import slice_engine as slice_engine_module
from SuperResolution3DLib.inference.engine import QUEUED, Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import TilePlan, tail_halo
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.inference.slice_engine import SliceEngine
from SuperResolution3DLib.inference.slice_plan import SliceGrid
from SuperResolution3DLib.networks.rrdb import RRDBNet

CUDA, AUTO = EngineSettings("cuda", "fp32"), EngineSettings("auto", "fp32")
CPU = EngineSettings("cpu", "fp32")
FAILURE = RuntimeError("CUDA error: an illegal memory access was encountered")


@pytest.fixture
def an_lr_volume():
    return np.random.default_rng(0).random((7, 10, 9), np.float32)


@pytest.fixture
def a_stream(monkeypatch):
    """The second stream of the GPU; its buffers hold a part of a tile."""
    stream = PretendedStream(piece=400)
    for module in (engine_module, slice_engine_module):
        monkeypatch.setattr(module, "copy_stream", lambda device: stream if device.type == "cuda" else None)
    return stream


@pytest.fixture
def a_gpu(monkeypatch, a_stream):
    """What a GPU is asked for; it has room for tiles of 3 x 4 x 5 LR voxels in the tail."""

    def plan(run, *_, **__):
        return TilePlan((7, 10, 9), 16, (3, 4, 5), tail_halo(run.card), 0)

    monkeypatch.setattr(engine_module, "plan_tiles", plan)
    asked = pretend_a_gpu(monkeypatch)
    with PretendedGpu():
        yield asked


@pytest.mark.parametrize(("skip", "window"), [("none", None), ("zero-filled", None), ("zero-filled", 4)])
def test_a_gpu_gives_what_the_cpu_gives(tmp_path, an_lr_volume, a_gpu, a_stream, skip, window):
    model = a_tiny_model(tmp_path, skip=skip)
    engine = Engine(model, EngineSettings("cuda", "fp32", window=window))
    wanted = Engine(model, EngineSettings("cpu", "fp32", window=window)).run(an_lr_volume)
    np.testing.assert_allclose(engine.run(an_lr_volume), wanted, atol=1e-5)
    assert (engine.report.device, engine.report.warnings) == ("Pretended GPU", [])
    assert a_stream.num_computed == engine.report.tail_tiles == (0 if window else 18)
    assert len(a_stream.copies) > 18 or window


def test_a_gpu_gives_between_slices_what_the_cpu_gives(tmp_path, monkeypatch, a_gpu, a_stream):
    model = a_through_plane_model(tmp_path)
    lr = np.random.default_rng(3).random((6, 18, 14), np.float32)
    profile = SliceProfile.over_slices("gaussian", 4.0, tuple(2.5 + 5 * index for index in range(6)), 0.9)
    monkeypatch.setattr("SuperResolution3DLib.inference.slice_plan.LARGEST_TAIL_TILE_ON_GPU", (7, 5, 4))
    found, wanted = (SliceEngine(model, SliceGrid(profile, 0.9), device).run(lr) for device in (CUDA, CPU))
    np.testing.assert_allclose(found, wanted, atol=1e-5)
    assert a_stream.num_computed == 5 * 2 * 2


class Clock(Monitor):
    """Hears of steps between what the GPU is asked for; may cancel when so many tiles are done."""

    def __init__(self, heard: list, cancelled_after: int = 1000) -> None:
        self.heard, self.cancelled_after = heard, cancelled_after

    def progress(self, stage: str, done: int, total: int) -> None:
        self.heard.append((stage, done, total))

    def is_cancelled(self) -> bool:
        return any(step[0] == "tail" and step[1] >= self.cancelled_after for step in self.heard)


def test_a_stage_begins_and_ends_when_the_gpu_is_done_and_so_does_a_part_of_the_trunk(tmp_path, an_lr_volume, a_gpu):
    Engine(a_tiny_model(tmp_path), CUDA, Clock(a_gpu)).run(an_lr_volume)
    after = [step for asked, step in pairwise(a_gpu) if asked == "synchronize"]
    assert after == [("trunk", 0, 17), ("trunk", QUEUED, 17), ("trunk", 17, 17), ("tail", 0, 18), ("tail", 18, 18)]


def test_a_run_on_a_gpu_is_cancelled_between_two_tiles(tmp_path, an_lr_volume, a_gpu, a_stream):
    with pytest.raises(CancelledError):
        Engine(a_tiny_model(tmp_path), CUDA, Clock(a_gpu, cancelled_after=3)).run(an_lr_volume)
    assert a_stream.num_computed == 3


def test_a_gpu_that_fails_while_a_tile_travels_is_replaced_by_the_cpu(
    tmp_path, monkeypatch, an_lr_volume, a_gpu, a_stream
):
    copy = a_stream.copy

    def failing(*args):
        if len(a_stream.copies) == 5:
            raise FAILURE
        return copy(*args)

    monkeypatch.setattr(a_stream, "copy", failing)
    model = a_tiny_model(tmp_path)
    engine = Engine(model, AUTO)
    np.testing.assert_allclose(engine.run(an_lr_volume), Engine(model, CPU).run(an_lr_volume), atol=1e-5)
    assert engine.report.device == "CPU"
    assert [str(warned) for warned in engine.report.warnings] == [
        "Pretended GPU cannot be used (CUDA error: an illegal memory access was encountered): using the CPU"
    ]


def test_a_gpu_that_runs_out_of_memory_in_the_tail_begins_again_with_smaller_tiles(
    tmp_path, monkeypatch, an_lr_volume, a_gpu
):
    tail, calls = RRDBNet.tail, iter(range(1000))

    def full_at_the_third_tile(self, features):
        if next(calls) == 2:
            raise RuntimeError("CUDA error: out of memory")
        return tail(self, features)

    monkeypatch.setattr(RRDBNet, "tail", full_at_the_third_tile)
    model = a_tiny_model(tmp_path)
    engine = Engine(model, CUDA)
    result = engine.run(an_lr_volume)
    np.testing.assert_allclose(result, Engine(model, CPU).run(an_lr_volume), atol=1e-5)
    assert [warned.code for warned in engine.report.warnings] == ["memory-halved"]
    assert a_gpu.count("empty cache") == 1


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_fp16_that_overflows_beside_the_tested_tile_gives_way_to_fp32(
    tmp_path, monkeypatch, an_lr_volume, a_gpu, value
):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    tail = RRDBNet.tail

    def overflowing(self, features):
        output = tail(self, features)
        is_tested = features.shape[2:] == an_lr_volume.shape
        return output if features.dtype != torch.float16 or is_tested else output * value

    monkeypatch.setattr(RRDBNet, "tail", overflowing)
    model = a_tiny_model(tmp_path)
    engine = Engine(model, EngineSettings("cuda"))
    assert engine.precision == "fp16"
    np.testing.assert_allclose(engine.run(an_lr_volume), Engine(model, CPU).run(an_lr_volume), atol=1e-5)
    assert engine.report.precision == "fp32"
    assert [str(warned) for warned in engine.report.warnings] == [
        "fp16 is not accurate enough on Pretended GPU: computing in fp32"
    ]


def test_fp16_that_holds_stays(tmp_path, monkeypatch, an_lr_volume, a_gpu):
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda _: (7, 5))
    model = a_tiny_model(tmp_path)
    engine = Engine(model, EngineSettings("cuda"))
    np.testing.assert_allclose(engine.run(an_lr_volume), Engine(model, CPU).run(an_lr_volume), atol=0.01)
    assert (engine.report.precision, engine.report.warnings) == ("fp16", [])


# --- A real one ------------------------------------------------------------------------------------------------------


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a GPU")
@pytest.mark.parametrize(("precision", "error"), [("fp32", 1e-4), ("auto", 0.03)])
def test_a_real_gpu_gives_what_the_cpu_gives(tmp_path, precision, error):
    lr = np.random.default_rng(0).random((40, 70, 50), np.float32)
    model = a_tiny_model(tmp_path, (4, 4, 4), skip="none")
    engine = Engine(model, EngineSettings("cuda", precision))
    wanted = Engine(model, CPU).run(lr)
    assert np.linalg.norm(engine.run(lr) - wanted) <= error * np.linalg.norm(wanted)
    assert engine.report.tail_tiles > 1 and not engine.report.warnings
