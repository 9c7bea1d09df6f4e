"""HR volumes before they are degraded: RAS, cropped to the subject, resampled, padded (paper 5.1)."""

import math
from dataclasses import dataclass, field

import numpy as np

from SuperResolution3DLib.metrics.foreground import foreground_box, measured_mask
from SuperResolution3DLib.volumes.box import Box, whole
from SuperResolution3DLib.volumes.geometry import crop_affine
from SuperResolution3DLib.volumes.volume import Volume
from Training.data.mapped_array import MappedArray
from Training.data.resampling import resample


@dataclass(frozen=True)
class PreparationConfig:
    """What is done to a volume in RAS orientation before it is degraded, in this order."""

    floor: float | None = None
    """Voxels below are raised to this value (CT: -1024; scanners write -2000 or -3024 outside their circle)"""
    crop_foreground: bool = False
    """Crop to the box of the subject (paper); patches are drawn around foreground voxels in any case"""
    margin: int = 0
    """Voxels that are kept around the box of the subject"""
    spacing: tuple[float, float, float] | None = None
    """Resample linearly to this spacing, mm left-right, front-back and head-foot (paper, CT: 0.785, 0.785, 1.25); none
    leaves the file's"""
    pad_multiple: int = 1
    """Pad each axis at its end to a multiple of this many voxels (paper's authors: 8, which makes LR sizes even)"""
    pad_smallest: int = 0
    """Pad each axis at its end to at least this many voxels"""

    def __post_init__(self) -> None:
        if self.floor is not None and not math.isfinite(self.floor):
            raise ValueError(f"data.preparation.floor must be a finite number, got {self.floor}")
        if self.spacing is not None and not all(math.isfinite(size) and size > 0 for size in self.spacing):
            raise ValueError(f"data.preparation.spacing must be positive, got {self.spacing}")
        for name, least in (("margin", 0), ("pad_multiple", 1), ("pad_smallest", 0)):
            if getattr(self, name) < least:
                raise ValueError(f"data.preparation.{name} must be at least {least}, got {getattr(self, name)}")
        if self.margin and not self.crop_foreground:
            raise ValueError("data.preparation.margin does nothing without data.preparation.crop_foreground")

    @property
    def keeps_shape(self) -> bool:
        """Whether the shape after preparation follows from the shape before."""
        return not self.crop_foreground and self.spacing is None

    def padded(self, shape: tuple[int, ...]) -> tuple[int, int, int]:
        """Return the shape (D, H, W) after padding."""
        least = (max(size, self.pad_smallest) for size in shape)
        depth, height, width = (-(-size // self.pad_multiple) * self.pad_multiple for size in least)
        return depth, height, width


@dataclass(frozen=True)
class PreparedVolume:
    """An HR volume in RAS orientation, ready to be degraded."""

    hr: np.ndarray | MappedArray
    """(D, H, W), the file's intensities; its data type unless it was resampled"""
    measured: np.ndarray | MappedArray
    """(D, H, W) bool"""
    spacing: tuple[float, float, float]
    """mm (D, H, W)"""
    affine: np.ndarray = field(default_factory=lambda: np.eye(4))
    """(4, 4), voxel (I, J, K) to RAS mm; the identity for a volume from the cache, where nobody asks"""
    content: Box = field(default_factory=lambda: whole((0, 0, 0)))
    """what is no padding (D, H, W); likewise empty for a volume from the cache"""


def prepare_hr(volume: Volume, preparation: PreparationConfig) -> PreparedVolume:
    """Reorient to RAS, raise to the floor, crop to the foreground, resample and pad (paper 5.1).

    Raises:
        VolumeError: the volume is constant.
    """
    volume = volume.canonical()
    hr = np.ascontiguousarray(volume.array)
    measured, affine = measured_mask(hr), volume.affine
    if preparation.floor is not None:
        hr = np.where(hr < preparation.floor, np.asarray(preparation.floor).astype(hr.dtype), hr)
    if preparation.crop_foreground:
        box = tuple(
            slice(max(part.start - preparation.margin, 0), min(part.stop + preparation.margin, size))
            for part, size in zip(foreground_box(hr), hr.shape, strict=True)
        )
        hr, measured = np.ascontiguousarray(hr[box]), np.ascontiguousarray(measured[box])
        affine = crop_affine(affine, (box[0].start, box[1].start, box[2].start))
    spacing = volume.spacing
    if preparation.spacing is not None:
        right, anterior, superior = preparation.spacing
        wanted = (superior, anterior, right)
        hr = resample(hr, affine, wanted, "linear")
        measured = resample(measured, affine, wanted, "nearest")
        affine = affine @ np.diag(
            [*(new / old for new, old in zip(reversed(wanted), reversed(spacing), strict=True)), 1]
        )
        spacing = wanted
    content = whole(hr.shape)
    extra = [(0, padded - size) for padded, size in zip(preparation.padded(hr.shape), hr.shape, strict=True)]
    if any(after for _, after in extra):
        hr = np.pad(hr, extra, constant_values=hr.min())
        measured = np.pad(measured, extra, constant_values=False)
    return PreparedVolume(hr, measured, spacing, affine, content)
