"""What an SR is compared with: the LR interpolated on the same voxels, by the method for the way it was measured."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from SuperResolution3DLib.errors import GeometryError
from SuperResolution3DLib.forward.slice_axis import AXES
from SuperResolution3DLib.inference.slice_stack import along_axis, slice_stack
from SuperResolution3DLib.volumes.body_axes import grid_text
from SuperResolution3DLib.volumes.geometry import contained_box
from SuperResolution3DLib.volumes.grid_match import RATIO_TOLERANCE, match_grids
from SuperResolution3DLib.volumes.scale import scale_words
from SuperResolution3DLib.volumes.volume import Volume


@dataclass(frozen=True, eq=False)
class Baseline:
    """How the voxels of an SR follow from those of its LR, and an interpolation on them."""

    label: str
    """of the interpolation"""
    words: str
    """how SR and LR lie to each other"""
    interpolate: Callable[[Volume], np.ndarray]
    """takes the LR, or the LR less an offset, to (D, H, W) on the SR's voxels"""


def baseline_of(lr: Volume, sr: Volume) -> Baseline:
    """Find the grid of an SR: finer by whole numbers, or finer between thick slices by any number.

    Args:
        lr: canonical.
        sr: canonical; of the whole LR or of a part of it.

    Raises:
        GeometryError: it is none of both.
    """
    ratios = np.divide(lr.spacing, sr.spacing)
    finer = np.flatnonzero(np.abs(ratios - 1) > RATIO_TOLERANCE)
    is_whole = np.abs(ratios / np.rint(ratios).clip(1) - 1) <= RATIO_TOLERANCE
    if len(finer) == 1 and ratios[finer[0]] > 1 and not is_whole.all():
        return _between_slices(lr, sr, int(finer[0]))
    match = match_grids(lr, sr)

    def zero_filled(volume: Volume) -> np.ndarray:
        from SuperResolution3DLib.forward.interpolation import interpolate

        return interpolate(volume.array, match.scale, match.grid, "zero-fill")[match.box]

    return Baseline("zero-filled k-space", f"{scale_words(match.scale)}, {match.grid} grid", zero_filled)


def _between_slices(lr: Volume, sr: Volume, axis: int) -> Baseline:
    stack = slice_stack(lr, axis=AXES[axis])
    wanted = sr.spacing[axis]
    profile = stack.profile(wanted)
    shape = tuple(profile.hr_size if place == axis else size for place, size in enumerate(lr.shape))
    affine = along_axis(lr.affine, axis, profile.hr_spacing, (profile.hr_spacing - profile.spacing) / 2)
    try:
        box = contained_box(affine, shape, sr.affine, sr.shape)
    except GeometryError as error:
        raise GeometryError(
            f"The SR does not lie between the slices of the LR, {grid_text(lr.shape, lr.affine)}: {error}"
        ) from error

    def consistent(volume: Volume) -> np.ndarray:
        from SuperResolution3DLib.inference.thick_slices import interpolate_slices

        return interpolate_slices(volume, stack, wanted)[0].array[box]

    words = f"{profile.spacing / profile.hr_spacing:.3g}x between {stack.axis.description} slices"
    return Baseline("consistent interpolation", words, consistent)
