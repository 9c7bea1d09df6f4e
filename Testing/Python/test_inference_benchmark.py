"""The engine's benchmark: what is measured of each method, on the CPU and on a CPU that is taken for a GPU."""

from pathlib import Path

import numpy as np
import pytest
import torch
from models import a_tiny_model_file
from pretended_gpu import PretendedGpu, PretendedStream, pretend_a_gpu

from SuperResolution3DLib.inference import engine as engine_module

BENCHMARKS = Path(__file__).resolve().parents[1] / "benchmarks"
METHODS = ["whole-fp32", "engine-fp32", "engine-bf16", "windows-0.25", "windows-0.625"]


@pytest.fixture
def a_benchmark(monkeypatch):
    monkeypatch.syspath_prepend(str(BENCHMARKS))
    import inference
    import machine

    for edges in ("EDGES", "EDGES_ON_GPU"):
        monkeypatch.setattr(machine, edges, (64, 8))
    return inference


@pytest.fixture
def a_task(tmp_path, a_benchmark):
    """A method and a device: the task of measuring it on a small volume."""
    lr_file, model = tmp_path / "lr.npy", str(a_tiny_model_file(tmp_path, (4, 4, 4)))
    np.save(lr_file, np.random.default_rng(0).random((10, 12, 26), np.float32))

    def task(method: str, device: torch.device):
        return a_benchmark.Task(method, lr_file, model, device, torch.get_num_threads(), 2)

    return task


def test_the_methods_are_those_that_are_tested(a_benchmark):
    assert list(a_benchmark.METHODS) == METHODS


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_measured_on_the_cpu(a_benchmark, a_task, method):
    measured = a_benchmark.Measured.of(a_benchmark.measure(a_task(method, torch.device("cpu"))))
    assert measured.seconds == measured.usage.user + measured.usage.system and measured.first_wall is None
    assert (measured.planned_mib is not None) == method.startswith("engine")
    assert measured.limit > 0


@pytest.mark.parametrize("method", METHODS)
def test_a_method_is_measured_on_a_gpu_by_the_clock_when_it_is_done(monkeypatch, a_benchmark, a_task, method):
    cpu = a_task(method, torch.device("cpu"))
    a_benchmark.measure(cpu)
    wanted = np.load(cpu.lr_file.with_name("sr.npy"))
    asked = pretend_a_gpu(monkeypatch)
    monkeypatch.setattr(engine_module, "copy_stream", lambda _: PretendedStream())
    monkeypatch.setattr(torch.cuda, "reset_peak_memory_stats", lambda _: asked.append("begin the peak"))
    monkeypatch.setattr(torch.cuda, "memory_reserved", lambda _: 3 * 2**20)
    monkeypatch.setattr(torch.cuda, "max_memory_reserved", lambda _: 10 * 2**20)
    with PretendedGpu():
        measured = a_benchmark.Measured.of(a_benchmark.measure(a_task(method, torch.device("cuda", 0))))
    error = np.linalg.norm(np.load(cpu.lr_file.with_name("sr.npy")) - wanted) / np.linalg.norm(wanted)
    assert error < (0.02 if "bf16" in method else 1e-5)
    assert measured.usage.peak_mib == 7
    assert measured.seconds == measured.usage.wall and measured.first_wall is not None
    last = max(place for place, what in enumerate(asked) if what == "begin the peak")
    assert asked[last - 1 : last + 2] == ["empty cache", "begin the peak", "synchronize"]
    assert asked[-1] == "synchronize" and asked.count("begin the peak") == 2
