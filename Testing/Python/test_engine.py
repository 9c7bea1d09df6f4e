"""The engine: the same voxels as the whole network, whatever the tiles, windows, regions and mishaps."""

import numpy as np
import pytest
import torch
from models import a_tiny_model
from torch import nn

from SuperResolution3DLib.errors import CancelledError, InputError, ResourceError
from SuperResolution3DLib.forward.kspace import zero_fill
from SuperResolution3DLib.inference import devices
from SuperResolution3DLib.inference import engine as engine_module
from SuperResolution3DLib.inference import precision as half_precision
from SuperResolution3DLib.inference.engine import Engine
from SuperResolution3DLib.inference.engine_settings import EngineSettings
from SuperResolution3DLib.inference.memory_plan import TilePlan, tail_halo
from SuperResolution3DLib.inference.monitor import Monitor
from SuperResolution3DLib.networks.rrdb import RRDBNet
from SuperResolution3DLib.sentence import Warned

FP32 = EngineSettings(device="cpu", precision="fp32")


class Recorder(Monitor):
    """Remembers what it was told; may cancel at a stage."""

    def __init__(self, cancel_at: str = "") -> None:
        self.steps: list[tuple[str, int, int]] = []
        self.warnings: list[tuple[str, str]] = []
        self.cancel_at = cancel_at

    def progress(self, stage: str, done: int, total: int) -> None:
        self.steps.append((stage, done, total))

    def warn(self, warned: Warned) -> None:
        self.warnings.append((warned.kind, str(warned)))

    def is_cancelled(self) -> bool:
        return any(stage == self.cancel_at for stage, _, _ in self.steps)


@pytest.fixture
def an_lr_volume():
    return np.random.default_rng(0).random((7, 10, 9), np.float32)


def whole_network(model, lr: np.ndarray) -> np.ndarray:
    with torch.no_grad():
        detail = model.network(torch.from_numpy(lr)[None, None])[0, 0].numpy()
    if model.card.skip == "none":
        return detail
    return detail + zero_fill(lr, model.card.scale, model.card.grid)


def with_tiles(monkeypatch, trunk_tile, tail_tile, trunk_halo=16):
    """Make the engine use these tiles whatever the memory."""

    def plan(run, *_, **__):
        return TilePlan(trunk_tile, trunk_halo, tail_tile, tail_halo(run.card), 0)

    monkeypatch.setattr(engine_module, "plan_tiles", plan)


@pytest.mark.parametrize("skip", ["none", "zero-filled"])
@pytest.mark.parametrize("grid", ["center", "corner"])
def test_a_run_equals_the_network_on_the_whole_volume(tmp_path, an_lr_volume, skip, grid):
    model = a_tiny_model(tmp_path, skip=skip, grid=grid)
    sr = Engine(model, FP32).run(an_lr_volume)
    np.testing.assert_allclose(sr, whole_network(model, an_lr_volume), atol=1e-5)


@pytest.mark.parametrize("scale", [(2, 2, 2), (4, 1, 1), (1, 3, 2)])
def test_a_streamed_tail_changes_nothing(tmp_path, monkeypatch, an_lr_volume, scale):
    model = a_tiny_model(tmp_path, scale)
    with_tiles(monkeypatch, (7, 10, 9), (3, 4, 2))
    engine = Engine(model, FP32)
    np.testing.assert_allclose(engine.run(an_lr_volume), whole_network(model, an_lr_volume), atol=1e-5)
    assert engine.report.tail_tiles == 45
    assert engine.report.trunk_saw_whole_volume


def test_a_halo_too_short_would_be_noticed(tmp_path, monkeypatch, an_lr_volume):
    model = a_tiny_model(tmp_path)
    plan = TilePlan((7, 10, 9), 16, (3, 4, 2), (0, 0, 0), 0)
    monkeypatch.setattr(engine_module, "plan_tiles", lambda *_, **__: plan)
    assert np.abs(Engine(model, FP32).run(an_lr_volume) - whole_network(model, an_lr_volume)).max() > 1e-4


