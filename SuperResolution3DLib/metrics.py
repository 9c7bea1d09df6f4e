"""PSNR, 3D SSIM and added detail of an SR volume against its HR, under two named protocols.

Conventions. Volumes are (D, H, W) in canonical orientation, on the same grid, in the same unit; sums are in float64.
PSNR = 10 log10(range^2 / mean squared error). SSIM (Wang et al. 2004) is 3D: Gaussian window of 11 voxels, sigma 1.5
voxels, K1 = 0.01, K2 = 0.03, population covariance; its map covers only voxels whose whole window lies in the volume
and is averaged. It is scikit-image's ``structural_similarity`` with ``gaussian_weights`` and without sample covariance.

Protocols. ``foreground``: the range is the 99.9 percentile of the HR; both volumes are cropped to the HR's foreground
(``foreground_box``); blocks of exact zeros from defacing (``measured_mask``) do not count. ``paper``: the whole volume;
the range is the HR's maximum - minimum; the SR is clipped to it. Percentile, box and mask are the whole HR's.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np
from scipy import fft, ndimage

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.foreground import foreground_box, measured_mask
from SuperResolution3DLib.geometry import Scale

Protocol = Literal["foreground", "paper"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
RANGE_PERCENTILE = 99.9

SSIM_WINDOW = 11  # voxels
SSIM_SIGMA = 1.5  # voxels
SSIM_K1, SSIM_K2 = 0.01, 0.03
ROUNDING_SHARE = 1e-14  # of the energy: what is below is rounding of float32 voxels
SLAB_DEPTH = 32  # planes of the SSIM map that are computed at once, to bound the memory


@dataclass(frozen=True)
class Scores:
    """How near an SR volume is to its HR."""

    psnr: float
    """dB; infinite where both are equal"""
    ssim: float
    """at most 1"""


def score(sr: np.ndarray, hr: np.ndarray, protocol: Protocol) -> Scores:
    """Score an SR volume against its HR under a named protocol.

    Args:
        sr: (D, H, W), canonical, on the HR's grid.
        hr: (D, H, W), canonical, in the unit of the SR.
        protocol: "foreground" or "paper", see ``describe``.

    Raises:
        GeometryError: the shapes differ, or an axis is shorter than the SSIM window.
        VolumeError: voxels that are not finite, a constant HR, or nothing left to score.
        ValueError: an unknown protocol.
    """
    _check_protocol(protocol)
    _check_pair(sr, hr)
    if protocol == "paper":
        low, high = float(hr.min()), float(hr.max())
        return Scores(psnr(sr.clip(low, high), hr, high - low), ssim(sr.clip(low, high), hr, high - low))
    data_range = float(np.percentile(hr, RANGE_PERCENTILE))
    if data_range <= 0:
        raise VolumeError(
            f"The HR's 99.9 percentile is {data_range:g}; the protocol 'foreground' takes it as the range and needs "
            "intensities above 0, use the protocol 'paper'"
        )
    box = _at_least_a_window(foreground_box(hr), hr.shape)
    mask = measured_mask(hr)[box]
    return Scores(psnr(sr[box], hr[box], data_range, mask), ssim(sr[box], hr[box], data_range, mask))


def describe(protocol: Protocol) -> str:
    """Return the line that stands above or below every table of scores.

    Raises:
        ValueError: an unknown protocol.
    """
    _check_protocol(protocol)
    return {
        "foreground": "Protocol foreground: range = 99.9 percentile of HR, cropped to the HR's foreground, blocks of "
        "exact zeros left out, 3D Gaussian SSIM (window 11, sigma 1.5)",
        "paper": "Protocol paper: range = HR maximum - minimum, whole volume, SR clipped to the HR's range, "
        "3D Gaussian SSIM (window 11, sigma 1.5)",
    }[protocol]


def psnr(sr: np.ndarray, hr: np.ndarray, data_range: float, mask: np.ndarray | None = None) -> float:
    """Return the peak signal-to-noise ratio in dB.

    Args:
        sr: (D, H, W).
        hr: (D, H, W), in the unit of the SR.
        data_range: the peak, in the same unit.
        mask: (D, H, W) bool, the voxels that count; all of them by default.

    Raises:
        GeometryError: the shapes differ.
        VolumeError: the mask is empty.
    """
    _check_shapes(sr, hr, mask)
    squares, count = 0.0, 0
    for plane in range(hr.shape[0]):
        error = sr[plane].astype(np.float64) - hr[plane]
        if mask is not None:
            error = error[mask[plane]]
        squares += float(np.vdot(error, error))
        count += error.size
    if not count:
        raise VolumeError(f"None of the {hr.size} voxels counts, there is nothing to score")
    return float("inf") if squares == 0 else float(10 * np.log10(data_range**2 * count / squares))


def ssim(sr: np.ndarray, hr: np.ndarray, data_range: float, mask: np.ndarray | None = None) -> float:
    """Return the mean structural similarity over the voxels whose window lies in the volume.

    Args:
        sr: (D, H, W), every axis at least 11.
        hr: (D, H, W), in the unit of the SR.
        data_range: the dynamic range L of the constants (K1 L)^2 and (K2 L)^2, in the same unit.
        mask: (D, H, W) bool, the voxels of the map that count; all of them by default.

    Raises:
        GeometryError: the shapes differ, or an axis is shorter than the window.
        VolumeError: the mask is empty away from the border.
    """
    _check_shapes(sr, hr, mask)
    if min(hr.shape) < SSIM_WINDOW:
        raise GeometryError(f"SSIM needs {SSIM_WINDOW} voxels along every axis, the volume is {hr.shape} (D, H, W)")
    margin = SSIM_WINDOW // 2
    total, count = 0.0, 0
    #   planes read     start ........................ start + n + 10
    #   planes of map           start + 5 .. start + n + 5
    for start in range(0, hr.shape[0] - 2 * margin, SLAB_DEPTH):
        slab = slice(start, start + SLAB_DEPTH + 2 * margin)
        similarity = _ssim_map(sr[slab].astype(np.float64), hr[slab].astype(np.float64), data_range)
        if mask is not None:
            similarity = similarity[mask[slab][margin:-margin, margin:-margin, margin:-margin]]
        total += float(similarity.sum())
        count += similarity.size
    if not count:
        raise VolumeError(f"None of the voxels that lie {margin} or more from the border counts for SSIM")
    return total / count


def added_detail(sr: np.ndarray, hr: np.ndarray, scale: Scale) -> float:
    """Return the SR's spectral energy above the LR's Nyquist frequency as a share of the HR's.

    A frequency counts as above if it lies outside the LR's k-space box, |k| <= size / (2 scale) on every axis; on an
    axis of scale 1 nothing does. Zero-filling gives 0, the HR itself 1; the share says nothing about being right.

    Args:
        sr: (D, H, W), on the HR's grid.
        hr: (D, H, W), in the unit of the SR.
        scale: factor per axis (D, H, W).

    Raises:
        GeometryError: the shapes differ.
        VolumeError: voxels that are not finite, a constant HR, or an HR without any energy above.
    """
    _check_pair(sr, hr)
    energy = _energy_above(hr, scale)
    if energy <= ROUNDING_SHARE * hr.size * float(np.vdot(hr, hr.astype(np.float64))):  # of all energy (Parseval)
        raise VolumeError(f"The HR has no detail above the Nyquist frequency of an LR smaller by {scale} (D, H, W)")
    return _energy_above(sr, scale) / energy


def _ssim_map(sr: np.ndarray, hr: np.ndarray, data_range: float) -> np.ndarray:
    """Return the SSIM map of two float64 slabs, 10 voxels smaller along each axis."""
    mean_sr, mean_hr = _smooth(sr), _smooth(hr)
    product = mean_sr * mean_hr
    squares = mean_sr**2 + mean_hr**2
    covariance = _smooth(sr * hr) - product
    variances = _smooth(sr**2 + hr**2) - squares  # of both: SSIM needs only their sum
    c1, c2 = (SSIM_K1 * data_range) ** 2, (SSIM_K2 * data_range) ** 2
    return (2 * product + c1) * (2 * covariance + c2) / ((squares + c1) * (variances + c2))


def _smooth(slab: np.ndarray) -> np.ndarray:
    """Return the Gaussian means of a slab, for the voxels whose whole window lies in it."""
    offsets = np.arange(SSIM_WINDOW) - SSIM_WINDOW // 2
    weights = np.exp(-(offsets**2) / (2 * SSIM_SIGMA**2))
    weights /= weights.sum()
    inner = slice(SSIM_WINDOW // 2, -(SSIM_WINDOW // 2))
    slab = ndimage.correlate1d(slab, weights, axis=0)[inner]
    slab = ndimage.correlate1d(slab, weights, axis=1)[:, inner]
    return ndimage.correlate1d(slab, weights, axis=2)[:, :, inner]


def _energy_above(volume: np.ndarray, scale: Scale) -> float:
    spectrum = fft.rfftn(volume.astype(np.float64), workers=-1)
    energy = spectrum.real**2 + spectrum.imag**2
    size = volume.shape[-1]
    energy[..., 1 : (size + 1) // 2] *= 2  # a real volume's spectrum has a mirror image, which rfftn leaves out
    inside = [np.abs(np.fft.fftfreq(n)) * 2 * factor <= 1 for n, factor in zip(volume.shape, scale, strict=True)]
    inside[2] = inside[2][: size // 2 + 1]
    energy[np.ix_(*inside)] = 0
    return float(energy.sum())


def _at_least_a_window(box: tuple[slice, slice, slice], shape: tuple[int, ...]) -> tuple[slice, slice, slice]:
    """Widen a box (D, H, W) evenly to the SSIM window, as far as the volume reaches."""

    def widen(part: slice, size: int) -> slice:
        missing = max(0, SSIM_WINDOW - (part.stop - part.start))
        start = max(0, min(part.start - missing // 2, size - SSIM_WINDOW))
        return slice(start, min(size, max(part.stop, start + SSIM_WINDOW)))

    depth, height, width = (widen(part, size) for part, size in zip(box, shape, strict=True))
    return depth, height, width


def _check_protocol(protocol: str) -> None:
    if protocol not in PROTOCOLS:
        raise ValueError(f"The protocol is one of {', '.join(PROTOCOLS)}, got {protocol!r}")


def _check_pair(sr: np.ndarray, hr: np.ndarray) -> None:
    _check_shapes(sr, hr, None)
    for name, volume in (("SR", sr), ("HR", hr)):
        if not np.isfinite([volume.min(), volume.max()]).all():  # NaN spreads through min and max
            count = int(np.count_nonzero(~np.isfinite(volume)))
            raise VolumeError(f"The {name} has {count} of {volume.size} voxels that are not finite")
    if hr.min() == hr.max():
        raise VolumeError(f"The HR is constant ({float(hr.min()):g} everywhere), there is nothing to score against")


def _check_shapes(sr: np.ndarray, hr: np.ndarray, mask: np.ndarray | None) -> None:
    if sr.shape != hr.shape:
        raise GeometryError(f"The SR is {sr.shape} voxels, its HR {hr.shape} (D, H, W); they must be on one grid")
    if mask is not None and mask.shape != hr.shape:
        raise GeometryError(f"The mask is {mask.shape} voxels, the HR {hr.shape} (D, H, W)")
