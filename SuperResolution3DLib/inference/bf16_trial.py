"""Which number format a CPU computes a network in faster; what it says of itself does not tell by how much."""

import logging
import sys
import time

import torch
from torch import Tensor
from torch.nn import functional

from SuperResolution3DLib.inference.remembered_trials import remembered

log = logging.getLogger(__name__)

CHANNELS, EDGE = 48, 24  # of the convolution that is tried: 0.9 billion multiplications
REPETITIONS = 5
# What else runs on the processor does not count, where the clock of the process is fine enough.
clock = time.perf_counter if sys.platform == "win32" else time.process_time


def bf16_is_faster() -> bool:
    """Tell whether this CPU convolves faster in bf16 than in fp32: tried once, then remembered."""
    return remembered("a convolution of the engine in bf16 and in fp32", _try)


def _try() -> bool:
    tried = [_convolution(dtype) for dtype in (torch.bfloat16, torch.float32)]
    try:
        timings = [[_seconds(*layer) for layer in tried] for _ in range(1 + REPETITIONS)][1:]  # the first prepares
    except RuntimeError as error:
        log.info("no bf16 here: %s", error)
        return False
    half, full = (min(column) for column in zip(*timings, strict=True))
    log.info("a convolution takes %.3g ms in bf16 and %.3g ms in fp32 here", 1000 * half, 1000 * full)
    return half < full


def _convolution(dtype: torch.dtype) -> tuple[Tensor, Tensor]:
    """Return a volume (1, F, D, H, W) and a kernel (F, F, 3, 3, 3) as the engine lays them out."""
    layout = torch.channels_last_3d
    volume = torch.ones(1, CHANNELS, EDGE, EDGE, EDGE, dtype=dtype).contiguous(memory_format=layout)
    kernel = torch.ones(CHANNELS, CHANNELS, 3, 3, 3, dtype=dtype).contiguous(memory_format=layout)
    return volume, kernel


@torch.inference_mode()
def _seconds(volume: Tensor, kernel: Tensor) -> float:
    began = clock()
    if volume.dtype == torch.float32 and torch.backends.mkldnn.is_available():  # as ``rewrites.OneDNNConvolution``
        torch.mkldnn_convolution(volume, kernel, None, (1, 1, 1), (1, 1, 1), (1, 1, 1), 1)
    else:
        functional.conv3d(volume, kernel, padding=1)
    return clock() - began
