"""k-space degradation, zero-filled interpolation and data consistency: one linear forward model for training and use.

The forward model of the paper (section 4.3: FFT, centre crop, zero-pad, inverse FFT, decimation) is linear, acts on
each axis by itself and, with both halves of the Nyquist term treated alike, maps real volumes to real volumes. So each
axis is one small real matrix, and a volume is degraded by three matrix products: exact in any precision, on any
device, for odd and even sizes, differentiable, and without a complex copy of the volume.

    HR index n        0   1   2   3 | 4   5   6   7 |          scale s = 4
    LR index m, center      0       |       1       |          LR voxel m lies at HR index s * m + phase,
    LR index m, corner  0           | 1             |          phase = (s - 1) / 2 or 0

Degrading keeps the spatial frequencies up to the LR's Nyquist frequency and samples them on the LR grid; zero-filling
evaluates the LR's trigonometric interpolant on the HR grid (sinc interpolation). On even LR sizes the Nyquist term has
two halves: degrading folds both together, each with its own grid phase; zero-filling gives each half the weight. Hence
``degrade(zero_fill(lr)) == lr`` for every LR volume.
"""

from functools import lru_cache
from typing import TypeVar

import numpy as np
import torch
from torch import Tensor

from SuperResolution3DLib.volumes.box import Box
from SuperResolution3DLib.volumes.geometry import Grid, Scale, grid_phase

Array = TypeVar("Array", Tensor, np.ndarray)


