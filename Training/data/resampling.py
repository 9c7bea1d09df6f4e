"""Resampling a volume to another spacing; its first voxel stays where it is."""

from typing import Final, Literal

import numpy as np

Interpolation = Literal["linear", "nearest"]
MODES: Final[dict[Interpolation, str]] = {"linear": "bilinear", "nearest": "nearest"}  # as torch.grid_sample has them


def resample(
    array: np.ndarray, affine: np.ndarray, spacing: tuple[float, float, float], mode: Interpolation
) -> np.ndarray:
    """Resample as the paper's authors do, with MONAI's ``Spacing``: no smoothing, border voxels go on outside.

    Args:
        array: (D, H, W), any unit.
        affine: (4, 4), voxel (I, J, K, 1) to RAS mm.
        spacing: wanted, mm (D, H, W).
        mode: linear, or nearest for masks.

    Returns:
        (D, H, W), float32, or bool for a bool array.
    """
    from monai.data import MetaTensor  # imported here: it takes seconds
    from monai.transforms import Spacing

    to_spacing = Spacing(pixdim=tuple(reversed(spacing)), mode=MODES[mode], padding_mode="border", dtype=np.float32)
    volume = MetaTensor(np.ascontiguousarray(array.transpose(2, 1, 0)[None], dtype=np.float32), affine=affine)
    resampled = np.ascontiguousarray(to_spacing(volume).numpy()[0].transpose(2, 1, 0))
    return resampled > 0.5 if array.dtype == bool else resampled
