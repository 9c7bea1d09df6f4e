"""Whether the intensities of a volume that does not say its modality are those of CT."""

from dataclasses import dataclass

import numpy as np

AIR = (-1100, -900)  # HU
SHARE_OF_AIR = 0.02  # of the voxels
# A cut without air has fat and soft tissue still: of two abdomens 15 % and 40 %. MR reaches below -20 only where it was
# filtered and rings around 0, and then more of its voxels lie between the two than where fat does.
FAT, BETWEEN, SOFT_TISSUE = (-150, -70), (-70, -30), (0, 120)  # HU
SHARE_OF_FAT, SHARE_OF_SOFT_TISSUE = 0.05, 0.2  # of the voxels
HIGHEST = 3071  # HU, of 12 bits; beyond is at most metal
SHARE_OF_METAL = 0.01  # of the voxels
LOOKED_AT = 1_000_000  # voxels are enough for a share of a few percent


@dataclass(frozen=True)
class HounsfieldShares:
    """How much of a volume lies where CT has air, fat and soft tissue, and beyond its range: shares of its voxels."""

    air: float
    fat: float
    between: float
    soft_tissue: float
    beyond: float

    @classmethod
    def of(cls, array: np.ndarray) -> "HounsfieldShares":
        """Count the voxels of a volume (D, H, W), every second or third along each axis where it is large."""
        step = max(1, round((array.size / LOOKED_AT) ** (1 / array.ndim)))
        seen = array[(slice(None, None, step),) * array.ndim]
        ranges = (AIR, FAT, BETWEEN, SOFT_TISSUE, (HIGHEST, np.inf))
        shares = (np.count_nonzero((seen > low) & (seen < high)) / seen.size for low, high in ranges)
        return cls(*shares)

    @property
    def has_air(self) -> bool:
        """Tell whether there is air, as around every patient and in lungs and bowels."""
        return self.air >= SHARE_OF_AIR and self.beyond < SHARE_OF_METAL

    @property
    def has_tissue(self) -> bool:
        """Tell whether there are fat and soft tissue."""
        has_fat = self.fat >= max(SHARE_OF_FAT, self.between)
        return has_fat and self.soft_tissue >= SHARE_OF_SOFT_TISSUE and self.beyond < SHARE_OF_METAL

    @property
    def are_of_ct(self) -> bool:
        """Tell whether the volume looks like CT."""
        return self.has_air or self.has_tissue
