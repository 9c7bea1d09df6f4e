"""Networks in 16 bits: how they are converted, and whether a device computes with them what it does in fp32."""

import copy
import logging
import math
from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor, nn

from SuperResolution3DLib.errors import is_out_of_memory
from SuperResolution3DLib.inference.rewrites import rewrite_for_cpu
from SuperResolution3DLib.networks.generator import Generator
from SuperResolution3DLib.volumes.mapped_array import planes

log = logging.getLogger(__name__)

TESTED_SIZE = 12  # LR voxels per axis
TOLERANCE = 0.03  # relative L2 error of a 16-bit tile against fp32; sound bf16 stands at about 0.005


def converted(network: Generator, device: torch.device, dtype: torch.dtype) -> Generator:
    """Return a copy of an fp32 network as a device computes it fastest, its batch norms in fp32."""
    network = copy.deepcopy(network)
    if device.type == "cpu":
        rewrite_for_cpu(network)
    network = network.to(device, dtype)
    for module in network.modules():
        if isinstance(module, nn.BatchNorm3d):
            module.float()  # its statistics take no time and lose much in 16 bits
    return network.to(memory_format=torch.channels_last_3d)


def _detail(network: Generator, tile: Tensor) -> Tensor:
    """Return what the network computes, without the interpolation that some add: it would hide a wrong detail."""
    return network.tail(network.trunk(tile))


def is_accurate(
    network: Generator,
    device: torch.device,
    dtype: torch.dtype,
    volume: Tensor,
    compute: Callable[[Generator, Tensor], Tensor] = _detail,
) -> bool:
    """Compare a tile from a volume's middle in 16 bits with fp32 (some library versions compute nonsense).

    Args:
        network: in fp32.
        device: where it will run.
        dtype: of 16 bits.
        volume: (D, H, W), network units.
        compute: gives the result of a tile (1, 1, D, H, W).

    Raises:
        RuntimeError: out of memory.
    """
    box = tuple(slice(max(size // 2 - TESTED_SIZE // 2, 0), size // 2 + TESTED_SIZE // 2) for size in volume.shape)
    tile = volume[box].to(device)[None, None]
    try:
        wanted = compute(converted(network, device, torch.float32), tile)
        given = compute(converted(network, device, dtype), tile.to(dtype)).float()
    except RuntimeError as error:
        if is_out_of_memory(error):
            raise
        log.warning("The 16-bit self-test failed: %s", error)
        return False
    difference = float((given - wanted).norm() / wanted.norm().clamp(min=1e-12))
    return math.isfinite(difference) and difference <= TOLERANCE


def has_overflowed(result: np.ndarray, dtype: torch.dtype) -> bool:
    """Tell whether a result (D, H, W) left the range of its 16 bits somewhere beside the tile that was compared.

    Only fp16 ends early (65504); bf16 has the range of fp32.
    """
    sums = (float(torch.from_numpy(plane).sum()) for (plane,) in planes(result))
    return dtype == torch.float16 and not all(map(math.isfinite, sums))
