"""The two protocols under which an SR volume is compared with its HR: which voxels count, and in which range.

``foreground``: the range goes from 0, or the 0.1 percentile of the HR where that is lower (CT), to its 99.9 percentile;
both volumes are cropped to the HR's foreground (``foreground_box``); blocks of exact zeros from defacing
(``measured_mask``) do not count. ``paper``: the whole volume; the range is the HR's maximum - minimum; the SR is
clipped to it. Percentiles, box and mask are the whole HR's.
"""

from dataclasses import dataclass
from typing import Literal, get_args

import numpy as np

from SuperResolution3DLib.errors import GeometryError, VolumeError
from SuperResolution3DLib.metrics.foreground import foreground_box, measured_mask
from SuperResolution3DLib.volumes.box import Box, whole

Protocol = Literal["foreground", "paper"]
PROTOCOLS: tuple[Protocol, ...] = get_args(Protocol)
LOW_PERCENTILE, HIGH_PERCENTILE = 0.1, 99.9  # a few hot voxels must not stretch the range
SSIM_WINDOW = 11  # voxels; a box that is compared is at least as large


@dataclass(frozen=True)
class ComparedPair:
    """The parts of an SR and its HR that a protocol compares."""

    protocol: Protocol
    sr: np.ndarray
    """(D, H, W)"""
    hr: np.ndarray
    """(D, H, W), in the unit of the SR"""
    low: float
    """what counts as black in a picture of a slice"""
    high: float
    """what counts as white"""
    mask: np.ndarray | None
    """(D, H, W) bool, the voxels that count; None: all of them"""

    @property
    def data_range(self) -> float:
        """The peak of PSNR and the dynamic range of SSIM."""
        return self.high - self.low


@dataclass(frozen=True)
class Reference:
    """What a protocol compares of an HR, found once for all SR volumes that are compared with it."""

    protocol: Protocol
    hr: np.ndarray
    """(D, H, W), the box of the whole HR"""
    box: Box
    low: float
    high: float
    mask: np.ndarray | None

    def pair(self, sr: np.ndarray) -> ComparedPair:
        """Cut out, and clip, what is compared of an SR (D, H, W) on the whole HR's grid."""
        part = sr.clip(self.low, self.high) if self.protocol == "paper" else sr[self.box]
        return ComparedPair(self.protocol, part, self.hr, self.low, self.high, self.mask)


def compared_pair(sr: np.ndarray, hr: np.ndarray, protocol: Protocol) -> ComparedPair:
    """Cut out, and clip, what a protocol compares.

    Args:
        sr: (D, H, W), canonical, on the HR's grid.
        hr: (D, H, W), canonical, in the unit of the SR.
        protocol: "foreground" or "paper", see ``describe``.

    Raises:
        GeometryError: the shapes differ.
        VolumeError: voxels that are not finite, a constant HR, or one without a range under the protocol
            ``foreground``.
        ValueError: an unknown protocol.
    """
    _check_protocol(protocol)
    check_pair(sr, hr)
    return reference(hr, protocol).pair(sr)


def reference(hr: np.ndarray, protocol: Protocol) -> Reference:
    """Find out what a protocol compares of an HR that ``check_pair`` accepts; see ``compared_pair``."""
    _check_protocol(protocol)
    if protocol == "paper":
        return Reference(protocol, hr, whole(hr.shape), float(hr.min()), float(hr.max()), None)
    # Each by itself: of two at once numpy computes the second to another last digit.
    lowest, high = float(np.percentile(hr, LOW_PERCENTILE)), float(np.percentile(hr, HIGH_PERCENTILE))
    low = min(0.0, lowest)  # no signal is 0 in MR; in CT air lies near -1000 HU, and lungs between
    if not low < high:
        raise VolumeError(
            f"The HR's 0.1 percentile is {lowest:g} and its 99.9 percentile {high:g}, which leaves the protocol "
            "'foreground' no range, use the protocol 'paper'"
        )
    box = _at_least_a_window(foreground_box(hr), hr.shape)
    mask = measured_mask(hr)[box]
    return Reference(protocol, hr[box], box, low, high, None if mask.all() else mask)


def describe(protocol: Protocol) -> str:
    """Return the line that stands above or below every table of scores.

    Raises:
        ValueError: an unknown protocol.
    """
    _check_protocol(protocol)
    return {
        "foreground": "Protocol foreground: range = 0 (CT: 0.1 percentile of HR) to 99.9 percentile of HR, cropped to "
        "the HR's foreground, blocks of exact zeros left out, 3D Gaussian SSIM (window 11, sigma 1.5)",
        "paper": "Protocol paper: range = HR maximum - minimum, whole volume, SR clipped to the HR's range, "
        "3D Gaussian SSIM (window 11, sigma 1.5), uniform SSIM (7^3, scikit-image's default), "
        "2D Gaussian SSIM (slices, mean of three views)",
    }[protocol]


def check_pair(sr: np.ndarray, hr: np.ndarray) -> None:
    """Refuse an SR and an HR (D, H, W) that cannot be compared.

    Raises:
        GeometryError: the shapes differ.
        VolumeError: voxels that are not finite, or a constant HR.
    """
    check_shapes(sr, hr, None)
    for name, volume in (("SR", sr), ("HR", hr)):
        if not np.isfinite([volume.min(), volume.max()]).all():  # NaN spreads through min and max
            count = int(np.count_nonzero(~np.isfinite(volume)))
            raise VolumeError(f"The {name} has {count} of {volume.size} voxels that are not finite")
    if hr.min() == hr.max():
        raise VolumeError(f"The HR is constant ({float(hr.min()):g} everywhere), there is nothing to score against")


def check_shapes(sr: np.ndarray, hr: np.ndarray, mask: np.ndarray | None) -> None:
    """Refuse arrays of different shapes.

    Raises:
        GeometryError: the shapes differ, or are not (D, H, W).
    """
    if sr.shape != hr.shape or hr.ndim != 3:
        raise GeometryError(
            f"The SR is {sr.shape} voxels, its HR {hr.shape} (head-foot, front-back, left-right); they must be on one "
            "grid"
        )
    if mask is not None and mask.shape != hr.shape:
        raise GeometryError(f"The mask is {mask.shape} voxels, the HR {hr.shape} (head-foot, front-back, left-right)")


def _at_least_a_window(box: Box, shape: tuple[int, ...]) -> Box:
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
