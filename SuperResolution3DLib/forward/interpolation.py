"""What a network is measured against: interpolations that land exactly on the SR grid."""

from typing import Literal

import numpy as np
from scipy import ndimage

from SuperResolution3DLib.forward.kspace import zero_fill
from SuperResolution3DLib.volumes.geometry import Grid, Scale, grid_phase

Method = Literal["zero-fill", "cubic", "trilinear"]
METHODS: tuple[Method, ...] = ("zero-fill", "cubic", "trilinear")
_SPLINE_ORDER = {"cubic": 3, "trilinear": 1}


def interpolate(lr: np.ndarray, scale: Scale, grid: Grid, method: Method) -> np.ndarray:
    """Interpolate a volume on the SR grid.

    Args:
        lr: (D, H, W), any unit, canonical if the grid is "corner".
        scale: factor per axis (D, H, W).
        grid: where LR voxels lie among HR voxels.
        method: zero-filled k-space (sinc), cubic B-spline, or trilinear; the last two repeat the border outside.

    Returns:
        (D*s, H*s, W*s) float32 in the same unit.

    Raises:
        ValueError: an unknown method.
    """
    if method == "zero-fill":
        return zero_fill(lr.astype(np.float64), scale, grid).astype(np.float32)
    if method not in _SPLINE_ORDER:
        raise ValueError(f"The method is one of {', '.join(METHODS)}, got {method!r}")
    return ndimage.affine_transform(
        lr.astype(np.float64),
        matrix=[1 / factor for factor in scale],
        offset=[-grid_phase(factor, grid) / factor for factor in scale],
        output_shape=tuple(size * factor for size, factor in zip(lr.shape, scale, strict=True)),
        output=np.float32,
        order=_SPLINE_ORDER[method],
        mode="nearest",
    )
