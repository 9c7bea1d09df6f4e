"""Sizes as a radiologist says them: mm and voxels along directions of the body, never along bare letters of axes."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from SuperResolution3DLib.sentence import Sentence
from SuperResolution3DLib.volumes.geometry import Orientation, voxel_spacing

DIRECTIONS: Final = ("head-foot", "front-back", "left-right")  # of canonical D = S, H = A, W = R
THROUGH_PLANE: Final = "through-plane"
MARGIN: Final = 1.2  # how many times the next largest spacing the slices' must be


@dataclass(frozen=True)
class BodyAxes:
    """The axes of a volume in the order in which they are told: within the slices first, through them last."""

    order: tuple[int, int, int]
    """array axes of the file: 0, 1, 2 for K, J, I"""
    names: tuple[str, str, str]
    """three of DIRECTIONS, the last one THROUGH_PLANE where slices stand out"""

    @classmethod
    def of(cls, affine: np.ndarray, *, is_stack: bool = True) -> "BodyAxes":
        """Name the axes of a grid after the directions of the body nearest to them.

        Args:
            affine: (4, 4).
            is_stack: an axis that stands out is that of slices; of what was computed between slices none is.
        """
        canonical = Orientation.of(affine).order
        told = [(canonical[place], DIRECTIONS[place]) for place in (2, 1, 0)]
        slices = through_plane_axis(voxel_spacing(affine)) if is_stack else None
        if slices is not None:
            told = [pair for pair in told if pair[0] != slices] + [(slices, THROUGH_PLANE)]
        first, second, third = told
        return cls((first[0], second[0], third[0]), (first[1], second[1], third[1]))

    def by(self, values: Sequence[float], digits: int = 3) -> str:
        """Return numbers of the file's axes (K, J, I) in the order that is told: ``0.5 x 0.5 x 5``."""
        return " x ".join(_number(values[axis], digits) for axis in self.order)

    def say(self, code: str, **values: str) -> Sentence:
        """Return a sentence that ends in the names in brackets: ``(left-right, front-back, through-plane)``."""
        first, second, third = (Sentence(name) for name in self.names)
        return Sentence(code, {**values, "first": first, "second": second, "third": third})


def through_plane_axis(spacing: Sequence[float]) -> int | None:
    """Return the axis along which slices lie: that whose spacing is at least 1.2 times each of the others."""
    _, middle, largest = sorted(spacing)
    return list(spacing).index(largest) if largest >= MARGIN * middle else None


def spacing_text(affine: np.ndarray) -> Sentence:
    """Return voxel sizes: ``3.2 x 3.2 x 5 mm (left-right, front-back, through-plane)``, or ``3.2 mm isotropic``."""
    axes, spacing = BodyAxes.of(affine), voxel_spacing(affine)
    if is_isotropic(spacing):
        return Sentence("size-isotropic", {"sizes": _number(spacing[0], 3)})
    return axes.say("size-along", sizes=axes.by(spacing))


def shape_text(shape: Sequence[int], affine: np.ndarray) -> Sentence:
    """Return numbers of voxels (K, J, I): ``128 x 160 x 24 voxels (left-right, front-back, through-plane)``."""
    axes = BodyAxes.of(affine)
    return axes.say("shape-along", shape=axes.by(shape))


def grid_text(shape: Sequence[int], affine: np.ndarray, digits: int = 3, *, is_stack: bool = True) -> Sentence:
    """Return voxels (K, J, I) and their size: ``128 x 160 x 24 voxels of 0.5 x 0.5 x 5 mm (left-right, ...)``."""
    axes, spacing = BodyAxes.of(affine, is_stack=is_stack), voxel_spacing(affine)
    sizes = _number(spacing[0], digits) if is_isotropic(spacing, digits) else axes.by(spacing, digits)
    return axes.say("grid-along", shape=axes.by(shape), sizes=sizes)


def is_isotropic(spacing: Sequence[float], digits: int = 3) -> bool:
    """Tell whether spacings read the same."""
    return len({_number(value, digits) for value in spacing}) == 1


def _number(value: float, digits: int) -> str:
    return str(value) if isinstance(value, int | np.integer) else f"{value:.{digits}g}"
