"""Which voxels of a volume show the subject, and which were measured at all."""

import numpy as np
from scipy import ndimage

from SuperResolution3DLib.errors import VolumeError

HISTOGRAM_BINS = 256
OUTLIER_PERCENT = 0.1  # at either end of the histogram: a few hot voxels must not stretch it
BRIDGE_WIDTH = 3  # voxels; what is thinner does not connect a noise speck to the subject
SPECK_SHARE = 0.1  # pieces smaller than this share of the largest are noise, a marker, a fold of the headrest
STRIPPED_SHARE = 0.82  # of the background is exactly zero: measured 0.88 to 1.00 in bare brains, 0.00 to 0.75 in heads
BLOCK_WIDTH = 5  # voxels; zeros that fill a cube of this width are not noise


def otsu_threshold(array: np.ndarray) -> float:
    """Return the intensity that parts background and foreground best (Otsu 1979), robust to a few hot voxels.

    Own code, on which the figures of a protocol depend: SimpleITK's threshold lies a bin or two of 256 away in 28 of 86
    real volumes, and moves the border of 6 foreground boxes by a voxel.

    Args:
        array: (D, H, W), any unit; foreground is what lies above the threshold.

    Raises:
        VolumeError: the volume is constant or has voxels that are not finite.
    """
    counts, edges = np.histogram(array, HISTOGRAM_BINS, _histogram_range(array))
    centres = (edges[1:] + edges[:-1]) / 2
    below = np.cumsum(counts, dtype=np.float64)
    sum_below = np.cumsum(counts * centres)
    total, sum_total = below[-1], sum_below[-1]
    below, sum_below = below[:-1], sum_below[:-1]  # a threshold has bins on both of its sides
    separation = (sum_total * below - total * sum_below) ** 2 / np.maximum(below * (total - below), 1)
    best = np.flatnonzero(separation >= separation.max() * (1 - 1e-12))  # a gap between two peaks is a plateau
    return float(edges[1 + best[len(best) // 2]])


def foreground_box(array: np.ndarray) -> tuple[slice, slice, slice]:
    """Return the bounding box of the subject: of the large connected pieces above Otsu's threshold.

    Noise specks in air lie outside it, also where threads of noise tie them to the subject.

    Args:
        array: (D, H, W), any unit.

    Returns:
        Slices (D, H, W) into the volume.

    Raises:
        VolumeError: the volume is constant or has voxels that are not finite.
    """
    foreground = array > otsu_threshold(array)
    pieces, _ = ndimage.label(_erode(foreground, BRIDGE_WIDTH))
    sizes = np.bincount(pieces.ravel())
    sizes[0] = 0  # label 0 is what belongs to no piece
    if sizes.any():
        large = (sizes >= SPECK_SHARE * sizes.max())[pieces]
        foreground &= _dilate(large, BRIDGE_WIDTH + 2)  # the layer that eroding took, and one for rounded corners
    depth, height, width = (np.flatnonzero(foreground.any(axis=others)) for others in ((1, 2), (0, 2), (0, 1)))
    return _span(depth), _span(height), _span(width)


def measured_mask(array: np.ndarray) -> np.ndarray:
    """Return where a volume was measured: False on the blocks of exact zeros that defacing and padding leave.

    Air in a head scan is noisy, so zeros that fill whole cubes of 5 voxels there were written by somebody: they are no
    air to be restored, and their border cuts through tissue. Where the skull has been removed, nearly all of the
    background is exactly zero; it is then part of the image, and everything counts as measured. The rule: at least 82 %
    exact zeros among the voxels below Otsu's threshold make a volume without skull.

    Args:
        array: (D, H, W), any unit, as the file stores it (resampling turns zeros into ringing).

    Returns:
        (D, H, W) bool.

    Raises:
        VolumeError: the volume is constant or has voxels that are not finite.
    """
    zero = array == 0
    background = array <= otsu_threshold(array)
    if np.count_nonzero(zero & background) >= STRIPPED_SHARE * np.count_nonzero(background):
        return np.ones(array.shape, dtype=bool)
    return ~_dilate(_erode(zero, BLOCK_WIDTH), BLOCK_WIDTH)


def _histogram_range(array: np.ndarray) -> tuple[float, float]:
    """Return the intensities between which a histogram says something."""
    low, high = float(array.min()), float(array.max())
    if not np.isfinite([low, high]).all():  # NaN spreads through min and max
        count = int(np.count_nonzero(~np.isfinite(array)))
        raise VolumeError(f"The volume has {count} of {array.size} voxels that are not finite")
    if low == high:
        raise VolumeError(f"The volume is constant ({low:g} everywhere), it has no foreground")
    inner_low, inner_high = np.percentile(array, [OUTLIER_PERCENT, 100 - OUTLIER_PERCENT])
    return (float(inner_low), float(inner_high)) if inner_low < inner_high else (low, high)


def _erode(mask: np.ndarray, width: int) -> np.ndarray:
    """Shrink a mask (D, H, W) by a cube; it goes on beyond the volume's border."""
    return ndimage.minimum_filter(mask, size=width, mode="constant", cval=True)


def _dilate(mask: np.ndarray, width: int) -> np.ndarray:
    """Grow a mask (D, H, W) by a cube."""
    return ndimage.maximum_filter(mask, size=width, mode="constant", cval=False)


def _span(indices: np.ndarray) -> slice:
    return slice(int(indices[0]), int(indices[-1]) + 1)
