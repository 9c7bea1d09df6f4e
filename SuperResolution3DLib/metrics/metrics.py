"""PSNR, SSIM and added detail of an SR volume against its HR, under two named protocols.

Conventions. Volumes are (D, H, W) in canonical orientation, on the same grid, in the same unit; sums are in float64.
PSNR = 10 log10(range^2 / mean squared error). What counts and in which range: ``evaluation_protocols``; SSIM: ``ssim``.
"""

from dataclasses import dataclass

import numpy as np
from scipy import fft

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.metrics.evaluation_protocols import PROTOCOLS as PROTOCOLS
from SuperResolution3DLib.metrics.evaluation_protocols import Protocol, check_pair, check_shapes, compared_pair
from SuperResolution3DLib.metrics.evaluation_protocols import describe as describe
from SuperResolution3DLib.metrics.ssim import ssim, ssim_slices, ssim_uniform
from SuperResolution3DLib.threads import num_threads
from SuperResolution3DLib.volumes.geometry import Scale

ROUNDING_SHARE = 1e-14  # of the energy: what is below is rounding of float32 voxels


@dataclass(frozen=True)
class Scores:
    """How near an SR volume is to its HR."""

    psnr: float
    """dB; infinite where both are equal"""
    ssim: float
    """3D Gaussian window; at most 1"""
    ssim_uniform: float | None = None
    """scikit-image's default window; only under the protocol ``paper``"""
    ssim_slices: float | None = None
    """2D Gaussian window, mean of the three views; only under the protocol ``paper``"""


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
    pair = compared_pair(sr, hr, protocol)
    nearness = psnr(pair.sr, pair.hr, pair.data_range, pair.mask)
    similarity = ssim(pair.sr, pair.hr, pair.data_range, pair.mask)
    if protocol == "foreground":
        return Scores(nearness, similarity)
    views = ssim_slices(pair.sr, pair.hr, pair.data_range)
    return Scores(nearness, similarity, ssim_uniform(pair.sr, pair.hr, pair.data_range), sum(views) / len(views))


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
    check_shapes(sr, hr, mask)
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
    check_pair(sr, hr)
    energy = _energy_above(hr, scale)
    if energy <= ROUNDING_SHARE * hr.size * float(np.vdot(hr, hr.astype(np.float64))):  # of all energy (Parseval)
        raise VolumeError(
            f"The HR has no detail above the Nyquist frequency of an LR smaller by {scale} (head-foot, front-back, "
            "left-right)"
        )
    return _energy_above(sr, scale) / energy


def _energy_above(volume: np.ndarray, scale: Scale) -> float:
    spectrum = fft.rfftn(volume.astype(np.float64), workers=num_threads())
    energy = spectrum.real**2 + spectrum.imag**2
    size = volume.shape[-1]
    energy[..., 1 : (size + 1) // 2] *= 2  # a real volume's spectrum has a mirror image, which rfftn leaves out
    inside = [np.abs(np.fft.fftfreq(n)) * 2 * factor <= 1 for n, factor in zip(volume.shape, scale, strict=True)]
    inside[2] = inside[2][: size // 2 + 1]
    energy[np.ix_(*inside)] = 0
    return float(energy.sum())
