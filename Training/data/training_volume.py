"""An HR volume with its degraded copies, of which patches are cut."""

from dataclasses import dataclass
from itertools import permutations

import numpy as np

from SuperResolution3DLib.volumes.box import Box
from SuperResolution3DLib.volumes.geometry import Scale
from Training.data.appearance import Appearance
from Training.data.mapped_array import MappedArray

SPACING_TOLERANCE = 0.05  # axes whose spacing differs by less may be swapped

Start = tuple[int, int, int]


@dataclass(frozen=True)
class DegradedVolume:
    """One LR volume, made from the HR volume after dropping ``start`` voxels (D, H, W) at its beginning."""

    lr: np.ndarray | MappedArray
    """(D, H, W) float32, network units"""
    start: Start
    offset: float
    """network units = (intensity - offset) / width, from the LR volume alone unless the HR's range is asked for"""
    width: float
    foreground: np.ndarray | MappedArray
    """(P, 3) int16, LR voxels (D, H, W) above Otsu's threshold, the centres of patches"""
    appearance: Appearance | None = None
    """how the HR volume was changed before; None: as it is"""


@dataclass(frozen=True)
class TrainingVolume:
    """An HR volume in canonical RAS orientation with its degraded copies; arrays may lie on disk."""

    name: str
    hr: np.ndarray | MappedArray
    """(D, H, W), the file's intensities"""
    measured: np.ndarray | MappedArray
    """(D, H, W) bool, False where defacing left zeros and where the volume was padded"""
    spacing: tuple[float, float, float]
    """HR voxel spacing (D, H, W) in mm"""
    degraded: tuple[DegradedVolume, ...]
    axis_orders: tuple[tuple[int, int, int], ...]
    """orders of the axes that the spacing allows"""
    subject: str = ""

    def hr_patch(self, degraded: DegradedVolume, box: Box) -> np.ndarray:
        """Return the voxels (D, H, W) of a box of the HR volume that one of its degraded copies was made from."""
        if degraded.appearance is None:
            return np.asarray(self.hr[box])
        return degraded.appearance.apply(self.hr[box], box, self.hr.shape)


def axis_orders(spacing: tuple[float, float, float], scale: Scale) -> tuple[tuple[int, int, int], ...]:
    """Return the orders of the axes that change neither spacing nor scale."""
    return tuple(
        (d, h, w)
        for d, h, w in permutations((0, 1, 2))
        if all(abs(spacing[axis] / spacing[i] - 1) < SPACING_TOLERANCE for i, axis in enumerate((d, h, w)))
        and all(scale[axis] == scale[i] for i, axis in enumerate((d, h, w)))
    )
