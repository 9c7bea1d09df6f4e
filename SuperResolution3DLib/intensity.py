"""The map between a volume's intensities and network units, computed from the LR volume alone."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from SuperResolution3DLib.errors import VolumeError

Policy = Literal["percentiles", "min-max", "fixed"]


@dataclass(frozen=True)
class IntensityPolicy:
    """How a model wants its input: which two values of the LR become 0 and 1 in network units.

    Nothing is clipped: k-space ringing below 0 is signal, and the map is inverted on output.
    """

    policy: Policy = "percentiles"
    """percentiles of the LR volume, its minimum and maximum (the paper's MR), or fixed values (the paper's CT)"""
    low: float = 0.5
    """percentile, or value (HU) under the fixed policy, that becomes 0"""
    high: float = 99.5
    """percentile, or value (HU) under the fixed policy, that becomes 1"""

    def __post_init__(self) -> None:
        if self.policy not in ("percentiles", "min-max", "fixed"):
            raise ValueError(f"Unknown intensity policy {self.policy!r}")
        if self.policy == "min-max":
            return
        if not -math.inf < self.low < self.high < math.inf:
            raise ValueError(f"intensity.low must be below intensity.high, both finite, got {self.low} and {self.high}")
        if self.policy == "percentiles" and not 0 <= self.low < self.high <= 100:
            raise ValueError(f"intensity.low and high are percentiles from 0 to 100, got {self.low} and {self.high}")

    def fit(self, lr: np.ndarray) -> "IntensityMap":
        """Return the map for one LR volume (D, H, W).

        Raises:
            VolumeError: the LR volume is constant between the two values.
        """
        if self.policy == "fixed":
            return IntensityMap(offset=self.low, width=self.high - self.low)
        if self.policy == "min-max":
            low, high = float(lr.min()), float(lr.max())
        else:
            low, high = (float(value) for value in np.percentile(lr, [self.low, self.high]))
            if not low < high:  # nearly all of the volume is air
                low, high = float(lr.min()), float(lr.max())
        if not low < high:
            raise VolumeError(f"The volume is constant ({low:g} everywhere), there is nothing to super-resolve")
        return IntensityMap(offset=low, width=high - low)


@dataclass(frozen=True)
class IntensityMap:
    """A linear map: network units = (intensity - offset) / width."""

    offset: float
    width: float

    def to_network(self, volume: np.ndarray) -> np.ndarray:
        """Map intensities (MR units, HU) to network units, float32, same shape."""
        return ((volume - np.float64(self.offset)) / self.width).astype(np.float32)

    def from_network(self, volume: np.ndarray) -> np.ndarray:
        """Map network units back to intensities, float32, same shape."""
        return (volume.astype(np.float32) * np.float32(self.width)) + np.float32(self.offset)
