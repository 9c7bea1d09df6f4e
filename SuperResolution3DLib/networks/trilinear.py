"""Trilinear interpolation on the SR grid, the input or the base of the networks that refine an enlarged volume."""

import torch
from torch import Tensor

from SuperResolution3DLib.volumes.box import Box, scaled, whole
from SuperResolution3DLib.volumes.geometry import Grid, Scale, grid_phase


def trilinear(lr: Tensor, scale: Scale, grid: Grid, box: Box | None = None) -> Tensor:
    """Interpolate a volume on the SR grid; outside the LR voxels the border is repeated.

        HR index          0   1   2   3   4   5   6   7      HR voxel n lies at LR index (n - phase) / s,
        LR, center, x4          0       |       1            between the LR voxels floor and floor + 1
        LR, corner, x4    0               1

    Args:
        lr: (..., D, H, W), floating point, any unit.
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.
        box: the part of the HR grid that is wanted (D, H, W); all of it by default.

    Returns:
        (..., D*s, H*s, W*s) or the box of it, in the same unit.
    """
    depth, height, width = lr.shape[-3:]
    box = box or scaled(whole((depth, height, width)), scale)
    for axis, (size, factor, part) in enumerate(zip((depth, height, width), scale, box, strict=True)):
        if factor == 1:
            lr = lr.narrow(axis - 3, part.start, part.stop - part.start)
            continue
        position = (torch.arange(part.start, part.stop, dtype=torch.float64) - grid_phase(factor, grid)) / factor
        position = position.clamp(0, size - 1)
        below = position.floor().long()
        weight = (position - below).to(lr.device, lr.dtype).reshape(-1, *(1,) * (2 - axis))
        below = below.to(lr.device)
        start = lr.index_select(axis - 3, below)
        lr = start + weight * (lr.index_select(axis - 3, (below + 1).clamp(max=size - 1)) - start)
    return lr