def test_a_tiled_trunk_with_its_full_halo_changes_nothing_and_says_so(tmp_path, monkeypatch, an_lr_volume):
    model = a_tiny_model(tmp_path)
    with_tiles(monkeypatch, (4, 4, 4), (4, 4, 4), trunk_halo=17)  # 17 convolutions reach 17 voxels
    engine = Engine(model, FP32)
    np.testing.assert_allclose(engine.run(an_lr_volume), whole_network(model, an_lr_volume), atol=1e-5)
    assert engine.report.trunk_tiles == 18
    assert not engine.report.trunk_saw_whole_volume


@pytest.mark.parametrize("window", [None, 4])
def test_a_region_is_cut_from_the_whole_result(tmp_path, an_lr_volume, window):
    model = a_tiny_model(tmp_path)
    settings = EngineSettings("cpu", "fp32", window=window, overlap=0.5)
    region = (slice(2, 5), slice(0, 4), slice(6, 9))
    whole = Engine(model, settings).run(an_lr_volume)
    part = Engine(model, settings).run(an_lr_volume, region)
    np.testing.assert_allclose(part, whole[4:10, 0:8, 12:18], atol=1e-5)


@pytest.mark.parametrize("shape", [(9, 12, 10), (8, 13, 8)])
def test_windows_equal_monais(tmp_path, shape):
    inferers = pytest.importorskip("monai.inferers")
    model = a_tiny_model(tmp_path, (2, 3, 2), skip="none")
    lr = np.random.default_rng(1).random(shape, np.float32)
    sr = Engine(model, EngineSettings("cpu", "fp32", window=8, overlap=0.625)).run(lr)
    wanted = inferers.sliding_window_inference(
        torch.from_numpy(lr)[None, None], (8, 8, 8), 2, model.network, overlap=0.625, mode="gaussian"
    )
    np.testing.assert_allclose(sr, wanted[0, 0].numpy(), atol=1e-5)


def test_windows_add_the_skip_of_the_whole_volume(tmp_path, an_lr_volume):
    with_skip, without = (a_tiny_model(tmp_path, skip=skip, name=skip) for skip in ("zero-filled", "none"))
    settings = EngineSettings("cpu", "fp32", window=4)
    difference = Engine(with_skip, settings).run(an_lr_volume) - Engine(without, settings).run(an_lr_volume)
    np.testing.assert_allclose(difference, zero_fill(an_lr_volume, (2, 2, 2), "center"), atol=1e-5)


def test_bf16_is_close_to_fp32_and_reported(tmp_path, an_lr_volume):
    model = a_tiny_model(tmp_path, skip="none")
    engine = Engine(model, EngineSettings("cpu", "bf16"))
    wanted = whole_network(model, an_lr_volume)
    assert np.linalg.norm(engine.run(an_lr_volume) - wanted) < 0.02 * np.linalg.norm(wanted)
    assert engine.report.precision == "bf16"


def test_a_device_that_computes_nonsense_in_16_bits_falls_back_to_fp32(tmp_path, an_lr_volume, monkeypatch):
    model = a_tiny_model(tmp_path)
    convert = half_precision.converted

    def broken(network, device, dtype):
        network = convert(network, device, dtype)
        if dtype == torch.bfloat16:
            nn.init.constant_(network.conv_last.bias, 5)
        return network

    for module in (half_precision, engine_module):
        monkeypatch.setattr(module, "converted", broken)
    monitor = Recorder()
    engine = Engine(model, EngineSettings("cpu", "bf16"), monitor)
    np.testing.assert_allclose(engine.run(an_lr_volume), whole_network(model, an_lr_volume), atol=1e-5)
    assert monitor.warnings == [("precision", "bf16 is not accurate enough on CPU: computing in fp32")]
    assert engine.report.precision == "fp32"


def out_of_memory_above(voxels: int, monkeypatch) -> None:
    """Let the trunk fail as an allocator does when a tile holds more voxels."""
    trunk = RRDBNet.trunk

    def small_trunk(self, tile):
        if tile[0, 0].numel() > voxels:
            raise RuntimeError("DefaultCPUAllocator: can't allocate memory: you tried to allocate 99 bytes")
        return trunk(self, tile)

    monkeypatch.setattr(RRDBNet, "trunk", small_trunk)