def degrade(hr: Array, scale: Scale, grid: Grid = "center") -> Array:
    """Degrade a volume as a scanner with a smaller k-space would see it (paper 4.3, linear).

    Args:
        hr: (..., D, H, W), every axis a multiple of its factor (see ``crop_to_multiple``), any unit.
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.

    Returns:
        (..., D/s, H/s, W/s) in the same unit; the mean of the volume is kept.

    Raises:
        ValueError: an axis is not a multiple of its factor.
    """
    shape = hr.shape[-3:]
    if any(size % factor for size, factor in zip(shape, scale, strict=True)):
        raise ValueError(f"Volume shape {tuple(shape)} is not a multiple of the scale {scale} (D, H, W)")
    lr_shape = tuple(size // factor for size, factor in zip(shape, scale, strict=True))
    matrices = [degradation_matrix(size, factor, grid) for size, factor in zip(lr_shape, scale, strict=True)]
    return _apply(hr, matrices, skip=[factor == 1 for factor in scale])


def degraded_part(part: Array, planes: slice, depth: int, scale: Scale, grid: Grid = "center") -> Array:
    """Return what some planes of an HR volume contribute to its LR, which is the sum over all planes.

    Args:
        part: (planes, H, W) of the HR volume.
        planes: which they are, along D.
        depth: of the LR volume.
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.

    Returns:
        (depth, H/s, W/s) in the same unit.
    """
    _, height, width = (size // factor for size, factor in zip(part.shape, scale, strict=True))
    sizes = zip((depth, height, width), scale, strict=True)
    along, *others = (degradation_matrix(size, factor, grid) for size, factor in sizes)
    return _apply(part, [along[:, planes], *others], skip=[False, *(factor == 1 for factor in scale[1:])])


def zero_fill(lr: Array, scale: Scale, grid: Grid = "center", box: Box | None = None) -> Array:
    """Interpolate by zero-filling k-space (sinc interpolation) on the HR grid.

    Args:
        lr: (..., D, H, W), any unit; always the whole volume, because every LR voxel reaches every HR voxel.
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.
        box: the part of the HR grid that is wanted (D, H, W); all of it by default.

    Returns:
        (..., D*s, H*s, W*s) or the box of it, in the same unit; may overshoot the LR's range (Gibbs ringing).
    """
    shape = lr.shape[-3:]
    matrices = [zero_filling_matrix(size, factor, grid) for size, factor in zip(shape, scale, strict=True)]
    if box is not None:
        matrices = [matrix[part] for matrix, part in zip(matrices, box, strict=True)]
    return _apply(lr, matrices, skip=[factor == 1 and box is None for factor in scale])


def residual(sr: Array, lr: Array, scale: Scale, grid: Grid = "center") -> Array:
    """Return ``degrade(sr) - lr``, (..., D, H, W) on the LR grid in the unit of the volumes.

    It tells whether the SR agrees with the measured LR below the LR's Nyquist frequency under the ideal k-space model.
    Detail above it is the network's estimate and leaves no residual, whether true or invented.
    """
    return degrade(sr, scale, grid) - lr


def project(sr: Array, lr: Array, scale: Scale, grid: Grid = "center") -> Array:
    """Put the measured low frequencies of the LR back into the SR, so that ``degrade(project(sr, lr)) == lr``.

    Args:
        sr: (..., D*s, H*s, W*s).
        lr: (..., D, H, W) in the same unit.
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.

    Returns:
        (..., D*s, H*s, W*s), changed only at frequencies up to the LR's Nyquist.
    """
    return sr - zero_fill(residual(sr, lr, scale, grid), scale, grid)


def crop_to_multiple(shape: tuple[int, ...], scale: Scale) -> tuple[slice, slice, slice]:
    """Return the box (D, H, W) that is kept of an HR volume whose sizes are no multiples of the scale.

    Of r = size mod s voxels, floor(r / 2) are dropped at the start of the axis and the rest at its end.
    """

    def keep(size: int, factor: int) -> slice:
        rest = size % factor
        return slice(rest // 2, rest // 2 + size - rest)

    depth, height, width = (keep(size, factor) for size, factor in zip(shape[-3:], scale, strict=True))
    return depth, height, width


@lru_cache(maxsize=64)
def zero_filling_matrix(lr_size: int, factor: int, grid: Grid) -> np.ndarray:
    """Return the (HR size, LR size) float64 matrix that interpolates one axis by zero-filling."""
    kernel = _dirichlet_kernel(lr_size, factor, grid, nyquist_weight=0.5) / lr_size
    return kernel[_offsets(lr_size, factor)]


@lru_cache(maxsize=64)
def degradation_matrix(lr_size: int, factor: int, grid: Grid) -> np.ndarray:
    """Return the (LR size, HR size) float64 matrix that crops one axis of k-space and samples it on the LR grid."""
    kernel = _dirichlet_kernel(lr_size, factor, grid, nyquist_weight=1.0) / (lr_size * factor)
    return np.ascontiguousarray(kernel[_offsets(lr_size, factor)].T)


def _offsets(lr_size: int, factor: int) -> np.ndarray:
    """Return n - s * m modulo the HR size for each HR index n and LR index m, (HR size, LR size)."""
    hr_index = np.arange(lr_size * factor)[:, None]
    return (hr_index - factor * np.arange(lr_size)[None, :]) % (lr_size * factor)


def _dirichlet_kernel(lr_size: int, factor: int, grid: Grid, nyquist_weight: float) -> np.ndarray:
    """Return the sum of the waves that k-space keeps, at each HR offset from an LR voxel: (HR size,)."""
    position = (np.arange(lr_size * factor) - grid_phase(factor, grid)) / factor  # in LR voxels
    frequency = np.arange(1, (lr_size - 1) // 2 + 1)
    kernel = 1 + 2 * np.cos(2 * np.pi / lr_size * position[:, None] * frequency).sum(axis=1)
    if lr_size % 2 == 0:
        kernel += 2 * nyquist_weight * np.cos(np.pi * position)  # frequencies +N/2 and -N/2
    return kernel


def _apply(volume: Array, matrices: list[np.ndarray], skip: list[bool]) -> Array:
    """Multiply each of the last three axes that is not skipped by its (out, in) matrix, in the volume's precision."""
    if isinstance(volume, np.ndarray):
        floating = volume if volume.dtype in (np.float32, np.float64) else volume.astype(np.float64)
        return _apply(torch.from_numpy(np.ascontiguousarray(floating)), matrices, skip).numpy()
    # Axes that shrink go first and axes that grow last, so that the fewest voxels are touched.
    for axis in sorted((0, 1, 2), key=lambda axis: matrices[axis].shape[0] / matrices[axis].shape[1]):
        if skip[axis]:
            continue
        matrix = torch.as_tensor(np.ascontiguousarray(matrices[axis]), dtype=volume.dtype, device=volume.device)
        if axis == 0:
            *lead, depth, height, width = volume.shape
            volume = (matrix @ volume.reshape(*lead, depth, height * width)).reshape(*lead, -1, height, width)
        else:
            volume = matrix @ volume if axis == 1 else volume @ matrix.T
    return volume
