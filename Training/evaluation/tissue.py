"""Does it help? What a simple analysis finds in an SR, against what it finds in the HR.

Frozen: three classes of intensity inside the subject by Otsu's thresholds (SimpleITK), found in each volume by itself,
and the volume of the largest connected dark structure in the middle of the subject, the ventricles on a T1. Nothing is
registered and nothing learned.
"""

import numpy as np
import SimpleITK as sitk
from scipy import ndimage

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.metrics.evaluation_protocols import check_pair
from Training.evaluation.subject import subject_mask

CLASSES = 3
BINS = 128
DEEP = 0.3  # of the largest distance to the subject's border: what lies deeper is its middle
SMALLEST = 100  # voxels of the structure in the HR; a smaller one has no volume to speak of


def tissue_agreement(sr: np.ndarray, hr: np.ndarray) -> dict[str, float]:
    """Compare the classes and the structure of an SR with those of the HR.

    Args:
        sr: (D, H, W), canonical, on the HR's grid.
        hr: (D, H, W), canonical.

    Returns:
        tissue_dice: mean Dice overlap of the classes, 0 to 1; core_volume_error: percent of the HR's structure, left
        out where that is too small.

    Raises:
        GeometryError: the shapes differ.
        VolumeError: voxels that are not finite, a constant HR, or no subject.
    """
    check_pair(sr, hr)
    return HrTissue(hr).agreement(sr)


class HrTissue:
    """What the analysis finds in an HR, once for all that is compared with it."""

    def __init__(self, hr: np.ndarray) -> None:
        """Analyse an HR (D, H, W).

        Raises:
            VolumeError: a constant HR, or no subject.
        """
        self.subject = subject_mask(hr)
        if not self.subject.any():
            raise VolumeError("The HR shows no subject")
        self.classes = _classes(hr, self.subject)
        depth = ndimage.distance_transform_edt(self.subject)
        self.middle = depth > DEEP * depth.max()
        self.core = _largest((self.classes == 0) & self.middle)

    def agreement(self, sr: np.ndarray) -> dict[str, float]:
        """Return the figures of ``tissue_agreement`` of an SR on the HR's grid, which has finite voxels."""
        found = _classes(sr, self.subject)
        overlaps = []
        for kind in range(CLASSES):
            one, other = found == kind, self.classes == kind
            if both := int(np.count_nonzero(one & self.subject) + np.count_nonzero(other & self.subject)):
                overlaps.append(2 * np.count_nonzero(one & other & self.subject) / both)
        figures = {"tissue_dice": float(np.mean(overlaps))}
        if self.core >= SMALLEST:
            core = _largest((found == 0) & self.middle)
            figures["core_volume_error"] = 100 * abs(core - self.core) / self.core
        return figures


def describe() -> str:
    """Return the line that stands with these figures."""
    return (
        f"Tissue classes: {CLASSES} by Otsu's thresholds inside the HR's subject, found in each volume by itself; "
        "Dice = mean over the classes; dark core = largest connected piece of the darkest class in the middle of the "
        "subject (the ventricles on a T1), its volume against the HR's"
    )


def _classes(volume: np.ndarray, subject: np.ndarray) -> np.ndarray:
    """Return 0, 1 or 2 for each voxel, by thresholds that part the subject's voxels best."""
    voxels = sitk.GetImageFromArray(volume[subject].astype(np.float32)[None, None])
    otsu = sitk.OtsuMultipleThresholdsImageFilter()
    otsu.SetNumberOfThresholds(CLASSES - 1)
    otsu.SetNumberOfHistogramBins(BINS)
    otsu.Execute(voxels)
    return np.digitize(volume, otsu.GetThresholds())


def _largest(mask: np.ndarray) -> int:
    """Return the voxels of the largest connected piece."""
    pieces, count = ndimage.label(mask)
    return int(np.bincount(pieces.ravel())[1:].max()) if count else 0
