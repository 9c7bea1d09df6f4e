"""Which scale and grid lie between an LR volume and its SR volume, found from their affines."""

from dataclasses import dataclass
from typing import get_args

import numpy as np

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.box import Box, sr_shape
from SuperResolution3DLib.volumes.geometry import Grid, Scale, contained_box, sr_affine
from SuperResolution3DLib.volumes.scale import scale_words
from SuperResolution3DLib.volumes.volume import Volume

RATIO_TOLERANCE = 1e-3  # of a spacing ratio to a whole number; NIfTI rounds spacings to 1e-7


@dataclass(frozen=True)
class GridMatch:
    """How the voxels of an SR volume follow from those of an LR volume, along the canonical axes."""

    scale: Scale
    """factor per axis (D, H, W)"""
    grid: Grid
    box: Box
    """the SR volume within the whole LR volume's SR grid; smaller than it for the result of a region"""


def match_grids(lr: Volume, sr: Volume) -> GridMatch:
    """Find scale and grid of an SR volume.

    Args:
        lr: canonical.
        sr: canonical; of the whole LR volume or of a part of it.

    Raises:
        GeometryError: the spacings' ratio is no whole number, or neither grid fits.
    """
    ratios = [coarse / fine for coarse, fine in zip(lr.spacing, sr.spacing, strict=True)]
    depth, height, width = (max(round(ratio), 1) for ratio in ratios)
    scale = depth, height, width
    if any(abs(ratio / factor - 1) > RATIO_TOLERANCE for ratio, factor in zip(ratios, scale, strict=True)):
        raise GeometryError(f"The LR's voxels are not a whole multiple of the SR's: {_grids(lr, sr)}")
    for grid in get_args(Grid):
        affine = sr_affine(lr.affine, scale, grid)
        try:
            return GridMatch(scale, grid, contained_box(affine, sr_shape(lr.shape, scale), sr.affine, sr.shape))
        except GeometryError:
            continue
    raise GeometryError(
        f"The SR lies neither on the center nor on the corner grid of the LR at {scale_words(scale)}: {_grids(lr, sr)}"
    )


def _grids(lr: Volume, sr: Volume) -> str:
    return f"LR {_grid(lr)}, SR {_grid(sr)}; compare an SR with the LR that it was computed from"


def _grid(volume: Volume) -> str:
    first = ", ".join(f"{value:.6g}" for value in np.asarray(volume.affine)[:3, 3])
    return f"{grid_text(volume.shape, volume.affine, digits=6)} from ({first}) mm RAS"
