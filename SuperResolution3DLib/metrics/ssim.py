"""Structural similarity (Wang et al. 2004) of two volumes, with three windows; each equals scikit-image's to rounding.

    ssim            3D Gaussian window of 11 voxels, sigma 1.5 voxels, population covariance
    ssim_uniform    the mean of 7^3 voxels, sample covariance: scikit-image's default
    ssim_slices     2D Gaussian window (11, sigma 1.5, population covariance) within the slices of each view

K1 = 0.01, K2 = 0.03. A map covers only voxels whose whole window lies in the volume, and is averaged in float64.
"""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np
from scipy import ndimage

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.metrics.evaluation_protocols import SSIM_WINDOW, check_shapes
from SuperResolution3DLib.threads import num_threads

GAUSSIAN_SIGMA = 1.5  # voxels
UNIFORM_WIDTH = 7  # voxels
K1, K2 = 0.01, 0.03
SLAB_DEPTH = 16  # planes of the map that are computed at once, to bound the memory and stay in the cache
MOST_THREADS = 8

Axes = tuple[int, ...]


@dataclass(frozen=True)
class Window:
    """How the means of SSIM are taken."""

    width: int
    """voxels along each axis that it is applied to"""
    axes: Axes = (0, 1, 2)
    """two axes: within slices"""
    gaussian: bool = True
    """otherwise all voxels have the same weight"""

    @property
    def margin(self) -> int:
        return self.width // 2

    @property
    def covariance_factor(self) -> float:
        """Turns the population covariance into what is used: that of a sample for the uniform window."""
        count = self.width ** len(self.axes)
        return 1.0 if self.gaussian else count / (count - 1)

    def smooth(self, slab: np.ndarray) -> np.ndarray:
        """Return the means of a float64 slab (D, H, W) for the voxels whose whole window lies in it."""
        for axis in self.axes:
            if self.gaussian:
                slab = ndimage.correlate1d(slab, _gaussian(self.margin), axis=axis)
            else:
                slab = ndimage.uniform_filter1d(slab, self.width, axis=axis)
            slab = slab[self.inner(axis)]
        return slab

    def inner(self, *axes: int) -> tuple[slice, ...]:
        """Return the index (D, H, W) that takes the margin off some axes."""
        return tuple(slice(self.margin, -self.margin) if axis in axes else slice(None) for axis in range(3))


VOLUME = Window(SSIM_WINDOW)
UNIFORM = Window(UNIFORM_WIDTH, gaussian=False)
SLICES = tuple(Window(SSIM_WINDOW, axes) for axes in ((1, 2), (0, 2), (0, 1)))  # axial, coronal, sagittal


def ssim(sr: np.ndarray, hr: np.ndarray, data_range: float, mask: np.ndarray | None = None) -> float:
    """Return the mean SSIM of the 3D Gaussian window.

    Args:
        sr: (D, H, W), every axis at least 11.
        hr: (D, H, W), in the unit of the SR.
        data_range: the dynamic range L of the constants (K1 L)^2 and (K2 L)^2, in the same unit.
        mask: (D, H, W) bool, the voxels of the map that count; all of them by default.

    Raises:
        GeometryError: the shapes differ, or an axis is shorter than the window.
        VolumeError: the mask is empty away from the border.
    """
    return _mean(sr, hr, data_range, VOLUME, mask)


def ssim_uniform(sr: np.ndarray, hr: np.ndarray, data_range: float) -> float:
    """Return the mean SSIM of the uniform window; arguments and errors as for ``ssim``."""
    return _mean(sr, hr, data_range, UNIFORM)


def ssim_slices(sr: np.ndarray, hr: np.ndarray, data_range: float) -> tuple[float, float, float]:
    """Return the mean SSIM of the axial, coronal and sagittal slices; arguments and errors as for ``ssim``."""
    axial, coronal, sagittal = (_mean(sr, hr, data_range, window) for window in SLICES)
    return axial, coronal, sagittal


def _mean(sr: np.ndarray, hr: np.ndarray, data_range: float, window: Window, mask: np.ndarray | None = None) -> float:
    """Average the map slab by slab, several of them at once."""
    _check(sr, hr, mask, window)
    margin = window.margin if 0 in window.axes else 0

    #   planes read     start ................................. start + n + 2 margin
    #   planes of map           start + margin .. start + margin + n
    def part(start: int) -> tuple[float, int]:
        slab = slice(start, start + SLAB_DEPTH + 2 * margin)
        similarity = _similarity(sr[slab].astype(np.float64), hr[slab].astype(np.float64), data_range, window)
        if mask is not None:
            similarity = similarity[mask[slab][window.inner(*window.axes)]]
        return float(similarity.sum()), similarity.size

    starts = range(0, hr.shape[0] - 2 * margin, SLAB_DEPTH)
    with ThreadPoolExecutor(min(len(starts), num_threads(), MOST_THREADS)) as threads:
        total, count = _sum(threads.map(part, starts))
    if not count:
        raise VolumeError(f"None of the voxels that lie {window.margin} or more from the border counts for SSIM")
    return total / count


def _similarity(sr: np.ndarray, hr: np.ndarray, data_range: float, window: Window) -> np.ndarray:
    """Return the SSIM map of two float64 slabs, smaller than them by the window."""
    mean_sr, mean_hr = window.smooth(sr), window.smooth(hr)
    product = mean_sr * mean_hr
    squares = mean_sr**2 + mean_hr**2
    covariance = window.covariance_factor * (window.smooth(sr * hr) - product)
    variances = window.covariance_factor * (window.smooth(sr**2 + hr**2) - squares)  # of both: only their sum is needed
    c1, c2 = (K1 * data_range) ** 2, (K2 * data_range) ** 2
    return (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))


def _gaussian(margin: int) -> np.ndarray:
    offsets = np.arange(-margin, margin + 1)
    weights = np.exp(-(offsets**2) / (2 * GAUSSIAN_SIGMA**2))
    return weights / weights.sum()


def _sum(parts: Iterable[tuple[float, int]]) -> tuple[float, int]:
    total, count = 0.0, 0
    for value, size in parts:
        total, count = total + value, count + size
    return total, count


def _check(sr: np.ndarray, hr: np.ndarray, mask: np.ndarray | None, window: Window) -> None:
    check_shapes(sr, hr, mask)
    if any(hr.shape[axis] < window.width for axis in window.axes):
        raise GeometryError(
            f"SSIM needs {window.width} voxels along every axis, the volume is {hr.shape} (head-foot, front-back, "
            "left-right)"
        )
