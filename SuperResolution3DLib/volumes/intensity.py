"""The map between a volume's intensities and network units, computed from the LR volume alone."""

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from SuperResolution3DLib.errors import VolumeError
from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.mapped_array import planes

Policy = Literal["percentiles", "min-max", "fixed"]

LARGEST = 1e30  # in magnitude: float32 ends at 3.4e38, and interpolation overshoots
SMALLEST_RANGE = 1e-30  # float32 ends at 1.2e-38
FARTHEST = 1e12  # network units; float32 has 7 digits, so beside such a voxel nothing is left of the others
LARGEST_OFFSET = 128  # times the contrast; beyond it float32 has less than 17 of its 24 bits left for the contrast
SAMPLED_VOXELS = 2**16  # enough to tell offset from contrast
FEWEST_STEPS = 256  # that float32 has to tell apart between a volume's lowest and highest voxel


def check_intensities(array: np.ndarray, name: object = "The volume") -> None:
    """Refuse a volume (D, H, W), any unit, that float32 arithmetic cannot hold.

    Args:
        array: voxels.
        name: what the volume is called in the sentence.

    Raises:
        VolumeError: voxels that are not finite or beyond 1e30 in magnitude, as marks of missing data are, or all within
            less than 1e-30.
    """
    if array.dtype.kind != "f":
        return
    low, high = float(array.min()), float(array.max())  # either is NaN if a voxel is
    if not (math.isfinite(low) and math.isfinite(high)):
        count = array.size - int(np.count_nonzero(np.isfinite(array)))
        raise VolumeError(Sentence("volume-not-finite", {"path": str(name), "count": count, "size": array.size}))
    if max(abs(low), abs(high)) > LARGEST:
        count = sum(int(np.count_nonzero(np.abs(plane) > LARGEST)) for plane in array)
        values = {"name": str(name), "count": count, "size": array.size, "limit": LARGEST, "low": low, "high": high}
        raise VolumeError(Sentence("volume-extreme", values))
    if 0 < high - low < SMALLEST_RANGE:
        values = {"name": str(name), "range": high - low, "needed": SMALLEST_RANGE}
        raise VolumeError(Sentence("volume-flat", values))


def check_finite(result: np.ndarray, volume: np.ndarray) -> None:
    """Refuse what was computed of a volume, in its unit, if it has voxels without a value.

    Raises:
        VolumeError: it has.
    """
    count = 0
    for (plane,) in planes(result):
        if not np.isfinite((plane.min(), plane.max())).all():
            count += plane.size - int(np.count_nonzero(np.isfinite(plane)))
    if count:
        values = {"count": count, "size": result.size, "low": float(volume.min()), "high": float(volume.max())}
        raise VolumeError(Sentence("volume-result", values))


def large_offset(array: np.ndarray) -> int | float:
    """Return the offset on which a small contrast stands, 0 where float32 holds the voxels (D, H, W) as they are.

    What is computed of a volume is linear in its intensities, so the offset may be taken away before
    (``without_offset``) and added after (``volume.cast_like``). A few outliers do not hide it.
    """
    if array.dtype.kind in "iu" and array.dtype.itemsize <= 2:
        return 0
    step = math.ceil((array.size / SAMPLED_VOXELS) ** (1 / 3))
    sample = np.sort(array[::step, ::step, ::step], axis=None)  # in the volume's type: int64 exceeds float64
    tail = sample.size // 200
    low, middle, high = (sample[index].item() for index in (tail, sample.size // 2, sample.size - 1 - tail))
    if low == high:  # nearly all of the volume is air
        low, high = array.min().item(), array.max().item()
    if low == high or max(abs(low), abs(high)) <= LARGEST_OFFSET * (high - low):
        return 0
    return middle


def without_offset(array: np.ndarray, offset: int | float) -> np.ndarray:
    """Return voxels (D, H, W) less an offset in float64, exact to its rounding for every type; as they are for 0."""
    if offset == 0:
        return array
    result = np.empty(array.shape, np.float64)
    for plane, target in zip(array, result, strict=True):
        if array.dtype.kind == "f" or isinstance(offset, float):
            np.subtract(plane, offset, out=target, dtype=np.float64)
            continue
        # int64 less int64 may need 65 bits; modulo 2^64 the distance of two such numbers is exact
        wide, base = plane.astype(np.uint64), np.uint64(offset % 2**64)
        target[...] = np.where(plane >= offset, (wide - base).astype(np.float64), -(base - wide).astype(np.float64))
    return result


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
            VolumeError: the LR volume is constant between the two values, or float32 cannot hold it in network units.
        """
        lowest, highest = float(lr.min()), float(lr.max())
        low, high = lowest, highest
        if self.policy == "fixed":
            low, high = self.low, self.high
        elif self.policy == "percentiles":
            low, high = (float(value) for value in np.percentile(lr, [self.low, self.high]))
            if not low < high:  # nearly all of the volume is air
                low, high = lowest, highest
        if not low < high:
            raise VolumeError(Sentence("volume-no-contrast", {"value": low}))
        fitted = IntensityMap(offset=low, width=high - low)
        fitted.check(lr, lowest, highest)
        return fitted


@dataclass(frozen=True)
class IntensityMap:
    """A linear map: network units = (intensity - offset) / width."""

    offset: float
    width: float

    def check(self, lr: np.ndarray, lowest: float, highest: float) -> None:
        """Refuse a volume (D, H, W) with these extremes that float32 cannot hold in network units.

        Raises:
            VolumeError: voxels too far from the range, or too little contrast so far from it.
        """
        farthest = max(abs(lowest - self.offset), abs(highest - self.offset))
        values = {"low": self.offset, "high": self.offset + self.width, "lowest": lowest, "highest": highest}
        if farthest > FARTHEST * self.width:
            far = (int(np.count_nonzero(np.abs(plane - self.offset) > FARTHEST * self.width)) for plane in lr)
            counts = {"count": sum(far), "size": lr.size, "times": FARTHEST}
            raise VolumeError(Sentence("volume-far", values | counts))
        if 0 < highest - lowest < FEWEST_STEPS * farthest * np.finfo(np.float32).eps:
            raise VolumeError(Sentence("volume-low-contrast", values))

    def to_network(self, volume: np.ndarray) -> np.ndarray:
        """Map intensities (MR units, HU) to network units, float32, same shape."""
        return ((volume - np.float64(self.offset)) / self.width).astype(np.float32)

    def undo(self, volume: np.ndarray) -> None:
        """Map network units (D, H, W), float32, back to intensities in place; what float32 cannot hold is not finite.

        The values are those of ``from_network``.
        """
        with np.errstate(over="ignore", invalid="ignore"):
            for (plane,) in planes(volume):
                plane *= np.float32(self.width)
                plane += np.float32(self.offset)

    def from_network(self, volume: np.ndarray) -> np.ndarray:
        """Map network units back to intensities, float32, same shape."""
        return (volume.astype(np.float32) * np.float32(self.width)) + np.float32(self.offset)
