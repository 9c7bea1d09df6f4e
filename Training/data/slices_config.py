"""Which thick slices a through-plane network is trained on."""

import math
from dataclasses import dataclass


@dataclass(frozen=True)
class SlicesConfig:
    """Thick slices made of isotropic volumes: another scan is drawn for each patch."""

    num_slices: int = 10
    """Slices of a patch; data.patch_size is its edge within their plane"""
    spacing: tuple[float, float] = (2.0, 8.0)
    """Smallest and largest distance between slices, in voxels of the isotropic volume; drawn evenly in its logarithm"""
    gap: float = 0.3
    """Largest gap between slices, as a share of their distance; half of the patches have none"""
    width: tuple[float, float] = (0.7, 1.3)
    """True width of a slice's profile as a share of the thickness that is told, which no scanner keeps exactly"""
    zoom: float = 1.0
    """Largest factor by which half of the patches are interpolated finer before they are degraded: pixels finer than
    the detail, as scanners deliver them. ``spacing`` is then counted in the finer voxels"""
    blur: float = 0.0
    """Largest standard deviation of a blur within the plane, pixels; half of the patches have none"""
    movement: float = 0.0
    """Farthest that a slice is moved along either axis of its plane, pixels; half of the patches have none. In half of
    the others odd slices move against even ones, as in an interleaved scan, in the rest each for itself"""
    gain: float = 0.0
    """Largest share by which a slice's intensities are scaled, in the same patterns; half of the patches have none"""

    def __post_init__(self) -> None:
        if self.num_slices < 2:
            raise ValueError(f"data.slices.num_slices must be at least 2, got {self.num_slices}")
        for name in ("spacing", "width"):
            low, high = getattr(self, name)
            if not 0 < low <= high < math.inf:
                raise ValueError(f"data.slices.{name} must be two increasing numbers above 0, got {low} and {high}")
        if self.spacing[0] < 1:
            raise ValueError(f"data.slices.spacing must be at least 1 voxel, got {self.spacing[0]}")
        if not 0 <= self.gap < 1:
            raise ValueError(f"data.slices.gap must be in [0, 1), got {self.gap}")
        if not 1 <= self.zoom < math.inf:
            raise ValueError(f"data.slices.zoom must be 1 or more, got {self.zoom}")
        for name in ("blur", "movement", "gain"):
            if not 0 <= getattr(self, name) < math.inf:
                raise ValueError(f"data.slices.{name} must be 0 or more, got {getattr(self, name)}")
