"""Which voxels show the subject, its dark parts included."""

import numpy as np
from scipy import ndimage

from SuperResolution3DLib.metrics.foreground import measured_mask, otsu_threshold

CLOSING = 2  # voxels: sulci and ventricles belong to the subject


def subject_mask(hr: np.ndarray) -> np.ndarray:
    """Return the voxels (D, H, W) that show the subject, dark parts inside it included, without blocks of zeros.

    Raises:
        VolumeError: the volume is constant.
    """
    dark = float(np.percentile(hr, 0.1))
    bright = hr > dark + (otsu_threshold(hr) - dark) / 2
    return ndimage.binary_fill_holes(ndimage.binary_closing(bright, iterations=CLOSING)) & measured_mask(hr)
