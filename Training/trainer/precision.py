"""The number format of a training: bfloat16 where it is faster here and proves itself against fp32."""

import logging
import math
from collections.abc import Callable
from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional

from SuperResolution3DLib.inference.bf16_trial import clock
from SuperResolution3DLib.inference.devices import choose_precision, device_name
from SuperResolution3DLib.inference.precision import TOLERANCE
from SuperResolution3DLib.inference.remembered_trials import remembered

log = logging.getLogger(__name__)

Precision = Literal["bf16-mixed", "32-true"]
CHANNELS, EDGE = 32, 24  # of the convolution that is tried: 0.4 billion multiplications forward, twice that backward
REPETITIONS = 3


def fitting_precision(
    device: torch.device,
    *,
    alone: bool,
    is_faster: Callable[[torch.device], bool] | None = None,
    proves: Callable[[torch.device], bool] | None = None,
) -> Precision:
    """Return the format in which a training runs on a device.

    Args:
        device: CPU or GPU.
        alone: the run is this process; several would disturb each other's timing and must choose alike, so they take
            what the processor says of itself, as do GPUs.
        is_faster: tells whether a convolution, forward and backward, takes less time there in bf16.
        proves: tells whether bf16 computes there what fp32 does.
    """
    is_faster, proves = is_faster or bf16_is_faster, proves or is_accurate
    if alone and device.type == "cpu":
        wanted = is_faster(device)
    else:
        wanted = choose_precision("auto", device, by_trial=False) == "bf16"
    if wanted and not proves(device):
        log.warning("bf16 is not accurate enough on %s: training in fp32", device_name(device))
        wanted = False
    chosen: Precision = "bf16-mixed" if wanted else "32-true"
    log.info("loop.precision is auto: %s", chosen)
    return chosen


def bf16_is_faster(device: torch.device) -> bool:
    """Tell whether a convolution takes less time in bf16: tried once on a machine, then remembered."""

    def ask() -> bool:
        half, full = seconds(device, "bf16-mixed"), seconds(device, "32-true")
        log.info("a 3D convolution takes %.3g ms in bf16 and %.3g ms in fp32 here", 1000 * half, 1000 * full)
        return half < full

    return remembered("a convolution of a training in bf16 and in fp32", ask)


def seconds(device: torch.device, precision: Precision) -> float:
    """Return the seconds of a convolution, there and back, on the CPU in a format; infinity where it lacks it."""
    try:
        convolve(device, precision)  # which chooses and prepares its kernels
        return min(_timed(device, precision) for _ in range(REPETITIONS))
    except RuntimeError:
        return math.inf


def is_accurate(device: torch.device) -> bool:
    """Compare a convolution and its gradient in bf16 with fp32 (some library versions compute nonsense)."""
    try:
        pairs = zip(convolve(device, "bf16-mixed"), convolve(device, "32-true"), strict=True)
        errors = [float((given - wanted).norm() / wanted.norm()) for given, wanted in pairs]
    except RuntimeError as error:
        log.warning("The trial of bf16 failed: %s", error)
        return False
    return all(error <= TOLERANCE for error in errors)  # NaN is not


def convolve(device: torch.device, precision: Precision) -> tuple[Tensor, Tensor]:
    """Return a convolution's output (1, F, D, H, W) and the gradient of its kernel (F, F, 3, 3, 3), in fp32."""
    generator = torch.Generator().manual_seed(0)
    volume = torch.randn(1, CHANNELS, EDGE, EDGE, EDGE, generator=generator).to(device)
    kernel = torch.randn(CHANNELS, CHANNELS, 3, 3, 3, generator=generator).to(device).requires_grad_(True)
    volume = volume.contiguous(memory_format=torch.channels_last_3d).requires_grad_(True)
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16-mixed"):
        output = functional.conv3d(volume, kernel, padding=1)
    output.float().square().mean().backward()
    if kernel.grad is None:
        raise RuntimeError("a convolution gave no gradient")
    return output.detach().float(), kernel.grad


def _timed(device: torch.device, precision: Precision) -> float:
    began = clock()
    convolve(device, precision)
    return clock() - began