def test_out_of_memory_halves_the_tiles_and_says_so(tmp_path, monkeypatch):
    model = a_tiny_model(tmp_path, performance={"trunk_halo": 17})
    lr = np.random.default_rng(0).random((7, 40, 9), np.float32)
    wanted = whole_network(model, lr)
    out_of_memory_above(7 * 39 * 9, monkeypatch)
    monitor = Recorder()
    engine = Engine(model, FP32, monitor)
    np.testing.assert_allclose(engine.run(lr), wanted, atol=1e-5)
    assert ("memory", "Out of memory on CPU: halving the tiles") in monitor.warnings
    assert engine.report.trunk_tiles > 1


def test_out_of_memory_to_the_end_is_an_error_that_says_what_to_do(tmp_path, an_lr_volume, monkeypatch):
    out_of_memory_above(0, monkeypatch)
    with pytest.raises(ResourceError, match="choose a smaller region"):
        Engine(a_tiny_model(tmp_path), FP32).run(an_lr_volume)


NO_KERNELS = RuntimeError("CUDA error: no kernel image is available for execution on the device\nCompile with ...")
GPU_IS_FULL = RuntimeError("CUDA error: out of memory")


def a_gpu_that_fails(monkeypatch, error: Exception, *, when_probed: bool = False) -> None:
    """Let a GPU be found that fails in its first convolution, or when the network is moved to it."""
    convert = half_precision.converted

    def converted(network, device, dtype):
        if device.type == "cuda":
            raise error
        return convert(network, device, dtype)

    def convolve(device):
        if when_probed:
            raise error

    monkeypatch.setattr(torch.cuda, "is_available", lambda: True)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: 1)
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda _: "Old GPU")
    monkeypatch.setattr(devices, "_convolve", convolve)
    monkeypatch.setattr(engine_module, "converted", converted)


@pytest.mark.parametrize(
    ("error", "when_probed", "warning"),
    [
        (NO_KERNELS, True, ("device", "The GPU cannot be used (CUDA error: no kernel image is available for exec")),
        (GPU_IS_FULL, True, ("device", "The GPU cannot be used (CUDA error: out of memory): using the CPU")),
        (NO_KERNELS, False, ("device", "Old GPU cannot be used (CUDA error: no kernel image is available for exec")),
        (GPU_IS_FULL, False, ("memory", "Out of memory on Old GPU even with the smallest tiles: using the CPU")),
        (
            RuntimeError("cuDNN error: CUDNN_STATUS_EXECUTION_FAILED"),
            False,
            ("device", "Old GPU cannot be used (cuDNN error: CUDNN_STATUS_EXECUTION_FAILED): using the CPU"),
        ),
    ],
)
def test_a_gpu_that_fails_is_replaced_by_the_cpu_under_auto(
    tmp_path, an_lr_volume, monkeypatch, error, when_probed, warning
):
    model, monitor = a_tiny_model(tmp_path), Recorder()
    a_gpu_that_fails(monkeypatch, error, when_probed=when_probed)
    engine = Engine(model, EngineSettings("auto", "fp32"), monitor)
    np.testing.assert_allclose(engine.run(an_lr_volume), whole_network(model, an_lr_volume), atol=1e-5)
    assert [(code, text[: len(warning[1])]) for code, text in monitor.warnings] == [warning]
    assert engine.report.device == "CPU"


@pytest.mark.parametrize(
    ("error", "when_probed", "kind", "message"),
    [
        (NO_KERNELS, True, InputError, r"^cuda:0 cannot be used by this installation of PyTorch \(CUDA error: no ker"),
        (GPU_IS_FULL, True, ResourceError, "^cuda:0 has no memory left .*: close other programs that use it"),
        (
            NO_KERNELS,
            False,
            InputError,
            r"^The GPU failed \(CUDA error: no kernel .* device\): choose --device cpu or auto$",
        ),
        (
            GPU_IS_FULL,
            False,
            ResourceError,
            "^Out of memory on Old GPU even with the smallest tiles: choose a smaller region",
        ),
    ],
)
def test_a_gpu_that_was_asked_for_and_fails_is_an_error_in_one_sentence(
    tmp_path, an_lr_volume, monkeypatch, error, when_probed, kind, message
):
    a_gpu_that_fails(monkeypatch, error, when_probed=when_probed)
    with pytest.raises(kind, match=message):
        Engine(a_tiny_model(tmp_path), EngineSettings("cuda:0", "fp32")).run(an_lr_volume)


