"""The published sliding window: overlapping windows blended with Gaussian weights (paper 5.1)."""

from dataclasses import dataclass
from itertools import product
from math import prod

import numpy as np

from SuperResolution3DLib.volumes.box import Box, Shape
from SuperResolution3DLib.volumes.geometry import Scale

SMALLEST_AXIS = 4  # LR voxels; below, the network has no context
SMALLEST_WINDOW = SMALLEST_AXIS
SIGMA_SHARE = 0.125  # of the window's edge: the authors' and MONAI's default
SMALLEST_WEIGHT = 1e-3  # MONAI's floor, so that no voxel is without weight


@dataclass(frozen=True)
class WindowGrid:
    """Windows of one size over a volume, laid as MONAI's ``sliding_window_inference`` lays them."""

    shape: Shape
    """of the LR volume (D, H, W)"""
    size: int
    """edge in LR voxels; on a shorter axis the window takes the whole axis"""
    overlap: float
    """of neighbouring windows, as a share of the edge"""

    def __post_init__(self) -> None:
        if self.size < 1 or not 0 <= self.overlap < 1:
            raise ValueError(f"Window edge {self.size} must be positive and overlap {self.overlap} in [0, 1)")

    @property
    def window(self) -> Shape:
        depth, height, width = (min(self.size, size) for size in self.shape)
        return depth, height, width

    def boxes(self) -> list[Box]:
        """Return the windows in LR voxels; the last of each axis is moved back to end where the volume ends."""
        return [
            tuple(slice(at, at + edge) for at, edge in zip(corner, self.window, strict=True))  # type: ignore[misc]
            for corner in product(*self._starts())
        ]

    def count(self, region: Box) -> int:
        """Return how many windows share voxels with a region; they are counted by axis, as there may be millions."""
        return prod(
            sum(at < part.stop and at + edge > part.start for at in starts)
            for starts, edge, part in zip(self._starts(), self.window, region, strict=True)
        )

    def weights(self, scale: Scale, *, on_hr: bool = False) -> np.ndarray:
        """Return the blending weights of a window, (D*s, H*s, W*s) float32.

        Args:
            scale: of the network.
            on_hr: False: a Gaussian on the LR grid, repeated; True: one on the HR grid, where the network's input is.
        """
        one = (1, 1, 1)
        finer, repeats = (scale, one) if on_hr else (one, scale)
        window = [edge * factor for edge, factor in zip(self.window, finer, strict=True)]
        weights = np.ones((1, 1, 1), np.float32)
        for axis, edge in enumerate(window):
            distance = np.arange(edge, dtype=np.float32) - (edge - 1) / 2
            gaussian = np.exp(distance**2 / (-2 * (SIGMA_SHARE * edge) ** 2)).astype(np.float32)
            weights = weights * np.expand_dims(gaussian, [other for other in range(3) if other != axis])
        weights = np.maximum(weights, max(float(weights.min()), SMALLEST_WEIGHT))
        for axis, factor in enumerate(repeats):
            weights = weights.repeat(factor, axis)
        return weights

    def _starts(self) -> list[list[int]]:
        """Return the first LR voxels of the windows along each axis."""
        starts = []
        for size, edge in zip(self.shape, self.window, strict=True):
            step = max(int(edge * (1 - self.overlap)), 1)
            starts.append([*range(0, size - edge, step), size - edge])
        return starts
