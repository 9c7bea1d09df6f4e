"""What a machine is called, how fast it multiplies at best, and what a run takes of it: seconds and memory."""

import gc
import platform
import resource
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import torch
from torch import nn

from SuperResolution3DLib.inference.devices import device_name, synchronize
from SuperResolution3DLib.inference.memory_plan import MIB

EDGES = (2048, 32)  # of the matrices whose product is timed, and of the volume that is convolved
EDGES_ON_GPU = (8192, 96)
TRIALS = 4

Result = TypeVar("Result")


@dataclass(frozen=True)
class Usage:
    """What a run took."""

    user: float
    """seconds of all threads, as the next"""
    system: float
    wall: float
    peak_mib: float | None
    """what it added to the memory of the process, or to what PyTorch holds of the GPU"""

    def seconds(self, device: torch.device) -> float:
        """Return what counts: other work on the machine changes CPU time little, and a GPU is nobody else's."""
        return self.user + self.system if device.type == "cpu" else self.wall


def used_by(run: Callable[[], Result], device: torch.device) -> tuple[Result, Usage]:
    """Return the result of a run and what it took; a GPU is waited for before the clock is read."""
    gc.collect()  # of the run before
    held = reset_peak(device)
    synchronize(device)
    before, started = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    result = run()
    synchronize(device)
    after, wall = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter() - started
    user, system = after.ru_utime - before.ru_utime, after.ru_stime - before.ru_stime
    return result, Usage(user, system, wall, None if held is None else peak_mib(device) - held)


def fastest_product(dtype: torch.dtype, device: torch.device, *, tf32: bool = False) -> float:
    """Return the multiplications per second of the faster of a matrix product and a convolution.

    Args:
        dtype: of the numbers.
        device: CPU or GPU.
        tf32: whether a GPU may round fp32 to 11 bits in the convolution, as PyTorch has it by default.
    """
    edge, size = EDGES if device.type == "cpu" else EDGES_ON_GPU
    left, right = (torch.randn(edge, edge, device=device).to(dtype) for _ in range(2))
    layout = torch.channels_last_3d
    volume = torch.randn(1, 64, size, size, size, device=device).to(dtype).contiguous(memory_format=layout)
    layer = nn.Conv3d(64, 64, 3, padding=1, device=device, dtype=dtype).to(memory_format=layout)
    products: list[tuple[Callable[[], object], int]] = [
        (lambda: left @ right, edge**3),
        (lambda: layer(volume), 64 * 64 * 27 * size**3),
    ]
    clock = time.process_time if device.type == "cpu" else time.perf_counter
    rates = []
    with torch.inference_mode(), torch.backends.cudnn.flags(enabled=True, allow_tf32=tf32):
        for product, count in products:
            for _ in range(TRIALS):
                synchronize(device)
                started = clock()
                product()
                synchronize(device)
                rates.append(count / (clock() - started))
    return max(rates)


def machine_name(device: torch.device) -> str:
    """Return the name of the processor, and of the GPU if that is what computes."""
    return processor() if device.type == "cpu" else f"{device_name(device)} in {processor()}"


def processor() -> str:
    """Return the name of the processor, where Linux tells it."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    return next((line.split(":", 1)[1].strip() for line in lines if line.startswith("model name")), platform.machine())


def reset_peak(device: torch.device) -> float | None:
    """Let the peak memory begin anew; return what is held now (MiB), None where Linux or CUDA is not asked."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)
        return torch.cuda.memory_reserved(device) / MIB
    try:
        Path("/proc/self/clear_refs").write_text("5")
    except OSError:
        return None
    return _status_mib("VmRSS")


def peak_mib(device: torch.device) -> float:
    """Return the most memory since ``reset_peak`` (MiB)."""
    return torch.cuda.max_memory_reserved(device) / MIB if device.type == "cuda" else _status_mib("VmHWM")


def _status_mib(name: str) -> float:
    lines = Path("/proc/self/status").read_text().splitlines()
    return float(next(line for line in lines if line.startswith(name)).split()[1]) / 1024