def test_a_gpu_too_full_for_the_smallest_tiles_is_replaced_by_the_cpu_under_auto(tmp_path, an_lr_volume, monkeypatch):
    a_gpu_that_fails(monkeypatch, ValueError("is not reached"))
    monkeypatch.setattr(engine_module, "converted", lambda network, device, dtype: network)
    free = {"cuda": 1000, "cpu": 10**9}
    monkeypatch.setattr(devices, "free_device_memory", lambda device: free[device.type])
    model, monitor = a_tiny_model(tmp_path), Recorder()
    engine = Engine(model, EngineSettings("auto", "fp32"), monitor)
    np.testing.assert_allclose(engine.run(an_lr_volume), whole_network(model, an_lr_volume), atol=1e-5)
    assert [code for code, _ in monitor.warnings] == ["device"]
    assert "may use 0.00 GiB" in monitor.warnings[0][1]
    with pytest.raises(ResourceError, match=r"may use 0\.00 GiB"):
        Engine(model, EngineSettings("cuda:0", "fp32")).run(an_lr_volume)


def test_memory_that_runs_out_before_there_is_a_plan_is_told(tmp_path, an_lr_volume, monkeypatch):
    def full(*_):
        raise MemoryError("std::bad_alloc")

    monkeypatch.setattr(engine_module, "converted", full)
    with pytest.raises(ResourceError, match="choose a smaller region"):
        Engine(a_tiny_model(tmp_path), FP32).run(an_lr_volume)


def test_other_errors_of_the_network_are_not_taken_for_out_of_memory(tmp_path, an_lr_volume, monkeypatch):
    def broken(*_):
        raise RuntimeError("a bug")

    monkeypatch.setattr(RRDBNet, "trunk", broken)
    with pytest.raises(RuntimeError, match="a bug"):
        Engine(a_tiny_model(tmp_path), FP32).run(an_lr_volume)


def test_a_memory_limit_tiles_the_trunk(tmp_path):
    model = a_tiny_model(tmp_path, performance={"trunk_halo": 17})
    lr = np.random.default_rng(0).random((8, 8, 160), np.float32)
    engine = Engine(model, EngineSettings("cpu", "fp32", memory_limit=0.0018))
    np.testing.assert_allclose(engine.run(lr), whole_network(model, lr), atol=1e-5)
    assert engine.report.trunk_tiles > 1


def test_a_result_that_cannot_fit_is_refused_with_both_numbers(tmp_path, an_lr_volume):
    with pytest.raises(ResourceError, match=r"needs at least 0\.00 GiB and may use 0\.00 GiB"):
        Engine(a_tiny_model(tmp_path), EngineSettings("cpu", "fp32", memory_limit=1e-6)).run(an_lr_volume)


@pytest.mark.parametrize(("stage", "window"), [("trunk", None), ("tail", None), ("tail", 4)])
def test_a_run_can_be_cancelled_at_any_stage(tmp_path, an_lr_volume, stage, window):
    with pytest.raises(CancelledError):
        Engine(a_tiny_model(tmp_path), EngineSettings("cpu", "fp32", window=window), Recorder(stage)).run(an_lr_volume)


def test_progress_rises_to_its_total_in_every_stage(tmp_path, an_lr_volume):
    monitor = Recorder()
    Engine(a_tiny_model(tmp_path), FP32, monitor).run(an_lr_volume)
    for stage in ("trunk", "tail"):
        done = [(done, total) for name, done, total in monitor.steps if name == stage]
        assert [value for value, _ in done] == list(range(done[-1][1] + 1))
    assert monitor.steps[0] == ("trunk", 0, 17)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        (EngineSettings(device="tpu"), "The device is auto, cpu, cuda, cuda:N or mps"),
        (EngineSettings(device="cuda:9999"), "No CUDA GPU|There is no GPU 9999"),
        (EngineSettings(precision="fp8"), "The precision is auto, fp32 or bf16"),
    ],
)
def test_settings_that_cannot_be_met_are_refused(tmp_path, settings, message):
    with pytest.raises(InputError, match=message):
        Engine(a_tiny_model(tmp_path), settings)
